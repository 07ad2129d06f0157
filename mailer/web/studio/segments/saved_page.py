"""The pages of saved segments: their list, saving, renaming and deleting."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity import deeds
from mailer.campaigns.uses import (
    delete_saved_segment,
    find_segment_uses,
    make_lookups,
    rename_saved_segment,
)
from mailer.counts.counters import request_segment
from mailer.database.models import CampaignState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import QUERY_PARAMETER, SegmentQuery, read_query, read_query_form
from mailer.web.studio.segments.segment_page import COMPARED, render_segment
from subscribers.errors import SegmentError, SubscriberError
from subscribers.models import SavedSegment
from subscribers.segments.saved_segments import (
    SavedSegmentError,
    find_saved_segment,
    list_saved_segments,
    save_segment,
)

_CHANGED_MEANWHILE = gettext_noop(
    "This segment was changed meanwhile, to: %(text)s. Save again to replace that with yours."
)
_NO_NAME = gettext_noop("Write a name for the segment, such as east-asia.")
_TAKEN = gettext_noop("A segment is already saved as %(name)s. Choose another name, or change that one.")

_STATE_WORDS = {
    CampaignState.draft: gettext_noop("is being prepared"),
    CampaignState.tested: gettext_noop("is being prepared"),
    CampaignState.approved: gettext_noop("is approved"),
    CampaignState.scheduled: gettext_noop("starts on"),
    CampaignState.sending: gettext_noop("is being sent, since"),
    CampaignState.paused: gettext_noop("is paused, since"),
    CampaignState.finished: gettext_noop("was sent on"),
    CampaignState.cancelled: gettext_noop("was cancelled; launched on"),
}
"""What a campaign does with the segment; a time follows."""

_PAGE_SIZE = 50

ROUTES = Routes()


def _read_name(name: str) -> str:
    or_404("\0" not in name and len(name) <= 100)
    return name


SegmentName = Annotated[str, Depends(_read_name)]


def _find(session: Session, name: str) -> SavedSegment:
    try:
        return find_saved_segment(session.connection(), name)
    except SavedSegmentError as error:
        raise HTTPException(404) from error


def _make_path(name: str) -> str:
    """Return the path of a segment's page, below Studio's; a name may be in any script."""
    return f"/segments/{quote(name, safe='')}"


@ROUTES.get_route("/segments/{name}", Permission.see_partners)
def show_segment(page: PageDep, name: SegmentName) -> Response:
    """Show a saved segment; with a query in the address, as it would be with that."""
    given = page.request.query_params.multi_items()
    saved, values = _find(page.session, name), dict(given)
    if QUERY_PARAMETER not in values:
        return _render(page, saved, read_query(page, saved.text), values)
    query = read_query_form(page, given)
    if "was" in values and not query.errors:
        kept = {COMPARED: values[COMPARED]} if values.get(COMPARED) else {}
        return page.redirect(_make_path(saved.name), None, **{QUERY_PARAMETER: query.text, **kept})
    return _render(page, saved, query, values)


def _render(
    page: StudioPage,
    saved: SavedSegment,
    query: SegmentQuery,
    given: Mapping[str, str],
    *errors: tuple[str, str],
) -> Response:
    connection = page.session.connection()
    among = list_saved_segments(connection)
    return render_segment(
        page,
        query,
        path=_make_path(saved.name),
        given=given,
        errors=errors,
        saved=saved,
        uses=find_segment_uses(connection, page.settings, [saved], among)[saved.name],
        is_changed=query.text.strip() != saved.text,
        new_name=given.get("new_name", saved.name),
        state_words=_STATE_WORDS,
    )


def _refuse(page: StudioPage, name: str, form: Form, error: SubscriberError, field: str) -> Response:
    """Show a saved segment as it is now, with the query that was sent. Its page says what is wrong."""
    saved = _find(page.session, name)
    is_written = QUERY_PARAMETER in dict(form.fields)
    query = read_query_form(page, form.fields) if is_written else read_query(page, saved.text)
    errors = [(field, str(error))] if isinstance(error, SavedSegmentError) else []
    return _render(page, saved, query, dict(form.fields), *errors)


@ROUTES.post_route("/segments/{name}", Permission.change_partners)
def save_changes(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    query = read_query_form(page, form.fields)
    if query.errors:
        return _render(page, _find(page.session, name), query, dict(form.fields))
    text = query.text.strip()
    try:
        with page.writing() as session:
            saved, connection = _find(session, name), session.connection()
            if saved.text not in {form.get("before"), text}:
                raise SavedSegmentError(page.translate(_CHANGED_MEANWHILE, text=saved.text))
            lookups = make_lookups(connection, page.settings)
            save_segment(connection, saved.name, text, lookups, now=page.state.clock())
            if saved.text != text:
                page.record(session, deeds.saved_segment(saved.name, text, saved.text))
    except SubscriberError as error:
        return _refuse(page, name, form, error, QUERY_PARAMETER)
    return page.redirect(_make_path(saved.name), Notice.segment_saved)


@ROUTES.post_route("/segments/{name}/rename", Permission.change_partners)
def rename(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    new_name = form.get("new_name")
    try:
        with page.writing() as session:
            saved, connection, now = _find(session, name), session.connection(), page.state.clock()
            renamed = rename_saved_segment(connection, page.settings, saved, new_name, now=now)
            if renamed.name != saved.name:
                page.record(session, deeds.renamed_segment(saved.name, renamed.name))
    except SubscriberError as error:
        return _refuse(page, name, form, error, "new_name")
    return page.redirect(_make_path(renamed.name), Notice.segment_renamed)


@ROUTES.post_route("/segments/{name}/delete", Permission.change_partners)
def delete(page: PageDep, name: SegmentName, form: OwnFormDep) -> Response:
    """Delete a segment that nothing needs any more."""
    try:
        with page.writing() as session:
            saved = _find(session, name)
            delete_saved_segment(session.connection(), page.settings, saved)
            page.record(session, deeds.deleted_segment(saved.name, saved.text))
    except SubscriberError as error:
        return _refuse(page, name, form, error, "")
    return page.redirect("/segments", Notice.segment_deleted)


@ROUTES.get_route("/segments", Permission.see_partners)
def list_segments(page: PageDep) -> Response:
    after, connection = page.request.query_params.get("after", ""), page.session.connection()
    among = list_saved_segments(connection)
    following = [one for one in among if one.name > after]
    shown = following[:_PAGE_SIZE]
    queries = {one.name: read_query(page, one.text) for one in shown}
    understood = [one for one in shown if queries[one.name].segment is not None]
    numbers = page.state.counts.get_all([request_segment(one.text.strip()) for one in understood])
    return page.render(
        "segments.html",
        shown=shown,
        queries=queries,
        uses=find_segment_uses(connection, page.settings, shown, among),
        numbers=dict(zip((one.name for one in understood), numbers, strict=True)),
        is_first=not after,
        more=shown[-1].name if len(following) > _PAGE_SIZE else "",
    )


@ROUTES.post_route("/segments", Permission.change_partners)
def save_new_segment(page: PageDep, form: OwnFormDep) -> Response:
    query, name = read_query_form(page, form.fields), form.get("name")
    errors: list[tuple[str, str]] = []
    if not query.errors:
        try:
            with page.writing() as session:
                saved = _save_new(page, session, name, query.text)
        except SavedSegmentError as error:
            errors = [("name", str(error))]
        except SegmentError:
            # The page that is shown again says what is wrong with it.
            errors = []
        else:
            return page.redirect(_make_path(saved.name), Notice.segment_saved)
    return render_segment(page, query, path="/segments/query", given=dict(form.fields), errors=errors)


def _save_new(page: StudioPage, session: Session, name: str, text: str) -> SavedSegment:
    """Save a query, with its line in the log. Raise SavedSegmentError if it cannot be saved under this name,
    and SegmentError if it is not understood.
    """
    if not name.strip():
        raise SavedSegmentError(page.translate(_NO_NAME))
    connection = session.connection()
    lookups = make_lookups(connection, page.settings)
    before = save_segment(connection, name, text, lookups, now=page.state.clock())
    if before is not None:
        # What is saved under a name is changed on its own page, where it is seen.
        raise SavedSegmentError(page.translate(_TAKEN, name=before.name))
    saved = find_saved_segment(connection, name)
    page.record(session, deeds.saved_segment(saved.name, saved.text))
    return saved
