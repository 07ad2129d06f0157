"""The report of a campaign, and the few figures by which it is compared with others and over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, or_, select

from mailer.campaigns.corrections import find_corrections
from mailer.campaigns.draft import CheckWarning, read_warnings
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.report.acceptance_times import HandOver
from mailer.campaigns.report.breakdown import Breakdown
from mailer.campaigns.report.clicks import ChangedChoices, ClickReport
from mailer.campaigns.report.departures import Departures, ListMonth, LostOrganisation, count_months
from mailer.campaigns.report.doubts import InDoubtReader, read_in_doubt
from mailer.campaigns.report.parts import (
    DepartureFigures,
    PartReader,
    StoredPart,
    is_cheap,
    read_parts,
)
from mailer.campaigns.report.reasons import ReasonGroup, Returned, is_final, read_returned
from mailer.campaigns.report.summary import CampaignSummary, summarise_campaign
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Campaign, CampaignContent, Correction
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.workspace import Workspace

_PARTS = (ReportPart.ledger, ReportPart.departures, ReportPart.hand_over, ReportPart.clicks)
_EARLIER: Final = 3


@dataclass(frozen=True, kw_only=True)
class CampaignFigures:
    """The figures of one campaign that can be compared with another's; None where a large campaign was not
    counted yet.

    ``left_through_mail`` of those who ``left`` did so through this very mail, and ``complained`` of them by
    reporting spam. ``bounces`` are the readers a bounce came back from, or whose server refused it.
    ``median_seconds`` is the median time to hand over. ``clicks`` are people; None also if they were not
    counted, or are too few to be shown.
    """

    id: int
    edition_label: str
    title: str
    launched_at: datetime
    audience: int
    sent: int | None = None
    rejected: int | None = None
    left: int | None = None
    left_through_mail: int | None = None
    complained: int | None = None
    bounces: int | None = None
    median_seconds: float | None = None
    clicks: int | None = None

    def share(self, number: int | None) -> float | None:
        """``number`` as a share of the audience, from 0 to 1; None if either is unknown."""
        return None if number is None or not self.audience else number / self.audience


def read_figures(session: Session, campaigns: Sequence[Campaign]) -> tuple[CampaignFigures, ...]:
    """Read the figures of ``campaigns`` that were launched, in their order: those that their reports show,
    of this moment if they are cheap to count, and otherwise as they were counted last."""
    connection = session.connection()
    numbers = [campaign.id for campaign in campaigns]
    stored = read_parts(connection, numbers, _PARTS)
    bounces = _count_bounces(connection, [number for number in numbers if number is not None])
    corrections = find_corrections(connection, [campaign.edition for campaign in campaigns])
    return tuple(
        _make_figures(
            connection,
            campaign,
            stored.get(campaign.id, {}),
            bounces=bounces.get(campaign.id or 0, 0),
            label=f"correction of {corrections[campaign.edition].subject_name}"
            if campaign.edition in corrections
            else campaign.edition,
        )
        for campaign in campaigns
        if campaign.launched_at is not None
    )


def _make_figures(
    connection: Connection,
    campaign: Campaign,
    stored: Mapping[ReportPart, StoredPart],
    *,
    bounces: int,
    label: str,
) -> CampaignFigures:
    number = campaign.id or 0

    read = PartReader(connection, campaign, (), fresh=False, stored=stored).read
    counts: Counts | None = read(ReportPart.ledger, None)
    departures: DepartureFigures | None = read(ReportPart.departures, None)
    hand_over: HandOver | None = read(ReportPart.hand_over, None)
    clicks: ClickReport | None = read(ReportPart.clicks, None)
    assert campaign.launched_at is not None  # noqa: S101 - the caller has chosen those that were launched
    return CampaignFigures(
        id=number,
        edition_label=label,
        title=campaign.title,
        launched_at=campaign.launched_at,
        audience=campaign.audience,
        sent=counts.sent if counts else None,
        rejected=counts.rejected if counts else None,
        left=departures.left.total if departures else None,
        left_through_mail=departures.left.through_mail if departures else None,
        complained=departures.left.complained if departures else None,
        bounces=bounces,
        median_seconds=hand_over.median if hand_over else None,
        clicks=clicks.people if clicks else None,
    )


def _count_bounces(connection: Connection, campaigns: Sequence[int]) -> dict[int, int]:
    campaign = col(FeedbackEvent.campaign_id)
    statement = (
        select_columns(campaign, func.count(func.distinct(col(FeedbackEvent.subscriber_id))))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(campaign.in_(campaigns), col(FeedbackMessage.kind) == FeedbackKind.bounce, is_final())
        .group_by(campaign)
    )
    return {number: people for number, people in connection.execute(statement) if number is not None}


@dataclass(frozen=True, kw_only=True)
class CampaignComparison:
    """A campaign and up to three before it, newest first, that went to the same ``segment``; corrections are
    left out, since their readers are chosen by a story. If ``is_chosen``, a person has chosen the one it is
    beside, whenever and to whomever that was sent."""

    segment: str
    this: CampaignFigures
    earlier: tuple[CampaignFigures, ...]
    is_chosen: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"segment": self.segment, "this": self.this, "earlier": self.earlier}


def compare_campaign(
    session: Session, campaign: Campaign, other: int | None = None
) -> CampaignComparison | None:
    """Compare a campaign with the last three before it to the same segment, or with the campaign ``other``;
    None if it was not launched. An ``other`` that does not exist or was not launched is passed over."""
    if campaign.launched_at is None:
        return None
    chosen = None if other in (None, campaign.id) else session.get(Campaign, other)
    if chosen is not None and chosen.launched_at is not None:
        this, beside = read_figures(session, [campaign, chosen])
        return CampaignComparison(segment=campaign.segment, this=this, earlier=(beside,), is_chosen=True)
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
    return CampaignComparison(segment=campaign.segment, this=this, earlier=tuple(others))


@dataclass(frozen=True, kw_only=True)
class TimeLine:
    """The campaigns that were launched, newest first, and the months of the list, oldest first, None if
    nobody has counted them yet. ``counted_at`` is None if they are of this moment."""

    campaigns: tuple[CampaignFigures, ...]
    months: tuple[ListMonth, ...] | None
    counted_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"campaigns": self.campaigns, "months": self.months, "months_counted_at": self.counted_at}


def read_time_line(session: Session, *, last: int | None = None, fresh: bool = False) -> TimeLine:
    """Read the time line, with the ``last`` campaigns or with all. With ``fresh``, the months are counted
    now, whatever it costs; otherwise as they were counted last, if the list is large."""
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


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with its problems, largest group first, and the first 1,000 readers in doubt.

    ``bounced`` is the number of readers whose address turned out to be dead while it was sent. ``clicks`` are
    None if they were not counted, ``warnings`` if they were not yet recorded when it was sent.

    Of a large campaign, some parts cost too much to count for every look. ``counted_at`` says when those were
    counted (aware); a part that is not in it is of this moment. ``uncounted`` are the parts that nobody has
    counted yet: their values are empty or None and mean nothing.
    """

    summary: CampaignSummary
    reasons: tuple[ReasonGroup, ...]
    in_doubt: tuple[InDoubtReader, ...]
    switched_off: Mapping[str, str]
    bounced: int = 0
    left: Departures = field(default_factory=Departures)
    returned: Returned = field(default_factory=Returned)
    lost_organisations: tuple[LostOrganisation, ...] = ()
    warnings: tuple[CheckWarning, ...] | None = None
    breakdown: Breakdown | None = None
    hand_over: HandOver | None = None
    choices: ChangedChoices | None = None
    clicks: ClickReport | None = None
    comparison: CampaignComparison | None = None
    counted_at: Mapping[ReportPart, datetime] = field(default_factory=dict)
    uncounted: frozenset[ReportPart] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        shown = {**vars(self), "uncounted": sorted(self.uncounted)}
        del shown["summary"]
        return {"campaign": self.summary, "equation": self.summary.counts.equation(), **shown}


def report_campaign(
    session: Session,
    campaign_id: int,
    workspace: Workspace,
    *,
    fresh: bool = True,
    compare_with: int | None = None,
) -> CampaignReport:
    """Build the report of a campaign, beside those before it or the one numbered ``compare_with``. Without
    ``fresh``, the costly parts of a large campaign are as they were counted last
    (:mod:`mailer.campaigns.report.parts`). Raise UnknownCampaignError if there is no such campaign."""
    campaign = find_campaign(session, campaign_id)
    connection = session.connection()
    reader = PartReader(connection, campaign, tuple(workspace.settings.sectors), fresh=fresh)
    counts = reader.read(ReportPart.ledger, Counts(audience=campaign.audience))
    nobody = DepartureFigures(left=Departures(), bounced=0, choices=None)
    departures: DepartureFigures = reader.read(ReportPart.departures, nobody)
    doubts = reader.read(ReportPart.in_doubt, ())
    return CampaignReport(
        summary=summarise_campaign(session, campaign_id, counts),
        reasons=reader.read(ReportPart.reasons, ()),
        in_doubt=read_in_doubt(connection, campaign_id, workspace, doubts),
        switched_off=_read_switched_off(session, campaign_id),
        bounced=departures.bounced,
        left=departures.left,
        returned=read_returned(connection, campaign_id),
        lost_organisations=reader.read(ReportPart.lost_organisations, ()),
        warnings=read_warnings(connection, campaign_id),
        breakdown=reader.read(ReportPart.breakdown, None),
        hand_over=reader.read(ReportPart.hand_over, None),
        choices=departures.choices,
        clicks=reader.read(ReportPart.clicks, None),
        comparison=compare_campaign(session, campaign, compare_with),
        counted_at=reader.counted_at,
        uncounted=frozenset(reader.uncounted),
    )


def _read_switched_off(session: Session, campaign_id: int) -> Mapping[str, str]:
    content = session.exec(
        select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign_id).limit(1)
    ).first()
    try:
        return CompiledEdition.from_bytes(content.body).switched_off if content else {}
    except CompiledVersionError:
        # Sent by another version of this program, whose format we cannot read.
        return {}
