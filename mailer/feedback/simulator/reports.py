"""What mail servers write about a mail: a bounce (RFC 3464) and a complaint (RFC 5965)."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime

from mailer.feedback.simulator.mails import AcceptedMail, ReturnedMail
from mailer.feedback.simulator.recipient import DOMAIN, SimulatedRecipient

_SERVER = f"mx.{DOMAIN}"
# A delimiter and a token of hexadecimal digits: see docs/feedback.md.
_TOKEN = re.compile(r"[+=_.-][0-9a-f]{40,}@", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """Why a mail is returned: the enhanced status (RFC 3463), and the reply of the server behind ours."""

    status: str
    reply: str


_REFUSALS: Mapping[SimulatedRecipient, _Refusal] = {
    SimulatedRecipient.bounce: _Refusal(
        status="5.1.1", reply="550 5.1.1 <{address}>: there is no such user here"
    ),
    SimulatedRecipient.full: _Refusal(status="5.2.2", reply="552 5.2.2 <{address}>: the mailbox is full"),
}


def compose_bounce(mail: AcceptedMail, recipient: SimulatedRecipient) -> ReturnedMail:
    """The report that ``mail`` could not be delivered, to its envelope sender."""
    refusal = _REFUSALS[recipient]
    reply = refusal.reply.format(address=mail.recipient)
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
        f"Status: {refusal.status}",
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
    """A provider's report that a reader takes ``mail`` for spam. It hides the reader's address, as many do.

    It goes to the mailbox that the sender registered with the provider, which knows nothing of the reader:
    the envelope sender without the token.
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
    """A multipart/report (RFC 6522)."""
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
