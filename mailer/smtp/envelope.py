"""The commands that begin a message, and whether a server can take it at all."""

import re
from typing import Final

from locales.phrase import gettext_noop
from mailer.smtp.interfaces import OutgoingMessage
from mailer.smtp.reply_parser import Capabilities
from mailer.smtp.xtext import encode_xtext

_UNSAFE_IN_COMMAND: Final = re.compile(r"[\x00-\x20<>\x7f-\x9f\u2028\u2029]")


def find_obstacle(message: OutgoingMessage, offers: Capabilities) -> str:
    """Return why a message cannot be sent at all to a server that ``offers`` these, "" if it can.

    The server is not asked.
    """
    if _UNSAFE_IN_COMMAND.search(message.sender + message.recipient + message.envelope_id):
        return gettext_noop("the address contains characters that an SMTP command cannot carry")
    if "SMTPUTF8" not in offers.keywords and _needs_smtputf8(message):
        return gettext_noop("the address needs SMTPUTF8 (RFC 6531), which the mail server does not offer")
    if "8BITMIME" not in offers.keywords and not message.payload.isascii():
        return gettext_noop("the message needs 8BITMIME (RFC 6152), which the mail server does not offer")
    return ""


def write_mail_command(message: OutgoingMessage, offers: Capabilities) -> bytes:
    """Return MAIL for a message without obstacle, with its CRLF."""
    options = b" SIZE=%d" % len(message.payload) if "SIZE" in offers.keywords else b""
    if not message.payload.isascii():
        options += b" BODY=8BITMIME"
    if _needs_smtputf8(message):
        options += b" SMTPUTF8"
    if _asks_for_reports(message, offers):
        # RFC 3461: the report returns the headers, not the whole newsletter.
        options += b" RET=HDRS ENVID=%b" % encode_xtext(message.envelope_id)
    return b"MAIL FROM:<%b>%b\r\n" % (message.sender.encode(), options)


def write_rcpt_command(message: OutgoingMessage, offers: Capabilities) -> bytes:
    """Return RCPT for a message without obstacle, with its CRLF."""
    options, address = b"", message.recipient
    if _asks_for_reports(message, offers):
        # Only of failures: there is nothing to do about a delay. Which address we wrote to, however often it
        # is forwarded; one that is not ASCII would need another notation (RFC 6533), which few servers know.
        original = b" ORCPT=rfc822;%b" % encode_xtext(address) if address.isascii() else b""
        options = b" NOTIFY=FAILURE%b" % original
    return b"RCPT TO:<%b>%b\r\n" % (address.encode(), options)


def _asks_for_reports(message: OutgoingMessage, offers: Capabilities) -> bool:
    return message.envelope_id != "" and "DSN" in offers.keywords


def _needs_smtputf8(message: OutgoingMessage) -> bool:
    """Whether an address is not ASCII (RFC 6531). That is its local part, as domains are A-labels already."""
    return not (message.sender.isascii() and message.recipient.isascii())
