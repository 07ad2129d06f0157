"""What people and their mail programs write: a reply, an out-of-office note, a mail that leaves the list."""

import re
import uuid
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, getaddresses
from urllib.parse import unquote, urlsplit

from mailer.feedback.simulator.mails import AcceptedMail, ReturnedMail
from mailer.feedback.simulator.recipient import DOMAIN

SUCCESSOR_NAME = "Sarah Okafor"
SUCCESSOR_ADDRESS = f"sarah.okafor@{DOMAIN}"
_QUOTED_LINES = 12


def compose_reply(mail: AcceptedMail) -> ReturnedMail:
    """A person's reply, with the beginning of the original below it.

    It is written to the address for replies, and arrives at the envelope sender: some programs, such as
    those of help desks, answer there.
    """
    letter = _begin(mail, _reply_subject(mail))
    letter["To"] = mail.header("Reply-To") or mail.header("From")
    _refer_to(letter, mail)
    words = "Thank you. We would like to print this in our own magazine. May we?"
    wrote = f"On {mail.at:%d %B %Y}, {_name_of(mail.header('From'))} wrote:"
    quote = "\n".join(f"> {line}".rstrip() for line in _begin_of_text(mail))
    letter.set_content(f"{words}\n\n{wrote}\n{quote}\n")
    return _returned(mail.recipient, mail.sender, letter)


def compose_away_note(mail: AcceptedMail) -> ReturnedMail:
    """A program's note that the reader has left the organisation, and who has followed (RFC 3834)."""
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
    """The mail that a mail program's unsubscribe button sends (RFC 2369); None if the newsletter offers no
    address for it.

    Apple Mail leaves subject and body empty, whatever the link says, so this does, too.
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


def _reply_subject(mail: AcceptedMail) -> str:
    subject = mail.header("Subject")
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


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
