"""The pages of saved segments: their list, saving, renaming and deleting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.uses import (
    SegmentUses,
    find_segment_uses,
    make_lookups,
    refuse_if_named_in_drafts,
    rename_in_drafts,
)
from mailer.counts.counters import CountedNumber, request_segment
from mailer.database.models import CampaignState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segment_query import QUERY_PARAMETER, WrittenQuery, read_query, read_query_form
from mailer.web.studio.segments.segment_page import COMPARED, render_segment
from subscribers.errors import SegmentError
from subscribers.segments.saved_segments import (
    NamedSegment,
    SavedSegmentError,
    delete_segment,
    find_saved_segment,
    list_saved_segments,
    rename_segment,
    save_segment,
)


def make_segment_path(name: str) -> str:
    """The path of a segment's page, below Studio's; a name may be in any script."""
    return f"/segments/{quote(name, safe='')}"


_CHANGED_MEANWHILE = gettext_noop(
    "This segment was changed meanwhile, to: %(text)s. Save again to replace that with yours."
)

STATE_WORDS: Mapping[CampaignState, str] = MappingProxyType(
    {
        CampaignState.draft: gettext_noop("is being prepared"),
        CampaignState.tested: gettext_noop("is being prepared"),
        CampaignState.approved: gettext_noop("is approved"),
        CampaignState.scheduled: gettext_noop("starts on"),
        CampaignState.sending: gettext_noop("is being sent, since"),
        CampaignState.paused: gettext_noop("is paused, since"),
        CampaignState.finished: gettext_noop("was sent on"),
        CampaignState.cancelled: gettext_noop("was cancelled; launched on"),
    }
)
"""What a campaign does with the segment; a time follows."""


def _read_name(name: str) -> str:
    if "\0" in name or len(name) > 100:
        raise HTTPException(404)
    return name


SegmentName = Annotated[str, Depends(_read_name)]
"""The path's ``name``, if it can be the name of a segment."""


def show_segment(page: PageDep, name: SegmentName, request: Request) -> Response:
    """Show a saved segment; with a query in the address, as it would be with that."""
    given = request.query_params.multi_items()
    with page.state.read_session() as session:
        saved = _find(session, name)
        if QUERY_PARAMETER not in dict(given):
            return _render(page, session, saved, WrittenQuery(text=saved.text), dict(given))
        written = read_query_form(page, session, given)
        if "was" in dict(given) and not written.errors:
            kept = {key: value for key, value in given if key == COMPARED and value}
            return page.redirect(
                make_segment_path(saved.name), None, **{QUERY_PARAMETER: written.text, **kept}
            )
        return _render(page, session, saved, written, dict(given))


def _find(session: Session, name: str) -> NamedSegment:
    try:
        return find_saved_segment(session.connection(), name)
    except SavedSegmentError as error:
        raise HTTPException(404) from error


def _render(
    page: StudioPage,
    session: Session,
    saved: NamedSegment,
    written: WrittenQuery,
    given: Mapping[str, str],
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    connection = session.connection()
    among = list_saved_segments(connection)
    return render_segment(
        page,
        session,
        written,
        path=make_segment_path(saved.name),
        given=given,
        errors=errors or [],
        saved=saved,
        uses=find_segment_uses(connection, page.settings, [saved], among)[saved.name],
        is_changed=written.text.strip() != saved.text,
        new_name=given.get("new_name", saved.name),
        state_words=STATE_WORDS,
        has_campaign_pages=page.leads_to("/campaigns/{campaign}"),
    )


def save_changes(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    """Save a segment as it was changed, unless somebody else has changed it meanwhile."""

    def save(session: Session, saved: NamedSegment) -> str:
        written = read_query_form(page, session, form.fields)
        if written.errors:
            return ""
        before = form.get("before")
        if saved.text not in {before, written.text.strip()}:
            raise SavedSegmentError(page.translator.translate(_CHANGED_MEANWHILE, text=saved.text))
        connection, now = session.connection(), page.state.clock()
        lookups = make_lookups(connection, page.settings)
        save_segment(connection, saved.name, written.text, lookups, now=now)
        if saved.text != written.text.strip():
            detail = f"{saved.text} → {written.text.strip()}"
            record_activity(
                session, page.actor, Act.saved_segment, subject=saved.name, detail=detail, now=now
            )
        return saved.name

    return _change(page, name, form, save, QUERY_PARAMETER, Notice.segment_saved)


def rename(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    """Give a segment another name."""

    def change(session: Session, saved: NamedSegment) -> str:
        connection, now = session.connection(), page.state.clock()
        refuse_if_named_in_drafts(connection, page.settings, saved)
        lookups = make_lookups(connection, page.settings)
        renamed = rename_segment(connection, saved.name, form.get("new_name"), lookups, now=now)
        if renamed.name != saved.name:
            rename_in_drafts(connection, saved.name, renamed.name)
            record_activity(
                session,
                page.actor,
                Act.renamed_segment,
                subject=saved.name,
                detail=renamed.name,
                now=now,
            )
        return renamed.name

    return _change(page, name, form, change, "new_name", Notice.segment_renamed)


def delete(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    """Delete a segment that nothing needs any more."""

    def remove(session: Session, saved: NamedSegment) -> str:
        connection = session.connection()
        refuse_if_named_in_drafts(connection, page.settings, saved)
        delete_segment(connection, saved.name, make_lookups(connection, page.settings))
        record_activity(
            session,
            page.actor,
            Act.deleted_segment,
            subject=saved.name,
            detail=saved.text,
            now=page.state.clock(),
        )
        return "."

    return _change(page, name, form, remove, "", Notice.segment_deleted)


def _change(
    page: StudioPage,
    name: str,
    form: OwnFormDep,
    change: Callable[[Session, NamedSegment], str],
    field: str,
    notice: Notice,
) -> Response:
    """Change a segment and go on to the name that ``change`` returns; "." is the list, "" shows the form."""
    errors: list[tuple[str, str]] = []
    goes_to = ""
    with page.state.write_session() as session:
        saved = _find(session, name)
        try:
            goes_to = change(session, saved)
        except SavedSegmentError as error:
            session.rollback()
            errors = [(field, str(error))]
        except SegmentError:
            session.rollback()
    if goes_to:
        return page.redirect("/segments" if goes_to == "." else make_segment_path(goes_to), notice)
    with page.state.read_session() as session:
        saved = _find(session, name)
        written = WrittenQuery(text=saved.text)
        if QUERY_PARAMETER in dict(form.fields):
            written = read_query_form(page, session, form.fields)
        return _render(page, session, saved, written, dict(form.fields), errors)


_NO_NAME = gettext_noop("Write a name for the segment, such as east-asia.")
_TAKEN = gettext_noop("A segment is already saved as %(name)s. Choose another name, or change that one.")


def save_new_segment(page: PageDep, form: OwnFormDep) -> Response:
    """Save a segment under a name that no other has."""
    errors: list[tuple[str, str]] = []
    saved: NamedSegment | None = None
    with page.state.write_session() as session:
        written = read_query_form(page, session, form.fields)
        if not written.errors:
            try:
                saved = _save(page, session, form.get("name"), written)
            except SavedSegmentError as error:
                errors = [("name", str(error))]
            except SegmentError:
                # The page that is shown again says what is wrong with it.
                errors = []
    if saved is not None:
        return page.redirect(make_segment_path(saved.name), Notice.segment_saved)
    with page.state.read_session() as session:
        return render_segment(
            page, session, written, path="/segments/query", given=dict(form.fields), errors=errors
        )


def _save(page: StudioPage, session: Session, name: str, written: WrittenQuery) -> NamedSegment:
    """Save what was written, with its line in the log.

    Raises:
        SavedSegmentError: it cannot be saved under this name.
        SegmentError: it is not understood.
    """
    connection, now = session.connection(), page.state.clock()
    if not name.strip():
        raise SavedSegmentError(page.translator.translate(_NO_NAME))
    lookups = make_lookups(connection, page.settings)
    before = save_segment(connection, name, written.text, lookups, now=now)
    if before is not None:
        # What is saved under a name is changed on its own page, where it is seen.
        session.rollback()
        raise SavedSegmentError(page.translator.translate(_TAKEN, name=before.name))
    saved = find_saved_segment(connection, name)
    record_activity(session, page.actor, Act.saved_segment, subject=saved.name, detail=saved.text, now=now)
    return saved


PAGE_SIZE = 50


@dataclass(frozen=True, kw_only=True)
class SegmentRow:
    """A saved segment in the list. ``fault`` is why it is not understood any more."""

    saved: NamedSegment
    in_words: str
    fault: str
    uses: SegmentUses
    number: CountedNumber | None


def list_segments(page: PageDep, request: Request) -> Response:
    """List a page of the saved segments, by name."""
    after = request.query_params.get("after", "")
    with page.state.read_session() as session:
        saved = list_saved_segments(session.connection())
        following = [one for one in saved if one.name > after]
        rows = _make_rows(page, session, following[:PAGE_SIZE], saved)
    return page.render(
        "segments.html",
        section="segments",
        rows=rows,
        is_first=not after,
        more=following[PAGE_SIZE - 1].name if len(following) > PAGE_SIZE else "",
    )


def _make_rows(
    page: StudioPage, session: Session, shown: Sequence[NamedSegment], saved: Sequence[NamedSegment]
) -> list[SegmentRow]:
    uses = find_segment_uses(session.connection(), page.settings, shown, saved)
    queries = {one.name: read_query(page, session, one.text) for one in shown}
    understood = [one for one in shown if queries[one.name].segment is not None]
    numbers = page.state.counts.get_all([request_segment(one.text.strip()) for one in understood])
    by_name = dict(zip((one.name for one in understood), numbers, strict=True))
    return [
        SegmentRow(
            saved=one,
            in_words=queries[one.name].in_words,
            fault=problem.reason if (problem := queries[one.name].problem) else "",
            uses=uses[one.name],
            number=by_name.get(one.name),
        )
        for one in shown
    ]


ROUTES = (
    StudioRoute("/segments/{name}", show_segment, GET, Permission.see_partners),
    StudioRoute("/segments/{name}", save_changes, POST, Permission.change_partners),
    StudioRoute("/segments/{name}/rename", rename, POST, Permission.change_partners),
    StudioRoute("/segments/{name}/delete", delete, POST, Permission.change_partners),
    StudioRoute("/segments", list_segments, GET, Permission.see_partners),
    StudioRoute("/segments", save_new_segment, POST, Permission.change_partners),
)
