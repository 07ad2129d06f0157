"""Launches that did not start, and those that wait for a second person, for the first page."""

from collections.abc import Iterator
from datetime import timedelta

from mailer.campaigns.pending_launches import list_not_started, list_unconfirmed
from mailer.database.engine import read_clock
from mailer.i18n import gettext_noop
from mailer.team.members import Permission, find_member
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_FORGOTTEN = timedelta(days=30)


def _list_items(page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translator.translate
    with page.state.read_session() as session:
        now = read_clock(session.connection())
        not_started = list_not_started(session, since=now - _FORGOTTEN, now=now)
        waiting = list_unconfirmed(session, now=now)
        names = {one.number: find_member(session, one.asked_by) for one in waiting}
    for one in not_started:
        # Whoever has launched it and gone believes that it was sent.
        yield WaitingItem(
            title=one.request.edition,
            words=translate(gettext_noop("The last launch did not start. Nothing was sent.")),
            act=translate(gettext_noop("See what to do")),
            path=f"/campaigns/{one.request.campaign_id}/launch",
            tone="wrong",
        )
    for one in waiting:
        asked_by = names[one.number]
        is_own = one.asked_by == page.member.id
        yield WaitingItem(
            title=one.request.edition,
            words=translate(
                gettext_noop("%(name)s wants to send it to %(number)s partners"),
                name=asked_by.name if asked_by is not None else "…",
                number=f"{one.request.count:,}",
            ),
            act=translate(gettext_noop("Confirm the launch")),
            path=f"/campaigns/{one.request.campaign_id}/launch",
            tone="wrong",
            waits_for=translate(gettext_noop("a second person")) if is_own else "",
        )


WAITING_LAUNCHES = WaitingSource(
    name=gettext_noop("Launches"), permission=Permission.launch, list_items=_list_items
)
