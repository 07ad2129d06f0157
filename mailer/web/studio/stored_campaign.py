"""The campaign with the number that a path names, as it is in the database."""

from sqlmodel import Session
from starlette.exceptions import HTTPException

from mailer.campaigns.lifecycle import UnknownCampaignError, find_campaign
from mailer.database.models import Campaign
from mailer.web.studio.page import StudioPage


def read_campaign(session: Session, number: int) -> Campaign:
    """The campaign with this number.

    Raises:
        HTTPException: 404, there is no such campaign.
    """
    try:
        return find_campaign(session, number)
    except UnknownCampaignError as error:
        raise HTTPException(404) from error


def load_campaign(page: StudioPage, number: int) -> Campaign:
    """As :func:`read_campaign`, in a session of its own."""
    with page.state.read_session() as session:
        campaign = read_campaign(session, number)
        session.expunge(campaign)
        return campaign
