"""Reads one incoming message: what it is, whom it is about, and in which words."""

from collections.abc import Sequence
from dataclasses import replace

from mailer.feedback.auto_replies.detector import is_auto_reply
from mailer.feedback.bounces.bounce_reader import read_bounce
from mailer.feedback.complaints import read_complaint
from mailer.feedback.dmarc_reports import read_aggregate_report
from mailer.feedback.incoming_message import FeedbackKind, IncomingMessage
from mailer.feedback.mime_headers import list_addresses
from mailer.feedback.mime_part import MimePart, parse_message
from mailer.feedback.replies import is_written_by_person, read_own_text
from mailer.rendering.return_addresses import find_token

# Where a message was delivered to, the surest first. The last two are what its sender wrote.
_DELIVERY_FIELDS = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "to",
    "cc",
)
_MAX_ADDRESSES = 50
_MAX_LENGTH = 998  # RFC 5322, section 2.1.1


def read_message(
    raw: bytes, *, delivered_to: Sequence[str] = (), leave_address: str = "", delimiter: str = "+"
) -> IncomingMessage:
    """Read ``raw`` as an incoming message. Never raises, whatever the bytes are.

    ``delivered_to`` are the recipients of its envelope, where they are known (LMTP). ``leave_address`` and
    ``delimiter`` are those of the settings; without them, any address such as leave+TOKEN@… is taken for the
    leaving address. Whether its token is ours is for the identification to say.
    """
    message = parse_message(raw)
    addresses = _list_delivery_addresses(message, delivered_to)
    senders = list_addresses(message.headers.get("from"))
    incoming = IncomingMessage(
        kind=FeedbackKind.other,
        delivered_to=addresses,
        sender=senders[0] if senders else "",
        subject=message.headers.get("subject")[:_MAX_LENGTH],
        message_id=message.headers.raw("message-id")[:_MAX_LENGTH],
    )
    local_part = (leave_address.partition("@")[0] or "leave").lower()
    if any(_is_leave_address(address, f"{local_part}{delimiter}") for address in addresses):
        return replace(incoming, kind=FeedbackKind.leave, text=message.readable_text)
    if complaint := read_complaint(message):
        return replace(
            incoming,
            kind=FeedbackKind.complaint,
            recipients=complaint.recipients,
            original=complaint.original,
            text=complaint.text,
        )
    if report := read_aggregate_report(message):
        return replace(incoming, kind=FeedbackKind.dmarc, dmarc=report)
    if bounce := read_bounce(message):
        return replace(
            incoming,
            kind=FeedbackKind.bounce,
            recipients=bounce.recipients,
            original=bounce.original,
            text=bounce.text,
        )
    if is_auto_reply(message):
        kind = FeedbackKind.auto_reply
    elif is_written_by_person(message):
        kind = FeedbackKind.reply
    else:
        return replace(incoming, text=message.readable_text)
    return replace(incoming, kind=kind, text=read_own_text(message.readable_text))


def _list_delivery_addresses(message: MimePart, envelope: Sequence[str]) -> tuple[str, ...]:
    stated = (value for name in _DELIVERY_FIELDS for value in message.headers.all(name))
    return list_addresses(*envelope, *stated)[:_MAX_ADDRESSES]


def _is_leave_address(address: str, start: str) -> bool:
    """Whether ``address`` is the leaving address with a token; servers may have put words before it (SRS)."""
    return start in address.partition("@")[0].lower() and find_token(address) is not None
