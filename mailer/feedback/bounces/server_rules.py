"""The tables of how mail servers write their bounces: one file per family of servers in ``servers/``."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mailer.feedback.bounces.recipient_report import (
    RecipientReport,
    clean_address,
    find_code,
    find_status,
    one_line,
)

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


@dataclass(frozen=True)
class ServerRule:
    """How one server names the recipients of a bounce.

    ``marks`` are lower-case words of which one must be in the message's sender, subject or text, so that a
    rule that cannot apply costs nothing. ``find`` is a regular expression with the group ``address`` (or
    ``{address}``), perhaps ``words`` (of which ``{line}`` is one more line), and ``original`` for the address
    that was forwarded. It is applied to the text, of which ``after`` and ``until`` choose a part. ``reply``
    finds the words, in a group of that name, where they stand apart from the addresses. ``action`` is RFC
    3464's, and ``command`` is RCPT where this server says this of addresses, not of messages. ``sample`` is
    such a bounce, and ``finds`` the addresses in it.
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
        """Whether a mark of the server is in the lower-case ``lower_text``."""
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
            for address in _addresses(groups["address"]):
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


def _addresses(text: str) -> Iterator[str]:
    for piece in re.split(r"[,;\n]|\s{2,}", text):
        address = clean_address(piece)
        if address:
            yield address


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
    """Read the recipients from a server's prose.

    ``head`` holds the sender and the subject, for marks that stand there. The first rule that finds a
    recipient decides. With ``is_known_server``, what any server might write does not count, because people
    write and quote it, too.
    """
    lower_text = f"{head}\n{text}".lower()
    for rule in load_server_rules():
        if is_known_server and rule.server == _ANY_SERVER:
            break
        if rule.applies(lower_text) and (reports := rule.read(text)):
            return reports
    return ()
