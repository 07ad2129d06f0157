"""The signed timestamp in a public form, which slows down programs that fill in forms.

A random number makes every copy of a form different, so that each can be sent once only
(:meth:`mailer.selfservice.mail_limits.MailLimiter.use_form`).
"""

import base64
import binascii
import hmac
import secrets
import struct
from datetime import UTC, datetime, timedelta

from subscribers.consent.suppression import SuppressionKey

MIN_AGE = timedelta(seconds=2)
"""Nobody reads the page and types an address in less."""

MAX_AGE = timedelta(hours=24)
_TIMESTAMP = struct.Struct(">Q")
_NONCE_BYTES = 8
_SIGNATURE_BYTES = 16
_SIGNED_BYTES = _TIMESTAMP.size + _NONCE_BYTES


def make_form_token(key: SuppressionKey, now: datetime) -> str:
    """Make the token of a form shown ``now``."""
    signed = _TIMESTAMP.pack(int(now.timestamp())) + secrets.token_bytes(_NONCE_BYTES)
    return _encode(signed + _sign(key, signed))


def check_form_token(key: SuppressionKey, stamp: str, now: datetime) -> bool:
    """Return whether a form submitted ``now`` with the token ``stamp`` was open for a plausible time.

    False for a token that is not ours, a form that comes back sooner than a person types, and one that was
    left open too long.
    """
    try:
        data = base64.b64decode(stamp + "=" * (-len(stamp) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    signed, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    # Only one spelling of a token is valid, or each could be sent several times.
    if len(signed) != _SIGNED_BYTES or _encode(data) != stamp:
        return False
    if not hmac.compare_digest(signature, _sign(key, signed)):
        return False
    age = now - datetime.fromtimestamp(_TIMESTAMP.unpack(signed[: _TIMESTAMP.size])[0], UTC)
    return MIN_AGE <= age <= MAX_AGE


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _sign(key: SuppressionKey, signed: bytes) -> bytes:
    # A prefix of its own: no digest made here is ever a digest of a suppressed address.
    return hmac.digest(key.key, b"form\0" + signed, "sha256")[:_SIGNATURE_BYTES]
