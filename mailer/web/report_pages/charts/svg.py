"""SVG elements with everything in them escaped, and the tones and labels of a chart."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from unicodedata import combining, east_asian_width

from markupsafe import Markup, escape

Attribute = str | int | float
_STEP = 6
"""The size of a tile of a pattern, in pixels."""
_ELLIPSIS = "…"


def draw_element(name: str, /, *content: str, **attributes: Attribute) -> Markup:
    """Make the element ``name`` with ``content``, of which only Markup is not escaped. An underscore in the
    name of an attribute is a hyphen (``text_anchor``), and one at its end is left out (``class_``)."""
    # Joined as plain strings, each part escaped: Markup.format takes three times as long.
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_write_value(value))}"'
        for key, value in attributes.items()
    )
    inside = "".join(escape(part) for part in content)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - escaped above


def draw_percent(share: float) -> str:
    """Write a coordinate in per cent of the chart's width or height."""
    return f"{_write_value(float(share))}%"


def draw_block(left: float, top: float, width: float, height: float, **attributes: Attribute) -> Markup:
    """Make a rectangle; ``left`` and ``width`` in per cent, ``top`` and ``height`` in pixels."""
    across, wide = draw_percent(left), draw_percent(width)
    return draw_element("rect", x=across, y=top, width=wide, height=height, **attributes)


def draw_chart(name: str, title: str, description: str, *content: Markup, height: float, kind: str) -> Markup:
    """Make the outermost element, with a title and a description for those who cannot see it. ``name`` is a
    word of its own on the page, ``kind`` a class for the style sheet, and ``height`` in pixels."""
    return draw_element(
        "svg",
        draw_element("title", title, id=f"{name}-title"),
        draw_element("desc", description, id=f"{name}-description"),
        *content,
        class_=f"chart {kind}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-description",
        width="100%",
        height=height,
    )


def _write_value(value: Attribute) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


class Tone(StrEnum):
    """What a shape stands for. The style sheet has a colour for each."""

    main = "main"
    """What the chart is about; plain."""

    second = "second"
    """What it is compared with; upright stripes, or dashes."""

    bad = "bad"
    """What went wrong; slanting stripes, or short dashes."""

    doubt = "doubt"
    """What nobody knows; dots."""

    faint = "faint"
    """What was left out on purpose; level stripes."""

    quiet = "quiet"
    """What is still to come, or does not count; pale, in a frame."""


def draw_patterns(name: str, tones: Iterable[Tone]) -> Markup:
    """Make the patterns of a chart called ``name``, for :func:`choose_fill` to refer to."""
    tiles = [_draw_tile(name, tone) for tone in Tone if tone in set(tones) and tone in _MARKS]
    return draw_element("defs", *tiles) if tiles else Markup("")


def choose_fill(name: str, tone: Tone) -> dict[str, str]:
    """Choose the attributes that fill a shape of the chart called ``name`` with ``tone``."""
    if tone in _MARKS:
        return {"class_": f"shape {tone}", "fill": f"url(#{name}-{tone})"}
    return {"class_": f"shape plain {tone}"}


def draw_swatch(name: str, tone: Tone) -> Markup:
    """Make the small square that leads from a row of a table to its shape in the chart called ``name``."""
    square = draw_element("rect", x=1, y=1, width=12, height=12, **choose_fill(name, tone))
    return draw_element("svg", square, class_="swatch", width=14, height=14, aria_hidden="true")


def draw_line_sample(tone: Tone) -> Markup:
    """Make the short line that leads from a name to its line in a chart."""
    line = draw_element("line", x1=0, y1=7, x2=28, y2=7, class_=f"line {tone}")
    return draw_element("svg", line, class_="sample", width=28, height=14, aria_hidden="true")


_MARKS = {
    Tone.second: (draw_element("rect", class_="cut", width=2, height=_STEP), ""),
    Tone.faint: (draw_element("rect", class_="cut", width=_STEP, height=2), ""),
    Tone.bad: (draw_element("rect", class_="cut", width=2, height=_STEP), "rotate(45)"),
    Tone.doubt: (draw_element("circle", class_="cut", cx=3, cy=3, r=1.5), ""),
}
"""What is cut out of each tile of a tone, and how the tiles are turned."""


def _draw_tile(name: str, tone: Tone) -> Markup:
    mark, turn = _MARKS[tone]
    ground = draw_element("rect", class_=f"plain {tone}", width=_STEP, height=_STEP)
    size: dict[str, str | int] = {"width": _STEP, "height": _STEP, "patternUnits": "userSpaceOnUse"}
    if turn:
        size["patternTransform"] = turn
    return draw_element("pattern", ground, mark, id=f"{name}-{tone}", **size)


def measure_label(text: str) -> int:
    """Return how wide a text is, in Latin letters; a Chinese, Japanese or Korean character is two of them."""
    return sum(_measure_character(character) for character in text)


def shorten_label(text: str, width: int) -> str:
    """Cut ``text`` to ``width`` Latin letters, with an ellipsis if it was longer; line breaks are spaces."""
    words = " ".join(text.split())
    if measure_label(words) <= width:
        return words
    return f"{_take_start(words, width - 1).rstrip()}{_ELLIPSIS}"


def wrap_label(text: str, width: int, *, lines: int) -> tuple[str, ...]:
    """Break ``text`` into at most ``lines`` of ``width`` Latin letters, between words where there are any;
    what does not fit is cut, with an ellipsis."""
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
