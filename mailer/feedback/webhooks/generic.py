"""A webhook for every other tool: events in a form of our own, signed as Standard Webhooks describes.

https://www.standardwebhooks.com: the headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``,
and HMAC-SHA256 of ``id.timestamp.body``. docs/webhooks.md describes the events.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from locales.phrase import gettext_noop
from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import (
    AsObject,
    ForgedRequestError,
    Line,
    Moment,
    ProviderFields,
    UnverifiableRequestError,
    WebhookRequest,
    is_hmac,
    list_objects,
    parse_json,
)
from mailer.reasons.reason import Reason

NAME = "generic"

_TOLERANCE = timedelta(minutes=5)
"""What Standard Webhooks allows; a sender signs again each time it tries."""

_KINDS = MappingProxyType(
    {
        "bounce": FeedbackKind.bounce,
        "delay": FeedbackKind.bounce,
        "complaint": FeedbackKind.complaint,
        "unsubscribe": FeedbackKind.leave,
    }
)
_SAYABLE = frozenset(Reason) - {Reason.complaint}


class _Data(ProviderFields):
    id: Line = ""
    recipient: Line = ""
    token: Line = ""
    message_id: Line = ""
    envelope_sender: Line = ""
    reason: Line = ""
    words: Line = ""
    status: Line = ""
    code: Line = ""


class _Event(ProviderFields):
    type: Line = ""
    timestamp: Moment = None
    data: Annotated[_Data, AsObject] = Field(default_factory=_Data)


def check_signature(request: WebhookRequest, secret: str) -> None:
    """Check a request against the ``secret`` of the settings. Raise ForgedRequestError if no signature of it
    is right, or it is older or newer than five minutes, and UnverifiableRequestError as :func:`decode_secret`
    does.
    """
    key = decode_secret(secret)
    told, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    signed = f"{told}.{stamp}.".encode("latin-1", "replace") + request.body
    shown = request.headers.get("webhook-signature", "").split()
    # Several signatures while a key is being replaced; v1a is another algorithm.
    is_right = [is_hmac(key, signed, _decode(each)) for each in shown[:8] if each.startswith("v1,")]
    if not any(is_right):
        raise ForgedRequestError("a wrong signature")
    seconds = int(stamp) if stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 else 0
    if not told or abs(request.received_at.timestamp() - seconds) > _TOLERANCE.total_seconds():
        raise ForgedRequestError("an old signature")


def decode_secret(secret: str) -> bytes:
    """Return the key of a secret: base64, with or without ``whsec_`` before it. Raise
    UnverifiableRequestError if it is not base64.
    """
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnverifiableRequestError(
            gettext_noop(
                "the secret of the generic webhook is not base64. Make another one, for example with: "
                'echo "whsec_$(openssl rand -base64 32)"'
            )
        ) from error


def read_request(request: WebhookRequest) -> Iterator[ProviderEvent]:
    """Yield the events of a request; nothing for what is of another type."""
    told = request.headers.get("webhook-id", "")
    for number, said in enumerate(list_objects(parse_json(request.body))):
        event = _Event.model_validate(said)
        kind = _KINDS.get(event.type)
        if kind is not None:
            yield _make(event, kind, event.data.id or f"{told} {number}")


def _make(event: _Event, kind: FeedbackKind, event_id: str) -> ProviderEvent:
    data, is_delay = event.data, event.type == "delay"
    reason = None
    if kind is FeedbackKind.bounce:
        category = Reason(data.reason) if data.reason in _SAYABLE else None
        reason = judge_reason(
            data.words, status=data.status, code=data.code, category=category, is_delay=is_delay
        )
    return make_event(
        NAME,
        kind,
        event_id=event_id,
        address=data.recipient,
        happened_at=event.timestamp,
        reason=reason,
        words=data.words,
        status=data.status,
        code=data.code,
        is_delay=is_delay,
        original=make_original(
            token=data.token, message_id=data.message_id, envelope_sender=data.envelope_sender
        ),
    )


def _decode(signature: str) -> bytes:
    try:
        return base64.b64decode(signature.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b""
