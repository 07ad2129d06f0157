"""The handler of the simulator's SMTP server: it answers for each recipient, and sends back what they write.

The names of the hooks are aiosmtpd's.
"""

import asyncio
import re
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailer.feedback.simulator.letters import compose_away_note, compose_leaving, compose_reply
from mailer.feedback.simulator.mails import AcceptedMail, ReturnedMail
from mailer.feedback.simulator.recipient import DOMAIN, SimulatedRecipient, find_recipient, is_simulated
from mailer.feedback.simulator.reports import compose_bounce, compose_complaint
from mailer.feedback.simulator.return_path import ReturnPath
from mailer.rendering.return_addresses import find_token
from mailer.smtp.maildir_folder import create_folders, store

Report = Callable[[str], None]
"""Tells the user what happened, one line at a time."""

_OTHER_DOMAIN = (
    f"530 5.7.0 This is the simulator: it takes mail for {DOMAIN} only, so that nobody is counted as having "
    "got what they never saw. Send to simulated readers, such as --segment tag:simulator"
)


class MailboxHandler:
    """Decides about recipients and mails.

    Every mail it takes is on disk in the Maildir ``received`` before it is acknowledged. Mail to other
    domains than the simulator's is taken if ``takes`` says so of its address, and nothing comes back of it.
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
        """The refusal for ``address``, "" if it is accepted."""
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
    """The address without its token, to show: ``bounce+…@news.example.org``."""
    token = find_token(address)
    return address if token is None else re.sub(re.escape(token), "…", address, flags=re.IGNORECASE)


_KINDS = {
    SimulatedRecipient.bounce: "a bounce",
    SimulatedRecipient.full: "a bounce",
    SimulatedRecipient.complain: "a complaint",
    SimulatedRecipient.answer: "a reply",
    SimulatedRecipient.silent: "a reply",
    SimulatedRecipient.away: "an out-of-office note",
    SimulatedRecipient.leave: "a mail that leaves the list",
}


def compose_return(mail: AcceptedMail, recipient: SimulatedRecipient) -> ReturnedMail | None:
    """What ``recipient`` writes about ``mail``; None if nothing comes back.

    Nobody answers a mail without an envelope sender (RFC 3834, section 2), and leaving needs an address for
    it in the mail.
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
