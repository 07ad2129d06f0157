"""Forget figures of reports that were counted before something changed."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete
from sqlmodel import col

from mailer.database.report_models import CampaignReportPart, ReportPart

PERMANENT_PARTS: Final = frozenset({ReportPart.warnings, ReportPart.mailed})
"""The parts that are written down once. All others can be counted again at any time."""

COUNTED_PARTS: Final = frozenset(ReportPart) - PERMANENT_PARTS


def forget_figures(
    connection: Connection, campaigns: ColumnElement[bool], parts: Collection[ReportPart] = COUNTED_PARTS
) -> None:
    """Delete what was counted of the campaigns for which the condition ``campaigns`` on
    :class:`CampaignReportPart` holds; it is counted again. The caller commits."""
    connection.execute(
        delete(CampaignReportPart).where(campaigns, col(CampaignReportPart.part).in_(list(parts)))
    )
