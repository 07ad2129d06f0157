"""One request to a webhook, and why it is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json


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
    server's words may cut a character in two, and would send the same again for days.

    Raises:
        MalformedRequestError: it is none, or nested hundreds deep.
    """
    try:
        strict: object = from_json(text)
    except ValueError:
        return _parse_leniently(text)
    return strict


def _parse_leniently(text: bytes | str) -> object:
    try:
        readable = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        parsed: object = json.loads(readable, strict=False)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError("not JSON") from error
    return parsed
