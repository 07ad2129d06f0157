"""The bytes of one SMTP connection: commands out, replies in (RFC 5321).

Whoever opens it sends one command after another; then a connection takes the replies as they come.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, cast

from locales.phrase import gettext_noop
from mailer.smtp.interfaces import MalformedReplyError, OutgoingMessage
from mailer.smtp.reply_classifier import clean_reply_text

_MAX_LINE_LENGTH = 8_192
"""RFC 5321 §4.5.3.1.5 allows 512 bytes; some servers send long explanations."""

_MAX_LINES = 200
_MALFORMED = 0
_CODES: Final = {b"%03d" % code: code for code in range(1000)}
"""Reply codes by their bytes: a lookup is faster than parsing a number four times a message."""
_ESCAPES: Final = {ord(char): f"+{ord(char):02X}" for char in "+="}
_UNSAFE_IN_COMMAND: Final = re.compile(r"[\x00-\x20<>\x7f-\x9f\u2028\u2029]")
SEND_BUFFER = 256 * 1024
"""In bytes; enough for a message of 100 KB and the next envelope to leave in one call."""


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
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that ``data`` completes. Raise MalformedReplyError if a line or a reply is
        longer than any server should send.
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
    """The capabilities in a server's reply to EHLO: keywords in capitals, each with its parameters."""

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


def encode_xtext(text: str) -> bytes:
    """Return ``text``, which has neither spaces nor control characters, as xtext. Raise UnicodeEncodeError if
    it is not ASCII.
    """
    return text.translate(_ESCAPES).encode("ascii")


def find_obstacle(message: OutgoingMessage, offers: Capabilities) -> str:
    """Return why a message cannot be sent at all to a server that ``offers`` these, "" if it can."""
    if _UNSAFE_IN_COMMAND.search(message.sender + message.recipient + message.envelope_id):
        return gettext_noop("the address contains characters that an SMTP command cannot carry")
    if "SMTPUTF8" not in offers.keywords and _needs_smtputf8(message):
        return gettext_noop("the address needs SMTPUTF8 (RFC 6531), which the mail server does not offer")
    if "8BITMIME" not in offers.keywords and not message.payload.isascii():
        return gettext_noop("the message needs 8BITMIME (RFC 6152), which the mail server does not offer")
    return ""


def write_mail_command(message: OutgoingMessage, offers: Capabilities) -> bytes:
    """Return MAIL for a message without obstacle, with its CRLF."""
    options = b" SIZE=%d" % len(message.payload) if "SIZE" in offers.keywords else b""
    if not message.payload.isascii():
        options += b" BODY=8BITMIME"
    if _needs_smtputf8(message):
        options += b" SMTPUTF8"
    if _asks_for_reports(message, offers):
        # RFC 3461: the report returns the headers, not the whole newsletter.
        options += b" RET=HDRS ENVID=%b" % encode_xtext(message.envelope_id)
    return b"MAIL FROM:<%b>%b\r\n" % (message.sender.encode(), options)


def write_rcpt_command(message: OutgoingMessage, offers: Capabilities) -> bytes:
    options, address = b"", message.recipient
    if _asks_for_reports(message, offers):
        # Only of failures: there is nothing to do about a delay. Which address we wrote to, however often it
        # is forwarded; one that is not ASCII would need another notation (RFC 6533), which few servers know.
        original = b" ORCPT=rfc822;%b" % encode_xtext(address) if address.isascii() else b""
        options = b" NOTIFY=FAILURE%b" % original
    return b"RCPT TO:<%b>%b\r\n" % (address.encode(), options)


def _asks_for_reports(message: OutgoingMessage, offers: Capabilities) -> bool:
    return message.envelope_id != "" and "DSN" in offers.keywords


def _needs_smtputf8(message: OutgoingMessage) -> bool:
    """Return whether an address is not ASCII (RFC 6531). Only a local part can be: domains are A-labels."""
    return not (message.sender.isascii() and message.recipient.isascii())


class ReplyTaker(Protocol):
    """The calls by which a stream tells a connection what happened."""

    def take_replies(self, replies: Sequence[Reply]) -> None:
        """Learn of replies, in their order."""

    def pause_writing(self) -> None:
        """Learn that what is written now stays in a buffer of this process."""

    def resume_writing(self) -> None:
        """Learn that the buffer has been written."""

    def connection_failed(self, words: str) -> None:
        """Learn that the connection broke, or that the server will not reply any more."""

    def connection_closed(self, words: str) -> None:
        """Learn that nothing is left of the connection, whichever side closed it."""


class SmtpStream(asyncio.Protocol):
    """A stream that :mod:`mailer.smtp.transport` opens, before it belongs to a connection."""

    def __init__(self) -> None:
        self._parser = ReplyParser()
        self._opening_replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._taker: ReplyTaker | None = None
        self._is_quitting = False
        self.transport: asyncio.Transport = _NULL_TRANSPORT

    async def send_command(self, command: bytes | None) -> Reply | None:
        """Send ``command`` (None: only read) and wait for the reply; None if the connection closed."""
        if command is not None:
            self.transport.write(command + b"\r\n")
        return await self._opening_replies.get()

    @property
    def has_unread_data(self) -> bool:
        return not self._parser.is_empty or not self._opening_replies.empty()

    def hand_over(self, taker: ReplyTaker) -> None:
        self._taker = taker

    def quit(self) -> None:
        """Close politely. Replies that still come are not read."""
        self._is_quitting = True
        self.transport.write(b"QUIT\r\n")
        # Not close(), which under TLS waits for the server, and not immediately, before QUIT has left.
        asyncio.get_running_loop().call_soon(self.transport.abort)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not a subclass of it.
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        # Nagle's algorithm would delay the end of a message while an acknowledgement is missing.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._parser.feed(data)
        except MalformedReplyError as error:
            if self._taker is None:
                self.transport.abort()
            else:
                self._taker.connection_failed(str(error))
            return
        if self._taker is not None:
            self._taker.take_replies(replies)
        elif not self._is_quitting:
            for reply in replies:
                self._opening_replies.put_nowait(reply)

    def pause_writing(self) -> None:
        # While it is opened, each command has left before its reply comes.
        if self._taker is not None:
            self._taker.pause_writing()

    def resume_writing(self) -> None:
        if self._taker is not None:
            self._taker.resume_writing()

    def eof_received(self) -> None:
        # Otherwise the transport would go on writing its buffer to a server that no longer replies.
        if self._taker is not None:
            self._taker.connection_failed("closed by the server")

    def connection_lost(self, error: Exception | None) -> None:
        if self._taker is None:
            self._opening_replies.put_nowait(None)
        else:
            self._taker.connection_closed(clean_reply_text(str(error)) if error else "closed by the server")


class _NullTransport(asyncio.Transport):
    """The transport of a stream that is not open yet."""

    def write(self, data: object) -> None:
        """Discard the data."""

    def abort(self) -> None:
        """Do nothing."""

    close = abort


_NULL_TRANSPORT: Final = _NullTransport()
