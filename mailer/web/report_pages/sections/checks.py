"""What the checks had warned of when the edition was sent, and which were switched off."""

from mailer.campaigns.report import CampaignReport
from mailer.web.report_pages.section import CellKind, Column, Section, Table, make_cells


def describe_checks(report: CampaignReport) -> Section:
    """Show the warnings with which the edition was sent."""
    return Section(
        name="checks",
        title="What the checks had warned of",
        lead=_describe_number(report),
        tables=tuple(table for table in (_make_table(report), _make_off_table(report)) if table.rows),
    )


def _describe_number(report: CampaignReport) -> str:
    if report.warnings is None:
        return "The warnings were not written down when this edition was sent."
    number = len(report.warnings)
    if not number:
        return "The checks had no warnings."
    return f"The edition was sent with {number:,} warning{'' if number == 1 else 's'}."


def _make_table(report: CampaignReport) -> Table:
    return Table(
        caption="Warnings",
        columns=(
            Column(title="Warning"),
            Column(title="Where", kind=CellKind.server),
            Column(title="Check", kind=CellKind.server),
        ),
        rows=tuple(
            make_cells(one.message, f"{one.path}:{one.line}" if one.path else "", one.code)
            for one in report.warnings or ()
        ),
        broad=True,
    )


def _make_off_table(report: CampaignReport) -> Table:
    return Table(
        caption="Checks that were switched off",
        columns=(
            Column(title="Check switched off", kind=CellKind.server),
            Column(title="The editors’ reason"),
        ),
        rows=tuple(make_cells(code, reason) for code, reason in report.switched_off.items()),
    )
