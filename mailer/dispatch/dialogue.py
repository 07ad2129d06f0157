"""Reading a server's side of the dialogue: bytes in, replies out (RFC 5321 §4.2)."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailer.errors import MailerError

_LONGEST_LINE = 8_192
"""RFC 5321 §4.5.3.1.5 allows 512 bytes; some servers explain themselves at length."""

_MOST_LINES = 200
_GIBBERISH = 0
_CODES: Final = {b"%03d" % code: code for code in range(1000)}
"""What a line may begin with; to look it up is quicker than to read a number, four times a message."""


class GibberishError(MailerError):
    """The server sent a line or a reply longer than any server should."""

    def __init__(self) -> None:
        super().__init__("the server's reply is too long")


class Reply(NamedTuple):
    """One reply: its code (0 for what is no reply at all) and its words, lines joined by LF, undecoded."""

    code: int
    words: bytes


class ReplyReader:
    """Cuts what a server sends into replies. Whatever arrives in whatever pieces, replies are the same."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a reply has been read that is not yet complete."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that ``data`` completes.

        Raises:
            GibberishError: a line or a reply is longer than any server's should be.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        replies = []
        for line in lines:
            mark = line[3:4]
            code = _CODES.get(line[:3], _GIBBERISH) if mark in b" -\r" else _GIBBERISH
            words = (line if code == _GIBBERISH else line[4:]).rstrip(b"\r")
            if mark == b"-" and code != _GIBBERISH:
                self._lines.append(words)
                continue
            if self._lines:
                words = b"\n".join((*self._lines, words))
                self._lines.clear()
            replies.append(Reply(code, words))
        if len(self._rest) > _LONGEST_LINE or len(self._lines) > _MOST_LINES:
            raise GibberishError
        return replies


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a server offers, from its answer to EHLO: keywords in capitals, each with its parameters."""

    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.offers

    @property
    def auth(self) -> tuple[str, ...]:
        """The ways to log in; old servers write AUTH=LOGIN."""
        return self.offers.get("AUTH", ())


def read_capabilities(words: str) -> Capabilities:
    """What the lines after the first of a reply to EHLO say (RFC 5321 §4.1.1.1)."""
    offers: dict[str, tuple[str, ...]] = {}
    for line in words.split("\n")[1:]:
        keyword, *parameters = line.replace("=", " ", 1).upper().split() or [""]
        offers[keyword] = (*offers.get(keyword, ()), *parameters)
    return Capabilities(offers=offers)
