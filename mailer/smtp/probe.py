"""A look at a relay without sending: does it answer, what does it offer, does it let us in?"""

import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from mailer.errors import MailerError
from mailer.settings import SmtpSettings
from mailer.smtp.auth import Credentials, Mechanism, choose_mechanism, open_exchange, read_credentials
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import clean_words
from mailer.smtp.reply_parser import Capabilities, read_capabilities

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PATIENCE_SECONDS = 10.0


class RelayUnfitError(MailerError):
    """The relay does not take mail from us now; the message says why."""


@dataclass(frozen=True, kw_only=True)
class RelayView:
    """What was seen of a relay. ``tls`` is the version spoken, "" for clear text; ``certificate_until`` (UTC)
    is when the certificate ends, and ``certificate_fault`` why nobody vouches for it, "" if somebody does.
    """

    place: str
    capabilities: Capabilities
    is_local: bool
    tls: str = ""
    certificate_until: datetime | None = None
    certificate_fault: str = ""
    mechanism: Mechanism | None = None


def look_at_relay(settings: SmtpSettings, root: Path) -> RelayView:
    """Connect to the relay ``settings.url`` names, as a campaign would, and leave again. No mail is sent.

    Raises:
        RelayUnfitError: it does not answer, cannot be trusted, or does not let us in.
        ConfigurationError: the password cannot be read, or there is a user without one.
    """
    credentials = read_credentials(settings.url, settings.password_file, settings.token_file, root)
    is_trust_needed = credentials is not None or settings.starttls == "require"
    try:
        return _Visit(settings, credentials, ssl.create_default_context()).look()
    except ssl.SSLCertVerificationError as error:
        fault = clean_words(error.verify_message)
        if is_trust_needed or urlsplit(settings.url).scheme == "smtps":
            raise RelayUnfitError(f"its certificate is not trusted ({fault})") from error
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return replace(_Visit(settings, credentials, context).look(), certificate_fault=fault)


class _Visit:
    """One connection, from the name's address to QUIT."""

    def __init__(
        self, settings: SmtpSettings, credentials: Credentials | None, context: ssl.SSLContext
    ) -> None:
        url = urlsplit(settings.url)
        self._settings = settings
        self._credentials = credentials
        self._context = context
        self._host = url.hostname or ""
        self._over_tls = url.scheme == "smtps"
        self._port = url.port or (465 if self._over_tls else 587 if url.username else 25)

    def look(self) -> RelayView:
        try:
            client = self._open()
            with contextlib.closing(client):
                view = self._talk(client)
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    client.docmd("QUIT")
                return view
        except ssl.SSLCertVerificationError:
            raise
        except ConnectionFailedError as error:
            raise RelayUnfitError(str(error)) from error
        except socket.gaierror as error:
            raise RelayUnfitError(
                f"the host name {self._host} cannot be resolved ({error.strerror})"
            ) from error
        except smtplib.SMTPResponseException as error:
            raise RelayUnfitError(_say(error.smtp_code, error.smtp_error)) from error
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            raise RelayUnfitError(clean_words(str(error)) or type(error).__name__) from error

    def _open(self) -> smtplib.SMTP:
        seconds = min(_PATIENCE_SECONDS, self._settings.timeout)
        # With a name of our own given, smtplib does not ask the resolver for one, which can take seconds.
        if not self._over_tls:
            return smtplib.SMTP(self._host, self._port, "localhost", seconds)
        return smtplib.SMTP_SSL(self._host, self._port, "localhost", timeout=seconds, context=self._context)

    def _talk(self, client: smtplib.SMTP) -> RelayView:
        capabilities = _greet(client)
        if not self._over_tls and self._settings.starttls != "never":
            capabilities = self._change_to_tls(client, capabilities)
        view = RelayView(
            place=f"{self._host}:{self._port}",
            capabilities=capabilities,
            is_local=self._host in _LOOPBACK,
            mechanism=self._log_in(client, capabilities),
        )
        if not isinstance(client.sock, ssl.SSLSocket):
            return view
        until = (client.sock.getpeercert() or {}).get("notAfter")
        ends = (
            datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None
        )
        return replace(view, tls=client.sock.version() or "", certificate_until=ends)

    def _change_to_tls(self, client: smtplib.SMTP, capabilities: Capabilities) -> Capabilities:
        if "STARTTLS" not in capabilities:
            if self._settings.starttls == "require":
                raise RelayUnfitError("it does not offer STARTTLS, which [smtp] starttls requires")
            return capabilities
        client.starttls(context=self._context)
        return _greet(client)

    def _log_in(self, client: smtplib.SMTP, capabilities: Capabilities) -> Mechanism | None:
        credentials = self._credentials
        if credentials is None:
            return None
        is_safe = isinstance(client.sock, ssl.SSLSocket) or self._host in _LOOPBACK
        if not is_safe and self._settings.starttls != "never":
            raise RelayUnfitError("it does not offer encryption, and the password is not sent in clear text")
        mechanism = choose_mechanism(
            capabilities.auth,
            self._settings.auth,
            has_token=credentials.has_token,
            has_password=credentials.has_password,
        )
        exchange = open_exchange(mechanism, credentials)
        code, words = client.docmd(f"AUTH {mechanism} {exchange.initial()}".rstrip())
        while code == 334:
            code, words = client.docmd(exchange.answer(words.decode("ascii", "replace")))
        if code != 235:
            raise RelayUnfitError(
                f"it refuses the login: {_say(code, words)} {exchange.explanation}".rstrip()
            )
        return mechanism


def _greet(client: smtplib.SMTP) -> Capabilities:
    """EHLO, or HELO where the server does not know EHLO."""
    assert client.sock is not None  # noqa: S101 - it has just been opened
    client.local_hostname = _own_name(client.sock)
    code, words = client.ehlo()
    if 500 <= code <= 599:
        code, words = client.helo()
    if code != 250:
        raise RelayUnfitError(_say(code, words))
    return read_capabilities(words.decode("utf-8", "replace"))


def _read_end(until: object) -> datetime | None:
    """The moment a certificate ends; nothing is known of one that was not checked."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None


def _own_name(sock: socket.socket) -> str:
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address: str = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _say(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {clean_words(text)}".strip()
