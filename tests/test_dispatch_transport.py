"""Both transports, held to one suite; then what each does alone."""

import mailbox
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from mailer.dispatch.maildir import MaildirTransport
from mailer.dispatch.replies import Stage as Reached
from mailer.dispatch.replies import Verdict
from mailer.dispatch.smtp import SmtpTransport
from mailer.dispatch.transport import Connection, ConnectionFailedError, Envelope, Transport, open_transport
from mailer.errors import ConfigurationError
from mailer.settings import SenderSettings, Settings, SmtpSettings
from tests.servers import DROP, HANG, MisbehavingServer, Stage, free_port, smtp_sink

PAYLOAD = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: dots\r\nMessage-ID: <c1.s1@example.org>\r\n\r\n"
    b".\r\n..\r\n.leading\r\nin. the. middle.\r\n\r\n.\r\nend\r\n"
)


def make_envelope(recipient: str = "b@example.org", payload: bytes = PAYLOAD) -> Envelope:
    return Envelope(sender="news@example.org", recipient=recipient, payload=payload)


def smtp_settings(url: str, **values: object) -> SmtpSettings:
    return SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})


class Log:
    """A ``begin`` that says ``answer`` and remembers how often it was asked."""

    def __init__(self, answer: bool = True) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.answer


class TransportSuite:
    """What any transport must do. A subclass gives the transport and what has arrived."""

    @pytest.fixture
    def transport(self) -> Transport:
        raise NotImplementedError

    def arrived(self) -> list[tuple[str, str, bytes]]:
        """Sender, recipient and content of all that arrived, in order."""
        raise NotImplementedError

    @pytest.fixture
    def connection(self, transport: Transport) -> Iterator[Connection]:
        connection = transport.connect()
        yield connection
        connection.close()

    def test_a_message_arrives_byte_for_byte(self, connection: Connection) -> None:
        outcome = connection.deliver(make_envelope(), Log())
        assert (outcome.verdict, outcome.code, outcome.stage) == (Verdict.sent, 250, Reached.dot)
        assert self.arrived() == [("news@example.org", "b@example.org", PAYLOAD)]

    def test_nothing_arrives_unless_the_ledger_says_yes(self, connection: Connection) -> None:
        no = Log(answer=False)
        outcome = connection.deliver(make_envelope(), no)
        assert (outcome.verdict, no.asked) == (Verdict.give_back, 1)
        connection.close()
        assert self.arrived() == []

    def test_nothing_arrives_when_the_ledger_cannot_be_written(self, connection: Connection) -> None:
        def fail() -> bool:
            raise RuntimeError("disk full")

        with pytest.raises(RuntimeError, match="disk full"):
            connection.deliver(make_envelope(), fail)
        connection.close()
        assert self.arrived() == []

    def test_many_messages_arrive_in_order(self, connection: Connection) -> None:
        addresses = [f"reader{n}@example.org" for n in range(10)]
        for address in addresses:
            assert connection.is_usable
            assert connection.deliver(make_envelope(address), Log()).verdict is Verdict.sent
        assert [recipient for _, recipient, _ in self.arrived()] == addresses

    def test_many_connections_deliver_at_once(self, transport: Transport) -> None:
        def send(number: int) -> None:
            connection = transport.connect()
            for serial in range(5):
                connection.deliver(make_envelope(f"r{number}.{serial}@example.org"), Log())
            connection.close()

        threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({recipient for _, recipient, _ in self.arrived()}) == 30

    def test_closing_twice_is_closing_once(self, connection: Connection) -> None:
        connection.close()
        connection.close()


class TestMaildir(TransportSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "received"

    @pytest.fixture
    def transport(self) -> Transport:
        return MaildirTransport(self.folder)

    def arrived(self) -> list[tuple[str, str, bytes]]:
        found = []
        for path in sorted((self.folder / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            sender, recipient, content = path.read_bytes().split(b"\r\n", 2)
            found.append((sender[14:-1].decode(), recipient[14:].decode(), content))
        return found

    def test_other_programs_can_read_it(self, connection: Connection) -> None:
        connection.deliver(make_envelope(), Log())
        (message,) = mailbox.Maildir(self.folder, create=False)
        assert (message["Subject"], message["Delivered-To"]) == ("dots", "b@example.org")

    def test_no_half_message_is_left_behind(self, connection: Connection) -> None:
        connection.deliver(make_envelope(), Log())
        connection.deliver(make_envelope(), Log(answer=False))
        assert list((self.folder / "tmp").iterdir()) == []

    def test_messages_are_private(self, connection: Connection) -> None:
        connection.deliver(make_envelope(), Log())
        (path,) = (self.folder / "new").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_the_message_is_complete_before_the_ledger_is_asked(self, connection: Connection) -> None:
        def look() -> bool:
            (draft,) = (self.folder / "tmp").iterdir()
            assert draft.read_bytes().endswith(b"end\r\n")
            assert self.arrived() == []
            return True

        assert connection.deliver(make_envelope(), look).verdict is Verdict.sent

    def test_a_folder_that_cannot_be_written_is_no_reason_to_lose_a_reader(
        self, connection: Connection
    ) -> None:
        shutil.rmtree(self.folder)
        outcome = connection.deliver(make_envelope(), Log())
        assert (outcome.verdict, outcome.reconnect) == (Verdict.give_back, True)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConnectionFailedError, match="file/received: Not a directory"):
            MaildirTransport(tmp_path / "file" / "received").connect()


class TestSmtp(TransportSuite):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with MisbehavingServer() as self.server:
            yield

    @pytest.fixture
    def transport(self, tmp_path: Path) -> Transport:
        return SmtpTransport(smtp_settings(self.server.url), tmp_path)

    def arrived(self) -> list[tuple[str, str, bytes]]:
        return [(mail.sender, mail.recipient, mail.content) for mail in self.server.received]

    def test_a_connection_that_waits_for_a_message_is_not_used_for_another(
        self, connection: Connection
    ) -> None:
        def fail() -> bool:
            raise RuntimeError("disk full")

        with pytest.raises(RuntimeError, match="disk full"):
            connection.deliver(make_envelope(), fail)
        assert not connection.is_usable

    def test_a_refused_reader_leaves_the_connection_to_the_next(self, connection: Connection) -> None:
        self.server.answer(Stage.rcpt, "550 5.1.1 No such user", only="gone")
        log = Log()
        outcome = connection.deliver(make_envelope("gone@example.org"), log)
        assert (outcome.verdict, outcome.code, outcome.words) == (
            Verdict.rejected,
            550,
            "5.1.1 No such user",
        )
        assert log.asked == 0
        assert connection.deliver(make_envelope("here@example.org"), Log()).verdict is Verdict.sent
        assert self.server.connections == 1

    @pytest.mark.parametrize("stage", [Stage.mail, Stage.rcpt, Stage.data])
    @pytest.mark.parametrize("answer", [DROP, HANG, "421 4.3.2 Shutting down"])
    def test_a_line_lost_before_the_message_gives_the_reader_back(
        self, tmp_path: Path, stage: Stage, answer: str
    ) -> None:
        self.server.answer(stage, answer)
        transport = SmtpTransport(smtp_settings(self.server.url, timeout=0.3), tmp_path)
        connection, log = transport.connect(), Log()
        outcome = connection.deliver(make_envelope(), log)
        assert (outcome.verdict, outcome.stage.value) == (Verdict.give_back, stage.value.lower())
        assert (log.asked, connection.is_usable, self.arrived()) == (0, False, [])

    @pytest.mark.parametrize("answer", [DROP, HANG])
    def test_a_line_lost_after_the_final_dot_leaves_the_message_in_doubt(
        self, tmp_path: Path, answer: str
    ) -> None:
        self.server.answer(Stage.dot, answer)
        transport = SmtpTransport(smtp_settings(self.server.url, final_timeout=0.3), tmp_path)
        connection = transport.connect()
        outcome = connection.deliver(make_envelope(), Log())
        assert (outcome.verdict, outcome.stage, connection.is_usable) == (
            Verdict.in_doubt,
            Reached.dot,
            False,
        )
        assert len(self.arrived()) == 1

    def test_a_line_lost_in_the_middle_of_the_message_gives_the_reader_back(
        self, connection: Connection
    ) -> None:
        # More than the kernel's buffers hold, so that the loss is seen while the message is being written.
        self.server.answer(Stage.body, DROP)
        log = Log()
        outcome = connection.deliver(make_envelope(payload=PAYLOAD + b"x" * 20_000_000 + b"\r\n"), log)
        assert (outcome.verdict, outcome.stage, log.asked) == (Verdict.give_back, Reached.body, 1)
        assert (connection.is_usable, self.arrived()) == (False, [])

    def test_421_after_the_final_dot_is_not_accepted(self, connection: Connection) -> None:
        self.server.answer(Stage.dot, "421 4.3.2 Shutting down")
        outcome = connection.deliver(make_envelope(), Log())
        assert (outcome.verdict, connection.is_usable) == (Verdict.deferred, False)

    def test_the_final_dot_has_patience_of_its_own(self, tmp_path: Path) -> None:
        # A slow relay answers the dot late; taking the ordinary time-out for it would make duplicates.
        with smtp_sink("-W", ".:1") as sink:
            transport = SmtpTransport(smtp_settings(sink.url, timeout=0.5, final_timeout=20), tmp_path)
            connection = transport.connect()
            assert connection.deliver(make_envelope(), Log()).verdict is Verdict.sent
            connection.close()

    def test_a_connection_is_renewed_after_its_share_of_messages(self, tmp_path: Path) -> None:
        transport = SmtpTransport(smtp_settings(self.server.url, messages_per_connection=2), tmp_path)
        connection = transport.connect()
        connection.deliver(make_envelope(), Log())
        assert connection.is_usable
        connection.deliver(make_envelope(), Log())
        assert not connection.is_usable
        connection.close()

    @pytest.mark.parametrize(
        "payload", [b"a\nb\r\n", b"a\rb\r\n", b"no end", b"a\r\n.\n", b"a\r\n\n.\r\n", b"a\r\n\r.\r\n"]
    )
    def test_no_bare_line_end_ever_reaches_the_wire(self, connection: Connection, payload: bytes) -> None:
        log = Log()
        outcome = connection.deliver(make_envelope(payload=payload), log)
        assert (outcome.verdict, log.asked) == (Verdict.failed, 0)
        assert "CRLF" in outcome.words

    @pytest.mark.parametrize(
        "address", ["a@b\r\nRCPT TO:<x@y>", "a b@example.org", "<a@example.org>", "a@\0b"]
    )
    def test_no_address_can_smuggle_a_command(self, connection: Connection, address: str) -> None:
        outcome = connection.deliver(make_envelope(address), Log())
        assert outcome.verdict is Verdict.failed
        assert "cannot be written" in outcome.words

    def test_smtputf8_is_used_when_needed_and_only_then(self, connection: Connection) -> None:
        assert connection.deliver(make_envelope("дорж@example.org"), Log()).verdict is Verdict.sent
        assert connection.deliver(make_envelope("dorj@example.org"), Log()).verdict is Verdict.sent
        first, second = self.server.received
        assert first.recipient == "дорж@example.org"
        assert "SMTPUTF8" in first.mail_options
        assert "SMTPUTF8" not in second.mail_options

    def test_the_size_is_declared(self, connection: Connection) -> None:
        connection.deliver(make_envelope(), Log())
        assert f"SIZE={len(PAYLOAD)}" in self.server.received[0].mail_options

    def test_8bitmime_is_used_when_needed_and_only_then(self, connection: Connection) -> None:
        body = "Subject: x\r\n\r\nБайна уу\r\n".encode()
        connection.deliver(make_envelope(payload=body), Log())
        connection.deliver(make_envelope(), Log())
        first, second = self.server.received
        assert "BODY=8BITMIME" in first.mail_options
        assert "BODY=8BITMIME" not in second.mail_options
        assert first.content == body


def test_a_reader_who_needs_smtputf8_fails_alone_on_a_server_without_it(tmp_path: Path) -> None:
    with MisbehavingServer(options={"enable_SMTPUTF8": False}) as server:
        connection = SmtpTransport(smtp_settings(server.url), tmp_path).connect()
        outcome = connection.deliver(make_envelope("дорж@example.org"), Log())
        assert outcome.verdict is Verdict.failed
        assert "SMTPUTF8" in outcome.words
        assert connection.deliver(make_envelope(), Log()).verdict is Verdict.sent
        connection.close()


def test_8bit_text_fails_on_a_server_without_8bitmime(tmp_path: Path) -> None:
    with smtp_sink("-8") as sink:
        connection = SmtpTransport(smtp_settings(sink.url), tmp_path).connect()
        outcome = connection.deliver(make_envelope(payload="é\r\n".encode()), Log())
        assert outcome.verdict is Verdict.failed
        assert "8BITMIME" in outcome.words
        connection.close()


def test_a_server_that_only_knows_helo_will_do(tmp_path: Path) -> None:
    with smtp_sink("-e") as sink:
        connection = SmtpTransport(smtp_settings(sink.url), tmp_path).connect()
        assert connection.deliver(make_envelope(), Log()).verdict is Verdict.sent
        connection.close()
        assert sink.recipients() == ["b@example.org"]


def test_a_closed_port_is_worth_another_try_and_named(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ConnectionFailedError, match=rf"127.0.0.1:{port}: .*refused") as caught:
        SmtpTransport(smtp_settings(f"smtp://127.0.0.1:{port}"), tmp_path).connect()
    assert caught.value.outcome.verdict is Verdict.give_back


@pytest.mark.parametrize("stage", [Stage.connect, Stage.ehlo])
@pytest.mark.parametrize("answer", ["421 4.3.2 Busy", "554 5.3.2 No service", "450 Later", DROP, HANG])
def test_a_server_that_will_not_talk_is_worth_another_try(tmp_path: Path, stage: Stage, answer: str) -> None:
    if (stage, answer[:1]) == (Stage.ehlo, "5"):
        answer = "421 4.3.2 Busy"  # a 5xx to EHLO only means: say HELO
    with MisbehavingServer() as server:
        server.answer(stage, answer)
        with pytest.raises(ConnectionFailedError) as caught:
            SmtpTransport(smtp_settings(server.url, timeout=0.3), tmp_path).connect()
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.give_back, Reached.connect)


# Logging in and TLS


class Doorman:
    """Lets in whoever knows the password."""

    def __init__(self) -> None:
        self.let_in: list[str] = []

    def __call__(self, *asked: object) -> AuthResult:
        password = asked[-1]
        assert isinstance(password, LoginPassword)
        if password.password != b"correct horse":
            return AuthResult(success=False, handled=False)
        self.let_in.append(password.login.decode())
        return AuthResult(success=True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's administrator trusts the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def with_password(tmp_path: Path, password: str = "correct horse") -> dict[str, object]:
    (tmp_path / "password").write_text(f"{password}\nanything else\n")
    return {"password_file": "password"}


def test_logs_in_over_tls_with_the_password_of_the_file(
    tmp_path: Path, server_context: ssl.SSLContext, trusted: None
) -> None:
    doorman = Doorman()
    options = {"tls_context": server_context, "authenticator": doorman, "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news%40example.org@localhost:{server.port}"
        connection = SmtpTransport(smtp_settings(url, **with_password(tmp_path)), tmp_path).connect()
        assert connection.deliver(make_envelope(), Log()).verdict is Verdict.sent
        connection.close()
    assert doorman.let_in == ["news@example.org"]


def test_smtps_speaks_tls_from_the_first_byte(
    tmp_path: Path, server_context: ssl.SSLContext, trusted: None
) -> None:
    with MisbehavingServer(tls=server_context) as server:
        transport = SmtpTransport(smtp_settings(f"smtps://localhost:{server.port}"), tmp_path)
        connection = transport.connect()
        assert connection.deliver(make_envelope(), Log()).verdict is Verdict.sent
        connection.close()


def test_smtps_to_a_server_nobody_vouches_for_stops(tmp_path: Path, server_context: ssl.SSLContext) -> None:
    with MisbehavingServer(tls=server_context) as server:
        transport = SmtpTransport(smtp_settings(f"smtps://localhost:{server.port}"), tmp_path)
        with pytest.raises(ConnectionFailedError, match="certificate") as caught:
            transport.connect()
    assert caught.value.outcome.verdict is Verdict.stop


def test_a_wrong_password_stops_with_the_servers_words(
    tmp_path: Path, server_context: ssl.SSLContext, trusted: None
) -> None:
    options = {"tls_context": server_context, "authenticator": Doorman(), "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news@localhost:{server.port}"
        transport = SmtpTransport(smtp_settings(url, **with_password(tmp_path, "wrong")), tmp_path)
        with pytest.raises(ConnectionFailedError, match="535") as caught:
            transport.connect()
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.stop, Reached.login)


def test_a_password_is_not_sent_to_a_server_nobody_vouches_for(
    tmp_path: Path, server_context: ssl.SSLContext
) -> None:
    doorman = Doorman()
    with MisbehavingServer(options={"tls_context": server_context, "authenticator": doorman}) as server:
        url = f"smtp://news@localhost:{server.port}"
        transport = SmtpTransport(smtp_settings(url, **with_password(tmp_path)), tmp_path)
        with pytest.raises(ConnectionFailedError, match="certificate") as caught:
            transport.connect()
    assert caught.value.outcome.verdict is Verdict.stop
    assert doorman.let_in == []


def test_a_password_is_not_sent_in_clear_text(tmp_path: Path) -> None:
    # A name for this machine that is not a loopback name: what a remote relay looks like.
    host = socket.gethostname()
    try:
        socket.getaddrinfo(host, 25)
    except OSError:
        pytest.skip("this machine's name does not resolve")
    with MisbehavingServer(host=host) as server:
        url = f"smtp://news@{host}:{server.port}"
        transport = SmtpTransport(smtp_settings(url, **with_password(tmp_path)), tmp_path)
        with pytest.raises(ConnectionFailedError, match="not sent in clear text") as caught:
            transport.connect()
    assert caught.value.outcome.verdict is Verdict.stop


@pytest.mark.parametrize(
    ("starttls", "verdict"), [("require", None), ("if-offered", Verdict.sent), ("never", Verdict.sent)]
)
def test_an_unknown_certificate_will_do_only_where_tls_is_a_bonus(
    tmp_path: Path, server_context: ssl.SSLContext, starttls: str, verdict: Verdict | None
) -> None:
    with MisbehavingServer(options={"tls_context": server_context}) as server:
        url = f"smtp://localhost:{server.port}"
        transport = SmtpTransport(smtp_settings(url, starttls=starttls), tmp_path)
        if verdict is None:
            with pytest.raises(ConnectionFailedError, match="certificate"):
                transport.connect()
            return
        connection = transport.connect()
        assert connection.deliver(make_envelope(), Log()).verdict is verdict
        connection.close()


def test_starttls_that_is_required_and_not_offered_stops(tmp_path: Path) -> None:
    with MisbehavingServer() as server:
        transport = SmtpTransport(smtp_settings(server.url, starttls="require"), tmp_path)
        with pytest.raises(ConnectionFailedError, match="does not offer STARTTLS") as caught:
            transport.connect()
    assert caught.value.outcome.verdict is Verdict.stop


# Opening by address


def make_settings(url: str, **values: object) -> Settings:
    sender = SenderSettings(
        name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
    )
    return Settings(sender=sender, smtp=smtp_settings(url, **values))


def test_the_address_picks_the_transport(tmp_path: Path) -> None:
    assert isinstance(open_transport(make_settings("smtp://mx.example.org"), tmp_path), SmtpTransport)
    assert isinstance(open_transport(make_settings("smtps://mx.example.org"), tmp_path), SmtpTransport)
    open_transport(make_settings("maildir:received"), tmp_path).connect()
    assert (tmp_path / "received" / "new").is_dir()


@pytest.mark.parametrize("url", ["http://x", "smtp:", "maildir:", "nonsense", ""])
def test_another_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="no address to send to"):
        open_transport(make_settings(url), tmp_path)


def test_a_user_without_a_password_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no password"):
        open_transport(make_settings("smtp://news@mx.example.org"), tmp_path)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="secret cannot be read"):
        open_transport(make_settings("smtp://news@mx.example.org", password_file="secret"), tmp_path)


def test_an_unreadable_maildir_is_found_when_connecting(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ConnectionFailedError, match="Permission denied"):
        open_transport(make_settings("maildir:received"), tmp_path).connect()
