"""The translations of an edition: how far each is, and all texts as a file for translators, and back."""

import secrets
from collections.abc import Callable, Sequence

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.errors import DocumentError, EditionError
from editions.text_diff.comparison import BlockChangeKind, compare_texts
from editions.translation_exchange.exchange import read_translations
from editions.translation_exchange.units import Exchange
from locales.languages import canonical_language
from mailer.activity import deeds
from mailer.activity.record import record_line
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    FileMissingError,
    FilePlace,
    parse_file_name,
    read_edition_file,
)
from mailer.team.members import Permission
from mailer.translations import (
    EditionTranslations,
    ReturnedText,
    TranslationState,
    list_translation_states,
    pack_texts,
    save_returned_texts,
    unpack_texts,
)
from mailer.web.dependencies import BodyDep
from mailer.web.forms import MAIL_LANGUAGES, OwnFormDep, own_language_name
from mailer.web.studio.history.history_pages import open_text
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep
from mailer.web.upload import read_uploaded_form

ROUTES = Routes()
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLIFF = "application/xliff+xml"
_UNKNOWN_LANGUAGE = gettext_noop(
    "This is not the tag of a language. Write mn, ko, fr or zh-Hans, for example."
)
_OWN_LANGUAGE = gettext_noop("The edition itself is written in this language. Choose another.")
_NO_FILE = gettext_noop("Choose the file that the translator sent back.")
_NOT_READ = gettext_noop("%(name)s was not read: %(why)s")
_PREVIEW_LOST = gettext_noop("What the preview sent could not be read. Choose the file again.")


@ROUTES.get_route("/editions/{edition}/translations", Permission.read)
def show_translations(page: EditionPageDep) -> Response:
    """Show how far the translations of an edition are; ``?add=`` names a language that it does not have."""
    found = list_translation_states(page.session, page.state.workspace, page.edition)
    wanted = page.request.query_params.get("add", "").strip()
    tag, fault = canonical_language(wanted) if wanted else "", ""
    if tag is None or tag == found.language:
        tag, fault = "", _UNKNOWN_LANGUAGE if tag is None else _OWN_LANGUAGE
    columns = list(dict.fromkeys(filter(None, (*found.languages, tag))))
    return page.render(
        "translations.html",
        translations=found,
        columns=[(column, found.count(column, TranslationState.complete)) for column in columns],
        rows=[("", ""), *found.stories],
        wanted=wanted,
        offered=[
            (offered, own_language_name(offered))
            for offered in MAIL_LANGUAGES
            if offered not in {found.language, *columns}
        ],
        errors=[("add", page.translate(fault))] if fault else [],
    )


@ROUTES.get_route("/editions/{edition}/translations/{language}", Permission.read)
def show_exchange(page: EditionPageDep, language: str) -> Response:
    """Show how far an edition is in one language, and how its texts are had translated elsewhere."""
    _check_language(page, language)
    return _render(page, language)


@ROUTES.post_route("/editions/{edition}/translations/{language}", Permission.write)
def preview_import(page: EditionPageDep, language: str, request: Request, body: BodyDep) -> Response:
    """Show what a returned file would change. Nothing is written."""
    _check_language(page, language)
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    if form is None:
        raise HTTPException(415)
    data, name = form.values.get("file", b""), form.file_names.get("file", "")
    if not data:
        return _render(page, language, page.translate(_NO_FILE))
    try:
        found = read_translations(name or "The file", data, page.folder, language)
    except DocumentError as error:
        why = page.translator.say_again(error.reason)
        return _render(page, language, page.translate(_NOT_READ, name=error.name, why=why))
    except EditionError as error:
        return _render(page, language, page.translator.say_again(str(error)))
    files, texts = [], []
    for changed, text in sorted(found.changes.items()):
        try:
            file = read_edition_file(page.folder, changed)
            before, digest = file.text, file.digest
        except FileMissingError:
            before, digest = "", ""
        changes = [one for one in compare_texts(before, text) if one.kind is not BlockChangeKind.same]
        original = open_text(page, FilePlace(story=parse_file_name(changed).story))
        files.append((original.title, not digest, changes))
        texts.append(ReturnedText(changed, digest, text))
    return page.render(
        "translation_import.html",
        language=language,
        file_name=name,
        files=files,
        found=found,
        payload=pack_texts(texts),
        sitting=secrets.token_urlsafe(12),
    )


@ROUTES.post_route("/editions/{edition}/translations/{language}/apply", Permission.write)
def apply_import(page: EditionPageDep, language: str, form: OwnFormDep) -> Response:
    """Write what the preview showed, each file only if it is what it was then."""
    _check_language(page, language)
    texts = unpack_texts(form.get("changes"), language)
    if not texts:
        return _render(page, language, page.translate(_PREVIEW_LOST))
    names = [one.name for one in texts]
    line = page.make_line(deeds.imported_translations(page.edition, form.get("file")[:200], names))
    with page.announcing(line, *(page.folder / name for name in names)) as session:
        kept = save_returned_texts(
            page.state.workspace,
            session,
            page.edition,
            texts,
            member=page.member,
            sitting=form.get("sitting")[:64],
            now=line.at,
        )
        record_line(session, line)
    if kept:
        return _render(page, language, kept=kept, saved=len(texts) - len(kept))
    path = f"/editions/{page.edition}/translations/{language}"
    return page.redirect(path, Notice.translations_imported)


@ROUTES.get_route("/editions/{edition}/translations/{language}/texts.docx", Permission.read)
def download_word(page: EditionPageDep, language: str) -> Response:
    from editions.translation_exchange.word_format import write_docx

    return _download(page, language, write_docx, "docx", _WORD)


@ROUTES.get_route("/editions/{edition}/translations/{language}/texts.xlf", Permission.read)
def download_xliff(page: EditionPageDep, language: str) -> Response:
    from editions.translation_exchange.xliff import write_xliff

    return _download(page, language, write_xliff, "xlf", _XLIFF)


def _download(
    page: EditionPage, language: str, write: Callable[[Exchange], bytes], ending: str, media_type: str
) -> Response:
    from editions.translation_exchange.exchange import export_texts

    _check_language(page, language)
    try:
        data = write(export_texts(page.folder, language))
    except EditionError as error:
        return _render(page, language, page.translator.say_again(str(error)))
    headers = {
        "content-disposition": f'attachment; filename="{page.edition}.{language}.{ending}"',
        "cache-control": "no-store",
    }
    return Response(data, media_type=media_type, headers=headers)


def _check_language(page: EditionPage, language: str) -> None:
    own = page.state.summaries.read(page.edition).language
    or_404(canonical_language(language) == language != own)


def _render(
    page: EditionPage,
    language: str,
    error: str = "",
    *,
    kept: Sequence[tuple[str, int]] = (),
    saved: int = 0,
) -> Response:
    found: EditionTranslations = list_translation_states(page.session, page.state.workspace, page.edition)
    counts = [(state, found.count(language, state)) for state in TranslationState]
    return page.render(
        "translation_exchange.html",
        status=409 if kept else 422 if error else 200,
        translations=found,
        language=language,
        counts=[(state, number) for state, number in counts if number],
        errors=[("file", error)] if error else [],
        kept=kept,
        saved=saved,
        can_write=page.may(Permission.write),
    )
