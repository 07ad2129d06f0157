"""The token of a link whose clicks are counted: what it says, and whom it does not name."""

import base64
import string
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscribers.click_tokens import (
    ClickToken,
    decode_sectors,
    encode_sectors,
    read_click_token,
    sign_click_token,
)
from subscribers.errors import TokenError
from subscribers.tokens import CLICK, LinkPurpose, TokenSigner

OLD, NEW = b"o" * 32, b"n" * 32
SIGNER = TokenSigner(keys={1: OLD}, current=1)
ALPHABET = string.ascii_letters + string.digits + "-_"
SECTORS = ("education", "sciences", "culture")

tokens = st.builds(
    ClickToken,
    campaign_id=st.integers(0, 2**31 - 1),
    country=st.sampled_from(["", "MN", "CN", "KP"]),
    sectors=st.integers(0, 2**70),
    subscriber_id=st.integers(0, 2**31 - 1),
)


@given(tokens)
@example(ClickToken(campaign_id=0))
def test_a_token_is_url_safe_and_returns_what_was_signed(token: ClickToken) -> None:
    text = sign_click_token(SIGNER, token)
    assert set(text) <= set(ALPHABET)
    found = read_click_token(SIGNER, text)
    assert found == token
    assert not found.is_retired


def test_a_token_that_names_nobody_is_short() -> None:
    everyday = ClickToken(campaign_id=120, country="MN", sectors=0b101)
    assert len(sign_click_token(SIGNER, everyday)) == 19


def test_readers_in_one_country_with_the_same_sectors_have_the_same_token() -> None:
    one, other = (
        sign_click_token(
            SIGNER, ClickToken(campaign_id=7, country="MN", sectors=encode_sectors(who, SECTORS))
        )
        for who in (["culture", "education"], ["education", "culture"])
    )
    assert one == other


@given(tokens, st.integers(0, 60), st.sampled_from(ALPHABET + "=+/ \n\0é"))
def test_any_changed_character_is_refused(token: ClickToken, place: int, char: str) -> None:
    text = sign_click_token(SIGNER, token)
    changed = text[:place] + char + text[place + 1 :]
    if changed != text:
        with pytest.raises(TokenError):
            read_click_token(SIGNER, changed)


@given(st.text(max_size=60) | st.text(ALPHABET, max_size=500))
def test_anything_else_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(TokenError):
        read_click_token(SIGNER, text)


@given(st.binary(max_size=40))
def test_a_payload_of_any_shape_is_refused_or_read(payload: bytes) -> None:
    signed = SIGNER.sign_payload(CLICK, payload, 8, b"")
    text = base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    try:
        token = read_click_token(SIGNER, text)
    except TokenError:
        return
    assert token.campaign_id < 2**31
    assert token.subscriber_id < 2**31


def test_a_link_to_unsubscribe_is_no_token_of_a_click_and_neither_the_other_way_round() -> None:
    leave = SIGNER.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=1)
    with pytest.raises(TokenError):
        read_click_token(SIGNER, leave)
    with pytest.raises(TokenError):
        SIGNER.read(sign_click_token(SIGNER, ClickToken(campaign_id=1)), LinkPurpose.subscription)


def test_a_replaced_key_still_reads_and_says_its_last_day() -> None:
    text = sign_click_token(SIGNER, ClickToken(campaign_id=3))
    rotated = TokenSigner(keys={1: OLD, 2: NEW}, current=2, last_days={1: date(2026, 3, 1)})
    assert read_click_token(rotated, text).last_day == date(2026, 3, 1)
    fresh = sign_click_token(rotated, ClickToken(campaign_id=3))
    assert read_click_token(rotated, fresh).last_day is None
    with pytest.raises(TokenError):
        read_click_token(SIGNER, fresh)


def test_a_retired_key_is_named_as_such_and_a_newer_signer_is_asked() -> None:
    text = sign_click_token(SIGNER, ClickToken(campaign_id=3))
    retired = TokenSigner(keys={1: OLD, 2: NEW}, current=2, retired=frozenset({1}))
    running = TokenSigner(keys={1: OLD}, current=1, reload=lambda: retired)
    assert read_click_token(running, text).is_retired


@pytest.mark.parametrize("country", ["M", "MNG", "é"])
def test_a_country_that_is_no_code_is_refused(country: str) -> None:
    with pytest.raises(ValueError, match=r"country code|ascii"):
        sign_click_token(SIGNER, ClickToken(campaign_id=1, country=country))


@given(st.sets(st.sampled_from([*SECTORS, "gone"])))
def test_sectors_survive_as_bits_and_unknown_ones_have_none(followed: set[str]) -> None:
    bits = encode_sectors(followed, SECTORS)
    assert decode_sectors(bits, SECTORS) == tuple(sorted(followed - {"gone"}))
    assert decode_sectors(bits | 1 << 40, SECTORS) == tuple(sorted(followed - {"gone"}))
