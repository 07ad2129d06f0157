"""Complaints in XARF, the JSON form that RFC 9477 (section 3.5.2) allows beside ARF.

We ask for ARF, but a provider may know only this form. Versions 1 to 3 keep the message that was reported in
``Samples``, version 4 in ``evidence``.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailer.feedback.mime_part import MimePart, parse_message

_JSON_TYPES = frozenset({"application/json", "application/xarf+json", "text/json"})
_MESSAGE_TYPES = ("message/rfc822", "text/rfc822", "message/global")
_ADDRESS_FIELDS = ("SmtpRcptToAddress", "smtp_to", "recipient")
_SPAM_TYPES = frozenset({"spam", "bulk_messaging", "bulk-messaging", "complaint"})


@dataclass(frozen=True, kw_only=True)
class XarfReport:
    """A report of spam: the ``address`` that got it, "" if it is hidden, and the ``sample``, as far as it is
    shown."""

    address: str
    sample: MimePart | None


def read_xarf(message: MimePart) -> XarfReport | None:
    """Find a report of spam in ``message``; None if it has none, or one of something else."""
    for part in message.walk():
        if part.content_type in _JSON_TYPES and (fields := _read_object(part.text)):
            report = fields.get("Report")
            body = report if isinstance(report, dict) else fields
            kind = _read_text(body, ("ReportType", "type")).lower()
            if _is_xarf(fields) and kind in _SPAM_TYPES:
                return XarfReport(address=_read_text(body, _ADDRESS_FIELDS), sample=_find_sample(body))
    return None


def _is_xarf(fields: Mapping[str, object]) -> bool:
    return "xarf_version" in fields or ("Version" in fields and isinstance(fields.get("Report"), dict))


def _read_object(text: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_text(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((str(value) for name in names if isinstance(value := fields.get(name), str)), "")


def _find_sample(body: Mapping[str, object]) -> MimePart | None:
    return next(_list_samples(body), None)


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
