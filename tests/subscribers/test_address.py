"""Addresses, normalised once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.address import Address, normalise_address
from subscribers.errors import AddressError


@pytest.mark.parametrize(
    ("text", "email", "envelope", "needs_smtputf8"),
    [
        ("ann@example.org", "ann@example.org", "ann@example.org", False),
        ("  Ann.Li@Example.ORG \n", "ann.li@example.org", "Ann.Li@example.org", False),
        ("ａｎｎ＠example．org", "ann@example.org", "ann@example.org", False),
        ("a@bücher.example.com", "a@bücher.example.com", "a@xn--bcher-kva.example.com", False),
        ("a@xn--bcher-kva.example.com", "a@bücher.example.com", "a@xn--bcher-kva.example.com", False),
        ("李雷@example.cn", "李雷@example.cn", "李雷@example.cn", True),
        ("Straße@example.org", "straße@example.org", "Straße@example.org", True),
        ("o'neil+news@mn.example.org", "o'neil+news@mn.example.org", "o'neil+news@mn.example.org", False),
    ],
)
def test_one_mailbox_has_one_identity(text: str, email: str, envelope: str, needs_smtputf8: bool) -> None:
    assert normalise_address(text) == Address(email=email, envelope=envelope, needs_smtputf8=needs_smtputf8)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("ann", "@"),
        ("ann@", "after the @"),
        ("ann@example", "period"),
        ("ann@localhost", "period"),
        ("ann li@example.org", "it contains a space"),
        ("ann@example.org; bob@example.org", "more than one @"),
        ('"ann li"@example.org', "quot|space"),
        ('"ann"@example.org', "quot"),
        ("Ann <ann@example.org>", "the address alone"),
        ("ann@[127.0.0.1]", "bracket"),
        ("-oQ/tmp@example.org", "begins with a hyphen"),
        ("ann\u200b@example.org", r"invisible character \(U\+200B\)"),
        ("ann@example.org\r\nBcc: x@example.org", r"invisible character \(U\+000D\)"),
        ("ann\0@example.org", r"U\+0000"),
        ("a" * 65 + "@example.org", "too long"),
        ("ann..li@example.org", "period"),
        ("erased-7@erased.invalid", "special-use|reserved"),
    ],
)
def test_an_undeliverable_address_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason) as caught:
        normalise_address(text)
    assert caught.value.text == text
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


locals_ = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
) | st.text("abcXYZ019.+_-'ßİΣé李", min_size=1, max_size=12)


@given(locals_, st.sampled_from(["example.org", "EXAMPLE.org", "bücher.example.com", "例子.example.cn"]))
def test_normalising_twice_changes_nothing_and_keeps_the_mailbox(local: str, domain: str) -> None:
    try:
        address = normalise_address(f"{local}@{domain}")
    except AddressError:
        return
    assert normalise_address(address.email).email == address.email
    again = normalise_address(address.envelope)
    assert again == address
    assert address.envelope.rpartition("@")[2].isascii()
    assert address.needs_smtputf8 is not address.envelope.isascii()


@given(st.text(max_size=80))
def test_no_text_crashes_the_normalisation(text: str) -> None:
    try:
        address = normalise_address(text)
    except AddressError:
        return
    assert address.email == address.email.strip()
    assert len(address.email) <= 320
    assert len(address.envelope) <= 320
    assert not address.envelope.startswith("-")
