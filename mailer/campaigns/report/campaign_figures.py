"""The few figures of a campaign by which it is compared with others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlmodel import Session, col

from mailer.campaigns.correction_record import find_corrections
from mailer.campaigns.report.clicks import ClickReport
from mailer.campaigns.report.hand_over import HandOver
from mailer.campaigns.report.part_reader import read_cheap_part
from mailer.campaigns.report.part_store import DepartureFigures, StoredPart, read_parts
from mailer.campaigns.report.returned import is_final
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Campaign
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts

_PARTS = (ReportPart.ledger, ReportPart.departures, ReportPart.hand_over, ReportPart.clicks)


@dataclass(frozen=True, kw_only=True)
class CampaignFigures:
    """The figures of one campaign that can be compared with another's.

    ``left`` have left since its launch, ``left_through_mail`` of them through this very mail, and
    ``complained`` of them by reporting spam. ``bounces`` are the readers a bounce came back from, or whose
    server refused it. ``median_seconds`` is the median time to hand over. ``clicks`` are people who followed
    a link; None if they were not counted, or are too few to be shown. None of the other figures is that of a
    large campaign that was not counted yet.
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

    def as_dict(self) -> dict[str, Any]:
        """The figures in the form of the JSON output."""
        return {**asdict(self), "launched_at": self.launched_at.isoformat()}


def read_figures(session: Session, campaigns: Sequence[Campaign]) -> tuple[CampaignFigures, ...]:
    """Read the figures of ``campaigns`` that were launched, in their order: as they were counted last, or of
    this moment if they were not and are cheap to count."""
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

    def read(part: ReportPart) -> Any:
        if part in stored:
            return stored[part].value
        return read_cheap_part(connection, number, part, audience=campaign.audience)

    counts: Counts | None = read(ReportPart.ledger)
    departures: DepartureFigures | None = read(ReportPart.departures)
    hand_over: HandOver | None = read(ReportPart.hand_over)
    clicks: ClickReport | None = read(ReportPart.clicks)
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
    """Count the readers of each campaign from whom a bounce came back."""
    campaign = col(FeedbackEvent.campaign_id)
    statement = (
        select(campaign, func.count(func.distinct(col(FeedbackEvent.subscriber_id))))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(campaign.in_(campaigns), col(FeedbackMessage.kind) == FeedbackKind.bounce, is_final())
        .group_by(campaign)
    )
    return {number: people for number, people in connection.execute(statement) if number is not None}
