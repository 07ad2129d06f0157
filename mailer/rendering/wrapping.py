"""Lines of a length that reads well in a plain-text mail."""

import re
import textwrap
from functools import lru_cache

WIDTH = 76
_BULLET = re.compile(r"(?:[-*•]|\d+\.) +")


def wrap_text(text: str, width: int = WIDTH) -> str:
    """``text`` with its long lines broken at spaces; the lines of a list item hang under its first word.

    Addresses are never broken, nor are words longer than a line, so that they can still be copied.
    """
    return "\n".join(_wrap_line(line, width) for line in text.splitlines())


@lru_cache(maxsize=4096)
def _wrap_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line.rstrip()
    bullet = _BULLET.match(line.lstrip())
    indent = len(line) - len(line.lstrip()) + (len(bullet[0]) if bullet else 0)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
