"""All campaigns over time, and the growth of the list."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mailer.campaigns.report.comparison import CampaignFigures
from mailer.campaigns.report.disclosure import Figure


@dataclass(frozen=True, kw_only=True)
class ListMonth:
    """The list in one month (``2026-11``, UTC), from the consent records.

    ``joined`` came on to the list, by an import or by themselves; ``left`` went off it for whatever reason.
    Both are hidden if either is small. ``people`` are on the list at the end of the month, those who paused
    included.
    """

    month: str
    joined: Figure
    left: Figure
    people: Figure

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class TimeLine:
    """The campaigns that were launched, newest first, and the months of the list, oldest first.

    ``months`` were counted at ``counted_at`` (aware); None if they are of this moment.
    """

    campaigns: tuple[CampaignFigures, ...]
    months: tuple[ListMonth, ...]
    counted_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """The time line in the form of the JSON output; a hidden figure is null."""
        return {
            "campaigns": [figures.as_dict() for figures in self.campaigns],
            "months": [month.as_dict() for month in self.months],
            "months_counted_at": self.counted_at.isoformat() if self.counted_at else None,
        }
