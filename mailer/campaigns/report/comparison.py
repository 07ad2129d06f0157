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

    Corrections are left out: their readers are chosen by a story. If ``is_chosen``, a person has chosen the
    one it is beside, whenever and to whomever that was sent.
    """

    segment: str
    this: CampaignFigures
    earlier: tuple[CampaignFigures, ...]
    is_chosen: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The comparison in the form of the JSON output."""
        return {
            "segment": self.segment,
            "this": self.this.as_dict(),
            "earlier": [figures.as_dict() for figures in self.earlier],
        }


def compare_campaign(session: Session, campaign: Campaign, other: int | None = None) -> Comparison | None:
    """Compare a campaign with the last three before it to the same segment, or with the campaign ``other``;
    None if it was not launched. An ``other`` that does not exist or was not launched is passed over."""
    if campaign.launched_at is None:
        return None
    chosen = None if other in (None, campaign.id) else session.get(Campaign, other)
    if chosen is not None and chosen.launched_at is not None:
        this, beside = read_figures(session, [campaign, chosen])
        return Comparison(segment=campaign.segment, this=this, earlier=(beside,), is_chosen=True)
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
