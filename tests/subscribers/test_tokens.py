"""The signed tokens in links."""

import base64
import hmac
import string
import struct
from datetime import UTC, date, datetime
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import RetiredKeyError, TokenError
from subscribers.tokens import LinkPurpose, TokenPayload, TokenSigner
from subscribers.typed_code import write_code

SIGNER = TokenSigner(keys={1: b"k" * 32}, current=1)
ALPHABET = string.ascii_letters + string.digits + "-_"

subscriber_ids = st.integers(0, 2**31 - 1)
campaign_ids = st.integers(0, 2**31 - 1)


@given(subscriber_ids, campaign_ids)
def test_a_token_has_39_url_safe_characters_and_returns_what_was_signed(
    subscriber: int, campaign: int
) -> None:
    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=subscriber, campaign_id=campaign)
    assert len(token) == 39
    assert set(token) <= set(ALPHABET)
    claim = SIGNER.read(token, LinkPurpose.subscription)
    assert claim == TokenPayload(subscriber_id=subscriber, campaign_id=campaign)


@given(subscriber_ids, campaign_ids, st.integers(0, 38), st.sampled_from(ALPHABET + "=+/ \n\0é"))
def test_any_changed_character_is_refused(subscriber: int, campaign: int, place: int, char: str) -> None:
    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=subscriber, campaign_id=campaign)
    changed = token[:place] + char + token[place + 1 :]
    if changed != token:
        with pytest.raises(TokenError):
            SIGNER.read(changed, LinkPurpose.subscription)


@pytest.mark.parametrize(("subscriber", "campaign"), [(2**31, 1), (2**64 - 1, 1), (1, 2**31), (1, 2**32 - 1)])
def test_ids_that_neither_database_can_hold_are_refused(subscriber: int, campaign: int) -> None:
    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=subscriber, campaign_id=campaign)
    with pytest.raises(TokenError):
        SIGNER.read(token, LinkPurpose.subscription)


@given(st.text(max_size=60))
def test_anything_else_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(TokenError, match="copy the whole link"):
        SIGNER.read(text, LinkPurpose.subscription)


@given(st.binary(min_size=29, max_size=29))
def test_random_bytes_are_never_accepted_as_a_token(data: bytes) -> None:
    with pytest.raises(TokenError):
        SIGNER.read(base64.urlsafe_b64encode(data).rstrip(b"=").decode(), LinkPurpose.subscription)


MAIL = [LinkPurpose.bounce, LinkPurpose.leave]
mail_purposes = st.sampled_from(MAIL)


@given(mail_purposes, subscriber_ids, campaign_ids, st.lists(st.booleans(), min_size=50, max_size=50))
def test_a_token_in_an_address_is_50_hex_digits_and_may_change_its_case(
    purpose: LinkPurpose, subscriber: int, campaign: int, capitals: list[bool]
) -> None:
    token = SIGNER.sign_mail(purpose, subscriber_id=subscriber, campaign_id=campaign)
    assert len(token) == 50
    assert set(token) <= set("0123456789abcdef")
    mixed = "".join(char.upper() if capital else char for char, capital in zip(token, capitals, strict=True))
    claim = SIGNER.read_mail(mixed, purpose)
    assert claim == TokenPayload(subscriber_id=subscriber, campaign_id=campaign)
    other = LinkPurpose.leave if purpose is LinkPurpose.bounce else LinkPurpose.bounce
    with pytest.raises(TokenError):
        SIGNER.read_mail(token, other)


@given(mail_purposes, st.integers(0, 49), st.sampled_from("0123456789abcdefghABCDEF \n\t-_+=.é٣\0"))
def test_any_other_spelling_of_a_token_in_an_address_is_refused(
    purpose: LinkPurpose, place: int, char: str
) -> None:
    token = SIGNER.sign_mail(purpose, subscriber_id=7, campaign_id=3)
    changed = token[:place] + char + token[place + 1 :]
    for spelling in (changed, f"{token[:place]}{char}{token[place:]}", token[:place]):
        if spelling.lower() != token:
            with pytest.raises(TokenError):
                SIGNER.read_mail(spelling, purpose)


@given(st.text(max_size=60) | st.binary(min_size=25, max_size=25).map(bytes.hex))
def test_no_guess_at_a_token_in_an_address_is_accepted(guess: str) -> None:
    with pytest.raises(TokenError):
        SIGNER.read_mail(guess, LinkPurpose.leave)


def test_the_kinds_of_tokens_are_not_mistaken_for_each_other() -> None:
    link = SIGNER.sign(LinkPurpose.leave, subscriber_id=7, campaign_id=3)
    with pytest.raises(TokenError):
        SIGNER.read_mail(base64.urlsafe_b64decode(link + "=").hex(), LinkPurpose.leave)
    with pytest.raises(TokenError):
        SIGNER.read(SIGNER.sign_mail(LinkPurpose.leave, subscriber_id=7, campaign_id=3), LinkPurpose.leave)
    for purpose in MAIL:
        with pytest.raises(ValueError, match="does not expire"):
            SIGNER.sign_link(purpose, link_id=9, expires_at=datetime(2026, 3, 2, tzinfo=UTC))


def test_a_key_that_was_retired_reads_no_token_in_an_address() -> None:
    keys = {1: b"k" * 32, 2: b"l" * 32}
    token = SIGNER.sign_mail(LinkPurpose.leave, subscriber_id=7, campaign_id=3)
    replaced = TokenSigner(keys=keys, current=2, last_days={1: date(2026, 3, 2)})
    assert replaced.read_mail(token, LinkPurpose.leave).last_day == date(2026, 3, 2)
    with pytest.raises(RetiredKeyError):
        TokenSigner(keys=keys, current=2, retired=frozenset({1})).read_mail(token, LinkPurpose.leave)


def test_only_one_spelling_of_a_token_is_genuine() -> None:
    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3)
    last = ALPHABET_INDEX[token[-1]]
    assert last % 4 == 0  # the last two bits carry nothing
    for spare in (1, 2, 3):
        other = token[:-1] + BASE64[last + spare]
        assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(token + "=")
        with pytest.raises(TokenError):
            SIGNER.read(other, LinkPurpose.subscription)
    for padded in (token + "=", f" {token}", f"{token}\n"):
        with pytest.raises(TokenError):
            SIGNER.read(padded, LinkPurpose.subscription)


BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
ALPHABET_INDEX = {char: index for index, char in enumerate(BASE64)}


@given(key=st.binary(min_size=16, max_size=100), subscriber=subscriber_ids, campaign=campaign_ids)
def test_a_token_contains_half_an_hmac_of_its_purpose_and_ids(
    key: bytes, subscriber: int, campaign: int
) -> None:
    signer = TokenSigner(keys={7: key}, current=7)
    token = signer.sign(LinkPurpose.subscription, subscriber_id=subscriber, campaign_id=campaign)
    numbers = struct.pack(">BQI", 7, subscriber, campaign)
    expected = hmac.digest(key, b"token\0subscription\0" + numbers, "sha256")[:16]
    assert base64.urlsafe_b64decode(token + "=") == numbers + expected


def test_permanent_digests_use_the_oldest_key() -> None:
    digest = hmac.digest(b"k" * 32, b"anything", "sha256")
    assert SIGNER.permanent_digest(b"anything") == digest
    rotated = TokenSigner(keys={2: b"n" * 32, 1: b"k" * 32}, current=2)
    assert rotated.permanent_digest(b"anything") == digest


def test_a_token_is_valid_for_one_purpose_only() -> None:
    class Other(StrEnum):
        erasure = "erasure"

    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3)
    with pytest.raises(TokenError):
        SIGNER.read(token, Other.erasure)  # type: ignore[arg-type]


def test_the_token_of_a_test_names_nobody_and_is_good_for_nothing_else() -> None:
    signer = TokenSigner(keys={1: b"k" * 32}, current=1)
    token = signer.sign_test()
    assert signer.is_test(token)
    assert not signer.is_test(signer.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=1))
    assert not signer.is_test("nonsense")
    for purpose in set(LinkPurpose) - {LinkPurpose.test}:
        with pytest.raises(TokenError):
            signer.read(token, purpose)
    rotated = TokenSigner(keys={1: b"k" * 32, 2: b"m" * 32}, current=2)
    assert rotated.is_test(token)
    with pytest.raises(RetiredKeyError):
        TokenSigner(keys=dict(rotated.keys), current=2, retired=frozenset({1})).is_test(token)


def test_after_a_rotation_old_tokens_still_read_and_new_ones_use_the_new_key() -> None:
    old = SIGNER.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3)
    rotated = TokenSigner(keys={1: b"k" * 32, 2: b"n" * 32}, current=2)
    new = rotated.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3)
    assert rotated.read(old, LinkPurpose.subscription) == rotated.read(new, LinkPurpose.subscription)
    with pytest.raises(TokenError):  # the key number 2 is not known here
        SIGNER.read(new, LinkPurpose.subscription)


def test_a_token_signed_with_another_key_is_refused() -> None:
    forger = TokenSigner(keys={1: b"x" * 32}, current=1)
    with pytest.raises(TokenError):
        SIGNER.read(
            forger.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3), LinkPurpose.subscription
        )


@pytest.mark.parametrize(
    ("keys", "current", "message"),
    [
        ({1: b"k" * 32}, 2, "no token key number 2"),
        ({256: b"k" * 32}, 256, "not between 0 and 255"),
        ({1: b"short"}, 1, "shorter than 16 bytes"),
    ],
)
def test_unusable_keys_are_refused_when_the_signer_is_made(
    keys: dict[int, bytes], current: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TokenSigner(keys=keys, current=current)


def test_the_repr_of_a_signer_contains_no_key() -> None:
    assert "kkkk" not in repr(SIGNER)


# --- codes that people type ---------------------------------------------------------------------------------

coded_campaigns = st.integers(0, 2**27 - 1)


@given(subscriber_ids, coded_campaigns)
def test_a_code_tells_its_campaign_and_never_its_reader(subscriber: int, campaign: int) -> None:
    code = SIGNER.sign_code(subscriber_id=subscriber, campaign_id=campaign)
    assert SIGNER.read_code(code) == TokenPayload(subscriber_id=0, campaign_id=campaign)


def test_the_codes_of_one_campaign_differ_between_its_readers() -> None:
    codes = {SIGNER.sign_code(subscriber_id=number, campaign_id=7) for number in range(1, 5000)}
    assert len(codes) == 4999


@given(st.integers(0, 2**75 - 1))
def test_no_guess_at_a_code_is_accepted(guess: int) -> None:
    with pytest.raises(TokenError):
        SIGNER.read_code(write_code(guess))


def test_a_code_of_another_key_is_refused_and_one_of_an_old_key_is_read() -> None:
    code = SIGNER.sign_code(subscriber_id=5, campaign_id=9)
    day = date(2026, 3, 1)
    rotated = TokenSigner(keys={1: b"k" * 32, 2: b"n" * 32}, current=2, last_days={1: day})
    assert rotated.read_code(code) == TokenPayload(subscriber_id=0, campaign_id=9)
    assert rotated.read_code(code).last_day == day
    assert rotated.sign_code(subscriber_id=5, campaign_id=9) != code
    with pytest.raises(TokenError):
        TokenSigner(keys={2: b"n" * 32}, current=2).read_code(code)
    retired = TokenSigner(keys={1: b"k" * 32, 2: b"n" * 32}, current=2, retired=frozenset({1}))
    with pytest.raises(RetiredKeyError):
        retired.read_code(code)


def test_a_campaign_that_no_code_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        SIGNER.sign_code(subscriber_id=1, campaign_id=2**27)
