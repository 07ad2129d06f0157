"""Who has left since, what readers changed because of the edition, and where nobody is left."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from mailer.campaigns.report import HIDDEN_NOTE, CampaignReport, count_readers, format_figure
from mailer.campaigns.report import Figure as Count
from mailer.selfservice.unsubscribe_reasons import REASON_LABELS
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.figure_format import format_number
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.viewer import Viewer

_CHOICES = {
    "sectors": "The sectors they follow",
    "country": "Their country",
    "countries": "The countries they follow",
    "language": "Their language",
    "name": "Their name",
    "paused": "Paused for a while",
    "resumed": "Went on after a pause",
    "returned": "Came back after leaving",
}
_LEFT = "departures"


def describe_departures(report: CampaignReport, counted: str) -> Section:
    """Show who has left since, and which choices were changed through this mail."""
    left, choices = report.left, report.choices
    labels = {reason.value: label for reason, label in REASON_LABELS.items()}
    reasons = _label_all(choices.leaving_reasons, labels) if choices else {}
    changed = _label_all(choices.by_choice, _CHOICES) if choices else {}
    rows = {
        "Unsubscribed": left.unsubscribed,
        "Reported spam": left.complained,
    }
    tables = [
        Table(
            caption="Who has left since the launch",
            columns=name_columns("", "Readers"),
            rows=tuple(make_cells(words, format_number(number)) for words, number in rows.items()),
            total=make_cells("Left since", format_number(left.total)),
        )
        if left.total
        else None,
        _make_table("Why they left, as they said", reasons),
        _make_table("What readers changed through this mail", changed),
    ]
    return Section(
        name=_LEFT,
        title="Who left, and what readers changed",
        lead=_describe_numbers(report),
        counted=counted,
        figures=tuple(_draw_figures(reasons, changed)),
        tables=tuple(table for table in tables if table is not None),
        notes=(HIDDEN_NOTE,) if None in (*reasons.values(), *changed.values()) else (),
    )


def _describe_numbers(report: CampaignReport) -> str:
    left = report.left
    if left.total:
        through = f"{left.through_mail:,} of them through this mail"
        verb = "has" if left.total == 1 else "have"
        words = f"{count_readers(left.total)} {verb} left since, {through}."
    else:
        words = "Nobody has left since."
    people = report.choices.people if report.choices else 0
    return f"{words} {count_readers(people)} changed what they get." if people else words


def _label_all(counts: Mapping[str, Count], names: Mapping[str, str]) -> dict[str, Count]:
    return {names.get(name, name.replace("_", " ").capitalize()): count for name, count in counts.items()}


def _draw_figures(reasons: Mapping[str, Count], changed: Mapping[str, Count]) -> Iterator[Figure]:
    if any(reasons.values()):
        yield Figure(chart=_draw_counts(f"{_LEFT}-reasons", "Why they left", reasons, Tone.second))
    if any(changed.values()):
        title = "What readers changed through this mail"
        yield Figure(chart=_draw_counts(f"{_LEFT}-choices", title, changed, Tone.main))


def _draw_counts(name: str, title: str, counts: Mapping[str, Count], tone: Tone) -> Markup:
    shown = {words: count for words, count in counts.items() if count != 0}
    chart = BarChart(
        name=name,
        title=title,
        description="; ".join(f"{words}: {format_figure(count)}" for words, count in shown.items()),
        bars=tuple(
            Bar(
                label=words,
                figure=format_figure(count),
                parts=() if count is None else ((tone, count),),
            )
            for words, count in shown.items()
        ),
    )
    return draw_bars(chart)


def _make_table(caption: str, counts: Mapping[str, Count]) -> Table | None:
    shown = {words: count for words, count in counts.items() if count != 0}
    if not shown:
        return None
    return Table(
        caption=caption,
        columns=name_columns("", "Readers"),
        rows=tuple(make_cells(words, format_figure(count)) for words, count in shown.items()),
    )


def describe_organisations(report: CampaignReport, counted: str, viewer: Viewer) -> Section | None:
    """Name the organisations that have no reader left; None if there are none, or to who may not see that."""
    lost = report.lost_organisations
    if not (lost and viewer.sees_people):
        return None
    number = len(lost)
    subject = "One organisation has" if number == 1 else f"{number:,} organisations have"
    return Section(
        name="organisations",
        title="Organisations without a reader",
        lead=f"{subject} nobody on the list any more: the last readers left, or their addresses are dead.",
        counted=counted,
        tables=(
            Table(
                caption="Organisations without a reader",
                columns=name_columns("Organisation", "Readers gone"),
                rows=tuple(make_cells(one.name, format_number(one.readers)) for one in lost),
            ),
        ),
    )
