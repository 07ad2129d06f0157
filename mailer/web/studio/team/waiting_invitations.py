"""The invitations that a manager has to look after."""

from collections.abc import Iterator

from mailer.i18n import gettext_noop
from mailer.team.invitations import list_open_invitations
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource


def _list_stuck_invitations(page: StudioPage) -> Iterator[WaitingItem]:
    """Invitations whose mail does not leave, or whose link has expired."""
    translate = page.translator.translate
    with page.state.read_session() as session:
        invitations = list_open_invitations(session, now=page.state.clock())
    for one in invitations:
        if one.is_expired or one.reason:
            words = (
                translate(gettext_noop("The link of their invitation has expired"))
                if one.is_expired
                else translate(gettext_noop("Their invitation could not be mailed yet"))
            )
            yield WaitingItem(
                title=one.member.name,
                words=words,
                act=translate(gettext_noop("Send it again")),
                path="/team",
                detail=one.member.email,
            )


WAITING_INVITATIONS = WaitingSource(
    name=gettext_noop("Invitations"), permission=Permission.manage, list_items=_list_stuck_invitations
)
