"""What the checks had warned of when the edition was sent, and which were switched off."""

from mailer.campaigns.report import CampaignReport
from mailer.i18n import gettext_noop
from mailer.web.report_pages.section import CellKind, Column, Section, Table, make_cells
from mailer.web.report_pages.viewer import Viewer


def describe_checks(report: CampaignReport, viewer: Viewer) -> Section:
    """Show the warnings with which the edition was sent."""
    tables = (_make_table(report, viewer), _make_off_table(report, viewer))
    return Section(
        name="checks",
        title=viewer.gettext(gettext_noop("What the checks had warned of")),
        lead=_describe_number(report, viewer),
        tables=tuple(table for table in tables if table.rows),
    )


def _describe_number(report: CampaignReport, viewer: Viewer) -> str:
    if report.warnings is None:
        return viewer.gettext(gettext_noop("The warnings were not written down when this edition was sent."))
    if not report.warnings:
        return viewer.gettext(gettext_noop("The checks had no warnings."))
    return viewer.ngettext(
        "The edition was sent with %(num)s warning.",
        "The edition was sent with %(num)s warnings.",
        len(report.warnings),
    )


def _make_table(report: CampaignReport, viewer: Viewer) -> Table:
    return Table(
        caption=viewer.gettext(gettext_noop("Warnings")),
        columns=(
            Column(title=viewer.gettext(gettext_noop("Warning"))),
            Column(title=viewer.gettext(gettext_noop("Where")), kind=CellKind.server),
            Column(title=viewer.gettext(gettext_noop("Check")), kind=CellKind.server),
        ),
        rows=tuple(
            make_cells(one.message, f"{one.path}:{one.line}" if one.path else "", one.code)
            for one in report.warnings or ()
        ),
        broad=True,
    )


def _make_off_table(report: CampaignReport, viewer: Viewer) -> Table:
    return Table(
        caption=viewer.gettext(gettext_noop("Checks that were switched off")),
        columns=(
            Column(title=viewer.gettext(gettext_noop("Check switched off")), kind=CellKind.server),
            Column(title=viewer.gettext(gettext_noop("The editors’ reason"))),
        ),
        rows=tuple(make_cells(code, reason) for code, reason in report.switched_off.items()),
    )
