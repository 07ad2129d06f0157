"""Requests as mail providers post them: events by their documentation, signed as each signs."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "0123456789abcdef0123456789abcdef"
WHSEC = "whsec_" + base64.b64encode(b"a key of twenty-four b.!").decode()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:newsletter-feedback"
PROVIDERS = ("ses", "postmark", "mailgun", "sendgrid", "brevo", "mailjet", "generic")
Event = dict[str, Any]


@dataclass(frozen=True)
class Posted:
    """What a provider posts."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class SendGridKey:
    """The key SendGrid signs with; a workspace knows its public half."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public = base64.b64encode(public).decode()

    def sign(self, signed: bytes) -> str:
        return base64.b64encode(self._key.sign(signed, ec.ECDSA(SHA256()))).decode()


SENDGRID_KEY = SendGridKey()


def write_settings(root: Path, *, topics: tuple[str, ...] = (TOPIC,)) -> None:
    """Add every webhook to the settings of a workspace, with its secret."""
    lines = [f"[feedback.webhooks.ses]\ntopics = {json.dumps(list(topics))}"]
    lines.append(f'[feedback.webhooks.sendgrid]\nverification_key = "{SENDGRID_KEY.public}"')
    for name in ("postmark", "mailgun", "brevo", "mailjet", "generic"):
        lines.append(f'[feedback.webhooks.{name}]\nsecret_file = "{name}.secret"')
        (root / f"{name}.secret").write_text(
            (WHSEC if name == "generic" else SECRET) + "\n", encoding="utf-8"
        )
        (root / f"{name}.secret").chmod(0o600)
    path = root / "mailer.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + "\n\n".join(lines) + "\n", encoding="utf-8")


def post_with_password(events: object, *, secret: str = SECRET) -> Posted:
    """As Postmark, Brevo and Mailjet post: with the user and password of the address."""
    credentials = base64.b64encode(f"mailer:{secret}".encode()).decode()
    return Posted(dump(events), {"authorization": f"Basic {credentials}", **_JSON})


def post_as_mailgun(
    event: object, *, secret: str = SECRET, at: datetime | None = None, token: str = "t" * 50
) -> Posted:
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    signature = hmac.new(secret.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return Posted(dump({"signature": signed, "event-data": event}), _JSON)


def post_as_sendgrid(
    events: object, *, key: SendGridKey = SENDGRID_KEY, timestamp: str = "1772355600"
) -> Posted:
    body = dump(events)
    return Posted(
        body,
        {
            "x-twilio-email-event-webhook-signature": key.sign(timestamp.encode() + body),
            "x-twilio-email-event-webhook-timestamp": timestamp,
            **_JSON,
        },
    )


def post_as_standard(
    events: object, *, secret: str = WHSEC, at: datetime | None = None, told: str = "msg_1"
) -> Posted:
    """As Standard Webhooks describes."""
    body, timestamp = dump(events), str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{told}.{timestamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return Posted(
        body,
        {"webhook-id": told, "webhook-timestamp": timestamp, "webhook-signature": signature, **_JSON},
    )


def dump(events: object) -> bytes:
    return json.dumps(events).encode()


_JSON = {"content-type": "application/json"}


# Events: each takes an address and a token.
Make = Callable[[str, str], Event]


def ses_mail(address: str, token: str) -> Event:
    return {
        "timestamp": "2026-03-01T08:59:00.000Z",
        "messageId": "0102019a-mail",
        "source": "bounce@news.example.org",
        "destination": [address],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "News <news@example.org>"},
            {"name": "X-Feedback-Token", "value": token},
            {"name": "Message-ID", "value": "<c7.s1.ab@example.org>"},
        ],
    }


def ses_bounce(
    address: str,
    token: str,
    *,
    kind: str = "Permanent",
    subtype: str = "General",
    words: str = "",
    status: str = "",
) -> Event:
    recipient = {"emailAddress": address, "action": "failed", "status": status, "diagnosticCode": words}
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [recipient],
            "timestamp": "2026-03-01T09:00:00.123Z",
            "feedbackId": "0102019a-bounce",
            "reportingMTA": "dsn; a1-2.smtp-out.eu-west-1.example.com",
        },
        "mail": ses_mail(address, token),
    }


def ses_complaint(address: str, token: str, *, kind: str = "abuse") -> Event:
    return {
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": kind,
            "timestamp": "2026-03-01T09:00:00.000Z",
            "feedbackId": "0102019a-complaint",
        },
        "mail": ses_mail(address, token),
    }


def ses_delay(address: str, token: str) -> Event:
    return {
        "eventType": "DeliveryDelay",
        "deliveryDelay": {
            "delayType": "MailboxFull",
            "timestamp": "2026-03-01T09:00:00.000Z",
            "delayedRecipients": [{"emailAddress": address, "status": "4.0.0", "diagnosticCode": ""}],
        },
        "mail": ses_mail(address, token),
    }


def ses_unsubscribe(address: str, token: str) -> Event:
    return {
        "eventType": "Subscription",
        "subscription": {
            "contactList": "partners",
            "timestamp": "2026-03-01T09:00:00.000Z",
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
        },
        "mail": ses_mail(address, token),
    }


def postmark_bounce(address: str, token: str, *, kind: str = "HardBounce", words: str = "") -> Event:
    return {
        "RecordType": "Bounce",
        "MessageStream": "broadcast",
        "ID": len(kind) * 1000 + 211,
        "Type": kind,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "MessageID": "00000000-0000-4000-8000-000000000001",
        "Metadata": {"feedback-token": token},
        "Description": "The message could not be delivered.",
        "Details": words,
        "Email": address,
        "BouncedAt": "2026-03-01T09:00:00.1234567Z",
        "Inactive": True,
    }


def postmark_complaint(address: str, token: str) -> Event:
    return {**postmark_bounce(address, token, kind="SpamComplaint"), "RecordType": "SpamComplaint"}


def postmark_unsubscribe(address: str, token: str, *, origin: str = "Recipient") -> Event:
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": "00000000-0000-4000-8000-000000000001",
        "Recipient": address,
        "Origin": origin,
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "ChangedAt": "2026-03-01T09:00:00Z",
        "Metadata": {"feedback-token": token},
    }


def mailgun_failure(
    address: str,
    token: str,
    *,
    severity: str = "permanent",
    words: str = "",
    status: str = "",
    reason: str = "bounce",
) -> Event:
    return {
        "event": "failed",
        "id": f"aB3-{severity}",
        "timestamp": 1772355600.123,
        "severity": severity,
        "reason": reason,
        "recipient": address,
        "delivery-status": {"code": 550, "enhanced-code": status, "message": words, "description": ""},
        "user-variables": {"feedback_token": token},
        "message": {"headers": {"message-id": "c7.s1.ab@example.org", "to": address}, "size": 5000},
        "envelope": {"sender": "bounce@news.example.org", "targets": address},
    }


def mailgun_event(event: str) -> Make:
    return lambda address, token: {
        **mailgun_failure(address, token),
        "id": f"aB3-{event}",
        "event": event,
        "reason": "",
    }


def sendgrid_event(event: str, **fields: str) -> Make:
    return lambda address, token: {
        "email": address,
        "timestamp": 1772355600,
        "smtp-id": "<c7.s1.ab@example.org>",
        "event": event,
        "sg_event_id": f"event-of-{event}",
        "sg_message_id": "abc.recvd-1",
        "feedback_token": token,
        **fields,
    }


def brevo_event(event: str, **fields: object) -> Make:
    return lambda address, token: {
        "event": event,
        "email": address,
        "id": 26,
        "date": "2026-03-01 10:00:00",
        "ts": 1772355599,
        "ts_event": 1772355600,
        "message-id": "<c7.s1.ab@example.org>",
        "subject": "News",
        "X-Mailin-custom": token,
        **fields,
    }


def mailjet_event(event: str, **fields: object) -> Make:
    return lambda address, token: {
        "event": event,
        "time": 1772355600,
        "MessageID": 19421777835146490,
        "email": address,
        "mj_campaign_id": 7,
        "CustomID": token,
        "Payload": "",
        **fields,
    }


def generic_event(kind: str, **fields: str) -> Make:
    return lambda address, token: {
        "type": kind,
        "timestamp": "2026-03-01T09:00:00Z",
        "data": {"recipient": address, "token": token, **fields},
    }


UNKNOWN = "550 5.1.1 <lost@partner.example>: Recipient address rejected: User unknown"
FULL = "452 4.2.2 The mailbox is full"
BLOCKED = "550 5.7.1 Service unavailable; client host blocked, see the blocklist"

DEAD: Mapping[str, Make] = {
    "ses": lambda address, token: ses_bounce(address, token, words=f"smtp; {UNKNOWN}", status="5.1.1"),
    "postmark": lambda address, token: postmark_bounce(address, token, words=f"smtp;{UNKNOWN}"),
    "mailgun": lambda address, token: mailgun_failure(address, token, words=UNKNOWN, status="5.1.1"),
    "sendgrid": sendgrid_event("bounce", type="bounce", reason=UNKNOWN, status="5.1.1"),
    "brevo": brevo_event("hard_bounce", reason=UNKNOWN),
    "mailjet": mailjet_event("bounce", hard_bounce=True, error="user unknown", comment=UNKNOWN),
    "generic": generic_event("bounce", words=UNKNOWN, status="5.1.1"),
}
"""A mailbox that does not exist."""

DELAYS: Mapping[str, Make] = {
    "ses": ses_delay,
    "postmark": lambda address, token: postmark_bounce(address, token, kind="Transient", words=FULL),
    "mailgun": lambda address, token: mailgun_failure(address, token, severity="temporary", words=FULL),
    "sendgrid": sendgrid_event("deferred", response=FULL),
    "brevo": brevo_event("deferred", reason=FULL),
    "generic": generic_event("delay", words=FULL),
}
"""A full mailbox; the provider goes on trying. Mailjet does not tell."""

COMPLAINTS: Mapping[str, Make] = {
    "ses": ses_complaint,
    "postmark": postmark_complaint,
    "mailgun": mailgun_event("complained"),
    "sendgrid": sendgrid_event("spamreport"),
    "brevo": brevo_event("spam"),
    "mailjet": mailjet_event("spam", source="JMRPP"),
    "generic": generic_event("complaint"),
}

UNSUBSCRIBES: Mapping[str, Make] = {
    "ses": ses_unsubscribe,
    "postmark": postmark_unsubscribe,
    "mailgun": mailgun_event("unsubscribed"),
    "sendgrid": sendgrid_event("unsubscribe"),
    "brevo": brevo_event("unsubscribed"),
    "mailjet": mailjet_event("unsub", mj_list_id=1),
    "generic": generic_event("unsubscribe"),
}
