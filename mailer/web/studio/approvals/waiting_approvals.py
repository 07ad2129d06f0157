"""The approvals that wait for a member, and those that wait for others, on the first page."""

from collections.abc import Iterator

from mailer.campaigns.approvals.answers import list_asked, list_waiting_approvals
from mailer.campaigns.approvals.rounds import Round, list_returned_rounds
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.approvals.approval_place import as_person
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_MAX_SHOWN = 20


def _list_approvals(page: StudioPage) -> Iterator[WaitingItem]:
    yield from _list_open(page)
    if page.may(Permission.prepare):
        with page.state.read_session() as session:
            returned = list_returned_rounds(session.connection(), limit=_MAX_SHOWN)
        for asked in returned:
            yield _describe_returned(page, asked)


def _describe_returned(page: StudioPage, asked: Round) -> WaitingItem:
    """What somebody wants changed waits for whoever asked for the approval."""
    translate = page.translator.translate
    is_own = asked.member_id in {page.member.id, None}
    names = ", ".join(dict.fromkeys(one.person.name for one in asked.answers if not one.approves))
    return WaitingItem(
        title=asked.facts.title,
        words=translate(gettext_noop("Changes are asked for")),
        act=translate(gettext_noop("See what they say")),
        path=f"/campaigns/{asked.campaign_id}/approval",
        tone="wrong",
        detail=translate(gettext_noop("asked for by %(name)s")) % {"name": names} if names else "",
        waits_for="" if is_own else asked.asked_by,
    )


def _list_open(page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translator.translate
    with page.state.read_session() as session:
        connection = session.connection()
        waiting = list_waiting_approvals(connection, page.settings, as_person(page.member))[:_MAX_SHOWN]
        people = {one.asked.id: list_asked(connection, page.settings, one.asked) for one in waiting}
    for one in waiting:
        if not (one.is_for_me or page.may(Permission.prepare)):
            continue
        names = ", ".join(person.name for person in people[one.asked.id])
        asker = one.asked.asked_by
        yield WaitingItem(
            title=one.asked.facts.title,
            words=(
                translate(gettext_noop("Your approval is asked for"))
                if one.is_for_me
                else translate(gettext_noop("Waits to be approved"))
            ),
            act=(
                translate(gettext_noop("Read and answer"))
                if one.is_for_me
                else translate(gettext_noop("Open the approval"))
            ),
            path=f"/campaigns/{one.asked.campaign_id}/approval",
            detail=translate(gettext_noop("asked for by %(name)s")) % {"name": asker} if asker else "",
            waits_for="" if one.is_for_me else names or translate(gettext_noop("somebody who may approve")),
        )


WAITING_APPROVALS = WaitingSource(
    name=gettext_noop("Approvals"), permission=Permission.read, list_items=_list_approvals
)
