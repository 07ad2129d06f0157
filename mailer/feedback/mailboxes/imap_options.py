"""Which IMAP mailbox to read: the parts of ``[feedback] imap``, and the secret to log in with."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.feedback.mailboxes.errors import MailboxError, MailboxRefusedError
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.errors import OAuthError, ProviderUnavailableError
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
    tokens: AccessTokens | None = field(default=None, repr=False, compare=False)
    timeout: float = _TIMEOUT_SECONDS

    @property
    def uses_token(self) -> bool:
        """Whether the login is with an OAuth token, not with a password."""
        return self.tokens is not None or self.token_file is not None

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
        return self.tokens.file if self.tokens is not None else self.token_file or self.password_file

    def read_secret(self) -> str:
        """Read the password, or an OAuth token that works now.

        Raises:
            MailboxRefusedError: no file is set, it cannot be read, or a person must sign in.
            MailboxError: the provider of the sign-in does not answer now.
        """
        if self.tokens is not None:
            with _explain_sign_in():
                return self.tokens.read()
        path = self.secret_file
        if path is None:
            raise MailboxRefusedError(
                gettext_noop(
                    "No password is set for the mailbox. Put it into a file, and set [feedback] "
                    "password_file to its path, or sign in without a password ([feedback.oauth])."
                )
            )
        try:
            return read_first_line(path)
        except (OSError, ValueError) as error:
            key, what = (
                ("token_file", "OAuth token") if path is self.token_file else ("password_file", "password")
            )
            raise MailboxRefusedError(
                Phrase(
                    gettext_noop(
                        "[feedback] %(key)s: %(path)s cannot be read or is empty. Its first line must be "
                        "the %(what)s."
                    ),
                    key=key,
                    path=path,
                    what=what,
                )
            ) from error

    def replace_secret(self, refused: str) -> str:
        """Another secret than ``refused``, which the server does not take; "" if there is no other.

        Raises:
            MailboxError: as for :meth:`read_secret`.
        """
        if self.tokens is None:
            return ""
        with _explain_sign_in():
            return self.tokens.replace(refused)


@contextlib.contextmanager
def _explain_sign_in() -> Iterator[None]:
    try:
        yield
    except ProviderUnavailableError as error:
        raise MailboxError(str(error)) from error
    except (OAuthError, ConfigurationError) as error:
        raise MailboxRefusedError(str(error)) from error


def parse_imap_url(
    url: str,
    *,
    password_file: Path | None = None,
    token_file: Path | None = None,
    tokens: AccessTokens | None = None,
) -> ImapOptions:
    """Return the options for ``imaps://user@host:993/FOLDER``; ``imap://`` switches to TLS by STARTTLS,
    except on this machine. ``tokens`` take precedence over a secret in a file.

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
        tokens=tokens,
    )
