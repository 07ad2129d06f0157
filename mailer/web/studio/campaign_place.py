"""A request about a campaign."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec

from fastapi import Depends, Request
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.deeds import Deed
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.lifecycle import UnknownCampaignError, find_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.models import Campaign, CampaignState
from mailer.i18n import gettext_noop
from mailer.web.mail_preview.prepared_mail import PreparedMail, look_at_mail
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, open_visit
from mailer.web.studio.waiting_item import WaitingItem

_Facts = ParamSpec("_Facts")
_MAX_HALTED = 20

CampaignNumber = Annotated[int, depend_on_number("campaign")]
"""The path's ``campaign``, if it can be the number of one; otherwise the answer is 404."""


def read_campaign(session: Session, number: int) -> Campaign:
    """Return the campaign with this number. Raise HTTPException 404 if there is no such campaign."""
    try:
        return find_campaign(session, number)
    except UnknownCampaignError as error:
        raise HTTPException(404) from error


class PreparationClosedError(Exception):
    """Nothing can be decided about the campaign at ``path`` any more."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


@dataclass(frozen=True, kw_only=True)
class CampaignPage(StudioPage):
    """A request about a campaign, as it is in the database, and how it was prepared, if it was."""

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
        return SEPARATOR in self.campaign.edition

    @property
    def was_sent_as_edition(self) -> bool:
        """Whether it was launched, and its edition can be archived and corrected."""
        return self.campaign.launched_at is not None and not self.is_correction

    def render(self, template: str, *, status: int = 0, **values: object) -> Response:
        shared = {"campaign": self.campaign, "title": name_campaign(self, self.campaign)}
        return super().render(template, status=status, **shared, **values)

    def go_back(self, notice: Notice | None = None, below: str = "") -> Response:
        """Go on to the page of the campaign, or to one ``below`` it, such as "/live"."""
        return self.redirect(self.path + below, notice)

    def log(
        self,
        session: Session,
        make: Callable[Concatenate[str, int, _Facts], Deed],
        *args: _Facts.args,
        **facts: _Facts.kwargs,
    ) -> None:
        """Write down what the member does to the campaign: ``make`` is a function of
        :mod:`mailer.activity.deeds` about campaigns, the rest what else it takes."""
        self.record(session, make(self.campaign.edition, self.number, *args, **facts))


@dataclass(frozen=True, kw_only=True)
class PreparedPage(CampaignPage):
    """A request about a campaign of which something can still be decided."""

    preparation: Preparation

    def look_at_mail(self, *, compiles: bool = True) -> PreparedMail:
        """Find out what it would send now, and what of it the member has looked at."""
        previews, counts, prepared = self.state.previews, self.state.counts, self.preparation
        return look_at_mail(previews, counts, self.session, prepared, self.member.id, compiles=compiles)


def name_campaign(page: StudioPage, campaign: Campaign) -> str:
    """Return what a campaign sends, as people call it: its frozen content, or its edition as it is now."""
    if campaign.content_digest or SEPARATOR in campaign.edition:
        return campaign.title
    return page.state.summaries.read(campaign.edition).title or campaign.title


def list_halted_items(page: StudioPage) -> Iterator[WaitingItem]:
    """List the campaigns that are paused until a person lets them go on."""
    is_halted = (col(Campaign.state) == CampaignState.paused, col(Campaign.canary_until).is_(None))
    newest = select(Campaign).where(*is_halted).order_by(col(Campaign.id).desc()).limit(_MAX_HALTED)
    for campaign in page.session.exec(newest):
        yield WaitingItem(
            title=name_campaign(page, campaign),
            words=": ".join(filter(None, (page.translate(campaign.state.words), say_reason(page, campaign)))),
            act=page.translate(gettext_noop("See what to do")),
            path=f"/campaigns/{campaign.id}/live",
            tone="wrong",
            detail=campaign.edition,
        )


def say_reason(page: StudioPage, campaign: Campaign) -> str:
    """Return why a campaign is in its state, in the language of the page."""
    return page.translator.say_again(campaign.state_reason) if campaign.state_reason else ""


def _open_campaign(page: PageDep, number: CampaignNumber) -> CampaignPage:
    with page.state.read_session() as session:
        campaign, preparation = read_campaign(session, number), read_preparation(session, number)
    is_open = preparation is not None and preparation.is_open
    return page.about(PreparedPage if is_open else CampaignPage, campaign=campaign, preparation=preparation)


CampaignPageDep = Annotated[CampaignPage, Depends(_open_campaign)]
"""A request about the campaign that its path names; while something can be decided, a PreparedPage."""


def _open_prepared(page: CampaignPageDep) -> PreparedPage:
    if not isinstance(page, PreparedPage):
        raise PreparationClosedError(page.path)
    return page


PreparedPageDep = Annotated[PreparedPage, Depends(_open_prepared)]
"""A request about a campaign that is being prepared. Whoever comes too late is led to its page."""


def show_closed(request: Request, error: Exception) -> Response:
    """Lead whoever comes too late to the campaign's page, which says what became of it."""
    assert isinstance(error, PreparationClosedError)  # noqa: S101 - registered for it
    return open_visit(request).redirect(error.path, Notice.preparation_over)
