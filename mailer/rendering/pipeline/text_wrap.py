"""Lines of a length that reads well in a plain-text mail."""

import re
import textwrap
from functools import lru_cache

WIDTH = 76
_BULLET = re.compile(r"(?:[-*•]|\d+\.) +")
# What a line begins with before its words: room, marks of quotations, marks of items.
_PREFIX = re.compile(rf"(?: +|> |{_BULLET.pattern})*")


def wrap_text(text: str, width: int = WIDTH) -> str:
    """``text`` with its long lines broken at spaces. The lines of a list item hang under its first word, and
    every line of a quotation has its ``> ``.

    Addresses are never broken, nor are words longer than a line, so that they can still be copied.
    """
    return "\n".join(_wrap_line(line, width) for line in text.splitlines())


@lru_cache(maxsize=4096)
def _wrap_line(line: str, width: int) -> str:
    line = line.rstrip()
    if len(line) <= width:
        return line
    words = _PREFIX.sub("", line, count=1)
    lead = line[: len(line) - len(words)]
    return textwrap.fill(
        words,
        width,
        initial_indent=lead,
        subsequent_indent=_BULLET.sub(lambda bullet: " " * len(bullet[0]), lead),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
