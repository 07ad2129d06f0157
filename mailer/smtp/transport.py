"""Opening a connection to a relay: connect, greeting, EHLO, TLS, login; then messages may go."""

import asyncio
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from mailer.settings import SmtpSettings
from mailer.smtp.auth import choose_mechanism, read_credentials, start_exchange
from mailer.smtp.connection import SmtpConnection
from mailer.smtp.interfaces import ConnectionFailedError, MessageSource
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply, clean_reply_text
from mailer.smtp.reply_parser import Capabilities, Reply, parse_ehlo_text

_LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
_CONNECT_SECONDS = 30.0
"""As Postfix's smtp_connect_timeout: a host that does not answer in this time is down."""

_MAX_CHALLENGES = 5
"""No mechanism of ours has more than three."""


class SmtpTransport:
    """The relay that ``settings`` name.

    Certificates are checked for ``smtps://``, for ``starttls = "require"`` and whenever a password is sent.
    With "if-offered" and no password an unchecked certificate is still better than clear text (RFC 7435).

    Raises:
        ConfigurationError: the password cannot be read, or there is a user without one.
    """

    def __init__(self, settings: SmtpSettings, root: Path) -> None:
        url = urlsplit(settings.url)
        self._settings = settings
        self._host = url.hostname or ""
        self._over_tls = url.scheme == "smtps"
        self._port = url.port or (465 if self._over_tls else 587 if url.username else 25)
        self._credentials = read_credentials(settings.url, settings.password_file, settings.token_file, root)
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def connect(self, source: MessageSource) -> SmtpConnection:
        line = SmtpConnection(source, self._settings, asyncio.get_running_loop())
        try:
            await self._open(line)
            capabilities = await self._read_greeting(line)
            capabilities = await self._start_tls(line, capabilities)
            await self._authenticate(line, capabilities)
        except BaseException:
            line.transport.abort()
            raise
        line.start_sending(capabilities)
        return line

    async def _open(self, line: SmtpConnection) -> None:
        context = self._tls_context(checked=True) if self._over_tls else None
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, self._settings.timeout)):
                await asyncio.get_running_loop().create_connection(
                    lambda: line, self._host, self._port, ssl=context
                )
        except ssl.SSLCertVerificationError as error:
            raise self._permanent_failure(Stage.tls, _describe_error(error)) from error
        except (OSError, TimeoutError) as error:
            raise self._temporary_failure(Stage.connect, _describe_error(error)) from error

    async def _read_greeting(self, line: SmtpConnection) -> Capabilities:
        await self._command(line, None, Stage.connect, {220})
        return await self._send_ehlo(line)

    async def _send_ehlo(self, line: SmtpConnection) -> Capabilities:
        """EHLO, or HELO where the server does not know EHLO."""
        name = _ehlo_name(line)
        reply = await self._read_reply(line, b"EHLO " + name, Stage.connect)
        if 500 <= reply.code <= 599:
            await self._command(line, b"HELO " + name, Stage.connect, {250})
            return Capabilities()
        self._require_code(reply, Stage.connect, {250})
        return parse_ehlo_text(reply.text.decode("utf-8", "replace"))

    async def _start_tls(self, line: SmtpConnection, capabilities: Capabilities) -> Capabilities:
        wish = self._settings.starttls
        if self._over_tls or wish == "never":
            return capabilities
        if "STARTTLS" not in capabilities:
            if wish == "require":
                words = "the server does not offer STARTTLS, which [smtp] starttls requires"
                raise self._permanent_failure(Stage.tls, words)
            return capabilities
        await self._command(line, b"STARTTLS", Stage.tls, {220})
        if line.has_unread_data:
            # Somebody between us has put words into the clear text that we would take for the server's.
            raise self._permanent_failure(
                Stage.tls, "the server sent data before STARTTLS completed (RFC 3207 §4.2 injection)"
            )
        await self._upgrade_to_tls(line, checked=wish == "require" or self._credentials is not None)
        # What was offered in clear text may have been offered by anybody (RFC 3207 §4.2).
        return await self._send_ehlo(line)

    async def _upgrade_to_tls(self, line: SmtpConnection, *, checked: bool) -> None:
        context = self._tls_context(checked=checked)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout):
                transport = await loop.start_tls(line.transport, line, context, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            raise self._permanent_failure(Stage.tls, _describe_error(error)) from error
        except (OSError, TimeoutError) as error:
            raise self._temporary_failure(Stage.tls, _describe_error(error)) from error
        if transport is None:
            raise self._temporary_failure(Stage.tls, "the connection was lost")
        line.transport = transport

    async def _authenticate(self, line: SmtpConnection, capabilities: Capabilities) -> None:
        credentials = self._credentials
        if credentials is None:
            return
        is_encrypted = line.transport.get_extra_info("ssl_object") is not None
        if not is_encrypted and self._settings.starttls != "never" and self._host not in _LOOPBACK_HOSTS:
            raise self._permanent_failure(
                Stage.login,
                "the server does not offer encryption, and the password is not sent in clear text. "
                'To send it anyway, set [smtp] starttls = "never"',
            )
        mechanism = choose_mechanism(
            capabilities.auth_mechanisms,
            self._settings.auth,
            has_token=credentials.has_token,
            has_password=credentials.has_password,
        )
        exchange = start_exchange(mechanism, credentials)
        command = f"AUTH {mechanism} {exchange.initial_response()}".rstrip()
        reply = await self._read_reply(line, command.encode(), Stage.login)
        for _ in range(_MAX_CHALLENGES):
            if reply.code != 334:
                break
            answer = exchange.respond(reply.text.decode("ascii", "replace"))
            reply = await self._read_reply(line, answer.encode(), Stage.login)
        self._require_code(reply, Stage.login, {235}, exchange.error_detail)

    async def _command(
        self, line: SmtpConnection, command: bytes | None, stage: Stage, good: set[int]
    ) -> None:
        self._require_code(await self._read_reply(line, command, stage), stage, good)

    async def _read_reply(self, line: SmtpConnection, command: bytes | None, stage: Stage) -> Reply:
        try:
            async with asyncio.timeout(self._settings.timeout):
                reply = await line.send_command(command)
        except TimeoutError as error:
            raise self._temporary_failure(stage, "timed out") from error
        if reply is None:
            raise self._temporary_failure(stage, "the server closed the connection")
        return reply

    def _require_code(self, reply: Reply, stage: Stage, good: set[int], explanation: str = "") -> None:
        if reply.code not in good:
            words = " ".join((reply.text.decode("utf-8", "replace"), explanation))
            raise ConnectionFailedError(classify_reply(stage, reply.code, clean_reply_text(words)))

    def _tls_context(self, *, checked: bool) -> ssl.SSLContext:
        """Made once: reading the machine's authorities takes tens of milliseconds."""
        if checked not in self._contexts:
            context = ssl.create_default_context()
            if not checked:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._contexts[checked] = context
        return self._contexts[checked]

    def _permanent_failure(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._failure(Verdict.stop, stage, words)

    def _temporary_failure(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._failure(Verdict.give_back, stage, words)

    def _failure(self, verdict: Verdict, stage: Stage, words: str) -> ConnectionFailedError:
        named = f"{self._host}:{self._port}: {words}"
        return ConnectionFailedError(Outcome(verdict=verdict, stage=stage, text=named, reconnect=True))


def _ehlo_name(line: SmtpConnection) -> bytes:
    """What to call ourselves in EHLO: a full host name, or the address as a literal (RFC 5321 §4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name.encode()
    address: str = line.transport.get_extra_info("sockname")[0]
    return (f"[IPv6:{address}]" if ":" in address else f"[{address}]").encode()


def _describe_error(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return clean_reply_text(str(error)) or type(error).__name__
