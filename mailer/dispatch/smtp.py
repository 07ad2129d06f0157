"""SMTP with a memory: it knows at every moment whether the final dot may have left.

The standard library speaks the commands. Its ``sendmail`` is not used: it raises the same exception whether
the line breaks before the message (nothing arrived) or after it (it may have arrived), and that difference
is all that matters.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mailer.dispatch.replies import Outcome, Stage, Verdict, clean_words, judge_reply
from mailer.dispatch.transport import ConnectionFailedError, Envelope
from mailer.errors import ConfigurationError
from mailer.settings import SmtpSettings

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_QUIT_SECONDS = 5.0


class SmtpTransport:
    """The relay that ``[smtp]`` names.

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
        self._user = unquote(url.username or "")
        self._password = _read_password(settings, url.password, root) if self._user else ""

    def connect(self) -> "SmtpConnection":
        client: smtplib.SMTP | None = None
        try:
            with _explaining(Stage.connect, f"{self._host}:{self._port}"):
                client = self._open()
                # The body and its final dot are written apart; Nagle's algorithm would hold the dot back 40
                # ms.
                _socket_of(client).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.local_hostname = _own_name(_socket_of(client))
                _greet(client)
            with _explaining(Stage.tls, f"{self._host}:{self._port}"):
                self._change_to_tls(client)
            with _explaining(Stage.login, f"{self._host}:{self._port}"):
                self._log_in(client)
        except ConnectionFailedError:
            if client is not None:
                client.close()
            raise
        return SmtpConnection(client, self._settings)

    def _open(self) -> smtplib.SMTP:
        # A host name is given: smtplib would ask the resolver for this machine's own, which can take seconds.
        name, seconds = "localhost", self._settings.timeout
        if not self._over_tls:
            return smtplib.SMTP(self._host, self._port, name, seconds)
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(self._host, self._port, name, timeout=seconds, context=context)

    def _change_to_tls(self, client: smtplib.SMTP) -> None:
        wish = self._settings.starttls
        if self._over_tls or wish == "never":
            return
        if not client.has_extn("starttls"):
            if wish == "require":
                raise _stop(Stage.tls, "the server does not offer STARTTLS, which [smtp] starttls requires")
            return
        context = ssl.create_default_context()
        if wish == "if-offered" and not self._user:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client.starttls(context=context)
        _greet(client)

    def _log_in(self, client: smtplib.SMTP) -> None:
        if not self._user:
            return
        is_encrypted = isinstance(client.sock, ssl.SSLSocket)
        if not is_encrypted and self._settings.starttls != "never" and self._host not in _LOOPBACK:
            raise _stop(
                Stage.login,
                "the server offers no encryption, and the password is not sent in clear text. "
                'If that is really wanted, set [smtp] starttls = "never"',
            )
        client.login(self._user, self._password)


class SmtpConnection:
    """An open session with the relay, renewed by its owner once :attr:`is_usable` is False."""

    def __init__(self, client: smtplib.SMTP, settings: SmtpSettings) -> None:
        self._client = client
        self._settings = settings
        self._begun = 0
        self._is_open = True
        self._stage = Stage.mail

    @property
    def is_usable(self) -> bool:
        return self._is_open and self._begun < self._settings.messages_per_connection

    def deliver(self, envelope: Envelope, begin: Callable[[], bool]) -> Outcome:
        if (refusal := self._look_over(envelope)) is not None:
            return refusal
        self._begun += 1
        self._stage = Stage.mail
        try:
            outcome = self._offer(envelope) or self._send(envelope, begin)
            if outcome.verdict is not Verdict.sent and not outcome.reconnect and self._is_open:
                self._reset()
        except (OSError, smtplib.SMTPException) as error:
            outcome = self._lose(error)
        except BaseException:
            # begin() could not write. The server waits for a message that must not come.
            self._hang_up()
            raise
        if outcome.reconnect:
            self._hang_up()
        return outcome

    def close(self) -> None:
        if self._is_open:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                _socket_of(self._client).settimeout(min(_QUIT_SECONDS, self._settings.timeout))
                self._client.docmd("QUIT")
        self._hang_up()

    def _look_over(self, envelope: Envelope) -> Outcome | None:
        """Why this message cannot be handed to this server at all, if so. The server is not asked."""
        words = None
        if any(not _is_plain(address) for address in (envelope.sender, envelope.recipient)):
            words = "the address cannot be written in an SMTP command"
        elif envelope.needs_smtputf8 and not self._client.has_extn("smtputf8"):
            words = "the address needs SMTPUTF8 (RFC 6531), which the mail server does not offer"
        elif not envelope.payload.isascii() and not self._client.has_extn("8bitmime"):
            words = "the message needs 8BITMIME (RFC 6152), which the mail server does not offer"
        elif not _has_clean_lines(envelope.payload):
            words = "the message has a line that does not end in CRLF (RFC 5321 §2.3.8)"
        return Outcome(verdict=Verdict.failed, stage=Stage.mail, words=words) if words else None

    def _offer(self, envelope: Envelope) -> Outcome | None:
        """MAIL, RCPT and DATA; None once the server waits for the message."""
        # smtplib encodes commands with this; it may only be used where both sides know SMTPUTF8.
        self._client.command_encoding = "utf-8" if envelope.needs_smtputf8 else "ascii"
        self._stage = Stage.mail
        code, words = self._ask(f"MAIL FROM:<{envelope.sender}>{self._options(envelope)}")
        if code != 250:
            return judge_reply(Stage.mail, code, words)
        self._stage = Stage.rcpt
        code, words = self._ask(f"RCPT TO:<{envelope.recipient}>")
        if code not in {250, 251, 252}:
            return judge_reply(Stage.rcpt, code, words)
        self._stage = Stage.data
        code, words = self._ask("DATA")
        return None if code == 354 else judge_reply(Stage.data, code, words)

    def _options(self, envelope: Envelope) -> str:
        options = ""
        if self._client.has_extn("size"):
            options += f" SIZE={len(envelope.payload)}"
        if not envelope.payload.isascii():
            options += " BODY=8BITMIME"
        if envelope.needs_smtputf8:
            options += " SMTPUTF8"
        return options

    def _send(self, envelope: Envelope, begin: Callable[[], bool]) -> Outcome:
        """The message and its final dot, once ``begin`` has written down that they are coming."""
        if not begin():
            # A lone dot would deliver an empty message; without one the server throws away what it has.
            return Outcome(verdict=Verdict.give_back, stage=Stage.data, words="not begun", reconnect=True)
        self._stage = Stage.body
        sock = _socket_of(self._client)
        sock.sendall(_double_dots(envelope.payload))
        self._stage = Stage.dot
        sock.settimeout(self._settings.final_timeout)
        sock.sendall(b".\r\n")
        code, raw = self._client.getreply()
        sock.settimeout(self._settings.timeout)
        return judge_reply(Stage.dot, code, _decode(raw))

    def _ask(self, command: str) -> tuple[int, str]:
        code, raw = self._client.docmd(command)
        return code, _decode(raw)

    def _reset(self) -> None:
        """Undo a MAIL that came to nothing; only then, because servers count RSET as chatter."""
        if self._stage is Stage.dot:
            return
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if self._ask("RSET")[0] == 250:
                return
        self._hang_up()

    def _lose(self, error: Exception) -> Outcome:
        """The line broke. Before the final dot nothing can have arrived; after it, nobody knows."""
        self._hang_up()
        words = f"connection lost at {self._stage.value}: {_describe(error)}"
        if self._stage is Stage.dot:
            return Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, words=words, reconnect=True)
        return Outcome(verdict=Verdict.give_back, stage=self._stage, words=words, reconnect=True)

    def _hang_up(self) -> None:
        self._is_open = False
        self._client.close()


@contextlib.contextmanager
def _explaining(stage: Stage, server: str) -> Iterator[None]:
    """Turn whatever goes wrong while connecting into a :class:`ConnectionFailedError`."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        code, words = error.smtp_code, _decode(error.smtp_error)
        raise ConnectionFailedError(judge_reply(stage, code, words)) from error
    except (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError, UnicodeEncodeError) as error:
        raise _stop(stage, f"{server}: {_describe(error)}") from error
    except (OSError, smtplib.SMTPException) as error:
        words = f"{server}: {_describe(error)}"
        outcome = Outcome(verdict=Verdict.give_back, stage=stage, words=words, reconnect=True)
        raise ConnectionFailedError(outcome) from error


def _stop(stage: Stage, words: str) -> ConnectionFailedError:
    return ConnectionFailedError(Outcome(verdict=Verdict.stop, stage=stage, words=words, reconnect=True))


def _socket_of(client: smtplib.SMTP) -> socket.socket:
    if client.sock is None:
        raise smtplib.SMTPServerDisconnected("the connection is closed")
    return client.sock


def _greet(client: smtplib.SMTP) -> None:
    """EHLO, or HELO where the server does not know EHLO."""
    code, raw = client.ehlo()
    if 500 <= code <= 599:
        code, raw = client.helo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, raw)


def _own_name(sock: socket.socket) -> str:
    """What to call ourselves in EHLO: a full host name, or the address as a literal (RFC 5321 §4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address: str = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _read_password(settings: SmtpSettings, in_url: str | None, root: Path) -> str:
    if in_url is not None:
        return unquote(in_url)
    if settings.password_file is None:
        raise ConfigurationError(
            "[smtp] url names a user and there is no password. Put it in a file; name that in password_file."
        )
    path = root / settings.password_file
    try:
        return path.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise ConfigurationError(
            f"[smtp] password_file: {path} cannot be read or is empty. Its first line must be the password."
        ) from error


def _is_plain(address: str) -> bool:
    return address.isprintable() and not set(address) & set("<> ")


def _has_clean_lines(payload: bytes) -> bool:
    """Whether every line ends in CRLF and no CR or LF stands alone: a server may take one for the end."""
    lines = payload.count(b"\r\n")
    return payload.endswith(b"\r\n") and payload.count(b"\n") == lines == payload.count(b"\r")


def _double_dots(payload: bytes) -> bytes:
    """RFC 5321 §4.5.2: a line that begins with a dot gets another one."""
    doubled = payload.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled


def _decode(raw: bytes | str) -> str:
    return clean_words(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw)


def _describe(error: Exception) -> str:
    return clean_words(str(error)) or type(error).__name__
