"""Parse date ranges as a user writes them: ``2024``, ``2024-05``, ``>=2024-05-31``, ``2023..2024-06``.

Days are in UTC, as are the times in the list.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from unicodedata import normalize

from locales.phrase import gettext_noop

_SIGN = re.compile(r"(>=|<=|=>|=<|>|<|=|)(.*)", re.DOTALL)
_PERIOD = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
# Other years are typing errors, and the day after 9999-12-31 cannot be represented.
_YEARS = range(1900, 2201)
_SIGN_ALIASES = {"=>": ">=", "=<": "<=", "=": ""}


@dataclass(frozen=True, kw_only=True)
class Period:
    """A year, a month or a day: ``text`` as in ``2024-05``, its ``first`` and its ``last`` day."""

    text: str
    first: date
    last: date


@dataclass(frozen=True, kw_only=True)
class DateRange:
    """A range of days. ``sign`` is empty, ``>``, ``>=``, ``<`` or ``<=``, and always empty with ``end``."""

    sign: str
    start: Period
    end: Period | None = None

    @property
    def text(self) -> str:
        """The range as text."""
        return f"{self.sign}{self.start.text}" + (f"..{self.end.text}" if self.end else "")

    @property
    def starts_at(self) -> datetime | None:
        """The first moment in the range, in UTC; None if it has no beginning."""
        if self.sign.startswith("<"):
            return None
        return _midnight(self.start.last + timedelta(1) if self.sign == ">" else self.start.first)

    @property
    def ends_before(self) -> datetime | None:
        """The first moment after the range, in UTC; None if it has no end."""
        if self.sign.startswith(">"):
            return None
        return _midnight(
            self.start.first if self.sign == "<" else (self.end or self.start).last + timedelta(1)
        )


def parse_date_range(text: str) -> DateRange:
    """Parse ``text``; full-width digits and signs are accepted.

    Raises:
        ValueError: it is not a date, or ends before it begins; the message says what to write.
    """
    match = _SIGN.fullmatch(normalize("NFKC", text).strip())
    sign, rest = match.groups() if match else ("", "")
    first, dots, last = rest.partition("..")
    if dots and sign:
        raise ValueError(
            gettext_noop(
                '"%(text)s" has both a sign and an end date. Use only one of them, as in 2024-01..2024-06.'
            )
            % {"text": text}
        )
    start, end = _parse_period(first, text), _parse_period(last, text) if dots else None
    if end is not None and end.last < start.first:
        raise ValueError(
            gettext_noop('"%(text)s" ends before it begins. Write the earlier date first.') % {"text": text}
        )
    return DateRange(sign=_SIGN_ALIASES.get(sign, sign), start=start, end=end)


def _parse_period(words: str, whole: str) -> Period:
    match = _PERIOD.fullmatch(words.strip())
    if match is None:
        raise ValueError(
            gettext_noop(
                '"%(whole)s" is not a date. Write a day, a month or a year, such as >2024-01-31, '
                "2024-05 or 2023..2024-06."
            )
            % {"whole": whole}
        )
    year, month, day = (int(part or 0) for part in match.groups())
    if year not in _YEARS:
        raise ValueError(
            gettext_noop("The year %(year)s is out of range. Use one from 1900 to 2200.") % {"year": year}
        )
    try:
        first = date(year, month or 1, day or 1)
    except ValueError as error:
        raise ValueError(
            gettext_noop("%(words)s is not a date in the calendar.") % {"words": words.strip()}
        ) from error
    if day:
        return Period(text=first.isoformat(), first=first, last=first)
    last = date(year, month or 12, calendar.monthrange(year, month or 12)[1])
    return Period(text=f"{year}-{month:02}" if month else str(year), first=first, last=last)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
