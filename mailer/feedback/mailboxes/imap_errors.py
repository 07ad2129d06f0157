"""Puts what an IMAP server or the network says into words that tell the operator what to do."""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator

from imap_tools.errors import MailboxLoginError, UnexpectedCommandStatusError

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
            f"{options.server} does not speak TLS as asked ({error.reason or error}). Use imaps:// with port "
            "993, or imap:// with port 143, in [feedback] imap."
        ) from error
    except socket.gaierror as error:
        raise MailboxError(
            f"There is no mail server called {options.host}. Check [feedback] imap, or the network."
        ) from error
    except TimeoutError as error:
        raise MailboxError(
            f"{options.server} does not answer within {options.timeout:.0f} seconds. Check [feedback] imap, "
            "or whether a firewall is between."
        ) from error
    except (OSError, imaplib.IMAP4.abort) as error:
        raise MailboxError(f"{options.server} does not answer: {_clean(error)}.") from error
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
        raise MailboxError(f"{options.server} ended the connection at the login: {_clean(error)}.") from error
    except (imaplib.IMAP4.error, MailboxLoginError) as error:
        raise LoginRefusedError(
            f"{options.server} refuses the login of {options.user}: {_clean(error)}. {_advise(options)}"
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
        raise ConnectionLostError(f"The connection to {options.server} was lost: {_clean(error)}.") from error
    except (imaplib.IMAP4.error, UnexpectedCommandStatusError) as error:
        raise FolderRefusedError(_clean(error)) from error


def _advise(options: ImapOptions) -> str:
    if options.tokens is not None:
        return (
            "Check the user in [feedback] imap, and that whoever has signed in may read the mailbox; to sign "
            f"in again, run `{options.tokens.sign_in.command}`."
        )
    key = "token_file" if options.token_file else "password_file"
    return f"Check the user in [feedback] imap and the secret in {key}."


def _describe_certificate(error: ssl.SSLCertVerificationError, options: ImapOptions) -> str:
    if error.verify_code in _NAME_MISMATCHES:
        return (
            f"The certificate of {options.server} is for another name than {options.host}. Write the "
            "server's own name in [feedback] imap."
        )
    reason = error.verify_message or error.reason
    return (
        f"The certificate of {options.server} cannot be trusted ({reason}). The password was not sent. Have "
        "the server's certificate renewed, or correct [feedback] imap."
    )


def _describe_greeting(error: Exception, options: ImapOptions) -> str:
    words = _clean(error)
    if options.encryption is Encryption.starttls:
        return (
            f"{options.server} does not switch to TLS ({words}), and no password is sent without. Use "
            "imaps:// in [feedback] imap."
        )
    return f"{options.server} is not an IMAP server that can be used here: {words}."


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
    return " ".join(text.split())[:_MAX_WORDS].rstrip(".") or "it gives no reason"
