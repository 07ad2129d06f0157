"""Which campaign a page is about."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.models import Campaign
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, open_visit
from mailer.web.studio.stored_campaign import read_campaign


@dataclass(frozen=True, kw_only=True)
class CampaignPlace:
    """A campaign as it is in the database, and how it was prepared, if it was."""

    campaign: Campaign
    preparation: Preparation | None

    @property
    def number(self) -> int:
        return self.campaign.id or 0

    @property
    def path(self) -> str:
        """The page of the campaign, below /studio."""
        return f"/campaigns/{self.number}"

    @property
    def is_correction(self) -> bool:
        """Whether it sends a correction, and not an edition."""
        return SEPARATOR in self.campaign.edition

    @property
    def is_prepared(self) -> bool:
        """Whether something can still be decided about it in Studio."""
        return self.preparation is not None and self.preparation.is_open


class PreparationClosedError(Exception):
    """Nothing can be decided about the campaign at ``path`` any more."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


def read_place(session: Session, number: int) -> CampaignPlace:
    """The campaign with this number.

    Raises:
        HTTPException: 404, there is no such campaign.
    """
    campaign = read_campaign(session, number)
    session.expunge(campaign)
    return CampaignPlace(campaign=campaign, preparation=read_preparation(session, number))


def find_place(page: StudioPage, number: int) -> CampaignPlace:
    """As :func:`read_place`, in a session of its own."""
    with page.state.read_session() as session:
        return read_place(session, number)


def read_title(page: StudioPage, place: CampaignPlace) -> str:
    """What the campaign sends, as people call it: what its frozen content is called, or its edition now."""
    campaign = place.campaign
    if campaign.content_digest or place.is_correction:
        return campaign.title
    return page.state.summaries.read(campaign.edition).title or campaign.title


def _open_place(page: PageDep, campaign: CampaignNumber) -> CampaignPlace:
    return find_place(page, campaign)


CampaignPlaceDep = Annotated[CampaignPlace, Depends(_open_place)]
"""The campaign that the path of a request names."""


def _open_preparation(place: CampaignPlaceDep) -> Preparation:
    if place.preparation is None or not place.is_prepared:
        raise PreparationClosedError(place.path)
    return place.preparation


PreparationDep = Annotated[Preparation, Depends(_open_preparation)]
"""How the campaign that a path names is prepared; whoever comes too late is led to its page."""


def show_closed(request: Request, error: Exception) -> Response:
    """Lead whoever comes too late to the campaign's page, which says what became of it."""
    assert isinstance(error, PreparationClosedError)  # noqa: S101 - registered for it
    return open_visit(request).redirect(error.path, Notice.preparation_over)
