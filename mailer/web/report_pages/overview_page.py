"""The page of all campaigns over time, and of the growth of the list."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from mailer.campaigns.report.campaign_report import CampaignFigures, TimeLine
from mailer.campaigns.report.departures import ListMonth
from mailer.campaigns.report.disclosure import format_figure
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.line_chart import Line, draw_lines
from mailer.web.report_pages.charts.svg import Tone, draw_line_sample
from mailer.web.report_pages.section import (
    COUNTED_LATE,
    ON_OWN_MACHINE,
    Cell,
    Column,
    Figure,
    PageSection,
    Table,
    Viewer,
    format_number,
    format_share,
    make_table,
)

_MOST_MONTHS = 12
_LIST = gettext_noop("The list")
_ON_LIST = gettext_noop("On the list")
_CAMPAIGN_WORDS = (gettext_noop("Edition"), gettext_noop("Launched"))
_CAMPAIGN_NUMBERS = (
    *(gettext_noop("Partners"), gettext_noop("Sent"), gettext_noop("Refused"), gettext_noop("Left since")),
)
_MOST_ROWS = 30
"""Campaigns in the tables that are open; older ones are folded, year by year."""


class OverviewPage(NamedTuple):
    """What the page of all campaigns shows: if none was launched, only how the list grows."""

    lead: str
    sections: tuple[PageSection, ...]


def describe_overview(found: TimeLine, *, now: datetime, viewer: Viewer = ON_OWN_MACHINE) -> OverviewPage:
    """Make the page of all campaigns, for ``viewer``; ``now`` (aware) tells counted today from before."""
    if not found.campaigns:
        return OverviewPage(
            lead=viewer.gettext("No campaign has been launched yet."),
            sections=tuple(_list_growth(found, now, viewer)),
        )
    number = len(found.campaigns)
    first, last = found.campaigns[-1], found.campaigns[0]
    span = viewer.format_month(first.launched_at)
    if (end := viewer.format_month(last.launched_at)) != span:
        span = viewer.gettext("%(first)s to %(last)s", first=span, last=end)
    lead = viewer.ngettext("%(num)s campaign, %(span)s.", "%(num)s campaigns, %(span)s.", number, span=span)
    trends = (_describe_readers(found, viewer), _describe_losses(found, viewer)) if number > 1 else ()
    growth = _list_growth(found, now, viewer)
    return OverviewPage(lead=lead, sections=(*trends, *growth, _describe_campaigns(found.campaigns, viewer)))


def _describe_readers(found: TimeLine, viewer: Viewer) -> PageSection:
    shown = found.campaigns[::-1]
    most = max(shown, key=lambda one: one.sent or 0)
    words = gettext_noop("The most messages were sent for %(edition)s: %(number)s.")
    lead = viewer.gettext(words, edition=most.edition_label, number=format_number(most.sent or 0))
    lines = (
        Line(
            label=viewer.gettext("Partners"),
            tone=Tone.second,
            values=tuple(one.audience for one in shown),
        ),
        Line(
            label=viewer.gettext("Sent"),
            tone=Tone.main,
            values=tuple(one.sent for one in shown),
        ),
    )
    title = viewer.gettext("Partners of each campaign")
    return _make_trend("readers", title, lead, shown, lines, viewer)


def _describe_losses(found: TimeLine, viewer: Viewer) -> PageSection:
    shown = found.campaigns[::-1]
    known = [(one.rejected, one.audience) for one in shown if one.rejected is not None]
    refused, whole = (sum(numbers) for numbers in zip(*known, strict=True)) if known else (0, 0)
    words = gettext_noop("Mail servers refused %(share)s of all mails.")
    lead = viewer.gettext(words, share=format_share(refused, whole)) if whole else ""
    lines = (
        Line(
            label=viewer.gettext("Refused"),
            tone=Tone.bad,
            values=tuple(_percent(one, one.rejected) for one in shown),
        ),
        Line(
            label=viewer.gettext("Left since"),
            tone=Tone.main,
            values=tuple(_percent(one, one.left) for one in shown),
        ),
    )
    title = viewer.gettext("Refused and left, as shares of the partners")
    return _make_trend("losses", title, lead, shown, lines, viewer, unit="%")


def _percent(figures: CampaignFigures, number: int | None) -> float | None:
    share = figures.share(number)
    return None if share is None else 100 * share


def _make_trend(
    name: str,
    title: str,
    lead: str,
    shown: Sequence[CampaignFigures],
    lines: tuple[Line, ...],
    viewer: Viewer,
    *,
    unit: str = "",
) -> PageSection:
    chart = draw_lines(
        name=name,
        title=title,
        description=lead,
        places=tuple(one.launched_at.timestamp() for one in shown),
        ticks=_choose_ticks(shown[0].launched_at, shown[-1].launched_at, viewer),
        lines=lines,
        unit=unit,
    )
    key = [(draw_line_sample(line.tone), line.label) for line in lines]
    return PageSection(
        name=name,
        title=title,
        lead=lead,
        figures=(Figure(chart=chart, key=key),),
        wide=True,
    )


def _choose_ticks(first: datetime, last: datetime, viewer: Viewer) -> tuple[str, ...]:
    words = [viewer.shorten_month(moment) for moment in (first, first + (last - first) / 2, last)]
    return (
        tuple(words)
        if len(set(words)) == len(words)
        else (words[0],)
        if words[0] == words[2]
        else (words[0], words[2])
    )


def _list_growth(found: TimeLine, now: datetime, viewer: Viewer) -> Iterator[PageSection]:
    months = found.months
    if months is None:
        yield PageSection(name="list", title=viewer.gettext(_LIST), lead=viewer.gettext(COUNTED_LATE))
    if not months:
        return
    shown = months[-_MOST_MONTHS:]
    lead = _describe_growth(months, viewer)
    chart = draw_lines(
        name="list",
        title=viewer.gettext("People on the list, by month"),
        description=lead,
        places=tuple(range(len(months))),
        ticks=tuple(_spell_month(month.month, viewer) for month in (months[:1] + months[1:][-1:])),
        lines=(
            Line(
                label=viewer.gettext(_ON_LIST),
                tone=Tone.main,
                values=tuple(month.people for month in months),
            ),
        ),
    )
    notes = [viewer.hidden_note] if any(None in (one.joined, one.left, one.people) for one in months) else []
    if len(months) > len(shown):
        words = gettext_noop("The table has the last %(number)s months, the chart all %(all)s.")
        notes.insert(0, viewer.gettext(words, number=_MOST_MONTHS, all=format_number(len(months))))
    yield PageSection(
        name="list",
        title=viewer.gettext(_LIST),
        lead=lead,
        counted=viewer.format_counted(found.counted_at, now),
        figures=(Figure(chart=chart),),
        tables=(_make_month_table(shown, viewer),),
        notes=tuple(notes),
    )


def _spell_month(month: str, viewer: Viewer) -> str:
    return viewer.shorten_month(datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC))


def _describe_growth(months: Sequence[ListMonth], viewer: Viewer) -> str:
    people = months[-1].people
    if people is None:
        return ""
    return viewer.ngettext("%(num)s people are on the list.", "%(num)s people are on the list.", people)


def _make_month_table(shown: Sequence[ListMonth], viewer: Viewer) -> Table:
    columns = (gettext_noop("Month"), gettext_noop("Joined"), gettext_noop("Left"), _ON_LIST)
    rows = (
        (_spell_month(one.month, viewer), *map(format_figure, (one.joined, one.left, one.people)))
        for one in reversed(shown)
    )
    return make_table(viewer.gettext("The list by month, newest first"), map(viewer.gettext, columns), rows)


def _describe_campaigns(campaigns: Sequence[CampaignFigures], viewer: Viewer) -> PageSection:
    years = groupby(campaigns, key=lambda one: one.launched_at.astimezone(UTC).year)
    tables = [_make_year_table(year, list(group), viewer) for year, group in years]
    shown = 1
    while shown < len(tables) and sum(len(table.rows) for table in tables[: shown + 1]) <= _MOST_ROWS:
        shown += 1
    return PageSection(
        name="campaigns",
        title=viewer.gettext("All campaigns"),
        below=tuple(tables[:shown]),
        folded=tuple(tables[shown:]),
    )


def _make_year_table(year: int, campaigns: Sequence[CampaignFigures], viewer: Viewer) -> Table:
    columns: tuple[str | Column, ...] = (
        *(Column(viewer.gettext(words)) for words in _CAMPAIGN_WORDS),
        *map(viewer.gettext, _CAMPAIGN_NUMBERS),
    )
    return make_table(str(year), columns, (_make_row(one, viewer) for one in campaigns), broad=True)


def _make_row(figures: CampaignFigures, viewer: Viewer) -> tuple[str | Cell, ...]:
    return (
        Cell(text=_name_campaign(figures), link=viewer.make_path(figures.id)),
        viewer.shorten_day(figures.launched_at),
        format_number(figures.audience),
        *map(viewer.format_known, (figures.sent, figures.rejected, figures.left)),
    )


def _name_campaign(figures: CampaignFigures) -> str:
    label, title = figures.edition_label, figures.title
    return label if not title or title == label else f"{label}: {title}"
