"""Words for the statuses of partners and of deliveries."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.models import DeliveryState
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

DELIVERY_WORDS: Mapping[DeliveryState, tuple[str, str]] = MappingProxyType(
    {one: (one.words, one.tone) for one in DeliveryState}
)
