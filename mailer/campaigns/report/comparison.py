"""A campaign beside the ones before it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CampaignFigures:
    """The figures of one campaign that can be compared with another's.

    ``left`` have left since its launch, ``left_through_mail`` of them through this very mail, and
    ``complained`` of them by reporting spam. ``returned`` are the readers a bounce came back from afterwards.
    ``median_seconds`` is the median time to hand over. ``clicks`` are those of people; None if they were not
    counted. Figures that were not counted yet are None.
    """

    id: int
    edition_label: str
    title: str
    launched_at: datetime
    audience: int
    sent: int
    rejected: int
    left: int | None = None
    left_through_mail: int | None = None
    complained: int | None = None
    returned: int | None = None
    median_seconds: float | None = None
    clicks: int | None = None

    def share(self, number: int | None) -> float | None:
        """``number`` as a share of the audience, from 0 to 1; None if either is unknown."""
        return None if number is None or not self.audience else number / self.audience

    def as_dict(self) -> dict[str, Any]:
        """The figures in the form of the JSON output."""
        return {**asdict(self), "launched_at": self.launched_at.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A campaign and up to three before it, newest first, that went to the same ``segment``.

    Corrections are left out: their readers are chosen by a story.
    """

    segment: str
    this: CampaignFigures
    earlier: tuple[CampaignFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """The comparison in the form of the JSON output."""
        return {
            "segment": self.segment,
            "this": self.this.as_dict(),
            "earlier": [figures.as_dict() for figures in self.earlier],
        }
