"""Machine-readable reports of a bounce: RFC 3464 and RFC 6533, and what Amazon SES tells by e-mail."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mailer.feedback.mime_headers import Headers, find_fields, make_headers
from mailer.feedback.mime_part import MimePart

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]\d)")
_CODE = re.compile(r"(?<![\d.,:/=-])([245][0-5]\d)(?=[ \-,:;\"'<>)\]]|$)(?!-\d)")
_ADDRESS = re.compile(
    r"[^\s<>,;:\"'()\[\]\\|]+@[^\s<>,;:\"'()\[\]\\|]+|\"[^\"\n]{1,64}\"@[^\s<>,;:\"'()\[\]\\|]+"
)
# Longer replies repeat themselves, or quote the message.
_MAX_WORDS = 700
# Also as some servers misname it.
STATUS_TYPES = frozenset(
    {
        "message/delivery-status",
        "message/global-delivery-status",
        "message/xdelivery-status",
        "text/delivery-status",
    }
)
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
# Words that servers write in place of RFC 3464's.
_OTHER_ACTIONS = {
    "failure": "failed",
    "fail": "failed",
    "error": "failed",
    "failed-to-deliver": "failed",
    "expired": "failed",
    "deliverable": "delivered",
    "delivery": "delivered",
    "delay": "delayed",
    "deferred": "delayed",
    "warning": "delayed",
}
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient", "recipient")
# Where some servers put the better words.
_MORE_WORDS = ("x-supplementary-info", "x-notes")
# RFC 6533, section 3: a character of an address, in an address that had to stay in ASCII.
_UTF8_CHARACTER = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
# RFC 3461, section 4: xtext.
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,40}[ \t]*:")
_INDENTED_FIELD = re.compile(
    r"^[ \t]+(?:Final-Recipient|Original-Recipient|Action|Status|Diagnostic-Code):",
    re.IGNORECASE | re.MULTILINE,
)
_TYPE = re.compile(r"\s*[A-Za-z0-9_. -]{1,30}\s*")
# What only the server knows: a number at a program or host, or a domain that RFC 6761, 6762 or 8375 keeps for
# inside. A name at a host is an alias's target, and may be one of several.
_LOCAL_ADDRESS = re.compile(
    r"\d+@[^.]+|.+@(?:.+\.)?(?:local|localdomain|localhost|internal|lan|home\.arpa)", re.IGNORECASE
)
# More are a list of a mailing list server, whose members are no recipients of ours.
_MAX_RECIPIENTS = 500


@dataclass(frozen=True, kw_only=True)
class RecipientReport:
    """One recipient as a bounce names it, before the reason is known: as a
    :class:`~mailer.feedback.incoming_message.ReportedRecipient`, with the ``host`` that refused and the SMTP
    ``command`` that it refused.
    """

    address: str
    words: str = ""
    status: str = ""
    code: str = ""
    action: str = ""
    host: str = ""
    command: str = ""
    envelope_id: str = ""
    original_address: str = ""


def clean_address(text: str) -> str:
    """Return the first address in ``text`` without what surrounds it, "" if there is none."""
    if "@" not in text:
        return ""
    match = _ADDRESS.search(text[:1000])
    if match is None:
        return ""
    local, _, domain = match[0].rpartition("@")
    domain = domain.strip(".>'\"`*_!?=")
    local = local.lstrip("<=*'`") if not local.startswith('"') else local
    if local.lower().startswith(("mailto:", "rfc822;", "smtp:")):
        local = re.split(r"[:;]", local, maxsplit=1)[1]
    return f"{local}@{domain}" if local and domain else ""


def one_line(text: str) -> str:
    """Return ``text`` on one line, without runs of spaces, at most 700 characters of it."""
    words = " ".join(text[: _MAX_WORDS * 4].split())
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def find_status(text: str) -> str:
    """Return the first enhanced status code (RFC 3463) in ``text`` that says something, "" if none does."""
    found = [match[1] for match in _STATUS.finditer(text[: _MAX_WORDS * 2])]
    # x.0.0 is "other": a more precise one after it is the server's own.
    return next((status for status in found if not status.endswith(".0.0")), found[0] if found else "")


def find_code(text: str) -> str:
    """Return the first SMTP reply code in ``text``, "" if there is none."""
    match = _CODE.search(text[: _MAX_WORDS * 2])
    return match[1] if match else ""


def read_delivery_status(text: str) -> tuple[RecipientReport, ...]:
    """Read the recipients of the report ``text``, each with its own action, status and words."""
    groups = [group for group in _read_groups(text) if group]
    envelope_id = next(
        (one_line(value) for group in groups if (value := group.get("original-envelope-id"))), ""
    )
    mta = next((value for group in groups if (value := group.get("reporting-mta"))), "")
    reports: list[RecipientReport] = []
    for group in _join_groups(groups):
        report = _read_recipient(group, envelope_id, mta)
        if report and report not in reports:
            reports.append(report)
        if len(reports) == _MAX_RECIPIENTS:
            break
    return tuple(reports)


def _read_groups(text: str) -> Iterator[Headers]:
    for block in _EMPTY_LINES.split(text):
        if block:
            fields = find_fields(block)
            yield make_headers(fields if _is_sound(block, len(fields)) else find_fields(_mend_block(block)))


def _is_sound(block: str, fields: int) -> bool:
    continued = block.count("\n ") + block.count("\n\t")
    return fields + continued == block.count("\n") + 1 and not _INDENTED_FIELD.search(block)


def _mend_block(block: str) -> str:
    """Undo an indent, and the wrapping of servers that leave out the space that RFC 5322 asks for."""
    lines: list[str] = []
    for line in block.split("\n"):
        if lines and line and line[0] not in " \t" and not _FIELD.match(line):
            lines[-1] += "\n " + line
        else:
            lines.append(line.lstrip() if _INDENTED_FIELD.match(line) else line)
    return "\n".join(lines)


def _join_groups(groups: list[Headers]) -> Iterator[Headers]:
    current: list[tuple[str, str]] = []
    for group in groups:
        if current and not any(name in group for name in _RECIPIENT_FIELDS):
            current.extend(group.fields)
            continue
        for name, value in group.fields:
            if name == "final-recipient" and any(name == other for other, _ in current):
                yield Headers(tuple(current))
                current = []
            current.append((name, value))
    if current:
        yield Headers(tuple(current))


def _read_recipient(group: Headers, envelope_id: str, mta: str) -> RecipientReport | None:
    final = _read_address(group.get("final-recipient") or group.get("recipient"))
    original = _read_address(group.get("original-recipient"))
    actual = _read_address(group.get("x-actual-recipient"))
    if original and _LOCAL_ADDRESS.fullmatch(final):
        final = original
    address = final or original or actual
    if not address:
        return None
    diagnostic = _read_diagnostic(group)
    action = _read_action(group.get("action"))
    status = find_status(group.get("status")) or find_status(diagnostic)
    return RecipientReport(
        address=address,
        original_address=original if original.lower() != address.lower() else "",
        words=diagnostic,
        status=status,
        code=find_code(diagnostic),
        action=action or ("delayed" if status.startswith("4") else "failed"),
        host=_after_type(group.get("remote-mta")) or _after_type(mta),
        envelope_id=envelope_id,
    )


def _read_diagnostic(group: Headers) -> str:
    values = [one_line(_after_type(value)) for value in group.all("diagnostic-code")]
    values += [one_line(value) for name in _MORE_WORDS if (value := group.get(name))]
    return values[0] if len(values) == 1 else one_line(" ".join(dict.fromkeys(values)))


def _read_action(value: str) -> str:
    words: list[str] = re.findall(r"[a-z-]+", value.lower())
    for word in words:
        if word in _ACTIONS:
            return word
    return next((_OTHER_ACTIONS[word] for word in words if word in _OTHER_ACTIONS), "")


def _after_type(value: str) -> str:
    """Return the value after such a type as ``smtp;``, without a comment about where it came from."""
    head, separator, rest = value.partition(";")
    return (rest if separator and _TYPE.fullmatch(head) else value).strip()


def _read_address(value: str) -> str:
    """Read such a value as ``rfc822; name@example.org`` or ``utf-8; na\\x{EF}ve@example.org``."""
    kind = value.partition(";")[0].strip().lower()
    text = _after_type(value)
    if kind == "utf-8":
        text = _UTF8_CHARACTER.sub(lambda match: _character(int(match[1], 16)), text)
    if "@" not in text and "+40" in text:
        text = _XTEXT.sub(lambda match: _character(int(match[1], 16)), text)
    return clean_address(text)


def _character(number: int) -> str:
    """Return the character, "" for what is none: a control character, a surrogate, or beyond Unicode."""
    return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number <= 0x10FFFF else ""


def is_from_amazon(message: MimePart) -> bool:
    """Return whether the sender is Amazon's notification service, as far as its address tells."""
    return "amazonaws.com" in message.headers.raw("from").lower()


def find_amazon_event(text: str) -> dict[str, Any]:
    """Return the event in ``text``, bare or in the envelope of SNS; empty if there is none."""
    if "otificationType" not in text and "eventType" not in text:
        return {}
    event = _read_object(text)
    inner = event.get("Message")
    return _read_object(inner) if isinstance(inner, str) else event


def _read_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    # The mail wraps the JSON inside its strings, and has Amazon's own words below it.
    decoder = json.JSONDecoder(strict=False)
    try:
        value, _ = decoder.raw_decode(text[start:]) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def read_amazon_bounce(text: str) -> tuple[RecipientReport, ...]:
    """Return the recipients of a notification of a bounce or a delivery; empty if ``text`` is none."""
    event = find_amazon_event(text)
    bounce, delivery = event.get("bounce"), event.get("delivery")
    reports: list[RecipientReport] = []
    if isinstance(bounce, dict):
        is_transient = str(bounce.get("bounceType", "")).lower() == "transient"
        for entry in _listed(bounce.get("bouncedRecipients")):
            if isinstance(entry, dict) and (address := clean_address(str(entry.get("emailAddress", "")))):
                words = one_line(str(entry.get("diagnosticCode") or "").removeprefix("smtp;"))
                status = find_status(str(entry.get("status") or "")) or find_status(words)
                action = str(entry.get("action") or "").lower()
                known = (
                    action if action in ("failed", "delayed") else ("delayed" if is_transient else "failed")
                )
                reports.append(
                    RecipientReport(
                        address=address,
                        words=words or one_line(str(bounce.get("bounceSubType", ""))),
                        status=status,
                        code=find_code(words),
                        action=known,
                    )
                )
    elif isinstance(delivery, dict):
        words = one_line(str(delivery.get("smtpResponse") or ""))
        for entry in _listed(delivery.get("recipients")):
            if address := clean_address(str(entry)):
                reports.append(
                    RecipientReport(
                        address=address, words=words, status=find_status(words), action="delivered"
                    )
                )
    return tuple(reports)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
