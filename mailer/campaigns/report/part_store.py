"""The parts of reports that were counted earlier, kept as JSON with their date."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select
from sqlmodel import col

from mailer.campaigns.departures import Departures
from mailer.campaigns.report.breakdown import Breakdown
from mailer.campaigns.report.choices import ChangedChoices
from mailer.campaigns.report.clicks import ClickReport
from mailer.campaigns.report.hand_over import HandOver
from mailer.campaigns.report.list_month import ListMonth
from mailer.campaigns.report.lost_organisations import LostOrganisation
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.dispatch.deliveries import Counts

PARTS_VERSION: Final = 1
"""The form of the parts, which is in their fingerprints: parts of another are counted again."""


@dataclass(frozen=True, kw_only=True)
class DepartureFigures:
    """Who has left since a campaign, whose address turned out to be dead while it was sent, and what was
    changed through it."""

    left: Departures
    bounced: int
    choices: ChangedChoices | None


@dataclass(frozen=True, kw_only=True)
class StoredPart:
    """A part as it was counted: its ``value``, when (aware), what it depended on, and what it cost (s)."""

    value: Any
    counted_at: datetime
    fingerprint: str = ""
    cost: float = 0.0


_TYPES: Final[Mapping[ReportPart, Any]] = {
    ReportPart.ledger: Counts,
    ReportPart.reasons: tuple[ReasonGroup, ...],
    ReportPart.in_doubt: tuple[int, ...],
    ReportPart.breakdown: Breakdown,
    ReportPart.hand_over: HandOver | None,
    ReportPart.departures: DepartureFigures,
    ReportPart.lost_organisations: tuple[LostOrganisation, ...],
    ReportPart.clicks: ClickReport | None,
    ReportPart.months: tuple[ListMonth, ...],
    ReportPart.mailed: int,
}


@cache
def _adapter(part: ReportPart) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[part])


def read_parts(
    connection: Connection, campaigns: Iterable[int | None], parts: Iterable[ReportPart]
) -> dict[int | None, dict[ReportPart, StoredPart]]:
    """Read the stored ``parts`` of ``campaigns`` (None for the whole list), those there are.

    A part in the form of another version of this program counts as missing.
    """
    table = CampaignReportPart
    numbers = set(campaigns)
    is_theirs = or_(
        col(table.campaign_id).in_([number for number in numbers if number is not None]),
        *([col(table.campaign_id).is_(None)] if None in numbers else []),
    )
    columns = (
        *(col(table.campaign_id), col(table.part), col(table.body), col(table.counted_at)),
        *(col(table.fingerprint), col(table.cost)),
    )
    found: dict[int | None, dict[ReportPart, StoredPart]] = {}
    for row in connection.execute(select(*columns).where(is_theirs, col(table.part).in_(list(parts)))):
        try:
            value = _adapter(row.part).validate_json(row.body)
        except ValidationError:
            continue
        found.setdefault(row.campaign_id, {})[row.part] = StoredPart(
            value=value, counted_at=row.counted_at, fingerprint=row.fingerprint, cost=row.cost
        )
    return found


def store_part(connection: Connection, campaign_id: int | None, part: ReportPart, stored: StoredPart) -> None:
    """Store a part in the place of an older one. The caller commits."""
    connection.execute(delete(CampaignReportPart).where(*_is_part(campaign_id, part)))
    connection.execute(
        insert(CampaignReportPart).values(
            campaign_id=campaign_id,
            part=part,
            body=_adapter(part).dump_json(stored.value).decode(),
            counted_at=stored.counted_at,
            fingerprint=stored.fingerprint,
            cost=stored.cost,
        )
    )


def _is_part(campaign_id: int | None, part: ReportPart) -> tuple[ColumnElement[bool], ...]:
    number = col(CampaignReportPart.campaign_id)
    is_its = number.is_(None) if campaign_id is None else number == campaign_id
    return (is_its, col(CampaignReportPart.part) == part)
