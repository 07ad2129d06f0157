"""SendGrid: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event

A list of events a request, signed as a whole with a key of theirs (ECDSA on P-256, SHA-256). The person is
found by ``feedback_token``, one of the unique arguments that our header ``X-SMTPAPI`` set, else by
``smtp-id``, the Message-ID.
"""

import base64
import binascii
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import ForgedRequestError, Line, Moment, ProviderFields, WebhookRequest
from mailer.reasons.reason import Reason

NAME = "sendgrid"

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_CLASSIFICATIONS = MappingProxyType(
    {
        "Invalid Address": Reason.no_such_user,
        "Technical": Reason.network,
        "Technical Failure": Reason.network,
        "Content": Reason.content,
        "Reputation": Reason.blocked,
        "Frequency/Volume": Reason.over_quota,
        "Frequency or Volume Too High": Reason.over_quota,
        "Mailbox Unavailable": Reason.suspended,
    }
)
_DROPS = MappingProxyType(
    {
        "Bounced Address": Reason.suspended,
        "Invalid": Reason.no_such_user,
        "Spam Content": Reason.spam,
        "Recipient List over Package Quota": Reason.over_quota,
    }
)
"""Why SendGrid did not even try."""

_LEFT = frozenset({"unsubscribe", "group_unsubscribe"})


class _Event(ProviderFields):
    event: Line = ""
    sg_event_id: Line = ""
    email: Line = ""
    timestamp: Moment = None
    smtp_id: Line = Field("", alias="smtp-id")
    feedback_token: Line = ""
    type: Line = ""
    status: Line = ""
    reason: Line = ""
    response: Line = ""
    bounce_classification: Line = ""


def check_signature(request: WebhookRequest, verification_key: str) -> None:
    """Check a request. ``verification_key`` is SendGrid's public key as its page shows it. An old request is
    let through: SendGrid tries for a day, and the signature covers the events, so that it can only say again
    what it said. Raise ForgedRequestError if the signature is missing or wrong.
    """
    # Not imported at the top: it takes a twentieth of a second to load, and most workspaces need none of it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = read_verification_key(verification_key)
    try:
        signature = base64.b64decode(request.headers.get(_SIGNATURE, ""), validate=True)
        signed = request.headers.get(_TIMESTAMP, "").encode("latin-1", "replace") + request.body
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise ForgedRequestError("a wrong signature") from error


def read_verification_key(text: str) -> Any:
    """Read SendGrid's public key: DER in base64, on one line or several. Raise ValueError if it is not an
    elliptic curve's public key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not the public key of an elliptic curve")
    return key


def read_event(said: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Yield the event of one object; nothing for what does not concern us, such as a click."""
    event = _Event.model_validate(said)
    original = make_original(token=event.feedback_token, message_id=event.smtp_id)
    if event.event == "spamreport" or (event.event, event.reason) == ("dropped", "Spam Reporting Address"):
        kind = FeedbackKind.complaint
    elif event.event in _LEFT or (event.event, event.reason) == ("dropped", "Unsubscribed Address"):
        kind = FeedbackKind.leave
    elif event.event in {"bounce", "dropped", "deferred"}:
        kind = FeedbackKind.bounce
    else:
        return
    yield make_event(
        NAME,
        kind,
        event_id=event.sg_event_id,
        address=event.email,
        happened_at=event.timestamp,
        reason=_judge(event) if kind is FeedbackKind.bounce else None,
        words=event.reason or event.response,
        status=event.status,
        is_delay=event.event == "deferred",
        original=original,
    )


def _judge(event: _Event) -> Reason:
    if event.event == "dropped":
        return _DROPS.get(event.reason) or judge_reason(event.reason, status=event.status)
    is_block = Reason.blocked if event.type == "blocked" else None
    return judge_reason(
        event.reason or event.response,
        status=event.status,
        category=_CLASSIFICATIONS.get(event.bounce_classification) or is_block,
        is_delay=event.event == "deferred",
    )
