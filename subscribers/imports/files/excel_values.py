"""The values of cells in Excel's files, as text: numbers, dates and escaped characters."""

import re
from datetime import datetime, timedelta

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""The numbers of formats that every Excel knows and no file declares (ECMA-376, 18.8.30); 27 to 36 and 50 to
58 are the dates of East Asian versions."""
# Text in quotation marks, escaped characters, and brackets with a colour, a condition or a language.
_NOT_A_PLACEHOLDER = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_DATE_PLACEHOLDER = re.compile(r"[dmyhs]", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
# Not the halves of a pair (surrogates), which are no characters.
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")
_DAY_SECONDS = 86_400
_MAX_DAYS = 2_958_465
"""The 31st of December 9999."""


def is_date_format(number: str, code: str | None) -> bool:
    """Return whether a format shows a date or a time; ``code`` is its declaration in the file, if any."""
    if code is None:
        return number.isdecimal() and len(number) < 4 and int(number) in _DATE_FORMATS
    section = _NOT_A_PLACEHOLDER.sub("", code[:1000]).partition(";")[0]
    return "general" not in section.lower() and _DATE_PLACEHOLDER.search(section) is not None


def format_number(text: str, *, is_date: bool, starts_1904: bool = False) -> str:
    """Return a number without a needless decimal point, or a date as ISO 8601 writes it.

    Excel has only one kind of number: a telephone number may arrive as 976000000.0 or 9.76E8.
    """
    if not is_date and _WHOLE_NUMBER.fullmatch(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or abs(number) > 1e300:
        return text
    if is_date and 0 <= number < _MAX_DAYS:
        return _format_date(number, starts_1904=starts_1904)
    return str(int(number)) if number.is_integer() else repr(number)


def unescape_text(text: str) -> str:
    """Return ``text`` with characters that XML cannot hold, which Excel writes as ``_x000D_``."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _format_date(number: float, *, starts_1904: bool) -> str:
    # For Excel 1900 was a leap year, so its days before March of that year are one less.
    first = (1904, 1, 1) if starts_1904 else (1899, 12, 31 if number < 60 else 30)
    start = datetime(*first)  # noqa: DTZ001 - a day in a spreadsheet has no time zone
    days, seconds = divmod(round(number * _DAY_SECONDS), _DAY_SECONDS)
    at = start + timedelta(days=days, seconds=seconds)
    if number < 1:
        return at.time().isoformat()
    return at.date().isoformat() if seconds == 0 else at.isoformat()
