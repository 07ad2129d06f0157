"""Which IMAP mailbox to read, how to log in, and what can go wrong, in words for the operator."""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imap_tools.errors import MailboxLoginError, UnexpectedCommandStatusError

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError, MailerError
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.provider import OAuthError, ProviderUnavailableError
from mailer.settings import LOOPBACK_HOSTS
from mailer.smtp.auth import read_first_line

_TIMEOUT_SECONDS = 60.0
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_NAME_MISMATCHES = frozenset({62, 64})
_MAX_WORDS = 300


class MailboxError(MailerError):
    """The mailbox cannot be read now; the text says why and what to do."""


class ConnectionLostError(MailboxError):
    """The connection to the mailbox ended. That is usual, and worth a word only if the next one fails."""


class MailboxRefusedError(MailboxError):
    """The server does not let us in: the same attempt will fail until somebody changes something."""


class LoginRefusedError(MailboxRefusedError):
    """The server does not take the password or the token."""


class FolderRefusedError(MailboxError):
    """The server does not move or delete a message. The message stays where it is."""


_IMAPS_PORT, _IMAP_PORT = 993, 143


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
        """Read the password, or an OAuth token that works now. Raise MailboxRefusedError if no file is set,
        it cannot be read, or a person must sign in, and MailboxError if the provider of the sign-in does not
        answer now.
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
                    "[feedback] %(key)s: %(path)s cannot be read or is empty. Its first line must be "
                    "the %(what)s.",
                    key=key,
                    path=path,
                    what=what,
                )
            ) from error

    def replace_secret(self, refused: str) -> str:
        """Return another secret than ``refused``, which the server does not take; "" if there is no other."""
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
    except on this machine. ``tokens`` take precedence over a secret in a file. Raise ValueError if it names
    no scheme, user or host of that kind, or an invalid port.
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


@contextlib.contextmanager
def explain_connection(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of connecting into ours: MailboxRefusedError if the server cannot be trusted or
    understood, which waiting does not change, and MailboxError if it cannot be reached now.
    """
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxRefusedError(_describe_certificate(error, options)) from error
    except ssl.SSLError as error:
        raise MailboxRefusedError(
            Phrase(
                "%(server)s does not speak TLS as asked (%(reason)s). Use imaps:// with port 993, or "
                "imap:// with port 143, in [feedback] imap.",
                server=options.server,
                reason=error.reason or error,
            )
        ) from error
    except socket.gaierror as error:
        raise MailboxError(
            Phrase(
                "There is no mail server called %(host)s. Check [feedback] imap, or the network.",
                host=options.host,
            )
        ) from error
    except TimeoutError as error:
        raise MailboxError(
            Phrase(
                "%(server)s does not answer within %(timeout)s seconds. Check [feedback] imap, or "
                "whether a firewall is between.",
                server=options.server,
                timeout=f"{options.timeout:.0f}",
            )
        ) from error
    except (OSError, imaplib.IMAP4.abort) as error:
        raise MailboxError(
            Phrase(
                "%(server)s does not answer: %(error)s.",
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, UnexpectedCommandStatusError, ValueError) as error:
        raise MailboxRefusedError(_describe_greeting(error, options)) from error


@contextlib.contextmanager
def explain_login(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of a login into ours. Raise LoginRefusedError if the server refuses it, and
    MailboxError if the connection was lost meanwhile.
    """
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        raise MailboxError(
            Phrase(
                "%(server)s ended the connection at the login: %(error)s.",
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, MailboxLoginError) as error:
        raise LoginRefusedError(
            Phrase(
                "%(server)s refuses the login of %(user)s: %(error)s. %(options)s",
                server=options.server,
                user=options.user,
                error=_clean(error),
                options=_advise(options),
            )
        ) from error


@contextlib.contextmanager
def explain_command(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of a command into ours. Raise ConnectionLostError if the connection was lost, and
    FolderRefusedError if the server refuses it.
    """
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        raise ConnectionLostError(
            Phrase(
                "The connection to %(server)s was lost: %(error)s.",
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, UnexpectedCommandStatusError) as error:
        raise FolderRefusedError(_clean(error)) from error


def _advise(options: ImapOptions) -> str:
    if options.tokens is not None:
        return Phrase(
            "Check the user in [feedback] imap, and that whoever has signed in may read the "
            "mailbox; to sign in again, run `%(command)s`.",
            command=options.tokens.sign_in.command,
        )
    key = "token_file" if options.token_file else "password_file"
    return Phrase("Check the user in [feedback] imap and the secret in %(key)s.", key=key)


def _describe_certificate(error: ssl.SSLCertVerificationError, options: ImapOptions) -> str:
    if error.verify_code in _NAME_MISMATCHES:
        return Phrase(
            "The certificate of %(server)s is for another name than %(host)s. Write the server's "
            "own name in [feedback] imap.",
            server=options.server,
            host=options.host,
        )
    reason = error.verify_message or error.reason
    return Phrase(
        "The certificate of %(server)s cannot be trusted (%(reason)s). The password was not sent. "
        "Have the server's certificate renewed, or correct [feedback] imap.",
        server=options.server,
        reason=reason,
    )


def _describe_greeting(error: Exception, options: ImapOptions) -> str:
    words = _clean(error)
    if options.encryption is Encryption.starttls:
        return Phrase(
            "%(server)s does not switch to TLS (%(words)s), and no password is sent without. Use "
            "imaps:// in [feedback] imap.",
            server=options.server,
            words=words,
        )
    return Phrase(
        "%(server)s is not an IMAP server that can be used here: %(words)s.",
        server=options.server,
        words=words,
    )


def _clean(error: BaseException) -> str:
    """Return the server's own words on one line, without what the libraries put around them."""
    if isinstance(error, UnexpectedCommandStatusError):
        said = [word for word in error.command_result[1] if isinstance(word, bytes)]
        text = b" ".join(said).decode("utf-8", "replace")
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
        text = re.sub(r"^command: \w+ => |^\w+ command error: \w+ \[b['\"]|['\"]\]$", "", text)
    # Dovecot adds how long it took, which would make the same answer a new one every time.
    text = re.sub(r" \([\d.+ ]+ secs\)", "", text)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:_MAX_WORDS].rstrip(".") or gettext_noop("it gives no reason")
