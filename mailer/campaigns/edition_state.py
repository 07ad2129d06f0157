"""How far an edition is, by its campaigns."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from sqlmodel import Session, col, select

from locales.phrase import WordedEnum, gettext_noop
from mailer.database.models import Campaign, CampaignState


class EditionState(WordedEnum):
    """How far an edition is. Where it has several campaigns, the one that is furthest counts."""

    draft = ("draft", gettext_noop("Draft"))
    """Being written; nobody has got a test of it."""

    tested = ("tested", gettext_noop("Tested"))
    """Colleagues have got a test of it."""

    approved = ("approved", gettext_noop("Approved"), "right")
    """A person has approved it for sending."""

    scheduled = ("scheduled", gettext_noop("Scheduled"), "right")

    sending = ("sending", gettext_noop("Being sent"), "careful")

    sent = ("sent", gettext_noop("Sent"), "right")

    paused = ("paused", gettext_noop("Paused"), "wrong")
    """A campaign of it is paused, whatever others have done: some may wait for it."""

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write in it."""
        return self not in {EditionState.sending, EditionState.sent, EditionState.paused}


_BY_CAMPAIGN: Mapping[CampaignState, EditionState] = MappingProxyType(
    {
        CampaignState.tested: EditionState.tested,
        CampaignState.approved: EditionState.approved,
        CampaignState.scheduled: EditionState.scheduled,
        CampaignState.sending: EditionState.sending,
        CampaignState.paused: EditionState.paused,
        CampaignState.finished: EditionState.sent,
    }
)


def find_edition_states(session: Session, slugs: Collection[str]) -> Mapping[str, EditionState]:
    rows = session.exec(
        select(Campaign.edition, Campaign.state).where(col(Campaign.edition).in_(slugs)).distinct()
    )
    order = list(EditionState)
    states = dict.fromkeys(slugs, EditionState.draft)
    for slug, state in rows:
        reached = _BY_CAMPAIGN.get(CampaignState(state), EditionState.draft)
        states[slug] = max(states[slug], reached, key=order.index)
    return states
