"""Opening a connection to a relay: connect, greeting, EHLO, TLS, login; then messages may go."""

import asyncio
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from mailer.settings import SmtpSettings
from mailer.smtp.auth import choose_mechanism, open_exchange, read_credentials
from mailer.smtp.connection import SmtpLine
from mailer.smtp.interfaces import ConnectionFailedError, Courier
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_words, judge_reply
from mailer.smtp.reply_parser import Capabilities, Reply, read_capabilities

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CONNECT_SECONDS = 30.0
"""As Postfix's smtp_connect_timeout: a host that does not answer in this time is down."""

_MOST_CHALLENGES = 5
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

    async def connect(self, courier: Courier) -> SmtpLine:
        line = SmtpLine(courier, self._settings, asyncio.get_running_loop())
        try:
            await self._open(line)
            capabilities = await self._greet(line)
            capabilities = await self._change_to_tls(line, capabilities)
            await self._log_in(line, capabilities)
        except BaseException:
            line.transport.abort()
            raise
        line.start(capabilities)
        return line

    async def _open(self, line: SmtpLine) -> None:
        context = self._find_context(checked=True) if self._over_tls else None
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, self._settings.timeout)):
                await asyncio.get_running_loop().create_connection(
                    lambda: line, self._host, self._port, ssl=context
                )
        except ssl.SSLCertVerificationError as error:
            raise self._stop(Stage.tls, _describe(error)) from error
        except (OSError, TimeoutError) as error:
            raise self._fail(Stage.connect, _describe(error)) from error

    async def _greet(self, line: SmtpLine) -> Capabilities:
        await self._ask(line, None, Stage.connect, {220})
        return await self._introduce(line)

    async def _introduce(self, line: SmtpLine) -> Capabilities:
        """EHLO, or HELO where the server does not know EHLO."""
        name = _own_name(line)
        reply = await self._listen(line, b"EHLO " + name, Stage.connect)
        if 500 <= reply.code <= 599:
            await self._ask(line, b"HELO " + name, Stage.connect, {250})
            return Capabilities()
        self._expect(reply, Stage.connect, {250})
        return read_capabilities(reply.words.decode("utf-8", "replace"))

    async def _change_to_tls(self, line: SmtpLine, capabilities: Capabilities) -> Capabilities:
        wish = self._settings.starttls
        if self._over_tls or wish == "never":
            return capabilities
        if "STARTTLS" not in capabilities:
            if wish == "require":
                words = "the server does not offer STARTTLS, which [smtp] starttls requires"
                raise self._stop(Stage.tls, words)
            return capabilities
        await self._ask(line, b"STARTTLS", Stage.tls, {220})
        if line.has_unread:
            # Somebody between us has put words into the clear text that we would take for the server's.
            raise self._stop(
                Stage.tls, "the server sent data before STARTTLS completed (RFC 3207 §4.2 injection)"
            )
        await self._encrypt(line, checked=wish == "require" or self._credentials is not None)
        # What was offered in clear text may have been offered by anybody (RFC 3207 §4.2).
        return await self._introduce(line)

    async def _encrypt(self, line: SmtpLine, *, checked: bool) -> None:
        context = self._find_context(checked=checked)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout):
                transport = await loop.start_tls(line.transport, line, context, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            raise self._stop(Stage.tls, _describe(error)) from error
        except (OSError, TimeoutError) as error:
            raise self._fail(Stage.tls, _describe(error)) from error
        if transport is None:
            raise self._fail(Stage.tls, "the connection was lost")
        line.transport = transport

    async def _log_in(self, line: SmtpLine, capabilities: Capabilities) -> None:
        credentials = self._credentials
        if credentials is None:
            return
        is_encrypted = line.transport.get_extra_info("ssl_object") is not None
        if not is_encrypted and self._settings.starttls != "never" and self._host not in _LOOPBACK:
            raise self._stop(
                Stage.login,
                "the server does not offer encryption, and the password is not sent in clear text. "
                'To send it anyway, set [smtp] starttls = "never"',
            )
        mechanism = choose_mechanism(
            capabilities.auth,
            self._settings.auth,
            has_token=credentials.has_token,
            has_password=credentials.has_password,
        )
        exchange = open_exchange(mechanism, credentials)
        command = f"AUTH {mechanism} {exchange.initial()}".rstrip()
        reply = await self._listen(line, command.encode(), Stage.login)
        for _ in range(_MOST_CHALLENGES):
            if reply.code != 334:
                break
            answer = exchange.answer(reply.words.decode("ascii", "replace"))
            reply = await self._listen(line, answer.encode(), Stage.login)
        self._expect(reply, Stage.login, {235}, exchange.explanation)

    async def _ask(self, line: SmtpLine, command: bytes | None, stage: Stage, good: set[int]) -> None:
        self._expect(await self._listen(line, command, stage), stage, good)

    async def _listen(self, line: SmtpLine, command: bytes | None, stage: Stage) -> Reply:
        try:
            async with asyncio.timeout(self._settings.timeout):
                reply = await line.ask(command)
        except TimeoutError as error:
            raise self._fail(stage, "timed out") from error
        if reply is None:
            raise self._fail(stage, "the server closed the connection")
        return reply

    def _expect(self, reply: Reply, stage: Stage, good: set[int], explanation: str = "") -> None:
        if reply.code not in good:
            words = " ".join((reply.words.decode("utf-8", "replace"), explanation))
            raise ConnectionFailedError(judge_reply(stage, reply.code, clean_words(words)))

    def _find_context(self, *, checked: bool) -> ssl.SSLContext:
        """Made once: reading the machine's authorities takes tens of milliseconds."""
        if checked not in self._contexts:
            context = ssl.create_default_context()
            if not checked:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._contexts[checked] = context
        return self._contexts[checked]

    def _stop(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._explain(Verdict.stop, stage, words)

    def _fail(self, stage: Stage, words: str) -> ConnectionFailedError:
        return self._explain(Verdict.give_back, stage, words)

    def _explain(self, verdict: Verdict, stage: Stage, words: str) -> ConnectionFailedError:
        named = f"{self._host}:{self._port}: {words}"
        return ConnectionFailedError(Outcome(verdict=verdict, stage=stage, words=named, reconnect=True))


def _own_name(line: SmtpLine) -> bytes:
    """What to call ourselves in EHLO: a full host name, or the address as a literal (RFC 5321 §4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name.encode()
    address: str = line.transport.get_extra_info("sockname")[0]
    return (f"[IPv6:{address}]" if ":" in address else f"[{address}]").encode()


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return clean_words(str(error)) or type(error).__name__
