"""Reads the machine-readable part of a delivery report (RFC 3464, RFC 6533)."""

import re
from collections.abc import Iterator

from mailer.feedback.bounces.recipient_report import (
    RecipientReport,
    clean_address,
    find_code,
    find_status,
    one_line,
)
from mailer.feedback.mime_headers import Headers, find_fields, make_headers

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
# More are a list of a mailing list server, whose members are no recipients of ours.
_MAX_RECIPIENTS = 500


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
    """Whether every line is a field or continues one."""
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
    """Yield one group of fields per recipient, also where empty lines or none at all part them."""
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
