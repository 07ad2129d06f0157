"""Opening a connection: greeting, EHLO, TLS, login; and what is said when there is none to be had."""

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from mailer.dispatch.relay_settings import make_smtp_options
from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import ConnectionFailedError, Transport
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.smtp.reply_classifier import Stage as Reached
from mailer.smtp.transport import SmtpTransport
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.process import free_port
from tests.servers.scripted_smtp import Act, Script, ScriptedServer, answering
from tests.servers.smtp_sink import smtp_sink
from tests.smtp.fake_source import LOOPS, FakeSource, await_that, deliver, make_message, run, run_connection

PASSWORD = "correct horse"


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def open_to(url: str, root: Path, **values: object) -> SmtpTransport:
    settings = SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})
    return SmtpTransport(make_smtp_options(settings, root))


def verdicts(transport: Transport, loop: str = "asyncio") -> list[Verdict]:
    """How one message fared."""
    return [outcome.verdict for outcome in deliver(transport, [make_message()], loop=loop)]


def must_fail(transport: Transport, loop: str = "asyncio", *, match: str | None = None) -> Outcome:
    """Why no line could be opened. The courier hears nothing of it: there is no line that could end."""
    courier = FakeSource([make_message()])
    with pytest.raises(ConnectionFailedError, match=match) as caught:
        run(run_connection(transport, courier), loop)
    assert (courier.taken, courier.closings) == ([], [])
    return caught.value.outcome


def fail_against(
    script: Script, root: Path, loop: str = "asyncio", *, match: str | None = None, **values: object
) -> tuple[Outcome, ScriptedServer]:
    """Why no line could be opened to a server with ``script``."""
    server, found = ScriptedServer(script), []

    async def work() -> None:
        async with server:
            with pytest.raises(ConnectionFailedError, match=match) as caught:
                await server.client(root, **values).connect(FakeSource())
            found.append(caught.value.outcome)

    run(work(), loop)
    return found[0], server


def test_a_server_that_only_knows_helo_will_do(tmp_path: Path, loop: str) -> None:
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


def test_a_closed_port_is_worth_another_try_and_named(tmp_path: Path, loop: str) -> None:
    port = free_port()
    outcome = must_fail(
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
def test_a_server_that_will_not_talk_is_worth_another_try(
    tmp_path: Path, loop: str, stage: Stage, answer: str
) -> None:
    if (stage, answer[:1]) == (Stage.ehlo, "5"):
        answer = "421 4.3.2 Busy"  # a 5xx to EHLO only means: say HELO
    with MisbehavingServer() as server:
        server.answer(stage, answer)
        outcome = must_fail(open_to(server.url, tmp_path, timeout=0.3), loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)


def test_a_server_that_greets_without_end_is_left(tmp_path: Path, loop: str) -> None:
    outcome, _ = fail_against(answering(("CONNECT", "", 9_000 * "x")), tmp_path, loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)
    endless = "220-" + "\n220-".join(300 * ["more"])
    outcome, _ = fail_against(answering(("CONNECT", "", endless)), tmp_path, loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.connect)


def test_nothing_is_said_before_the_greeting(tmp_path: Path) -> None:
    # RFC 5321 §4.3.1: servers that hunt for senders of spam hang up on who speaks first.
    outcome, server = fail_against(answering(("CONNECT", "", Act.hang)), tmp_path, timeout=0.1)
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


def test_a_line_over_tls_ends_politely_and_leaves_nothing_open(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None
) -> None:
    # A loop that is closed right after the last line has ended must find nothing under way.
    server, courier = ScriptedServer(tls=server_context), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            url = f"smtps://localhost:{server.port}"
            await run_connection(open_to(url, tmp_path), courier)
            await await_that(lambda: server.lines[-1] == "QUIT")

    run(work(), loop)
    assert (courier.closings, server.acknowledged) == ([None], ["b@example.org"])


def test_smtps_to_a_server_nobody_vouches_for_stops(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext
) -> None:
    with MisbehavingServer(tls=server_context) as server:
        outcome = must_fail(open_to(f"smtps://localhost:{server.port}", tmp_path), loop, match="certificate")
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.tls)


def test_smtps_to_a_server_that_speaks_clear_text_is_worth_another_try(tmp_path: Path, loop: str) -> None:
    with MisbehavingServer() as server:
        outcome = must_fail(open_to(f"smtps://localhost:{server.port}", tmp_path, timeout=1), loop)
    assert outcome.verdict is Verdict.give_back


@pytest.mark.parametrize(
    ("starttls", "verdict"), [("require", None), ("if-offered", Verdict.sent), ("never", Verdict.sent)]
)
def test_an_unknown_certificate_will_do_only_where_tls_is_a_bonus(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, starttls: str, verdict: Verdict | None
) -> None:
    with MisbehavingServer(options={"tls_context": server_context}) as server:
        transport = open_to(f"smtp://localhost:{server.port}", tmp_path, starttls=starttls)
        if verdict is None:
            assert must_fail(transport, loop, match="certificate").verdict is Verdict.stop
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


def test_starttls_that_is_required_and_not_offered_stops(tmp_path: Path) -> None:
    with MisbehavingServer() as server:
        outcome = must_fail(
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
def test_what_comes_in_clear_text_after_the_answer_to_starttls_is_refused(
    tmp_path: Path, loop: str, injected: str
) -> None:
    def script(verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return "250-mx.example.org\r\n250 STARTTLS"
        return f"220 2.0.0 Go on{injected}" if verb == "STARTTLS" else None

    outcome, server = fail_against(script, tmp_path, loop, match="sent data before STARTTLS completed")
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
def test_a_server_that_offers_starttls_and_does_not_do_it_gets_nothing(
    tmp_path: Path, answer: str | Act, verdict: Verdict
) -> None:
    def script(verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return "250-mx.example.org\r\n250 STARTTLS"
        return answer if verb == "STARTTLS" else None

    outcome, server = fail_against(script, tmp_path, timeout=0.2)
    assert (outcome.verdict, outcome.stage) == (verdict, Reached.tls)
    assert server.lines[-1] == "STARTTLS"


def test_a_server_that_breaks_off_the_handshake_is_worth_another_try(tmp_path: Path, loop: str) -> None:
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


def test_what_is_offered_in_clear_text_is_forgotten_under_tls(
    tmp_path: Path, server_context: ssl.SSLContext
) -> None:
    # RFC 3207 §4.2. aiosmtpd offers AUTH only under TLS, and here nothing but the message is wanted.
    with MisbehavingServer(options={"tls_context": server_context}) as server:
        transport = open_to(f"smtp://localhost:{server.port}", tmp_path)

        async def work() -> None:
            line = await transport.connect(FakeSource())
            assert "STARTTLS" not in line.capabilities
            assert "8BITMIME" in line.capabilities
            line.close()

        run(work())


# Logging in


class Doorman:
    """Lets in whoever knows the password."""

    def __init__(self) -> None:
        self.let_in: list[str] = []

    def __call__(self, *asked: object) -> AuthResult:
        password = asked[-1]
        assert isinstance(password, LoginPassword)
        if password.password != PASSWORD.encode():
            return AuthResult(success=False, handled=False)
        self.let_in.append(password.login.decode())
        return AuthResult(success=True)


def with_password(tmp_path: Path, password: str = PASSWORD) -> dict[str, object]:
    (tmp_path / "password").write_text(f"{password}\nanything else\n")
    return {"password_file": "password"}


@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
def test_logs_in_over_tls_with_the_password_of_the_file(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None, auth: str
) -> None:
    doorman = Doorman()
    options = {"tls_context": server_context, "authenticator": doorman, "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news%40example.org@localhost:{server.port}"
        transport = open_to(url, tmp_path, auth=auth, **with_password(tmp_path))
        assert verdicts(transport, loop) == [Verdict.sent]
    assert doorman.let_in == ["news@example.org"]


def test_a_wrong_password_stops_with_the_servers_words(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext, trusted: None
) -> None:
    options = {"tls_context": server_context, "authenticator": Doorman(), "auth_required": True}
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news@localhost:{server.port}"
        transport = open_to(url, tmp_path, **with_password(tmp_path, "wrong"))
        outcome = must_fail(transport, loop, match="535")
    assert (outcome.verdict, outcome.stage) == (Verdict.stop, Reached.login)


def test_a_password_is_not_sent_to_a_server_nobody_vouches_for(
    tmp_path: Path, loop: str, server_context: ssl.SSLContext
) -> None:
    doorman = Doorman()
    with MisbehavingServer(options={"tls_context": server_context, "authenticator": doorman}) as server:
        url = f"smtp://news@localhost:{server.port}"
        outcome = must_fail(open_to(url, tmp_path, **with_password(tmp_path)), loop, match="certificate")
    assert outcome.verdict is Verdict.stop
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
        outcome = must_fail(open_to(url, tmp_path, **with_password(tmp_path)), match="not sent in clear text")
    assert outcome.verdict is Verdict.stop


# On loopback clear text will do, so that what is said can be read.


class Gate:
    """A script that offers ``offer``, answers AUTH with ``answers`` in turn and keeps what was said."""

    def __init__(self, offer: str, *answers: str) -> None:
        self.offer = offer
        self.answers = list(answers)
        self.said: list[str] = []

    def __call__(self, verb: str, argument: str) -> str | Act | None:
        if verb == "EHLO":
            return f"250-mx.example.org\r\n250-PIPELINING\r\n250 {self.offer}"
        if verb in {"CONNECT", "MAIL", "RCPT", "DATA", "BODY", ".", "QUIT"}:
            return None
        self.said.append(f"{verb} {argument}".strip())
        return self.answers.pop(0)


def log_in(gate: Gate, root: Path, loop: str, user: str = "news", **values: object) -> list[Verdict]:
    """How a message fares after a login at ``gate``."""
    server, courier = ScriptedServer(gate), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            url = f"smtp://{user}@127.0.0.1:{server.port}"
            await run_connection(open_to(url, root, **values), courier)

    run(work(), loop)
    return courier.verdicts


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_plain_is_one_answer(tmp_path: Path, loop: str) -> None:
    gate = Gate("AUTH LOGIN PLAIN", "235 2.7.0 In")
    assert log_in(gate, tmp_path, loop, **with_password(tmp_path)) == [Verdict.sent]
    assert gate.said == [f"AUTH PLAIN {encode(f'{chr(0)}news{chr(0)}{PASSWORD}')}"]


def test_login_is_two_answers(tmp_path: Path, loop: str) -> None:
    gate = Gate("AUTH=LOGIN", f"334 {encode('Username:')}", f"334 {encode('Password:')}", "235 2.7.0 In")
    assert log_in(gate, tmp_path, loop, **with_password(tmp_path)) == [Verdict.sent]
    assert gate.said == ["AUTH LOGIN", encode("news"), encode(PASSWORD)]


def test_a_token_is_read_at_every_login(tmp_path: Path, loop: str) -> None:
    token = tmp_path / "token"
    for secret in ("first", "second"):
        token.write_text(f"{secret}\n")
        gate = Gate("AUTH PLAIN XOAUTH2", "235 2.7.0 In")
        assert log_in(gate, tmp_path, loop, token_file="token") == [Verdict.sent]
        verb, mechanism, answer = gate.said[0].split()
        assert (verb, mechanism) == ("AUTH", "XOAUTH2")
        assert base64.b64decode(answer) == f"user=news\x01auth=Bearer {secret}\x01\x01".encode()


def test_a_token_that_is_not_taken_stops_with_what_the_server_says(tmp_path: Path, loop: str) -> None:
    (tmp_path / "token").write_text("old\n")
    challenge = encode('{"status": "401", "scope": "https://mail.example.org/"}')
    gate = Gate("AUTH XOAUTH2", f"334 {challenge}", "535 5.7.8 No")
    with pytest.raises(ConnectionFailedError, match=r"535 5\.7\.8 No .*status 401") as caught:
        log_in(gate, tmp_path, loop, token_file="token")
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.stop, Reached.login)
    assert gate.said[1:] == [""]


def test_a_server_that_asks_without_end_is_given_up_on(tmp_path: Path) -> None:
    gate = Gate("AUTH PLAIN", "334 ", "334 ", "501 5.7.0 Cancelled")
    with pytest.raises(ConnectionFailedError, match="501"):
        log_in(gate, tmp_path, "asyncio", **with_password(tmp_path))
    assert gate.said[1:] == ["*", "*"]


def test_a_login_that_is_not_offered_stops(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="does not offer authentication") as caught:
        log_in(Gate("8BITMIME"), tmp_path, "asyncio", **with_password(tmp_path))
    assert caught.value.outcome.verdict is Verdict.stop


def test_a_server_in_trouble_at_the_login_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="454") as caught:
        log_in(Gate("AUTH PLAIN", "454 4.7.0 Later"), tmp_path, "asyncio", **with_password(tmp_path))
    assert caught.value.outcome.verdict is Verdict.give_back


def test_nobody_is_logged_in_who_is_not_named(tmp_path: Path, loop: str) -> None:
    gate = Gate("AUTH PLAIN")
    server, courier = ScriptedServer(gate), FakeSource([make_message()])

    async def work() -> None:
        async with server:
            await run_connection(server.client(tmp_path), courier)

    run(work(), loop)
    assert (courier.verdicts, gate.said) == ([Verdict.sent], [])
