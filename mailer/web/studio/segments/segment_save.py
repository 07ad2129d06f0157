"""Saving a segment under a new name."""

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.uses import make_lookups
from mailer.i18n import gettext_noop
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_query import WrittenQuery, read_query_form
from mailer.web.studio.segments.paths import make_segment_path
from mailer.web.studio.segments.segment_page import render_segment
from subscribers.errors import SegmentError
from subscribers.segments.saved_segments import (
    NamedSegment,
    SavedSegmentError,
    find_saved_segment,
    save_segment,
)

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
