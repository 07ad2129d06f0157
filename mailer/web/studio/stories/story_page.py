"""The page on which a story, or the letter, is written, and saving it."""

from dataclasses import replace

from starlette.responses import Response

from editions.changes.story_text import TextDraft, compose_text, join_words, list_fields, read_values
from editions.model import StoryKind
from editions.overview import find_countries_of_stories
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from locales.countries import country_name, find_countries, is_country, suggest_countries
from mailer.campaigns.correction_plan import has_been_sent
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import parse_sitting
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, list_countries, list_sectors, own_country_names
from mailer.web.studio.notices import Notice
from mailer.web.studio.routing import Routes
from mailer.web.studio.stories.preview import StoryView, count_own_errors, describe_view
from mailer.web.studio.stories.text_form import (
    MARKDOWN,
    REFUSALS,
    fill_form,
    find_base,
    is_script,
    make_save,
    read_story_draft,
    say_refusal,
    show_both,
    tell_refusal,
    tell_saved,
)
from mailer.web.studio.story_place import StoryPage, StoryPageDep

ROUTES = Routes()
_OTHER_COUNTRY = "another_country"
_UNKNOWN_COUNTRY = gettext_noop("%(name)s is not the name of a country.")
_LIKELY_COUNTRY = gettext_noop("%(name)s is not the name of a country. Did you mean %(likely)s?")


@ROUTES.get_route("/editions/{edition}/letter", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}", Permission.read)
def show_text(page: StoryPageDep) -> Response:
    query = page.request.query_params
    sitting = parse_sitting(query.get("sitting", ""))
    return _render(page, sitting=sitting, as_markdown=query.get("as") == MARKDOWN)


@ROUTES.post_route("/editions/{edition}/letter", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}", Permission.write)
def save_text(page: StoryPageDep, form: OwnFormDep) -> Response:
    """Save what the form says. A script that saves as one writes is answered in JSON."""
    other = join_words(form.get(_OTHER_COUNTRY))
    draft, errors = _add_country(page, read_story_draft(form, page.story), other)
    if errors and not is_script(page):
        return _render(page, draft, errors, another_country=other)
    try:
        composed = compose_text(find_base(page, page.file, draft.base), draft, page.story)
        with page.writing() as session:
            save = make_save(page, page.file.name, draft, composed)
            outcome = save_edition_file(page.state.workspace, session, save)
    except REFUSALS as error:
        words = say_refusal(page, error)
        if is_script(page):
            return tell_refusal(words, error)
        return _render(page, draft, [("body", words)], another_country=other)
    if isinstance(outcome, Conflict):
        return show_both(page, outcome)
    if is_script(page):
        problems = count_own_errors(page, outcome.name)
        said = [{"field": name, "words": words} for name, words in errors]
        return tell_saved(page, outcome, composed, problems=problems, errors=said)
    wanted = form.get("then")
    if wanted == "preview":
        return page.redirect(f"{page.path}/preview", Notice.saved)
    stays = wanted != "editor" and draft.body is not None
    shown = {"as": MARKDOWN} if wanted == MARKDOWN or stays else {}
    notice = Notice.saved_adjusted if composed.adjusted else Notice.saved
    return page.go_back(notice, sitting=draft.sitting, **shown)


def _render(
    page: StoryPage,
    sent: TextDraft | None = None,
    errors: list[tuple[str, str]] | None = None,
    *,
    sitting: str = "",
    another_country: str = "",
    as_markdown: bool = False,
) -> Response:
    file = page.file
    front, problems = read_front_matter(TextFile(name=file.name, text=file.text))
    text = fill_form(
        page,
        file.text,
        file.digest,
        sent,
        read_values(front.values or {}, list_fields(page.story)),
        errors or (),
        fault="" if front.values is not None else problems[0].message,
        sitting=sitting,
    )
    fields = text["fields"]
    chosen = [code for code in fields.get("countries", ()) if isinstance(code, str)]
    # What the file has and nobody offers is offered too, so that saving loses nothing.
    codes = dict.fromkeys((*page.settings.countries, *find_countries_of_stories(page.folder), *chosen))
    return page.render(
        "story.html",
        status=422 if errors else 200,
        text=text,
        title=fields.get("title") or fields.get("letter.title"),
        as_markdown=as_markdown or (sent is not None and sent.body is not None),
        language=page.state.summaries.read(page.edition).language or "en",
        another_country=another_country,
        can_write=page.may(Permission.write),
        may_correct=page.story
        and page.may(Permission.prepare)
        and has_been_sent(page.session.connection(), page.edition),
        sectors=list_sectors(page.translator, page.settings),
        countries=list_countries(page.translator, own_country_names(page.settings), codes)
        + [(code, code) for code in chosen if not is_country(code)],
        kinds=[(kind.value, page.translate(kind.words)) for kind in StoryKind if kind.words],
        **describe_view(page, StoryView()),
    )


def _add_country(page: StoryPage, draft: TextDraft, typed: str) -> tuple[TextDraft, list[tuple[str, str]]]:
    """Add the country whose name was typed to those that are ticked, or say why it cannot be."""
    codes = find_countries(typed) if typed else ()
    if len(codes) == 1 or not typed:
        ticked = draft.values.get("countries", ())
        added = {"countries": tuple(dict.fromkeys((*ticked, *codes)))} if codes else {}
        return replace(draft, values={**draft.values, **added}), []
    likely = " / ".join(
        country_name(code, page.translator.tag, page.settings.countries)
        for code in codes or suggest_countries(typed, names=1)
    )
    words = _LIKELY_COUNTRY if likely else _UNKNOWN_COUNTRY
    return draft, [(_OTHER_COUNTRY, page.translate(words, name=typed, likely=likely))]
