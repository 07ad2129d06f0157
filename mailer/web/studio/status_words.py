"""Words for the statuses of partners and of deliveries."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.models import CampaignState, DeliveryState
from mailer.i18n import gettext_noop
from subscribers.models import Status

STATUS_WORDS: Mapping[Status, tuple[str, str]] = MappingProxyType(
    {
        Status.active: (gettext_noop("Gets mail"), "right"),
        Status.paused: (gettext_noop("Paused"), "careful"),
        Status.pending: (gettext_noop("Has not confirmed yet"), "quiet"),
        Status.unsubscribed: (gettext_noop("Unsubscribed"), "wrong"),
        Status.bounced: (gettext_noop("Address does not work"), "wrong"),
        Status.complained: (gettext_noop("Reported our mail as spam"), "wrong"),
        Status.erased: (gettext_noop("Erased"), "quiet"),
        Status.merged: (gettext_noop("Merged with another partner"), "quiet"),
    }
)
"""The words for a status, and the tone of its mark."""

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
