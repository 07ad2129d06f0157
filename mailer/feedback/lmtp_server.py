"""Takes messages from the mail server on this machine by LMTP (RFC 2033).

A message is acknowledged after it has been received and committed. Until then it is the mail server's, which
keeps it and tries again: when the database is away, when the disk is full, and when this program is killed.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiosmtpd.lmtp import LMTP

from mailer.errors import MailerError
from mailer.feedback.intake import MAX_MESSAGE_BYTES, Intake, IntakeObstacle, TryAgainError, UnreadableError
from mailer.network import ListenAddress
from mailer.settings import LOOPBACK_HOSTS

_NAMES = (b"return-path:", b"delivered-to:", b"x-original-to:")
_MBOX_LINE = b"From "
_RECEIVED = "250 2.0.0 Received"
_FAULT = "451 4.3.0 This message cannot be read at the moment; see the log of partner-mailer"
_REPLIES = {
    IntakeObstacle.disk_full: "452 4.3.1 The disk is full",
    IntakeObstacle.database: "451 4.3.0 The database cannot be used at the moment",
}
_log = logging.getLogger(__name__)
_MAX_CONNECTION_SECONDS = 300


def add_envelope(
    content: bytes, *, sender: str | None, recipients: Sequence[str], original_recipients: Sequence[str] = ()
) -> bytes:
    """Return the message with its envelope on top, so that it is read like one from a mailbox: without a
    first line as in an mbox file, and no field twice that the first lines have. ``sender`` is "" for a
    bounce, and None if it is not known.
    """
    if content.startswith(_MBOX_LINE):
        content = content.partition(b"\n")[2] or content
    newline = b"\r\n" if b"\r\n" in content[:1000] or b"\n" not in content[:1000] else b"\n"
    fields = [
        *([] if sender is None else [f"Return-Path: <{_clean(sender)}>"]),
        *(f"X-Original-To: {_clean(address)}" for address in original_recipients),
        *(f"Delivered-To: {_clean(address)}" for address in recipients),
    ]
    known = _read_first_fields(content)
    lines = [field.encode("utf-8", "surrogateescape") for field in fields]
    lines = [line for line in lines if line not in known]
    return b"".join(line + newline for line in lines) + content


def _read_first_fields(content: bytes) -> set[bytes]:
    found = set()
    for line in content[:4000].splitlines():
        if not line.lower().startswith(_NAMES):
            break
        found.add(line.strip())
    return found


def _clean(address: str) -> str:
    """Return the address so that it cannot end its line; bytes that are no text (surrogates) are kept."""
    kept = [letter for letter in address if letter.isprintable() or "\udc80" <= letter <= "\udcff"]
    return "".join(kept).strip("<> ")


class LmtpStartError(MailerError):
    """The LMTP server cannot listen where [feedback] lmtp says."""


class LmtpServer:
    """An LMTP server in a thread of its own; there is no login in LMTP, so it listens on this machine only.
    Call :meth:`stop` after :meth:`start`.
    """

    def __init__(self, address: ListenAddress, intake: Intake) -> None:
        self._address = address
        self._intake = intake
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._opened: set[asyncio.BaseTransport] = set()

    def start(self) -> int:
        """Begin to listen; return the port, or 0 for a Unix socket. Raise LmtpStartError if the place is
        taken, not available, or open to other machines.
        """
        listener = self._listener = _listen(self._address)
        self._loop = asyncio.new_event_loop()
        # One at a time: receiving is one transaction, and SQLite has one writer.
        self._receiving = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailer-lmtp")
        self._server = self._loop.run_until_complete(self._start(listener, self._make_protocol))
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailer-lmtp", daemon=True)
        self._thread.start()
        name = listener.getsockname()
        return 0 if isinstance(name, (str, bytes)) else int(name[1])

    def stop(self) -> None:
        """Stop listening. A message that is being received is finished and acknowledged."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(timeout=60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        self._receiving.shutdown()
        self._loop.close()
        if self._address.path is not None:
            self._address.path.unlink(missing_ok=True)

    def _make_protocol(self) -> "_Protocol":
        return _Protocol(
            self,
            self._opened,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="partner-mailer.invalid",
            ident="partner-mailer",
            timeout=_MAX_CONNECTION_SECONDS,
            loop=self._loop,
        )

    async def _start(self, listener: socket.socket, make: Any) -> asyncio.Server:
        if listener.family == socket.AF_UNIX:
            return await self._loop.create_unix_server(make, sock=listener)
        return await self._loop.create_server(make, sock=listener)

    async def _shut_down(self) -> None:
        # What was just accepted becomes a connection within these rounds of the loop. asyncio refuses to make
        # one of it once the server is closed, and forgets to close its socket.
        self._loop.remove_reader(self._listener)
        for _ in range(5):
            await asyncio.sleep(0)
        if self._server is not None:
            self._server.close()
        # Whatever is being received has been handed to the one thread: wait until its turn is over.
        await self._loop.run_in_executor(self._receiving, lambda: None)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for transport in list(self._opened):
            transport.close()
        # A transport that is closed lets go of its socket in a later round.
        while self._opened:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Receive one message for all its recipients; return the reply that each of them gets."""
        raw = add_envelope(
            envelope.original_content, sender=envelope.mail_from or "", recipients=envelope.rcpt_tos
        )
        try:
            await self._loop.run_in_executor(self._receiving, self._intake.take, raw)
        except TryAgainError as error:
            _log.warning("A message stays with the mail server: %s", error)
            return _REPLIES[error.obstacle]
        except UnreadableError:
            return _FAULT
        return _RECEIVED


def _listen(address: ListenAddress) -> socket.socket:
    if address.path is None and address.host not in LOOPBACK_HOSTS:
        raise LmtpStartError(
            f"[feedback] lmtp = {address} is open to other machines, and LMTP knows no login. Write "
            f"127.0.0.1:{address.port} or the path of a Unix socket."
        )
    try:
        return _listen_unix(address.path) if address.path is not None else _listen_tcp(address)
    except OSError as error:
        raise LmtpStartError(
            f"Cannot listen at {address}, where [feedback] lmtp says: {error.strerror or error}. Choose "
            "another place, or stop the program that uses it."
        ) from error


def _listen_tcp(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with contextlib.ExitStack() as ending:
        listener = ending.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen()
        ending.pop_all()
    return listener


def _listen_unix(path: Path) -> socket.socket:
    with contextlib.ExitStack() as ending:
        listener = ending.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        # One that a killed process left behind. Only one of ours listens at a time: see SourceLock.
        with contextlib.suppress(FileNotFoundError):
            if path.is_socket():
                path.unlink()
        listener.bind(str(path))
        # The mail server runs as another user; what it says is judged as that of any mail.
        path.chmod(0o666)
        listener.listen()
        ending.pop_all()
    return listener


class _Protocol(LMTP):
    """LMTP as RFC 2033 §4.2 has it: after the message, one reply for each recipient.

    aiosmtpd gives one, so a mail server that named several recipients would wait for the others for ever.
    """

    # Reports quote lines of any length: a line that is too long is no reason to lose a bounce.
    line_length_limit = 1024 * 1024
    _replies = 1

    def __init__(self, handler: LmtpServer, opened: set[asyncio.BaseTransport], **options: Any) -> None:
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
