"""Why mail did not arrive, and what came back."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from mailer.campaigns.report.campaign_report import CampaignReport
from mailer.campaigns.report.reasons import ReasonGroup, Returned, ReturnedGroup, list_advice
from mailer.database.feedback_models import FeedbackKind
from mailer.database.models import DeliveryState
from mailer.i18n import gettext_noop
from mailer.reasons.reason import Fault
from mailer.web.report_pages.charts.bar_chart import Bar, draw_bars
from mailer.web.report_pages.charts.svg import Tone
from mailer.web.report_pages.section import (
    CellKind,
    Column,
    Figure,
    PageSection,
    Table,
    Viewer,
    make_table,
)

STATE_WORDS: Final[Mapping[DeliveryState, str]] = MappingProxyType(
    {
        DeliveryState.rejected: gettext_noop("Refused"),
        DeliveryState.failed: gettext_noop("Could not be built"),
        DeliveryState.suppressed: gettext_noop("Left before"),
        DeliveryState.in_doubt: gettext_noop("In doubt"),
        DeliveryState.deferred: gettext_noop("Put off"),
        DeliveryState.sent: gettext_noop("Sent after doubt"),
    }
)
"""What became of readers whose deliveries have a reason."""

FAULT_WORDS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.reader: gettext_noop("The partner’s side"),
        Fault.sender: gettext_noop("Ours"),
        Fault.provider: gettext_noop("The provider, or on the way"),
        Fault.nobody: gettext_noop("Nobody’s"),
    }
)
"""Whose fault it is."""

KIND_WORDS: Final[Mapping[FeedbackKind, str]] = MappingProxyType(
    {
        FeedbackKind.bounce: gettext_noop("Bounce"),
        FeedbackKind.complaint: gettext_noop("Complaint"),
        FeedbackKind.auto_reply: gettext_noop("Auto-reply"),
        FeedbackKind.reply: gettext_noop("Reply"),
        FeedbackKind.leave: gettext_noop("Leave"),
        FeedbackKind.other: gettext_noop("Other"),
        FeedbackKind.dmarc: gettext_noop("DMARC report"),
    }
)
"""What came back."""

_MOST_BARS = 8
_RUN_DOCTOR = gettext_noop(
    "Nobody was removed for what servers say about the sender. Ask whoever runs your mail server, and run "
    "`mailer doctor`."
)
_HAVE_DOCTOR = gettext_noop(
    "Nobody was removed for what servers say about the sender. Ask whoever runs your mail server, and have "
    "the doctor look."
)
_MOST_GROUPS = 8
_MOST_ROWS = 30
_FEW = gettext_noop("fewer than five partners")
_TONES = {
    DeliveryState.rejected: Tone.bad,
    DeliveryState.failed: Tone.second,
    DeliveryState.suppressed: Tone.faint,
    DeliveryState.in_doubt: Tone.doubt,
    DeliveryState.deferred: Tone.quiet,
    DeliveryState.sent: Tone.main,
}


def describe_returned(report: CampaignReport, viewer: Viewer) -> PageSection | None:
    """Show what came back after the mail was handed over; None if nothing did."""
    returned = report.returned
    if not (returned.groups or returned.alarms or returned.left_by_mail_count):
        return None
    total = sum(group.readers for group in returned.groups)
    lead = viewer.ngettext(
        "Something came back from %(num)s partner.", "Something came back from %(num)s partners.", total
    )
    numbers = [one.readers for one in returned.groups] + [one.readers for one in returned.alarms]
    is_hidden = any(viewer.hides(number) for number in numbers)
    advice = viewer.gettext(_RUN_DOCTOR if viewer.has_terminal else _HAVE_DOCTOR)
    return PageSection(
        name="returned",
        title=viewer.gettext("What came back"),
        lead=lead if total and not viewer.hides(total) else "",
        figures=(Figure(chart=_draw_chart(returned, viewer)),) if returned.groups else (),
        tables=(_make_table(returned, viewer),) if returned.groups else (),
        below=(_make_alarm_table(returned, viewer),) if returned.alarms else (),
        notes=(*((advice,) if returned.alarms else ()), *((viewer.hidden_note,) if is_hidden else ())),
    )


def _name_group(group: ReturnedGroup, viewer: Viewer) -> str:
    kind = viewer.gettext(KIND_WORDS[group.kind])
    if group.reason is None or group.kind is FeedbackKind.complaint:
        return kind
    return f"{kind}: {viewer.gettext(group.reason.words)}"


def _make_table(returned: Returned, viewer: Viewer) -> Table:
    columns = (viewer.gettext("What came back"), viewer.gettext("Partners"))
    rows = ((_name_group(group, viewer), viewer.format_people(group.readers)) for group in returned.groups)
    return make_table(viewer.gettext("What came back, by partner"), columns, rows)


def _make_alarm_table(returned: Returned, viewer: Viewer) -> Table:
    words = Column(viewer.gettext("Words"), CellKind.server)
    rows = (
        (alarm.words, viewer.format_moment(alarm.last_at), viewer.format_people(alarm.readers))
        for alarm in returned.alarms
    )
    caption = viewer.gettext("What mail servers say about you, the sender")
    columns = (words, Column(viewer.gettext("Last")), viewer.gettext("Partners"))
    return make_table(caption, columns, rows, broad=True)


def _draw_chart(returned: Returned, viewer: Viewer) -> Markup:
    named = [(_name_group(group, viewer), group) for group in returned.groups[:_MOST_BARS]]
    return draw_bars(
        name="returned",
        title=viewer.gettext("What came back, by number of partners"),
        bars=tuple(
            Bar(
                label=name,
                figure=viewer.format_people(group.readers),
                parts=()
                if viewer.hides(group.readers)
                else ((Tone.bad if group.reason else Tone.main, group.readers),),
            )
            for name, group in named
        ),
    )


def describe_reasons(report: CampaignReport, counted: str, viewer: Viewer) -> PageSection | None:
    """Show why the mail did not arrive, largest group first; None if it always did."""
    groups = report.reasons
    if not groups:
        return None
    return PageSection(
        name="reasons",
        title=viewer.gettext("Why it did not arrive"),
        lead=_describe_largest(groups[0], viewer),
        counted=counted,
        figures=(Figure(chart=_draw_reason_chart(groups, viewer)),),
        below=(_make_reason_table(groups, viewer),),
        notes=tuple(_list_notes(report, viewer)),
    )


def _describe_largest(group: ReasonGroup, viewer: Viewer) -> str:
    return viewer.gettext(
        "Most often (%(readers)s): %(state)s, “%(reason)s”.",
        readers=viewer.gettext(_FEW) if viewer.hides(group.number) else viewer.count_readers(group.number),
        state=viewer.gettext(STATE_WORDS[group.state]).lower(),
        reason=_name_cause(group, viewer) or viewer.translator.say_again(group.reason),
    )


def _name_cause(group: ReasonGroup, viewer: Viewer) -> str:
    return viewer.gettext(group.cause.words) if group.cause else ""


def _list_notes(report: CampaignReport, viewer: Viewer) -> Iterator[str]:
    if report.bounced and not viewer.hides(report.bounced):
        yield viewer.ngettext(
            "%(num)s of those refused has an address that is dead, and will get no more mail.",
            "%(num)s of those refused have an address that is dead, and will get no more mail.",
            report.bounced,
        )
    for advice in list_advice(report.reasons):
        # With the apostrophes that pages have.
        yield viewer.translator.say_again(advice).replace("'", "’")
    rest = len(report.reasons) - _MOST_ROWS
    if rest > 0 and viewer.has_terminal:
        command = f"`mailer campaigns report {report.summary.id} --json`"
        yield viewer.gettext(
            "And %(number)s smaller groups: %(command)s has them.", number=rest, command=command
        )
    elif rest > 0:
        words = gettext_noop("And %(number)s smaller groups: the file of this table has them.")
        yield viewer.gettext(words, number=rest)
    if any(viewer.hides(group.number) for group in report.reasons):
        yield viewer.hidden_note


def _draw_reason_chart(groups: tuple[ReasonGroup, ...], viewer: Viewer) -> Markup:
    return draw_bars(
        name="reasons",
        title=viewer.gettext("Why it did not arrive, by number of partners"),
        description=_describe_largest(groups[0], viewer),
        bars=tuple(
            Bar(
                label=f"{_name_cause(group, viewer)}: {group.reason}" if group.cause else group.reason,
                figure=viewer.format_people(group.number),
                parts=() if viewer.hides(group.number) else ((_TONES[group.state], group.number),),
            )
            for group in groups[:_MOST_GROUPS]
        ),
    )


def _make_reason_table(groups: tuple[ReasonGroup, ...], viewer: Viewer) -> Table:
    columns = (
        Column(viewer.gettext("Words"), CellKind.server),
        *(Column(viewer.gettext("What happened")), Column(viewer.gettext("Whose fault"))),
        viewer.gettext("Partners"),
    )
    rows = (
        (
            *(group.reason, _describe_group(group, viewer)),
            viewer.gettext(FAULT_WORDS[group.fault]) if group.fault else "",
            viewer.format_people(group.number),
        )
        for group in groups[:_MOST_ROWS]
    )
    return make_table(viewer.gettext("Reasons, with the server’s own words"), columns, rows, broad=True)


def _describe_group(group: ReasonGroup, viewer: Viewer) -> str:
    cause = f": {_name_cause(group, viewer)}" if group.cause else ""
    # Outside the braces: Python 3.11 hides what is called within them from whoever looks for texts.
    words = viewer.gettext("dead address")
    dead = f"; {words}" if group.dead_address else ""
    return f"{viewer.gettext(STATE_WORDS[group.state])}{cause}{dead}"
