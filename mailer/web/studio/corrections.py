"""Correcting a story that was sent: the note, who got the story, and the campaign that it becomes."""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.correction_note import NoteInspection, inspect_note
from editions.errors import ProblemLevel
from locales.languages import canonical_language
from mailer.activity import deeds
from mailer.activity.record import record_line
from mailer.campaigns.correction_notes import (
    NoteDraft,
    NoteMissingError,
    NotePlace,
    WrittenNote,
    create_note,
    delete_note,
    find_next_place,
    list_notes,
    read_note,
    write_note,
)
from mailer.campaigns.correction_plan import (
    CorrectionPlan,
    NoteError,
    SentStory,
    SentText,
    StoryNotSentError,
    find_sent_story,
    list_sent_stories,
    plan_correction,
)
from mailer.campaigns.corrections import CorrectionConflictError
from mailer.campaigns.named_plan import find_correction_campaign, prepare_correction
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Permission
from mailer.web.forms import MAIL_LANGUAGES, Form, OwnFormDep, own_language_name
from mailer.web.mail_preview.mail_frame import show_mail
from mailer.web.mail_preview.query import PreviewQuery
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import make_note_path

ROUTES = Routes()
_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_MAX_LINE = 1000
_MAX_TEXT = 20_000
_NO_WAS = gettext_noop("Write what was said, in the story's own words.")
_NO_RIGHT = gettext_noop("Write what is right.")
_HALF = gettext_noop("%(language)s: write both what was said and what is right, or leave all of it empty.")
_NOT_WRITTEN = gettext_noop("The correction could not be saved: %(reason)s. Nothing was changed.")
_CHANGED = gettext_noop(
    "The correction was changed since you opened this page. What you have written is below, and replaces it "
    "if you save."
)
_BEGUN = gettext_noop(
    "A campaign has begun of this correction, so it stays as it is. If it is wrong, correct the story again."
)
_THROWN_AWAY = gettext_noop(
    "This correction was thrown away while you were writing. What you have written is below: save it to keep "
    "it as a new correction."
)
_TAKEN = gettext_noop("Somebody else has prepared another correction at this moment. Try again.")
_NOT_DELETED = gettext_noop("The correction could not be thrown away: %(reason)s.")


@dataclass(frozen=True, kw_only=True)
class SentStoryPage(StudioPage):
    edition: str
    story: SentStory

    def render(self, template: str, *, status: int = 0, **values: object) -> Response:
        shared = {"edition": self.edition, "story": self.story, "correction": self}
        return super().render(template, status=status, **shared, **values)


@dataclass(frozen=True, kw_only=True)
class CorrectionPage(SentStoryPage):
    """A request about a correction. ``found`` is its note as ``mailer correct`` reads it, with all problems,
    and ``campaign`` the number of its newest campaign."""

    place: NotePlace
    note: WrittenNote
    found: NoteInspection
    campaign: int | None

    @property
    def path(self) -> str:
        return make_note_path(self.place)

    @property
    def is_open(self) -> bool:
        """Whether it may still be changed: no campaign has begun of it."""
        return self.campaign is None


def _open_story(page: StudioPage, edition: str, story: str) -> SentStoryPage:
    with page.state.read_session() as session:
        sent = or_404(find_sent_story(session.connection(), edition, story))
    return page.about(SentStoryPage, edition=edition, story=sent)


def _open_lasting(page: PageDep, edition: str, story: str, number: str) -> SentStoryPage:
    or_404(_NUMBER.fullmatch(number) and "\0" not in edition + story)
    about, workspace = _open_story(page, edition, story), page.state.workspace
    place = NotePlace(edition=edition, story=story, number=int(number))
    try:
        note = read_note(workspace, place)
    except (NoteMissingError, OSError):
        return about
    found = inspect_note(place.find_file(workspace), language=about.story.language)
    with page.state.read_session() as session:
        campaign = find_correction_campaign(session, place, found)
    return page.about(
        CorrectionPage,
        edition=edition,
        story=about.story,
        place=place,
        note=note,
        found=found,
        campaign=campaign,
    )


LastingDep = Annotated[SentStoryPage, Depends(_open_lasting)]
"""A request about the correction that its path names; if it was thrown away, about its story alone."""


def _open_correction(page: LastingDep) -> CorrectionPage:
    if not isinstance(page, CorrectionPage):
        raise HTTPException(404)
    return page


CorrectionPageDep = Annotated[CorrectionPage, Depends(_open_correction)]


@ROUTES.get_route("/corrections/new", Permission.prepare)
def show_new_correction(page: PageDep) -> Response:
    """Show the form for a correction of a story; without one, the stories of the edition to choose from."""
    query = page.request.query_params
    edition, story = query.get("edition", ""), query.get("story", "")
    if story:
        return _render_form(_open_story(page, edition, story), WrittenNote(own=NoteDraft()))
    stories = list_sent_stories(page.session.connection(), edition) if edition else []
    return page.render("correction_story.html", edition=edition, stories=stories)


@ROUTES.post_route("/corrections/new", Permission.prepare)
def create_correction(page: PageDep, form: OwnFormDep) -> Response:
    about, workspace = _open_story(page, form.get("edition"), form.get("story")), page.state.workspace
    edition, story = about.edition, about.story.slug
    note = _read_note(form, about.story)
    if faults := list(_list_faults(about, note)):
        return _render_form(about, note, *faults)
    expected = find_next_place(workspace, edition, story)
    line = about.make_line(deeds.wrote_correction(expected))
    try:
        with page.announcing(line, expected.find_file(workspace)) as session:
            place = create_note(workspace, edition, story, note)
            record_line(session, replace(line, deed=deeds.wrote_correction(place)))
    except OSError as error:
        return _render_form(about, note, _describe_error(page, error))
    return page.redirect(make_note_path(place), Notice.correction_saved)


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/edit", Permission.prepare)
def show_note(page: CorrectionPageDep) -> Response:
    if not page.is_open:
        return page.redirect(page.path)
    return _render_form(page, page.note, place=page.place)


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/edit", Permission.prepare)
def change_note(page: LastingDep, form: OwnFormDep) -> Response:
    """Change a note that no campaign has begun of. What was written for one that has, for one that was thrown
    away, and what somebody else has changed meanwhile, comes back to be saved otherwise."""
    note, workspace = _read_note(form, page.story), page.state.workspace
    if not isinstance(page, CorrectionPage) or not page.is_open:
        words = _BEGUN if isinstance(page, CorrectionPage) else _THROWN_AWAY
        return _render_form(page, note, ("", page.translate(words)), status=409)
    place = page.place
    if form.get("base") not in {"", page.note.digest}:
        return _render_form(page, note, ("", page.translate(_CHANGED)), place=place, status=409)
    if faults := list(_list_faults(page, note)):
        return _render_form(page, note, *faults, place=place)
    line = page.make_line(deeds.wrote_correction(place))
    translations = (place.find_translation(workspace, tag) for tag in note.translations)
    try:
        with page.announcing(line, place.find_file(workspace), *translations) as session:
            record_line(session, line)
            write_note(workspace, place, note)
    except OSError as error:
        return _render_form(page, note, _describe_error(page, error), place=place)
    return page.redirect(page.path, Notice.correction_saved)


def _describe_error(page: StudioPage, error: OSError) -> tuple[str, str]:
    return "", page.translate(_NOT_WRITTEN, reason=page.explain(error))


class NoteFields(NamedTuple):
    """What the form has for one language: ``sent`` is the story in it, None if it was not sent in it."""

    language: str
    draft: NoteDraft
    sent: SentText | None


def _list_fields(story: SentStory, note: WrittenNote) -> list[NoteFields]:
    """Return the fields for all languages: the edition's own first, then those in which it was sent."""
    drafts = {**note.translations, story.language: note.own}
    tags = _list_languages(story, note.translations)
    return [NoteFields(tag, drafts.get(tag, NoteDraft()), story.texts.get(tag)) for tag in tags]


def _list_languages(story: SentStory, known: Collection[str]) -> list[str]:
    spoken = {tag.partition("-")[0] for tag in (*story.texts, *known)}
    others = [tag for tag in MAIL_LANGUAGES if tag not in spoken]
    return list(dict.fromkeys([*story.texts, *known, *others]))


def _read_note(form: Form, story: SentStory) -> WrittenNote:
    """Read the form as it was sent, in all languages that it has: a note may have others than the story."""
    named = (name.removeprefix("was-") for name, _ in form.fields if name.startswith("was-"))
    sent = [tag for tag in named if canonical_language(tag) == tag]
    others = [tag for tag in _list_languages(story, sent) if tag != story.language]
    return WrittenNote(
        own=_read_draft(form, story.language), translations={tag: _read_draft(form, tag) for tag in others}
    )


def _read_draft(form: Form, tag: str) -> NoteDraft:
    names = ("was", "right", "subject", "title")
    lines = {name: " ".join(form.get(f"{name}-{tag}").split())[:_MAX_LINE] for name in names}
    explanation = form.get(f"explanation-{tag}").replace("\r\n", "\n").strip()[:_MAX_TEXT]
    return NoteDraft(explanation=explanation, **lines)


def _list_faults(page: SentStoryPage, note: WrittenNote) -> Iterator[tuple[str, str]]:
    own = page.story.language
    if not note.own.was:
        yield f"was-{own}", page.translate(_NO_WAS)
    if not note.own.right:
        yield f"right-{own}", page.translate(_NO_RIGHT)
    for tag, draft in note.translations.items():
        if not draft.is_empty and not (draft.was and draft.right):
            words = page.translate(_HALF, language=own_language_name(tag))
            yield f"{'right' if draft.was else 'was'}-{tag}", words


def _render_form(
    page: SentStoryPage,
    note: WrittenNote,
    *errors: tuple[str, str],
    place: NotePlace | None = None,
    status: int = 422,
) -> Response:
    query = urlencode({"edition": page.edition, "story": page.story.slug})
    return page.render(
        "correction_form.html",
        status=status if errors else 200,
        languages=_list_fields(page.story, note),
        base="" if place is None else read_note(page.state.workspace, place).digest,
        # With the story, so that the address of a form that was refused leads to the form again.
        action=f"/corrections/new?{query}" if place is None else f"{make_note_path(place)}/edit",
        written=[] if place is not None else list(_list_written(page)),
        back="" if place is None else make_note_path(place),
        errors=errors,
    )


def _list_written(page: SentStoryPage) -> Iterator[tuple[str, str]]:
    """Yield the paths of the corrections of a story, and what each says is right. A browser that goes back to
    the form has forgotten what was written in it."""
    workspace = page.state.workspace
    for place in list_notes(workspace, page.edition, page.story.slug):
        with suppress(NoteMissingError, OSError):
            yield make_note_path(place), read_note(workspace, place).own.right


@ROUTES.get_route("/corrections/{edition}/{story}/{number}", Permission.prepare)
def show_correction(page: CorrectionPageDep) -> Response:
    return _render_correction(page)


def _render_correction(page: CorrectionPage, *errors: str) -> Response:
    languages = [one for one in _list_fields(page.story, page.note) if not one.draft.is_empty]
    return page.render(
        "correction.html",
        languages=languages,
        strange=[
            one
            for one in languages
            if one.sent and one.sent.text and not _is_in_text(one.draft.was, one.sent.text)
        ],
        problems=page.found.problems,
        is_ready=page.found.note is not None,
        errors=[("", words) for words in errors],
    )


def _is_in_text(words: str, text: str) -> bool:
    """Return whether ``words`` stand in the text of a story, however it is broken into lines."""
    return " ".join(words.split()) in " ".join(text.split())


def _plan(page: CorrectionPage) -> CorrectionPlan:
    """Plan sending a correction. Raise NoteError or StoryNotSentError, as :func:`plan_correction` does."""
    place, state = page.place, page.state
    file = place.find_file(state.workspace)
    return plan_correction(state.workspace, state.engine, place.edition, place.story, file, now=state.clock())


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/readers", Permission.prepare)
def show_readers(page: CorrectionPageDep) -> Response:
    """Show who gets the correction, and why: a part of the page that takes longer than the rest."""
    try:
        planned = _plan(page)
    except (NoteError, StoryNotSentError) as error:
        raise HTTPException(404) from error
    return page.render("correction_readers.html", planned=planned, is_fragment=page.is_fragment)


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/mail/{language}", Permission.prepare)
def show_correction_mail(page: CorrectionPageDep, language: str) -> Response:
    try:
        planned = _plan(page)
    except MailerError as error:
        raise HTTPException(404) from error
    mail = next((one for one in planned.plan.compiled if one.language == language), None)
    shown = or_404(personalise_mail(mail, anonymous_reader(page.settings)))
    prefix, base_url = page.make_path(f"/editions/{page.edition}"), page.settings.web.base_url
    return show_mail(dress_html(shown.html, PreviewQuery(), base_url=base_url, prefix=prefix))


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/prepare", Permission.prepare)
def prepare(page: LastingDep) -> Response:
    """Make a campaign of the correction. A second click finds the campaign of the first."""
    if not isinstance(page, CorrectionPage):
        return _tell_discarded(page)
    if page.campaign is not None:
        return page.redirect(f"/campaigns/{page.campaign}", Notice.correction_prepared)
    try:
        planned = _plan(page)
        if errors := [one.message for one in planned.plan.problems if one.level is ProblemLevel.error]:
            return _render_correction(page, *errors)
        with page.writing() as session:
            now = page.state.clock()
            prepared = prepare_correction(session, planned, member_id=page.member.id, now=now)
            page.record(session, deeds.prepared_correction(page.place))
    except CorrectionConflictError:
        return _render_correction(page, page.translate(_TAKEN))
    except (NoteError, StoryNotSentError) as error:
        return _render_correction(page, str(error))
    return page.redirect(f"/campaigns/{prepared.campaign_id}", Notice.correction_prepared)


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/discard", Permission.prepare)
def discard(page: LastingDep) -> Response:
    """Throw a correction away that no campaign has begun of; one that is gone is left at that."""
    if not isinstance(page, CorrectionPage):
        return _tell_discarded(page)
    if not page.is_open:
        return page.redirect(page.path)
    workspace = page.state.workspace
    line = page.make_line(deeds.discarded_correction(page.place))
    try:
        with page.announcing(line, page.place.find_file(workspace)) as session:
            record_line(session, line)
            delete_note(workspace, page.place)
    except OSError as error:
        return _render_correction(page, page.translate(_NOT_DELETED, reason=page.explain(error)))
    return _tell_discarded(page)


def _tell_discarded(page: SentStoryPage) -> Response:
    notice = Notice.correction_discarded
    return page.redirect("/corrections/new", notice, edition=page.edition, story=page.story.slug)
