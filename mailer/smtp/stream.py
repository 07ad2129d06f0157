"""The bytes of one SMTP connection: commands out, replies in.

Whoever opens it sends one command after another; then a connection takes the replies as they come.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final, Protocol, cast

from mailer.smtp.errors import MalformedReplyError
from mailer.smtp.reply_classifier import clean_reply_text
from mailer.smtp.reply_parser import Reply, ReplyParser

SEND_BUFFER = 256 * 1024
"""In bytes; enough for a message of 100 KB and the next envelope to leave in one call."""


class ReplyTaker(Protocol):
    """What the stream tells a connection that was opened."""

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
        """Whether the server has sent more than the replies that were read."""
        return not self._parser.is_empty or not self._opening_replies.empty()

    def hand_over(self, taker: ReplyTaker) -> None:
        """Give all further replies to ``taker``."""
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
