"""The words for the state of a campaign and of a message, each with the tone of its mark.

The command line shows the names that the ledger has, by which scripts choose. Where a state is a part of a
sentence or of a sum, it has the words of that sentence.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.models import CampaignState, DeliveryState
from mailer.i18n import gettext_noop

CAMPAIGN_WORDS: Mapping[CampaignState, tuple[str, str]] = MappingProxyType(
    {
        CampaignState.draft: (gettext_noop("Being prepared"), "quiet"),
        CampaignState.tested: (gettext_noop("Tested"), "quiet"),
        CampaignState.approved: (gettext_noop("Approved"), "right"),
        CampaignState.scheduled: (gettext_noop("Scheduled"), "right"),
        CampaignState.sending: (gettext_noop("Being sent"), "careful"),
        CampaignState.paused: (gettext_noop("Paused"), "wrong"),
        CampaignState.finished: (gettext_noop("Sent"), "right"),
        CampaignState.cancelled: (gettext_noop("Cancelled"), "quiet"),
    }
)

DELIVERY_WORDS: Mapping[DeliveryState, tuple[str, str]] = MappingProxyType(
    {
        DeliveryState.queued: (gettext_noop("Still to be sent"), "quiet"),
        DeliveryState.claimed: (gettext_noop("About to be sent"), "quiet"),
        DeliveryState.in_doubt: (gettext_noop("In doubt: it may have arrived or not"), "careful"),
        DeliveryState.sent: (gettext_noop("Sent: their server has taken it"), "right"),
        DeliveryState.deferred: (gettext_noop("Put off by their server; it is tried again"), "careful"),
        DeliveryState.rejected: (gettext_noop("Refused by their server"), "wrong"),
        DeliveryState.failed: (gettext_noop("Failed"), "wrong"),
        DeliveryState.suppressed: (gettext_noop("They left before their turn"), "quiet"),
    }
)
"""The state of one partner's message."""
