"""The dates of feeds, which are written in two ways, and often wrongly."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FRACTION = re.compile(r"(\.\d+)")
_DAY_ALONE = re.compile(r"\d{4}(-\d\d){0,2}")


def parse_date(text: str) -> datetime | None:
    """A date as RFC 822 (``Tue, 3 Nov 2026 10:00:00 GMT``) or RFC 3339 (``2026-11-03T10:00:00Z``) has it;
    None if it is neither. Without a zone it is in UTC."""
    text = text.strip()
    if not text:
        return None
    try:
        if text[:4].isdecimal():
            if _DAY_ALONE.fullmatch(text):
                text = (text + "-01-01")[:10] if len(text) < 10 else text
            found = datetime.fromisoformat(_FRACTION.sub("", text))
        else:
            found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
