"""Mailgun: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks

One event a request, in ``event-data``; ``signature`` beside it signs a timestamp and a token, but not the
event. The person is found by ``user-variables``, which is what our header ``X-Mailgun-Variables`` said, else
by the sender of the envelope and the Message-ID.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Annotated

from cachetools import TTLCache
from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import OriginalMessage, ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import (
    AsObject,
    Fields,
    ForgedRequestError,
    Line,
    MalformedRequestError,
    Moment,
    ProviderFields,
    WebhookRequest,
    is_hmac,
    list_objects,
    parse_json,
    read_line,
    read_secret,
)
from mailer.reasons.reason import Reason

NAME = "mailgun"

# Mailgun tries for eight hours, and its documentation does not say whether it signs again each time.
_OLDEST = timedelta(hours=24)
_NEWEST = timedelta(minutes=5)
_TOKENS = 100_000

_CATEGORIES = MappingProxyType(
    {
        "suppress-bounce": Reason.suspended,
        "espblock": Reason.blocked,
        "greylisted": Reason.greylisted,
        "old": Reason.expired,
    }
)
"""What Mailgun's reasons mean where the server said nothing."""


class _Signature(ProviderFields):
    timestamp: Line = ""
    token: Line = ""
    signature: Line = ""


class _DeliveryStatus(ProviderFields):
    code: Line = ""
    enhanced_code: Line = Field("", alias="enhanced-code")
    message: Line = ""
    description: Line = ""


class _Message(ProviderFields):
    headers: Fields = Field(default_factory=dict)


class _Envelope(ProviderFields):
    sender: Line = ""


class _Event(ProviderFields):
    id: Line = ""
    event: Line = ""
    severity: Line = ""
    reason: Line = ""
    recipient: Line = ""
    timestamp: Moment = None
    user_variables: Fields = Field(default_factory=dict, alias="user-variables")
    delivery_status: Annotated[_DeliveryStatus, AsObject] = Field(
        default_factory=_DeliveryStatus, alias="delivery-status"
    )
    message: Annotated[_Message, AsObject] = Field(default_factory=_Message)
    envelope: Annotated[_Envelope, AsObject] = Field(default_factory=_Envelope)


class _Body(ProviderFields):
    signature: Annotated[_Signature, AsObject] = Field(default_factory=_Signature)
    event_data: Annotated[_Event, AsObject] = Field(default_factory=_Event, alias="event-data")


class MailgunSignature:
    """Checks the signatures, and that each is used for one event only.

    Because the signature does not cover the event, whoever gets hold of one could send events of their own
    with it. So it may be a day old at most, and the first body that comes with it is the only one.
    """

    def __init__(self, secret_file: Path) -> None:
        self._secret_file = secret_file
        self._bodies: TTLCache[str, bytes] = TTLCache(_TOKENS, _OLDEST.total_seconds())
        self._lock = Lock()

    def check(self, request: WebhookRequest) -> None:
        """Check a request. Raise ForgedRequestError if its signature is wrong, too old, or was used for
        another event, and MalformedRequestError or UnverifiableRequestError as its parts do.
        """
        secret = read_secret(self._secret_file)
        body = _parse(request)
        shown = body.signature
        try:
            signature = bytes.fromhex(shown.signature)
        except ValueError as error:
            raise ForgedRequestError("no signature") from error
        if not is_hmac(secret.encode(), (shown.timestamp + shown.token).encode(), signature):
            raise ForgedRequestError("a wrong signature")
        self._check_age(request, shown)
        digest = hashlib.sha256(body.event_data.model_dump_json().encode()).digest()
        with self._lock:
            if self._bodies.setdefault(shown.token, digest) != digest:
                raise ForgedRequestError("a signature that was used for another event")

    @staticmethod
    def _check_age(request: WebhookRequest, shown: _Signature) -> None:
        seconds = int(shown.timestamp) if shown.timestamp.isascii() and shown.timestamp.isdecimal() else 0
        age = timedelta(seconds=min(request.received_at.timestamp() - seconds, 1e9))
        if not -_NEWEST <= age <= _OLDEST:
            raise ForgedRequestError("an old signature")


def read_request(request: WebhookRequest) -> Iterator[ProviderEvent]:
    """Yield the event of a request; nothing for what does not concern us, such as an opened mail."""
    event = _parse(request).event_data
    headers = {name.lower(): value for name, value in event.message.headers.items()}
    original = make_original(
        token=read_line(event.user_variables.get("feedback_token")),
        message_id=read_line(headers.get("message-id")),
        envelope_sender=event.envelope.sender,
    )
    # Mailgun's IDs are unique within a day only.
    event_id = f"{event.timestamp:%Y-%m-%d} {event.id}" if event.id and event.timestamp else ""
    if event.event == "complained" or event.reason == "suppress-complaint":
        kind = FeedbackKind.complaint
    elif event.event == "unsubscribed" or event.reason == "suppress-unsubscribe":
        kind = FeedbackKind.leave
    elif event.event == "failed":
        yield _make_bounce(event, event_id, original)
        return
    else:
        return
    yield make_event(
        NAME,
        kind,
        event_id=event_id,
        address=event.recipient,
        happened_at=event.timestamp,
        original=original,
    )


def _make_bounce(event: _Event, event_id: str, original: OriginalMessage) -> ProviderEvent:
    told = event.delivery_status
    is_delay = event.severity == "temporary"
    words = told.message or told.description
    # Mailgun's own code for what it did not even try (605, 606, 607) is no server's.
    code = told.code if len(told.code) == 3 and told.code[0] in "245" else ""
    category = _CATEGORIES.get(event.reason)
    is_suppressed = event.reason == "suppress-bounce"
    reason = (
        Reason.suspended
        if is_suppressed
        else judge_reason(words, status=told.enhanced_code, code=code, category=category, is_delay=is_delay)
    )
    return make_event(
        NAME,
        FeedbackKind.bounce,
        event_id=event_id,
        address=event.recipient,
        happened_at=event.timestamp,
        reason=reason,
        words=words,
        status=told.enhanced_code,
        code=code,
        is_delay=is_delay,
        original=original,
    )


def _parse(request: WebhookRequest) -> _Body:
    parsed = parse_json(request.body)
    if not isinstance(parsed, dict):
        raise MalformedRequestError("not an object")
    return _Body.model_validate(next(list_objects(parsed)))
