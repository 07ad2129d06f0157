"""The tokens in links: what a link is about, for which purpose, and a signature. Nothing here has a database.

A token is 29 bytes, 39 characters in a URL, of one of two kinds:

- the link of a newsletter: key number (1), subscriber (8), campaign (4), 16 bytes of an HMAC-SHA256. It
  never expires, because a link to leave has to work for as long as the mail exists, and any key we ever had
  reads it;
- a mailed link, for what a forwarded newsletter must not open: key number (1), link (8), the second it
  expires (4), 16 bytes of the same HMAC. Only the current key reads it, so a rotation ends those that are
  under way. What makes it work once and no more is in :mod:`subscribers.links`.

The purpose is signed and not written: a token for one purpose is no token for another.
"""

import base64
import binascii
import hmac
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from subscribers.errors import TokenError

_PAYLOAD = struct.Struct(">BQI")
_SIGNATURE_BYTES = 16
_LEAST_KEY_BYTES = 16


class Purpose(StrEnum):
    """What a token may be used for. It is signed, so a token for one purpose never opens another."""

    subscription = "subscription"
    """Leave, and see or change one's own preferences."""

    confirm = "confirm"
    """Mailed: say that it was really you who signed up (double opt-in)."""

    export = "export"
    """Mailed: get everything known about oneself."""

    erase = "erase"
    """Mailed: be forgotten."""

    address = "address"
    """Mailed to the present address: name a new one."""

    new_address = "new_address"
    """Mailed to the new address: make it the one that gets the newsletter."""

    @property
    def is_mailed(self) -> bool:
        """Whether its link comes in a mail of its own, expires, and works once."""
        return self is not Purpose.subscription


@dataclass(frozen=True, kw_only=True)
class TokenClaim:
    """What a genuine token says."""

    subscriber_id: int
    campaign_id: int


@dataclass(frozen=True, kw_only=True)
class LinkClaim:
    """What a genuine mailed link says: the number of its link, and until when (aware, UTC, whole seconds)."""

    link_id: int
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class TokenSigner:
    """Signs and reads tokens. ``keys`` maps key numbers (0 to 255) to secrets; ``current`` signs.

    ``look_again`` is asked when a token names a key that is not known: a program that has run since before a
    rotation is shown links that were signed after it. It answers with a newer signer, or None.

    Raises:
        ValueError: the keys cannot be used.
    """

    keys: Mapping[int, bytes] = field(repr=False)
    current: int
    look_again: Callable[[], "TokenSigner | None"] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"there is no token key number {self.current}")
        for number, key in self.keys.items():
            if not 0 <= number <= 255:
                raise ValueError(f"token key number {number} is not between 0 and 255")
            if len(key) < _LEAST_KEY_BYTES:
                raise ValueError(f"token key number {number} is shorter than {_LEAST_KEY_BYTES} bytes")

    def sign(self, purpose: Purpose, *, subscriber_id: int, campaign_id: int) -> str:
        """A token of 39 characters, all safe in a URL."""
        return self._sign(purpose, subscriber_id, campaign_id)

    def read(self, token: str, purpose: Purpose) -> TokenClaim:
        """What ``token`` says.

        Raises:
            TokenError: it was not made by :meth:`sign` with one of our keys for this purpose, or was changed.
        """
        _, subscriber_id, campaign_id = self._knowing(token)._read(token, purpose)
        return TokenClaim(subscriber_id=subscriber_id, campaign_id=campaign_id)

    def sign_link(self, purpose: Purpose, *, link_id: int, expires_at: datetime) -> str:
        """A token of 39 characters for a mailed link; ``expires_at`` loses its fraction of a second.

        Raises:
            ValueError: the purpose is that of the links in newsletters, which never expire.
        """
        if not purpose.is_mailed:
            raise ValueError(f"a link for {purpose} is not mailed on its own and does not expire")
        return self._sign(purpose, link_id, int(expires_at.timestamp()))

    def read_link(self, token: str, purpose: Purpose) -> LinkClaim:
        """What the mailed link ``token`` says. Whether it may still be used, :mod:`subscribers.links` knows.

        Raises:
            TokenError: it was not made by :meth:`sign_link` with the current key for this purpose.
        """
        signer = self._knowing(token)
        number, link_id, seconds = signer._read(token, purpose)
        # Whoever got hold of an old key may let people leave, and nothing more.
        if not purpose.is_mailed or number != signer.current:
            raise TokenError
        return LinkClaim(link_id=link_id, expires_at=datetime.fromtimestamp(seconds, UTC))

    def _sign(self, purpose: Purpose, subject: int, detail: int) -> str:
        payload = _PAYLOAD.pack(self.current, subject, detail)
        return _encode(payload + _signature(self.keys[self.current], purpose, payload))

    def _knowing(self, token: str) -> "TokenSigner":
        """The signer that knows the key of ``token``, or this one."""
        if self.look_again is None or _decode(token)[0] in self.keys:
            return self
        return self.look_again() or self

    def _read(self, token: str, purpose: Purpose) -> tuple[int, int, int]:
        signed = _decode(token)
        payload, signature = signed[: _PAYLOAD.size], signed[_PAYLOAD.size :]
        number, subject, detail = _PAYLOAD.unpack(payload)
        key = self.keys.get(number)
        if key is None or not hmac.compare_digest(signature, _signature(key, purpose, payload)):
            raise TokenError
        return number, subject, detail


def _signature(key: bytes, purpose: Purpose, payload: bytes) -> bytes:
    # The NUL ends the purpose, so that no purpose can be the beginning of another with its payload.
    message = b"token\0" + purpose.value.encode() + b"\0" + payload
    return hmac.digest(key, message, "sha256")[:_SIGNATURE_BYTES]


def _decode(token: str) -> bytes:
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError from None
    # The last character of 39 carries two bits that mean nothing: only one spelling of a token is genuine.
    if len(signed) != _PAYLOAD.size + _SIGNATURE_BYTES or _encode(signed) != token:
        raise TokenError
    return signed


def _encode(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode("ascii")
