"""Signed tokens in links: who and what a link is for. This module does not use the database.

A token of a link is 29 bytes, 39 characters in a URL, and is one of two kinds:

- a newsletter link: key number (1 byte), subscriber (8), campaign (4), 16 bytes of an HMAC-SHA256. It never
  expires, because an unsubscribe link has to work for as long as the mail exists, and every key we have ever
  used verifies it, unless it was retired;
- a mailed link, for what a forwarded newsletter must not allow: key number (1 byte), link (8), the second it
  expires (4), 16 bytes of the same HMAC. Only the current key verifies it, so rotating the keys ends all
  outstanding links. What makes it work only once is in :mod:`subscribers.one_time_links`.

A token in a link whose clicks are counted names nobody: :mod:`subscribers.click_tokens`.

A token in an address of mail is 25 bytes, 50 hex digits, because mail programs and servers change the case
of addresses and a local part has no more than 64 characters: key number (1 byte), subscriber (4), campaign
(4), 16 bytes of the same HMAC. It never expires either.

A code at the foot of a message is 75 bits, which people type (:mod:`subscribers.typed_code`): campaign (27
bits), 16 bits that differ between its readers, and 32 bits of the same HMAC. Whoever checks one learns the
campaign and nothing of its reader. It takes four billion guesses to make one, and the page that checks them
counts; a real one is easier to copy.

Rows are numbered again after a restore, and in another database. So the salts of the numbers' series
(``number_series`` in the database) are signed too, and not stored: a token of another series is not ours.

The purpose is signed but not stored in the token: a token for one purpose is not valid for another.

A key is retired when someone else may have it, because with a key anyone can make links. A key that was only
replaced by a newer one still verifies links, but only of campaigns up to its last day: the payload says which
day that is, and its reader knows the campaigns.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from subscribers.errors import RetiredKeyError, TokenError
from subscribers.typed_code import read_code, write_code

_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_PAYLOAD = struct.Struct(">BQI")
_MAIL_PAYLOAD = struct.Struct(">BII")
_CODE_PAYLOAD_BYTES = 6
_CODE_TAG_BITS = 16
_CODE_SIGNATURE_BYTES = 4
_MAX_CODED_CAMPAIGN = 2**27 - 1
# Odd, so that readers whose numbers differ in the last 16 bits have different tags.
_TAG_FACTOR = 0x9E37
_MAX_ID = 2**31 - 1
"""The largest ID of a subscriber or campaign in either database. A token has room for larger ones."""
_SIGNATURE_BYTES = 16
MAIL_TOKEN_LENGTH = 2 * (_MAIL_PAYLOAD.size + _SIGNATURE_BYTES)
"""The hex digits of a token in an address of mail: 50."""
_MIN_KEY_BYTES = 16
CLICK = "click"
"""What the signature of a click's token is for. No link with it is ever stored, so it is no
:class:`LinkPurpose`."""
CODE = "code"
"""What the signature of the code at the foot of a message is for, likewise."""


class PrefixHmac:
    """HMAC-SHA256 (RFC 2104) of messages with a common prefix. The key and the prefix are hashed once, which
    halves the time of ``hmac.digest`` for a token; every mail contains up to five.
    """

    def __init__(self, key: bytes, beginning: bytes) -> None:
        # Keys are usually shorter than a block (64 bytes); a longer one is hashed first, as the RFC requires.
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD) + beginning)
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """Return the HMAC of the prefix and ``message``: 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def write_token(signed: bytes) -> str:
    return binascii.b2a_base64(signed, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def read_token(token: str) -> bytes:
    """Return the bytes that :func:`write_token` wrote as ``token``; raise :class:`TokenError` for others."""
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError from None
    # The last character may have unused bits: accept only one spelling of a token.
    if write_token(signed) != token:
        raise TokenError
    return signed


def read_hex_token(token: str, length: int) -> bytes:
    """Return the ``length`` bytes that ``token`` has in hex digits, in capitals or not; else raise
    :class:`TokenError`."""
    # bytes.fromhex passes over spaces, which no address of ours contains.
    if len(token) != 2 * length or not (token.isascii() and token.isalnum()):
        raise TokenError
    try:
        return bytes.fromhex(token)
    except ValueError:
        raise TokenError from None


class LinkPurpose(StrEnum):
    """What a token may be used for. It is signed, so a token for one purpose is not valid for another."""

    subscription = "subscription"
    """Unsubscribe, and see or change preferences."""

    confirm = "confirm"
    export = "export"
    erase = "erase"
    address = "address"
    """Mailed to the current address: enter a new one."""

    new_address = "new_address"
    """Mailed to the new address: confirm it."""

    test = "test"
    """In a test of a newsletter: says that it was a test, and changes nothing."""

    bounce = "bounce"
    """In the return path: tells whose message came back."""

    leave = "leave"
    """In the address that unsubscribes the reader when mail is sent to it."""

    @property
    def is_mailed(self) -> bool:
        """Whether its link is mailed separately, expires, and works once."""
        return self not in _NOT_MAILED


_NOT_MAILED = frozenset({LinkPurpose.subscription, LinkPurpose.test, LinkPurpose.bounce, LinkPurpose.leave})


@dataclass(frozen=True, kw_only=True)
class TokenPayload:
    """The contents of a valid token.

    ``last_day`` is the last day (UTC) on which its key signed links for new campaigns: a later campaign was
    named by a thief of the key. It is None for the current key, or if the day is unknown.
    """

    subscriber_id: int
    campaign_id: int
    last_day: date | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class TokenSigner:
    """Signs and verifies tokens. ``keys`` maps key numbers (0 to 255) to secrets; ``current`` signs. Raise
    ValueError if they cannot be used.

    Keys in ``retired`` verify nothing. ``last_days`` maps replaced keys to their last day. ``reload`` returns
    a newer signer, or None; it is called before a token is verified, because keys may be rotated or retired
    while the program runs. ``series`` returns the series of numbers, oldest first: the first subscriber and
    the first campaign of each, and its salt.
    """

    keys: Mapping[int, bytes] = field(repr=False)
    current: int
    retired: frozenset[int] = frozenset()
    last_days: Mapping[int, date] = field(default_factory=dict)
    reload: Callable[[], "TokenSigner | None"] | None = field(default=None, repr=False, compare=False)
    series: Callable[[], Sequence[tuple[int, int, bytes]]] = field(default=tuple, repr=False, compare=False)
    _hmacs: dict[tuple[int, str], PrefixHmac] = field(init=False, repr=False, compare=False)
    _oldest_hmac: PrefixHmac = field(init=False, repr=False, compare=False)
    _code_pads: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"there is no token key number {self.current}")
        if self.current in self.retired:
            raise ValueError(f"token key number {self.current} is retired and cannot sign")
        for number, key in self.keys.items():
            if not 0 <= number <= 255:
                raise ValueError(f"token key number {number} is not between 0 and 255")
            if len(key) < _MIN_KEY_BYTES:
                raise ValueError(f"token key number {number} is shorter than {_MIN_KEY_BYTES} bytes")
        # The NUL ends the purpose, so that no purpose and payload can be mistaken for another purpose.
        hmacs = {
            (number, purpose): PrefixHmac(key, b"token\0" + purpose.encode() + b"\0")
            for number, key in self.keys.items()
            for purpose in (*LinkPurpose, CLICK, CODE)
        }
        pads = {
            number: int.from_bytes(hmacs[number, CODE].digest(b"")[:_CODE_PAYLOAD_BYTES], "big")
            for number in self.keys
        }
        object.__setattr__(self, "_hmacs", hmacs)
        # Hides the campaign's and the reader's numbers from those who only see a code.
        object.__setattr__(self, "_code_pads", {number: pad >> 5 for number, pad in pads.items()})
        object.__setattr__(self, "_oldest_hmac", PrefixHmac(self.keys[min(self.keys)], b""))

    def sign(self, purpose: LinkPurpose, *, subscriber_id: int, campaign_id: int) -> str:
        """Return a token of 39 URL-safe characters, signed with the key that was current at the start. A
        campaign signs all its links with one key, so this does not look for a newer one; :meth:`newest` does.
        """
        return self._sign(purpose, subscriber_id, campaign_id, self.find_salt(subscriber_id, campaign_id))

    def find_salt(self, subscriber_id: int, campaign_id: int) -> bytes:
        """Return what is signed besides these numbers, so that they never mean others; 0 has no salt."""
        of_reader = of_campaign = b""
        for first_subscriber, first_campaign, salt in self.series():
            if subscriber_id >= first_subscriber:
                of_reader = salt
            if campaign_id >= first_campaign:
                of_campaign = salt
        return of_reader + of_campaign

    def read(self, token: str, purpose: LinkPurpose) -> TokenPayload:
        """Verify ``token`` and return its contents. Raise TokenError if it was not issued by :meth:`sign`
        with one of our keys for this purpose, or was altered, and RetiredKeyError if its key was retired.
        """
        signer = self._signer_for(token)
        return signer._payload(*signer._verify(token, purpose))

    def sign_mail(self, purpose: LinkPurpose, *, subscriber_id: int, campaign_id: int) -> str:
        """Return a token of 50 lower-case hex digits for an address of mail; ``purpose`` is bounce or leave.

        Like :meth:`sign`, it does not look for a newer key.
        """
        payload = _MAIL_PAYLOAD.pack(self.current, subscriber_id, campaign_id)
        salted = payload + self.find_salt(subscriber_id, campaign_id)
        return (payload + self._hmacs[self.current, purpose].digest(salted)[:_SIGNATURE_BYTES]).hex()

    def read_mail(self, token: str, purpose: LinkPurpose) -> TokenPayload:
        """Verify the ``token`` of an address, in capitals or not, and return its contents. Raise TokenError
        if it was not issued by :meth:`sign_mail` with one of our keys for this purpose, or was altered in
        more than its case, and RetiredKeyError if its key was retired.
        """
        signed = read_hex_token(token, _MAIL_PAYLOAD.size + _SIGNATURE_BYTES)
        signer = self.newest()
        return signer._payload(*signer._check(signed, _MAIL_PAYLOAD, purpose))

    def sign_payload(self, purpose: str, payload: bytes, signature_bytes: int, salt: bytes) -> bytes:
        """Return the number of the current key, a ``payload`` of any layout, and its signature with ``salt``.

        Like :meth:`sign`, it does not look for a newer key.
        """
        numbered = bytes([self.current]) + payload
        return numbered + self._hmacs[self.current, purpose].digest(numbered + salt)[:signature_bytes]

    def verify_payload(
        self, purpose: str, signed: bytes, signature_bytes: int, salt: bytes
    ) -> tuple[bytes, int]:
        """Return the payload of what :meth:`sign_payload` made, and the number of its key, which may be
        retired. Raise TokenError if none of our keys has signed it for this purpose.
        """
        numbered, signature = signed[:-signature_bytes], signed[-signature_bytes:]
        known = self._hmacs.get((numbered[0], purpose)) if numbered else None
        if known is None or not hmac.compare_digest(
            signature, known.digest(numbered + salt)[:signature_bytes]
        ):
            raise TokenError
        return numbered[1:], numbered[0]

    def sign_code(self, *, subscriber_id: int, campaign_id: int) -> str:
        """Return the code of a message, such as ``7K3M-QX9P-2HWD-5T8R``. Like :meth:`sign`, it does not look
        for a newer key. Raise ValueError if the campaign's number is too large for a code.
        """
        if campaign_id > _MAX_CODED_CAMPAIGN:
            raise ValueError(f"campaign {campaign_id} is too large for a code")
        number = campaign_id << _CODE_TAG_BITS | subscriber_id * _TAG_FACTOR & 0xFFFF
        payload = number.to_bytes(_CODE_PAYLOAD_BYTES, "big")
        salted = payload + self.find_salt(0, campaign_id)
        signature = self._hmacs[self.current, CODE].digest(salted)[:_CODE_SIGNATURE_BYTES]
        pad = self._code_pads[self.current]
        return write_code((number ^ pad) << 8 * _CODE_SIGNATURE_BYTES | int.from_bytes(signature, "big"))

    def read_code(self, code: str) -> TokenPayload:
        """Verify a ``code``, however it was typed, and return its campaign; ``subscriber_id`` is always 0.
        Campaign 0 is that of tests. Raise TokenError if it is not one of our codes, and RetiredKeyError if
        its key was retired.
        """
        data = read_code(code)
        if data is None:
            raise TokenError
        signer = self.newest()
        # A code has no room for the number of its key. All are tried, whichever fits.
        fitting = [number for number in signer.keys if signer._fits_code(number, data)]
        if not fitting:
            raise TokenError
        if fitting[0] in signer.retired:
            raise RetiredKeyError
        number = data >> 8 * _CODE_SIGNATURE_BYTES ^ signer._code_pads[fitting[0]]
        return signer._payload(fitting[0], 0, number >> _CODE_TAG_BITS)

    def _fits_code(self, key: int, data: int) -> bool:
        number = data >> 8 * _CODE_SIGNATURE_BYTES ^ self._code_pads[key]
        signature = (data & 0xFFFFFFFF).to_bytes(_CODE_SIGNATURE_BYTES, "big")
        salt = self.find_salt(0, number >> _CODE_TAG_BITS)
        digest = self._hmacs[key, CODE].digest(number.to_bytes(_CODE_PAYLOAD_BYTES, "big") + salt)
        return hmac.compare_digest(signature, digest[:_CODE_SIGNATURE_BYTES])

    def sign_test(self) -> str:
        """Return the token for the links of a test. It names nobody, and every test with this key has it."""
        return self.newest()._sign(LinkPurpose.test, 0, 0, b"")

    def is_test(self, token: str) -> bool:
        """Return whether ``token`` is that of a test. Raise RetiredKeyError if it is, with a retired key."""
        try:
            self._signer_for(token)._verify(token, LinkPurpose.test)
        except RetiredKeyError:
            raise
        except TokenError:
            return False
        return True

    def newest(self) -> "TokenSigner":
        """Return the signer with the keys as they are now."""
        return (self.reload() if self.reload else None) or self

    def sign_link(self, purpose: LinkPurpose, *, link_id: int, expires_at: datetime) -> str:
        """Return a token of 39 characters for a mailed link; ``expires_at`` is truncated to seconds. Raise
        ValueError if ``purpose`` is that of newsletter links, which never expire.
        """
        if not purpose.is_mailed:
            raise ValueError(f"a link for {purpose} is not mailed on its own and does not expire")
        return self.newest()._sign(purpose, link_id, int(expires_at.timestamp()), b"")

    def read_link(self, token: str, purpose: LinkPurpose) -> tuple[int, datetime]:
        """Verify the mailed link ``token``; return the ID of its link, and when it expires (aware, UTC, whole
        seconds). Whether it may still be used is up to :mod:`subscribers.one_time_links`. Raise TokenError if
        it was not issued by :meth:`sign_link` with the current key for this purpose.
        """
        signer = self._signer_for(token)
        number, link_id, seconds = signer._verify(token, purpose)
        # With a stolen old key one can unsubscribe people and change preferences, until it is retired, but
        # nothing more.
        if not purpose.is_mailed or number != signer.current:
            raise TokenError
        return link_id, datetime.fromtimestamp(seconds, UTC)

    def permanent_digest(self, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of ``message`` by the oldest key, which is the same after a rotation."""
        return self._oldest_hmac.digest(message)

    def _sign(self, purpose: LinkPurpose, subject: int, detail: int, salt: bytes) -> str:
        payload = _PAYLOAD.pack(self.current, subject, detail)
        signature = self._hmacs[self.current, purpose].digest(payload + salt)
        return write_token(payload + signature[:_SIGNATURE_BYTES])

    def _signer_for(self, token: str) -> "TokenSigner":
        """Return the signer to verify ``token`` with. What is no token is refused before any file is read."""
        _decode(token)
        return self.newest()

    def _verify(self, token: str, purpose: LinkPurpose) -> tuple[int, int, int]:
        return self._check(_decode(token), _PAYLOAD, purpose)

    def _check(self, signed: bytes, layout: struct.Struct, purpose: LinkPurpose) -> tuple[int, int, int]:
        payload, signature = signed[: layout.size], signed[layout.size :]
        number, subject, detail = layout.unpack(payload)
        known = self._hmacs.get((number, purpose))
        if known is None:
            raise TokenError
        # The number of a mailed link is random, and that of a test is 0.
        salt = b"" if purpose.is_mailed else self.find_salt(subject, detail)
        if not hmac.compare_digest(signature, known.digest(payload + salt)[:_SIGNATURE_BYTES]):
            raise TokenError
        if number in self.retired:
            raise RetiredKeyError
        return number, subject, detail

    def _payload(self, number: int, subscriber_id: int, campaign_id: int) -> TokenPayload:
        if max(subscriber_id, campaign_id) > _MAX_ID:
            raise TokenError
        last_day = None if number == self.current else self.last_days.get(number)
        return TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id, last_day=last_day)


def _decode(token: str) -> bytes:
    signed = read_token(token)
    if len(signed) != _PAYLOAD.size + _SIGNATURE_BYTES:
        raise TokenError
    return signed
