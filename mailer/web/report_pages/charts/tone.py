"""What a shape in a chart stands for: its colour, and the pattern that says the same without colour."""

from collections.abc import Iterable
from enum import StrEnum

from markupsafe import Markup

from mailer.web.report_pages.charts.svg_element import draw_element


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


_STEP = 6
"""The size of a tile of a pattern, in pixels."""


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
