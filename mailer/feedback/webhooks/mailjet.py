"""Mailjet: https://dev.mailjet.com/email/guides/webhooks/

One event a request, or a list of them. Mailjet signs nothing; the request has a secret of ours. The person is
found by ``CustomID``, which is what our header ``X-MJ-CustomID`` said.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import Flag, Line, Moment, ProviderFields
from mailer.reasons.reason import Reason

NAME = "mailjet"

_KINDS = MappingProxyType(
    {
        "bounce": FeedbackKind.bounce,
        "blocked": FeedbackKind.bounce,
        "spam": FeedbackKind.complaint,
        "unsub": FeedbackKind.leave,
    }
)
_ERRORS = MappingProxyType(
    {
        "user unknown": Reason.no_such_user,
        "mailbox inactive": Reason.suspended,
        "quota exceeded": Reason.full,
        "invalid domain": Reason.no_such_host,
        "no mail host": Reason.no_such_host,
        "relay/access denied": Reason.policy,
        "greylisted": Reason.greylisted,
        "typofix": Reason.no_such_host,
        "content blocked": Reason.spam,
        "sender blocked": Reason.blocked,
        "policy issue": Reason.policy,
        "system issue": Reason.network,
        "protocol issue": Reason.network,
        "connection issue": Reason.network,
        "connection broken": Reason.network,
        "error in template language": Reason.content,
        # Mailjet's own list of people it does not send to.
        "preblocked": Reason.suspended,
        "spam preblocked": Reason.spam,
    }
)
"""What Mailjet's errors mean."""


class _Event(ProviderFields):
    event: Line = ""
    time: Moment = None
    message_id: Line = Field("", alias="MessageID")
    custom_id: Line = Field("", alias="CustomID")
    email: Line = ""
    is_hard: Flag = Field(False, alias="hard_bounce")
    error: Line = ""
    comment: Line = ""


def read_event(said: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Yield the event of one object; nothing for what does not concern us, such as a click."""
    event = _Event.model_validate(said)
    kind = _KINDS.get(event.event)
    # The reader has the mail: it was a second one of the same campaign.
    if kind is None or event.error == "duplicate in campaign":
        return
    event_id = (
        f"{event.event} {event.message_id} {event.time.timestamp():.0f}"
        if event.message_id and event.time
        else ""
    )
    yield make_event(
        NAME,
        kind,
        event_id=event_id,
        address=event.email,
        happened_at=event.time,
        reason=_judge(event) if kind is FeedbackKind.bounce else None,
        words=event.comment or event.error,
        original=make_original(token=event.custom_id),
    )


def _judge(event: _Event) -> Reason:
    category = _ERRORS.get(event.error)
    if category is not None and category.is_dead and not event.is_hard and event.event == "bounce":
        category = None
    # "error" is Mailjet's word, and "comment" the server's.
    return judge_reason(event.comment, category=category)
