"""Bounces in prose: the tables of how mail servers write (``servers/``), shown sessions, and flufl.bounce."""

import re
import tomllib
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mailer.feedback.bounces.delivery_status import (
    RecipientReport,
    clean_address,
    find_code,
    find_status,
    one_line,
)
from mailer.feedback.mime_headers import clean_text
from mailer.feedback.mime_part import MimePart

_FOLDER = Path(__file__).parent / "servers"
# Asked after all others, because their marks are words that many servers write.
_LAST, _ANY_SERVER = "any_server", "any server"
# ``{address}`` in an expression.
_ADDRESS = r"(?P<address>[^\s<>()\[\]\"',;:|：（）]+@[^\s<>()\[\]\"',;:|]+)"
# ``{line}``: one more line of the same recipient's words, neither empty nor the next recipient.
_LINE = (
    r"(?:\n(?![ \t]*$|[ \t]*<?[^\s<>@]+@[^\s<>@]+>?:?[ \t]*$|[ \t]*<[^\s<>@]+@[^\s<>@]+>:"
    r"|[ \t]*[^\s<>@:]+@[^\s<>@:]+[ \t]*[:(]|---).*)"
)
_FLAGS = re.MULTILINE | re.IGNORECASE
_MAX_RECIPIENTS = 200
_REFUSED = re.compile(
    r"^[ \t]*(?:>>>|-->|Sent <<<)[ \t]*(RCPT|DATA|MAIL|\.)(.*)\n(?:[ \t]*\n)?"
    r"[ \t]*(?:<<<|<--|Received >>>)[ \t]*[45]\d\d(.*(?:\n[ \t]*<<<.*){0,8})",
    re.IGNORECASE | re.MULTILINE,
)
# After a refused RCPT, a server that was asked for both at once (RFC 2920) says this to DATA.
_NO_RECIPIENT = re.compile(
    r"\b(?:503|554)\b.{0,20}(?:need rcpt|no valid recipients|valid rcpt)", re.IGNORECASE
)
# The words of qmail for the two commands, and of a server that names the command.
_PROSE = (
    ("does not like recipient", "RCPT"),
    ("failed after i sent the message", "DATA"),
    ("smtp:rcpt host", "RCPT"),
)
# Postfix's words, at the end of what it says of one recipient.
_IN_REPLY_TO = re.compile(r"\(in\s+reply\s+to\s+(?:end\s+of\s+)?(RCPT|DATA|MAIL)\b", re.IGNORECASE)
# Sendmail's own words at the end of a session, which it has for addresses alone.
_RECAP = re.compile(
    r"^[ \t]*5\d\d[ ](?:5\.\d\.\d )?(?:\S+\.\.\. )?(?:user|host) unknown\b", re.IGNORECASE | re.MULTILINE
)
_TRANSCRIPT = re.compile(r"transcript of session follows[ \t-]*\n", re.IGNORECASE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_SEPARATOR = re.compile(r"[,;\n]|\s{2,}")
# Each of its readers looks at every line of every part. A mail of 100 kB has 2,000 lines, but one of empty
# lines as many as bytes.
_MAX_BYTES = 100_000
_MAX_LINES = 3_000


@dataclass(frozen=True)
class ServerRule:
    """How one server names the recipients of a bounce.

    ``marks`` are lower-case words of which one must be in the message's sender, subject or text, so that a
    rule that cannot apply costs nothing. ``find`` is a regular expression with the group ``address`` (or
    ``{address}``), perhaps ``words`` (of which ``{line}`` is one more line), and ``original`` for the address
    that was forwarded. ``after`` and ``until`` choose a part of the text for it. ``reply`` finds the group
    ``words`` where these stand apart from the addresses. ``command`` is RCPT where this server says this of
    addresses, not of messages. ``sample`` is such a bounce, and ``finds`` the addresses in it.
    """

    server: str
    marks: tuple[str, ...]
    find: str
    after: str = ""
    until: str = ""
    reply: str = ""
    action: str = "failed"
    command: str = ""
    sample: str = ""
    finds: tuple[str, ...] = ()

    @cached_property
    def _find(self) -> re.Pattern[str]:
        return re.compile(self.find.replace("{address}", _ADDRESS).replace("{line}", _LINE), _FLAGS)

    @cached_property
    def _limits(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None, re.Pattern[str] | None]:
        expressions = (self.after, self.until, self.reply)
        after, until, reply = (re.compile(text, _FLAGS) if text else None for text in expressions)
        return after, until, reply

    def applies(self, lower_text: str) -> bool:
        """Return whether a mark of the server is in the lower-case ``lower_text``."""
        # Not any(): this is asked of every rule, and a generator takes longer than the search.
        for mark in self.marks:  # noqa: SIM110
            if mark in lower_text:
                return True
        return False

    def read(self, text: str) -> tuple[RecipientReport, ...]:
        """Return the recipients that ``text`` names in this server's way."""
        after, until, reply = self._limits
        section = text
        if after:
            start = after.search(text)
            if start is None:
                return ()
            section = text[start.end() :]
        if until and (end := until.search(section)):
            section = section[: end.start()]
        found = reply.search(text) if reply else None
        shared = found["words"] if found else ""
        reports: dict[str, RecipientReport] = {}
        for match in self._find.finditer(section):
            groups = match.groupdict()
            for address in filter(None, map(clean_address, _SEPARATOR.split(groups["address"]))):
                words = one_line(groups.get("words") or "") or one_line(shared)
                if address.lower() not in reports or (words and not reports[address.lower()].words):
                    reports[address.lower()] = self._report(address, words, groups)
            if len(reports) >= _MAX_RECIPIENTS:
                break
        return tuple(reports.values())

    def _report(self, address: str, words: str, groups: dict[str, str | None]) -> RecipientReport:
        return RecipientReport(
            address=address,
            words=words,
            status=find_status(words),
            code=find_code(words),
            action=self.action,
            command=self.command,
            original_address=clean_address(groups.get("original") or ""),
        )


@cache
def load_server_rules() -> tuple[ServerRule, ...]:
    """Read the tables, once per process, in the order in which they are asked."""
    paths = sorted(_FOLDER.glob("*.toml"), key=lambda path: (path.stem == _LAST, path.stem))
    rules: list[ServerRule] = []
    for path in paths:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        for entry in table["rule"]:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
            }
            rules.append(ServerRule(server=table["server"], **values))
    return tuple(rules)


def read_server_text(text: str, head: str, *, is_known_server: bool = False) -> tuple[RecipientReport, ...]:
    """Read the recipients from a server's prose; the first rule that finds one decides.

    ``head`` holds the sender and the subject, for marks that stand there. With ``is_known_server``, what any
    server might write does not count, because people write and quote it, too.
    """
    lower_text = f"{head}\n{text}".lower()
    for rule in load_server_rules():
        if is_known_server and rule.server == _ANY_SERVER:
            break
        if rule.applies(lower_text) and (reports := rule.read(text)):
            return reports
    return ()


def find_refused_command(text: str, address: str, *, is_only: bool) -> str:
    """Return "RCPT", "DATA" or "MAIL", "" where ``text`` does not show what was refused for ``address``.

    Unless ``is_only`` says that the notice is about this one recipient, only what names the address counts.
    """
    if command := _find_in_paragraph(text, address):
        return command
    if ">>>" in text or "-->" in text:
        for match in _REFUSED.finditer(text):
            command = match[1].upper()
            if command == "RCPT":
                if address.lower() in match[2].lower():
                    return command
            elif is_only:
                has_no_recipient = command in ("DATA", ".") and _NO_RECIPIENT.search(match[3])
                return "RCPT" if has_no_recipient else command.replace(".", "DATA")
    if is_only and _RECAP.search(find_transcript(text)):
        return "RCPT"
    lower_text = text.lower() if is_only else ""
    return next((command for words, command in _PROSE if words in lower_text), "")


def find_transcript(text: str) -> str:
    """Return the lines under Sendmail's "Transcript of session follows", "" if there are none.

    Programs that deliver on the same machine say there why they could not, without a reply code.
    """
    heading = _TRANSCRIPT.search(text)
    if heading is None:
        return ""
    lines = text[heading.end() :].lstrip()
    end = _PARAGRAPH_END.search(lines)
    return lines[: end.start()] if end else lines


def _find_in_paragraph(text: str, address: str) -> str:
    start = text.lower().find(f"<{address.lower()}>: ")
    if start < 0:
        return ""
    end = _PARAGRAPH_END.search(text, start)
    match = _IN_REPLY_TO.search(text, start, end.start() if end else len(text))
    return match[1].upper() if match else ""


def read_with_flufl(message: MimePart) -> tuple[RecipientReport, ...]:
    """Return the recipients that flufl.bounce finds in ``message``."""
    from flufl.bounce import all_failures

    fields = "".join(f"{name}: {value}\n" for name, value in message.headers.fields)
    body = b"\n".join(message.body[:_MAX_BYTES].split(b"\n", _MAX_LINES)[:_MAX_LINES])
    source = f"{fields}\n".encode("utf-8", "replace") + body
    try:
        temporary, permanent = all_failures(message_from_bytes(source))
    # It is somebody else's code on anybody's bytes: whatever it raises, the message has still to be kept.
    except (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return ()
    found: dict[str, RecipientReport] = {}
    for action, addresses in (("failed", permanent), ("delayed", temporary)):
        for raw in sorted(addresses):
            text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
            address = clean_address(clean_text(text))
            if address:
                found.setdefault(address.lower(), RecipientReport(address=address, action=action))
    return tuple(found.values())
