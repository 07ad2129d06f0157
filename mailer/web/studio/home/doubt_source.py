"""The campaigns whose deliveries in doubt somebody has to settle."""

from collections.abc import Iterator

from mailer.campaigns.report import list_open_doubts
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource


def _list_doubts(page: StudioPage) -> Iterator[WaitingItem]:
    with page.state.read_session() as session:
        found = list_open_doubts(session.connection())
    has_page = page.leads_to("/campaigns/{campaign}/doubts")
    for one in found:
        words = page.translator.translations.ngettext(
            "Of %(num)s partner nobody knows whether they got it",
            "Of %(num)s partners nobody knows whether they got it",
            one.number,
        ) % {"num": f"{one.number:,}"}
        path = f"/campaigns/{one.campaign_id}"
        yield WaitingItem(
            title=one.title or one.edition,
            words=words,
            act=page.translator.translate(gettext_noop("Settle the doubts")),
            path=f"{path}/doubts" if has_page else f"{path}/report#in-doubt",
            detail=page.translator.format_day(one.launched_at.date()),
        )


WAITING_DOUBTS = WaitingSource(
    name=gettext_noop("Doubts"), permission=Permission.launch, list_items=_list_doubts
)
