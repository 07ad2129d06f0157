"""The page on which a translation is written beside its original, and saving it."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import JSONResponse, Response

from editions.errors import FrontMatterError
from editions.rich_text.errors import DocumentSchemaError, UnwritableError
from locales.phrase import read_error
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError
from mailer.revisions.edition_save import Conflict
from mailer.team.members import Permission
from mailer.translations.states import TranslationState
from mailer.web.form_options import own_language_name
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.page_context import read_edition_title
from mailer.web.studio.translations.composition import (
    TranslationDraft,
    fill_from_original,
    read_front,
    read_translation_draft,
)
from mailer.web.studio.translations.labels import STATE_WORDS
from mailer.web.studio.translations.page_context import make_page, may_confirm
from mailer.web.studio.translations.place import TranslationDep, TranslationPlace, find_translation
from mailer.web.studio.translations.translation_save import SavedTranslation, read_state, save_draft

_MARKDOWN = "markdown"
_COPY = "copy"
_DONE = "done"

NOTHING_WRITTEN = gettext_noop("Nothing is translated yet, so there is nothing to save.")
DOCUMENT_REFUSED = gettext_noop(
    "What the editor sent could not be read, so it was not saved. Reload the page and try again."
)


def show_translation(page: PageDep, place: TranslationDep) -> Response:
    """Show a translation beside its original."""
    return _render(page, place, as_markdown=page.request.query_params.get("as") == _MARKDOWN)


def save_translation(page: PageDep, place: TranslationDep, form: OwnFormDep) -> Response:
    """Save what the form says. A script that saves as one writes is answered in JSON."""
    draft, wanted = read_translation_draft(form, place.story), form.get("then")
    if wanted == _COPY:
        original = read_front(place.original.file.text)
        draft = fill_from_original(draft, original, is_story=bool(place.story))
    answers_script = "application/json" in page.request.headers.get("accept", "")
    try:
        if place.file is None and not draft.has_text:
            return _refuse(page, place, draft, page.translator.translate(NOTHING_WRITTEN), answers_script)
        saved = save_draft(page, place, draft, is_done=wanted == _DONE)
    except (UnwritableError, FrontMatterError, DocumentSchemaError, EditionFileError) as error:
        block = error.block if isinstance(error, UnwritableError) else None
        return _refuse(page, place, draft, _describe_refusal(page, error), answers_script, block)
    if isinstance(saved.outcome, Conflict):
        conflict = page.make_path(f"{place.original.edition_path}/conflicts/{saved.outcome.number}")
        return (
            JSONResponse({"conflict": conflict}, status_code=409) if answers_script else page.go_to(conflict)
        )
    if answers_script:
        told = {
            "digest": saved.outcome.digest,
            "saved_at": page.state.clock().isoformat(),
            "problems": 0,
            "adjusted": saved.adjusted,
        }
        return JSONResponse(told)
    return page.redirect(place.path, _find_notice(page, place, saved, wanted), **_make_query(draft, wanted))


def _make_query(draft: TranslationDraft, wanted: str) -> dict[str, str]:
    stays = wanted not in {"editor", _COPY} and draft.story.body is not None
    return {"as": _MARKDOWN} if wanted == _MARKDOWN or stays else {}


def _find_notice(page: StudioPage, place: TranslationPlace, saved: SavedTranslation, wanted: str) -> Notice:
    if wanted == _DONE and not saved.is_confirmed:
        return Notice.original_changed
    if wanted == _DONE:
        status, _ = read_state(page, find_translation(page, place.edition, place.story, place.language))
        # What is not translated at all says nothing, whatever the original says.
        return Notice.translation_saved if status.open_texts else Notice.translation_confirmed
    return Notice.translation_adjusted if saved.adjusted else Notice.translation_saved


def _refuse(
    page: StudioPage,
    place: TranslationPlace,
    draft: TranslationDraft,
    words: str,
    answers_script: bool,
    block: int | None = None,
) -> Response:
    if answers_script:
        return JSONResponse({"error": words, "block": block}, status_code=422)
    as_markdown = draft.story.body is not None
    return _render(page, place, draft=draft, errors=[("body", words)], as_markdown=as_markdown)


def _describe_refusal(page: StudioPage, error: Exception) -> str:
    translate = page.translator.translations.gettext
    if isinstance(error, DocumentSchemaError):
        return translate(DOCUMENT_REFUSED)
    if isinstance(error, EditionFileError):
        words = translate(error.message)
        return words % error.values if error.values else words
    return page.translator.say_again(read_error(error))


def _render(
    page: StudioPage,
    place: TranslationPlace,
    *,
    as_markdown: bool,
    draft: TranslationDraft | None = None,
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    status, base = read_state(page, place)
    try:
        text = make_page(
            place, page.translator, base=base, open_texts=status.open_texts, draft=draft, errors=errors
        )
    except DocumentSchemaError:
        assert draft is not None  # noqa: S101 - what the file has is always the editor's
        refused = replace(draft, story=replace(draft.story, document=None))
        text = make_page(
            place, page.translator, base=base, open_texts=status.open_texts, draft=refused, errors=errors
        )
    words, tone = STATE_WORDS[status.state]
    return page.render(
        "translation.html",
        status=422 if errors else 200,
        section="editions",
        place=place,
        text=text,
        status_=status,
        state_words=words,
        state_tone=tone,
        knows_changes=base is not None,
        is_outdated=status.state is TranslationState.outdated,
        may_confirm=may_confirm(status.state, is_confirmed=status.is_confirmed, open_texts=status.open_texts),
        as_markdown=as_markdown,
        can_write=page.may(Permission.write),
        original_title=read_front(place.original.file.text).text("title"),
        edition_title=read_edition_title(place.original),
        language_name=own_language_name(place.language),
        own_language_name=own_language_name(place.own_language),
        has_history=place.file is not None,
    )
