"""Read the parts of a campaign's report: of this moment if that is cheap, or as they were counted last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlmodel import col

from mailer.campaigns.departures import count_departures
from mailer.campaigns.report.choices import read_choices
from mailer.campaigns.report.clicks import read_clicks
from mailer.campaigns.report.country_sector import count_breakdown
from mailer.campaigns.report.doubts import list_in_doubt
from mailer.campaigns.report.hand_over import measure_hand_over
from mailer.campaigns.report.lost_organisations import list_lost_organisations
from mailer.campaigns.report.part_store import DepartureFigures, StoredPart, read_parts
from mailer.campaigns.report.reasons import group_reasons
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import count_deliveries
from mailer.dispatch.safeguards import METHOD, name_campaign
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber

MAX_CHEAP_AUDIENCE: Final = 2_000
"""The largest campaign whose parts are counted for every look."""

MAX_CHEAP_LIST: Final = 10_000
"""The largest list beside which they are: some parts read all of it."""

Count = Callable[[Connection, int, Sequence[str]], Any]

CAMPAIGN_PARTS: Final[Mapping[ReportPart, Count]] = MappingProxyType(
    {
        ReportPart.ledger: lambda connection, number, _: count_deliveries(connection, number),
        ReportPart.reasons: lambda connection, number, _: group_reasons(connection, number),
        ReportPart.in_doubt: lambda connection, number, _: list_in_doubt(connection, number),
        ReportPart.breakdown: count_breakdown,
        ReportPart.hand_over: lambda connection, number, _: measure_hand_over(connection, number),
        ReportPart.departures: lambda connection, number, _: _count_departures(connection, number),
        ReportPart.lost_organisations: lambda connection, number, _: list_lost_organisations(
            connection, number
        ),
        ReportPart.clicks: lambda connection, number, _: read_clicks(connection, number),
    }
)
"""How each part of a campaign is counted; the last argument are the configured sectors."""


def is_cheap(connection: Connection, audience: int) -> bool:
    """Whether a campaign with this ``audience`` is counted for every look."""
    if audience > MAX_CHEAP_AUDIENCE:
        return False
    # The highest number is read from the index; counting would read the list.
    return (connection.scalar(select(func.max(col(Subscriber.id)))) or 0) <= MAX_CHEAP_LIST


def read_cheap_part(connection: Connection, campaign_id: int, part: ReportPart, *, audience: int) -> Any:
    """Count a part that needs no sectors; None if it is not cheap."""
    return CAMPAIGN_PARTS[part](connection, campaign_id, ()) if is_cheap(connection, audience) else None


class FigureSource(StrEnum):
    """Where the figures of a campaign come from."""

    rows = "rows"
    """They are counted at this moment."""

    store = "store"
    """They are as they were counted last."""

    nowhere = "nowhere"
    """There are none: nobody belongs to a campaign before its launch."""


def choose_source(connection: Connection, campaign: Campaign, *, fresh: bool) -> FigureSource:
    """Where the figures of a campaign come from. ``fresh`` are those of this moment, whatever that costs."""
    if fresh or is_cheap(connection, campaign.audience):
        return FigureSource.rows
    return FigureSource.nowhere if campaign.launched_at is None else FigureSource.store


@dataclass
class PartReader:
    """Reads the parts of one campaign from ``source``.

    Afterwards ``counted_at`` has the moments of those that were read, ``uncounted`` those that nobody has
    counted yet.
    """

    connection: Connection
    campaign_id: int
    sectors: Sequence[str]
    source: FigureSource
    counted_at: dict[ReportPart, datetime] = field(default_factory=dict)
    uncounted: set[ReportPart] = field(default_factory=set)
    _stored: Mapping[ReportPart, StoredPart] | None = None

    def read(self, part: ReportPart, missing: Any) -> Any:
        """The value of ``part``, or ``missing`` if there is none yet."""
        match self.source:
            case FigureSource.rows:
                return CAMPAIGN_PARTS[part](self.connection, self.campaign_id, self.sectors)
            case FigureSource.nowhere:
                return missing
            case FigureSource.store:
                return self._read_stored(part, missing)

    def _read_stored(self, part: ReportPart, missing: Any) -> Any:
        if self._stored is None:
            found = read_parts(self.connection, [self.campaign_id], CAMPAIGN_PARTS)
            self._stored = found.get(self.campaign_id, {})
        stored = self._stored.get(part)
        if stored is None:
            self.uncounted.add(part)
            return missing
        self.counted_at[part] = stored.counted_at
        return stored.value


def _count_departures(connection: Connection, campaign_id: int) -> DepartureFigures:
    return DepartureFigures(
        left=count_departures(connection, campaign_id),
        bounced=_count_bounced(connection, campaign_id),
        choices=read_choices(connection, campaign_id),
    )


def _count_bounced(connection: Connection, campaign_id: int) -> int:
    """How many readers were given the status bounced because of their refusal in this campaign."""
    ours = (col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.rejected)
    marked = (
        col(ConsentRecord.event) == ConsentEvent.bounced,
        *(col(ConsentRecord.method) == METHOD, col(ConsentRecord.source) == name_campaign(campaign_id)),
    )
    refused = select(col(Delivery.subscriber_id)).where(*ours)
    counted = select(func.count(col(ConsentRecord.subscriber_id).distinct()))
    return connection.execute(
        counted.where(col(ConsentRecord.subscriber_id).in_(refused), *marked)
    ).scalar_one()
