"""Runs the simulator's SMTP server on loopback, in a thread of this process."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

from mailer.errors import MailerError
from mailer.feedback.simulator.mailbox_server import MailboxHandler, Report
from mailer.feedback.simulator.recipient import DOMAIN
from mailer.feedback.simulator.return_path import ReturnPath

_HOST = "127.0.0.1"
_ENVELOPE_ID = re.compile(r" ENVID=(\S+)", re.IGNORECASE)
_RETURN = re.compile(r" RET=(HDRS|FULL)", re.IGNORECASE)
_RECIPIENT_OPTIONS = re.compile(r" (?:NOTIFY|ORCPT)=\S+", re.IGNORECASE)
_OPTIONS_LENGTH = 128
_GREYLIST_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A running server: its URL, and the Maildir of the mails it has received."""

    url: str
    received: Path

    def messages(self) -> list[EmailMessage]:
        """The mails received, oldest first, with their recipient in ``X-Envelope-To``."""
        return [_read(path) for path in sorted((self.received / "new").iterdir())]

    def __len__(self) -> int:
        return sum(1 for _ in (self.received / "new").iterdir())


def _read(path: Path) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


@contextmanager
def run_simulator(
    received: Path,
    *,
    return_path: ReturnPath,
    takes: Callable[[str], bool] = lambda _: False,
    report: Report = lambda _: None,
    greylist_seconds: int = _GREYLIST_SECONDS,
    port: int = 0,
) -> Iterator[Simulator]:
    """Run the server on ``port`` of loopback (0: any that is free) for the duration of the block.

    See :class:`MailboxHandler` for ``takes`` and ``report``, which is called in the server's thread.
    ``greylist_seconds`` is how long a reader who defers asks to wait.

    Raises:
        MailerError: the port is in use.
    """
    handler = MailboxHandler(
        received, return_path=return_path, takes=takes, report=report, greylist_seconds=greylist_seconds
    )
    loop = asyncio.new_event_loop()
    protocol = _protocol_with_notifications()
    try:
        # aiosmtpd's own Controller cannot listen on port 0.
        server = loop.run_until_complete(
            loop.create_server(
                lambda: protocol(handler, hostname=f"mx.{DOMAIN}", enable_SMTPUTF8=True, loop=loop),
                _HOST,
                port,
            )
        )
    except OSError as error:
        loop.close()
        raise MailerError(
            f"Cannot listen on port {port} of {_HOST}: {error.strerror}. Choose another with --port."
        ) from error
    thread = threading.Thread(target=loop.run_forever, name="mailer-simulator", daemon=True)
    thread.start()
    try:
        yield Simulator(url=f"smtp://{_HOST}:{server.sockets[0].getsockname()[1]}", received=received)
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        _close(loop)


@cache
def _protocol_with_notifications() -> type[Any]:
    """aiosmtpd's protocol, which refuses the parameters of RFC 3461, made to understand them."""
    # Imported here to keep other commands fast.
    from aiosmtpd.smtp import SMTP

    class NotifyingSmtp(SMTP):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.command_size_limits["MAIL"] += _OPTIONS_LENGTH
            self.command_size_limits["RCPT"] += _OPTIONS_LENGTH

        async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
            envelope_id = _ENVELOPE_ID.search(arg or "")
            returned = _RETURN.search(arg or "")
            plain = _RETURN.sub("", _ENVELOPE_ID.sub("", arg)) if arg else arg
            await super().smtp_MAIL(plain)
            envelope: Any = self.envelope
            envelope.envelope_id = envelope_id[1] if envelope_id else ""
            envelope.returns_headers_only = bool(returned and returned[1].upper() == "HDRS")

        async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
            await super().smtp_RCPT(_RECIPIENT_OPTIONS.sub("", arg) if arg else arg)

    return NotifyingSmtp


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the sessions that clients left open, then close the loop."""

    async def end_sessions() -> None:
        open_ = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()

    loop.run_until_complete(end_sessions())
    loop.close()
