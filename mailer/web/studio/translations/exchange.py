"""Texts as a file for translators, and back."""

import base64
import json
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.errors import DocumentError, EditionError
from editions.text_diff.comparison import BlockChange, BlockChangeKind, compare_texts
from editions.translation_exchange.importer import read_translations
from editions.translation_exchange.units import Exchange
from locales.languages import canonical_language
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFileError,
    FileMissingError,
    FilePlace,
    TextSave,
    find_file_name,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Permission
from mailer.translations import (
    ORIGINAL_KEY,
    TranslationState,
    digest_original,
    list_translation_states,
    record_base,
)
from mailer.web.dependencies import BodyDep
from mailer.web.forms import OwnFormDep, own_language_name
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import make_line
from mailer.web.studio.translations.translation import STATE_WORDS, read_front
from mailer.web.upload import read_uploaded_form


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that an import changes: the digest of what it was (``base``, "" if it is new) and its new
    text."""

    name: str
    base: str
    text: str


def save_changes(
    page: StudioPage,
    folder: Path,
    edition: str,
    changes: Sequence[FileChange],
    *,
    sitting: str,
    file_name: str,
) -> list[tuple[str, int]]:
    """Write each file that is what it was; return the names of the others, each with the number under which
    its new text is kept."""
    line = make_line(
        page,
        Act.imported_translations,
        edition=edition,
        subject=file_name,
        detail=", ".join(change.name for change in changes),
    )
    with announce_acts(page.state.workspace, [line], [folder / change.name for change in changes]):
        kept = _save_each(page, folder, edition, changes, sitting=sitting)
        with page.state.write_session() as session:
            record_line(session, line)
    return kept


def _save_each(
    page: StudioPage, folder: Path, edition: str, changes: Sequence[FileChange], *, sitting: str
) -> list[tuple[str, int]]:
    kept = []
    for change in changes:
        with page.state.write_session() as session:
            outcome = save_edition_file(
                page.state.workspace,
                session,
                TextSave(
                    edition=edition,
                    name=change.name,
                    text=change.text,
                    base=change.base,
                    member=page.member,
                    sitting=sitting,
                    sequence=1,
                    now=page.state.clock(),
                    kind=RevisionKind.imported,
                ),
            )
            if isinstance(outcome, Conflict):
                kept.append((change.name, outcome.number))
            elif (original := _find_original(folder, change)) is not None:
                place = parse_file_name(change.name)
                record_base(session, edition, place, original, now=page.state.clock())
    return kept


def _find_original(folder: Path, change: FileChange) -> str | None:
    """The text of the original, if that is what the translation says it was made from."""
    name = find_file_name(folder, FilePlace(story=parse_file_name(change.name).story))
    if name is None:
        return None
    try:
        text = read_edition_file(folder, name).text
    except EditionFileError:
        return None
    return text if read_front(change.text).text(ORIGINAL_KEY) == digest_original(text) else None


_MAX_PAYLOAD = 20_000_000
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLIFF = "application/xliff+xml"

NO_FILE = gettext_noop("Choose the file that the translator sent back.")
NOT_READ = gettext_noop("%(name)s was not read: %(why)s")
PREVIEW_LOST = gettext_noop("What the preview sent could not be read. Choose the file again.")


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    """A file as an import changes it: its ``title``, and its blocks before and after."""

    name: str
    title: str
    is_new: bool
    changes: Sequence[BlockChange]


def show_exchange(edition: str, language: str, page: PageDep) -> Response:
    """Show how far an edition is in one language, and how its texts are had translated elsewhere."""
    _find_folder(page, edition, language)
    return _render(page, edition, language)


def download_word(edition: str, language: str, page: PageDep) -> Response:
    """Send all texts as a Word document."""
    from editions.translation_exchange.word_format import write_docx

    return _download(page, edition, language, write_docx, "docx", _WORD)


def download_xliff(edition: str, language: str, page: PageDep) -> Response:
    """Send all texts as XLIFF, for translators' programs."""
    from editions.translation_exchange.xliff import write_xliff

    return _download(page, edition, language, write_xliff, "xlf", _XLIFF)


def preview_import(edition: str, language: str, page: PageDep, request: Request, body: BodyDep) -> Response:
    """Show what a returned file would change. Nothing is written."""
    folder = _find_folder(page, edition, language)
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    if form is None:
        raise HTTPException(415)
    data, name = form.values.get("file", b""), form.file_names.get("file", "")
    if not data:
        return _render(page, edition, language, error=page.translator.translate(NO_FILE))
    try:
        found = read_translations(name or "The file", data, folder, language)
    except DocumentError as error:
        words = page.translator.translate(
            NOT_READ, name=error.name, why=page.translator.say_again(error.reason)
        )
        return _render(page, edition, language, error=words)
    except EditionError as error:
        return _render(page, edition, language, error=page.translator.say_again(str(error)))
    changes = [_begin_change(folder, name, text) for name, text in sorted(found.changes.items())]
    return page.render(
        "translation_import.html",
        section="editions",
        edition=edition,
        edition_title=_read_title(page, edition),
        language=language,
        language_name=own_language_name(language),
        file_name=name,
        files=[_compare(folder, change) for change in changes],
        problems=found.problems,
        translated=found.translated,
        unchanged=found.unchanged,
        payload=_pack(changes),
        sitting=secrets.token_urlsafe(12),
    )


def apply_import(edition: str, language: str, page: PageDep, form: OwnFormDep) -> Response:
    """Write what the preview showed, each file only if it is what it was then."""
    folder = _find_folder(page, edition, language)
    changes = _unpack(form.get("changes"), language)
    if not changes:
        return _render(page, edition, language, error=page.translator.translate(PREVIEW_LOST))
    kept = save_changes(
        page, folder, edition, changes, sitting=form.get("sitting")[:64], file_name=form.get("file")[:200]
    )
    if kept:
        return _render(page, edition, language, kept=kept, saved=len(changes) - len(kept), status=409)
    return page.redirect(f"/editions/{edition}/translations/{language}", Notice.translations_imported)


def _find_folder(page: StudioPage, edition: str, language: str) -> Path:
    folder = find_edition_folder(page, edition)
    own = page.state.summaries.read(edition).language
    if canonical_language(language) != language or language == own:
        raise HTTPException(404)
    return folder


def _download(
    page: StudioPage,
    edition: str,
    language: str,
    write: Callable[[Exchange], bytes],
    ending: str,
    media_type: str,
) -> Response:
    from editions.translation_exchange.exporter import export_texts

    folder = _find_folder(page, edition, language)
    try:
        data = write(export_texts(folder, language))
    except EditionError as error:
        return _render(page, edition, language, error=page.translator.say_again(str(error)))
    headers = {
        "content-disposition": f'attachment; filename="{edition}.{language}.{ending}"',
        "cache-control": "no-store",
    }
    return Response(data, media_type=media_type, headers=headers)


def _begin_change(folder: Path, name: str, text: str) -> FileChange:
    try:
        return FileChange(name=name, base=read_edition_file(folder, name).digest, text=text)
    except FileMissingError:
        return FileChange(name=name, base="", text=text)


def _compare(folder: Path, change: FileChange) -> ChangedFile:
    try:
        before = read_edition_file(folder, change.name).text
    except FileMissingError:
        before = ""
    blocks = compare_texts(before, change.text)
    return ChangedFile(
        name=change.name,
        title=_read_original_title(folder, change.name),
        is_new=not change.base,
        changes=[block for block in blocks if block.kind is not BlockChangeKind.same],
    )


def _read_original_title(folder: Path, name: str) -> str:
    """The title of the story that the translation ``name`` is of; "" for edition.md."""
    story = parse_file_name(name).story
    original = find_file_name(folder, FilePlace(story=story)) if story else None
    if original is None:
        return ""
    return read_front(read_edition_file(folder, original).text).text("title") or story


def _pack(changes: Sequence[FileChange]) -> str:
    """The changes for a hidden field: what is applied is exactly what was shown, whatever became of the
    server in between."""
    plain = json.dumps([[change.name, change.base, change.text] for change in changes])
    return base64.b64encode(zlib.compress(plain.encode())).decode()


def _unpack(payload: str, language: str) -> list[FileChange]:
    """What :func:`_pack` packed, for translations into ``language``; nothing if it cannot be read."""
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(base64.b64decode(payload, validate=True), _MAX_PAYLOAD)
        if not unpacker.eof:
            return []
        changes = [FileChange(name=name, base=base, text=text) for name, base, text in json.loads(plain)]
        tags = {canonical_language(parse_file_name(change.name).language) for change in changes}
    except (ValueError, TypeError, zlib.error, EditionFileError, RecursionError):
        return []
    is_text = all(isinstance(part, str) for change in changes for part in (change.base, change.text))
    return changes if is_text and tags <= {language} else []


def _read_title(page: StudioPage, edition: str) -> str:
    return page.state.summaries.read(edition).title or edition


def _render(
    page: StudioPage,
    edition: str,
    language: str,
    *,
    error: str = "",
    kept: Sequence[tuple[str, int]] = (),
    saved: int = 0,
    status: int | None = None,
) -> Response:
    with page.state.read_session() as session:
        found = list_translation_states(session, page.state.workspace, edition)
    return page.render(
        "translation_exchange.html",
        status=status or (422 if error else 200),
        section="editions",
        edition=edition,
        edition_title=_read_title(page, edition),
        translations=found,
        language=language,
        language_name=own_language_name(language),
        own_name=own_language_name(found.language),
        counts=_count(found.count, language),
        total=len(found.stories) + 1,
        errors=[("file", error)] if error else [],
        kept=kept,
        saved=saved,
        can_write=page.may(Permission.write),
    )


def _count(count: Callable[[str, TranslationState], int], language: str) -> Sequence[tuple[int, str, str]]:
    """How many texts are in each state, with its words and its tone."""
    numbers = ((count(language, state), *words) for state, words in STATE_WORDS.items())
    return [found for found in numbers if found[0]]
