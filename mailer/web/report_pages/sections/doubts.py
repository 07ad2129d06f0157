"""Who may or may not have got the mail."""

from collections.abc import Iterator

from mailer.campaigns.report import CampaignReport
from mailer.i18n import gettext_noop
from mailer.web.report_pages.figure_format import format_number
from mailer.web.report_pages.section import Cell, CellKind, Column, Section, Table
from mailer.web.report_pages.viewer import Viewer

_MOST_IN_DOUBT = 50


def describe_doubts(report: CampaignReport, viewer: Viewer) -> Section | None:
    """Name the readers in doubt, to who may see them; None if there are none."""
    if not report.in_doubt:
        return None
    return Section(
        name="in-doubt",
        title=viewer.gettext(gettext_noop("In doubt")),
        lead=viewer.ngettext(
            "%(num)s partner may or may not have got it.",
            "%(num)s partners may or may not have got it.",
            report.summary.counts.in_doubt,
        ),
        tables=(_make_table(report, viewer),) if viewer.sees_people else (),
        notes=tuple(_list_notes(report, viewer)),
    )


def _make_table(report: CampaignReport, viewer: Viewer) -> Table:
    server = viewer.gettext(gettext_noop("Message-ID, to be found in the server’s log"))
    return Table(
        caption=viewer.gettext(gettext_noop("Partners in doubt")),
        columns=(
            Column(title=viewer.gettext(gettext_noop("Address"))),
            Column(title=server, kind=CellKind.server),
        ),
        rows=tuple(
            (Cell(text=one.email), Cell(text=one.message_id)) for one in report.in_doubt[:_MOST_IN_DOUBT]
        ),
        broad=True,
    )


def _list_notes(report: CampaignReport, viewer: Viewer) -> Iterator[str]:
    more = report.summary.counts.in_doubt - _MOST_IN_DOUBT
    if more <= 0 or not viewer.sees_people:
        return
    if viewer.has_terminal:
        command = f"`mailer campaigns report {report.summary.id} --csv FILE --state in_doubt`"
        words = gettext_noop("And %(number)s more. All of them: %(command)s")
        yield viewer.gettext(words, number=format_number(more), command=command)
    else:
        words = gettext_noop("And %(number)s more. The file of deliveries has all of them.")
        yield viewer.gettext(words, number=format_number(more))
