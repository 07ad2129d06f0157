"""What came back after the mail was handed over."""

from mailer.campaigns.report import CampaignReport, Returned, ReturnedGroup
from mailer.database.feedback_models import FeedbackKind
from mailer.i18n import gettext_noop
from mailer.web.report_pages.charts.bar_chart import Bar, BarChart, draw_bars
from mailer.web.report_pages.charts.tone import Tone
from mailer.web.report_pages.section import CellKind, Column, Figure, Section, Table, make_cells, name_columns
from mailer.web.report_pages.sections.reason_words import CAUSE_WORDS, KIND_WORDS
from mailer.web.report_pages.viewer import Viewer

_MOST_BARS = 8
_RUN_DOCTOR = gettext_noop(
    "Nobody was removed for what servers say about the sender. Ask whoever runs your mail server, and run "
    "`mailer doctor`."
)
_HAVE_DOCTOR = gettext_noop(
    "Nobody was removed for what servers say about the sender. Ask whoever runs your mail server, and have "
    "the doctor look."
)


def describe_returned(report: CampaignReport, viewer: Viewer) -> Section | None:
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
    return Section(
        name="returned",
        title=viewer.gettext(gettext_noop("What came back")),
        lead=lead if total and not viewer.hides(total) else "",
        figures=(Figure(chart=draw_bars(_make_chart(returned, viewer))),) if returned.groups else (),
        tables=(_make_table(returned, viewer),) if returned.groups else (),
        below=(_make_alarm_table(returned, viewer),) if returned.alarms else (),
        notes=(*((advice,) if returned.alarms else ()), *((viewer.hidden_note,) if is_hidden else ())),
    )


def _name_group(group: ReturnedGroup, viewer: Viewer) -> str:
    kind = viewer.gettext(KIND_WORDS[group.kind])
    if group.reason is None or group.kind is FeedbackKind.complaint:
        return kind
    return f"{kind}: {viewer.gettext(CAUSE_WORDS[group.reason])}"


def _make_table(returned: Returned, viewer: Viewer) -> Table:
    columns = (gettext_noop("What came back"), gettext_noop("Partners"))
    return Table(
        caption=viewer.gettext(gettext_noop("What came back, by partner")),
        columns=name_columns(*map(viewer.gettext, columns)),
        rows=tuple(
            make_cells(_name_group(group, viewer), viewer.format_people(group.readers))
            for group in returned.groups
        ),
    )


def _make_alarm_table(returned: Returned, viewer: Viewer) -> Table:
    return Table(
        caption=viewer.gettext(gettext_noop("What mail servers say about you, the sender")),
        columns=(
            Column(title=viewer.gettext(gettext_noop("Words")), kind=CellKind.server),
            Column(title=viewer.gettext(gettext_noop("Last"))),
            Column(title=viewer.gettext(gettext_noop("Partners")), kind=CellKind.number),
        ),
        rows=tuple(
            make_cells(alarm.words, viewer.format_moment(alarm.last_at), viewer.format_people(alarm.readers))
            for alarm in returned.alarms
        ),
        broad=True,
    )


def _make_chart(returned: Returned, viewer: Viewer) -> BarChart:
    named = [(_name_group(group, viewer), group) for group in returned.groups[:_MOST_BARS]]
    return BarChart(
        name="returned",
        title=viewer.gettext(gettext_noop("What came back, by number of partners")),
        description="; ".join(f"{name}: {viewer.format_people(group.readers)}" for name, group in named),
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
