"""Choosing the story that is corrected, and writing the note."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.campaigns.correction_notes import (
    NoteDraft,
    NoteMissingError,
    NotePlace,
    WrittenNote,
    create_note,
    find_next_place,
    list_notes,
    read_note,
    write_note,
)
from mailer.campaigns.correction_plan import SentStory, list_sent_stories
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.corrections.note_form import (
    digest_note_fields,
    find_faults,
    list_fields,
    read_note_form,
)
from mailer.web.studio.corrections.place import (
    CorrectionDep,
    CorrectionPlace,
    LastingCorrectionDep,
    make_correction_path,
    read_sent_story,
)
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.text_save import announced_session, make_line

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


def show_new_correction(page: PageDep) -> Response:
    """Show the form for a correction of a story; without one, the stories of the edition to choose from."""
    query = page.request.query_params
    edition, story = query.get("edition", ""), query.get("story", "")
    if not story:
        return _render_choice(page, edition)
    sent = read_sent_story(page, edition, story)
    return _render_form(page, edition, sent, WrittenNote(own=NoteDraft()), place=None)


def create_correction(page: PageDep, form: OwnFormDep) -> Response:
    """Write a new note. Nothing is sent by this."""
    edition = form.get("edition")
    sent = read_sent_story(page, edition, form.get("story"))
    note = read_note_form(form, sent)
    if faults := find_faults(note, sent, page.translator):
        return _render_form(page, edition, sent, note, place=None, errors=faults)
    workspace = page.state.workspace
    expected = find_next_place(workspace, edition, sent.slug)
    line = _make_line(page, expected)
    try:
        with announced_session(page, [line], expected.find_file(workspace)) as session:
            place = create_note(workspace, edition, sent.slug, note)
            record_line(session, replace(line, detail=str(place.number)))
    except OSError as error:
        faults = [("", page.translator.translate(_NOT_WRITTEN, reason=error.strerror or str(error)))]
        return _render_form(page, edition, sent, note, place=None, errors=faults)
    return page.redirect(make_correction_path(place), Notice.correction_saved)


def show_note(page: PageDep, correction: CorrectionDep) -> Response:
    """Show the form for a correction that is written already."""
    if not correction.is_open:
        return page.redirect(correction.path)
    return _render_form(
        page, correction.place.edition, correction.story, correction.note, place=correction.place
    )


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
    line = _make_line(page, place)
    try:
        with announced_session(page, [line], place.find_file(workspace), *translations) as session:
            record_line(session, line)
            write_note(workspace, place, note)
    except OSError as error:
        return [("", page.translator.translate(_NOT_WRITTEN, reason=error.strerror or str(error)))]
    return []


def _make_line(page: StudioPage, place: NotePlace) -> ActivityLine:
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


ROUTES = (
    StudioRoute("/corrections/new", show_new_correction, GET, Permission.prepare),
    StudioRoute("/corrections/new", create_correction, POST, Permission.prepare),
    StudioRoute("/corrections/{edition}/{story}/{number}/edit", show_note, GET, Permission.prepare),
    StudioRoute("/corrections/{edition}/{story}/{number}/edit", change_note, POST, Permission.prepare),
)
