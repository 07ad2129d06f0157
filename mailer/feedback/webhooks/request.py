"""One request to a webhook, and why it is refused."""

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
    """Parse JSON.

    Raises:
        MalformedRequestError: it is none, or nested more than two hundred deep.
    """
    try:
        parsed: object = from_json(text)
    except ValueError as error:
        raise MalformedRequestError("not JSON") from error
    return parsed
