"""Bars below each other: a label, what it came to, and a bar as long as that."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from mailer.web.report_pages.charts.label import measure_label, shorten_label
from mailer.web.report_pages.charts.shares import spread_widths
from mailer.web.report_pages.charts.svg_element import draw_block, draw_chart, draw_element, draw_percent
from mailer.web.report_pages.charts.tone import Tone, choose_fill, draw_patterns

_ROW = 44
_TEXT_LINE = 16
_BAR_TOP = 23
_BAR = 11
_WIDEST_LINE = 40
"""Latin letters that fit on a line on a phone, label and figure together."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row. ``figure`` is what is written at its end; ``parts`` are the values of the bar by tone, in
    order, and are empty where the figure must not be seen."""

    label: str
    figure: str
    parts: tuple[tuple[Tone, float], ...]

    @property
    def length(self) -> float:
        return sum(value for _, value in self.parts)


@dataclass(frozen=True, kw_only=True)
class BarChart:
    """A chart of bars. ``name`` is a word of its own on the page; ``longest`` is the value of a whole bar,
    that of the longest row if None."""

    name: str
    title: str
    description: str
    bars: tuple[Bar, ...]
    longest: float | None = None


def draw_bars(chart: BarChart) -> Markup:
    """Draw the bars of a chart below each other."""
    longest = chart.longest or max((bar.length for bar in chart.bars), default=0) or 1
    rows = [_draw_row(chart.name, bar, number * _ROW, longest) for number, bar in enumerate(chart.bars)]
    tones = [tone for bar in chart.bars for tone, _ in bar.parts]
    return draw_chart(
        *(chart.name, chart.title, chart.description),
        *(draw_patterns(chart.name, tones), *rows),
        height=max(_ROW * len(chart.bars), 1),
        kind="bars",
    )


def _draw_row(name: str, bar: Bar, top: int, longest: float) -> Markup:
    room = max(_WIDEST_LINE - measure_label(bar.figure) - 2, 8)
    label = draw_element("text", shorten_label(bar.label, room), x=0, y=_TEXT_LINE)
    return draw_element(
        "g",
        # Letters may be wider than most; a label that still does not fit ends before the figure begins.
        draw_element("svg", label, y=top, width=draw_percent(100 * room / _WIDEST_LINE), height=_BAR_TOP),
        draw_element("text", bar.figure, x="100%", y=top + _TEXT_LINE, text_anchor="end", class_="figure"),
        draw_block(0, top + _BAR_TOP, 100, _BAR, class_="track"),
        *_draw_parts(name, bar, top + _BAR_TOP, longest),
    )


def _draw_parts(name: str, bar: Bar, top: int, longest: float) -> Iterator[Markup]:
    values = [value for _, value in bar.parts]
    widths = spread_widths(values, 100 * min(bar.length / longest, 1), least=0.7)
    left = 0.0
    for (tone, _), width in zip(bar.parts, widths, strict=True):
        if width:
            yield draw_block(left, top, width, _BAR, **choose_fill(name, tone))
        left += width
