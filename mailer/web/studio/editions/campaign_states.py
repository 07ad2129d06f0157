"""How far editions are on their way to readers, as their campaigns say."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignState
from mailer.i18n import gettext_noop


class EditionState(StrEnum):
    """How far an edition is. Where it has several campaigns, the one that is furthest counts."""

    draft = "draft"
    """Being written; nobody has got a test of it."""

    tested = "tested"
    """Colleagues have got a test of it."""

    approved = "approved"
    """A person has approved it for sending."""

    scheduled = "scheduled"
    """It waits for its time."""

    sending = "sending"
    """It is being sent, or its sending is paused."""

    sent = "sent"
    """It has been sent."""


STATE_WORDS: Mapping[EditionState, tuple[str, str]] = MappingProxyType(
    {
        EditionState.draft: (gettext_noop("Draft"), "quiet"),
        EditionState.tested: (gettext_noop("Tested"), "quiet"),
        EditionState.approved: (gettext_noop("Approved"), "right"),
        EditionState.scheduled: (gettext_noop("Scheduled"), "right"),
        EditionState.sending: (gettext_noop("Being sent"), "careful"),
        EditionState.sent: (gettext_noop("Sent"), "right"),
    }
)
"""The word for each, and the tone of its mark."""

_BY_CAMPAIGN: Mapping[CampaignState, EditionState] = MappingProxyType(
    {
        CampaignState.tested: EditionState.tested,
        CampaignState.approved: EditionState.approved,
        CampaignState.scheduled: EditionState.scheduled,
        CampaignState.sending: EditionState.sending,
        CampaignState.paused: EditionState.sending,
        CampaignState.finished: EditionState.sent,
    }
)


def find_edition_states(session: Session, slugs: Collection[str]) -> Mapping[str, EditionState]:
    """How far each of the editions ``slugs`` is."""
    rows = session.exec(
        select(Campaign.edition, Campaign.state).where(col(Campaign.edition).in_(slugs)).distinct()
    ).all()
    order = list(EditionState)
    states = dict.fromkeys(slugs, EditionState.draft)
    for slug, state in rows:
        reached = _BY_CAMPAIGN.get(CampaignState(state), EditionState.draft)
        states[slug] = max(states[slug], reached, key=order.index)
    return states
