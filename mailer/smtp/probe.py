"""Probe an SMTP server without sending: does it answer, what does it offer, does it let us in?"""

import asyncio
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from locales.phrase import Phrase, gettext_noop
from mailer.smtp.auth import AuthMechanism
from mailer.smtp.errors import SmtpError
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.options import SmtpOptions
from mailer.smtp.reply_classifier import Outcome, Stage
from mailer.smtp.reply_parser import Capabilities
from mailer.smtp.stream import SmtpStream
from mailer.smtp.transport import CertificateError, SmtpTransport

_TIMEOUT_SECONDS = 10.0


class ProbeError(SmtpError):
    """The server does not accept mail from us now; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a probe found.

    ``tls`` is the version in use, "" for clear text. ``certificate_expires_at`` is in UTC;
    ``certificate_error`` says why the certificate is not trusted, "" if it is.
    """

    address: str
    capabilities: Capabilities
    is_loopback: bool
    tls: str = ""
    certificate_expires_at: datetime | None = None
    certificate_error: str = ""
    mechanism: AuthMechanism | None = None


def probe_server(options: SmtpOptions) -> ProbeResult:
    """Connect as for sending, authenticate, and quit. No mail is sent.

    The certificate is always checked. One that is not trusted is an error only where sending needs it to be.

    Raises:
        ProbeError: the server does not answer, cannot be trusted, or refuses us.
    """
    options = replace(options, timeout=min(_TIMEOUT_SECONDS, options.timeout))
    try:
        try:
            return asyncio.run(_probe(SmtpTransport(options, verify_certificate=True), options))
        except CertificateError as error:
            if options.needs_trusted_certificate:
                raise ProbeError(
                    Phrase(gettext_noop("its certificate is not trusted (%(reason)s)"), reason=error.reason)
                ) from error
            result = asyncio.run(_probe(SmtpTransport(options, verify_certificate=False), options))
            return replace(result, certificate_error=error.reason)
    except ConnectionFailedError as error:
        raise ProbeError(_describe(error.outcome, options)) from error


async def _probe(transport: SmtpTransport, options: SmtpOptions) -> ProbeResult:
    stream = SmtpStream()
    session = await transport.open(stream)
    encryption: ssl.SSLObject | None = stream.transport.get_extra_info("ssl_object")
    stream.quit()
    # Until it is closed, so that QUIT leaves first.
    await stream.send_command(None)
    result = ProbeResult(
        address=options.address,
        capabilities=session.capabilities,
        is_loopback=options.is_loopback,
        mechanism=session.mechanism,
    )
    if encryption is None:
        return result
    # Nothing is known of a certificate that was not verified.
    until = (encryption.getpeercert() or {}).get("notAfter")
    expires_at = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None
    )
    return replace(result, tls=encryption.version() or "", certificate_expires_at=expires_at)


def _describe(outcome: Outcome, options: SmtpOptions) -> str:
    if outcome.code is None:
        return outcome.text.removeprefix(f"{options.address}: ")
    return (
        Phrase(gettext_noop("it refuses the login: %(reason)s"), reason=outcome.reason)
        if outcome.stage is Stage.login
        else outcome.reason
    )
