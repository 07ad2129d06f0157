"""The campaign whose approval a path names, what would be sent of it now, and what has changed since."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Connection, select
from sqlmodel import col
from starlette.exceptions import HTTPException

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.answers import list_round_changes
from mailer.campaigns.approvals.changes import SendingOptions
from mailer.campaigns.approvals.rounds import Round, find_last_round, find_round, read_round_content
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.models import Campaign, CampaignState
from mailer.errors import ConfigurationError
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.team.members import Member
from mailer.web.forms import read_number
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.page import PageDep, StudioPage, Visit
from mailer.web.studio.segment_query import say_segment
from subscribers.errors import SubscriberError

_ASKABLE = frozenset(
    {CampaignState.draft, CampaignState.tested, CampaignState.approved, CampaignState.scheduled}
)


@dataclass(frozen=True, kw_only=True)
class ApprovalPlace:
    """A campaign that can be approved, or was. ``preparation`` is None if a command made it; ``segment``,
    ``again`` and ``counts_clicks`` are then its own."""

    number: int
    edition: str
    title: str
    state: CampaignState
    segment: str
    again: bool
    counts_clicks: bool
    preparation: Preparation | None

    @property
    def path(self) -> str:
        return f"/campaigns/{self.number}/approval"

    @property
    def is_correction(self) -> bool:
        return SEPARATOR in self.edition

    @property
    def is_askable(self) -> bool:
        """Whether its approval can be asked for: it is not launched, and no correction of the command line,
        whose note only that has."""
        return self.state in _ASKABLE and not (self.is_correction and self.preparation is None)


def _find_place(campaign: CampaignNumber, page: PageDep) -> ApprovalPlace:
    return find_place(page, campaign)


ApprovalPlaceDep = Annotated[ApprovalPlace, Depends(_find_place)]
"""The campaign that a path names; otherwise the answer is 404."""


def find_place(page: Visit, number: int) -> ApprovalPlace:
    """The campaign with this number.

    Raises:
        HTTPException: 404, there is none.
    """
    columns = (
        *(col(Campaign.id), col(Campaign.edition), col(Campaign.title), col(Campaign.state)),
        *(col(Campaign.segment), col(Campaign.again), col(Campaign.counts_clicks)),
    )
    with page.state.read_session() as session:
        row = session.connection().execute(select(*columns).where(col(Campaign.id) == number)).first()
        preparation = read_preparation(session, number)
    if row is None:
        raise HTTPException(404)
    return ApprovalPlace(
        number=number,
        edition=row.edition,
        title=row.title or row.edition,
        state=row.state,
        segment=row.segment,
        again=row.again,
        counts_clicks=row.counts_clicks,
        preparation=preparation,
    )


def plan_place(page: StudioPage, place: ApprovalPlace) -> Plan:
    """Plan the campaign as it would be launched now.

    Raises:
        NoSegmentError: nobody has chosen who gets it.
        SubscriberError: its segment is not valid.
        ConfigurationError: its edition is not there any more.
    """
    state, now = page.state, page.state.clock()
    if place.preparation is not None and place.preparation.is_open:
        return plan_prepared_campaign(state.workspace, state.engine, place.preparation, now=now)
    if not place.segment:
        raise NoSegmentError(place.number)
    with state.read_session() as session:
        segment = read_segment(place.segment, page.settings, session)
    return plan_campaign(
        state.workspace,
        state.engine,
        place.edition,
        segment,
        again=place.again,
        count_clicks=place.counts_clicks,
        now=now,
    )


def read_options(page: Visit, place: ApprovalPlace, connection: Connection) -> SendingOptions | None:
    """What is decided about the campaign now; None if nobody has chosen a segment, or it is not valid."""
    prepared = place.preparation
    if prepared is None or not prepared.is_open:
        return SendingOptions(segment=place.segment, again=place.again, counts_clicks=place.counts_clicks)
    decided, usual = prepared.decisions, page.settings.campaigns.count_clicks
    try:
        segment = read_segment(decided.segment or "", page.settings, connection).text
    except SubscriberError:
        return None
    counts = usual if decided.count_clicks is None else decided.count_clicks
    return SendingOptions(segment=segment, again=decided.again, counts_clicks=counts)


def list_changes_since(
    page: Visit, place: ApprovalPlace, asked: Round, connection: Connection
) -> tuple[str, ...]:
    """What has changed since the approval was asked for."""
    options = read_options(page, place, connection)
    if options is None:
        return (Phrase(gettext_noop("the segment, which is not chosen or not valid any more")),)
    is_frozen = place.state is CampaignState.scheduled or SEPARATOR in place.edition
    compiled = _read_frozen(connection, asked) if is_frozen else compile_current(page, place.edition)
    return list_round_changes(connection, page.state.workspace, asked, compiled=compiled, options=options)


def _read_frozen(connection: Connection, asked: Round) -> tuple[CompiledEdition, ...]:
    try:
        return read_round_content(connection, asked)
    except CompiledVersionError:
        return ()


def compile_current(page: Visit, edition: str) -> tuple[CompiledEdition, ...]:
    """The edition as it is now, its own language first; nothing if it has errors or is not there."""
    try:
        found = page.state.previews.compiler(edition).compile()
    except (ConfigurationError, OSError, ValueError):
        return ()
    if found.edition is None or found.errors:
        return ()
    own = found.edition.language
    return tuple(sorted(found.mails.values(), key=lambda mail: mail.language != own))


def find_round_of_place(connection: Connection, place: ApprovalPlace, number: str = "") -> Round:
    """A round of the campaign, by its number in a form or a path; the last one without a number.

    Raises:
        HTTPException: 404, there is no such round.
    """
    if number:
        row = read_number(number)
        found = find_round(connection, row) if row is not None else None
    else:
        found = find_last_round(connection, place.number)
    if found is None or found.campaign_id != place.number:
        raise HTTPException(404)
    return found


def say_round(visit: Visit, connection: Connection, asked: Round) -> str:
    """Who would get what was asked for, in the language of the page."""
    return say_segment(visit, connection, asked.options.segment, asked.facts.in_words)


def as_person(member: Member) -> Person:
    """A member as somebody who answers."""
    return Person(key=f"member:{member.id}", name=member.name, member_id=member.id, role=member.role)
