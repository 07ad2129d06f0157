"""DKIM signatures of our own and of another program, verified by us: what is valid, and why not."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.dkim import DkimSigner, load_ed25519_key, load_rsa_key
from mailer.smtp.dkim_verifier import (
    DkimVerdict,
    KeyFinder,
    KeyLookupError,
    is_aligned,
    parse_tags,
    verify_dkim,
)
from tests.factories.dkim import MESSAGE, NOW, to_pem, write_keys


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def signer(rsa_key: RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> DkimSigner:
    """RSA and Ed25519, as we sign."""
    keys: Path = write_keys(tmp_path_factory.mktemp("keys"), rsa_key)
    return DkimSigner(
        [
            load_rsa_key(keys / "rsa.pem", selector="news1", domain="example.org"),
            load_ed25519_key(keys / "ed25519.pem", selector="news2", domain="example.org"),
        ]
    )


@pytest.fixture(scope="module")
def find_key(signer: DkimSigner) -> KeyFinder:
    return {record.name: record.text for record in signer.records}.get


@pytest.fixture(scope="module")
def signed(signer: DkimSigner) -> bytes:
    return signer.sign(MESSAGE, now=NOW)


def judge(message: bytes, find_key: KeyFinder) -> list[DkimVerdict]:
    return [result.verdict for result in verify_dkim(message, find_key, now=NOW)]


VALID, BODY, HEADER = DkimVerdict.valid, DkimVerdict.body_changed, DkimVerdict.header_changed


def test_our_own_signatures_are_valid_however_lines_end(signed: bytes, find_key: KeyFinder) -> None:
    assert judge(signed, find_key) == [VALID, VALID]
    assert judge(signed.replace(b"\r\n", b"\n"), find_key) == [VALID, VALID]
    (first, second) = verify_dkim(signed, find_key, now=NOW)
    assert (first.domain, first.selector, second.selector) == ("example.org", "news1", "news2")
    assert first.covers("List-Unsubscribe")
    assert not first.covers("Precedence")


@pytest.mark.parametrize("header", [b"relaxed", b"simple"])
@pytest.mark.parametrize("body", [b"relaxed", b"simple"])
@pytest.mark.parametrize("end", [b"", b"\r\n", b" \r\n\r\n\r\n", b"a  b \t c \r\n", None])
def test_what_another_program_signs_is_valid_in_every_form(
    rsa_key: RSAPrivateKey, find_key: KeyFinder, header: bytes, body: bytes, end: bytes | None
) -> None:
    message = MESSAGE if end is not None else MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    message = message.replace(b"Subject: Living in", b"Subject:  Living\r\n\t in") + (end or b"")
    signature = dkim.sign(
        message, b"news1", b"example.org", to_pem(rsa_key), canonicalize=(header, body), length=False
    )
    # The other program signs with the time of this machine's clock.
    (result,) = verify_dkim(signature + message, find_key, now=None)
    assert result.verdict is VALID
    (result,) = verify_dkim(signature + message + b"Send money.\r\n", find_key, now=None)
    assert result.verdict is BODY


def test_text_below_what_was_signed_is_told(rsa_key: RSAPrivateKey, find_key: KeyFinder) -> None:
    signature = dkim.sign(MESSAGE, b"news1", b"example.org", to_pem(rsa_key), length=True)
    (result,) = verify_dkim(signature + MESSAGE + b"Send money.\r\n", find_key, now=None)
    assert (result.verdict, result.limits_body) == (VALID, True)


@pytest.mark.parametrize(
    ("written", "changed", "verdict"),
    [
        (b"news from Beijing", b"news from Pekings", BODY),
        (b"Subject: Living", b"Subject: Dying", HEADER),
        (b"<news@example.org>", b"<news@evil.example>", HEADER),
        (b"From: UNESCO", b"From: Somebody <x@evil.example>\r\nFrom: UNESCO", HEADER),
        (b"Precedence: bulk\r\n", b"", VALID),
    ],
)
def test_a_change_is_named_by_where_it_is(
    signed: bytes, find_key: KeyFinder, written: bytes, changed: bytes, verdict: DkimVerdict
) -> None:
    assert signed.count(written) == 1
    assert judge(signed.replace(written, changed), find_key) == [verdict, verdict]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: None,
        lambda _: "v=DKIM1; k=rsa; p=",
        lambda text: text.replace("v=DKIM1", "v=DKIM2"),
        lambda text: f"{text}; h=sha1",
        lambda text: f"{text}; s=other",
        lambda text: text[:60],
        lambda _: "garbage",
        lambda _: "v=DKIM1; k=rsa; p=%%%",
    ],
)
def test_a_key_that_was_withdrawn_or_is_of_no_use_verifies_nothing(
    signed: bytes, find_key: KeyFinder, spoil: Callable[[str], str | None]
) -> None:
    found = judge(signed, lambda name: spoil(find_key(name) or ""))
    assert found == [DkimVerdict.no_key, DkimVerdict.no_key]


def test_a_dns_that_does_not_answer_is_not_a_missing_key(signed: bytes) -> None:
    def fail(name: str) -> str:
        raise KeyLookupError

    assert judge(signed, fail) == [DkimVerdict.unreachable] * 2


def test_nobody_elses_dns_is_asked_for_a_domain_that_is_not_wanted(signed: bytes) -> None:
    def fail(name: str) -> str:
        raise AssertionError(name)

    assert verify_dkim(signed, fail, now=NOW, accepts_domain="example.net".__eq__) == ()


def test_a_signature_of_tomorrow_does_not_count_unless_time_does_not(
    signer: DkimSigner, find_key: KeyFinder
) -> None:
    early = signer.sign(MESSAGE, now=NOW + timedelta(days=1))
    assert judge(early, find_key) == [DkimVerdict.expired] * 2
    assert {result.verdict for result in verify_dkim(early, find_key, now=None)} == {VALID}


@pytest.mark.parametrize(
    ("written", "changed"),
    [
        (b"v=1;", b"v=2;"),
        (b"a=rsa-sha256", b"a=rsa-sha1"),
        (b"d=example.org", b"d=..;"),
        (b"h=from:", b"h=x-from:"),
        (b" bh=", b" bx="),
        (b"c=relaxed/simple", b"c=odd/simple"),
        (b"v=1;", b"v=1; l=-1;"),
        (b"v=1;", b"v=1; v=1;"),
    ],
)
def test_a_signature_that_breaks_the_rules_does_not_count(
    signed: bytes, find_key: KeyFinder, written: bytes, changed: bytes
) -> None:
    results = verify_dkim(signed.replace(written, changed, 1), find_key, now=NOW)
    assert results[0].verdict in {DkimVerdict.malformed, HEADER}


@given(st.binary(max_size=400), st.binary(max_size=200))
def test_any_bytes_are_judged_without_an_error(before: bytes, value: bytes) -> None:
    verify_dkim(before + b"\r\nDKIM-Signature: " + value + b"\r\n" + MESSAGE, lambda _: None, now=NOW)


@given(st.text(max_size=100))
def test_any_text_is_read_as_tags_or_refused(text: str) -> None:
    tags = parse_tags(text)
    assert tags is None or all(isinstance(value, str) for value in tags.values())


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("example.org", "example.org", True),
        ("news.example.org", "EXAMPLE.org", True),
        ("example.org", "news.example.org.", True),
        ("badexample.org", "example.org", False),
        ("org", "example.org", False),
        ("", "example.org", False),
    ],
)
def test_a_domain_is_aligned_with_itself_and_those_above_and_below(
    one: str, other: str, expected: bool
) -> None:
    assert is_aligned(one, other) is expected
