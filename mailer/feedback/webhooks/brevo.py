"""Brevo: https://developers.brevo.com/docs/transactional-webhooks

One event a request, or a list of them. Brevo signs nothing; the request has a secret of ours. The person is
found by ``X-Mailin-custom``, a header of ours that Brevo repeats, else by the Message-ID.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import Line, Moment, ProviderFields
from mailer.reasons.reason import Reason

NAME = "brevo"

_KINDS = MappingProxyType(
    {
        "hard_bounce": FeedbackKind.bounce,
        "soft_bounce": FeedbackKind.bounce,
        "invalid_email": FeedbackKind.bounce,
        "invalid": FeedbackKind.bounce,
        "blocked": FeedbackKind.bounce,
        "error": FeedbackKind.bounce,
        "deferred": FeedbackKind.bounce,
        "spam": FeedbackKind.complaint,
        "complaint": FeedbackKind.complaint,
        "unsubscribed": FeedbackKind.leave,
        "unsubscribe": FeedbackKind.leave,
    }
)
_CATEGORIES = MappingProxyType(
    {
        "invalid_email": Reason.no_such_user,
        "invalid": Reason.no_such_user,
        # Brevo's own list of people it does not send to.
        "blocked": Reason.suspended,
    }
)


class _Event(ProviderFields):
    event: Line = ""
    email: Line = ""
    message_id: Line = Field("", alias="message-id")
    ts_event: Moment = None
    ts_epoch: Moment = None
    ts: Moment = None
    reason: Line = ""
    custom: Line = Field("", alias="X-Mailin-custom")


def read_event(said: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Yield the event of one object; nothing for what does not concern us, such as a click."""
    event = _Event.model_validate(said)
    kind = _KINDS.get(event.event)
    if kind is None:
        return
    is_delay = event.event == "deferred"
    is_bounce = kind is FeedbackKind.bounce
    category = _CATEGORIES.get(event.event)
    yield make_event(
        NAME,
        kind,
        # The event's "id" is that of the webhook.
        event_id="",
        address=event.email,
        happened_at=event.ts_event or event.ts_epoch or event.ts,
        reason=judge_reason(event.reason, category=category, is_delay=is_delay) if is_bounce else None,
        words=event.reason,
        is_delay=is_delay,
        original=make_original(token=event.custom, message_id=event.message_id),
    )
