"""The simulator's SMTP server on loopback, and where the mails that come back go."""

import asyncio
import re
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.simulator.returned_mails import (
    DOMAIN,
    AcceptedMail,
    ReturnedMail,
    SimulatedRecipient,
    compose_away_note,
    compose_bounce,
    compose_complaint,
    compose_leaving,
    compose_reply,
    find_recipient,
    is_simulated,
)
from mailer.network import parse_address, parse_listen_address
from mailer.rendering.headers import find_token
from mailer.smtp.maildir import create_folders, store

_TIMEOUT_SECONDS = 30

ReturnPath = Callable[[ReturnedMail], None]
"""Delivers one mail that comes back. It raises OSError if it cannot (``smtplib.SMTPException`` is one)."""
Report = Callable[[str], None]
"""Tells the user what happened, one line at a time."""
_OTHER_DOMAIN = (
    f"530 5.7.0 This is the simulator: it takes mail for {DOMAIN} only, so that nobody is counted as having "
    "got what they never saw. Send to simulated readers, such as --segment tag:simulator"
)
_KINDS = {
    SimulatedRecipient.bounce: "a bounce",
    SimulatedRecipient.full: "a bounce",
    SimulatedRecipient.complain: "a complaint",
    SimulatedRecipient.answer: "a reply",
    SimulatedRecipient.silent: "a reply",
    SimulatedRecipient.away: "an out-of-office note",
    SimulatedRecipient.leave: "a mail that leaves the list",
}
_HOST = "127.0.0.1"
_ENVELOPE_ID = re.compile(r" ENVID=(\S+)", re.IGNORECASE)
_RETURN = re.compile(r" RET=(HDRS|FULL)", re.IGNORECASE)
_RECIPIENT_OPTIONS = re.compile(r" (?:NOTIFY|ORCPT)=\S+", re.IGNORECASE)
_OPTIONS_LENGTH = 128
_GREYLIST_SECONDS = 60


def to_maildir(folder: Path) -> ReturnPath:
    """Deliver into the Maildir at ``folder``, as a mail server's last step does (RFC 5321, section 4.4)."""
    create_folders(folder)

    def deliver(mail: ReturnedMail) -> None:
        head = f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.recipient}\r\n"
        store(folder, head.encode() + mail.content)

    return deliver


def to_lmtp(place: str, root: Path) -> ReturnPath:
    """Deliver to the LMTP server (RFC 2033) at ``place``: HOST:PORT of loopback, or the path of a socket,
    relative to ``root``. Raise ConfigurationError if it is not on this machine. A rehearsal connects to
    nothing else.
    """
    address = parse_listen_address(place)
    if address.path is None and not _is_loopback(address.host):
        raise ConfigurationError(
            f"The simulator delivers to this machine only, and [feedback] lmtp is {place}. "
            "Write, for example, 127.0.0.1:8024."
        )
    host, port = (address.host, address.port) if address.path is None else (str(root / address.path), 0)

    def deliver(mail: ReturnedMail) -> None:
        with smtplib.LMTP(host, port, timeout=_TIMEOUT_SECONDS) as line:
            line.sendmail(mail.sender, [mail.recipient], mail.content)

    return deliver


def _is_loopback(host: str) -> bool:
    address = parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


class MailboxHandler:
    """Decides about recipients and mails. Every mail it takes is on disk in the Maildir ``received`` before
    it is acknowledged. Mail to other domains than the simulator's is taken if ``takes`` says so of its
    address, and nothing comes back of it.
    """

    def __init__(
        self,
        received: Path,
        *,
        return_path: ReturnPath,
        takes: Callable[[str], bool],
        report: Report,
        greylist_seconds: int,
    ) -> None:
        self._received = received
        self._return_path = return_path
        self._takes = takes
        self._report = report
        self._greylist_seconds = greylist_seconds
        self._greylisted: set[str] = set()
        create_folders(received)

    async def handle_EHLO(  # noqa: N802
        self, _server: Any, session: Any, _envelope: Any, hostname: str, replies: list[str]
    ) -> list[str]:
        """Announce delivery status notifications (RFC 3461), so that senders give an ENVID."""
        session.host_name = hostname
        return [*replies[:-1], "250-DSN", replies[-1]]

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Answer to a recipient: refused, refused for now, or accepted."""
        refusal = self._refuse(address)
        if refusal:
            self._report(f"{address}: {refusal}")
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    def _refuse(self, address: str) -> str:
        if not is_simulated(address):
            return "" if self._takes(address) else _OTHER_DOMAIN
        match find_recipient(address):
            case SimulatedRecipient.reject:
                return f"550 5.1.1 <{address}>: there is no such user here"
            case SimulatedRecipient.defer if address.lower() not in self._greylisted:
                self._greylisted.add(address.lower())
                return f"451 4.7.1 <{address}>: greylisted, try again in {self._greylist_seconds} seconds"
        return ""

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Store the mail, send back what its recipients write, and acknowledge it."""
        head = "".join(f"X-Envelope-To: {recipient}\r\n" for recipient in envelope.rcpt_tos).encode("utf-8")
        path = store(self._received, head + envelope.original_content)
        hangs_up = False
        for address in envelope.rcpt_tos:
            await self._send_back(_read_envelope(envelope, address))
            hangs_up |= is_simulated(address) and find_recipient(address) is SimulatedRecipient.silent
        if hangs_up:
            server.transport.abort()
        return f"250 2.0.0 Stored as {path.name}"

    async def _send_back(self, mail: AcceptedMail) -> None:
        recipient = find_recipient(mail.recipient)
        returned = compose_return(mail, recipient) if is_simulated(mail.recipient) else None
        if returned is None:
            self._report(f"{mail.recipient}: accepted")
            return
        try:
            # LMTP waits for its server, which may be a thread of this process.
            await asyncio.to_thread(self._return_path, returned)
        except (OSError, smtplib.SMTPException) as error:
            self._report(f"{mail.recipient}: accepted, but what comes back could not be delivered: {error}")
        else:
            self._report(
                f"{mail.recipient}: accepted; {_KINDS[recipient]} goes to {hide_token(returned.recipient)}"
            )


def hide_token(address: str) -> str:
    """Return the address without its token, to show: ``bounce+…@news.example.org``."""
    token = find_token(address)
    return address if token is None else re.sub(re.escape(token), "…", address, flags=re.IGNORECASE)


def compose_return(mail: AcceptedMail, recipient: SimulatedRecipient) -> ReturnedMail | None:
    """Return what ``recipient`` writes about ``mail``; None if nothing comes back. Nobody answers a mail
    without an envelope sender (RFC 3834, section 2), and leaving needs an address for it in the mail.
    """
    if not mail.sender:
        return None
    match recipient:
        case SimulatedRecipient.bounce | SimulatedRecipient.full:
            return compose_bounce(mail, recipient)
        case SimulatedRecipient.complain:
            return compose_complaint(mail)
        case SimulatedRecipient.answer | SimulatedRecipient.silent:
            return compose_reply(mail)
        case SimulatedRecipient.away:
            return compose_away_note(mail)
        case SimulatedRecipient.leave:
            return compose_leaving(mail)
    return None


def _read_envelope(envelope: Any, recipient: str) -> AcceptedMail:
    sender = envelope.mail_from or ""
    return AcceptedMail(
        sender="" if sender == "<>" else sender,
        recipient=recipient,
        content=envelope.original_content,
        at=datetime.now(UTC),
        envelope_id=getattr(envelope, "envelope_id", ""),
        returns_headers_only=getattr(envelope, "returns_headers_only", False),
    )


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A running server: its URL, and the Maildir of the mails it has received."""

    url: str
    received: Path

    def messages(self) -> list[EmailMessage]:
        """Return the mails received, oldest first, with their recipient in ``X-Envelope-To``."""
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
    ``greylist_seconds`` is how long a reader who defers asks to wait. Raise MailerError if the port is in
    use.
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
    async def end_sessions() -> None:
        open_ = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()

    loop.run_until_complete(end_sessions())
    loop.close()
