"""The approvals that the first page of Studio lists as waiting, and for whom each waits."""

from collections.abc import Iterator

from mailer.campaigns.approvals.answers import list_asked
from mailer.campaigns.approvals.rounds import list_open_rounds, list_returned_rounds
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem

_MAX_SHOWN = 20
_ASKED_BY = gettext_noop("asked for by %(name)s")
_YOURS = gettext_noop("Your approval is asked for")
_ANSWER = gettext_noop("Read and answer")
_OF_OTHERS = gettext_noop("Waits to be approved")
_OPEN = gettext_noop("Open the approval")


def list_approval_items(page: StudioPage) -> Iterator[WaitingItem]:
    translate, may_prepare = page.translate, page.may(Permission.prepare)
    with page.state.read_session() as session:
        connection = session.connection()
        waiting = list_open_rounds(connection)[:_MAX_SHOWN]
        people = [list_asked(connection, page.settings, asked) for asked in waiting]
        returned = list_returned_rounds(connection, limit=_MAX_SHOWN) if may_prepare else ()
    for asked, waited_for in zip(waiting, people, strict=True):
        is_mine = any(person.member_id == page.member.id for person in waited_for)
        if not (is_mine or may_prepare):
            continue
        names = ", ".join(person.name for person in waited_for)
        yield WaitingItem(
            title=asked.facts.title,
            words=translate(_YOURS if is_mine else _OF_OTHERS),
            act=translate(_ANSWER if is_mine else _OPEN),
            path=f"/campaigns/{asked.campaign_id}/approval",
            detail=translate(_ASKED_BY, name=asked.asked_by) if asked.asked_by else "",
            waits_for="" if is_mine else names or translate(gettext_noop("somebody who may approve")),
        )
    for asked in returned:
        # What somebody wants changed waits for whoever asked for the approval.
        names = ", ".join(dict.fromkeys(one.person.name for one in asked.answers if not one.approves))
        yield WaitingItem(
            title=asked.facts.title,
            words=translate(gettext_noop("Changes are asked for")),
            act=translate(gettext_noop("See what they say")),
            path=f"/campaigns/{asked.campaign_id}/approval",
            tone="wrong",
            detail=translate(_ASKED_BY, name=names) if names else "",
            waits_for="" if asked.member_id in {page.member.id, None} else asked.asked_by,
        )
