"""The page on which a story, or the letter, is written, and saving it."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import JSONResponse, Response

from editions.errors import FrontMatterError
from editions.rich_text.nodes import DocumentSchemaError, UnwritableError
from locales.countries import country_name, find_countries, suggest_countries
from locales.phrase import read_error
from mailer.campaigns.correction_plan import has_been_sent
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError
from mailer.revisions.edition_save import Conflict
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.checks import count_own_errors
from mailer.web.studio.stories.composition import StoryDraft, join_words, read_draft
from mailer.web.studio.stories.page_context import (
    Choice,
    TextOnPage,
    list_choices,
    list_translations,
    parse_view,
    read_edition_names,
    read_text,
    restore_draft,
)
from mailer.web.studio.stories.preview import describe_view
from mailer.web.studio.stories.story_save import SavedStory, save_draft
from mailer.web.studio.story_place import PlaceDep, StoryPlace

_MARKDOWN = "markdown"
_OTHER_COUNTRY = "another_country"

UNKNOWN_COUNTRY = gettext_noop("%(name)s is not the name of a country.")
LIKELY_COUNTRY = gettext_noop("%(name)s is not the name of a country. Did you mean %(likely)s?")
DOCUMENT_REFUSED = gettext_noop(
    "What the editor sent could not be read, so it was not saved. Reload the page and try again."
)


def show_text(page: PageDep, place: PlaceDep) -> Response:
    """Show the page of a story, or of the letter."""
    sitting = page.request.query_params.get("sitting", "")
    kept = sitting if sitting.replace("-", "").replace("_", "").isalnum() and len(sitting) <= 64 else ""
    as_markdown = page.request.query_params.get("as") == _MARKDOWN
    return _render(page, place, read_text(place, sitting=kept), as_markdown=as_markdown)


def save_text(page: PageDep, place: PlaceDep, form: OwnFormDep) -> Response:
    """Save what the form says. A script that saves as one writes is answered in JSON."""
    draft, errors = _add_country(page, read_draft(form, place.story), form)
    answers_script = "application/json" in page.request.headers.get("accept", "")
    if errors and not answers_script:
        return _refuse(page, place, draft, form, errors)
    try:
        saved = save_draft(page, place, draft)
    except (UnwritableError, FrontMatterError, DocumentSchemaError, EditionFileError) as error:
        words = _describe_refusal(page, error)
        if answers_script:
            block = error.block if isinstance(error, UnwritableError) else None
            return JSONResponse({"error": words, "block": block}, status_code=422)
        return _refuse(page, place, draft, form, [("body", words)])
    answer = _answer_script if answers_script else _answer_form
    return answer(page, place, draft, form, saved)


def _answer_script(
    page: StudioPage, place: StoryPlace, draft: StoryDraft, form: Form, saved: SavedStory
) -> Response:
    outcome = saved.outcome
    if isinstance(outcome, Conflict):
        return JSONResponse({"conflict": _find_conflict_page(page, place, outcome)}, status_code=409)
    _, errors = _add_country(page, draft, form)
    return JSONResponse(
        {
            "digest": outcome.digest,
            "saved_at": page.state.clock().isoformat(),
            "problems": count_own_errors(page, place, outcome.name),
            "errors": [{"field": name, "words": words} for name, words in errors],
            "adjusted": saved.adjusted,
        }
    )


def _answer_form(
    page: StudioPage, place: StoryPlace, draft: StoryDraft, form: Form, saved: SavedStory
) -> Response:
    if isinstance(saved.outcome, Conflict):
        return page.go_to(_find_conflict_page(page, place, saved.outcome))
    wanted = form.get("then")
    if wanted == "preview":
        return page.redirect(f"{place.path}/preview", Notice.saved)
    query = {"sitting": draft.sitting}
    if wanted == _MARKDOWN or (wanted != "editor" and draft.body is not None):
        query["as"] = _MARKDOWN
    notice = Notice.saved_adjusted if saved.adjusted else Notice.saved
    return page.redirect(place.path, notice, **query)


def _find_conflict_page(page: StudioPage, place: StoryPlace, conflict: Conflict) -> str:
    return page.make_path(f"{place.edition_path}/conflicts/{conflict.number}")


def _refuse(
    page: StudioPage, place: StoryPlace, draft: StoryDraft, form: Form, errors: Sequence[Choice]
) -> Response:
    """Show the page again with what was sent, and why it was not saved."""
    try:
        text = restore_draft(place, draft, errors)
    except DocumentSchemaError:
        text = restore_draft(place, replace(draft, document=None), errors)
    return _render(
        page,
        place,
        text,
        as_markdown=draft.body is not None,
        status=422,
        another_country=form.get(_OTHER_COUNTRY),
    )


def _render(
    page: StudioPage,
    place: StoryPlace,
    text: TextOnPage,
    *,
    as_markdown: bool,
    status: int = 200,
    another_country: str = "",
) -> Response:
    names = read_edition_names(place)
    return page.render(
        "story.html",
        status=status,
        section="editions",
        place=place,
        text=text,
        as_markdown=as_markdown,
        language=names.language,
        edition_title=names.title,
        translations=list_translations(place),
        another_country=another_country,
        can_write=page.may(Permission.write),
        may_correct=_may_correct(page, place),
        **list_choices(page, place, text.values),
        **describe_view(page, place, parse_view({})),
    )


def _may_correct(page: StudioPage, place: StoryPlace) -> bool:
    """Whether readers have the story, so that mending it takes more than its file."""
    if not (place.story and page.may(Permission.prepare)):
        return False
    with page.state.read_session() as session:
        return has_been_sent(session.connection(), place.edition)


def _describe_refusal(page: StudioPage, error: Exception) -> str:
    translate = page.translator.translate
    if isinstance(error, DocumentSchemaError):
        return translate(DOCUMENT_REFUSED)
    if isinstance(error, EditionFileError):
        return translate(error.message, **error.values)
    return page.translator.say_again(read_error(error))


def _add_country(page: StudioPage, draft: StoryDraft, form: Form) -> tuple[StoryDraft, list[Choice]]:
    """Add the country whose name was typed to those that are ticked, or say why it cannot be."""
    typed = join_words(form.get(_OTHER_COUNTRY))
    if not typed:
        return draft, []
    codes = find_countries(typed)
    if len(codes) == 1:
        ticked = [code for code in draft.values.get("countries", ()) if isinstance(code, str)]
        return replace(
            draft, values={**draft.values, "countries": tuple(dict.fromkeys((*ticked, *codes)))}
        ), []
    likely = " / ".join(
        country_name(code, page.translator.tag, page.settings.countries)
        for code in codes or suggest_countries(typed, names=1)
    )
    words = LIKELY_COUNTRY if likely else UNKNOWN_COUNTRY
    return draft, [(_OTHER_COUNTRY, page.translator.translate(words, name=typed, likely=likely))]
