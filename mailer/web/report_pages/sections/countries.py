"""The readers by country and by the sectors they follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailer.campaigns.report import Breakdown, BreakdownRow, CampaignReport, format_figure
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.sections.heat_maps import NamedRow, draw_heat_maps
from mailer.web.report_pages.viewer import Viewer
from subscribers.segments.term_description import Vocabulary

_NAME = "countries"
_MOST_ROWS = 25
"""More rows than these are in the table alone."""

_NO_SECTOR = gettext_noop("No sector")
_ALL_COUNTRIES = gettext_noop("All countries")


def describe_countries(
    report: CampaignReport, vocabulary: Vocabulary, counted: str, viewer: Viewer
) -> Section | None:
    """Show the readers by country and sector; None if nobody is to be counted."""
    found = report.breakdown
    if found is None:
        return None
    rows = found.rows or (found.total,)
    several = len(found.rows) > 1
    words = _Words(vocabulary=vocabulary, viewer=viewer)
    return Section(
        name=_NAME,
        title=viewer.gettext(gettext_noop("By country and sector")),
        lead=_describe_largest(found, words),
        counted=counted,
        figures=tuple(_draw_figures(found, rows, words)),
        tables=(_make_table(found, rows, words, several=several),),
        folded=(_make_sector_table(found, rows, words, several=several),) if found.sectors else (),
        notes=tuple(_list_notes(found, viewer)),
    )


@dataclass(frozen=True, kw_only=True)
class _Words:
    """The names of countries and sectors, and the viewer's language."""

    vocabulary: Vocabulary
    viewer: Viewer

    def say(self, message: str, **values: object) -> str:
        return self.viewer.gettext(message, **values)

    def name_row(self, row: BreakdownRow) -> str:
        if not row.countries:
            return self.say(_ALL_COUNTRIES)
        if len(row.countries) > 1:
            return self.viewer.ngettext(
                "%(num)s other country", "%(num)s other countries", len(row.countries)
            )
        (code,) = row.countries
        return self.say(gettext_noop("Country unknown")) if code is None else self.vocabulary.country(code)

    def name_sectors(self, found: Breakdown) -> tuple[str, ...]:
        return (*(self.vocabulary.sector(slug) for slug in found.sectors), self.say(_NO_SECTOR))


def _describe_largest(found: Breakdown, words: _Words) -> str:
    if not found.rows or found.rows[0].sent is None or not found.total.sent:
        return ""
    largest = found.rows[0]
    return words.say(
        gettext_noop("Most partners are in %(country)s: %(number)s of the %(all)s who got it."),
        country=words.name_row(largest),
        number=format_figure(largest.sent),
        all=format_figure(found.total.sent),
    )


def _list_notes(found: Breakdown, viewer: Viewer) -> Iterator[str]:
    if found.sectors:
        yield viewer.gettext(gettext_noop("Who follows two sectors is counted in both."))
    if len(found.rows) > _MOST_ROWS:
        words = gettext_noop("The chart has the %(number)s largest countries, the table has all.")
        yield viewer.gettext(words, number=_MOST_ROWS)
    if found.hides:
        yield viewer.hidden_note


def _draw_figures(found: Breakdown, rows: Sequence[BreakdownRow], words: _Words) -> Iterator[Figure]:
    description = _describe_largest(found, words)
    shown = rows[:_MOST_ROWS]
    if not found.sectors:
        chart = BarChart(
            name=_NAME,
            title=words.say(gettext_noop("Partners who got it, by country")),
            description=description,
            bars=tuple(_make_bar(row, words) for row in shown),
        )
        yield Figure(chart=draw_bars(chart))
        return
    yield from draw_heat_maps(
        name=_NAME,
        title=words.say(gettext_noop("Partners who got it, by country and sector")),
        description=description,
        columns=words.name_sectors(found),
        rows=tuple(
            NamedRow(name=words.name_row(row), counts=(*row.by_sector, row.no_sector)) for row in shown
        ),
    )


def _make_bar(row: BreakdownRow, words: _Words) -> Bar:
    parts = () if row.sent is None else ((Tone.main, float(row.sent)),)
    return Bar(label=words.name_row(row), figure=format_figure(row.sent), parts=parts)


def _make_table(found: Breakdown, rows: Sequence[BreakdownRow], words: _Words, *, several: bool) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (row.sent, row.not_sent, row.left)))

    columns = (
        *(gettext_noop("Country"), gettext_noop("Got it"), gettext_noop("Not"), gettext_noop("Left since")),
    )
    return Table(
        caption=words.say(gettext_noop("Partners by country")),
        columns=name_columns(*map(words.say, columns)),
        rows=tuple(make_cells(*make_row(row, words.name_row(row))) for row in rows),
        total=make_cells(*make_row(found.total, words.say(_ALL_COUNTRIES))) if several else (),
    )


def _make_sector_table(
    found: Breakdown, rows: Sequence[BreakdownRow], words: _Words, *, several: bool
) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (*row.by_sector, row.no_sector)))

    return Table(
        caption=words.say(gettext_noop("Partners who got it, by country and sector, as a table")),
        columns=name_columns(words.say(gettext_noop("Country")), *words.name_sectors(found)),
        rows=tuple(make_cells(*make_row(row, words.name_row(row))) for row in rows),
        total=make_cells(*make_row(found.total, words.say(_ALL_COUNTRIES))) if several else (),
        broad=True,
    )
