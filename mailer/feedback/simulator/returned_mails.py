"""Who lives at the simulator, and the mails that they and their servers send back."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, formataddr, getaddresses
from enum import StrEnum
from functools import cached_property
from urllib.parse import unquote, urlsplit

DOMAIN = "simulator.example"
"""A name that nobody can own (RFC 2606), so that no mail to it ever leaves by mistake."""
SUCCESSOR_NAME = "Sarah Okafor"
SUCCESSOR_ADDRESS = f"sarah.okafor@{DOMAIN}"
_QUOTED_LINES = 12
_SERVER = f"mx.{DOMAIN}"
# A delimiter and a token of hexadecimal digits: see docs/feedback.md.
_TOKEN = re.compile(r"[+=_.-][0-9a-f]{40,}@", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class AcceptedMail:
    """A mail to one recipient, as the server took it at the moment ``at``, with its envelope. ``sender`` is
    "" for a mail that must not be answered. With ``returns_headers_only`` a bounce must not contain its body
    (``RET=HDRS``, RFC 3461).
    """

    sender: str
    recipient: str
    content: bytes
    at: datetime
    envelope_id: str = ""
    returns_headers_only: bool = False

    @cached_property
    def message(self) -> EmailMessage:
        return BytesParser(EmailMessage, policy=policy.default).parsebytes(self.content)

    def header(self, name: str) -> str:
        """Return the value of a header on one line, "" if there is none."""
        return " ".join(str(self.message.get(name, "")).split())

    @property
    def header_block(self) -> bytes:
        """The headers as they were sent, with the line break that ends the last."""
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"


@dataclass(frozen=True, kw_only=True)
class ReturnedMail:
    """A mail that comes back: its envelope (``sender`` is "" for reports) and its bytes, with CRLF."""

    sender: str
    recipient: str
    content: bytes


class SimulatedRecipient(StrEnum):
    """A recipient of the simulator, named as the part of its address before the @."""

    accept = "accept"
    """Takes the mail. Nothing comes back."""

    reject = "reject"
    """Is refused at once: there is no such user."""

    bounce = "bounce"
    """Takes the mail, and returns it: there is no such user."""

    full = "full"
    """Takes the mail, and returns it: the mailbox is full."""

    defer = "defer"
    """Is refused for now the first time (greylisting), and accepted the next."""

    silent = "silent"
    """Takes the mail and hangs up without saying so. A person's reply proves that it arrived."""

    complain = "complain"
    """Takes the mail, and reports it as spam."""

    answer = "answer"
    """Takes the mail, and a person replies to it."""

    away = "away"
    """Takes the mail, and an out-of-office note names a successor."""

    leave = "leave"
    """Takes the mail, and leaves the list by mail, without a subject."""

    @property
    def address(self) -> str:
        return f"{self.value}@{DOMAIN}"


def is_simulated(address: str) -> bool:
    """Return whether ``address`` is at the simulator's domain."""
    return address.rpartition("@")[2].lower() == DOMAIN


def find_recipient(address: str) -> SimulatedRecipient:
    """Return who lives at ``address``: ``full@…`` and ``NAME+full@…`` are the same; anybody else accepts."""
    if not is_simulated(address):
        return SimulatedRecipient.accept
    name = address.rpartition("@")[0].rpartition("+")[2].lower()
    return next((known for known in SimulatedRecipient if known == name), SimulatedRecipient.accept)


def compose_reply(mail: AcceptedMail) -> ReturnedMail:
    """Return a person's reply, with the beginning of the original below it. It is written to the address for
    replies, and arrives at the envelope sender: some programs, such as those of help desks, answer there.
    """
    subject = mail.header("Subject")
    letter = _begin(mail, subject if subject.lower().startswith("re:") else f"Re: {subject}")
    letter["To"] = mail.header("Reply-To") or mail.header("From")
    _refer_to(letter, mail)
    words = "Thank you. We would like to print this in our own magazine. May we?"
    wrote = f"On {mail.at:%d %B %Y}, {_name_of(mail.header('From'))} wrote:"
    quote = "\n".join(f"> {line}".rstrip() for line in _begin_of_text(mail))
    letter.set_content(f"{words}\n\n{wrote}\n{quote}\n")
    return _returned(mail.recipient, mail.sender, letter)


def compose_away_note(mail: AcceptedMail) -> ReturnedMail:
    """Return a program's note that the reader has left the organisation, and who has followed (RFC 3834)."""
    subject = mail.header("Subject")
    letter = _begin(mail, f"Automatic reply: {subject}")
    letter["To"] = mail.sender
    letter["Auto-Submitted"] = "auto-replied"
    _refer_to(letter, mail)
    letter.set_content(
        "Thank you for your message. I no longer work here. "
        f"Please write to my successor, {SUCCESSOR_NAME} <{SUCCESSOR_ADDRESS}>.\n"
    )
    return _returned("", mail.sender, letter)


def compose_leaving(mail: AcceptedMail) -> ReturnedMail | None:
    """Return the mail that a mail program's unsubscribe button sends (RFC 2369); None if the newsletter
    offers no address for it. Apple Mail leaves subject and body empty, whatever the link says, so this does,
    too.
    """
    link = re.search(r"<(mailto:[^>]+)>", mail.header("List-Unsubscribe"), re.IGNORECASE)
    if link is None:
        return None
    address = unquote(urlsplit(link[1]).path)
    letter = _begin(mail, "")
    letter["To"] = address
    letter.set_content("")
    return _returned(mail.recipient, address, letter)


def _begin(mail: AcceptedMail, subject: str) -> EmailMessage:
    letter = EmailMessage(policy=policy.SMTP)
    letter["From"] = mail.recipient
    letter["Date"] = format_datetime(mail.at)
    letter["Message-ID"] = f"<{uuid.uuid4().hex}@{DOMAIN}>"
    letter["Subject"] = subject
    return letter


def _refer_to(letter: EmailMessage, mail: AcceptedMail) -> None:
    if message_id := mail.header("Message-ID"):
        letter["In-Reply-To"] = message_id
        letter["References"] = message_id


def _name_of(header: str) -> str:
    name, address = getaddresses([header])[0]
    return formataddr((name, address), charset="utf-8") if name.isascii() else f"{name} <{address}>"


def _begin_of_text(mail: AcceptedMail) -> list[str]:
    part = mail.message.get_body(("plain",))
    text = str(part.get_content()) if part is not None else ""
    return [line for line in text.splitlines() if line.strip()][:_QUOTED_LINES]


def _returned(sender: str, recipient: str, letter: EmailMessage) -> ReturnedMail:
    return ReturnedMail(sender=sender, recipient=recipient, content=letter.as_bytes())


# The enhanced status (RFC 3463), and the reply of the server behind ours.
_REFUSALS: Mapping[SimulatedRecipient, tuple[str, str]] = {
    SimulatedRecipient.bounce: ("5.1.1", "550 5.1.1 <{address}>: there is no such user here"),
    SimulatedRecipient.full: ("5.2.2", "552 5.2.2 <{address}>: the mailbox is full"),
}


def compose_bounce(mail: AcceptedMail, recipient: SimulatedRecipient) -> ReturnedMail:
    """Return the report that ``mail`` could not be delivered, to its envelope sender."""
    status, reply = _REFUSALS[recipient]
    reply = reply.format(address=mail.recipient)
    words = [
        f"This is the mail server {_SERVER}.",
        "",
        "Your message could not be delivered to the recipient below, and will not be tried again.",
        "",
        f"<{mail.recipient}>: {reply}",
    ]
    about_message = [f"Reporting-MTA: dns; {_SERVER}"]
    if mail.envelope_id:
        about_message.insert(0, f"Original-Envelope-Id: {mail.envelope_id}")
    about_recipient = [
        f"Final-Recipient: rfc822; {mail.recipient}",
        "Action: failed",
        f"Status: {status}",
        f"Remote-MTA: dns; mailbox.{DOMAIN}",
        f"Diagnostic-Code: smtp; {reply}",
    ]
    original, kind = (
        (mail.header_block, "text/rfc822-headers")
        if mail.returns_headers_only
        else (mail.content, "message/rfc822")
    )
    parts = (
        ("text/plain; charset=us-ascii", _lines(words)),
        ("message/delivery-status", _lines([*about_message, "", *about_recipient])),
        (kind, original),
    )
    head = [
        f"From: Mail Delivery System <MAILER-DAEMON@{_SERVER}>",
        f"To: <{mail.sender}>",
        "Subject: Your message was not delivered",
    ]
    return ReturnedMail(
        sender="", recipient=mail.sender, content=_report(head, "delivery-status", parts, mail)
    )


def compose_complaint(mail: AcceptedMail) -> ReturnedMail:
    """Return a provider's report that a reader takes ``mail`` for spam. It hides the reader's address, as
    many do, and goes to the mailbox that the sender registered with the provider: the envelope sender without
    the token.
    """
    mailbox = _TOKEN.sub("@", mail.sender)
    words = ["A person who received this message said that it is spam. The message is attached."]
    fields = [
        "Feedback-Type: abuse",
        "User-Agent: simulator/1",
        "Version: 1",
        f"Original-Mail-From: <{mail.sender}>",
        f"Arrival-Date: {format_datetime(mail.at)}",
        "Reported-Domain: " + mail.header("From").rpartition("@")[2].rstrip(">"),
    ]
    shown = mail.content.replace(mail.recipient.encode(), f"redacted@{DOMAIN}".encode())
    parts = (
        ("text/plain; charset=us-ascii", _lines(words)),
        ("message/feedback-report", _lines(fields)),
        ("message/rfc822", shown),
    )
    head = [f"From: <complaints@{DOMAIN}>", f"To: <{mailbox}>", "Subject: Complaint about a message"]
    content = _report(head, "feedback-report", parts, mail)
    return ReturnedMail(sender=f"complaints@{DOMAIN}", recipient=mailbox, content=content)


def _report(
    head: list[str], report_type: str, parts: tuple[tuple[str, bytes], ...], mail: AcceptedMail
) -> bytes:
    """Return a multipart/report (RFC 6522)."""
    boundary = f"report-{uuid.uuid4().hex}"
    headers = [
        *head,
        f"Date: {format_datetime(mail.at)}",
        f"Message-ID: <{uuid.uuid4().hex}@{_SERVER}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={report_type}; boundary="{boundary}"',
    ]
    if any(byte > 127 for _, body in parts for byte in body):
        headers.append("Content-Transfer-Encoding: 8bit")
    content = _lines([*headers, ""])
    for kind, body in parts:
        content += _lines([f"--{boundary}", f"Content-Type: {kind}", ""]) + body + b"\r\n"
    return content + _lines([f"--{boundary}--"])


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
