"""Fields of providers' JSON, read leniently: what is missing or of another kind counts as not said.

Providers add fields without notice, and change a number to a string. One odd field of one event must not keep
the other events of the request from us, because the provider would send the same request again for days.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mailer.feedback.webhooks.request import MalformedRequestError

_LONGEST = 1000
# No provider reports what happened before webhooks, or in the next century.
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800
_MILLISECONDS_FROM = 100_000_000_000
_FRACTION = re.compile(r"(\.\d{6})\d+")
# Neither a NUL nor half a surrogate pair can be stored in PostgreSQL.
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")


def read_line(value: object) -> str:
    """A string or a number as one line of at most 1,000 characters; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        text = str(value)
    except ValueError:
        # Python writes no number of more than 4,300 digits.
        return ""
    return _UNPRINTABLE.sub(" ", text[: 4 * _LONGEST]).strip()[:_LONGEST]


def read_moment(value: object) -> datetime | None:
    """A time in UTC: seconds or milliseconds since 1970, as a number or in digits, or ISO 8601."""
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
    """The events of a request: an object, or a list of them.

    Raises:
        MalformedRequestError: it is neither.
    """
    if not isinstance(parsed, dict | list):
        raise MalformedRequestError("neither an object nor a list")
    yield from _read_objects(parsed if isinstance(parsed, list) else [parsed])
