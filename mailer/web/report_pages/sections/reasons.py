"""Why readers did not get the mail, what came back afterwards, and who is in doubt."""

from collections.abc import Iterator

from mailer.campaigns.report import CampaignReport, ReasonGroup, count_readers, list_advice
from mailer.database.models import DeliveryState
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.figure_format import format_moment, format_number
from mailer.web.report_pages.section import (
    Cell,
    CellKind,
    Column,
    Figure,
    Section,
    Table,
    make_cells,
    name_columns,
)
from mailer.web.report_pages.viewer import Viewer

_MOST_BARS = 8
_MOST_ROWS = 30
_MOST_IN_DOUBT = 50
_IN_FILE = "The file of deliveries has"
_TONES = {
    DeliveryState.rejected: Tone.bad,
    DeliveryState.failed: Tone.second,
    DeliveryState.suppressed: Tone.faint,
    DeliveryState.in_doubt: Tone.doubt,
    DeliveryState.deferred: Tone.quiet,
    DeliveryState.sent: Tone.main,
}
_WORDS = {
    DeliveryState.rejected: "Refused",
    DeliveryState.failed: "Could not be built",
    DeliveryState.suppressed: "Left before",
    DeliveryState.in_doubt: "In doubt",
    DeliveryState.deferred: "Put off",
    DeliveryState.sent: "Sent after doubt",
}


def describe_reasons(report: CampaignReport, counted: str, viewer: Viewer) -> Section | None:
    """Show why the mail did not arrive, largest group first; None if it always did."""
    groups = report.reasons
    if not groups:
        return None
    return Section(
        name="reasons",
        title="Why it did not arrive",
        lead=_describe_largest(groups[0]),
        counted=counted,
        figures=(Figure(chart=draw_bars(_make_chart(groups))),),
        below=(_make_table(groups),),
        notes=tuple(_list_notes(report, viewer)),
    )


def _describe_largest(group: ReasonGroup) -> str:
    words = f"{_WORDS[group.state].lower()}, “{group.cause.label if group.cause else group.reason}”"
    return f"Most often ({count_readers(group.number)}): {words}."


def _list_notes(report: CampaignReport, viewer: Viewer) -> Iterator[str]:
    if report.bounced:
        number = report.bounced
        yield (
            f"{format_number(number)} of those refused {'has' if number == 1 else 'have'} an address that is "
            "dead, and will get no more mail."
        )
    yield from map(_typeset, list_advice(report.reasons))
    if len(report.reasons) > _MOST_ROWS:
        rest = len(report.reasons) - _MOST_ROWS
        where = (
            f"`mailer campaigns report {report.summary.id} --json` has" if viewer.has_terminal else _IN_FILE
        )
        yield f"And {rest:,} smaller groups: {where} them."


def _make_chart(groups: tuple[ReasonGroup, ...]) -> BarChart:
    return BarChart(
        name="reasons",
        title="Why it did not arrive, by number of readers",
        description=_describe_largest(groups[0]),
        bars=tuple(
            Bar(
                label=f"{group.cause.label}: {group.reason}" if group.cause else group.reason,
                figure=format_number(group.number),
                parts=((_TONES[group.state], group.number),),
            )
            for group in groups[:_MOST_BARS]
        ),
    )


def _make_table(groups: tuple[ReasonGroup, ...]) -> Table:
    return Table(
        caption="Reasons, with the server’s own words",
        columns=(
            Column(title="Words", kind=CellKind.server),
            Column(title="What happened"),
            Column(title="Whose fault"),
            Column(title="Readers", kind=CellKind.number),
        ),
        rows=tuple(
            make_cells(
                group.reason, _describe_group(group), _describe_fault(group), format_number(group.number)
            )
            for group in groups[:_MOST_ROWS]
        ),
        broad=True,
    )


def _describe_group(group: ReasonGroup) -> str:
    """What happened, what the server meant, and what follows from it."""
    cause = f": {group.cause.label}" if group.cause else ""
    return f"{_WORDS[group.state]}{cause}{'; dead address' if group.dead_address else ''}"


def _describe_fault(group: ReasonGroup) -> str:
    words = _typeset(group.fault.label) if group.fault else ""
    return words[:1].upper() + words[1:]


def _typeset(words: str) -> str:
    """Words of ours with the apostrophes that pages have."""
    return words.replace("'", "’")


def describe_returned(report: CampaignReport, viewer: Viewer) -> Section | None:
    """Show what came back after the mail was handed over; None if nothing did."""
    returned = report.returned
    if not (returned.groups or returned.alarms or returned.left_by_mail_count):
        return None
    total = sum(group.readers for group in returned.groups)
    groups = Table(
        caption="What came back, by reader",
        columns=name_columns("What came back", "Readers"),
        rows=tuple(
            make_cells(group.label[:1].upper() + group.label[1:], format_number(group.readers))
            for group in returned.groups
        ),
    )
    alarms = Table(
        caption="What mail servers say about you, the sender",
        columns=(
            Column(title="Words", kind=CellKind.server),
            Column(title="Last"),
            Column(title="Readers", kind=CellKind.number),
        ),
        rows=tuple(
            make_cells(alarm.words, format_moment(alarm.last_at), format_number(alarm.readers))
            for alarm in returned.alarms
        ),
        broad=True,
    )
    advice = (
        "Nobody was removed for what servers say about the sender. Ask whoever runs your mail server, and "
        f"{'run `mailer doctor`' if viewer.has_terminal else 'have the doctor look'}."
    )
    return Section(
        name="returned",
        title="What came back",
        lead=f"Something came back from {count_readers(total)}." if total else "",
        figures=(Figure(chart=draw_bars(_make_returned_chart(report))),) if returned.groups else (),
        tables=(groups,) if groups.rows else (),
        below=(alarms,) if alarms.rows else (),
        notes=(advice,) if returned.alarms else (),
    )


def _make_returned_chart(report: CampaignReport) -> BarChart:
    groups = report.returned.groups
    return BarChart(
        name="returned",
        title="What came back, by number of readers",
        description="; ".join(f"{group.label}: {group.readers:,}" for group in groups[:_MOST_BARS]),
        bars=tuple(
            Bar(
                label=group.label[:1].upper() + group.label[1:],
                figure=format_number(group.readers),
                parts=((Tone.bad if group.reason else Tone.main, group.readers),),
            )
            for group in groups[:_MOST_BARS]
        ),
    )


def describe_doubts(report: CampaignReport, viewer: Viewer) -> Section | None:
    """Name the readers in doubt, to who may see them; None if there are none."""
    if not report.in_doubt:
        return None
    number = report.summary.counts.in_doubt
    return Section(
        name="in-doubt",
        title="In doubt",
        lead=f"{count_readers(number)} may or may not have got it: the connection broke before the answer.",
        tables=(_make_doubt_table(report),) if viewer.sees_people else (),
        notes=tuple(_list_doubt_notes(report, viewer)),
    )


def _make_doubt_table(report: CampaignReport) -> Table:
    return Table(
        caption="Readers in doubt",
        columns=(
            Column(title="Address"),
            Column(title="Message-ID, to be found in the server’s log", kind=CellKind.server),
        ),
        rows=tuple(
            (Cell(text=one.email), Cell(text=one.message_id)) for one in report.in_doubt[:_MOST_IN_DOUBT]
        ),
        broad=True,
    )


def _list_doubt_notes(report: CampaignReport, viewer: Viewer) -> Iterator[str]:
    more = report.summary.counts.in_doubt - _MOST_IN_DOUBT
    if more > 0 and viewer.sees_people:
        command = f"All of them: `mailer campaigns report {report.summary.id} --csv FILE --state in_doubt`"
        yield f"And {more:,} more. {command if viewer.has_terminal else f'{_IN_FILE} them.'}"
