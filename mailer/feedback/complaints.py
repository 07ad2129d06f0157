"""Complaints: a provider says that a reader reported a message as spam (RFC 5965, XARF, Microsoft's form).

We ask for ARF (RFC 5965), but a provider may know only XARF. Its versions 1 to 3 keep the message that was
reported in ``Samples``, version 4 in ``evidence``.
"""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.bounces.delivery_status import find_amazon_event, is_from_amazon
from mailer.feedback.incoming_message import IncomingMessage, OriginalMessage, ReportedRecipient
from mailer.feedback.mime_headers import Headers, list_addresses, parse_headers
from mailer.feedback.mime_part import MimePart, describe_original, find_enclosed, parse_message
from mailer.reasons.reason import Reason

_JSON_TYPES = frozenset({"application/json", "application/xarf+json", "text/json"})
_MESSAGE_TYPES = ("message/rfc822", "text/rfc822", "message/global")
_ADDRESS_FIELDS = ("SmtpRcptToAddress", "smtp_to", "recipient")
_SPAM_TYPES = frozenset({"spam", "bulk_messaging", "bulk-messaging", "complaint"})
_REPORT_TYPES = frozenset({"message/feedback-report", "text/feedback-report"})
# RFC 5965, section 7.3, and RFC 6591. What a report without a type says is taken for the worst.
_REASONS: dict[str, Reason | None] = {
    "abuse": Reason.complaint,
    "fraud": Reason.complaint,
    "opt-out": Reason.complaint,
    "opt-out-list": Reason.complaint,
    "complaint": Reason.complaint,
    "other": Reason.complaint,
    "virus": Reason.content,
    "auth-failure": Reason.authentication,
    "dkim": Reason.authentication,
    "dmarc": Reason.authentication,
    "not-spam": None,
}
_RECIPIENT_FIELDS = ("original-rcpt-to", "removal-recipient", "redacted-address", "x-original-rcpt-to")
_MICROSOFT_FIELD = "x-hmxmroriginalrecipient"
_ENVELOPE_FIELDS = (
    "x-original-to",
    "delivered-to",
    "envelope-to",
    "x-envelope-to",
)
# What providers write in the place of an address that they hide.
_HIDDEN = re.compile(
    r"redact|undisclosed|hidden|anonymi[sz]ed|removed|^[x*]+@|^[0-9a-f]{32,}@", re.IGNORECASE
)
# Microsoft's report programme sends the message back with no report in it.
_MICROSOFT_SENDER = re.compile(
    r"\b(?:staff@hotmail\.com|staff@outlook\.com|[a-z]{0,60}jmrp[a-z]{0,60}@|report_spam@hotmail\.com)",
    re.IGNORECASE,
)
_MICROSOFT_SUBJECT = re.compile(r"^\s*complaint about message from ", re.IGNORECASE)
_PLAIN_SUBJECT = re.compile(
    r"^\s*(?:email feedback report|abuse report|spam (?:report|complaint))\b", re.IGNORECASE
)
_MACHINE_SENDER = re.compile(
    # A local part has 64 characters at most (RFC 5321, section 4.5.3.1.1).
    r"\b(?:fbl|feedback|abuse|scomp|complaints?|arf|spam)[a-z0-9._-]{0,64}@",
    re.IGNORECASE,
)


def read_complaint(message: MimePart) -> IncomingMessage | None:
    report = _find_report(message)
    if report is None and not _is_bare_report(message):
        return _read_xarf_complaint(message) or _read_amazon_complaint(message)
    enclosed = find_enclosed(message)
    if report is None and enclosed is None:
        return None
    fields = report if report is not None else Headers()
    original = describe_original(enclosed)
    kind = fields.get("feedback-type").strip().lower()
    reason = _REASONS.get(kind, Reason.complaint)
    addresses = _find_addresses(fields, enclosed.headers if enclosed else Headers(), message)
    words = " ".join(message.readable_text[:2000].split())[:700]
    envelope_id = fields.get("original-envelope-id").strip()[:255]
    return IncomingMessage(
        kind=FeedbackKind.complaint,
        recipients=tuple(
            ReportedRecipient(address=address, reason=reason, words=words, envelope_id=envelope_id)
            for address in addresses or ("",)
        ),
        original=original,
        text=message.readable_text.strip(),
    )


def _read_xarf_complaint(message: MimePart) -> IncomingMessage | None:
    report = _find_xarf(message)
    if report is None:
        return None
    sample = next(_list_samples(report), None)
    stated = list_addresses(_read_text(report, _ADDRESS_FIELDS)) or (
        list_addresses(*sample.headers.all("to")) if sample else ()
    )
    known = tuple(address for address in stated if not _HIDDEN.search(address))
    return IncomingMessage(
        kind=FeedbackKind.complaint,
        recipients=tuple(
            ReportedRecipient(address=address, reason=Reason.complaint) for address in known or ("",)
        ),
        original=describe_original(sample),
        text=message.readable_text.strip(),
    )


def _find_xarf(message: MimePart) -> Mapping[str, object] | None:
    """Find a report of spam in ``message``; None if it has none, or one of something else."""
    for part in message.all_parts:
        if part.content_type in _JSON_TYPES and (fields := _read_object(part.text)):
            report = fields.get("Report")
            body = report if isinstance(report, dict) else fields
            is_xarf = "xarf_version" in fields or ("Version" in fields and isinstance(report, dict))
            if is_xarf and _read_text(body, ("ReportType", "type")).lower() in _SPAM_TYPES:
                return body
    return None


def _read_object(text: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_text(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((str(value) for name in names if isinstance(value := fields.get(name), str)), "")


def _list_samples(body: Mapping[str, object]) -> Iterator[MimePart]:
    for name in ("Samples", "evidence"):
        entries = body.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            kind = _read_text(entry, ("ContentType", "content_type")).lower()
            payload = _read_text(entry, ("Payload", "payload"))
            if kind.startswith(_MESSAGE_TYPES) and payload:
                # Version 4 always encodes; earlier ones say so.
                is_encoded = name == "evidence" or entry.get("Base64Encoded") is True
                yield parse_message(_decode(payload) if is_encoded else payload.encode("utf-8", "replace"))


def _decode(payload: str) -> bytes:
    try:
        return b64decode(payload)
    except (binascii.Error, ValueError):
        return payload.encode("utf-8", "replace")


def _read_amazon_complaint(message: MimePart) -> IncomingMessage | None:
    if not is_from_amazon(message):
        return None
    complaint = find_amazon_event(message.readable_text).get("complaint")
    entries = complaint.get("complainedRecipients") if isinstance(complaint, dict) else None
    if not isinstance(entries, list) or not isinstance(complaint, dict):
        return None
    reason = _REASONS.get(str(complaint.get("complaintFeedbackType") or ""), Reason.complaint)
    stated = (str(entry.get("emailAddress") or "") for entry in entries if isinstance(entry, dict))
    return IncomingMessage(
        kind=FeedbackKind.complaint,
        recipients=tuple(
            ReportedRecipient(address=address, reason=reason) for address in list_addresses(*stated) or ("",)
        ),
        original=OriginalMessage(),
        text=message.readable_text.strip(),
    )


def _find_report(message: MimePart) -> Headers | None:
    for part in message.all_parts:
        if part.content_type in _REPORT_TYPES:
            # Empty lines between the fields are an error that some programs make.
            return parse_headers(part.text)
    return None


def _is_bare_report(message: MimePart) -> bool:
    """Return whether a provider sent only the message that its reader reported."""
    sender, subject = message.headers.get("from"), message.headers.get("subject")
    if _MICROSOFT_SENDER.search(sender) or _MICROSOFT_SUBJECT.match(subject):
        return True
    return bool(_MACHINE_SENDER.search(sender) and _PLAIN_SUBJECT.match(subject))


def _find_addresses(fields: Headers, enclosed: Headers, message: MimePart) -> tuple[str, ...]:
    """Return who complained: as the report says it, else the one to whom the message was sent. The envelope
    comes last: its address may be one that the message was forwarded to.
    """
    stated = list_addresses(*(value for name in _RECIPIENT_FIELDS for value in fields.all(name)))
    microsoft = list_addresses(*message.headers.all(_MICROSOFT_FIELD), *enclosed.all(_MICROSOFT_FIELD))
    envelope = list_addresses(*(value for name in _ENVELOPE_FIELDS for value in enclosed.all(name)))
    sent_to = list_addresses(*enclosed.all("to"))
    for addresses in (stated, microsoft, sent_to if len(sent_to) == 1 else (), envelope[:1], sent_to):
        known = tuple(address for address in addresses if not _HIDDEN.search(address))
        if known:
            return known
    return ()
