"""The page of all campaigns over time, and of the growth of the list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from mailer.campaigns.report import HIDDEN_NOTE, CampaignFigures, ListMonth, TimeLine, format_figure
from mailer.web.report_pages.charts.line_chart import Line, LineChart, draw_lines
from mailer.web.report_pages.charts.tone import Tone, draw_line_sample
from mailer.web.report_pages.figure_format import format_counted, format_known, format_number, format_share
from mailer.web.report_pages.section import (
    COUNTED_LATE,
    Cell,
    Figure,
    Key,
    Section,
    Table,
    make_cells,
    name_columns,
)
from mailer.web.report_pages.viewer import ON_OWN_MACHINE, Viewer

_MOST_MONTHS = 12
_MOST_ROWS = 30
"""Campaigns in the tables that are open; older ones are folded, year by year."""


@dataclass(frozen=True, kw_only=True)
class OverviewPage:
    """What the page of all campaigns shows; no ``sections`` if none was launched."""

    lead: str
    sections: tuple[Section, ...]


def describe_overview(found: TimeLine, *, now: datetime, viewer: Viewer = ON_OWN_MACHINE) -> OverviewPage:
    """Make the page of all campaigns, for ``viewer``; ``now`` (aware) tells counted today from before."""
    if not found.campaigns:
        return OverviewPage(
            lead="No campaign has been launched yet.", sections=tuple(_list_growth(found, now))
        )
    number = len(found.campaigns)
    first, last = found.campaigns[-1], found.campaigns[0]
    span = _name_month(first.launched_at)
    if _name_month(last.launched_at) != span:
        span = f"{span} to {_name_month(last.launched_at)}"
    lead = f"{number:,} campaign{'' if number == 1 else 's'}, {span}."
    trends = (_describe_readers(found), _describe_losses(found)) if number > 1 else ()
    return OverviewPage(
        lead=lead, sections=(*trends, *_list_growth(found, now), _describe_campaigns(found.campaigns, viewer))
    )


def _name_month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%B %Y}"


def _describe_readers(found: TimeLine) -> Section:
    shown = found.campaigns[::-1]
    most = max(shown, key=lambda one: one.sent or 0)
    lead = f"The most messages were sent for {most.edition_label}: {format_number(most.sent or 0)}."
    lines = (
        Line(label="Readers", tone=Tone.second, values=tuple(one.audience for one in shown)),
        Line(label="Sent", tone=Tone.main, values=tuple(one.sent for one in shown)),
    )
    return _make_trend("readers", "Readers of each campaign", lead, shown, lines)


def _describe_losses(found: TimeLine) -> Section:
    shown = found.campaigns[::-1]
    known = [(one.rejected, one.audience) for one in shown if one.rejected is not None]
    refused, whole = (sum(numbers) for numbers in zip(*known, strict=True)) if known else (0, 0)
    lead = f"Mail servers refused {format_share(refused, whole)} of all mails." if whole else ""
    lines = (
        Line(label="Refused", tone=Tone.bad, values=tuple(_percent(one, one.rejected) for one in shown)),
        Line(label="Left since", tone=Tone.main, values=tuple(_percent(one, one.left) for one in shown)),
    )
    return _make_trend("losses", "Refused and left, as shares of the readers", lead, shown, lines, unit="%")


def _percent(figures: CampaignFigures, number: int | None) -> float | None:
    share = figures.share(number)
    return None if share is None else 100 * share


def _make_trend(
    name: str,
    title: str,
    lead: str,
    shown: Sequence[CampaignFigures],
    lines: tuple[Line, ...],
    *,
    unit: str = "",
) -> Section:
    chart = LineChart(
        name=name,
        title=title,
        description=lead,
        places=tuple(one.launched_at.timestamp() for one in shown),
        ticks=_choose_ticks(shown[0].launched_at, shown[-1].launched_at),
        lines=lines,
        unit=unit,
    )
    key = tuple(Key(sample=draw_line_sample(line.tone), words=line.label) for line in lines)
    return Section(
        name=name,
        title=title,
        lead=lead,
        figures=(Figure(chart=draw_lines(chart), key=key),),
        wide=True,
    )


def _choose_ticks(first: datetime, last: datetime) -> tuple[str, ...]:
    words = [f"{moment.astimezone(UTC):%b %Y}" for moment in (first, first + (last - first) / 2, last)]
    return (
        tuple(words)
        if len(set(words)) == len(words)
        else (words[0],)
        if words[0] == words[2]
        else (words[0], words[2])
    )


def _list_growth(found: TimeLine, now: datetime) -> Iterator[Section]:
    months = found.months
    if months is None:
        yield Section(name="list", title="The list", lead=COUNTED_LATE)
    if not months:
        return
    shown = months[-_MOST_MONTHS:]
    lead = _describe_growth(months)
    chart = LineChart(
        name="list",
        title="People on the list, by month",
        description=lead,
        places=tuple(range(len(months))),
        ticks=tuple(_spell_month(month.month) for month in (months[:1] + months[1:][-1:])),
        lines=(Line(label="On the list", tone=Tone.main, values=tuple(month.people for month in months)),),
    )
    notes = [HIDDEN_NOTE] if any(None in (one.joined, one.left, one.people) for one in months) else []
    if len(months) > len(shown):
        notes.insert(0, f"The table has the last {_MOST_MONTHS} months, the chart all {len(months):,}.")
    yield Section(
        name="list",
        title="The list",
        lead=lead,
        counted=format_counted(found.counted_at, now),
        figures=(Figure(chart=draw_lines(chart)),),
        tables=(_make_month_table(shown),),
        notes=tuple(notes),
    )


def _spell_month(month: str) -> str:
    return f"{datetime.fromisoformat(f'{month}-01'):%b %Y}"


def _describe_growth(months: Sequence[ListMonth]) -> str:
    last = months[-1]
    return f"{format_figure(last.people)} people are on the list." if last.people is not None else ""


def _make_month_table(shown: Sequence[ListMonth]) -> Table:
    return Table(
        caption="The list by month, newest first",
        columns=name_columns("Month", "Joined", "Left", "On the list"),
        rows=tuple(
            make_cells(
                _spell_month(month.month),
                *(format_figure(count) for count in (month.joined, month.left, month.people)),
            )
            for month in reversed(shown)
        ),
    )


def _describe_campaigns(campaigns: Sequence[CampaignFigures], viewer: Viewer) -> Section:
    years = groupby(campaigns, key=lambda one: one.launched_at.astimezone(UTC).year)
    tables = [_make_year_table(year, list(group), viewer) for year, group in years]
    shown = 1
    while shown < len(tables) and sum(len(table.rows) for table in tables[: shown + 1]) <= _MOST_ROWS:
        shown += 1
    return Section(
        name="campaigns",
        title="All campaigns",
        below=tuple(tables[:shown]),
        folded=tuple(tables[shown:]),
    )


def _make_year_table(year: int, campaigns: Sequence[CampaignFigures], viewer: Viewer) -> Table:
    return Table(
        caption=str(year),
        columns=(
            *name_columns("Edition", "Launched", numbers_from=2),
            *name_columns("Readers", "Sent", "Refused", "Left since", numbers_from=0),
        ),
        rows=tuple(_make_row(one, viewer) for one in campaigns),
        broad=True,
    )


def _make_row(figures: CampaignFigures, viewer: Viewer) -> tuple[Cell, ...]:
    launched = figures.launched_at.astimezone(UTC)
    return (
        Cell(text=_name_campaign(figures), link=viewer.make_path(figures.id)),
        *make_cells(
            f"{launched.day} {launched:%b}",
            format_number(figures.audience),
            format_known(figures.sent),
            format_known(figures.rejected),
            format_known(figures.left),
        ),
    )


def _name_campaign(figures: CampaignFigures) -> str:
    label, title = figures.edition_label, figures.title
    return label if not title or title == label else f"{label}: {title}"
