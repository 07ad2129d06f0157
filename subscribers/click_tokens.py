"""The token in a link whose clicks are counted: for a campaign, a country and sectors, and not for a person.

Its payload is the key number (1 byte), the campaign and the subscriber (each in LEB128; the subscriber is 0
for all who have not agreed to be named), the country (2 bytes) and a bit for each of the campaign's sectors
that the reader follows (as many bytes as that needs). 8 bytes of an HMAC-SHA256 follow. Readers in the same
country who follow the same sectors have the same token, of about 20 characters.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from subscribers.errors import TokenError
from subscribers.tokens import CLICK, TokenSigner, read_token, write_token

_SIGNATURE_BYTES = 8
"""Enough where a forged token gives nothing but a click too many, and each guess costs a request."""

_NO_COUNTRY = b"\0\0"
_MAX_ID = 2**31 - 1
_MAX_TOKEN_CHARACTERS = 400
"""More than any campaign's sectors need: about two thousand of them."""


@dataclass(frozen=True, kw_only=True)
class ClickToken:
    """What a token says. ``sectors`` is a bit set over the campaign's sectors, whose lowest bit is the first.

    ``subscriber_id`` is 0 unless the reader has agreed to be named. ``last_day`` is that of
    :class:`subscribers.tokens.TokenPayload`. ``is_retired`` says that someone else may have the key.
    """

    campaign_id: int
    country: str = ""
    sectors: int = 0
    subscriber_id: int = 0
    last_day: date | None = field(default=None, compare=False)
    is_retired: bool = field(default=False, compare=False)


def sign_click_token(signer: TokenSigner, token: ClickToken) -> str:
    """Return ``token`` in URL-safe characters, signed with the current key. Raise ValueError if the country
    is neither a code of two letters nor empty.
    """
    country = token.country.encode("ascii") or _NO_COUNTRY
    if len(country) != len(_NO_COUNTRY):
        raise ValueError(f"{token.country!r} is not a country code of two letters")
    sectors = token.sectors.to_bytes((token.sectors.bit_length() + 7) // 8, "little")
    payload = _pack_number(token.campaign_id) + _pack_number(token.subscriber_id) + country + sectors
    salt = signer.find_salt(token.subscriber_id, token.campaign_id)
    return write_token(signer.sign_payload(CLICK, payload, _SIGNATURE_BYTES, salt))


def read_click_token(signer: TokenSigner, text: str) -> ClickToken:
    """Verify a token and return what it says. Raise TokenError if it was not issued by
    :func:`sign_click_token` with one of our keys, or was altered.
    """
    if len(text) > _MAX_TOKEN_CHARACTERS:
        raise TokenError
    signed = read_token(text)
    newest = signer.newest()
    campaign_id, rest = _unpack_number(signed[1:-_SIGNATURE_BYTES])
    subscriber_id, rest = _unpack_number(rest)
    salt = newest.find_salt(subscriber_id, campaign_id)
    _, key_number = newest.verify_payload(CLICK, signed, _SIGNATURE_BYTES, salt)
    country, sectors = rest[:2], rest[2:]
    if len(country) != len(_NO_COUNTRY):
        raise TokenError
    return ClickToken(
        campaign_id=campaign_id,
        country="" if country == _NO_COUNTRY else country.decode("ascii", "replace"),
        sectors=int.from_bytes(sectors, "little"),
        subscriber_id=subscriber_id,
        last_day=None if key_number == newest.current else newest.last_days.get(key_number),
        is_retired=key_number in newest.retired,
    )


def encode_sectors(followed: Collection[str], sectors: Sequence[str]) -> int:
    """Return the sectors ``followed`` as a bit set over ``sectors``; those not among them have no bit."""
    return sum(1 << place for place, name in enumerate(sectors) if name in followed)


def decode_sectors(bits: int, sectors: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(name for place, name in enumerate(sectors) if bits >> place & 1))


def _pack_number(number: int) -> bytes:
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _unpack_number(data: bytes) -> tuple[int, bytes]:
    number = 0
    for place, byte in enumerate(data[:5]):
        number |= (byte & 0x7F) << 7 * place
        if byte <= 0x7F and number <= _MAX_ID:
            return number, data[place + 1 :]
    raise TokenError
