"""Correcting a story that was sent: the note, who got the story, and the campaign that it becomes."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Depends
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from editions.correction_note import NoteInspection, inspect_note
from editions.errors import ProblemLevel
from locales.languages import canonical_language
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
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
    digest_note,
    find_sent_story,
    list_sent_stories,
    plan_correction,
)
from mailer.campaigns.corrections import CorrectionConflictError, CorrectionRecord, find_correction
from mailer.campaigns.named_plan import prepare_correction
from mailer.campaigns.preparation.preparation_store import find_preparation
from mailer.database.models import Campaign
from mailer.errors import MailerError
from mailer.i18n import Translator, gettext_noop
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Permission
from mailer.web.forms import MAIL_LANGUAGES, Form, OwnFormDep, own_language_name
from mailer.web.mail_preview.query import PreviewQuery
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.security import make_mail_policy
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.text_save import announced_session, make_line

ROUTES = Routes()

_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class CorrectionPlace:
    """A correction. ``found`` is its note as ``mailer correct`` reads it, with all problems. ``record`` is
    what is stored of it once it was prepared or sent, and ``campaign`` the number of its newest campaign."""

    place: NotePlace
    story: SentStory
    note: WrittenNote
    found: NoteInspection
    record: CorrectionRecord | None
    campaign: int | None

    @property
    def path(self) -> str:
        """The path of its page below /studio."""
        return make_correction_path(self.place)

    @property
    def is_open(self) -> bool:
        """Whether it may still be changed: no campaign has begun of it."""
        return self.campaign is None


def make_correction_path(place: NotePlace) -> str:
    """The path of the page of a correction below /studio."""
    return f"/corrections/{quote(place.edition, safe='')}/{quote(place.story, safe='')}/{place.number}"


def read_sent_story(page: StudioPage, edition: str, story: str) -> SentStory:
    """The story that a request names, as it was sent.

    Raises:
        HTTPException: 404, no campaign has sent it.
    """
    with page.state.read_session() as session:
        found = find_sent_story(session.connection(), edition, story)
    if found is None:
        raise HTTPException(404)
    return found


def find_correction_place(page: PageDep, edition: str, story: str, number: str) -> CorrectionPlace:
    """The correction that a path names.

    Raises:
        HTTPException: 404, there is none.
    """
    found = find_lasting_correction(page, edition, story, number)
    if found is None:
        raise HTTPException(404)
    return found


def find_lasting_correction(page: PageDep, edition: str, story: str, number: str) -> CorrectionPlace | None:
    """The correction that a path names; None if it is not there, or not any more.

    Raises:
        HTTPException: 404, the path names nothing that could be corrected.
    """
    if not _NUMBER.fullmatch(number) or "\0" in edition + story:
        raise HTTPException(404)
    sent = read_sent_story(page, edition, story)
    place = NotePlace(edition=edition, story=story, number=int(number))
    try:
        note = read_note(page.state.workspace, place)
    except (NoteMissingError, OSError):
        return None
    found = inspect_note(place.find_file(page.state.workspace), language=sent.language)
    with page.state.read_session() as session:
        record = _find_record(session, place, found)
        campaign = None if record is None else _find_campaign(session, record)
    return CorrectionPlace(place=place, story=sent, note=note, found=found, record=record, campaign=campaign)


def _find_record(session: Session, place: NotePlace, found: NoteInspection) -> CorrectionRecord | None:
    if found.note is None:
        return None
    return find_correction(session.connection(), place.edition, place.story, digest_note(found.note))


def _find_campaign(session: Session, record: CorrectionRecord) -> int | None:
    """The campaign that sends it or is prepared to; one that was cancelled before it began is passed over."""
    if (prepared := find_preparation(session, record.name)) is not None:
        return prepared.campaign_id
    launched = select(Campaign.id).where(
        Campaign.edition == record.name, col(Campaign.launched_at).is_not(None)
    )
    return session.exec(launched.order_by(col(Campaign.id).desc())).first()


CorrectionDep = Annotated[CorrectionPlace, Depends(find_correction_place)]
"""The correction that the path names; otherwise the answer is 404."""

LastingCorrectionDep = Annotated[CorrectionPlace | None, Depends(find_lasting_correction)]
"""The correction that the path names; None if it was thrown away."""

_MAX_LINE = 1000
_MAX_TEXT = 20_000
_NO_WAS = gettext_noop("Write what was said, in the story's own words.")
_NO_RIGHT = gettext_noop("Write what is right.")
_HALF = gettext_noop("%(language)s: write both what was said and what is right, or leave all of it empty.")


@dataclass(frozen=True, kw_only=True)
class NoteFields:
    """The fields of one language: ``sent`` is the story in it, None if it was not sent in it."""

    language: str
    language_name: str
    draft: NoteDraft
    sent: SentText | None
    is_own: bool

    def name(self, field: str) -> str:
        """The name of a field in the form."""
        return f"{field}-{self.language}"


def list_fields(story: SentStory, note: WrittenNote) -> Sequence[NoteFields]:
    """The fields for all languages: the edition's own first, then those in which it was sent."""
    tags = _list_languages(story, note.translations)
    return [
        NoteFields(
            language=tag,
            language_name=own_language_name(tag),
            draft=note.own if tag == story.language else note.translations.get(tag, NoteDraft()),
            sent=story.texts.get(tag),
            is_own=tag == story.language,
        )
        for tag in tags
    ]


def read_note_form(form: Form, story: SentStory) -> WrittenNote:
    """Read the form as it was sent, in all languages that it has: those of a note may be others than those of
    the story."""
    named = (name.removeprefix("was-") for name, _ in form.fields if name.startswith("was-"))
    sent = [tag for tag in named if canonical_language(tag) == tag]
    others = [tag for tag in _list_languages(story, sent) if tag != story.language]
    return WrittenNote(
        own=_read_draft(form, story.language), translations={tag: _read_draft(form, tag) for tag in others}
    )


def digest_note_fields(note: WrittenNote) -> str:
    """A digest of all that the form of a note shows, so that one sees whether it was changed meanwhile."""
    written = {tag: draft for tag, draft in note.translations.items() if not draft.is_empty}
    return sha256(repr((note.own, sorted(written.items()))).encode()).hexdigest()[:16]


def _list_languages(story: SentStory, known: Collection[str]) -> list[str]:
    spoken = {tag.partition("-")[0] for tag in (*story.texts, *known)}
    others = [tag for tag in MAIL_LANGUAGES if tag not in spoken]
    return list(dict.fromkeys([*story.texts, *known, *others]))


def _read_draft(form: Form, tag: str) -> NoteDraft:
    def line(name: str) -> str:
        return " ".join(form.get(f"{name}-{tag}").split())[:_MAX_LINE]

    explanation = form.get(f"explanation-{tag}").replace("\r\n", "\n").strip()[:_MAX_TEXT]
    return NoteDraft(
        was=line("was"),
        right=line("right"),
        explanation=explanation,
        subject=line("subject"),
        title=line("title"),
    )


def find_faults(note: WrittenNote, story: SentStory, translator: Translator) -> list[tuple[str, str]]:
    """The fields that are not filled in, each with what to say of it."""
    own = story.language
    faults = []
    if not note.own.was:
        faults.append((f"was-{own}", translator.translate(_NO_WAS)))
    if not note.own.right:
        faults.append((f"right-{own}", translator.translate(_NO_RIGHT)))
    for tag, draft in note.translations.items():
        if not draft.is_empty and not (draft.was and draft.right):
            field = "right" if draft.was else "was"
            words = translator.translate(_HALF, language=own_language_name(tag))
            faults.append((f"{field}-{tag}", words))
    return faults


def is_in_text(words: str, text: str) -> bool:
    """Whether ``words`` stand in the text of a story, however it is broken into lines."""
    return " ".join(words.split()) in " ".join(text.split())


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


@ROUTES.get_route("/corrections/new", Permission.prepare)
def show_new_correction(page: PageDep) -> Response:
    """Show the form for a correction of a story; without one, the stories of the edition to choose from."""
    query = page.request.query_params
    edition, story = query.get("edition", ""), query.get("story", "")
    if not story:
        return _render_choice(page, edition)
    sent = read_sent_story(page, edition, story)
    return _render_form(page, edition, sent, WrittenNote(own=NoteDraft()), place=None)


@ROUTES.post_route("/corrections/new", Permission.prepare)
def create_correction(page: PageDep, form: OwnFormDep) -> Response:
    """Write a new note. Nothing is sent by this."""
    edition = form.get("edition")
    sent = read_sent_story(page, edition, form.get("story"))
    note = read_note_form(form, sent)
    if faults := find_faults(note, sent, page.translator):
        return _render_form(page, edition, sent, note, place=None, errors=faults)
    workspace = page.state.workspace
    expected = find_next_place(workspace, edition, sent.slug)
    line = _make_written_line(page, expected)
    try:
        with announced_session(page, [line], expected.find_file(workspace)) as session:
            place = create_note(workspace, edition, sent.slug, note)
            record_line(session, replace(line, detail=str(place.number)))
    except OSError as error:
        faults = [("", page.translator.translate(_NOT_WRITTEN, reason=error.strerror or str(error)))]
        return _render_form(page, edition, sent, note, place=None, errors=faults)
    return page.redirect(make_correction_path(place), Notice.correction_saved)


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/edit", Permission.prepare)
def show_note(page: PageDep, correction: CorrectionDep) -> Response:
    """Show the form for a correction that is written already."""
    if not correction.is_open:
        return page.redirect(correction.path)
    return _render_form(
        page, correction.place.edition, correction.story, correction.note, place=correction.place
    )


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/edit", Permission.prepare)
def change_note(
    page: PageDep, correction: LastingCorrectionDep, edition: str, story: str, form: OwnFormDep
) -> Response:
    """Change a note that no campaign has begun of. What was written for one that has, for one that was thrown
    away, and what somebody else has changed meanwhile, comes back to be saved otherwise."""
    translate = page.translator.translate
    if correction is None:
        sent = read_sent_story(page, edition, story)
        errors = [("", translate(_THROWN_AWAY))]
        return _render_form(
            page, edition, sent, read_note_form(form, sent), place=None, errors=errors, status=409
        )
    note = read_note_form(form, correction.story)
    if not correction.is_open:
        return _render_form(
            page, edition, correction.story, note, place=None, errors=[("", translate(_BEGUN))], status=409
        )
    if form.get("base") not in {"", digest_note_fields(correction.note)}:
        errors = [("", translate(_CHANGED))]
        return _render_form(
            page, edition, correction.story, note, place=correction.place, errors=errors, status=409
        )
    faults = find_faults(note, correction.story, page.translator)
    if not faults:
        faults = _write(page, correction, note)
    if faults:
        return _render_form(page, edition, correction.story, note, place=correction.place, errors=faults)
    return page.redirect(correction.path, Notice.correction_saved)


def _write(page: StudioPage, correction: CorrectionPlace, note: WrittenNote) -> list[tuple[str, str]]:
    workspace, place = page.state.workspace, correction.place
    translations = (place.find_translation(workspace, tag) for tag in note.translations)
    line = _make_written_line(page, place)
    try:
        with announced_session(page, [line], place.find_file(workspace), *translations) as session:
            record_line(session, line)
            write_note(workspace, place, note)
    except OSError as error:
        return [("", page.translator.translate(_NOT_WRITTEN, reason=error.strerror or str(error)))]
    return []


def _make_written_line(page: StudioPage, place: NotePlace) -> ActivityLine:
    return make_line(
        page, Act.wrote_correction, edition=place.edition, subject=place.story, detail=str(place.number)
    )


def _render_choice(page: StudioPage, edition: str) -> Response:
    with page.state.read_session() as session:
        stories = list_sent_stories(session.connection(), edition) if edition else []
    return page.render("correction_story.html", section="campaigns", edition=edition, stories=stories)


def _render_form(
    page: StudioPage,
    edition: str,
    story: SentStory,
    note: WrittenNote,
    *,
    place: NotePlace | None,
    errors: list[tuple[str, str]] | None = None,
    status: int = 422,
) -> Response:
    workspace = page.state.workspace
    return page.render(
        "correction_form.html",
        status=status if errors else 200,
        section="campaigns",
        edition=edition,
        story=story,
        languages=list_fields(story, note),
        base="" if place is None else digest_note_fields(read_note(workspace, place)),
        # With the story, so that the address of a form that was refused leads to the form again.
        action=f"/corrections/new?{urlencode({'edition': edition, 'story': story.slug})}"
        if place is None
        else f"{make_correction_path(place)}/edit",
        written=[] if place is not None else list(_list_written(page, edition, story.slug)),
        back="" if place is None else make_correction_path(place),
        errors=errors or [],
        problems=dict(errors or []),
    )


def _list_written(page: StudioPage, edition: str, story: str) -> Iterator[tuple[str, str]]:
    """The paths of the corrections of a story, and what each says is right. A browser that goes back to the
    form has forgotten what was written in it."""
    for place in list_notes(page.state.workspace, edition, story):
        with suppress(NoteMissingError, OSError):
            words = read_note(page.state.workspace, place).own.right
            yield make_correction_path(place), words


# Of the same origin as the page around it, so that its pictures get the cookie of the session. It can run
# nothing.
_FRAME_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}


@ROUTES.get_route("/corrections/{edition}/{story}/{number}", Permission.prepare)
def show_correction(page: PageDep, correction: CorrectionDep) -> Response:
    """Show a correction. Who gets it is counted after the page is shown."""
    return render_correction(page, correction)


def render_correction(
    page: StudioPage, correction: CorrectionPlace, *, errors: list[tuple[str, str]] | None = None
) -> Response:
    """Render the page of a correction, with the ``errors`` of an act."""
    languages = [one for one in list_fields(correction.story, correction.note) if not one.draft.is_empty]
    return page.render(
        "correction.html",
        status=422 if errors else 200,
        section="campaigns",
        correction=correction,
        edition=correction.place.edition,
        languages=languages,
        strange=[
            one
            for one in languages
            if one.sent and one.sent.text and not is_in_text(one.draft.was, one.sent.text)
        ],
        problems=correction.found.problems,
        is_ready=correction.found.note is not None,
        campaign_page=page.leads_to("/campaigns/{campaign}"),
        may_see_people=page.may(Permission.see_partners),
        errors=errors or [],
    )


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/readers", Permission.prepare)
def show_readers(page: PageDep, correction: CorrectionDep) -> Response:
    """Show who gets the correction, and why: a part of the page that takes longer than the rest."""
    try:
        planned = plan_place(page, correction)
    except (NoteError, StoryNotSentError) as error:
        raise HTTPException(404) from error
    return page.render(
        "correction_readers.html",
        section="campaigns",
        correction=correction,
        planned=planned,
        is_fragment=page.is_fragment,
        languages=[
            (own_language_name(tag) if tag else "", number)
            for tag, number in planned.plan.by_language.items()
        ],
    )


@ROUTES.get_route("/corrections/{edition}/{story}/{number}/mail/{language}", Permission.prepare)
def show_mail(page: PageDep, correction: CorrectionDep, language: str) -> Response:
    """Show the mail of the correction in a language, for a frame."""
    try:
        planned = plan_place(page, correction)
    except MailerError as error:
        raise HTTPException(404) from error
    mail = next((one for one in planned.plan.compiled if one.language == language), None)
    shown = personalise_mail(mail, anonymous_reader(page.settings))
    if mail is None or shown is None:
        raise HTTPException(404)
    html = dress_html(
        shown.html,
        PreviewQuery(),
        base_url=page.settings.web.base_url,
        prefix=page.make_path(f"/editions/{correction.place.edition}"),
    )
    return HTMLResponse(html, headers=_FRAME_HEADERS)


def plan_place(page: StudioPage, correction: CorrectionPlace) -> CorrectionPlan:
    """Plan sending a correction as its note is now.

    Raises:
        NoteError: the note has errors.
        StoryNotSentError: no campaign has sent the story any more.
    """
    place, state = correction.place, page.state
    file = place.find_file(state.workspace)
    return plan_correction(state.workspace, state.engine, place.edition, place.story, file, now=state.clock())


def list_errors(planned: CorrectionPlan) -> list[str]:
    """What stands in the way of sending a planned correction."""
    return [one.message for one in planned.plan.problems if one.level is ProblemLevel.error]


_PATH = "/corrections/{edition}/{story}/{number}"


_TAKEN = gettext_noop("Somebody else has prepared another correction at this moment. Try again.")
_NOT_DELETED = gettext_noop("The correction could not be thrown away: %(reason)s.")


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/prepare", Permission.prepare)
def prepare(page: PageDep, correction: LastingCorrectionDep, edition: str, story: str) -> Response:
    """Make a campaign of the correction, to be tested, approved and launched like the others.

    A second click finds the campaign of the first.
    """
    if correction is None:
        return _tell_discarded(page, edition, story)
    if correction.campaign is not None:
        return _go_on(page, correction.campaign)
    now = page.state.clock()
    try:
        planned = plan_place(page, correction)
        if errors := list_errors(planned):
            return render_correction(page, correction, errors=[("", words) for words in errors])
        with page.state.write_session() as session:
            prepared = prepare_correction(session, planned, member_id=page.member.id, now=now)
            record_line(session, _make_line(page, Act.prepared_correction, correction))
    except CorrectionConflictError:
        return render_correction(page, correction, errors=[("", page.translator.translate(_TAKEN))])
    except (NoteError, StoryNotSentError) as error:
        return render_correction(page, correction, errors=[("", str(error))])
    return _go_on(page, prepared.campaign_id)


def _go_on(page: StudioPage, campaign: int) -> Response:
    """Go on to the campaign's page."""
    return page.redirect(f"/campaigns/{campaign}", Notice.correction_prepared)


@ROUTES.post_route("/corrections/{edition}/{story}/{number}/discard", Permission.prepare)
def discard(page: PageDep, correction: LastingCorrectionDep, edition: str, story: str) -> Response:
    """Throw a correction away that no campaign has begun of; one that is gone is left at that."""
    if correction is None:
        return _tell_discarded(page, edition, story)
    if not correction.is_open:
        return page.redirect(correction.path)
    try:
        line = _make_line(page, Act.discarded_correction, correction)
        with announced_session(page, [line], correction.place.find_file(page.state.workspace)) as session:
            record_line(session, line)
            delete_note(page.state.workspace, correction.place)
    except OSError as error:
        words = page.translator.translate(_NOT_DELETED, reason=error.strerror or str(error))
        return render_correction(page, correction, errors=[("", words)])
    return _tell_discarded(page, edition, story)


def _tell_discarded(page: StudioPage, edition: str, story: str) -> Response:
    return page.redirect("/corrections/new", Notice.correction_discarded, edition=edition, story=story)


def _make_line(page: StudioPage, act: Act, correction: CorrectionPlace) -> ActivityLine:
    place = correction.place
    return make_line(page, act, edition=place.edition, subject=place.story, detail=str(place.number))
