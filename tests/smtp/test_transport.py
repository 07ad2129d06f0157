"""Opening a connection: greeting, EHLO, TLS and login, and the errors when none can be opened."""

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from mailer.smtp.interfaces import ConnectionFailedError, Transport
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.smtp.reply_classifier import Stage as Reached
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.process import free_port
from tests.servers.scripted_smtp import Act, Script, ScriptedServer, answering
from tests.servers.smtp_sink import smtp_sink
from tests.smtp.conversation import open_to
from tests.smtp.fake_source import (
    FakeSource,
    await_condition,
    deliver,
    make_message,
    run,
    run_connection,
)

PASSWORD = "correct horse"


def verdicts(transport: Transport, loop: str = "asyncio") -> list[Verdict]:
    """What became of one message."""
    return [outcome.verdict for outcome in deliver(transport, [make_message()], loop=loop)]


def expect_failure(transport: Transport, loop: str = "asyncio", *, match: str | None = None) -> Outcome:
    """Why no connection could be opened. The source is not told: there is no connection to close."""
    source = FakeSource([make_message()])
    with pytest.raises(ConnectionFailedError, match=match) as caught:
        run(run_connection(transport, source), loop)
    assert (source.taken, source.closings) == ([], [])
    return caught.value.outcome


def expect_failure_against(
    script: Script, root: Path, loop: str = "asyncio", *, match: str | None = None, **values: object
) -> tuple[Outcome, ScriptedServer]:
    """Why no connection could be opened to a server with ``script``."""
    server, found = ScriptedServer(script), []

    async def work() -> None:
        async with server:
            with pytest.raises(ConnectionFailedError, match=match) as caught:
                await server.client(root, **values).connect(FakeSource())
            found.append(caught.value.outcome)

    run(work(), loop)
    return found[0], server


def test_a_server_that_only_knows_helo_is_accepted(tmp_path: Path, loop: str) -> None:
    with smtp_sink("-e") as sink:
        assert verdicts(open_to(sink.url, tmp_path), loop) == [Verdict.sent]
        assert sink.recipients() == ["b@example.org"]


def test_a_server_that_does_not_know_ehlo_is_greeted_again(tmp_path: Path) -> None:
    server = ScriptedServer(answering(("EHLO", "", "502 5.5.1 No such command")))

    async def work() -> None:
        async with server:
            await run_connection(server.client(tmp_path), FakeSource([make_message()]))

    run(work())
    hello, again, mail, *_ = server.lines
    assert again == hello.replace("EHLO", "HELO")
    # It offers nothing, so nothing is sent ahead and nothing is added to MAIL.
    assert mail == "MAIL FROM:<news@example.org>"
    assert server.acknowledged == ["b@example.org"]


def test_a_closed_port_is_named_and_may_be_tried_again(tmp_path: Path, loop: str) -> None:
    port = free_port()
    outcome = expect_failure(
        open_to(f"smtp://127.0.0.1:{port}", tmp_path),
        loop,
        match=rf"127.0.0.1:{port}: .*refused|Connect call",
    )
    assert (outcome.verdict, outcome.stage, outcome.reconnect) == (
        Verdict.give_back,
        Reached.connect,
        True,
    )


@pytest.mark.parametrize("stage", [Stage.connect, Stage.ehlo])
@pytest.mark.parametrize("answer", ["421 4.3.2 Busy", "554 5.3.2 No service", "450 Later", DROP, HANG])
def test_a_server_that_refuses_service_may_be_tried_again(
    tmp_path: Path, loop: str, stage: Stage, answer: str
) -> None:
    if (stage, answer[:1]) == (Stage.ehlo, "5"):
        answer = "421 4.3.2 Busy"  # a 5xx to EHLO only means: say HELO
    with MisbehavingServer() as server:
        server.answer(stage, answer)
        outcome = expect_failure(open_to(server.url, tmp_path, timeout=0.3), loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)


def test_an_endless_greeting_gives_the_reader_back(tmp_path: Path, loop: str) -> None:
    outcome, _ = expect_failure_against(answering(("CONNECT", "", 9_000 * "x")), tmp_path, loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)
    endless = "220-" + "\n220-".join(300 * ["more"])
    outcome, _ = expect_failure_against(answering(("CONNECT", "", endless)), tmp_path, loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)


def test_nothing_is_sent_before_the_greeting(tmp_path: Path) -> None:
    # RFC 5321 §4.3.1: servers that look for spammers drop a client that speaks first.
    outcome, server = expect_failure_against(answering(("CONNECT", "", Act.hang)), tmp_path, timeout=0.1)
    assert outcome.text.endswith("timed out")
    assert server.lines == []


# TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
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


def test_smtps_speaks_tls_from_the_first_byte(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None
) -> None:
    with MisbehavingServer(tls=server_context) as server:
        assert verdicts(open_to(f"smtps://localhost:{server.port}", tmp_path), loop) == [Verdict.sent]


def test_a_tls_connection_closes_cleanly_and_leaves_nothing_pending(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None
) -> None:
    # An event loop closed right after its last connection must find nothing pending.
    server, source = ScriptedServer(tls=server_context), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            url = f"smtps://localhost:{server.port}"
            await run_connection(open_to(url, tmp_path), source)
            await await_condition(lambda: server.lines[-1] == "QUIT")

    run(work(), loop)
    assert (source.closings, server.acknowledged) == ([None], ["b@example.org"])


def test_smtps_to_a_server_with_an_untrusted_certificate_stops(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext
) -> None:
    with MisbehavingServer(tls=server_context) as server:
        outcome = expect_failure(
            open_to(f"smtps://localhost:{server.port}", tmp_path), loop, match="certificate"
        )
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.tls)


def test_smtps_to_a_clear_text_server_may_be_tried_again(tmp_path: Path, loop: str) -> None:
    with MisbehavingServer() as server:
        outcome = expect_failure(open_to(f"smtps://localhost:{server.port}", tmp_path, timeout=1), loop)
    assert outcome.verdict is Verdict.give_back


@pytest.mark.parametrize(
    ("starttls", "verdict"), [("require", None), ("if-offered", Verdict.sent), ("never", Verdict.sent)]
)
def test_an_untrusted_certificate_is_accepted_only_where_tls_is_optional(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, starttls: str, verdict: Verdict | None
) -> None:
    with MisbehavingServer(options={"tls_context": server_context}) as server:
        transport = open_to(f"smtp://localhost:{server.port}", tmp_path, starttls=starttls)
        if verdict is None:
            assert expect_failure(transport, loop, match="certificate").verdict is Verdict.stop
        else:
            assert verdicts(transport, loop) == [verdict]


@pytest.mark.parametrize("starttls", ["require", "if-offered"])
def test_a_long_message_arrives_over_tls(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None, starttls: str
) -> None:
    message = b"Subject: long\r\n\r\n" + 5_000 * (b"." + 100 * b"x" + b"\r\n")
    options = {"tls_context": server_context, "data_size_limit": 2_000_000}
    with MisbehavingServer(options=options) as server:
        transport = open_to(f"smtp://localhost:{server.port}", tmp_path, starttls=starttls)
        outcomes = deliver(transport, [make_message(message=message), make_message()], loop=loop)
        assert [outcome.verdict for outcome in outcomes] == [Verdict.sent, Verdict.sent]
        assert server.received[0].content == message


def test_a_server_without_the_required_starttls_stops_sending(tmp_path: Path) -> None:
    with MisbehavingServer() as server:
        outcome = expect_failure(
            open_to(server.url, tmp_path, starttls="require"), match="does not offer STARTTLS"
        )
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.tls)


@pytest.mark.parametrize(
    "injected",
    [
        "\r\n250 2.0.0 Ok",
        "\r\n250-mx.example.org\r\n250 AUTH PLAIN",
        "\r\n250-mx",
        "\r\nx",
    ],
)
def test_clear_text_after_the_reply_to_starttls_is_refused(tmp_path: Path, loop: str, injected: str) -> None:
    def script(verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return "250-mx.example.org\r\n250 STARTTLS"
        return f"220 2.0.0 Go on{injected}" if verb == "STARTTLS" else None

    outcome, server = expect_failure_against(
        script, tmp_path, loop, match="sent data before STARTTLS completed"
    )
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.tls)
    # Nothing was said after it, not even the beginning of a handshake.
    assert [line.split()[0] for line in server.lines] == ["EHLO", "STARTTLS"]
    assert len(server.chunks[0]) == 2


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("454 4.7.0 TLS not available", Verdict.give_back),
        ("554 5.7.0 No TLS for you", Verdict.stop),
        (Act.close, Verdict.give_back),
        (Act.hang, Verdict.give_back),
    ],
)
def test_nothing_is_sent_to_a_server_that_offers_starttls_and_refuses_it(
    tmp_path: Path, answer: str | Act, verdict: Verdict
) -> None:
    def script(verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return "250-mx.example.org\r\n250 STARTTLS"
        return answer if verb == "STARTTLS" else None

    outcome, server = expect_failure_against(script, tmp_path, timeout=0.2)
    assert (outcome.verdict, outcome.stage) == (verdict, Reached.tls)
    assert server.lines[-1] == "STARTTLS"


def test_a_server_that_breaks_off_the_handshake_may_be_tried_again(tmp_path: Path, loop: str) -> None:
    def script(verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return "250-mx.example.org\r\n250 STARTTLS"
        if verb == "STARTTLS":
            conversation = server.conversations[0]
            asyncio.get_running_loop().call_later(0.01, conversation.transport.abort)
            return "220 2.0.0 Go on"
        return None

    server, found = ScriptedServer(script), []

    async def work() -> None:
        async with server:
            with pytest.raises(ConnectionFailedError) as caught:
                await server.client(tmp_path, timeout=2).connect(FakeSource())
            found.append(caught.value.outcome)

    run(work(), loop)
    assert (found[0].verdict, found[0].stage) == (Verdict.give_back, Reached.tls)


def test_capabilities_offered_in_clear_text_are_forgotten_under_tls(
    tmp_path: Path, server_context: ssl.SSLContext
) -> None:
    # RFC 3207 §4.2. aiosmtpd offers AUTH only under TLS, and here nothing but the message is wanted.
    with MisbehavingServer(options={"tls_context": server_context}) as server:
        transport = open_to(f"smtp://localhost:{server.port}", tmp_path)

        async def work() -> None:
            connection = await transport.connect(FakeSource())
            assert "STARTTLS" not in connection.capabilities
            assert "8BITMIME" in connection.capabilities
            connection.close()

        run(work())


# Logging in


class PasswordAuthenticator:
    """Accepts the password and keeps who has logged in."""

    def __init__(self) -> None:
        self.logged_in: list[str] = []

    def __call__(self, *arguments: object) -> AuthResult:
        password = arguments[-1]
        assert isinstance(password, LoginPassword)
        if password.password != PASSWORD.encode():
            return AuthResult(success=False, handled=False)
        self.logged_in.append(password.login.decode())
        return AuthResult(success=True)


def with_password(tmp_path: Path, password: str = PASSWORD) -> dict[str, object]:
    (tmp_path / "password").write_text(f"{password}\nanything else\n")
    return {"password_file": "password"}


@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
def test_the_password_in_the_file_logs_in_over_tls(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None, auth: str
) -> None:
    authenticator = PasswordAuthenticator()
    options = {"tls_context": server_context, "authenticator": authenticator, "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news%40example.org@localhost:{server.port}"
        transport = open_to(url, tmp_path, auth=auth, **with_password(tmp_path))
        assert verdicts(transport, loop) == [Verdict.sent]
    assert authenticator.logged_in == ["news@example.org"]


def test_a_wrong_password_stops_with_the_servers_words(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None
) -> None:
    options = {"tls_context": server_context, "authenticator": PasswordAuthenticator(), "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news@localhost:{server.port}"
        transport = open_to(url, tmp_path, **with_password(tmp_path, "wrong"))
        outcome = expect_failure(transport, loop, match="535")
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.login)


def test_a_password_is_not_sent_to_a_server_with_an_untrusted_certificate(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext
) -> None:
    authenticator = PasswordAuthenticator()
    with MisbehavingServer(options={"tls_context": server_context, "authenticator": authenticator}) as server:
        url = f"smtp://news@localhost:{server.port}"
        outcome = expect_failure(open_to(url, tmp_path, **with_password(tmp_path)), loop, match="certificate")
    assert outcome.verdict is Verdict.stop
    assert authenticator.logged_in == []


def test_a_password_is_not_sent_in_clear_text(tmp_path: Path) -> None:
    # A name for this machine that is not a loopback name: what a remote relay looks like.
    host = socket.gethostname()
    try:
        socket.getaddrinfo(host, 25)
    except OSError:
        pytest.skip("this machine's name does not resolve")
    with MisbehavingServer(host=host) as server:
        url = f"smtp://news@{host}:{server.port}"
        outcome = expect_failure(
            open_to(url, tmp_path, **with_password(tmp_path)), match="not sent in clear text"
        )
    assert outcome.verdict is Verdict.stop


# On loopback clear text is accepted, so the exchange can be read.


class AuthScript:
    """A script that offers ``offer``, replies to AUTH with ``answers`` in turn and keeps what it received."""

    def __init__(self, offer: str, *answers: str) -> None:
        self.offer = offer
        self.answers = list(answers)
        self.received: list[str] = []

    def __call__(self, verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return f"250-mx.example.org\r\n250-PIPELINING\r\n250 {self.offer}"
        if verb in {"CONNECT", "MAIL", "RCPT", "DATA", "BODY", ".", "QUIT"}:
            return None
        self.received.append(f"{verb} {argument}".strip())
        return self.answers.pop(0)


def log_in(script: AuthScript, root: Path, loop: str, user: str = "news", **values: object) -> list[Verdict]:
    """What becomes of a message after a login to a server with ``script``."""
    server, source = ScriptedServer(script), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            url = f"smtp://{user}@127.0.0.1:{server.port}"
            await run_connection(open_to(url, root, **values), source)

    run(work(), loop)
    return source.verdicts


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_plain_sends_user_and_password_in_one_response(tmp_path: Path, loop: str) -> None:
    script = AuthScript("AUTH LOGIN PLAIN", "235 2.7.0 In")
    assert log_in(script, tmp_path, loop, **with_password(tmp_path)) == [Verdict.sent]
    assert script.received == [f"AUTH PLAIN {encode(f'{chr(0)}news{chr(0)}{PASSWORD}')}"]


def test_login_sends_user_and_password_in_two_responses(tmp_path: Path, loop: str) -> None:
    script = AuthScript(
        "AUTH=LOGIN", f"334 {encode('Username:')}", f"334 {encode('Password:')}", "235 2.7.0 In"
    )
    assert log_in(script, tmp_path, loop, **with_password(tmp_path)) == [Verdict.sent]
    assert script.received == ["AUTH LOGIN", encode("news"), encode(PASSWORD)]


def test_a_token_is_read_at_every_login(tmp_path: Path, loop: str) -> None:
    token = tmp_path / "token"
    for secret in ("first", "second"):
        token.write_text(f"{secret}\n")
        script = AuthScript("AUTH PLAIN XOAUTH2", "235 2.7.0 In")
        assert log_in(script, tmp_path, loop, token_file="token") == [Verdict.sent]
        verb, mechanism, answer = script.received[0].split()
        assert (verb, mechanism) == ("AUTH", "XOAUTH2")
        assert base64.b64decode(answer) == f"user=news\x01auth=Bearer {secret}\x01\x01".encode()


def test_a_refused_token_stops_with_the_servers_words(tmp_path: Path, loop: str) -> None:
    (tmp_path / "token").write_text("old\n")
    challenge = encode('{"status": "401", "scope": "https://mail.example.org/"}')
    script = AuthScript("AUTH XOAUTH2", f"334 {challenge}", "535 5.7.8 No")
    with pytest.raises(ConnectionFailedError, match=r"535 5\.7\.8 No .*status 401") as caught:
        log_in(script, tmp_path, loop, token_file="token")
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.stop, Reached.login)
    assert script.received[1:] == [""]


def test_a_server_that_keeps_sending_challenges_is_given_up(tmp_path: Path) -> None:
    script = AuthScript("AUTH PLAIN", "334 ", "334 ", "501 5.7.0 Cancelled")
    with pytest.raises(ConnectionFailedError, match="501"):
        log_in(script, tmp_path, "asyncio", **with_password(tmp_path))
    assert script.received[1:] == ["*", "*"]


def test_a_server_that_offers_no_login_stops_sending(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="does not offer authentication") as caught:
        log_in(AuthScript("8BITMIME"), tmp_path, "asyncio", **with_password(tmp_path))
    assert caught.value.outcome.verdict is Verdict.stop


def test_a_temporary_error_at_login_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="454") as caught:
        log_in(AuthScript("AUTH PLAIN", "454 4.7.0 Later"), tmp_path, "asyncio", **with_password(tmp_path))
    assert caught.value.outcome.verdict is Verdict.give_back


def test_without_a_user_there_is_no_login(tmp_path: Path, loop: str) -> None:
    script = AuthScript("AUTH PLAIN")
    server, source = ScriptedServer(script), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            await run_connection(server.client(tmp_path), source)

    run(work(), loop)
    assert (source.verdicts, script.received) == ([Verdict.sent], [])
