"""One message as receivers look at it: each planted fault is named, and without one nothing is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from mailer.cli import mailer
from mailer.doctor import Diagnosis, Health
from mailer.doctor.message_checks import (
    UnreadableMessageError,
    check_built_message,
    check_received_message,
)
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import build_message
from mailer.settings import DkimSettings, FeedbackSettings
from mailer.smtp.dkim import DkimSigner, load_rsa_key, make_dkim_record
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from tests.factories.dkim import to_pem, write_keys
from tests.rendering.test_message import COMPILED
from tests.servers.dns_server import DnsServer, running_dns_server

NOW = datetime.now(UTC).replace(microsecond=0)
RECEIVED = (
    "Received: by mx.example.net; Sun, 01 Mar 2026 09:00:03 +0000\r\n"
    "Authentication-Results: mx.example.net; {results}\r\n"
)
PASSED = "spf=pass smtp.mailfrom=example.org; dkim=pass header.d=example.org; dmarc=pass"


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def dns(rsa_key: RSAPrivateKey) -> Iterator[DnsServer]:
    """Our public key, and that of a relay that signs with its own domain."""
    with running_dns_server() as server:
        for domain in ("example.org", "relay.example"):
            record = make_dkim_record(rsa_key, selector="news1", domain=domain)
            server.publish({record.name: [f'TXT "{record.text[:200]}" "{record.text[200:]}"']})
        yield server


@pytest.fixture
def published(workspace: Workspace, dns: DnsServer) -> Workspace:
    """A workspace that asks for complaints, whose pages are on https."""
    settings = workspace.settings.model_copy(
        update={
            "dns": dns.settings,
            "web": workspace.settings.web.model_copy(update={"base_url": "https://news.example.org"}),
            "feedback": FeedbackSettings(complaint_address="complaints@example.org"),
        }
    )
    return replace(workspace, settings=settings)


def build(workspace: Workspace) -> bytes:
    address = "li@example.net"
    person = Subscriber(id=5, email=address, envelope=address, name="Li Wei", created_at=NOW, updated_at=NOW)
    reader = reader_for(person, 1, workspace.settings, workspace.keys.tokens)
    return build_message(COMPILED, reader, workspace.settings, now=NOW)


@pytest.fixture
def signer(rsa_key: RSAPrivateKey, tmp_path: Path) -> DkimSigner:
    folder = write_keys(tmp_path, rsa_key)
    return DkimSigner([load_rsa_key(folder / "rsa.pem", selector="news1", domain="example.org")])


@pytest.fixture
def received(published: Workspace, signer: DkimSigner) -> bytes:
    return RECEIVED.format(results=PASSED).encode() + signer.sign(build(published), now=NOW)


def find_codes(findings: Iterator[Diagnosis]) -> set[str]:
    return {finding.code for finding in findings if finding.verdict is not Health.good}


def sign_with(
    rsa_key: RSAPrivateKey, message: bytes, *, domain: bytes = b"example.org", **options: object
) -> bytes:
    return bytes(dkim.sign(message, b"news1", domain, to_pem(rsa_key), **options)) + message


def test_a_message_of_ours_has_all_that_receivers_ask_for(published: Workspace, received: bytes) -> None:
    findings = list(check_received_message(published, received))
    assert find_codes(iter(findings)) == set()
    assert "mx.example.net says that spf, dkim, dmarc passed" in [finding.message for finding in findings]


Spoil = Callable[[bytes], bytes]
FAULTS: dict[str, Spoil] = {
    "message-header-missing": lambda mail: mail.replace(b"Subject: ", b"X-Subject: "),
    "message-header-repeated": lambda mail: b"From: Else <else@evil.example>\r\n" + mail,
    "message-unsubscribe-missing": lambda mail: mail.replace(b"\r\nList-Unsubscribe: ", b"\r\nX-Left: "),
    "message-unsubscribe-encoded": lambda mail: mail.replace(
        b"List-Unsubscribe: <https", b"List-Unsubscribe: =?utf-8?q?=3Chttps"
    ),
    "message-unsubscribe-not-https": lambda mail: mail.replace(
        b"List-Unsubscribe: <https", b"List-Unsubscribe: <http"
    ),
    "message-one-click-missing": lambda mail: mail.replace(b"List-Unsubscribe-Post: ", b"X-Post: "),
    "message-signature-broken": lambda mail: mail.replace(b"News from Beijing", b"News from Peking"),
    "message-line-too-long": lambda mail: mail + b"x" * 1200 + b"\r\n",
    "message-clipped": lambda mail: mail.replace(
        b"<!DOCTYPE html>", b"x" * 76 + b"=\r\n" + (b"y" * 70 + b"\r\n") * 1500
    ),
    "message-spf-failed": lambda mail: mail.replace(b"spf=pass", b"spf=fail"),
    "message-dkim-failed": lambda mail: mail.replace(b"dkim=pass", b"dkim=fail"),
    "message-dmarc-failed": lambda mail: mail.replace(b"dmarc=pass", b"dmarc=fail"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_of_a_received_message_is_named(published: Workspace, received: bytes, code: str) -> None:
    spoiled = FAULTS[code](received)
    assert spoiled != received
    assert code in find_codes(check_received_message(published, spoiled))


def test_a_message_that_nobody_signed(published: Workspace) -> None:
    assert find_codes(check_received_message(published, build(published))) == {"message-unsigned"}


def test_a_relay_that_signs_with_its_own_domain_alone(published: Workspace, rsa_key: RSAPrivateKey) -> None:
    mail = sign_with(rsa_key, build(published), domain=b"relay.example")
    assert find_codes(check_received_message(published, mail)) == {"message-signature-unaligned"}


@pytest.mark.parametrize(
    ("left_out", "codes"),
    [
        ([b"list-unsubscribe"], {"message-unsubscribe-unsigned"}),
        ([b"list-unsubscribe-post"], {"message-unsubscribe-unsigned"}),
        ([b"feedback-id"], {"message-feedback-id-unsigned"}),
        ([b"cfbl-address"], {"message-complaint-address-unsigned"}),
        ([b"cfbl-feedback-id"], {"message-complaint-address-unsigned"}),
    ],
)
def test_a_header_that_the_relay_does_not_sign(
    published: Workspace, rsa_key: RSAPrivateKey, left_out: list[bytes], codes: set[str]
) -> None:
    names = [
        *(b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post"),
        *(b"feedback-id", b"cfbl-address", b"cfbl-feedback-id"),
    ]
    covered = [name for name in names if name not in left_out]
    mail = sign_with(rsa_key, build(published), include_headers=covered)
    assert find_codes(check_received_message(published, mail)) == codes


def test_a_signature_to_which_anybody_can_add(published: Workspace, rsa_key: RSAPrivateKey) -> None:
    mail = sign_with(rsa_key, build(published), length=True)
    assert "message-signature-partial" in find_codes(check_received_message(published, mail))


def test_complaints_to_another_domain_need_a_second_signature(
    published: Workspace, rsa_key: RSAPrivateKey, signer: DkimSigner
) -> None:
    feedback = FeedbackSettings(complaint_address="complaints@relay.example")
    elsewhere = replace(published, settings=published.settings.model_copy(update={"feedback": feedback}))
    mail = signer.sign(build(elsewhere), now=NOW)
    assert find_codes(check_received_message(elsewhere, mail)) == {"message-complaint-address-unaligned"}
    both = sign_with(rsa_key, mail, domain=b"relay.example")
    assert find_codes(check_received_message(elsewhere, both)) == set()


def test_what_is_no_message_is_refused(published: Workspace) -> None:
    for source in (b"", b"\x89PNG\r\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        with pytest.raises(UnreadableMessageError, match="no message"):
            list(check_received_message(published, source))


def test_a_message_is_built_and_signed_as_in_a_campaign(published: Workspace, rsa_key: RSAPrivateKey) -> None:
    (unsigned,) = check_built_message(published)
    assert "mailer doctor --message FILE" in unsigned.message
    (published.root / "dkim.pem").write_bytes(to_pem(rsa_key))
    signing = DkimSettings(key_file=Path("dkim.pem"), selector="news1")
    workspace = replace(published, settings=published.settings.model_copy(update={"dkim": signing}))
    (signed,) = check_built_message(workspace)
    assert signed.verdict is Health.good
    # What cannot be built, another check explains.
    sender = workspace.settings.sender.model_copy(update={"address": "изд@example.org"})
    settings = workspace.settings.model_copy(update={"sender": sender})
    assert list(check_built_message(replace(workspace, settings=settings))) == []


def test_the_command_checks_a_file_and_exits_with_1_if_it_is_bad(
    workspace: Workspace, dns: DnsServer, received: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "received.eml"
    resolver = {"MAILER_DNS__RESOLVER": dns.settings.resolver}

    def run() -> tuple[int, str]:
        words = ["-C", str(workspace.root), "doctor", "--message", str(file), "--json"]
        done = CliRunner(env=resolver).invoke(mailer, words)
        return done.exit_code, done.stdout

    file.write_bytes(received)
    assert run()[0] == 0
    file.write_bytes(FAULTS["message-signature-broken"](received))
    code, output = run()
    assert code == 1
    assert '"code": "message-signature-broken"' in output
