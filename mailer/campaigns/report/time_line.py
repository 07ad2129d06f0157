"""All campaigns over time, and the growth of the list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from mailer.campaigns.report.campaign_figures import CampaignFigures, read_figures
from mailer.campaigns.report.list_month import ListMonth, count_months
from mailer.campaigns.report.part_reader import is_cheap
from mailer.campaigns.report.part_store import read_parts
from mailer.database.models import Campaign
from mailer.database.report_models import ReportPart


@dataclass(frozen=True, kw_only=True)
class TimeLine:
    """The campaigns that were launched, newest first, and the months of the list, oldest first.

    ``months`` were counted at ``counted_at`` (aware); None if they are of this moment. They are None if
    nobody has counted them yet.
    """

    campaigns: tuple[CampaignFigures, ...]
    months: tuple[ListMonth, ...] | None
    counted_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """The time line in the form of the JSON output; a hidden figure is null."""
        return {
            "campaigns": [figures.as_dict() for figures in self.campaigns],
            "months": None if self.months is None else [month.as_dict() for month in self.months],
            "months_counted_at": self.counted_at.isoformat() if self.counted_at else None,
        }


def read_time_line(session: Session, *, last: int | None = None, fresh: bool = False) -> TimeLine:
    """Read the time line, with the ``last`` campaigns or with all.

    With ``fresh``, the months are counted now, whatever it costs; otherwise as they were counted last, if
    the list is large. The figures of campaigns are those that were counted last.
    """
    launched = select(Campaign).where(col(Campaign.launched_at).is_not(None))
    newest = launched.order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc()).limit(last)
    campaigns = read_figures(session, session.exec(newest).all())
    connection = session.connection()
    if fresh or is_cheap(connection, 0):
        return TimeLine(campaigns=campaigns, months=count_months(connection))
    stored = read_parts(connection, [None], [ReportPart.months]).get(None, {}).get(ReportPart.months)
    if stored is None:
        return TimeLine(campaigns=campaigns, months=None)
    return TimeLine(campaigns=campaigns, months=stored.value, counted_at=stored.counted_at)
