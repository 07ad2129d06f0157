"""DKIM signatures, verified with dkimpy: what verifies, and which changes are noticed."""

import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.rendering.headers import format_mailbox, format_text
from mailer.smtp.dkim import DkimSigner, load_ed25519_key, load_rsa_key, make_dkim_record
from mailer.smtp.interfaces import MessageFormatError
from tests.factories.dkim import MESSAGE, NOW, verify, write_keys

RSA = "rsa-sha256"
ED25519 = "ed25519-sha256"
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


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def keys(rsa_key: RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an RSA key and an Ed25519 key."""
    return write_keys(tmp_path_factory.mktemp("keys"), rsa_key)


def open_signer(keys: Path, *algorithms: str, domain: str = "example.org") -> DkimSigner:
    load = {
        RSA: lambda: load_rsa_key(keys / "rsa.pem", selector="news1", domain=domain),
        ED25519: lambda: load_ed25519_key(keys / "ed25519.pem", selector="news2", domain=domain),
    }
    return DkimSigner([load[algorithm]() for algorithm in algorithms])


@pytest.fixture(scope="module")
def both_signers(keys: Path) -> DkimSigner:
    return open_signer(keys, RSA, ED25519)


@pytest.fixture(scope="module")
def ed25519_signer(keys: Path) -> DkimSigner:
    """Ed25519 alone, for tests that sign many messages."""
    return open_signer(keys, ED25519)


def read_signatures(message: bytes) -> list[bytes]:
    return re.findall(rb"^DKIM-Signature: .*?\r\n(?! )", message, re.MULTILINE | re.DOTALL)


def read_tags(signature: bytes) -> dict[str, str]:
    value = signature.decode().partition(":")[2].replace("\r\n ", "")
    return {name.strip(): words for name, _, words in (tag.partition("=") for tag in value.split(";"))}


# --- what verifies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithms", [[RSA], [ED25519], [RSA, ED25519]])
def test_another_program_verifies_every_signature(keys: Path, algorithms: list[str]) -> None:
    signer = open_signer(keys, *algorithms)
    signed = signer.sign(MESSAGE, now=NOW)
    assert signed.endswith(MESSAGE)
    tags = [read_tags(signature) for signature in read_signatures(signed)]
    assert [tag["a"] for tag in tags] == algorithms
    assert verify(signed, signer) == [True] * len(algorithms)
    for tag in tags:
        assert (tag["v"], tag["c"], tag["d"]) == ("1", "relaxed/simple", "example.org")
        assert int(tag["t"]) == int(NOW.timestamp())


def test_the_unsubscribe_headers_are_signed(both_signers: DkimSigner) -> None:
    for signature in read_signatures(both_signers.sign(MESSAGE, now=NOW)):
        covered = set(read_tags(signature)["h"].split(":"))
        assert {"from", "list-unsubscribe", "list-unsubscribe-post", "list-id", "content-type"} <= covered


def test_no_line_of_a_signature_is_longer_than_78(keys: Path) -> None:
    signer = open_signer(keys, RSA, ED25519, domain="a.rather.long.name.of.a.domain.for.news.example.org")
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
def test_folded_and_unusual_headers_verify(both_signers: DkimSigner, header: str) -> None:
    head = b"".join(
        line + b"\r\n"
        for line in MESSAGE.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if not line.startswith((b"To:", b"Subject:"))
    )
    signed = both_signers.sign(head + header.encode() + b"\r\n\r\nText.\r\n", now=NOW)
    assert verify(signed, both_signers) == [True, True]


def test_a_header_that_a_relay_folds_again_still_verifies(both_signers: DkimSigner) -> None:
    signed = both_signers.sign(MESSAGE, now=NOW)
    folded = signed.replace(b"Subject: Living in harmony", b"subject:  Living in\r\n\tharmony")
    assert folded != signed
    assert verify(folded, both_signers) == [True, True]


def test_headers_that_occur_twice_verify(both_signers: DkimSigner) -> None:
    message = b"To: first@example.org\r\nReferences: <a@b>\r\nReferences: <c@d>\r\n" + MESSAGE
    assert verify(both_signers.sign(message, now=NOW), both_signers) == [True, True]


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"Text.\r\n\r\n\r\n", b"Text.", b" \r\n", b"a \t b \r\n \r\n"]
)
def test_every_ending_of_a_body_verifies(both_signers: DkimSigner, body: bytes) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    assert verify(both_signers.sign(head + b"\r\n\r\n" + body, now=NOW), both_signers) == [True, True]


def test_a_message_without_a_body_verifies(both_signers: DkimSigner) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert verify(both_signers.sign(head, now=NOW) + b"\r\n", both_signers) == [True, True]


@pytest.mark.parametrize(
    "body", [b".\r\n", b"..\r\n", b"a\r\n.b\r\n...\r\n.\r\n.\r\nc\r\n", b"no dot begins.\r\n"]
)
def test_the_message_is_signed_as_it_is_after_dot_unstuffing(ed25519_signer: DkimSigner, body: bytes) -> None:
    arrives = MESSAGE + body
    signed = ed25519_signer.sign(double_dots(arrives), now=NOW)
    assert signed.endswith(double_dots(arrives))
    assert verify(signed.removesuffix(double_dots(arrives)) + arrives, ed25519_signer) == [True]


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
def test_a_change_is_noticed(both_signers: DkimSigner, written: bytes, changed: bytes) -> None:
    signed = both_signers.sign(MESSAGE, now=NOW)
    assert signed.count(written) == 1
    assert verify(signed.replace(written, changed), both_signers) == [False, False]


def test_the_token_of_a_message_is_signed_where_there_is_one(both_signers: DkimSigner) -> None:
    token = b"X-Feedback-Token: 01ab\r\n"
    signed = both_signers.sign(token + MESSAGE, now=NOW)
    assert verify(signed, both_signers) == [True, True]
    assert verify(signed.replace(b"01ab", b"01ac"), both_signers) == [False, False]
    assert verify(signed.replace(token, b""), both_signers) == [False, False]


@pytest.mark.parametrize(
    "header",
    [
        b"Feedback-ID: c1:e-2026-1:l-en:example-org\r\n",
        b"CFBL-Address: complaints@example.org; report=arf\r\n",
        b"CFBL-Feedback-ID: 01ab\r\n",
    ],
)
def test_headers_for_complaints_are_signed_and_a_relay_may_add_its_own(
    both_signers: DkimSigner, header: bytes
) -> None:
    signed = both_signers.sign(header + MESSAGE, now=NOW)
    assert verify(signed, both_signers) == [True, True]
    assert verify(signed.replace(header, b""), both_signers) == [False, False]
    assert verify(signed.replace(header, header[:-4] + b"x\r\n"), both_signers) == [False, False]
    # As Amazon SES does with Feedback-ID.
    name = header.partition(b":")[0]
    assert verify(name + b": of-the-relay\r\n" + signed, both_signers) == [True, True]


@pytest.mark.parametrize("name", ONCE_ONLY)
@pytest.mark.parametrize("place", ["above", "below"])
def test_a_second_header_is_noticed(ed25519_signer: DkimSigner, name: str, place: str) -> None:
    signed = ed25519_signer.sign(MESSAGE, now=NOW)
    added = ONCE_ONLY[name] + b"\r\n"
    if place == "above":
        forged = added + signed
    else:
        head, _, body = signed.partition(b"\r\n\r\n")
        forged = head + b"\r\n" + added + b"\r\n" + body
    assert verify(forged, ed25519_signer) == [False]


def test_from_is_listed_once_more_than_it_occurs(both_signers: DkimSigner) -> None:
    # dkimpy looks for a second From by itself, and not every program does.
    for signature in read_signatures(both_signers.sign(MESSAGE, now=NOW)):
        assert read_tags(signature)["h"].split(":").count("from") == 2


def test_headers_that_relays_add_do_not_break_a_signature(both_signers: DkimSigner) -> None:
    signed = both_signers.sign(MESSAGE, now=NOW)
    received = (
        b"Return-Path: <b@example.org>\r\nReceived: from a by b\r\nX-Spam: no\r\nSender: a@example.org\r\n"
    )
    assert verify(received + signed, both_signers) == [True, True]


def test_a_message_without_from_is_not_signed(both_signers: DkimSigner) -> None:
    with pytest.raises(MessageFormatError, match="no From"):
        both_signers.sign(b"To: li@example.org\r\n\r\nFrom: this is text\r\n", now=NOW)


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
def test_any_message_verifies_and_is_not_changed(
    ed25519_signer: DkimSigner, lines: list[str], to: str, subject: str, ends: str
) -> None:
    body = "\r\n".join(lines) + "\r\n" + ends
    arrives = f"From: news@example.org\r\nTo: {to}\r\nSubject:{subject}\r\n\r\n{body}".encode()
    stuffed = double_dots(arrives)
    signed = ed25519_signer.sign(stuffed, now=NOW)
    assert signed.endswith(stuffed)
    assert verify(signed.removesuffix(stuffed) + arrives, ed25519_signer) == [True]


@given(body=st.binary(min_size=1, max_size=200), place=st.integers(min_value=0))
def test_any_changed_byte_of_a_body_is_noticed(ed25519_signer: DkimSigner, body: bytes, place: int) -> None:
    head = b"From: news@example.org\r\n\r\n"
    arrives = head + base64.encodebytes(body).replace(b"\n", b"\r\n")
    signed = ed25519_signer.sign(arrives, now=NOW)
    place = len(signed) - 3 - place % (len(arrives) - len(head) - 2)
    changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
    assert verify(signed, ed25519_signer) == [True]
    assert verify(changed, ed25519_signer) == [False]


# --- DNS records --------------------------------------------------------------------------------------------


def test_the_dns_record_contains_the_public_key_and_not_the_private_one(rsa_key: RSAPrivateKey) -> None:
    record = make_dkim_record(rsa_key, selector="news1", domain="example.org")
    kind, key = re.fullmatch(r"v=DKIM1; k=(\w+); p=([A-Za-z0-9+/=]+)", record.text).groups()  # type: ignore[union-attr]
    assert kind == "rsa"
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert key == "".join(public.splitlines()[1:-1])


def test_the_zone_line_is_split_into_strings_that_dns_can_carry(both_signers: DkimSigner) -> None:
    for record in both_signers.records:
        assert record.zone_line.startswith(f"{record.name}. IN TXT (")
        strings = re.findall(r'"([^"]*)"', record.zone_line)
        assert "".join(strings) == record.text
        assert max(map(len, strings)) <= 255
