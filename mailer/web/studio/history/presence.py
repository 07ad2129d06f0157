"""Who else has a text open: each page says every few seconds that it is still there."""

import re

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.revisions.edition_lock import lock_edition
from mailer.revisions.pending_save import record_pending_save
from mailer.revisions.presence import end_presence, list_present, note_presence
from mailer.revisions.revision_log import record_outside_change
from mailer.web.forms import OwnFormDep
from mailer.web.studio.history.text_place import TextPlaceDep
from mailer.web.studio.page import PageDep

_SITTING = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def update_presence(page: PageDep, place: TextPlaceDep, form: OwnFormDep) -> Response:
    """Note that a page is open, or was closed (``gone``), and answer who else is there."""
    sitting = form.get("sitting")
    if not _SITTING.fullmatch(sitting):
        raise HTTPException(422)
    now = page.state.clock()
    with page.state.write_session() as session:
        if form.get("gone"):
            end_presence(session, member=page.member, sitting=sitting)
            return Response(status_code=204)
        if form.get("first") and place.file is not None:
            # What Git or a command has done since is in the history before anybody builds on it.
            with lock_edition(page.state.workspace, session, place.edition):
                record_pending_save(page.state.workspace, session, place.edition)
                record_outside_change(session, place.edition, place.file, now=now)
        note_presence(session, place.edition, place.place, member=page.member, sitting=sitting, now=now)
        names = list_present(session, place.edition, place.place, now=now, apart_from=page.member)
    return page.render("present.html", names=names)
