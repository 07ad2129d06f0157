"""Counts of people by two axes, as heat maps narrow enough for a phone."""

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.campaigns.report import Figure as Count
from mailer.campaigns.report import format_figure
from mailer.web.report_pages.charts.axis import shorten_number
from mailer.web.report_pages.charts.heat_map import HeatCell, HeatMap, draw_heat_map
from mailer.web.report_pages.section import Figure

_MOST_COLUMNS = 6
"""More would leave no room for a number in a cell on a phone; there is a map for each part."""


@dataclass(frozen=True, kw_only=True)
class NamedRow:
    """A row of a map, and its count in each column; None where it is hidden."""

    name: str
    counts: tuple[Count, ...]


def draw_heat_maps(
    *, name: str, title: str, description: str, columns: tuple[str, ...], rows: tuple[NamedRow, ...]
) -> Iterator[Figure]:
    """Draw counts as one map, or as several with some of the columns each."""
    for number, (start, end) in enumerate(_split_columns(len(columns))):
        chart = HeatMap(
            name=f"{name}-{number + 1}" if number else name,
            title=title,
            description=description,
            columns=columns[start:end],
            rows=tuple(
                (row.name, tuple(_make_cell(count) for count in row.counts[start:end])) for row in rows
            ),
        )
        yield Figure(chart=draw_heat_map(chart))


def _split_columns(number: int) -> Iterator[tuple[int, int]]:
    """Split columns into maps of about the same number of them."""
    maps = -(-number // _MOST_COLUMNS)
    for index in range(maps):
        yield number * index // maps, number * (index + 1) // maps


def _make_cell(count: Count) -> HeatCell:
    if count is None:
        return HeatCell(figure=format_figure(None), value=None)
    return HeatCell(figure=str(count) if count < 1000 else shorten_number(count), value=count)
