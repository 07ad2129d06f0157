"""DKIM signatures, judged by dkimpy: what it takes for ours, and what it does not."""

import base64
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.dispatch.dkim_signer import load_signer
from mailer.errors import ConfigurationError
from mailer.rendering.headers import format_mailbox, format_text
from mailer.settings import DkimSettings, SenderSettings, Settings
from mailer.smtp.dkim import DkimRecord, DkimSigner, make_dkim_record
from mailer.smtp.errors import MessageFormatError
from tests.paths import ROOT

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MESSAGE = (
    b"From: UNESCO Beijing <news@example.org>\r\n"
    b"To: Li Wei <li@example.org>\r\n"
    b"Subject: Living in harmony with nature\r\n"
    b"Date: Sun, 01 Mar 2026 09:00:00 +0000\r\n"
    b"Message-ID: <c3.s12.5fbeae7c85f8@example.org>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"List-Unsubscribe: <https://news.example.org/u/AQAAAA>, <mailto:news@example.org?subject=leave>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"List-Id: <newsletter.example.org>\r\n"
    b"Precedence: bulk\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\n'
    b"\r\n"
    b"Dear Li Wei,\r\n"
    b"\r\n"
    b"news from Beijing.\r\n"
)
ONCE_ONLY = {
    "from": b"From: Somebody Else <else@example.com>",
    "to": b"To: else@example.com",
    "cc": b"Cc: else@example.com",
    "reply-to": b"Reply-To: else@example.com",
    "subject": b"Subject: Your account",
    "date": b"Date: Mon, 02 Mar 2026 09:00:00 +0000",
    "message-id": b"Message-ID: <else@example.com>",
    "list-id": b"List-Id: <else.example.com>",
    "list-unsubscribe": b"List-Unsubscribe: <https://else.example.com/>",
    "list-unsubscribe-post": b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "mime-version": b"MIME-Version: 1.0",
    "content-type": b"Content-Type: text/html",
}


def to_pem(key: RSAPrivateKey | Ed25519PrivateKey, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def keys(rsa_key: RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an RSA key and an Ed25519 key."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "rsa.pem").write_bytes(to_pem(rsa_key))
    (folder / "ed25519.pem").write_bytes(to_pem(Ed25519PrivateKey.generate()))
    return folder


RSA = {"selector": "news1", "key_file": "rsa.pem"}
ED25519 = {"ed25519_selector": "news2", "ed25519_key_file": "ed25519.pem"}


def make_settings(address: str = "news@example.org", **values: str) -> Settings:
    sender = SenderSettings(name="Us", address=address, organisation="Us", postal_address="1 Street")
    return Settings(sender=sender, dkim=DkimSettings.model_validate(values))


def must_open(root: Path, **values: str) -> DkimSigner:
    signer = load_signer(make_settings(**values), root)
    assert signer is not None
    return signer


@pytest.fixture(scope="module")
def both(keys: Path) -> DkimSigner:
    return must_open(keys, **RSA, **ED25519)


@pytest.fixture(scope="module")
def quick(keys: Path) -> DkimSigner:
    """Ed25519 alone, for tests that sign many messages."""
    return must_open(keys, **ED25519)


def read_dns(records: tuple[DkimRecord, ...]) -> Callable[..., bytes | None]:
    """A DNS that knows ``records`` and nothing else."""
    known = {f"{record.name}.".encode(): record.text.encode() for record in records}

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        return known.get(name)

    return ask


def verify(message: bytes, signer: DkimSigner) -> list[bool]:
    """What dkimpy says of each signature on ``message``, as it arrives (its dots not doubled)."""
    ask = read_dns(signer.records)
    verdicts = []
    for number in range(len(signer.records)):
        try:
            verdicts.append(dkim.DKIM(message).verify(number, dnsfunc=ask))
        except dkim.ValidationError:
            verdicts.append(False)
    return verdicts


def read_signatures(message: bytes) -> list[bytes]:
    return re.findall(rb"^DKIM-Signature: .*?\r\n(?! )", message, re.MULTILINE | re.DOTALL)


def read_tags(signature: bytes) -> dict[str, str]:
    value = signature.decode().partition(":")[2].replace("\r\n ", "")
    return {name.strip(): words for name, _, words in (tag.partition("=") for tag in value.split(";"))}


# --- what verifies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "algorithms"),
    [
        (RSA, ["rsa-sha256"]),
        (ED25519, ["ed25519-sha256"]),
        (RSA | ED25519, ["rsa-sha256", "ed25519-sha256"]),
    ],
)
def test_another_program_believes_every_signature(
    keys: Path, values: dict[str, str], algorithms: list[str]
) -> None:
    signer = must_open(keys, **values)
    signed = signer.sign(MESSAGE, now=NOW)
    assert signed.endswith(MESSAGE)
    tags = [read_tags(signature) for signature in read_signatures(signed)]
    assert [tag["a"] for tag in tags] == algorithms
    assert verify(signed, signer) == [True] * len(algorithms)
    for tag in tags:
        assert (tag["v"], tag["c"], tag["d"]) == ("1", "relaxed/simple", "example.org")
        assert int(tag["t"]) == int(NOW.timestamp())


def test_the_headers_for_leaving_are_covered(both: DkimSigner) -> None:
    for signature in read_signatures(both.sign(MESSAGE, now=NOW)):
        covered = set(read_tags(signature)["h"].split(":"))
        assert {"from", "list-unsubscribe", "list-unsubscribe-post", "list-id", "content-type"} <= covered


def test_no_line_of_a_signature_is_longer_than_78(keys: Path) -> None:
    signer = must_open(keys, **RSA, **ED25519, domain="a.rather.long.name.of.a.domain.for.news.example.org")
    signed = signer.sign(MESSAGE, now=NOW).removesuffix(MESSAGE)
    assert signed.endswith(b"\r\n")
    assert max(len(line) for line in signed.split(b"\r\n")) <= 78
    assert signed.count(b"\n") == signed.count(b"\r\n") == signed.count(b"\r")


@pytest.mark.parametrize(
    "header",
    [
        f"To: {format_mailbox('看见' * 40, 'li@example.org')}",
        f"To: {format_mailbox('x' * 60, 'li@example.org')}",
        "To: 用户 <用户@example.org>",
        f"Subject: {format_text('Living in harmony with nature ' * 6)}",
        "Subject:\tfolded\r\n\tby tabs\r\n  and  blanks \t ",
        "Subject: \r\n begins on the next line",
        "sUbJeCt: odd but allowed",
        "Subject:",
        "Subject: a colon: and another; and a semicolon",
        "X-Nobody-Signs-This: 1\r\n folded",
    ],
)
def test_folded_and_foreign_headers_verify(both: DkimSigner, header: str) -> None:
    head = b"".join(
        line + b"\r\n"
        for line in MESSAGE.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if not line.startswith((b"To:", b"Subject:"))
    )
    signed = both.sign(head + header.encode() + b"\r\n\r\nText.\r\n", now=NOW)
    assert verify(signed, both) == [True, True]


def test_a_header_that_a_relay_folds_anew_still_verifies(both: DkimSigner) -> None:
    signed = both.sign(MESSAGE, now=NOW)
    folded = signed.replace(b"Subject: Living in harmony", b"subject:  Living in\r\n\tharmony")
    assert folded != signed
    assert verify(folded, both) == [True, True]


def test_headers_that_occur_twice_verify(both: DkimSigner) -> None:
    message = b"To: first@example.org\r\nReferences: <a@b>\r\nReferences: <c@d>\r\n" + MESSAGE
    assert verify(both.sign(message, now=NOW), both) == [True, True]


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"Text.\r\n\r\n\r\n", b"Text.", b" \r\n", b"a \t b \r\n \r\n"]
)
def test_every_end_of_a_body_verifies(both: DkimSigner, body: bytes) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    assert verify(both.sign(head + b"\r\n\r\n" + body, now=NOW), both) == [True, True]


def test_a_message_that_ends_with_its_headers_verifies(both: DkimSigner) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert verify(both.sign(head, now=NOW) + b"\r\n", both) == [True, True]


@pytest.mark.parametrize(
    "body", [b".\r\n", b"..\r\n", b"a\r\n.b\r\n...\r\n.\r\n.\r\nc\r\n", b"no dot begins.\r\n"]
)
def test_what_is_signed_is_what_arrives_when_the_doubled_dots_are_gone(
    quick: DkimSigner, body: bytes
) -> None:
    arrives = MESSAGE + body
    signed = quick.sign(double_dots(arrives), now=NOW)
    assert signed.endswith(double_dots(arrives))
    assert verify(signed.removesuffix(double_dots(arrives)) + arrives, quick) == [True]


def double_dots(message: bytes) -> bytes:
    return re.sub(rb"(?m)^\.", b"..", message)


# --- what does not ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "changed"),
    [
        (b"news from Beijing.", b"news from Beijing!"),
        (b"Beijing.\r\n", b"Beijing.\r\nMore.\r\n"),
        (b"Dear Li", b"Dear  Li"),
        (b"From: UNESCO", b"From: Somebody at UNESCO"),
        (b"Subject: Living", b"Subject: Leaving"),
        (b"<https://news.example.org/u/AQAAAA>", b"<https://else.example.com/u/AQAAAA>"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"li@example.org", b"else@example.com"),
        (b"5fbeae7c85f8", b"000000000000"),
    ],
)
def test_a_change_is_noticed(both: DkimSigner, written: bytes, changed: bytes) -> None:
    signed = both.sign(MESSAGE, now=NOW)
    assert signed.count(written) == 1
    assert verify(signed.replace(written, changed), both) == [False, False]


@pytest.mark.parametrize("name", ONCE_ONLY)
@pytest.mark.parametrize("place", ["above", "below"])
def test_a_second_header_is_noticed(quick: DkimSigner, name: str, place: str) -> None:
    signed = quick.sign(MESSAGE, now=NOW)
    added = ONCE_ONLY[name] + b"\r\n"
    if place == "above":
        forged = added + signed
    else:
        head, _, body = signed.partition(b"\r\n\r\n")
        forged = head + b"\r\n" + added + b"\r\n" + body
    assert verify(forged, quick) == [False]


def test_from_is_named_once_more_than_it_occurs(both: DkimSigner) -> None:
    # dkimpy looks for a second From by itself, and not every program does.
    for signature in read_signatures(both.sign(MESSAGE, now=NOW)):
        assert read_tags(signature)["h"].split(":").count("from") == 2


def test_what_relays_add_does_no_harm(both: DkimSigner) -> None:
    signed = both.sign(MESSAGE, now=NOW)
    received = (
        b"Return-Path: <b@example.org>\r\nReceived: from a by b\r\nX-Spam: no\r\nSender: a@example.org\r\n"
    )
    assert verify(received + signed, both) == [True, True]


def test_a_message_without_from_is_not_signed(both: DkimSigner) -> None:
    with pytest.raises(MessageFormatError, match="no From"):
        both.sign(b"To: li@example.org\r\n\r\nFrom: this is text\r\n", now=NOW)


# --- any message --------------------------------------------------------------------------------------------

# What a line may hold; the verifier takes more for white space than RFC 6376 does, so none of that.
LINES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"], include_characters=" \t."))
FOLDS = st.lists(LINES.filter(lambda line: line.strip(" \t")), min_size=1, max_size=4).map("\r\n ".join)


@given(
    lines=st.lists(LINES, max_size=20),
    to=FOLDS,
    subject=FOLDS,
    ends=st.sampled_from(["", "\r\n", "\r\n\r\n"]),
)
@example(lines=[".", "..", "", "."], to="a", subject=":", ends="")
def test_any_message_verifies_and_stays_as_it_is(
    quick: DkimSigner, lines: list[str], to: str, subject: str, ends: str
) -> None:
    body = "\r\n".join(lines) + "\r\n" + ends
    arrives = f"From: news@example.org\r\nTo: {to}\r\nSubject:{subject}\r\n\r\n{body}".encode()
    on_wire = double_dots(arrives)
    signed = quick.sign(on_wire, now=NOW)
    assert signed.endswith(on_wire)
    assert verify(signed.removesuffix(on_wire) + arrives, quick) == [True]


@given(body=st.binary(min_size=1, max_size=200), place=st.integers(min_value=0))
def test_any_changed_byte_of_a_body_is_noticed(quick: DkimSigner, body: bytes, place: int) -> None:
    head = b"From: news@example.org\r\n\r\n"
    arrives = head + base64.encodebytes(body).replace(b"\n", b"\r\n")
    signed = quick.sign(arrives, now=NOW)
    place = len(signed) - 3 - place % (len(arrives) - len(head) - 2)
    changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
    assert verify(signed, quick) == [True]
    assert verify(changed, quick) == [False]


# --- keys ---------------------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    assert load_signer(make_settings(), tmp_path) is None


def test_who_signs_nothing_waits_for_no_cryptography() -> None:
    program = (
        "import sys; from pathlib import Path; from mailer.dispatch.dkim_signer import load_signer; "
        "from mailer.settings import SenderSettings, Settings; "
        "who = SenderSettings(name='U', address='u@a.org', organisation='U', postal_address='1 Road'); "
        "assert load_signer(Settings(sender=who), Path()) is None; "
        "sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_the_commands_of_the_guide_make_the_keys_and_say_the_records(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "dkim.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    (section,) = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["sh", "-e"], input=commands, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    signer = must_open(tmp_path, **tomllib.loads(section)["dkim"])
    assert [record.text for record in signer.records] == done.stdout.splitlines()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert verify(signer.sign(MESSAGE, now=NOW), signer) == [True, True]


def test_the_domain_is_the_senders_unless_another_is_named(keys: Path) -> None:
    assert must_open(keys, **RSA).records[0].name == "news1._domainkey.example.org"
    named = must_open(keys, **RSA, domain="News.Example.org")
    assert named.records[0].name == "news1._domainkey.news.example.org"


def test_an_international_domain_signs_in_ascii(keys: Path) -> None:
    signer = must_open(keys, address="news@bücher.example", **RSA)
    assert signer.records[0].name == "news1._domainkey.xn--bcher-kva.example"
    assert verify(signer.sign(MESSAGE, now=NOW), signer) == [True]


def test_the_record_says_the_public_key_and_not_the_private_one(rsa_key: RSAPrivateKey) -> None:
    record = make_dkim_record(rsa_key, selector="news1", domain="example.org")
    kind, key = re.fullmatch(r"v=DKIM1; k=(\w+); p=([A-Za-z0-9+/=]+)", record.text).groups()  # type: ignore[union-attr]
    assert kind == "rsa"
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert key == "".join(public.splitlines()[1:-1])


def test_the_zone_line_is_in_strings_that_dns_can_carry(both: DkimSigner) -> None:
    for record in both.records:
        assert record.zone_line.startswith(f"{record.name}. IN TXT (")
        strings = re.findall(r'"([^"]*)"', record.zone_line)
        assert "".join(strings) == record.text
        assert max(map(len, strings)) <= 255


def test_an_rsa_key_below_2048_bits_is_refused(tmp_path: Path) -> None:
    weak = generate_private_key(public_exponent=65537, key_size=1024)
    (tmp_path / "rsa.pem").write_bytes(to_pem(weak))
    with pytest.raises(ConfigurationError) as caught:
        load_signer(make_settings(**RSA), tmp_path)
    assert str(caught.value) == (
        f"[dkim] key_file: {tmp_path}/rsa.pem has 1024 bits, but receivers require 2048. "
        f"Make one with `openssl genrsa -out {tmp_path}/rsa.pem 2048`."
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            RSA | {"key_file": "gone.pem"},
            r"key_file: .*gone\.pem cannot be read: No such file .*openssl genrsa",
        ),
        (RSA | {"key_file": "."}, r"key_file: .* cannot be read: Is a directory\. .*openssl genrsa"),
        (
            RSA | {"key_file": "text.pem"},
            r"key_file: .*text\.pem does not contain a private key in PEM format\. .*openssl genrsa",
        ),
        (RSA | {"key_file": "locked.pem"}, r"key_file: .*locked\.pem is protected by a passphrase"),
        (RSA | {"key_file": "ed25519.pem"}, r"key_file: .*ed25519\.pem is not an RSA key\. .*openssl genrsa"),
        (
            ED25519 | {"ed25519_key_file": "rsa.pem"},
            r"ed25519_key_file: .*rsa\.pem is not an Ed25519 key\. .*genpkey",
        ),
        (ED25519 | {"ed25519_key_file": "gone.pem"}, r"ed25519_key_file: .*gone\.pem cannot be read"),
        ({"key_file": "rsa.pem"}, r"\[dkim\] selector is missing"),
        ({"ed25519_key_file": "ed25519.pem"}, r"\[dkim\] ed25519_selector is missing"),
        (RSA | {"selector": "a b"}, r"selector = 'a b' cannot be part of a DNS name"),
        (RSA | {"selector": "a;b"}, r"selector = 'a;b' cannot be part of a DNS name"),
        (RSA | ED25519 | {"ed25519_selector": "NEWS1"}, r"selector and ed25519_selector are the same"),
        (RSA | {"domain": "not a domain"}, r"\[dkim\] domain = 'not a domain' is invalid"),
        (RSA | {"domain": "a.example;d=b.example"}, r"\[dkim\] domain = .* is invalid"),
    ],
)
def test_a_key_that_cannot_be_used_says_what_to_do(
    keys: Path, tmp_path: Path, rsa_key: RSAPrivateKey, values: dict[str, str], words: str
) -> None:
    for path in keys.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "text.pem").write_text("v=DKIM1; k=rsa")
    (tmp_path / "locked.pem").write_bytes(to_pem(rsa_key, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigurationError, match=words):
        load_signer(make_settings(**values), tmp_path)
