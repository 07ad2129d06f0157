"""Why readers did not get the mail."""

from collections.abc import Iterator

from mailer.campaigns.report import CampaignReport, ReasonGroup, list_advice
from mailer.database.models import DeliveryState
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.section import CellKind, Column, Figure, Section, Table, make_cells
from mailer.web.report_pages.sections.reason_words import CAUSE_WORDS, FAULT_WORDS, STATE_WORDS
from mailer.web.report_pages.viewer import Viewer

_MOST_BARS = 8
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


def describe_reasons(report: CampaignReport, counted: str, viewer: Viewer) -> Section | None:
    """Show why the mail did not arrive, largest group first; None if it always did."""
    groups = report.reasons
    if not groups:
        return None
    return Section(
        name="reasons",
        title=viewer.gettext(gettext_noop("Why it did not arrive")),
        lead=_describe_largest(groups[0], viewer),
        counted=counted,
        figures=(Figure(chart=draw_bars(_make_chart(groups, viewer))),),
        below=(_make_table(groups, viewer),),
        notes=tuple(_list_notes(report, viewer)),
    )


def _describe_largest(group: ReasonGroup, viewer: Viewer) -> str:
    return viewer.gettext(
        gettext_noop("Most often (%(readers)s): %(state)s, “%(reason)s”."),
        readers=viewer.gettext(_FEW) if viewer.hides(group.number) else viewer.count_readers(group.number),
        state=viewer.gettext(STATE_WORDS[group.state]).lower(),
        reason=_name_cause(group, viewer) or viewer.translator.say_again(group.reason),
    )


def _name_cause(group: ReasonGroup, viewer: Viewer) -> str:
    return viewer.gettext(CAUSE_WORDS[group.cause]) if group.cause else ""


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
            gettext_noop("And %(number)s smaller groups: %(command)s has them."), number=rest, command=command
        )
    elif rest > 0:
        words = gettext_noop("And %(number)s smaller groups: the file of this table has them.")
        yield viewer.gettext(words, number=rest)
    if any(viewer.hides(group.number) for group in report.reasons):
        yield viewer.hidden_note


def _make_chart(groups: tuple[ReasonGroup, ...], viewer: Viewer) -> BarChart:
    return BarChart(
        name="reasons",
        title=viewer.gettext(gettext_noop("Why it did not arrive, by number of partners")),
        description=_describe_largest(groups[0], viewer),
        bars=tuple(
            Bar(
                label=f"{_name_cause(group, viewer)}: {group.reason}" if group.cause else group.reason,
                figure=viewer.format_people(group.number),
                parts=() if viewer.hides(group.number) else ((_TONES[group.state], group.number),),
            )
            for group in groups[:_MOST_BARS]
        ),
    )


def _make_table(groups: tuple[ReasonGroup, ...], viewer: Viewer) -> Table:
    return Table(
        caption=viewer.gettext(gettext_noop("Reasons, with the server’s own words")),
        columns=(
            Column(title=viewer.gettext(gettext_noop("Words")), kind=CellKind.server),
            Column(title=viewer.gettext(gettext_noop("What happened"))),
            Column(title=viewer.gettext(gettext_noop("Whose fault"))),
            Column(title=viewer.gettext(gettext_noop("Partners")), kind=CellKind.number),
        ),
        rows=tuple(
            make_cells(
                group.reason,
                _describe_group(group, viewer),
                viewer.gettext(FAULT_WORDS[group.fault]) if group.fault else "",
                viewer.format_people(group.number),
            )
            for group in groups[:_MOST_ROWS]
        ),
        broad=True,
    )


def _describe_group(group: ReasonGroup, viewer: Viewer) -> str:
    """What happened, what the server meant, and what follows from it."""
    cause = f": {_name_cause(group, viewer)}" if group.cause else ""
    # Outside the braces: Python 3.11 hides what is called within them from whoever looks for texts.
    words = viewer.gettext(gettext_noop("dead address"))
    dead = f"; {words}" if group.dead_address else ""
    return f"{viewer.gettext(STATE_WORDS[group.state])}{cause}{dead}"
