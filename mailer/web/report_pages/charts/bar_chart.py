"""Charts of bars: below each other, or one that is stacked; even the smallest value can be seen."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from mailer.web.report_pages.charts.svg import (
    Tone,
    choose_fill,
    draw_block,
    draw_chart,
    draw_element,
    draw_patterns,
    draw_percent,
    measure_label,
    shorten_label,
)

_ROW = 44
_TEXT_LINE = 16
_BAR_TOP = 23
_BAR = 11
_WIDEST_LINE = 40
"""Latin letters that fit on a line on a phone, label and figure together."""
_HEIGHT = 36
_LEAST = 1.2
"""The least width of a part, in per cent: some four pixels on a phone."""


def spread_widths(values: Sequence[float], whole: float, *, least: float) -> list[float]:
    """Share the length ``whole`` among ``values`` in proportion, but give none that counts less than
    ``least``: a bar of 100,000 readers with one in doubt must show the one. If there is no room for that, all
    that count get the same; 0 stays 0."""
    total = sum(values)
    counting = sum(1 for value in values if value > 0)
    if total <= 0 or whole <= 0:
        return [0.0] * len(values)
    if counting * least >= whole:
        # A single short bar must be seen, too.
        return [max(whole, least) / counting if value > 0 else 0.0 for value in values]
    small = _find_small(values, whole, least)
    rest = sum(value for index, value in enumerate(values) if index not in small)
    room = whole - least * len(small)
    return [
        least if index in small else room * value / rest if value > 0 else 0.0
        for index, value in enumerate(values)
    ]


def _find_small(values: Sequence[float], whole: float, least: float) -> set[int]:
    """Find which values would get less than ``least``, also once the others have given way."""
    small: set[int] = set()
    while True:
        rest = sum(value for index, value in enumerate(values) if index not in small)
        room = whole - least * len(small)
        more = {
            index
            for index, value in enumerate(values)
            if index not in small and value > 0 and room * value / rest < least
        }
        if not more:
            return small
        small |= more


class Bar(NamedTuple):
    """One row. ``figure`` is what is written at its end; ``parts`` are the values of the bar by tone, in
    order, and are empty where the figure must not be seen."""

    label: str
    figure: str
    parts: tuple[tuple[Tone, float], ...]

    @property
    def length(self) -> float:
        return sum(value for _, value in self.parts)


def draw_bars(*, name: str, title: str, bars: Sequence[Bar], description: str | None = None) -> Markup:
    """Draw bars, the longest as wide as the chart. ``name`` is a word of its own on the page. Without a
    ``description``, the labels and the figures are one."""
    if description is None:
        description = "; ".join(f"{bar.label}: {bar.figure}" for bar in bars)
    longest = max((bar.length for bar in bars), default=0) or 1
    rows = [_draw_row(name, bar, number * _ROW, longest) for number, bar in enumerate(bars)]
    tones = [tone for bar in bars for tone, _ in bar.parts]
    return draw_chart(
        *(name, title, description),
        *(draw_patterns(name, tones), *rows),
        height=max(_ROW * len(bars), 1),
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


def draw_stacked_bar(
    *, name: str, title: str, description: str, parts: Sequence[tuple[Tone, float]]
) -> Markup:
    """Draw a bar of ``parts``, a tone and a value each; a part of nothing is left out, and an empty bar is an
    empty frame. ``name`` is a word of its own on the page."""
    frame = draw_block(0, 0, 100, _HEIGHT, class_="track")
    patterns = draw_patterns(name, [tone for tone, _ in parts])
    return draw_chart(
        *(name, title, description),
        *(patterns, frame, *_draw_stack(name, [(tone, value) for tone, value in parts if value > 0])),
        height=_HEIGHT,
        kind="stacked",
    )


def _draw_stack(name: str, parts: list[tuple[Tone, float]]) -> Iterator[Markup]:
    left = 0.0
    widths = spread_widths([value for _, value in parts], 100, least=_LEAST)
    for (tone, _), width in zip(parts, widths, strict=True):
        yield draw_block(left, 0, width, _HEIGHT, **choose_fill(name, tone))
        left += width
