"""Which links were followed, and counts by two axes as heat maps narrow enough for a phone."""

from collections.abc import Iterator, Mapping, Sequence

from mailer.campaigns.report.clicks import ClickCell, ClickReport, LinkClicks
from mailer.campaigns.report.disclosure import Figure as Count
from mailer.campaigns.report.disclosure import format_figure
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import Bar, draw_bars
from mailer.web.report_pages.charts.heat_map import HeatMapCell, draw_heat_map
from mailer.web.report_pages.charts.line_chart import shorten_number
from mailer.web.report_pages.charts.svg import Tone, draw_swatch
from mailer.web.report_pages.section import (
    Figure,
    PageSection,
    Table,
    Viewer,
    format_number,
    make_table,
)

_MOST_COLUMNS = 6
"""More would leave no room for a number in a cell on a phone; there is a map for each part."""
_NAME = "links"
_MOST_BARS = 10
_MOST_ROWS = 60
_MOST_COUNTRIES = 25
_OPENS_NOTE = gettext_noop(
    "Opens are not counted: Apple Mail and Gmail fetch the pictures of a mail whether or not anybody reads "
    "it, so their number would tell nothing true."
)


def draw_heat_maps(
    *,
    name: str,
    title: str,
    description: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Count]]],
) -> Iterator[Figure]:
    """Draw counts as one map, or as several with some of the columns each. A row is a name and its count in
    each column; None where it is hidden."""
    for number, (start, end) in enumerate(_split_columns(len(columns))):
        chart = draw_heat_map(
            name=f"{name}-{number + 1}" if number else name,
            title=title,
            description=description,
            columns=columns[start:end],
            rows=[(label, [_make_cell(count) for count in counts[start:end]]) for label, counts in rows],
        )
        yield Figure(chart=chart)


def _split_columns(number: int) -> Iterator[tuple[int, int]]:
    maps = -(-number // _MOST_COLUMNS)
    for index in range(maps):
        yield number * index // maps, number * (index + 1) // maps


def _make_cell(count: Count) -> HeatMapCell:
    if count is None:
        return HeatMapCell(figure=format_figure(None), value=None)
    return HeatMapCell(figure=str(count) if count < 1000 else shorten_number(count), value=count)


def describe_links(found: ClickReport | None, counted: str, viewer: Viewer) -> PageSection:
    """Show which links were followed; say it if clicks were not counted, and why opens never are."""
    title = viewer.gettext("Links")
    if found is None:
        lead = viewer.gettext("Clicks were not counted for this campaign.")
        return PageSection(name=_NAME, title=title, lead=lead, notes=(viewer.gettext(_OPENS_NOTE),))
    followed = sorted(
        (link for link in found.links if link.people != 0 or link.scanners),
        key=lambda link: (-(link.people or 0), link.number),
    )
    figures = [_draw_links(found, followed, viewer)] if followed else []
    tables = (_make_table(followed, viewer), _make_places(found, viewer))
    return PageSection(
        name=_NAME,
        title=title,
        lead=_describe_numbers(found, viewer),
        counted=counted,
        figures=(*figures, *_draw_places(found, viewer)),
        tables=tuple(table for table in tables if table.rows),
        notes=tuple(_list_notes(found, followed, viewer)),
    )


def _describe_numbers(found: ClickReport, viewer: Viewer) -> str:
    programs = viewer.ngettext(
        "%(num)s program that looks for dangerous links",
        "%(num)s programs that look for dangerous links",
        found.scanners,
    )
    if found.people is None:
        words = gettext_noop("Fewer than five people have followed a link, and %(programs)s.")
        return viewer.gettext(words, programs=programs)
    return viewer.ngettext(
        "%(num)s person has followed a link, and %(programs)s.",
        "%(num)s people have followed a link, and %(programs)s.",
        found.people,
        programs=programs,
    )


def _list_notes(found: ClickReport, followed: list[LinkClicks], viewer: Viewer) -> Iterator[str]:
    if found.waiting:
        yield viewer.ngettext(
            "%(num)s more visit is not told apart yet; `mailer work` does that.",
            "%(num)s more visits are not told apart yet; `mailer work` does that.",
            found.waiting,
        )
    if len(followed) > _MOST_ROWS:
        words = gettext_noop("The %(number)s links that most people followed are shown, of %(all)s.")
        yield viewer.gettext(words, number=_MOST_ROWS, all=format_number(len(followed)))
    hidden = (link.people is None for link in followed)
    if any(hidden) or any(cell.people is None for cell in found.cells):
        yield viewer.hidden_note
    yield viewer.gettext(_OPENS_NOTE)


def _draw_links(found: ClickReport, followed: list[LinkClicks], viewer: Viewer) -> Figure:
    chart = draw_bars(
        name=_NAME,
        title=viewer.gettext("Links, by number of people who followed them"),
        description=_describe_numbers(found, viewer),
        bars=tuple(
            Bar(
                label=link.label or link.url,
                figure=f"{format_figure(link.people)} · {format_number(link.scanners)}",
                parts=((Tone.main, link.people or 0), (Tone.second, link.scanners)),
            )
            for link in followed[:_MOST_BARS]
        ),
    )
    key = (
        (draw_swatch(_NAME, Tone.main), viewer.gettext("People")),
        (draw_swatch(_NAME, Tone.second), viewer.gettext("Programs")),
    )
    return Figure(chart=chart, key=key)


def _make_table(followed: list[LinkClicks], viewer: Viewer) -> Table:
    columns = (viewer.gettext("Link"), viewer.gettext("People"), viewer.gettext("Programs"))
    rows = (
        (_name_link(link), format_figure(link.people), format_number(link.scanners))
        for link in followed[:_MOST_ROWS]
    )
    return make_table(viewer.gettext("Links that were followed"), columns, rows)


def _name_link(link: LinkClicks) -> str:
    words = link.label or link.url
    return f"{words} ({link.story})" if link.story else words


def _list_countries(found: ClickReport) -> list[ClickCell]:
    of_country = [cell for cell in found.cells if cell.country is not None and cell.sector is None]
    return sorted(of_country, key=lambda cell: (-(cell.people or 0), cell.country))


def _make_places(found: ClickReport, viewer: Viewer) -> Table:
    columns = (viewer.gettext("Country"), viewer.gettext("People"), viewer.gettext("Programs"))
    rows = (
        (_name_country(cell, viewer), format_figure(cell.people), format_number(cell.scanners))
        for cell in _list_countries(found)
    )
    return make_table(viewer.gettext("Partners who followed a link, by country"), columns, rows)


def _name_country(cell: ClickCell, viewer: Viewer) -> str:
    unknown = gettext_noop("Country unknown")
    return viewer.vocabulary.country(cell.country) if cell.country else viewer.gettext(unknown)


def _draw_places(found: ClickReport, viewer: Viewer) -> Iterator[Figure]:
    sectors = [cell.sector for cell in found.cells if cell.country is None and cell.sector is not None]
    by_place: Mapping[tuple[str | None, str | None], ClickCell] = {
        (cell.country, cell.sector): cell for cell in found.cells
    }
    rows = tuple(
        (
            _name_country(country, viewer),
            # A cell that is not there is of nobody.
            [
                by_place[country.country, sector].people if (country.country, sector) in by_place else 0
                for sector in sectors
            ],
        )
        for country in _list_countries(found)[:_MOST_COUNTRIES]
    )
    if rows and sectors:
        no_sector = viewer.gettext("No sector")
        yield from draw_heat_maps(
            name=f"{_NAME}-places",
            title=viewer.gettext("People who followed a link, by country and sector"),
            description=_describe_numbers(found, viewer),
            columns=tuple(viewer.vocabulary.sector(slug) if slug else no_sector for slug in sectors),
            rows=rows,
        )
