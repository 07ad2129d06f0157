"""A campaign beside the ones before it."""

from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, or_, select

from mailer.campaigns.report.campaign_figures import CampaignFigures, read_figures
from mailer.database.models import Campaign, Correction

_EARLIER: Final = 3


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


def compare_campaign(session: Session, campaign: Campaign) -> Comparison | None:
    """Compare a campaign with the last three before it to the same segment; None if it was not launched."""
    if campaign.launched_at is None:
        return None
    # At the same moment, the later number is the later campaign.
    is_earlier = or_(
        col(Campaign.launched_at) < campaign.launched_at,
        (col(Campaign.launched_at) == campaign.launched_at) & (col(Campaign.id) < campaign.id),
    )
    earlier = (
        select(Campaign)
        .where(is_earlier, col(Campaign.segment) == campaign.segment)
        .where(col(Campaign.edition).not_in(select(col(Correction.name))))
        .order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc())
        .limit(_EARLIER)
    )
    this, *others = read_figures(session, [campaign, *session.exec(earlier).all()])
    return Comparison(segment=campaign.segment, this=this, earlier=tuple(others))
