"""Words in a chart: SVG neither wraps nor shortens a text, so it is done here."""

from collections.abc import Iterator
from unicodedata import combining, east_asian_width

_ELLIPSIS = "…"


def measure_label(text: str) -> int:
    """How wide a text is, in Latin letters; a Chinese, Japanese or Korean character is two of them."""
    return sum(_measure_character(character) for character in text)


def shorten_label(text: str, width: int) -> str:
    """Cut ``text`` to ``width`` Latin letters, with an ellipsis if it was longer; line breaks are spaces."""
    words = " ".join(text.split())
    if measure_label(words) <= width:
        return words
    return f"{_take_start(words, width - 1).rstrip()}{_ELLIPSIS}"


def wrap_label(text: str, width: int, *, lines: int) -> tuple[str, ...]:
    """Break ``text`` into at most ``lines`` of ``width`` Latin letters, between words where there are any.

    What does not fit is cut, with an ellipsis.
    """
    broken = list(_break_lines(" ".join(text.split()), width))
    if len(broken) <= lines:
        return tuple(broken)
    rest = " ".join(broken[lines - 1 :])
    # A last line that happens to fit has still lost the lines after it.
    last = f"{_take_start(rest, width - 1).rstrip()}{_ELLIPSIS}"
    return (*broken[: lines - 1], last)


def _break_lines(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if measure_label(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        while measure_label(word) > width:
            start = _take_start(word, width)
            yield start
            word = word[len(start) :]
        line = word
    if line:
        yield line


def _take_start(text: str, width: int) -> str:
    taken, used = "", 0
    for character in text:
        used += _measure_character(character)
        if used > width and taken:
            break
        taken += character
    return taken


def _measure_character(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
