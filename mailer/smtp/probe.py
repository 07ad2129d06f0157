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
from mailer.smtp.auth import AuthMechanism, Credentials, choose_mechanism, read_credentials, start_exchange
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import clean_reply_text
from mailer.smtp.reply_parser import Capabilities, parse_ehlo_text

_LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT_SECONDS = 10.0


class ProbeError(MailerError):
    """The relay does not take mail from us now; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What was seen of a relay. ``tls`` is the version spoken, "" for clear text; ``certificate_expires_at`` (UTC)
    is when the certificate ends, and ``certificate_error`` why nobody vouches for it, "" if somebody does.
    """

    address: str
    capabilities: Capabilities
    is_loopback: bool
    tls: str = ""
    certificate_expires_at: datetime | None = None
    certificate_error: str = ""
    mechanism: AuthMechanism | None = None


def probe_relay(settings: SmtpSettings, root: Path) -> ProbeResult:
    """Connect to the relay ``settings.url`` names, as a campaign would, and leave again. No mail is sent.

    Raises:
        ProbeError: it does not answer, cannot be trusted, or does not let us in.
        ConfigurationError: the password cannot be read, or there is a user without one.
    """
    credentials = read_credentials(settings.url, settings.password_file, settings.token_file, root)
    is_trust_needed = credentials is not None or settings.starttls == "require"
    try:
        return _Probe(settings, credentials, ssl.create_default_context()).run()
    except ssl.SSLCertVerificationError as error:
        fault = clean_reply_text(error.verify_message)
        if is_trust_needed or urlsplit(settings.url).scheme == "smtps":
            raise ProbeError(f"its certificate is not trusted ({fault})") from error
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return replace(_Probe(settings, credentials, context).run(), certificate_error=fault)


class _Probe:
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

    def run(self) -> ProbeResult:
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
            raise ProbeError(str(error)) from error
        except socket.gaierror as error:
            raise ProbeError(f"the host name {self._host} cannot be resolved ({error.strerror})") from error
        except smtplib.SMTPResponseException as error:
            raise ProbeError(_describe_reply(error.smtp_code, error.smtp_error)) from error
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            raise ProbeError(clean_reply_text(str(error)) or type(error).__name__) from error

    def _open(self) -> smtplib.SMTP:
        seconds = min(_TIMEOUT_SECONDS, self._settings.timeout)
        # With a name of our own given, smtplib does not ask the resolver for one, which can take seconds.
        if not self._over_tls:
            return smtplib.SMTP(self._host, self._port, "localhost", seconds)
        return smtplib.SMTP_SSL(self._host, self._port, "localhost", timeout=seconds, context=self._context)

    def _talk(self, client: smtplib.SMTP) -> ProbeResult:
        capabilities = _send_ehlo(client)
        if not self._over_tls and self._settings.starttls != "never":
            capabilities = self._start_tls(client, capabilities)
        view = ProbeResult(
            address=f"{self._host}:{self._port}",
            capabilities=capabilities,
            is_loopback=self._host in _LOOPBACK_HOSTS,
            mechanism=self._authenticate(client, capabilities),
        )
        if not isinstance(client.sock, ssl.SSLSocket):
            return view
        until = (client.sock.getpeercert() or {}).get("notAfter")
        ends = (
            datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None
        )
        return replace(view, tls=client.sock.version() or "", certificate_expires_at=ends)

    def _start_tls(self, client: smtplib.SMTP, capabilities: Capabilities) -> Capabilities:
        if "STARTTLS" not in capabilities:
            if self._settings.starttls == "require":
                raise ProbeError("it does not offer STARTTLS, which [smtp] starttls requires")
            return capabilities
        client.starttls(context=self._context)
        return _send_ehlo(client)

    def _authenticate(self, client: smtplib.SMTP, capabilities: Capabilities) -> AuthMechanism | None:
        credentials = self._credentials
        if credentials is None:
            return None
        is_safe = isinstance(client.sock, ssl.SSLSocket) or self._host in _LOOPBACK_HOSTS
        if not is_safe and self._settings.starttls != "never":
            raise ProbeError("it does not offer encryption, and the password is not sent in clear text")
        mechanism = choose_mechanism(
            capabilities.auth_mechanisms,
            self._settings.auth,
            has_token=credentials.has_token,
            has_password=credentials.has_password,
        )
        exchange = start_exchange(mechanism, credentials)
        code, words = client.docmd(f"AUTH {mechanism} {exchange.initial_response()}".rstrip())
        while code == 334:
            code, words = client.docmd(exchange.respond(words.decode("ascii", "replace")))
        if code != 235:
            raise ProbeError(
                f"it refuses the login: {_describe_reply(code, words)} {exchange.error_detail}".rstrip()
            )
        return mechanism


def _send_ehlo(client: smtplib.SMTP) -> Capabilities:
    """EHLO, or HELO where the server does not know EHLO."""
    assert client.sock is not None  # noqa: S101 - it has just been opened
    client.local_hostname = _ehlo_name(client.sock)
    code, words = client.ehlo()
    if 500 <= code <= 599:
        code, words = client.helo()
    if code != 250:
        raise ProbeError(_describe_reply(code, words))
    return parse_ehlo_text(words.decode("utf-8", "replace"))


def _read_end(until: object) -> datetime | None:
    """The moment a certificate ends; nothing is known of one that was not checked."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None


def _ehlo_name(sock: socket.socket) -> str:
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address: str = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _describe_reply(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {clean_reply_text(text)}".strip()
