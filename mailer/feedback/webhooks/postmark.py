"""Postmark: https://postmarkapp.com/developer/webhooks/webhooks-overview

One event a request, told by its ``RecordType``. Postmark signs nothing; the request has a secret of ours.
The person is found by ``Metadata``, which is what our header ``X-PM-Metadata-feedback-token`` said.
"""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import Fields, Flag, Line, Moment, ProviderFields, read_line
from mailer.reasons.reason import Reason

NAME = "postmark"

_TOKEN = re.compile(r"^X-Feedback-Token:\s*([0-9a-f]+)", re.IGNORECASE | re.MULTILINE)
_CATEGORIES = MappingProxyType(
    {
        "HardBounce": None,  # also blocks and filters
        "BadEmailAddress": Reason.no_such_user,
        "DnsError": Reason.no_such_host,
        "AddressChange": Reason.has_moved,
        "SpamNotification": Reason.spam,
        "VirusNotification": Reason.content,
        "Blocked": Reason.blocked,
        "DMARCPolicy": Reason.authentication,
        "Transient": None,
        "SoftBounce": None,
        "Unknown": None,
        # Postmark no longer sends to it, because of an earlier bounce or because somebody said so.
        "ManuallyDeactivated": Reason.suspended,
    }
)
"""What Postmark's types of bounces mean. Types that are about no message of ours (``AutoResponder``,
``Subscribe``, ``OpenRelayTest``, ``InboundError``) are not in it."""


class _Event(ProviderFields):
    record_type: Line = Field("", alias="RecordType")
    id: Line = Field("", alias="ID")
    type: Line = Field("", alias="Type")
    message_id: Line = Field("", alias="MessageID")
    email: Line = Field("", alias="Email")
    recipient: Line = Field("", alias="Recipient")
    description: Line = Field("", alias="Description")
    details: Line = Field("", alias="Details")
    bounced_at: Moment = Field(None, alias="BouncedAt")
    changed_at: Moment = Field(None, alias="ChangedAt")
    metadata: Fields = Field(default_factory=dict, alias="Metadata")
    is_suppressed: Flag = Field(False, alias="SuppressSending")
    suppression_reason: Line = Field("", alias="SuppressionReason")
    origin: Line = Field("", alias="Origin")


def read_event(said: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Yield the event of one object; nothing for what does not concern us, such as an opened mail."""
    event = _Event.model_validate(said)
    token = read_line(event.metadata.get("feedback-token")) or _find_token(said.get("Content"))
    # MessageID is Postmark's own, not that of our header.
    original = make_original(token=token)
    if event.record_type == "SpamComplaint" or event.type == "SpamComplaint":
        yield make_event(
            NAME,
            FeedbackKind.complaint,
            event_id=event.id and f"complaint {event.id}",
            address=event.email,
            happened_at=event.bounced_at,
            words=event.details or event.description,
            original=original,
        )
    elif event.record_type == "SubscriptionChange" or event.type == "Unsubscribe":
        # Changes for other reasons repeat bounces and complaints, or are made in Postmark's own pages.
        is_theirs = event.suppression_reason == "ManualSuppression" and event.origin == "Recipient"
        if event.type == "Unsubscribe" or (event.is_suppressed and is_theirs):
            yield make_event(
                NAME,
                FeedbackKind.leave,
                event_id="",
                address=event.recipient or event.email,
                happened_at=event.changed_at or event.bounced_at,
                original=original,
            )
    elif event.record_type == "Bounce" and event.type in _CATEGORIES:
        # A transient one is only told of; Postmark goes on trying, and tells of a soft bounce when it gives
        # up.
        is_delay = event.type == "Transient"
        yield make_event(
            NAME,
            FeedbackKind.bounce,
            event_id=event.id and f"bounce {event.id}",
            address=event.email,
            happened_at=event.bounced_at,
            reason=judge_reason(event.details, category=_CATEGORIES[event.type], is_delay=is_delay),
            words=event.details or event.description,
            is_delay=is_delay,
            original=original,
        )


def _find_token(content: object) -> str:
    match = _TOKEN.search(content) if isinstance(content, str) else None
    return match[1] if match else ""
