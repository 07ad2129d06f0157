"""A request of a provider's webhook: its body, its secret, and the fields of its JSON.

Providers add fields without notice, and change a number to a string. One odd field of one event must not keep
the other events of the request from us, because the provider would send the same request again for days.
"""

import base64
import binascii
import contextlib
import hmac
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import from_json

from locales.phrase import Phrase
from mailer.smtp.auth import read_first_line

_LONGEST = 1000
_MILLISECONDS_FROM = 100_000_000_000
_FRACTION = re.compile(r"(\.\d{6})\d+")
# Neither a NUL nor half a surrogate pair can be stored in PostgreSQL.
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
_LEAST_CHARACTERS = 16


class ForgedRequestError(Exception):
    """The request does not show that the provider sent it: no secret or signature, or a wrong one."""


class MalformedRequestError(Exception):
    """The body is not what the provider's documentation describes."""


class UnverifiableRequestError(Exception):
    """Whether the provider sent it cannot be told now: our secret or its certificate is out of reach. The
    provider should try again later. The message says why, for the log."""


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """A request: its headers by their names in lower case, its body, and when it came, in UTC."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


def parse_json(text: bytes | str) -> object:
    """Parse JSON, also with characters in its strings that JSON does not allow: a provider that cuts a
    server's words may cut a character in two, and would send the same again for days. Raise
    MalformedRequestError if it is none, or nested hundreds deep.
    """
    parsed: object
    with contextlib.suppress(ValueError):
        parsed = from_json(text)
        return parsed
    try:
        readable = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        parsed = json.loads(readable, strict=False)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError("not JSON") from error
    return parsed


# No provider reports what happened before webhooks, or in the next century.
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800


def read_line(value: object) -> str:
    """Return a string or a number as one line of at most 1,000 characters; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        text = str(value)
    except ValueError:
        # Python writes no number of more than 4,300 digits.
        return ""
    return _UNPRINTABLE.sub(" ", text[: 4 * _LONGEST]).strip()[:_LONGEST]


def read_moment(value: object) -> datetime | None:
    """Return a time in UTC: seconds or milliseconds since 1970, as a number or in digits, or ISO 8601."""
    text = read_line(value)
    try:
        seconds = float(text)
    except ValueError:
        return _read_iso(text)
    if not math.isfinite(seconds):
        return None
    seconds = seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds
    return datetime.fromtimestamp(seconds, UTC) if _FIRST_SECOND <= seconds <= _LAST_SECOND else None


def _read_iso(text: str) -> datetime | None:
    try:
        # Postmark writes seven digits, one more than Python reads.
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_object(value: object) -> dict[str, Any]:
    return {str(name): inner for name, inner in value.items()} if isinstance(value, dict) else {}


def _read_objects(value: object) -> list[dict[str, Any]]:
    return [_read_object(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _read_lines(value: object) -> list[str]:
    lines = value if isinstance(value, list) else [value]
    return [line for line in map(read_line, lines) if line]


Line = Annotated[str, BeforeValidator(read_line)]
"""One line of text; a number becomes text."""
Lines = Annotated[tuple[str, ...], BeforeValidator(_read_lines)]
"""Several lines of text, or one alone."""
Moment = Annotated[datetime | None, BeforeValidator(read_moment)]
"""A time in UTC; None if there is none that makes sense."""
Flag = Annotated[
    bool, BeforeValidator(lambda value: value is True or read_line(value).lower() in {"true", "1"})
]
"""Whether something is said to be so."""
Fields = Annotated[dict[str, Any], BeforeValidator(_read_object)]
"""An object whose fields the sender of the mail chose, such as metadata."""
AsObject = BeforeValidator(_read_object)
"""Reads what is no object as an empty one."""
AsObjects = BeforeValidator(_read_objects)
"""Reads what is no list of objects as an empty one, and passes over what is no object in it."""


class ProviderFields(BaseModel):
    """An object of a provider's JSON. Every field has a default, so no object fails to be read."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def list_objects(parsed: object) -> Iterator[dict[str, Any]]:
    """Yield the events of a request: an object, or a list of them. Raise MalformedRequestError otherwise."""
    if not isinstance(parsed, dict | list):
        raise MalformedRequestError("neither an object nor a list")
    yield from _read_objects(parsed if isinstance(parsed, list) else [parsed])


def read_secret(path: Path) -> str:
    """Return the secret on the first line of a file. It is read for every request, so that it can be changed
    while the program runs. Raise UnverifiableRequestError if the file cannot be read, or the secret could be
    guessed.
    """
    try:
        secret = read_first_line(path)
    except (OSError, ValueError) as error:
        raise UnverifiableRequestError(
            Phrase(
                "%(path)s cannot be read or is empty. Its first line must be the webhook's secret.",
                path=path,
            )
        ) from error
    if len(secret) < _LEAST_CHARACTERS:
        raise UnverifiableRequestError(
            Phrase(
                "the secret in %(path)s has fewer than %(least_characters)s characters, so it could be "
                "guessed. Make a longer one, for example with: openssl rand -hex 32",
                path=path,
                least_characters=_LEAST_CHARACTERS,
            )
        )
    return secret


def check_authorization(request: WebhookRequest, secret: str) -> None:
    """Check the secret in the Authorization header: as the password of any user (RFC 7617), or as a bearer
    token (RFC 6750). Raise ForgedRequestError if it is not there, or another one.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    shown = value.strip()
    if scheme.lower() == "basic":
        shown = _read_password(shown)
    elif scheme.lower() != "bearer":
        raise ForgedRequestError("no secret")
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode()):
        raise ForgedRequestError("a wrong secret")


def _read_password(credentials: str) -> str:
    try:
        user_and_password = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise ForgedRequestError("credentials that are not base64") from error
    return user_and_password.partition(":")[2]


def is_hmac(key: bytes, signed: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is the HMAC-SHA256 of ``signed``, in a time that tells nothing of it."""
    return hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature)
