"""A number as people type it, with or without signs between its thousands."""

import re

_SEPARATORS = re.compile(r"[\s.,'’_]")
_MAX_DIGITS = 12


def read_typed_number(text: str) -> int | None:
    """The number that ``text`` is; None if it is none."""
    digits = _SEPARATORS.sub("", text)
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_DIGITS else None
