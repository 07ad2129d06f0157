"""An SMTP server in the demo's process that accepts every message and stores it in a Maildir."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class SmtpSink:
    """A running SMTP server: its URL and the Maildir it writes to."""

    url: str
    maildir: Path

    def messages(self) -> list[EmailMessage]:
        """The messages received, oldest first."""
        return [_read(path) for path in sorted((self.maildir / "new").iterdir())]

    def __len__(self) -> int:
        return sum(1 for _ in (self.maildir / "new").iterdir())


def _read(path: Path) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


class _MaildirHandler:
    """The aiosmtpd handler. It writes each message to disk before it acknowledges it."""

    def __init__(self, maildir: Path) -> None:
        self._maildir = maildir
        self._received = 0
        for folder in (maildir, *(maildir / name for name in ("tmp", "new", "cur"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - aiosmtpd's names
        self._received += 1
        name = f"{self._received:07d}.demo"
        head = "".join(f"X-Envelope-To: {recipient}\r\n" for recipient in envelope.rcpt_tos).encode("utf-8")
        path = self._maildir / "tmp" / name
        path.touch(mode=0o600)
        path.write_bytes(head + envelope.original_content)
        path.replace(self._maildir / "new" / name)
        return f"250 2.0.0 Stored as {name}"


@contextmanager
def run_sink(maildir: Path) -> Iterator[SmtpSink]:
    """Run the server on a free loopback port for the duration of the block."""
    # Imported here to keep other commands fast. aiosmtpd's own Controller cannot listen on port 0.
    from aiosmtpd.smtp import SMTP

    loop = asyncio.new_event_loop()
    keeper = _MaildirHandler(maildir)
    server = loop.run_until_complete(
        loop.create_server(
            lambda: SMTP(keeper, hostname="demo.invalid", enable_SMTPUTF8=True, loop=loop), _HOST, 0
        )
    )
    thread = threading.Thread(target=loop.run_forever, name="demo-sink", daemon=True)
    thread.start()
    try:
        yield SmtpSink(url=f"smtp://{_HOST}:{server.sockets[0].getsockname()[1]}", maildir=maildir)
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        _close(loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the sessions that clients left open, then close the loop."""

    async def end_sessions() -> None:
        open_ = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)

    loop.run_until_complete(end_sessions())
    loop.close()
