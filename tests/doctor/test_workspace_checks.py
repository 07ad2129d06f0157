"""What the doctor sees: every relay, its TLS and login, the database's disk and clock, and DKIM's keys."""

import ipaddress
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine

from mailer.database.engine import measure_commit_latency
from mailer.doctor import Diagnosis, Health, diagnose_workspace
from mailer.settings import DatabaseSettings, DkimSettings, LogSettings, SmtpSettings, load_settings
from mailer.workspace import Workspace
from tests.factories.webhook_requests import write_settings
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage
from tests.servers.process import free_port
from tests.servers.smtp_sink import smtp_sink


def examine(workspace: Workspace, **sections: Any) -> list[Diagnosis]:
    """The findings with other ``sections`` of the settings."""
    settings = workspace.settings.model_copy(update=sections)
    return list(diagnose_workspace(replace(workspace, settings=settings)))


def find(findings: list[Diagnosis], subject: str) -> Diagnosis:
    (finding,) = [finding for finding in findings if finding.subject == subject]
    return finding


def look_at(workspace: Workspace, url: str, **values: Any) -> Diagnosis:
    smtp = SmtpSettings.model_validate({"url": url, "timeout": 5, **values})
    return find(examine(workspace, smtp=smtp), "relay")


# --- the sender


@pytest.mark.parametrize(
    ("sender", "verdict", "words"),
    [
        ({"address": "office@ministry.int"}, Health.good, "office@ministry.int"),
        ({"organisation": "UNESCO Beijing Office"}, Health.bad, "organisation is still that of the sample"),
        ({"postal_address": "-----"}, Health.bad, "postal_address missing"),
    ],
)
def test_a_sender_who_may_not_send_is_bad(
    workspace: Workspace, sender: dict[str, str], verdict: Health, words: str
) -> None:
    settings = workspace.settings.sender.model_copy(update=sender)
    finding = find(examine(workspace, sender=settings), "sender")
    assert finding.verdict is verdict
    assert words in finding.message


# --- relays


def write_certificate(folder: Path, *, days: int) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that signs itself and ends in ``days``, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = folder / "certificate.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder / "key.pem")
    return certificate, context


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS with a certificate that this machine trusts."""
    certificate, context = write_certificate(tmp_path, days=90)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


# The second is too long for one command line, so it follows the server's 334.
PASSWORDS = [b"correct horse", "длинный".encode() * 40]


def let_in(*asked: object) -> AuthResult:
    password = asked[-1]
    assert isinstance(password, LoginPassword)
    return AuthResult(success=password.password in PASSWORDS, handled=False)


def test_a_relay_is_looked_at_and_nothing_is_sent(workspace: Workspace) -> None:
    with MisbehavingServer() as server:
        finding = look_at(workspace, server.url)
        assert (server.received, server.connections) == ([], 1)
    assert finding.verdict is Health.good
    assert finding.message.startswith(f"127.0.0.1:{server.port} answers; not encrypted; no login; supports ")
    assert "SMTPUTF8 (addresses with accents), messages of up to 33,554,432 bytes" in finding.message
    lacks = "does not support PIPELINING (fewer waits), DSN (bounces that name the message)"
    assert f"{lacks}, which sending works without" in finding.message


def test_a_server_that_only_knows_helo_is_good_enough(workspace: Workspace) -> None:
    with smtp_sink("-e") as sink:
        finding = look_at(workspace, sink.url)
    assert finding.verdict is Health.good
    lacks = "PIPELINING (fewer waits), 8BITMIME (accents sent as they are), SMTPUTF8 (addresses with accents)"
    assert f"supports no SMTP extensions; does not support {lacks}" in finding.message


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(("auth", "mechanism"), [("auto", "PLAIN"), ("plain", "PLAIN"), ("login", "LOGIN")])
def test_the_certificate_and_the_login_are_tried(
    workspace: Workspace, tls: ssl.SSLContext, password: bytes, auth: str, mechanism: str
) -> None:
    options = {"tls_context": tls, "authenticator": let_in, "auth_required": True}
    (workspace.root / "password").write_bytes(password)
    with MisbehavingServer(options=options) as server:
        url = f"smtp://news@localhost:{server.port}"
        finding = look_at(workspace, url, password_file="password", auth=auth)
    ends = (datetime.now(UTC) + timedelta(days=90)).date()
    assert finding.verdict is Health.good
    assert (
        f"encrypted (TLSv1.3), certificate valid until {ends}; logged in with {mechanism}" in finding.message
    )


def test_a_wrong_password_is_found_before_a_campaign_finds_it(
    workspace: Workspace, tls: ssl.SSLContext
) -> None:
    options = {"tls_context": tls, "authenticator": let_in, "auth_required": True}
    with MisbehavingServer(options=options) as server:
        finding = look_at(workspace, f"smtp://news:wrong-horse@localhost:{server.port}")
    assert finding.verdict is Health.bad
    assert "it refuses the login: 535 5.7.8" in finding.message
    assert "wrong-horse" not in finding.message


@pytest.mark.parametrize("starttls", ["require", "if-offered"])
def test_a_certificate_nobody_vouches_for_is_bad_only_where_it_must_be_good(
    workspace: Workspace, tmp_path: Path, starttls: str
) -> None:
    _, context = write_certificate(tmp_path, days=90)
    with MisbehavingServer(options={"tls_context": context}) as server:
        finding = look_at(workspace, f"smtp://localhost:{server.port}", starttls=starttls)
    assert finding.verdict is (Health.bad if starttls == "require" else Health.doubtful)
    assert "self-signed certificate" in finding.message


def test_a_certificate_that_ends_soon_is_mentioned(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = write_certificate(tmp_path, days=3)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MisbehavingServer(tls=context) as server:
        finding = look_at(workspace, f"smtps://localhost:{server.port}")
    assert (finding.verdict, "expires soon" in finding.message) == (Health.doubtful, True)


def test_tls_that_is_required_and_not_offered_is_bad(workspace: Workspace) -> None:
    with MisbehavingServer() as server:
        finding = look_at(workspace, server.url, starttls="require")
    assert (finding.verdict, "does not offer STARTTLS" in finding.message) == (Health.bad, True)


@pytest.mark.parametrize("answer", [DROP, "554 5.3.2 No service"])
def test_a_relay_that_does_not_want_us_is_bad_with_its_words(workspace: Workspace, answer: str) -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.connect, answer)
        finding = look_at(workspace, server.url)
    assert finding.verdict is Health.bad
    assert ("554 5.3.2 No service" in finding.message) == (answer != DROP)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("smtp://relay.invalid", "the host name relay.invalid cannot be resolved"),
        ("smtp://news@mx.example.org", "no password"),
        ("smtp://mx.example.org:mail", "Port could not be cast"),
        ("http://secret:word@mx.example.org", "not a relay address"),
    ],
)
def test_an_address_that_cannot_work_is_bad(workspace: Workspace, url: str, words: str) -> None:
    finding = look_at(workspace, url)
    assert finding.verdict is Health.bad
    assert words in finding.message
    assert "secret" not in finding.message


def test_every_relay_is_looked_at_under_its_name(workspace: Workspace) -> None:
    with MisbehavingServer() as server:
        relays = [
            {"name": "office", "url": server.url},
            {"name": "spare", "url": f"smtp://127.0.0.1:{free_port()}", "priority": 2},
        ]
        findings = examine(workspace, smtp=SmtpSettings.model_validate({"relays": relays}))
    assert find(findings, "relay office").verdict is Health.good
    assert find(findings, "relay spare").verdict is Health.bad


def test_relays_with_one_name_are_found(workspace: Workspace) -> None:
    relays = [{"name": "office", "url": "smtp://a"}, {"name": "office", "url": "smtp://b"}]
    finding = find(examine(workspace, smtp=SmtpSettings.model_validate({"relays": relays})), "relay")
    assert (finding.verdict, "two relays are named 'office'" in finding.message) == (Health.bad, True)


def test_a_folder_is_good_and_reaches_nobody(workspace: Workspace) -> None:
    finding = look_at(workspace, "maildir:received")
    assert finding.verdict is Health.good
    assert "they are not sent to readers" in finding.message
    assert not (workspace.root / "received").exists()


def test_a_folder_below_a_file_is_bad(workspace: Workspace) -> None:
    assert look_at(workspace, "maildir:keys.toml/received").verdict is Health.bad


# --- database


def test_the_database_its_disk_and_its_clock_are_looked_at(either_workspace: Workspace) -> None:
    files = sorted(either_workspace.root.iterdir())
    findings = examine(either_workspace)
    assert find(findings, "database").verdict is Health.good
    assert find(findings, "disk").message.startswith("saving a change safely to disk takes ")
    assert find(findings, "clock").verdict is Health.good
    left = {path for path in either_workspace.root.iterdir() if not path.name.startswith("mailer.db")}
    assert left == {path for path in files if not path.name.startswith("mailer.db")}


def test_what_others_can_read_comes_with_the_command_that_mends_it(workspace: Workspace) -> None:
    root = workspace.root
    log = LogSettings(file=Path("news.log"))
    (root / "mailer.toml").chmod(0o600)
    (root / "outbox").mkdir(mode=0o700)
    assert find(examine(workspace, log=log), "files").verdict is Health.good
    (root / "mailer.toml").chmod(0o644)
    (root / "news.log").touch(mode=0o644)
    assert find(examine(workspace, log=log), "files").verdict is Health.doubtful
    secret = SmtpSettings(url="smtp://me:secret@127.0.0.1:1", timeout=1)
    assert find(examine(workspace, smtp=secret), "files").verdict is Health.bad
    for name in ("mailer.db", "partners.csv", "copy.db", "my list.xlsx"):
        (root / name).touch()
        (root / name).chmod(0o640)
    (root / "outbox").chmod(0o755)
    finding = find(examine(workspace, log=log), "files")
    assert finding.verdict is Health.bad
    assert finding.message.startswith("other users can read mailer.toml, mailer.db, outbox and 4 more. Run: ")
    subprocess.run(finding.message.partition("Run: ")[2], shell=True, check=True)
    assert find(examine(workspace, log=log), "files").verdict is Health.good


def test_nobody_else_reads_what_lies_in_a_folder_they_cannot_enter(workspace: Workspace) -> None:
    workspace.root.chmod(0o700)
    (workspace.root / "keys.toml").chmod(0o644)
    assert find(examine(workspace), "keys").verdict is Health.good
    workspace.root.chmod(0o750)
    assert find(examine(workspace), "keys").verdict is Health.bad


def test_a_commit_takes_time(engine: Engine) -> None:
    assert measure_commit_latency(engine) > 0


def test_a_database_that_does_not_answer_is_bad_and_the_rest_is_still_looked_at(
    workspace: Workspace, tmp_path: Path
) -> None:
    database = DatabaseSettings(url=f"postgresql://nobody@/none?host={tmp_path}")
    findings = examine(workspace, database=database)
    assert find(findings, "database").verdict is Health.bad
    assert find(findings, "python").verdict is Health.good


# --- signatures


def write_keys(root: Path) -> DkimSettings:
    for name, words in (
        ("rsa.pem", ("genrsa", "-out", "rsa.pem", "2048")),
        ("ed.pem", ("genpkey", "-algorithm", "ed25519", "-out", "ed.pem")),
    ):
        subprocess.run(["openssl", *words], cwd=root, check=True, capture_output=True)
        (root / name).chmod(0o600)
    return DkimSettings(
        selector="n1", key_file=Path("rsa.pem"), ed25519_selector="n2", ed25519_key_file=Path("ed.pem")
    )


def test_the_records_to_publish_are_shown(workspace: Workspace) -> None:
    findings = [f for f in examine(workspace, dkim=write_keys(workspace.root)) if f.subject == "dkim"]
    assert [finding.verdict for finding in findings] == [Health.good, Health.good]
    domain = workspace.settings.sender.domain
    assert f"The DNS must have its record at n1._domainkey.{domain}" in findings[0].message
    assert findings[0].record.startswith(f'n1._domainkey.{domain}. IN TXT ( "v=DKIM1; k=rsa; p=')
    assert findings[1].record.startswith(f'n2._domainkey.{domain}. IN TXT ( "v=DKIM1; k=ed25519; p=')


def test_a_signing_key_that_others_can_read_is_bad(workspace: Workspace) -> None:
    dkim = write_keys(workspace.root)
    (workspace.root / "rsa.pem").chmod(0o644)
    findings = [f for f in examine(workspace, dkim=dkim) if f.subject == "dkim"]
    assert findings[0].verdict is Health.bad
    assert "chmod 600 rsa.pem" in findings[0].message


def test_a_signing_key_that_is_not_there_is_bad(workspace: Workspace) -> None:
    dkim = DkimSettings(selector="n1", key_file=Path("gone.pem"))
    finding = find(examine(workspace, dkim=dkim), "dkim")
    assert (finding.verdict, "gone.pem" in finding.message) == (Health.bad, True)


# --- webhooks


def test_webhooks_are_named_with_those_whose_secret_is_missing_or_readable(workspace: Workspace) -> None:
    write_settings(workspace.root)
    (workspace.root / "brevo.secret").unlink()
    (workspace.root / "mailjet.secret").chmod(0o644)
    workspace.root.chmod(0o755)
    feedback = load_settings(workspace.root, {}).feedback
    web = workspace.settings.web.model_copy(update={"base_url": "https://127.0.0.1:9"})
    findings = examine(workspace, feedback=feedback, web=web)
    assert find(findings, "webhook ses").message.endswith("https://127.0.0.1:9/hooks/ses")
    assert find(findings, "webhook postmark").verdict is Health.good
    missing = find(findings, "webhook brevo")
    assert missing.verdict is Health.bad
    assert str(workspace.root / "brevo.secret") in missing.message
    assert "mailjet.secret" in find(findings, "files").message
    on_this_machine = examine(workspace, feedback=feedback)
    assert find(on_this_machine, "webhook postmark").verdict is Health.doubtful
    assert [finding for finding in examine(workspace) if finding.subject.startswith("webhook")] == []
