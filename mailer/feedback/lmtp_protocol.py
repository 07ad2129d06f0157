"""The LMTP side of one connection, on aiosmtpd."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiosmtpd.lmtp import LMTP

Take = Callable[[str, Sequence[str], bytes], Awaitable[str]]
"""Receives a message by its sender, recipients and content; returns one reply for all recipients."""

_MAX_CONNECTION_SECONDS = 300


class _Handler:
    """What aiosmtpd calls with each message."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - aiosmtpd's names
        return await self._take(envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content)


class _Protocol(LMTP):
    """LMTP as RFC 2033 §4.2 has it: after the message, one reply for each recipient.

    aiosmtpd gives one, so a mail server that named several recipients would wait for the others for ever.
    """

    # Reports quote lines of any length: a line that is too long is no reason to lose a bounce.
    line_length_limit = 1024 * 1024
    _replies = 1

    def __init__(self, handler: _Handler, opened: set[asyncio.BaseTransport], **options: Any) -> None:
        super().__init__(handler, **options)
        self._opened = opened
        self._connection: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = transport
        self._opened.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._connection is not None:
            self._opened.discard(self._connection)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        try:
            await super().smtp_DATA(arg)
        finally:
            self._replies = 1

    def eof_received(self) -> bool:
        # The base class keeps the connection of a client that has hung up, which then lasts until Python
        # happens to collect it. Nobody is left to read a reply: its message is brought again.
        super().eof_received()
        return False

    async def push(self, status: str | bytes) -> None:
        text = status if isinstance(status, str) else status.decode("utf-8")
        await super().push("\r\n".join([text] * self._replies))
        if text.startswith("354"):
            self._replies = len(self.envelope.rcpt_tos) if self.envelope is not None else 1


def make_protocol(
    take: Take, opened: set[asyncio.BaseTransport], *, loop: asyncio.AbstractEventLoop, limit: int
) -> Any:
    """Return the protocol for one connection, which is in ``opened`` as long as it lasts; it refuses messages
    of more than ``limit`` bytes."""
    return _Protocol(
        _Handler(take),
        opened,
        data_size_limit=limit,
        enable_SMTPUTF8=True,
        hostname="partner-mailer.invalid",
        ident="partner-mailer",
        timeout=_MAX_CONNECTION_SECONDS,
        loop=loop,
    )
