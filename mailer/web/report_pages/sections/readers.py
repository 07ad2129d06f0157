"""The readers by country and sector, who left, and what they changed."""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from mailer.campaigns.report.breakdown import Breakdown, BreakdownRow
from mailer.campaigns.report.campaign_report import CampaignReport
from mailer.campaigns.report.disclosure import Figure as Count
from mailer.campaigns.report.disclosure import format_figure
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe import REASON_LABELS
from mailer.web.report_pages.charts.bar_chart import Bar, draw_bars
from mailer.web.report_pages.charts.svg import Tone
from mailer.web.report_pages.section import (
    Figure,
    PageSection,
    Table,
    Viewer,
    format_number,
    make_table,
)
from mailer.web.report_pages.sections.links import draw_heat_maps

_NAME = "countries"
_MOST_ROWS = 25
"""More rows than these are in the table alone."""

_NO_SECTOR = gettext_noop("No sector")
_ALL_COUNTRIES = gettext_noop("All countries")
_CHOICES = {
    "sectors": gettext_noop("The sectors they follow"),
    "country": gettext_noop("Their country"),
    "countries": gettext_noop("The countries they follow"),
    "language": gettext_noop("Their language"),
    "name": gettext_noop("Their name"),
    "paused": gettext_noop("Paused for a while"),
    "resumed": gettext_noop("Went on after a pause"),
    "returned": gettext_noop("Came back after leaving"),
}
_LEFT = "departures"
_CHANGED = gettext_noop("What partners changed through this mail")


def describe_countries(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection | None:
    """Show the readers by country and sector; None if nobody is to be counted."""
    found = report.breakdown
    if found is None:
        return None
    rows = found.rows or (found.total,)
    several = len(found.rows) > 1
    return PageSection(
        name=_NAME,
        title=viewer.gettext("By country and sector"),
        lead=_describe_largest(found, viewer),
        counted=counted,
        figures=tuple(_draw_figures(found, rows, viewer)),
        tables=(_make_table(found, rows, viewer, several=several),),
        folded=(_make_sector_table(found, rows, viewer, several=several),) if found.sectors else (),
        notes=tuple(_list_notes(found, viewer)),
    )


def _name_row(row: BreakdownRow, viewer: Viewer) -> str:
    if not row.countries:
        return viewer.gettext(_ALL_COUNTRIES)
    if len(row.countries) > 1:
        return viewer.ngettext("%(num)s other country", "%(num)s other countries", len(row.countries))
    (code,) = row.countries
    return viewer.gettext("Country unknown") if code is None else viewer.vocabulary.country(code)


def _name_sectors(found: Breakdown, viewer: Viewer) -> tuple[str, ...]:
    return (*map(viewer.vocabulary.sector, found.sectors), viewer.gettext(_NO_SECTOR))


def _describe_largest(found: Breakdown, viewer: Viewer) -> str:
    if not found.rows or found.rows[0].sent is None or not found.total.sent:
        return ""
    largest = found.rows[0]
    return viewer.gettext(
        gettext_noop("Most partners are in %(country)s: %(number)s of the %(all)s who got it."),
        country=_name_row(largest, viewer),
        number=format_figure(largest.sent),
        all=format_figure(found.total.sent),
    )


def _list_notes(found: Breakdown, viewer: Viewer) -> Iterator[str]:
    if found.sectors:
        yield viewer.gettext("Who follows two sectors is counted in both.")
    if len(found.rows) > _MOST_ROWS:
        words = gettext_noop("The chart has the %(number)s largest countries, the table has all.")
        yield viewer.gettext(words, number=_MOST_ROWS)
    if found.hides:
        yield viewer.hidden_note


def _draw_figures(found: Breakdown, rows: Sequence[BreakdownRow], viewer: Viewer) -> Iterator[Figure]:
    description = _describe_largest(found, viewer)
    shown = rows[:_MOST_ROWS]
    if not found.sectors:
        yield Figure(
            draw_bars(
                name=_NAME,
                title=viewer.gettext("Partners who got it, by country"),
                description=description,
                bars=[_make_bar(row, viewer) for row in shown],
            )
        )
        return
    yield from draw_heat_maps(
        name=_NAME,
        title=viewer.gettext("Partners who got it, by country and sector"),
        description=description,
        columns=_name_sectors(found, viewer),
        rows=[(_name_row(row, viewer), (*row.by_sector, row.no_sector)) for row in shown],
    )


def _make_bar(row: BreakdownRow, viewer: Viewer) -> Bar:
    parts = () if row.sent is None else ((Tone.main, float(row.sent)),)
    return Bar(label=_name_row(row, viewer), figure=format_figure(row.sent), parts=parts)


def _make_table(found: Breakdown, rows: Sequence[BreakdownRow], viewer: Viewer, *, several: bool) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (row.sent, row.not_sent, row.left)))

    columns = (
        *(gettext_noop("Country"), gettext_noop("Got it"), gettext_noop("Not"), gettext_noop("Left since")),
    )
    return make_table(
        viewer.gettext("Partners by country"),
        map(viewer.gettext, columns),
        (make_row(row, _name_row(row, viewer)) for row in rows),
        total=make_row(found.total, viewer.gettext(_ALL_COUNTRIES)) if several else (),
    )


def _make_sector_table(
    found: Breakdown, rows: Sequence[BreakdownRow], viewer: Viewer, *, several: bool
) -> Table:
    def make_row(row: BreakdownRow, name: str) -> tuple[str, ...]:
        return (name, *(format_figure(count) for count in (*row.by_sector, row.no_sector)))

    return make_table(
        viewer.gettext("Partners who got it, by country and sector, as a table"),
        (viewer.gettext("Country"), *_name_sectors(found, viewer)),
        (make_row(row, _name_row(row, viewer)) for row in rows),
        total=make_row(found.total, viewer.gettext(_ALL_COUNTRIES)) if several else (),
        broad=True,
    )


def describe_departures(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection:
    """Show who has left since, and which choices were changed through this mail."""
    choices = report.choices
    labels = {reason.value: viewer.gettext(label) for reason, label in REASON_LABELS.items()}
    names = {name: viewer.gettext(words) for name, words in _CHOICES.items()}
    reasons = _label_all(choices.leaving_reasons, labels) if choices else {}
    changed = _label_all(choices.by_choice, names) if choices else {}
    tables = [
        _make_left_table(report, viewer) if report.left.total else None,
        _make_count_table(viewer.gettext("Why they left, as they said"), reasons, viewer),
        _make_count_table(viewer.gettext(_CHANGED), changed, viewer),
    ]
    return PageSection(
        name=_LEFT,
        title=viewer.gettext("Who left, and what partners changed"),
        lead=_describe_numbers(report, viewer),
        counted=counted,
        figures=tuple(_draw_departures(reasons, changed, viewer)),
        tables=tuple(table for table in tables if table is not None),
        notes=(viewer.hidden_note,) if None in (*reasons.values(), *changed.values()) else (),
    )


def _make_left_table(report: CampaignReport, viewer: Viewer) -> Table:
    left = report.left
    rows = (
        (viewer.gettext("Unsubscribed"), format_number(left.unsubscribed)),
        (viewer.gettext("Reported spam"), format_number(left.complained)),
    )
    return make_table(
        viewer.gettext("Who has left since the launch"),
        ("", viewer.gettext("Partners")),
        rows,
        total=(viewer.gettext("Left since"), format_number(left.total)),
    )


def _describe_numbers(report: CampaignReport, viewer: Viewer) -> str:
    left = report.left
    if left.total:
        words = viewer.ngettext(
            "%(num)s partner has left since, %(through)s of them through this mail.",
            "%(num)s partners have left since, %(through)s of them through this mail.",
            left.total,
            through=format_number(left.through_mail),
        )
    else:
        words = viewer.gettext("Nobody has left since.")
    people = report.choices.people if report.choices else 0
    if not people:
        return words
    changed = viewer.ngettext(
        "%(num)s partner changed what they get.", "%(num)s partners changed what they get.", people
    )
    return f"{words}{viewer.translator.sentence_space}{changed}"


def _label_all(counts: Mapping[str, Count], names: Mapping[str, str]) -> dict[str, Count]:
    return {names.get(name, name.replace("_", " ").capitalize()): count for name, count in counts.items()}


def _draw_departures(
    reasons: Mapping[str, Count], changed: Mapping[str, Count], viewer: Viewer
) -> Iterator[Figure]:
    if any(reasons.values()):
        title = viewer.gettext("Why they left")
        yield Figure(chart=_draw_counts(f"{_LEFT}-reasons", title, reasons, Tone.second))
    if any(changed.values()):
        yield Figure(chart=_draw_counts(f"{_LEFT}-choices", viewer.gettext(_CHANGED), changed, Tone.main))


def _draw_counts(name: str, title: str, counts: Mapping[str, Count], tone: Tone) -> Markup:
    shown = {words: count for words, count in counts.items() if count != 0}
    return draw_bars(
        name=name,
        title=title,
        bars=[
            Bar(words, format_figure(count), () if count is None else ((tone, count),))
            for words, count in shown.items()
        ],
    )


def _make_count_table(caption: str, counts: Mapping[str, Count], viewer: Viewer) -> Table | None:
    shown = {words: count for words, count in counts.items() if count != 0}
    if not shown:
        return None
    rows = ((words, format_figure(count)) for words, count in shown.items())
    return make_table(caption, ("", viewer.gettext("Partners")), rows)


def describe_organisations(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection | None:
    """Name the organisations that have no reader left; None if there are none, or to who may not see that."""
    lost = report.lost_organisations
    if not (lost and viewer.sees_people):
        return None
    title = viewer.gettext("Organisations without a partner")
    columns = (viewer.gettext("Organisation"), viewer.gettext("Partners gone"))
    return PageSection(
        name="organisations",
        title=title,
        lead=viewer.ngettext(
            "%(num)s organisation has nobody on the list any more: the last partners left, or their "
            "addresses are dead.",
            "%(num)s organisations have nobody on the list any more: the last partners left, or their "
            "addresses are dead.",
            len(lost),
        ),
        counted=counted,
        tables=(make_table(title, columns, ((one.name, format_number(one.readers)) for one in lost)),),
    )
