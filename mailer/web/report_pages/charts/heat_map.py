"""A heat map: two axes, and in each cell a number on a ground that is the darker the larger it is."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from mailer.web.report_pages.charts.svg import draw_block, draw_chart, draw_element, draw_percent, wrap_label

_ROW = 40
_HEAD_LETTER = 7.2
_LABEL = 32
"""The width of the names of the rows, in per cent."""
_ROW_LETTERS = 13
_HEAD_LETTERS = 18
_LINES = 2
_LINE_HEIGHT = 15
STEPS = 5
"""How many grounds there are, besides none at all."""


class HeatMapCell(NamedTuple):
    """A cell: what is written in it, and the value that its ground shows, None if it must not be seen."""

    figure: str
    value: float | None


def draw_heat_map(
    *,
    name: str,
    title: str,
    description: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[HeatMapCell]]],
) -> Markup:
    """Draw a heat map of ``rows``, each a name and a cell per column. The names of the columns stand upright,
    because they are longer than a cell. ``name`` is a word of its own on the page."""
    heads = [wrap_label(column, _HEAD_LETTERS, lines=_LINES) for column in columns]
    longest = max((len(line) for head in heads for line in head), default=0)
    top = round(longest * _HEAD_LETTER) + 12
    largest = max((cell.value or 0 for _, cells in rows for cell in cells), default=0)
    width = (100 - _LABEL) / max(len(columns), 1)
    shapes = [
        *(_draw_head(head, _LABEL + width * (number + 0.5), top) for number, head in enumerate(heads)),
        *(_draw_row(row, top + number * _ROW, width, largest, name) for number, row in enumerate(rows)),
    ]
    return draw_chart(
        *(name, title, description),
        *(_draw_hidden_ground(name), *shapes),
        height=top + _ROW * len(rows),
        kind="heat",
    )


def choose_step(value: float, largest: float) -> int:
    """Choose the ground of a value: 0 for nothing, and up to :data:`STEPS` for the largest."""
    if value <= 0 or largest <= 0:
        return 0
    return max(1, min(STEPS, int(STEPS * value / largest + 0.9999)))


def _draw_head(lines: tuple[str, ...], across: float, top: int) -> Markup:
    start = 4 - _LINE_HEIGHT * (len(lines) - 1) / 2
    texts = [
        draw_element("text", line, x=0, y=start + number * _LINE_HEIGHT, class_="scale")
        for number, line in enumerate(lines)
    ]
    turned = draw_element("g", *texts, transform="rotate(-90)")
    return draw_element(
        "svg", turned, x=draw_percent(across), y=top - 8, width=1, height=1, overflow="visible"
    )


def _draw_row(
    row: tuple[str, Sequence[HeatMapCell]], top: int, width: float, largest: float, name: str
) -> Markup:
    label, cells = row
    lines = wrap_label(label, _ROW_LETTERS, lines=_LINES)
    start = _ROW / 2 + 4 - _LINE_HEIGHT * (len(lines) - 1) / 2
    texts = (
        draw_element("text", line, x=0, y=start + number * _LINE_HEIGHT) for number, line in enumerate(lines)
    )
    return draw_element(
        "g",
        # Letters may be wider than most; a label that still does not fit ends before the cells begin.
        draw_element("svg", *texts, y=top, width=draw_percent(_LABEL - 2), height=_ROW),
        *(
            shape
            for number, cell in enumerate(cells)
            for shape in _draw_cell(cell, _LABEL + number * width, top, width, largest, name)
        ),
    )


def _draw_cell(
    cell: HeatMapCell, left: float, top: int, width: float, largest: float, name: str
) -> Iterator[Markup]:
    if cell.value is None:
        yield draw_block(left, top, width, _ROW, class_="cell", fill=f"url(#{name}-hidden)")
    else:
        step = choose_step(cell.value, largest)
        yield draw_block(left, top, width, _ROW, class_=f"cell ground step-{step}")
    yield draw_element(
        "text",
        cell.figure,
        x=draw_percent(left + width / 2),
        y=top + _ROW / 2 + 5,
        text_anchor="middle",
        class_="figure",
    )


def _draw_hidden_ground(name: str) -> Markup:
    line = draw_element("rect", class_="hidden-mark", width=1, height=6)
    pattern = draw_element(
        "pattern",
        line,
        id=f"{name}-hidden",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return draw_element("defs", pattern)
