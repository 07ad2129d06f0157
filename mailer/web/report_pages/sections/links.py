"""Which links were followed, by people and by programs, and from where."""

from collections.abc import Iterator, Mapping

from mailer.campaigns.report import HIDDEN_NOTE, format_figure
from mailer.campaigns.report.clicks import ClickCell, ClickReport, LinkClicks
from mailer.campaigns.report.sections import OPENS_NOTE
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone, draw_swatch
from mailer.web.report_pages.figure_format import format_number
from mailer.web.report_pages.section import Cell, Figure, Key, Section, Table, make_cells, name_columns
from mailer.web.report_pages.sections.heat_maps import NamedRow, draw_heat_maps
from subscribers.segments.term_description import Vocabulary

_NAME = "links"
_MOST_BARS = 10
_MOST_ROWS = 60
_MOST_COUNTRIES = 25


def describe_links(found: ClickReport | None, vocabulary: Vocabulary, counted: str) -> Section:
    """Show which links were followed; say it if clicks were not counted, and why opens never are."""
    title = "Links"
    if found is None:
        lead = "Clicks were not counted for this campaign."
        return Section(name=_NAME, title=title, lead=lead, notes=(OPENS_NOTE,))
    followed = sorted(
        (link for link in found.links if link.people != 0 or link.scanners),
        key=lambda link: (-(link.people or 0), link.number),
    )
    figures = [Figure(chart=draw_bars(_make_chart(found, followed)), key=_make_key())] if followed else []
    return Section(
        name=_NAME,
        title=title,
        lead=_describe_numbers(found),
        counted=counted,
        figures=(*figures, *_draw_places(found, vocabulary)),
        tables=tuple(
            table for table in (_make_table(followed), _make_places(found, vocabulary)) if table.rows
        ),
        notes=tuple(_list_notes(found, followed)),
    )


def _describe_numbers(found: ClickReport) -> str:
    people = "Fewer than five people" if found.people is None else f"{found.people:,} people"
    if found.people == 1:
        people = "One person"
    verb = "has" if found.people == 1 else "have"
    programs = f"{found.scanners:,} program{'' if found.scanners == 1 else 's'}"
    return f"{people} {verb} followed a link, and {programs} that look for dangerous links."


def _list_notes(found: ClickReport, followed: list[LinkClicks]) -> Iterator[str]:
    if found.waiting:
        yield f"{found.waiting:,} more visits are not told apart yet; `mailer work` does that."
    if len(followed) > _MOST_ROWS:
        yield f"The {_MOST_ROWS} links that most people followed are shown, of {len(followed):,}."
    hidden = (link.people is None for link in followed)
    if any(hidden) or any(cell.people is None for cell in found.cells):
        yield HIDDEN_NOTE
    yield OPENS_NOTE


def _make_key() -> tuple[Key, ...]:
    return (
        Key(sample=draw_swatch(_NAME, Tone.main), words="People"),
        Key(sample=draw_swatch(_NAME, Tone.second), words="Programs"),
    )


def _make_chart(found: ClickReport, followed: list[LinkClicks]) -> BarChart:
    return BarChart(
        name=_NAME,
        title="Links, by number of people who followed them",
        description=_describe_numbers(found),
        bars=tuple(
            Bar(
                label=link.label or link.url,
                figure=f"{format_figure(link.people)} · {format_number(link.scanners)}",
                parts=((Tone.main, link.people or 0), (Tone.second, link.scanners)),
            )
            for link in followed[:_MOST_BARS]
        ),
    )


def _make_table(followed: list[LinkClicks]) -> Table:
    return Table(
        caption="Links that were followed",
        columns=name_columns("Link", "People", "Programs"),
        rows=tuple(
            (
                Cell(text=_name_link(link)),
                Cell(text=format_figure(link.people)),
                Cell(text=format_number(link.scanners)),
            )
            for link in followed[:_MOST_ROWS]
        ),
    )


def _name_link(link: LinkClicks) -> str:
    words = link.label or link.url
    return f"{words} ({link.story})" if link.story else words


def _list_countries(found: ClickReport) -> list[ClickCell]:
    of_country = [cell for cell in found.cells if cell.country is not None and cell.sector is None]
    return sorted(of_country, key=lambda cell: (-(cell.people or 0), cell.country))


def _make_places(found: ClickReport, vocabulary: Vocabulary) -> Table:
    return Table(
        caption="Readers who followed a link, by country",
        columns=name_columns("Country", "People", "Programs"),
        rows=tuple(
            make_cells(
                _name_country(cell, vocabulary), format_figure(cell.people), format_number(cell.scanners)
            )
            for cell in _list_countries(found)
        ),
    )


def _name_country(cell: ClickCell, vocabulary: Vocabulary) -> str:
    return vocabulary.country(cell.country) if cell.country else "Country unknown"


def _draw_places(found: ClickReport, vocabulary: Vocabulary) -> Iterator[Figure]:
    sectors = [cell.sector for cell in found.cells if cell.country is None and cell.sector is not None]
    by_place: Mapping[tuple[str | None, str | None], ClickCell] = {
        (cell.country, cell.sector): cell for cell in found.cells
    }
    rows = tuple(
        NamedRow(
            name=_name_country(country, vocabulary),
            # A cell that is not there is of nobody.
            counts=tuple(
                by_place[country.country, sector].people if (country.country, sector) in by_place else 0
                for sector in sectors
            ),
        )
        for country in _list_countries(found)[:_MOST_COUNTRIES]
    )
    if rows and sectors:
        yield from draw_heat_maps(
            name=f"{_NAME}-places",
            title="People who followed a link, by country and sector",
            description=_describe_numbers(found),
            columns=tuple(vocabulary.sector(slug) if slug else "No sector" for slug in sectors),
            rows=rows,
        )
