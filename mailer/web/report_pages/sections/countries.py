"""The readers by country and by the sectors they follow."""

from collections.abc import Iterator, Sequence

from mailer.campaigns.report import (
    HIDDEN_NOTE,
    Breakdown,
    BreakdownRow,
    CampaignReport,
    format_figure,
)
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.sections.heat_maps import NamedRow, draw_heat_maps
from subscribers.segments.term_description import Vocabulary

_NAME = "countries"
_MOST_ROWS = 25
"""More rows than these are in the table alone."""


def describe_countries(report: CampaignReport, vocabulary: Vocabulary, counted: str) -> Section | None:
    """Show the readers by country and sector; None if nobody is to be counted."""
    found = report.breakdown
    if found is None:
        return None
    rows = found.rows or (found.total,)
    several = len(found.rows) > 1
    return Section(
        name=_NAME,
        title="By country and sector",
        lead=_describe_largest(found, vocabulary),
        counted=counted,
        figures=tuple(_draw_figures(found, rows, vocabulary)),
        tables=(_make_table(found, rows, vocabulary, several=several),),
        folded=(_make_sector_table(found, rows, vocabulary, several=several),) if found.sectors else (),
        notes=tuple(_list_notes(found)),
    )


def _describe_largest(found: Breakdown, vocabulary: Vocabulary) -> str:
    if not found.rows or found.rows[0].sent is None or not found.total.sent:
        return ""
    largest = found.rows[0]
    return (
        f"Most readers are in {_name_row(largest, vocabulary)}: {format_figure(largest.sent)} of the "
        f"{format_figure(found.total.sent)} who got it."
    )


def _list_notes(found: Breakdown) -> Iterator[str]:
    if found.sectors:
        yield "Who follows two sectors is counted in both."
    if len(found.rows) > _MOST_ROWS:
        yield f"The chart has the {_MOST_ROWS} largest countries, the table has all."
    if found.hides:
        yield HIDDEN_NOTE


def _draw_figures(found: Breakdown, rows: Sequence[BreakdownRow], vocabulary: Vocabulary) -> Iterator[Figure]:
    title = "Readers who got it, by country and sector"
    description = _describe_largest(found, vocabulary)
    shown = rows[:_MOST_ROWS]
    if not found.sectors:
        bars = tuple(_make_bar(row, vocabulary) for row in shown)
        chart = BarChart(
            name=_NAME, title="Readers who got it, by country", description=description, bars=bars
        )
        yield Figure(chart=draw_bars(chart))
        return
    yield from draw_heat_maps(
        name=_NAME,
        title=title,
        description=description,
        columns=(*(vocabulary.sector(slug) for slug in found.sectors), "No sector"),
        rows=tuple(
            NamedRow(name=_name_row(row, vocabulary), counts=(*row.by_sector, row.no_sector)) for row in shown
        ),
    )


def _make_bar(row: BreakdownRow, vocabulary: Vocabulary) -> Bar:
    parts = () if row.sent is None else ((Tone.main, float(row.sent)),)
    return Bar(label=_name_row(row, vocabulary), figure=format_figure(row.sent), parts=parts)


def _make_table(
    found: Breakdown, rows: Sequence[BreakdownRow], vocabulary: Vocabulary, *, several: bool
) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (row.sent, row.not_sent, row.left)))

    return Table(
        caption="Readers by country",
        columns=name_columns("Country", "Got it", "Not", "Left since"),
        rows=tuple(make_cells(*make_row(row, _name_row(row, vocabulary))) for row in rows),
        total=make_cells(*make_row(found.total, "All countries")) if several else (),
    )


def _make_sector_table(
    found: Breakdown, rows: Sequence[BreakdownRow], vocabulary: Vocabulary, *, several: bool
) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (*row.by_sector, row.no_sector)))

    return Table(
        caption="Readers who got it, by country and sector, as a table",
        columns=name_columns("Country", *(vocabulary.sector(slug) for slug in found.sectors), "No sector"),
        rows=tuple(make_cells(*make_row(row, _name_row(row, vocabulary))) for row in rows),
        total=make_cells(*make_row(found.total, "All countries")) if several else (),
        broad=True,
    )


def _name_row(row: BreakdownRow, vocabulary: Vocabulary) -> str:
    if not row.countries:
        return "All countries"
    if len(row.countries) > 1:
        return f"{len(row.countries)} other countries"
    (code,) = row.countries
    return "Country unknown" if code is None else vocabulary.country(code)
