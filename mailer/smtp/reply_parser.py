"""Parse SMTP replies and the capabilities in a reply to EHLO (RFC 5321 §4.2, §4.1.1.1)."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailer.smtp.errors import MalformedReplyError

_MAX_LINE_LENGTH = 8_192
"""RFC 5321 §4.5.3.1.5 allows 512 bytes; some servers send long explanations."""

_MAX_LINES = 200
_MALFORMED = 0
_CODES: Final = {b"%03d" % code: code for code in range(1000)}
"""Reply codes by their bytes: a lookup is faster than parsing a number four times a message."""


class Reply(NamedTuple):
    """One reply: its code (0 if malformed) and its undecoded text, lines joined by LF."""

    code: int
    text: bytes


class ReplyParser:
    """Splits what a server sends into replies, however the bytes are divided."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Whether no incomplete reply is buffered."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that ``data`` completes.

        Raises:
            MalformedReplyError: a line or a reply is longer than any server should send.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        replies = []
        for line in lines:
            mark = line[3:4]
            code = _CODES.get(line[:3], _MALFORMED) if mark in b" -\r" else _MALFORMED
            words = (line if code == _MALFORMED else line[4:]).rstrip(b"\r")
            if mark == b"-" and code != _MALFORMED:
                self._lines.append(words)
                continue
            if self._lines:
                words = b"\n".join((*self._lines, words))
                self._lines.clear()
            replies.append(Reply(code, words))
        if len(self._rest) > _MAX_LINE_LENGTH or len(self._lines) > _MAX_LINES:
            raise MalformedReplyError
        return replies


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a server offers in its reply to EHLO: keywords in capitals, each with its parameters."""

    keywords: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def auth_mechanisms(self) -> tuple[str, ...]:
        """The authentication mechanisms; old servers write AUTH=LOGIN."""
        return self.keywords.get("AUTH", ())


def parse_ehlo_text(text: str) -> Capabilities:
    """Parse the text of a reply to EHLO; the first line is the server's name (RFC 5321 §4.1.1.1)."""
    offers: dict[str, tuple[str, ...]] = {}
    for line in text.split("\n")[1:]:
        keyword, *parameters = line.replace("=", " ", 1).upper().split() or [""]
        offers[keyword] = (*offers.get(keyword, ()), *parameters)
    return Capabilities(keywords=offers)
