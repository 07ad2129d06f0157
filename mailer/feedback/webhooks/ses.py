"""Amazon SES: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html

SES publishes events to a topic of SNS, which posts each as a message of its own (see :mod:`.sns`). They come
by feedback notifications of an identity (``notificationType``) or by an event destination of a configuration
set (``eventType``). The person is found by our header in ``mail.headers``, else by ``mail.source``, which is
the sender of the envelope, and by the headers Message-ID and List-Unsubscribe.
"""

import logging
from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import OriginalMessage, ProviderEvent
from mailer.feedback.webhooks.events import judge_reason, make_event, make_original
from mailer.feedback.webhooks.request import (
    AsObject,
    AsObjects,
    Fields,
    Flag,
    Line,
    Lines,
    MalformedRequestError,
    Moment,
    ProviderFields,
    WebhookRequest,
    parse_json,
)
from mailer.feedback.webhooks.sns import SnsVerifier, read_message
from mailer.reasons.reason import Reason

NAME = "ses"

_log = logging.getLogger(__name__)

_SUBTYPES = MappingProxyType(
    {
        "NoEmail": Reason.no_such_user,
        # Amazon no longer sends to it, because of an earlier bounce.
        "Suppressed": Reason.suspended,
        "OnAccountSuppressionList": Reason.suspended,
        "MailboxFull": Reason.full,
        "MessageTooLarge": Reason.too_big,
        "ContentRejected": Reason.content,
        "AttachmentRejected": Reason.content,
    }
)
_DECISIVE = frozenset({"Suppressed", "OnAccountSuppressionList"})
"""Subtypes beside which there are no words of a server."""

_DELAYS = MappingProxyType(
    {
        "MailboxFull": Reason.full,
        "SpamDetected": Reason.spam,
        "RecipientServerError": Reason.network,
        "IPFailure": Reason.blocked,
        "TransientCommunicationFailure": Reason.network,
    }
)
_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure"})
"""Types of feedback reports in which nobody complains (RFC 6430, RFC 6591)."""


class _Recipient(ProviderFields):
    address: Line = Field("", alias="emailAddress")
    status: Line = ""
    diagnostic: Line = Field("", alias="diagnosticCode")


_Recipients = Annotated[tuple[_Recipient, ...], AsObjects]


class _Header(ProviderFields):
    name: Line = ""
    value: Line = ""


class _Mail(ProviderFields):
    source: Line = ""
    message_id: Line = Field("", alias="messageId")
    destination: Lines = ()
    headers: Annotated[tuple[_Header, ...], AsObjects] = ()


class _Bounce(ProviderFields):
    type: Line = Field("", alias="bounceType")
    subtype: Line = Field("", alias="bounceSubType")
    recipients: _Recipients = Field((), alias="bouncedRecipients")
    timestamp: Moment = None
    feedback_id: Line = Field("", alias="feedbackId")


class _Complaint(ProviderFields):
    type: Line = Field("", alias="complaintFeedbackType")
    recipients: _Recipients = Field((), alias="complainedRecipients")
    timestamp: Moment = None
    feedback_id: Line = Field("", alias="feedbackId")


class _Delay(ProviderFields):
    type: Line = Field("", alias="delayType")
    recipients: _Recipients = Field((), alias="delayedRecipients")
    timestamp: Moment = None


class _Reject(ProviderFields):
    reason: Line = ""


class _Preferences(ProviderFields):
    has_left: Flag = Field(False, alias="unsubscribeAll")


class _Subscription(ProviderFields):
    timestamp: Moment = None
    preferences: Annotated[_Preferences, AsObject] = Field(
        default_factory=_Preferences, alias="newTopicPreferences"
    )


class _Event(ProviderFields):
    notification_type: Line = Field("", alias="notificationType")
    event_type: Line = Field("", alias="eventType")
    mail: Annotated[_Mail, AsObject] = Field(default_factory=_Mail)
    bounce: Annotated[_Bounce, AsObject] = Field(default_factory=_Bounce)
    complaint: Annotated[_Complaint, AsObject] = Field(default_factory=_Complaint)
    delay: Annotated[_Delay, AsObject] = Field(default_factory=_Delay, alias="deliveryDelay")
    reject: Annotated[_Reject, AsObject] = Field(default_factory=_Reject)
    subscription: Annotated[_Subscription, AsObject] = Field(default_factory=_Subscription)


def read_request(request: WebhookRequest, verifier: SnsVerifier) -> Iterator[ProviderEvent]:
    """Yield the events of a verified request, one for each recipient. A subscription is confirmed."""
    message = read_message(request)
    if message["Type"] == "SubscriptionConfirmation":
        verifier.confirm(message)
        _log.warning("Webhook ses: subscribed to %s.", message["TopicArn"])
    elif message["Type"] == "UnsubscribeConfirmation":
        _log.warning("Webhook ses: the subscription to %s has ended.", message["TopicArn"])
    else:
        yield from read_events(message.get("Message", ""))


def read_events(text: str) -> Iterator[ProviderEvent]:
    """Yield the events of one message of SES; nothing for what does not concern us, such as a delivery."""
    try:
        parsed = parse_json(text)
    except MalformedRequestError:
        # SES announces itself to a new topic in a sentence.
        return
    if not isinstance(parsed, dict):
        return
    said: Fields = parsed
    event = _Event.model_validate(said)
    original = _read_original(event.mail)
    match event.event_type or event.notification_type:
        case "Bounce":
            yield from _read_bounce(event.bounce, original)
        case "Complaint":
            yield from _read_complaint(event.complaint, original)
        case "DeliveryDelay":
            yield from _read_delay(event, original)
        case "Reject":
            yield from _read_reject(event, original)
        case "Subscription":
            yield from _read_subscription(event, original)


def _read_original(mail: _Mail) -> OriginalMessage:
    headers = {header.name.lower(): header.value for header in mail.headers}
    return make_original(
        token=headers.get("x-feedback-token", ""),
        message_id=headers.get("message-id", ""),
        list_unsubscribe=headers.get("list-unsubscribe", ""),
        envelope_sender=mail.source,
    )


def _read_bounce(bounce: _Bounce, original: OriginalMessage) -> Iterator[ProviderEvent]:
    for recipient in bounce.recipients:
        category = _SUBTYPES.get(bounce.subtype)
        if category is not None and bounce.subtype in _DECISIVE:
            reason = category
        else:
            reason = judge_reason(recipient.diagnostic, status=recipient.status, category=category)
        yield make_event(
            NAME,
            FeedbackKind.bounce,
            event_id=bounce.feedback_id and f"{bounce.feedback_id} {recipient.address}",
            address=recipient.address,
            happened_at=bounce.timestamp,
            reason=reason,
            words=recipient.diagnostic,
            status=recipient.status,
            original=original,
        )


def _read_complaint(complaint: _Complaint, original: OriginalMessage) -> Iterator[ProviderEvent]:
    if complaint.type in _NO_COMPLAINTS:
        return
    for recipient in complaint.recipients:
        yield make_event(
            NAME,
            FeedbackKind.complaint,
            event_id=complaint.feedback_id and f"{complaint.feedback_id} {recipient.address}",
            address=recipient.address,
            happened_at=complaint.timestamp,
            words=complaint.type,
            original=original,
        )


def _read_delay(event: _Event, original: OriginalMessage) -> Iterator[ProviderEvent]:
    for recipient in event.delay.recipients:
        yield make_event(
            NAME,
            FeedbackKind.bounce,
            event_id=f"{event.mail.message_id} delay {event.delay.timestamp} {recipient.address}",
            address=recipient.address,
            happened_at=event.delay.timestamp,
            reason=judge_reason(
                recipient.diagnostic,
                status=recipient.status,
                category=_DELAYS.get(event.delay.type),
                is_delay=True,
            ),
            words=recipient.diagnostic,
            status=recipient.status,
            is_delay=True,
            original=original,
        )


def _read_reject(event: _Event, original: OriginalMessage) -> Iterator[ProviderEvent]:
    for address in event.mail.destination:
        yield make_event(
            NAME,
            FeedbackKind.bounce,
            event_id=f"{event.mail.message_id} reject {address}",
            address=address,
            happened_at=None,
            reason=Reason.content,
            words=event.reject.reason,
            original=original,
        )


def _read_subscription(event: _Event, original: OriginalMessage) -> Iterator[ProviderEvent]:
    if not event.subscription.preferences.has_left:
        return
    for address in event.mail.destination:
        yield make_event(
            NAME,
            FeedbackKind.leave,
            event_id=f"{event.mail.message_id} subscription {event.subscription.timestamp} {address}",
            address=address,
            happened_at=event.subscription.timestamp,
            original=original,
        )
