"""How old a form is: a signed moment that it carries, so that programs that fill in forms have to wait."""

import base64
import binascii
import hmac
import struct
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from subscribers.consent.suppression import SuppressionKey

MIN_AGE = timedelta(seconds=2)
"""Nobody reads the page and writes an address in less."""

MAX_AGE = timedelta(hours=24)
_TIMESTAMP = struct.Struct(">Q")
_SIGNATURE_BYTES = 16


class FormAge(StrEnum):
    """What a form's stamp says."""

    plausible = "good"
    """The form was shown a while ago, and not too long."""

    implausible = "unlikely"
    """It comes back sooner than a person writes, later than a page is left open, or has no stamp of ours."""


def make_form_token(key: SuppressionKey, now: datetime) -> str:
    """The stamp of a form that is shown ``now``."""
    moment = _TIMESTAMP.pack(int(now.timestamp()))
    return base64.urlsafe_b64encode(moment + _sign(key, moment)).decode("ascii").rstrip("=")


def check_form_token(key: SuppressionKey, stamp: str, now: datetime) -> FormAge:
    """Whether a form with that stamp may be taken ``now``."""
    try:
        data = base64.b64decode(stamp + "=" * (-len(stamp) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return FormAge.implausible
    moment, signature = data[: _TIMESTAMP.size], data[_TIMESTAMP.size :]
    if len(moment) != _TIMESTAMP.size or not hmac.compare_digest(signature, _sign(key, moment)):
        return FormAge.implausible
    age = now - datetime.fromtimestamp(_TIMESTAMP.unpack(moment)[0], UTC)
    return FormAge.plausible if MIN_AGE <= age <= MAX_AGE else FormAge.implausible


def _sign(key: SuppressionKey, moment: bytes) -> bytes:
    # Another purpose than suppression, and no digest of one is ever a digest of the other.
    return hmac.digest(key.key, b"form\0" + moment, "sha256")[:_SIGNATURE_BYTES]
