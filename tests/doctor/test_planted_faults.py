"""Faults planted in the DNS, the relay and the workspace: each is named, and mended, nothing is found."""

import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from locales.phrase import Phrase
from mailer.doctor.diagnosis import find_bad, read_explanations
from tests.doctor.good_setup import ADDRESS, DOMAIN, KEY, PTR, SetUp, good_setup, list_wrong
from tests.doctor.said_findings import FOREIGN, list_english
from tests.doctor.test_workspace_checks import write_certificate
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage

DMARC = f"_dmarc.{DOMAIN}"
RUA = f"rua=mailto:dmarc@{DOMAIN}"


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[SetUp]:
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        with good_setup(folder, sqlite_template) as running:
            yield running


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``records`` replace those of their names ([] removes the name), ``sections`` values of the settings,
    and ``act`` does the rest while its context is open. ``also`` are codes that follow from it.
    """

    code: str
    records: dict[str, list[str]] = field(default_factory=dict)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    act: Callable[[SetUp], AbstractContextManager[dict[str, dict[str, Any]] | None]] | None = None
    also: frozenset[str] = frozenset()


def txt(text: str) -> str:
    """A TXT record, its text in strings of at most 200 bytes."""
    return "TXT " + " ".join(f'"{part}"' for part in re.findall(".{1,200}", text))


def at_domain(*texts: str, mx: str = "10 mx.ministry.int.") -> dict[str, list[str]]:
    soa = "SOA ns.ministry.int. host.ministry.int. 1 3600 600 86400 60"
    return {DOMAIN: [soa, *map(txt, texts), *([f"MX {mx}"] if mx else [])]}


def make_rsa_record(bits: int) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    text = b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    return txt(f"v=DKIM1; k=rsa; p={text}")


@contextmanager
def wrong_password(setup: SetUp) -> Iterator[None]:
    file = setup.workspace.root / "relay.password"
    before = file.read_bytes()
    file.write_bytes(b"wrong horse")
    yield
    file.write_bytes(before)


def other_relay(context: Callable[[Path], ssl.SSLContext] | None) -> Any:
    """Another relay in the settings: with another certificate, or without TLS."""

    @contextmanager
    def act(setup: SetUp) -> Iterator[dict[str, dict[str, Any]]]:
        options = {"tls_context": context(setup.folder)} if context else {}
        with MisbehavingServer(options=options) as server:
            yield {"smtp": {"url": f"smtp://localhost:{server.port}", "password_file": None}}

    return act


def nobody_vouches(folder: Path) -> ssl.SSLContext:
    (folder / "self-signed").mkdir(exist_ok=True)
    return write_certificate(folder / "self-signed", days=90)[1]


@contextmanager
def silent_relay(setup: SetUp) -> Iterator[None]:
    setup.relay.answer(Stage.connect, DROP)
    yield
    setup.relay.rules.clear()


def mode(name: str, bits: int) -> Any:
    @contextmanager
    def act(setup: SetUp) -> Iterator[None]:
        path = setup.workspace.root / name
        before = path.stat().st_mode
        # Nobody enters the folder otherwise.
        setup.workspace.root.chmod(0o755)
        path.chmod(bits)
        yield
        path.chmod(before)
        setup.workspace.root.chmod(0o700)

    return act


def proxy_that(**changes: Any) -> Any:
    @contextmanager
    def act(setup: SetUp) -> Iterator[None]:
        before = {name: getattr(setup.proxy, name) for name in changes}
        for name, value in changes.items():
            setattr(setup.proxy, name, value)
        yield
        for name, value in before.items():
            setattr(setup.proxy, name, value)

    return act


@contextmanager
def silent_dns(setup: SetUp) -> Iterator[dict[str, dict[str, Any]]]:
    setup.dns.silent |= {DOMAIN}
    yield {"dns": {"timeout": 0.2}}
    setup.dns.silent.clear()


@contextmanager
def failing_dns(setup: SetUp) -> Iterator[None]:
    setup.dns.broken |= {DOMAIN}
    yield
    setup.dns.broken.clear()


@contextmanager
def failing_dmarc(setup: SetUp) -> Iterator[None]:
    setup.dns.broken |= {DMARC}
    yield
    setup.dns.broken.clear()


@contextmanager
def lost_mailbox(setup: SetUp) -> Iterator[None]:
    new = setup.workspace.root / "incoming" / "new"
    new.rename(new.with_name("old"))
    yield
    new.with_name("old").rename(new)


@contextmanager
def broken_key(setup: SetUp) -> Iterator[None]:
    file = setup.workspace.root / "dkim.pem"
    before = file.read_bytes()
    file.write_bytes(b"no key")
    yield
    file.write_bytes(before)


MANY_INCLUDES = {
    **at_domain("v=spf1 " + " ".join(f"include:s{number}.{DOMAIN}" for number in range(11)) + " -all"),
    **{f"s{number}.{DOMAIN}": [txt("v=spf1 ip4:192.0.2.1 -all")] for number in range(11)},
}
VOID = " ".join(f"a:gone{number}.{DOMAIN}" for number in range(3))
MX_ONLY = f"v=spf1 ip4:{ADDRESS} -all"

FAULTS = [
    # SPF
    Fault(code="spf-missing", records=at_domain()),
    Fault(code="spf-several", records=at_domain(MX_ONLY, "v=spf1 mx -all")),
    Fault(code="spf-syntax", records=at_domain(f"v=spf1 ipv4:{ADDRESS} -all")),
    Fault(code="spf-too-many-lookups", records=MANY_INCLUDES),
    Fault(code="spf-void-lookups", records=at_domain(f"v=spf1 {VOID} ip4:{ADDRESS} -all")),
    Fault(code="spf-include-broken", records=at_domain(f"v=spf1 include:gone.int ip4:{ADDRESS} -all")),
    Fault(code="spf-allows-all", records=at_domain(f"v=spf1 ip4:{ADDRESS} +all")),
    Fault(code="spf-no-end", records=at_domain(f"v=spf1 ip4:{ADDRESS}")),
    Fault(code="spf-relay-missing", records=at_domain("v=spf1 mx -all")),
    Fault(code="spf-relay-unknown", sections={"smtp": {"sending_addresses": []}}),
    # DKIM
    Fault(code="dkim-record-missing", records={KEY: []}),
    Fault(code="dkim-record-several", records={KEY: [make_rsa_record(2048), make_rsa_record(2048)]}),
    Fault(code="dkim-record-syntax", records={KEY: [txt("v=DKIM1; k=rsa; p=MIIB")]}),
    Fault(code="dkim-key-revoked", records={KEY: [txt("v=DKIM1; k=rsa; p=")]}),
    Fault(code="dkim-key-differs", records={KEY: [make_rsa_record(2048)]}),
    Fault(code="dkim-key-short", records={KEY: [make_rsa_record(1024)]}),
    Fault(code="dkim-test-mode", act=None, records={KEY: ["TEST-MODE"]}),
    Fault(code="dkim-unknown", sections={"dkim": {"selector": "", "key_file": None}}),
    Fault(code="dkim-key-unusable", act=broken_key),
    Fault(code="dkim-key-exposed", act=mode("dkim.pem", 0o644), also=frozenset({"files-exposed"})),
    # DMARC
    Fault(code="dmarc-missing", records={DMARC: []}, also=frozenset({"bimi-without-policy"})),
    Fault(
        code="dmarc-several",
        records={DMARC: [txt(f"v=DMARC1; p=reject; {RUA}"), txt(f"v=DMARC1; p=none; {RUA}")]},
        also=frozenset({"bimi-without-policy"}),
    ),
    Fault(code="dmarc-syntax", records={DMARC: [txt(f"v=DMARC1; p=refuse; {RUA}")]}),
    Fault(
        code="dmarc-policy-none",
        records={DMARC: [txt(f"v=DMARC1; p=none; {RUA}")]},
        also=frozenset({"bimi-without-policy"}),
    ),
    Fault(code="dmarc-test-mode", records={DMARC: [txt(f"v=DMARC1; p=reject; t=y; {RUA}")]}),
    Fault(code="dmarc-subdomains-open", records={DMARC: [txt(f"v=DMARC1; p=reject; np=none; {RUA}")]}),
    Fault(code="dmarc-removed-tag", records={DMARC: [txt(f"v=DMARC1; p=reject; pct=20; {RUA}")]}),
    Fault(code="dmarc-public-suffix", records={DMARC: [txt(f"v=DMARC1; p=reject; psd=y; {RUA}")]}),
    Fault(code="dmarc-reports-missing", records={DMARC: [txt("v=DMARC1; p=reject")]}),
    Fault(code="dmarc-reports-lost", records={DMARC: [txt("v=DMARC1; p=reject; rua=mailto:a@gone.int")]}),
    Fault(
        code="dmarc-reports-refused",
        records={DMARC: [txt("v=DMARC1; p=reject; rua=mailto:ministry@elsewhere.int")]},
    ),
    # Alignment
    Fault(
        code="alignment-spf",
        sections={"feedback": {"bounce_address": "bounce@elsewhere.int"}},
        records={"elsewhere.int": [txt(MX_ONLY), "MX 10 mx.ministry.int."]},
        also=frozenset({"return-path"}),
    ),
    Fault(
        code="alignment-dkim",
        sections={"dkim": {"domain": "elsewhere.int"}},
        records={"news1._domainkey.elsewhere.int": ["THE-KEY"]},
    ),
    # Names of mail servers
    Fault(code="ptr-missing", records={PTR: []}),
    Fault(code="ptr-unconfirmed", records={PTR: [f"PTR mx.{DOMAIN}."]}),
    Fault(code="mx-missing", records=at_domain(MX_ONLY, mx=""), also=frozenset({"dmarc-reports-lost"})),
    Fault(code="mx-null", records=at_domain(MX_ONLY, mx="0 .")),
    Fault(code="mx-without-address", records={f"mx.{DOMAIN}": []}),
    # What is voluntary
    Fault(code="mta-sts-faulty", records={f"_mta-sts.{DOMAIN}": [txt("v=STSv1; identity=2026")]}),
    Fault(code="tls-rpt-faulty", records={f"_smtp._tls.{DOMAIN}": [txt("v=TLSRPTv1; rua=nobody")]}),
    Fault(code="bimi-faulty", records={f"default._bimi.{DOMAIN}": [txt("v=BIMI1; l=http://x.int/a.svg")]}),
    # The DNS itself
    Fault(
        code="domain-missing",
        sections={"sender": {"address": "news@no-such-ministry.int"}},
        also=frozenset({"return-path"}),
    ),
    Fault(code="dns-silent", act=silent_dns),
    Fault(code="dns-failing", act=failing_dns),
    Fault(code="dns-unanswered", act=failing_dmarc),
    # The relay
    Fault(code="relay-unreachable", act=silent_relay),
    Fault(code="relay-login", act=wrong_password),
    Fault(code="relay-certificate", act=other_relay(nobody_vouches)),
    Fault(code="relay-unreachable", act=other_relay(None)),
    Fault(code="relay-settings", sections={"smtp": {"url": "mail.ministry.int"}}),
    # The workspace and its pages
    Fault(code="keys-exposed", act=mode("keys.toml", 0o644)),
    Fault(code="files-exposed", act=mode("mailer.db", 0o644)),
    Fault(code="database-unusable", sections={"database": {"url": "sqlite:///empty.db"}}),
    Fault(code="public-address", act=proxy_that(forward=lambda _: "")),
    Fault(code="public-address", act=proxy_that(upstream="http://127.0.0.1:9", replies={})),
    Fault(code="feedback-unread", act=lost_mailbox),
    Fault(
        code="leave-address-unread",
        sections={"feedback": {"maildir": None}},
        also=frozenset({"feedback-unread"}),
    ),
    Fault(code="sender-incomplete", sections={"sender": {"postal_address": "-----"}}),
]


def fill_in(records: dict[str, list[str]], setup: SetUp) -> dict[str, list[str]]:
    """Put the key of the set-up where a fault only names it."""
    good = setup.records[KEY]
    places = {
        "THE-KEY": good,
        "TEST-MODE": [good[0].replace('TXT "', 'TXT "t=y; " "').replace("v=DKIM1; ", "")],
    }
    return {name: places.get(texts[0], texts) if texts else texts for name, texts in records.items()}


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{index}-{each.code}" for index, each in enumerate(FAULTS)])
def test_a_planted_fault_is_named_and_after_mending_nothing_is_found(setup: SetUp, fault: Fault) -> None:
    planted = fill_in(fault.records, setup)
    setup.dns.publish({name: texts for name, texts in planted.items() if texts})
    for name in (name for name, texts in planted.items() if not texts):
        del setup.dns.records[name]
    if fault.act is None:
        seen = setup.look(**fault.sections)
    else:
        with fault.act(setup) as sections:
            seen = setup.look(**(sections or fault.sections))
    setup.dns.records.clear()
    setup.dns.publish(setup.records)
    found = list_wrong(seen)
    codes = {finding.code for finding in found}
    assert fault.code in codes
    assert codes <= {fault.code} | fault.also, [str(finding) for finding in found]
    assert fault.code in read_explanations()
    assert list(list_english(seen)) == []
    assert list_wrong(setup.look()) == []


def test_what_is_good_is_said_in_every_language(setup: SetUp) -> None:
    seen = setup.look()
    assert len(seen) > 20
    assert list(list_english(seen)) == []


def test_english_in_a_finding_is_seen() -> None:
    unmarked = find_bad("relay", "relay-login", "the relay is asleep. Wake it.")
    whole = find_bad(
        "relay",
        "relay-login",
        Phrase("%(path)s is not an RSA key. %(remedy)s", path="a.pem", remedy="Make the tea."),
    )
    assert len(list(list_english([unmarked]))) == len(FOREIGN)
    assert len(list(list_english([whole]))) == len(FOREIGN)


def test_at_least_thirty_different_faults_are_planted() -> None:
    assert len({fault.code for fault in FAULTS}) >= 30
