"""The tokens in links: what a link is about, for which purpose, and a signature. Nothing here has a database.

A token is 29 bytes, 39 characters in a URL, of one of two kinds:

- the link of a newsletter: key number (1), subscriber (8), campaign (4), 16 bytes of an HMAC-SHA256. It
  never expires, because a link to leave has to work for as long as the mail exists, and any key we ever had
  reads it;
- a mailed link, for what a forwarded newsletter must not open: key number (1), link (8), the second it
  expires (4), 16 bytes of the same HMAC. Only the current key reads it, so a rotation ends those that are
  under way. What makes it work once and no more is in :mod:`subscribers.one_time_links`.

The purpose is signed and not written: a token for one purpose is no token for another.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from subscribers.errors import TokenError

_PAYLOAD = struct.Struct(">BQI")
_MAX_ID = 2**31 - 1
"""The largest ID of a subscriber or campaign in either database. A token has room for larger ones."""
_SIGNATURE_BYTES = 16
_MIN_KEY_BYTES = 16
_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class LinkPurpose(StrEnum):
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
        return self is not LinkPurpose.subscription


@dataclass(frozen=True, kw_only=True)
class TokenPayload:
    """What a genuine token says."""

    subscriber_id: int
    campaign_id: int


@dataclass(frozen=True, kw_only=True)
class LinkPayload:
    """What a genuine mailed link says: the number of its link, and until when (aware, UTC, whole seconds)."""

    link_id: int
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class TokenSigner:
    """Signs and reads tokens. ``keys`` maps key numbers (0 to 255) to secrets; ``current`` signs.

    ``reload`` is asked when a token names a key that is not known: a program that has run since before a
    rotation is shown links that were signed after it. It answers with a newer signer, or None.

    Raises:
        ValueError: the keys cannot be used.
    """

    keys: Mapping[int, bytes] = field(repr=False)
    current: int
    reload: Callable[[], "TokenSigner | None"] | None = field(default=None, repr=False, compare=False)
    _hmacs: "dict[tuple[int, LinkPurpose], _PrefixHmac]" = field(init=False, repr=False, compare=False)
    _oldest_hmac: "_PrefixHmac" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"there is no token key number {self.current}")
        for number, key in self.keys.items():
            if not 0 <= number <= 255:
                raise ValueError(f"token key number {number} is not between 0 and 255")
            if len(key) < _MIN_KEY_BYTES:
                raise ValueError(f"token key number {number} is shorter than {_MIN_KEY_BYTES} bytes")
        # The NUL ends the purpose, so that no purpose can be the beginning of another with its payload.
        hmacs = {
            (number, purpose): _PrefixHmac(key, b"token\0" + purpose.value.encode() + b"\0")
            for number, key in self.keys.items()
            for purpose in LinkPurpose
        }
        object.__setattr__(self, "_hmacs", hmacs)
        object.__setattr__(self, "_oldest_hmac", _PrefixHmac(self.keys[min(self.keys)], b""))

    def sign(self, purpose: LinkPurpose, *, subscriber_id: int, campaign_id: int) -> str:
        """A token of 39 characters, all safe in a URL."""
        return self._sign(purpose, subscriber_id, campaign_id)

    def read(self, token: str, purpose: LinkPurpose) -> TokenPayload:
        """What ``token`` says.

        Raises:
            TokenError: it was not made by :meth:`sign` with one of our keys for this purpose, or was changed.
        """
        _, subscriber_id, campaign_id = self._signer_for(token)._verify(token, purpose)
        if max(subscriber_id, campaign_id) > _MAX_ID:
            raise TokenError
        return TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id)

    def sign_link(self, purpose: LinkPurpose, *, link_id: int, expires_at: datetime) -> str:
        """A token of 39 characters for a mailed link; ``expires_at`` loses its fraction of a second.

        Raises:
            ValueError: the purpose is that of the links in newsletters, which never expire.
        """
        if not purpose.is_mailed:
            raise ValueError(f"a link for {purpose} is not mailed on its own and does not expire")
        return self._sign(purpose, link_id, int(expires_at.timestamp()))

    def read_link(self, token: str, purpose: LinkPurpose) -> LinkPayload:
        """What the mailed link ``token`` says. Whether it may still be used, :mod:`subscribers.one_time_links` knows.

        Raises:
            TokenError: it was not made by :meth:`sign_link` with the current key for this purpose.
        """
        signer = self._signer_for(token)
        number, link_id, seconds = signer._verify(token, purpose)
        # Whoever got hold of an old key may let people leave, and nothing more.
        if not purpose.is_mailed or number != signer.current:
            raise TokenError
        return LinkPayload(link_id=link_id, expires_at=datetime.fromtimestamp(seconds, UTC))

    def permanent_digest(self, message: bytes) -> bytes:
        """The HMAC-SHA256 of ``message``, for what must be the same after a rotation: by the oldest key."""
        return self._oldest_hmac.digest(message)

    def _sign(self, purpose: LinkPurpose, subject: int, detail: int) -> str:
        payload = _PAYLOAD.pack(self.current, subject, detail)
        return _encode(payload + self._hmacs[self.current, purpose].digest(payload)[:_SIGNATURE_BYTES])

    def _signer_for(self, token: str) -> "TokenSigner":
        """The signer that knows the key of ``token``, or this one."""
        if self.reload is None or _decode(token)[0] in self.keys:
            return self
        return self.reload() or self

    def _verify(self, token: str, purpose: LinkPurpose) -> tuple[int, int, int]:
        signed = _decode(token)
        payload, signature = signed[: _PAYLOAD.size], signed[_PAYLOAD.size :]
        number, subject, detail = _PAYLOAD.unpack(payload)
        known = self._hmacs.get((number, purpose))
        if known is None or not hmac.compare_digest(signature, known.digest(payload)[:_SIGNATURE_BYTES]):
            raise TokenError
        return number, subject, detail


class _PrefixHmac:
    """HMAC-SHA256 (RFC 2104) of messages that begin alike. The key and the beginning are hashed once: for a
    token that leaves half of what ``hmac.digest`` takes, and there are two of them in every mail.
    """

    def __init__(self, key: bytes, beginning: bytes) -> None:
        # Keys are shorter than a block (64 bytes); a longer one is hashed first, as the RFC has it.
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD) + beginning)
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """The HMAC of the beginning and ``message``: 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


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
    return binascii.b2a_base64(signed, newline=False).translate(_URL_SAFE, b"=").decode("ascii")
