"""Puts what an IMAP server or the network says into words that tell the operator what to do."""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator

from imap_tools.errors import MailboxLoginError, UnexpectedCommandStatusError

from locales.phrase import Phrase, gettext_noop
from mailer.feedback.mailboxes.errors import (
    ConnectionLostError,
    FolderRefusedError,
    LoginRefusedError,
    MailboxError,
    MailboxRefusedError,
)
from mailer.feedback.mailboxes.imap_options import Encryption, ImapOptions

# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_NAME_MISMATCHES = frozenset({62, 64})
_MAX_WORDS = 300


@contextlib.contextmanager
def explain_connection(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of connecting into ours.

    Raises:
        MailboxRefusedError: the server cannot be trusted or understood, which waiting does not change.
        MailboxError: it cannot be reached now.
    """
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxRefusedError(_describe_certificate(error, options)) from error
    except ssl.SSLError as error:
        raise MailboxRefusedError(
            Phrase(
                gettext_noop(
                    "%(server)s does not speak TLS as asked (%(reason)s). Use imaps:// with port 993, or "
                    "imap:// with port 143, in [feedback] imap."
                ),
                server=options.server,
                reason=error.reason or error,
            )
        ) from error
    except socket.gaierror as error:
        raise MailboxError(
            Phrase(
                gettext_noop(
                    "There is no mail server called %(host)s. Check [feedback] imap, or the network."
                ),
                host=options.host,
            )
        ) from error
    except TimeoutError as error:
        raise MailboxError(
            Phrase(
                gettext_noop(
                    "%(server)s does not answer within %(timeout)s seconds. Check [feedback] imap, or "
                    "whether a firewall is between."
                ),
                server=options.server,
                timeout=f"{options.timeout:.0f}",
            )
        ) from error
    except (OSError, imaplib.IMAP4.abort) as error:
        raise MailboxError(
            Phrase(
                gettext_noop("%(server)s does not answer: %(error)s."),
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, UnexpectedCommandStatusError, ValueError) as error:
        raise MailboxRefusedError(_describe_greeting(error, options)) from error


@contextlib.contextmanager
def explain_login(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of a login into ours.

    Raises:
        LoginRefusedError: the server refuses it.
        MailboxError: the connection was lost meanwhile.
    """
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        raise MailboxError(
            Phrase(
                gettext_noop("%(server)s ended the connection at the login: %(error)s."),
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, MailboxLoginError) as error:
        raise LoginRefusedError(
            Phrase(
                gettext_noop("%(server)s refuses the login of %(user)s: %(error)s. %(options)s"),
                server=options.server,
                user=options.user,
                error=_clean(error),
                options=_advise(options),
            )
        ) from error


@contextlib.contextmanager
def explain_command(options: ImapOptions) -> Iterator[None]:
    """Turn the errors of a command into ours.

    Raises:
        ConnectionLostError: the connection was lost.
        FolderRefusedError: the server refuses it.
    """
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        raise ConnectionLostError(
            Phrase(
                gettext_noop("The connection to %(server)s was lost: %(error)s."),
                server=options.server,
                error=_clean(error),
            )
        ) from error
    except (imaplib.IMAP4.error, UnexpectedCommandStatusError) as error:
        raise FolderRefusedError(_clean(error)) from error


def _advise(options: ImapOptions) -> str:
    if options.tokens is not None:
        return Phrase(
            gettext_noop(
                "Check the user in [feedback] imap, and that whoever has signed in may read the "
                "mailbox; to sign in again, run `%(command)s`."
            ),
            command=options.tokens.sign_in.command,
        )
    key = "token_file" if options.token_file else "password_file"
    return Phrase(gettext_noop("Check the user in [feedback] imap and the secret in %(key)s."), key=key)


def _describe_certificate(error: ssl.SSLCertVerificationError, options: ImapOptions) -> str:
    if error.verify_code in _NAME_MISMATCHES:
        return Phrase(
            gettext_noop(
                "The certificate of %(server)s is for another name than %(host)s. Write the server's "
                "own name in [feedback] imap."
            ),
            server=options.server,
            host=options.host,
        )
    reason = error.verify_message or error.reason
    return Phrase(
        gettext_noop(
            "The certificate of %(server)s cannot be trusted (%(reason)s). The password was not sent. "
            "Have the server's certificate renewed, or correct [feedback] imap."
        ),
        server=options.server,
        reason=reason,
    )


def _describe_greeting(error: Exception, options: ImapOptions) -> str:
    words = _clean(error)
    if options.encryption is Encryption.starttls:
        return Phrase(
            gettext_noop(
                "%(server)s does not switch to TLS (%(words)s), and no password is sent without. Use "
                "imaps:// in [feedback] imap."
            ),
            server=options.server,
            words=words,
        )
    return Phrase(
        gettext_noop("%(server)s is not an IMAP server that can be used here: %(words)s."),
        server=options.server,
        words=words,
    )


def _clean(error: BaseException) -> str:
    """The server's own words on one line, without what the libraries put around them."""
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
