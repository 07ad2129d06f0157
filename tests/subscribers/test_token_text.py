"""Tokens are read as they were written, and in no other spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import TokenError
from subscribers.tokens import read_hex_token, read_token, write_token


@given(st.binary(max_size=60))
def test_what_is_written_is_read_again(signed: bytes) -> None:
    token = write_token(signed)
    assert token == base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    assert read_token(token) == signed


@given(st.text(max_size=60))
def test_a_text_is_a_token_in_one_spelling_or_none(text: str) -> None:
    try:
        signed = read_token(text)
    except TokenError:
        return
    assert write_token(signed) == text


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "Q Q", "a+b_", "日本"])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(text)


@given(st.binary(min_size=4, max_size=4), st.booleans())
def test_hex_digits_may_be_capitals(signed: bytes, in_capitals: bool) -> None:
    token = signed.hex()
    assert read_hex_token(token.upper() if in_capitals else token, 4) == signed


@pytest.mark.parametrize("text", ["", "00", "0 0 0 0 ", "0000000g", "000000000"])
def test_other_digits_are_refused(text: str) -> None:
    with pytest.raises(TokenError):
        read_hex_token(text, 4)
