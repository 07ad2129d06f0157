"""Wraps lines to a readable length in plain-text email."""

import re
import textwrap
from functools import lru_cache

WIDTH = 76
_BULLET = re.compile(r"(?:[-*•]|\d+\.) +")
# What comes before the text of a line: indentation, quotation marks, list markers.
_PREFIX = re.compile(rf"(?: +|> |{_BULLET.pattern})*")


def wrap_text(text: str, width: int = WIDTH) -> str:
    """``text`` with its long lines broken at spaces. The lines of a list item are indented to its first word,
    and every line of a quotation has its ``> ``.

    Web addresses and words longer than a line are never broken, so that they can still be copied.
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
