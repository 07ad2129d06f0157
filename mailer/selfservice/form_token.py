"""The signed timestamp in a public form, which slows down programs that fill in forms."""

import base64
import binascii
import hmac
import struct
from datetime import UTC, datetime, timedelta

from subscribers.consent.suppression import SuppressionKey

MIN_AGE = timedelta(seconds=2)
"""Nobody reads the page and types an address in less."""

MAX_AGE = timedelta(hours=24)
_TIMESTAMP = struct.Struct(">Q")
_SIGNATURE_BYTES = 16


def make_form_token(key: SuppressionKey, now: datetime) -> str:
    """Make the token of a form shown ``now``."""
    moment = _TIMESTAMP.pack(int(now.timestamp()))
    return base64.urlsafe_b64encode(moment + _sign(key, moment)).decode("ascii").rstrip("=")


def check_form_token(key: SuppressionKey, stamp: str, now: datetime) -> bool:
    """Return whether a form submitted ``now`` with the token ``stamp`` was open for a plausible time.

    False for a token that is not ours, a form that comes back sooner than a person types, and one that was
    left open too long.
    """
    try:
        data = base64.b64decode(stamp + "=" * (-len(stamp) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    moment, signature = data[: _TIMESTAMP.size], data[_TIMESTAMP.size :]
    if len(moment) != _TIMESTAMP.size or not hmac.compare_digest(signature, _sign(key, moment)):
        return False
    age = now - datetime.fromtimestamp(_TIMESTAMP.unpack(moment)[0], UTC)
    return MIN_AGE <= age <= MAX_AGE


def _sign(key: SuppressionKey, moment: bytes) -> bytes:
    # A prefix of its own: no digest made here is ever a digest of a suppressed address.
    return hmac.digest(key.key, b"form\0" + moment, "sha256")[:_SIGNATURE_BYTES]
