"""A chart of lines, and the round numbers of its axis."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from markupsafe import Markup

from mailer.web.report_pages.charts.svg import Tone, draw_chart, draw_element, draw_percent, shorten_label

_STEPS = (1, 2, 2.5, 5, 10)
_THOUSANDS = ((1_000_000_000, "bn"), (1_000_000, "m"), (1_000, "k"))
_GUTTER = 13
"""The room for the numbers at the left, in per cent: 40 pixels on a phone."""
_RIGHT = 3
"""The room for half a mark at the right, in per cent."""
_TOP = 20
_PLOT = 190
_FOOT = 28
_SCALE = 1000
_MOST_MARKS = 40
"""More marks than these would be a line of their own."""
_WIDEST_LABEL = 14
Points = Sequence[tuple[float, float]]
_MARKS = {
    Tone.main: "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    Tone.second: "M-3-3h6v6h-6z",
    Tone.bad: "M0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z",
    Tone.doubt: "M0-4l4 7h-8z",
    Tone.faint: "M-5-1.5h10v3h-10z",
    Tone.quiet: "M-1.5-5h3v10h-3z",
}
"""A disc, a square, a diamond, a triangle and two dashes, so that lines can be told apart without colour."""


class Axis(NamedTuple):
    """An axis from 0 to ``top``, with a line at each of ``ticks``."""

    top: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return where ``value`` lies between the foot (0) and the top (100) of the axis, in per cent."""
        return 100 * min(max(value / self.top, 0), 1)


def choose_axis(largest: float, *, lines: int = 4, whole: bool = True) -> Axis:
    """Choose an axis that holds ``largest`` with at most ``lines`` round steps; ``whole`` allows only whole
    numbers at the ticks."""
    if largest <= 0:
        return Axis(top=1, ticks=(0, 1))
    step = _choose_step(largest / lines)
    if whole and step != int(step):
        step = float(ceil(step))
    number = ceil(round(largest / step, 9))
    return Axis(top=step * number, ticks=tuple(step * index for index in range(number + 1)))


def shorten_number(value: float) -> str:
    """Write a number in at most four letters: 950, 1.5k, 12k, 2m."""
    for size, letter in _THOUSANDS:
        # 999,600 are a million and not 1000k.
        if value >= size * 0.9995:
            return f"{_round_to_two(value / size)}{letter}"
    return f"{value:.3g}"


def _round_to_two(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def _choose_step(least: float) -> float:
    size = 10.0 ** floor(log10(least))
    return next(step * size for step in _STEPS if step * size >= least * (1 - 1e-9))


class Line(NamedTuple):
    """One line: where it is at each of ``points`` along the axis; None where it is not known or must not be
    seen, which leaves a gap. ``label`` is for the key beside the chart."""

    label: str
    tone: Tone
    values: tuple[float | None, ...]


def draw_lines(
    *,
    name: str,
    title: str,
    description: str,
    places: Sequence[float],
    ticks: Sequence[str],
    lines: Sequence[Line],
    unit: str = "",
    top: float | None = None,
) -> Markup:
    """Draw lines over a grid. ``places`` are where the values lie from left to right, in any unit, rising;
    ``ticks`` name the left end, the middle and the right end, or fewer. ``unit`` follows the numbers."""
    values = [value for line in lines for value in line.values if value is not None]
    axis = choose_axis(top or max(values, default=0), whole=not unit)
    across = _spread_places(places)
    plot = draw_element(
        "svg",
        *(mark for line in lines for mark in _draw_line(line, across, axis)),
        x=draw_percent(_GUTTER),
        y=_TOP,
        width=draw_percent(100 - _GUTTER - _RIGHT),
        height=_PLOT,
        overflow="visible",
    )
    return draw_chart(
        *(name, title, description),
        *(*_draw_grid(axis, unit), plot, *_draw_ticks(ticks)),
        height=_TOP + _PLOT + _FOOT,
        kind="lines",
    )


def _spread_places(places: Sequence[float]) -> list[float]:
    if not places:
        return []
    first, last = places[0], places[-1]
    if last <= first:
        return [50.0] * len(places)
    return [100 * (place - first) / (last - first) for place in places]


def _draw_grid(axis: Axis, unit: str) -> Iterator[Markup]:
    for tick in axis.ticks:
        height = _TOP + _PLOT * (1 - axis.place(tick) / 100)
        words = f"{shorten_number(tick)}{unit}"
        kind = "grid foot" if tick == 0 else "grid"
        yield draw_element("line", x1=0, x2="100%", y1=height, y2=height, class_=kind)
        yield draw_element("text", words, x=0, y=height - 5, class_="scale")


def _draw_ticks(ticks: Sequence[str]) -> Iterator[Markup]:
    right = 100 - _RIGHT
    places = {
        1: ((50, "middle"),),
        2: ((_GUTTER, "start"), (right, "end")),
        3: ((_GUTTER, "start"), ((_GUTTER + right) / 2, "middle"), (right, "end")),
    }
    for words, (across, anchor) in zip(ticks, places.get(len(ticks), ()), strict=True):
        yield draw_element(
            "text",
            shorten_label(words, _WIDEST_LABEL),
            x=draw_percent(across),
            y=_TOP + _PLOT + 20,
            text_anchor=anchor,
            class_="scale",
        )


def _draw_line(line: Line, across: Sequence[float], axis: Axis) -> Iterator[Markup]:
    runs = list(_split_runs(line.values, across, axis))
    for run in runs:
        if len(run) > 1:
            yield _draw_run(run, line.tone)
    number = sum(len(run) for run in runs)
    for run in runs:
        if number <= _MOST_MARKS or len(run) == 1:
            yield from (_draw_mark(point, line.tone) for point in run)


def _split_runs(
    values: Sequence[float | None], across: Sequence[float], axis: Axis
) -> Iterator[list[tuple[float, float]]]:
    """Split a line at its gaps; the points are in per cent from the left and from the top."""
    run: list[tuple[float, float]] = []
    for left, value in zip(across, values, strict=True):
        if value is not None:
            run.append((left, 100 - axis.place(value)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _draw_run(run: Points, tone: Tone) -> Markup:
    # A path knows no per cent, so it has a stretched square of its own; its stroke is not stretched.
    scale = _SCALE / 100
    points = " ".join(f"{left * scale:.1f},{height * scale:.1f}" for left, height in run)
    line = draw_element("polyline", points=points, class_=f"line {tone}", vector_effect="non-scaling-stroke")
    return draw_element(
        "svg",
        line,
        width="100%",
        height="100%",
        viewBox=f"0 0 {_SCALE} {_SCALE}",
        preserveAspectRatio="none",
        overflow="visible",
    )


def _draw_mark(point: tuple[float, float], tone: Tone) -> Markup:
    left, height = point
    shape = draw_element("path", d=_MARKS[tone], class_=f"mark {tone}")
    return draw_element(
        "svg", shape, x=draw_percent(left), y=draw_percent(height), width=1, height=1, overflow="visible"
    )
