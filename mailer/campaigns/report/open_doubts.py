"""Campaigns with deliveries in doubt that nobody has settled, without counting those of large ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.report.part_reader import read_cheap_part
from mailer.campaigns.report.part_store import read_parts
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.report_models import ReportPart

_CAMPAIGNS: Final = 10
"""How many campaigns are looked at, the newest: an older doubt is settled by no log any more."""

_OVER = (CampaignState.paused, CampaignState.finished, CampaignState.cancelled)
"""While a campaign is being sent, every message on its way is in doubt for a moment."""


@dataclass(frozen=True, kw_only=True)
class OpenDoubts:
    """A campaign and its ``number`` of deliveries in doubt, as counted last."""

    campaign_id: int
    title: str
    edition: str
    launched_at: datetime
    number: int


def list_open_doubts(connection: Connection) -> list[OpenDoubts]:
    """List the newest campaigns with deliveries in doubt, the newest first. Those of a large campaign are as
    they were counted last, and missing if nobody has counted them."""
    columns = (
        *(col(Campaign.id), col(Campaign.title), col(Campaign.edition)),
        *(col(Campaign.launched_at), col(Campaign.audience)),
    )
    newest = (
        select(*columns)
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.state).in_(_OVER))
        .order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc())
        .limit(_CAMPAIGNS)
    )
    rows = connection.execute(newest).all()
    stored = read_parts(connection, [row.id for row in rows], [ReportPart.in_doubt])
    found = []
    for row in rows:
        doubts = read_cheap_part(connection, row.id, ReportPart.in_doubt, audience=row.audience)
        if doubts is None:
            part = stored.get(row.id, {}).get(ReportPart.in_doubt)
            doubts = () if part is None else _leave_settled(connection, part.value)
        if doubts:
            found.append(
                OpenDoubts(
                    campaign_id=row.id,
                    title=row.title,
                    edition=row.edition,
                    launched_at=row.launched_at,
                    number=len(doubts),
                )
            )
    return found


def _leave_settled(connection: Connection, deliveries: Sequence[int]) -> Sequence[int]:
    """Those of ``deliveries`` that are still in doubt: some may have been settled since they were counted."""
    number = col(Delivery.id)
    still = select(number).where(number.in_(deliveries), col(Delivery.state) == DeliveryState.in_doubt)
    return list(connection.scalars(still))
