"""What Amazon SES tells about a message through SNS, where the topic is subscribed by e-mail."""

import json
from typing import Any

from mailer.feedback.mime_part import MimePart


def is_from_amazon(message: MimePart) -> bool:
    """Whether the sender is Amazon's notification service, as far as its address tells."""
    return "amazonaws.com" in message.headers.raw("from").lower()


def find_amazon_event(text: str) -> dict[str, Any]:
    """Return the event in ``text``, bare or in the envelope of SNS; empty if there is none."""
    if "otificationType" not in text and "eventType" not in text:
        return {}
    event = _read_object(text)
    inner = event.get("Message")
    return _read_object(inner) if isinstance(inner, str) else event


def _read_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    # The mail wraps the JSON inside its strings, and has Amazon's own words below it.
    decoder = json.JSONDecoder(strict=False)
    try:
        value, _ = decoder.raw_decode(text[start:]) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
