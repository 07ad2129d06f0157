"""Open an SMTP connection until MAIL may follow, to send or only to see whether a server lets us in."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from locales.phrase import Phrase, gettext_noop
from mailer.smtp.auth import (
    AuthExchange,
    AuthMechanism,
    Credentials,
    TokenSource,
    choose_mechanism,
    start_exchange,
)
from mailer.smtp.connection import SmtpConnection, SmtpOptions
from mailer.smtp.interfaces import ConnectionFailedError, MessageSource, OutgoingMessage, SmtpError, Transport
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply, clean_reply_text
from mailer.smtp.stream import Capabilities, Reply, SmtpStream, parse_ehlo_text

_CONNECT_SECONDS = 30.0
"""As Postfix's smtp_connect_timeout: a host that does not answer in this time is down."""

_REFUSED_TOKEN_CODES = frozenset({454, 535})
_KNOWN_SECONDS = 60.0
"""For how long a server that took a token of ours is known to take them."""

_POLL_SECONDS = 1.0
_MAX_CHALLENGES = 5
"""None of our mechanisms has more than three."""
_TIMEOUT_SECONDS = 10.0


class CertificateError(ConnectionFailedError):
    """The server's certificate is not trusted; ``reason`` says why."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        self.reason = reason
        super().__init__(outcome)


class SmtpTransport:
    """Connects to the server that ``options`` name. Its certificate is verified where the options need it to
    be trusted, unless ``verify_certificate`` says otherwise."""

    def __init__(self, options: SmtpOptions, *, verify_certificate: bool | None = None) -> None:
        self._options = options
        needed = options.needs_trusted_certificate
        self._verifies = needed if verify_certificate is None else verify_certificate
        self._context: ssl.SSLContext | None = None
        self._logged_in_at = float("-inf")

    async def connect(self, source: MessageSource) -> SmtpConnection:
        stream = SmtpStream()
        capabilities, _, token = await self.open(stream)
        return SmtpConnection(source, self._options, stream, capabilities, token=token)

    async def open(self, stream: SmtpStream) -> tuple[Capabilities, AuthMechanism | None, str]:
        """Open ``stream`` until the server waits for MAIL; return its capabilities, the mechanism we logged
        in with, if any, and the token that it took, "" if there was none. Raise ConnectionFailedError if it
        could not be opened, and is closed.
        """
        try:
            await self._open(stream)
            capabilities = await self._read_greeting(stream)
            capabilities = await self._start_tls(stream, capabilities)
            mechanism, token = await self._authenticate(stream, capabilities)
        except BaseException:
            stream.transport.abort()
            raise
        return capabilities, mechanism, token

    async def _open(self, stream: SmtpStream) -> None:
        context = self._tls_context() if self._options.implicit_tls else None
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, self._options.timeout)):
                await asyncio.get_running_loop().create_connection(
                    lambda: stream, self._options.host, self._options.port, ssl=context
                )
        except ssl.SSLCertVerificationError as error:
            raise self._untrusted(error) from error
        except socket.gaierror as error:
            words = gettext_noop("the host name %(host)s cannot be resolved (%(strerror)s)") % {
                "host": self._options.host,
                "strerror": error.strerror,
            }
            raise self._temporary_failure(Stage.connect, words) from error
        except (OSError, UnicodeError, TimeoutError) as error:
            raise self._temporary_failure(Stage.connect, _describe_error(error)) from error

    async def _read_greeting(self, stream: SmtpStream) -> Capabilities:
        await self._command(stream, None, Stage.connect, {220})
        return await self._send_ehlo(stream)

    async def _send_ehlo(self, stream: SmtpStream) -> Capabilities:
        """EHLO, or HELO where the server does not know EHLO."""
        name = _ehlo_name(stream)
        reply = await self._read_reply(stream, b"EHLO " + name, Stage.connect)
        if 500 <= reply.code <= 599:
            await self._command(stream, b"HELO " + name, Stage.connect, {250})
            return Capabilities()
        self._require_code(reply, Stage.connect, {250})
        return parse_ehlo_text(reply.text.decode("utf-8", "replace"))

    async def _start_tls(self, stream: SmtpStream, capabilities: Capabilities) -> Capabilities:
        if self._options.implicit_tls or self._options.starttls == "never":
            return capabilities
        if "STARTTLS" not in capabilities:
            if self._options.starttls == "require":
                words = gettext_noop('the server does not offer STARTTLS, which starttls = "require" needs')
                raise self._permanent_failure(Stage.tls, words)
            return capabilities
        await self._command(stream, b"STARTTLS", Stage.tls, {220})
        if stream.has_unread_data:
            # An attacker may have added replies to the clear text that we would take for the server's.
            raise self._permanent_failure(
                Stage.tls,
                gettext_noop("the server sent data before STARTTLS completed (RFC 3207 §4.2 injection)"),
            )
        await self._upgrade_to_tls(stream)
        # What was offered in clear text may not be the server's own offer (RFC 3207 §4.2).
        return await self._send_ehlo(stream)

    async def _upgrade_to_tls(self, stream: SmtpStream) -> None:
        context = self._tls_context()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.timeout):
                transport = await loop.start_tls(
                    stream.transport, stream, context, server_hostname=self._options.host
                )
        except ssl.SSLCertVerificationError as error:
            raise self._untrusted(error) from error
        except (OSError, TimeoutError) as error:
            raise self._temporary_failure(Stage.tls, _describe_error(error)) from error
        if transport is None:
            raise self._temporary_failure(Stage.tls, gettext_noop("the connection was lost"))
        stream.transport = transport

    async def _authenticate(
        self, stream: SmtpStream, capabilities: Capabilities
    ) -> tuple[AuthMechanism | None, str]:
        """Log in; return how, and the token that the server took, if any."""
        credentials = self._options.credentials
        if credentials is None:
            return None, ""
        is_encrypted = stream.transport.get_extra_info("ssl_object") is not None
        if not (is_encrypted or self._options.starttls == "never" or self._options.is_loopback):
            raise self._permanent_failure(
                Stage.login,
                gettext_noop(
                    "the server does not offer encryption, and the password is not sent in clear text. To "
                    'send it anyway, set starttls = "never"'
                ),
            )
        tokens = credentials.tokens
        mechanism = choose_mechanism(
            capabilities.auth_mechanisms,
            self._options.auth,
            has_token=tokens is not None,
            has_password=credentials.password != "",
        )
        if tokens is None or not mechanism.takes_token:
            await self._run_exchange(stream, start_exchange(mechanism, credentials))
            return mechanism, ""
        return mechanism, await self._log_in(stream, mechanism, credentials, tokens)

    async def _log_in(
        self,
        stream: SmtpStream,
        mechanism: AuthMechanism,
        credentials: Credentials,
        tokens: TokenSource,
    ) -> str:
        """Log in with a token; return the one that the server took.

        A token that it does not take is replaced, once: a server that refuses a new one, too, has something
        against us. One that has let us in just now has not; tokens end faster than we log in, and the
        connection is tried again later.
        """
        token = await tokens.read()
        now = asyncio.get_running_loop().time()
        is_known = now - self._logged_in_at < _KNOWN_SECONDS
        for attempts_left in reversed(range(3 if is_known else 2)):
            try:
                await self._run_exchange(stream, start_exchange(mechanism, credentials, token))
            except ConnectionFailedError as error:
                # RFC 4954 §6: 454 and 535 are what a server says to a token that has ended.
                if error.outcome.code not in _REFUSED_TOKEN_CODES:
                    raise
                newer = await tokens.replace(token) if attempts_left else ""
                if not newer and is_known:
                    raise ConnectionFailedError(error.outcome._replace(verdict=Verdict.give_back)) from error
                if not newer:
                    raise
                token = newer
            else:
                self._logged_in_at = now
                break
        return token

    async def _run_exchange(self, stream: SmtpStream, exchange: AuthExchange) -> None:
        command = f"AUTH {exchange.mechanism} {exchange.initial_response()}".rstrip()
        reply = await self._read_reply(stream, command.encode(), Stage.login)
        for _ in range(_MAX_CHALLENGES):
            if reply.code != 334:
                break
            answer = exchange.respond(reply.text.decode("ascii", "replace"))
            reply = await self._read_reply(stream, answer.encode(), Stage.login)
        text = exchange.hide_secrets(reply.text.decode("utf-8", "replace"))
        self._require_code(
            Reply(reply.code, text.encode()), Stage.login, {235}, exchange.hide_secrets(exchange.error_detail)
        )

    async def _command(self, stream: SmtpStream, command: bytes | None, stage: Stage, good: set[int]) -> None:
        self._require_code(await self._read_reply(stream, command, stage), stage, good)

    async def _read_reply(self, stream: SmtpStream, command: bytes | None, stage: Stage) -> Reply:
        try:
            async with asyncio.timeout(self._options.timeout):
                reply = await stream.send_command(command)
        except TimeoutError as error:
            raise self._temporary_failure(stage, "timed out") from error
        if reply is None:
            raise self._temporary_failure(stage, gettext_noop("the server closed the connection"))
        return reply

    def _require_code(self, reply: Reply, stage: Stage, good: set[int], explanation: str = "") -> None:
        if reply.code not in good:
            words = " ".join((reply.text.decode("utf-8", "replace"), explanation))
            raise ConnectionFailedError(classify_reply(stage, reply.code, clean_reply_text(words)))

    def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS context, made once: reading the machine's authorities takes tens of milliseconds."""
        if self._context is None:
            self._context = ssl.create_default_context()
            if not self._verifies:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
        return self._context

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> CertificateError:
        failure = self._permanent_failure(Stage.tls, _describe_error(error))
        return CertificateError(failure.outcome, clean_reply_text(error.verify_message))

    def _permanent_failure(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._failure(Verdict.stop, stage, words)

    def _temporary_failure(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._failure(Verdict.give_back, stage, words)

    def _failure(self, verdict: Verdict, stage: Stage, words: str) -> ConnectionFailedError:
        named = f"{self._options.address}: {words}"
        return ConnectionFailedError(Outcome(verdict=verdict, stage=stage, text=named, reconnect=True))


def _ehlo_name(stream: SmtpStream) -> bytes:
    """Return what to call ourselves in EHLO: a full host name, or an address literal (RFC 5321 §4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name.encode()
    address: str = stream.transport.get_extra_info("sockname")[0]
    return (f"[IPv6:{address}]" if ":" in address else f"[{address}]").encode()


def _describe_error(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return clean_reply_text(str(error)) or type(error).__name__


class ProbeError(SmtpError):
    """The server does not accept mail from us now; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """The findings of a probe. ``tls`` is the version in use, "" for clear text. ``certificate_expires_at``
    is in UTC; ``certificate_error`` says why the certificate is not trusted, "" if it is."""

    address: str
    capabilities: Capabilities
    is_loopback: bool
    tls: str = ""
    certificate_expires_at: datetime | None = None
    certificate_error: str = ""
    mechanism: AuthMechanism | None = None


def probe_server(options: SmtpOptions) -> ProbeResult:
    """Connect as for sending, authenticate, and quit. No mail is sent. The certificate is always checked; one
    that is not trusted is an error only where sending needs it to be. Raise ProbeError if the server does not
    answer, cannot be trusted, or refuses us."""
    options = replace(options, timeout=min(_TIMEOUT_SECONDS, options.timeout))
    try:
        try:
            return asyncio.run(_probe(SmtpTransport(options, verify_certificate=True), options))
        except CertificateError as error:
            if options.needs_trusted_certificate:
                raise ProbeError(
                    Phrase("its certificate is not trusted (%(reason)s)", reason=error.reason)
                ) from error
            result = asyncio.run(_probe(SmtpTransport(options, verify_certificate=False), options))
            return replace(result, certificate_error=error.reason)
    except ConnectionFailedError as error:
        raise ProbeError(_describe(error.outcome, options)) from error


async def _probe(transport: SmtpTransport, options: SmtpOptions) -> ProbeResult:
    stream = SmtpStream()
    capabilities, mechanism, _ = await transport.open(stream)
    encryption: ssl.SSLObject | None = stream.transport.get_extra_info("ssl_object")
    stream.quit()
    # Until it is closed, so that QUIT leaves first.
    await stream.send_command(None)
    result = ProbeResult(
        address=options.address,
        capabilities=capabilities,
        is_loopback=options.is_loopback,
        mechanism=mechanism,
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
        Phrase("it refuses the login: %(reason)s", reason=outcome.reason)
        if outcome.stage is Stage.login
        else outcome.reason
    )


def send_messages(transport: Transport, messages: Iterable[OutgoingMessage]) -> dict[Hashable, Outcome]:
    """Send ``messages`` over one connection; return how each ended, by its key. One that was not sent because
    the connection failed or was used up has the outcome of the connection."""
    return asyncio.run(_send(transport, list(messages)))


async def _send(transport: Transport, messages: list[OutgoingMessage]) -> dict[Hashable, Outcome]:
    loop = asyncio.get_running_loop()
    source = ListSource(messages)
    try:
        connection = await transport.connect(source)
    except ConnectionFailedError as error:
        return {message.key: error.outcome for message in messages}
    connection.wake()
    for finished, then in ((source.finished, connection.close), (source.is_closed, None)):
        while not finished.is_set():
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await finished.wait()
            except TimeoutError:
                connection.check_timeout(loop.time())
        if then is not None:
            then()
    return {message.key: source.outcomes.get(message.key, source.closing) for message in messages}


class ListSource:
    """Feeds a connection from a list. ``finished`` is set when every message has an outcome or none can
    follow."""

    def __init__(self, messages: Iterable[OutgoingMessage]) -> None:
        self._waiting = deque(messages)
        self._unfinished = len(self._waiting)
        self.outcomes: dict[Hashable, Outcome] = {}
        self.closing = Outcome(Verdict.give_back, Stage.connect, text="the connection was closed")
        self.finished = asyncio.Event()
        self.is_closed = asyncio.Event()

    def next_message(self) -> OutgoingMessage | None:
        return self._waiting.popleft() if self._waiting else None

    def write_ahead(self, message: OutgoingMessage, send_message: Callable[[bool], None]) -> None:  # noqa: ARG002
        # The caller has decided to send; there is nothing to write down first.
        asyncio.get_running_loop().call_soon(send_message, True)

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes[message.key] = outcome
        self._unfinished -= 1
        if self._unfinished == 0:
            self.finished.set()

    def closed(self, outcome: Outcome | None) -> None:
        self.closing = outcome or self.closing
        self.finished.set()
        self.is_closed.set()
