"""Where the mails that come back go: a Maildir, or an LMTP server on this machine."""

import smtplib
from collections.abc import Callable
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.feedback.simulator.mails import ReturnedMail
from mailer.network import parse_address, parse_listen_address
from mailer.smtp.maildir_folder import create_folders, store

_TIMEOUT_SECONDS = 30

ReturnPath = Callable[[ReturnedMail], None]
"""Delivers one mail that comes back. It raises OSError if it cannot (``smtplib.SMTPException`` is one)."""


def to_maildir(folder: Path) -> ReturnPath:
    """Deliver into the Maildir at ``folder``, as a mail server's last step does (RFC 5321, section 4.4)."""
    create_folders(folder)

    def deliver(mail: ReturnedMail) -> None:
        head = f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.recipient}\r\n"
        store(folder, head.encode() + mail.content)

    return deliver


def to_lmtp(place: str, root: Path) -> ReturnPath:
    """Deliver to the LMTP server (RFC 2033) at ``place``: HOST:PORT of loopback, or the path of a socket,
    relative to ``root``.

    Raises:
        ConfigurationError: it is not on this machine. A rehearsal connects to nothing else.
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
