"""The parts of a campaign's report: of this moment if that is cheap, or as they were counted last.

A part is out of date if its campaign has changed since: at once if its state has, otherwise after a while, so
that counting never takes more than a small share of the time. Each part is counted and stored by itself, as
JSON with its date; a process that is killed loses at most the one in hand, which is then still out of date.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from mailer.campaigns.report.acceptance_times import HandOver, measure_hand_over
from mailer.campaigns.report.breakdown import Breakdown, count_breakdown
from mailer.campaigns.report.clicks import ChangedChoices, ClickReport, read_choices, read_clicks
from mailer.campaigns.report.departures import (
    Departures,
    ListMonth,
    LostOrganisation,
    count_departures,
    count_months,
    list_lost_organisations,
)
from mailer.campaigns.report.doubts import list_in_doubt
from mailer.campaigns.report.reasons import ReasonGroup, group_reasons
from mailer.database.engine import Clock, read_clock
from mailer.database.feedback_models import FeedbackEvent
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.report_models import CampaignReportPart, Click, ReportPart
from mailer.dispatch.dead_addresses import DEAD_ADDRESS_METHOD
from mailer.dispatch.deliveries import Counts, count_deliveries
from mailer.dispatch.ledger_changes import name_consent_source
from mailer.workspace import Workspace
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber

PARTS_VERSION: Final = 1
"""The form of the parts, which is in their fingerprints: parts of another are counted again."""
MAX_CHEAP_AUDIENCE: Final = 2_000
"""The largest campaign whose parts are counted for every look."""
MAX_CHEAP_LIST: Final = 10_000
"""The largest list beside which they are: some parts read all of it."""
Count = Callable[[Connection, int, Sequence[str]], Any]
_WAIT_WHILE_SENDING: Final = timedelta(minutes=1)
_WAIT_AFTERWARDS: Final = timedelta(hours=1)
_SHARE_OF_TIME: Final = 30
"""Counting again waits at least this many times as long as it took the last time."""
_KEPT_CURRENT: Final = timedelta(days=90)
"""For how long after its end a campaign's figures follow what happens to its readers."""


@dataclass(frozen=True, kw_only=True)
class DepartureFigures:
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
    """Read the stored ``parts`` of ``campaigns`` (None for the whole list). A part in the form of another
    version of this program counts as missing."""
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
    if audience > MAX_CHEAP_AUDIENCE:
        return False
    # The highest number is read from the index; counting would read the list.
    return (connection.scalar(select(func.max(col(Subscriber.id)))) or 0) <= MAX_CHEAP_LIST


def read_cheap_part(connection: Connection, campaign_id: int, part: ReportPart, *, audience: int) -> Any:
    """Count a part that needs no sectors; None if it is not cheap."""
    return CAMPAIGN_PARTS[part](connection, campaign_id, ()) if is_cheap(connection, audience) else None


class PartReader:
    """Reads the parts of one campaign: counted at this moment if that is cheap, or ``fresh`` asks for it, and
    otherwise as they were counted last. ``stored`` are the latter, where the caller has them already.

    Afterwards ``counted_at`` has the moments of those that were read, ``uncounted`` those that nobody has
    counted yet.
    """

    def __init__(
        self,
        connection: Connection,
        campaign: Campaign,
        sectors: Sequence[str],
        *,
        fresh: bool,
        stored: Mapping[ReportPart, StoredPart] | None = None,
    ) -> None:
        self._connection, self._campaign, self._sectors = connection, campaign, sectors
        self._counts_now = fresh or is_cheap(connection, campaign.audience)
        self._stored = stored
        self.counted_at: dict[ReportPart, datetime] = {}
        self.uncounted: set[ReportPart] = set()

    def read(self, part: ReportPart, missing: Any) -> Any:
        number = self._campaign.id or 0
        if self._counts_now:
            return CAMPAIGN_PARTS[part](self._connection, number, self._sectors)
        if self._campaign.launched_at is None:
            # Nobody belongs to a campaign before its launch.
            return missing
        if self._stored is None:
            self._stored = read_parts(self._connection, [number], CAMPAIGN_PARTS).get(number, {})
        stored = self._stored.get(part)
        if stored is None:
            self.uncounted.add(part)
            return missing
        self.counted_at[part] = stored.counted_at
        return stored.value


def _count_departures(connection: Connection, campaign_id: int) -> DepartureFigures:
    refused = select(col(Delivery.subscriber_id)).where(
        col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.rejected
    )
    bounced = select(func.count(col(ConsentRecord.subscriber_id).distinct())).where(
        col(ConsentRecord.subscriber_id).in_(refused),
        col(ConsentRecord.event) == ConsentEvent.bounced,
        col(ConsentRecord.method) == DEAD_ADDRESS_METHOD,
        col(ConsentRecord.source) == name_consent_source(campaign_id),
    )
    return DepartureFigures(
        left=count_departures(connection, campaign_id),
        bounced=connection.execute(bounced).scalar_one(),
        choices=read_choices(connection, campaign_id),
    )


def count_outdated_parts(
    workspace: Workspace,
    engine: Engine,
    *,
    stop: threading.Event | None = None,
    only: int | None = None,
    clock: Clock = read_clock,
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Count every part that is out of date, or of the campaign ``only``; return how many were counted.
    ``monotonic`` is this process's own clock in seconds, which tells what counting costs."""
    with engine.connect().execution_options(read_only=True) as connection:
        outdated = list_outdated_parts(connection, clock(connection), only=only)
    counted = 0
    for campaign_id, part, fingerprint in outdated:
        if stop is not None and stop.is_set():
            break
        started = monotonic()
        with engine.connect().execution_options(read_only=True) as connection:
            now = clock(connection)
            value = _count_part(connection, campaign_id, part, tuple(workspace.settings.sectors))
        stored = StoredPart(value=value, counted_at=now, fingerprint=fingerprint, cost=monotonic() - started)
        # Another machine may have stored the same part at this moment.
        with contextlib.suppress(IntegrityError), engine.begin() as connection:
            store_part(connection, campaign_id, part, stored)
        counted += 1
    return counted


def list_outdated_parts(
    connection: Connection, now: datetime, *, only: int | None = None
) -> list[tuple[int | None, ReportPart, str]]:
    """List the parts to be counted ``now`` with their new fingerprints, the newest campaigns first and the
    whole list (None) last."""
    mark = _read_mark(connection)
    stored = _read_stored(connection)
    wanted = select(
        *(col(Campaign.id), col(Campaign.state), col(Campaign.audience), col(Campaign.finished_at))
    ).where(col(Campaign.launched_at).is_not(None))
    if only is not None:
        wanted = wanted.where(col(Campaign.id) == only)
    found: list[tuple[int | None, ReportPart, str]] = []
    for number, state, audience, finished_at in connection.execute(wanted.order_by(col(Campaign.id).desc())):
        fingerprint = f"v{PARTS_VERSION} {state} {finished_at} {audience}; {mark}"
        for part in CAMPAIGN_PARTS:
            last = stored.get((number, part))
            if last is None or _is_outdated(last, fingerprint, state, finished_at, now):
                found.append((number, part, fingerprint))
    months = stored.get((None, ReportPart.months))
    fingerprint = f"v{PARTS_VERSION}; {mark}"
    if only is None and (months is None or _is_due(months, fingerprint, now, _WAIT_AFTERWARDS)):
        found.append((None, ReportPart.months, fingerprint))
    return found


def _is_outdated(
    last: Row[Any], fingerprint: str, state: CampaignState, finished_at: datetime | None, now: datetime
) -> bool:
    if last.fingerprint.partition(";")[0] != fingerprint.partition(";")[0]:
        return True
    if state is CampaignState.sending:
        # Its deliveries change all the time, which no fingerprint tells.
        return _is_due(last, "", now, _WAIT_WHILE_SENDING)
    if finished_at is not None and now - finished_at > _KEPT_CURRENT:
        return False
    return _is_due(last, fingerprint, now, _WAIT_AFTERWARDS)


def _is_due(last: Row[Any], fingerprint: str, now: datetime, wait: timedelta) -> bool:
    """Return whether a part of another ``fingerprint`` is old enough to be counted again."""
    age = now - last.counted_at
    waits = max(wait, timedelta(seconds=last.cost) * _SHARE_OF_TIME)
    # A date in the future comes of a clock that was set back.
    return last.fingerprint != fingerprint and not timedelta(0) <= age < waits


def _read_mark(connection: Connection) -> str:
    """Return the last consent record, the last event that came back and the last click."""
    numbers = (select(func.max(col(table.id))) for table in (ConsentRecord, FeedbackEvent, Click))
    return " ".join(str(connection.scalar(number) or 0) for number in numbers)


def _read_stored(connection: Connection) -> dict[tuple[int | None, ReportPart], Row[Any]]:
    """Return what is stored, without the figures."""
    table = CampaignReportPart
    columns: tuple[Any, ...] = (
        *(col(table.campaign_id), col(table.part), col(table.counted_at), col(table.fingerprint)),
        col(table.cost),
    )
    return {(row.campaign_id, row.part): row for row in connection.execute(select(*columns))}


def _count_part(
    connection: Connection, campaign_id: int | None, part: ReportPart, sectors: Sequence[str]
) -> Any:
    if campaign_id is None:
        return count_months(connection)
    return CAMPAIGN_PARTS[part](connection, campaign_id, sectors)
