"""Who has left since, what readers changed because of the edition, and where nobody is left."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from mailer.campaigns.report import CampaignReport, format_figure
from mailer.campaigns.report import Figure as Count
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe_reasons import REASON_LABELS
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.figure_format import format_number
from mailer.web.report_pages.section import Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.viewer import Viewer

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


def describe_departures(report: CampaignReport, counted: str, viewer: Viewer) -> Section:
    """Show who has left since, and which choices were changed through this mail."""
    choices = report.choices
    labels = {reason.value: viewer.gettext(label) for reason, label in REASON_LABELS.items()}
    names = {name: viewer.gettext(words) for name, words in _CHOICES.items()}
    reasons = _label_all(choices.leaving_reasons, labels) if choices else {}
    changed = _label_all(choices.by_choice, names) if choices else {}
    tables = [
        _make_left_table(report, viewer) if report.left.total else None,
        _make_table(viewer.gettext(gettext_noop("Why they left, as they said")), reasons, viewer),
        _make_table(viewer.gettext(_CHANGED), changed, viewer),
    ]
    return Section(
        name=_LEFT,
        title=viewer.gettext(gettext_noop("Who left, and what partners changed")),
        lead=_describe_numbers(report, viewer),
        counted=counted,
        figures=tuple(_draw_figures(reasons, changed, viewer)),
        tables=tuple(table for table in tables if table is not None),
        notes=(viewer.hidden_note,) if None in (*reasons.values(), *changed.values()) else (),
    )


def _make_left_table(report: CampaignReport, viewer: Viewer) -> Table:
    left = report.left
    rows = (
        (gettext_noop("Unsubscribed"), left.unsubscribed),
        (gettext_noop("Reported spam"), left.complained),
    )
    return Table(
        caption=viewer.gettext(gettext_noop("Who has left since the launch")),
        columns=name_columns("", viewer.gettext(gettext_noop("Partners"))),
        rows=tuple(make_cells(viewer.gettext(words), format_number(number)) for words, number in rows),
        total=make_cells(viewer.gettext(gettext_noop("Left since")), format_number(left.total)),
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
        words = viewer.gettext(gettext_noop("Nobody has left since."))
    people = report.choices.people if report.choices else 0
    if not people:
        return words
    changed = viewer.ngettext(
        "%(num)s partner changed what they get.", "%(num)s partners changed what they get.", people
    )
    return f"{words}{viewer.translator.sentence_space}{changed}"


def _label_all(counts: Mapping[str, Count], names: Mapping[str, str]) -> dict[str, Count]:
    return {names.get(name, name.replace("_", " ").capitalize()): count for name, count in counts.items()}


def _draw_figures(
    reasons: Mapping[str, Count], changed: Mapping[str, Count], viewer: Viewer
) -> Iterator[Figure]:
    if any(reasons.values()):
        title = viewer.gettext(gettext_noop("Why they left"))
        yield Figure(chart=_draw_counts(f"{_LEFT}-reasons", title, reasons, Tone.second))
    if any(changed.values()):
        yield Figure(chart=_draw_counts(f"{_LEFT}-choices", viewer.gettext(_CHANGED), changed, Tone.main))


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


def _make_table(caption: str, counts: Mapping[str, Count], viewer: Viewer) -> Table | None:
    shown = {words: count for words, count in counts.items() if count != 0}
    if not shown:
        return None
    return Table(
        caption=caption,
        columns=name_columns("", viewer.gettext(gettext_noop("Partners"))),
        rows=tuple(make_cells(words, format_figure(count)) for words, count in shown.items()),
    )


def describe_organisations(report: CampaignReport, counted: str, viewer: Viewer) -> Section | None:
    """Name the organisations that have no reader left; None if there are none, or to who may not see that."""
    lost = report.lost_organisations
    if not (lost and viewer.sees_people):
        return None
    title = viewer.gettext(gettext_noop("Organisations without a partner"))
    columns = (gettext_noop("Organisation"), gettext_noop("Partners gone"))
    return Section(
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
        tables=(
            Table(
                caption=title,
                columns=name_columns(*map(viewer.gettext, columns)),
                rows=tuple(make_cells(one.name, format_number(one.readers)) for one in lost),
            ),
        ),
    )
