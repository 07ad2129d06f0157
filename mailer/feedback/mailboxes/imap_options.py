"""Which IMAP mailbox to read: the parts of ``[feedback] imap``, and the secret to log in with."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mailer.feedback.mailboxes.errors import MailboxRefusedError
from mailer.settings import LOOPBACK_HOSTS
from mailer.smtp.auth import read_first_line

_IMAPS_PORT, _IMAP_PORT = 993, 143
_TIMEOUT_SECONDS = 60.0


class Encryption(StrEnum):
    """How a connection is encrypted."""

    implicit = "implicit"
    """TLS from the first byte."""

    starttls = "starttls"
    """Clear text that must switch to TLS before anything else."""

    none = "none"
    """Clear text, to this machine only."""


@dataclass(frozen=True, kw_only=True)
class ImapOptions:
    """One mailbox and how to log in. ``timeout`` is in seconds, for every reply of the server."""

    host: str
    port: int
    user: str
    folder: str = "INBOX"
    encryption: Encryption = Encryption.implicit
    password_file: Path | None = None
    token_file: Path | None = None
    timeout: float = _TIMEOUT_SECONDS

    @property
    def server(self) -> str:
        """Host and port, as shown to people."""
        return f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The mailbox, as shown to people and as it is kept in the database."""
        return f"{self.user} at {self.server}, {self.folder}"

    @property
    def secret_file(self) -> Path | None:
        """The file that the next login will read."""
        return self.token_file or self.password_file

    def read_secret(self) -> str:
        """Read the password or the OAuth token, which whoever renews it writes into its file.

        Raises:
            MailboxRefusedError: no file is set, or it cannot be read.
        """
        path = self.secret_file
        if path is None:
            raise MailboxRefusedError(
                "No password is set for the mailbox. Put it into a file, and set [feedback] password_file to "
                "its path (or token_file for an OAuth token)."
            )
        try:
            return read_first_line(path)
        except (OSError, ValueError) as error:
            key, what = (
                ("token_file", "OAuth token") if path is self.token_file else ("password_file", "password")
            )
            raise MailboxRefusedError(
                f"[feedback] {key}: {path} cannot be read or is empty. Its first line must be the {what}."
            ) from error


def parse_imap_url(
    url: str, *, password_file: Path | None = None, token_file: Path | None = None
) -> ImapOptions:
    """Return the options for ``imaps://user@host:993/FOLDER``; ``imap://`` switches to TLS by STARTTLS,
    except on this machine.

    Raises:
        ValueError: it names no scheme, user or host of that kind, or an invalid port.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
        raise ValueError(f"{parts.scheme}://{parts.hostname or ''} is not the address of a mailbox")
    is_local = parts.hostname in LOOPBACK_HOSTS
    encryption = Encryption.implicit
    if parts.scheme == "imap":
        encryption = Encryption.none if is_local else Encryption.starttls
    return ImapOptions(
        host=parts.hostname,
        port=parts.port or (_IMAPS_PORT if parts.scheme == "imaps" else _IMAP_PORT),
        user=unquote(parts.username),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        encryption=encryption,
        password_file=password_file,
        token_file=token_file,
    )
