"""The tokens in a reader's links: who, from which campaign, for which purpose, and a signature.

A token is 29 bytes, 39 characters in a URL: key number (1), subscriber (8), campaign (4), and 16 bytes of
an HMAC-SHA256. It never expires: a link to leave has to work for as long as the mail exists. Keys are
rotated by adding a number and making it the current one; older keys still read.
"""

import base64
import binascii
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from subscribers.errors import TokenError

_PAYLOAD = struct.Struct(">BQI")
_SIGNATURE_BYTES = 16
_LEAST_KEY_BYTES = 16


class Purpose(StrEnum):
    """What a token may be used for. It is signed, so a token for one purpose never opens another."""

    subscription = "subscription"
    """Leave, and see or change one's own preferences."""


@dataclass(frozen=True, kw_only=True)
class TokenClaim:
    """What a genuine token says."""

    subscriber_id: int
    campaign_id: int


@dataclass(frozen=True, kw_only=True)
class TokenSigner:
    """Signs and reads tokens. ``keys`` maps key numbers (0 to 255) to secrets; ``current`` signs.

    Raises:
        ValueError: the keys cannot be used.
    """

    keys: Mapping[int, bytes] = field(repr=False)
    current: int

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
        payload = _PAYLOAD.pack(self.current, subscriber_id, campaign_id)
        return _encode(payload + _signature(self.keys[self.current], purpose, payload))

    def read(self, token: str, purpose: Purpose) -> TokenClaim:
        """What ``token`` says.

        Raises:
            TokenError: it was not made by :meth:`sign` with one of our keys for this purpose, or was changed.
        """
        signed = _decode(token)
        payload, signature = signed[: _PAYLOAD.size], signed[_PAYLOAD.size :]
        number, subscriber_id, campaign_id = _PAYLOAD.unpack(payload)
        key = self.keys.get(number)
        if key is None or not hmac.compare_digest(signature, _signature(key, purpose, payload)):
            raise TokenError
        return TokenClaim(subscriber_id=subscriber_id, campaign_id=campaign_id)


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
