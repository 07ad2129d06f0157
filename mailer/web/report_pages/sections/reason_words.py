"""What states of deliveries, reasons of servers and kinds of returned messages are called in reports."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mailer.database.feedback_models import FeedbackKind
from mailer.database.models import DeliveryState
from mailer.i18n import gettext_noop
from mailer.reasons.fault import Fault
from mailer.reasons.reason import Reason

STATE_WORDS: Final[Mapping[DeliveryState, str]] = MappingProxyType(
    {
        DeliveryState.rejected: gettext_noop("Refused"),
        DeliveryState.failed: gettext_noop("Could not be built"),
        DeliveryState.suppressed: gettext_noop("Left before"),
        DeliveryState.in_doubt: gettext_noop("In doubt"),
        DeliveryState.deferred: gettext_noop("Put off"),
        DeliveryState.sent: gettext_noop("Sent after doubt"),
    }
)
"""What became of readers whose deliveries have a reason."""

CAUSE_WORDS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.no_such_user: gettext_noop("no such user"),
        Reason.no_such_host: gettext_noop("no such host"),
        Reason.has_moved: gettext_noop("has moved"),
        Reason.does_not_accept: gettext_noop("does not accept"),
        Reason.unconfirmed: gettext_noop("unconfirmed"),
        Reason.full: gettext_noop("full"),
        Reason.over_quota: gettext_noop("over quota"),
        Reason.greylisted: gettext_noop("greylisted"),
        Reason.too_big: gettext_noop("too big"),
        Reason.content: gettext_noop("content"),
        Reason.spam: gettext_noop("spam"),
        Reason.policy: gettext_noop("policy"),
        Reason.authentication: gettext_noop("authentication"),
        Reason.blocked: gettext_noop("blocked"),
        Reason.network: gettext_noop("network"),
        Reason.suspended: gettext_noop("suspended"),
        Reason.expired: gettext_noop("expired"),
        Reason.other: gettext_noop("other"),
        Reason.complaint: gettext_noop("complaint"),
    }
)
"""What a server meant."""

FAULT_WORDS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.reader: gettext_noop("The partner’s side"),
        Fault.sender: gettext_noop("Ours"),
        Fault.provider: gettext_noop("The provider, or on the way"),
        Fault.nobody: gettext_noop("Nobody’s"),
    }
)
"""Whose fault it is."""

KIND_WORDS: Final[Mapping[FeedbackKind, str]] = MappingProxyType(
    {
        FeedbackKind.bounce: gettext_noop("Bounce"),
        FeedbackKind.complaint: gettext_noop("Complaint"),
        FeedbackKind.auto_reply: gettext_noop("Auto-reply"),
        FeedbackKind.reply: gettext_noop("Reply"),
        FeedbackKind.leave: gettext_noop("Leave"),
        FeedbackKind.other: gettext_noop("Other"),
        FeedbackKind.dmarc: gettext_noop("DMARC report"),
    }
)
"""What came back."""
