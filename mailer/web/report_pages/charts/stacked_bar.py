"""One bar of several parts that make a whole, as the ledger's equation does."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from mailer.web.report_pages.charts.shares import spread_widths
from mailer.web.report_pages.charts.svg_element import draw_block, draw_chart
from mailer.web.report_pages.charts.tone import Tone, choose_fill, draw_patterns

_HEIGHT = 36
_LEAST = 1.2
"""The least width of a part, in per cent: some four pixels on a phone."""


@dataclass(frozen=True, kw_only=True)
class StackedBar:
    """A bar of ``parts``: a tone and a value each. ``name`` is a word of its own on the page."""

    name: str
    title: str
    description: str
    parts: tuple[tuple[Tone, float], ...]


def draw_stacked_bar(chart: StackedBar) -> Markup:
    """Draw the bar; a part of nothing is left out, and an empty bar is an empty frame."""
    shown = [(tone, value) for tone, value in chart.parts if value > 0]
    frame = draw_block(0, 0, 100, _HEIGHT, class_="track")
    parts = _draw_parts(chart.name, shown)
    patterns = draw_patterns(chart.name, [tone for tone, _ in chart.parts])
    return draw_chart(
        *(chart.name, chart.title, chart.description),
        *(patterns, frame, *parts),
        height=_HEIGHT,
        kind="stacked",
    )


def _draw_parts(name: str, parts: list[tuple[Tone, float]]) -> Iterator[Markup]:
    left = 0.0
    widths = spread_widths([value for _, value in parts], 100, least=_LEAST)
    for (tone, _), width in zip(parts, widths, strict=True):
        yield draw_block(left, 0, width, _HEIGHT, **choose_fill(name, tone))
        left += width
