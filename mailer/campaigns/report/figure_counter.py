"""Count the costly parts of reports when they are out of date, and keep them with their date.

A part is out of date if its campaign has changed since: at once if its state has, otherwise after a while, so
that counting never takes more than a small share of the time. Each part is counted and stored by itself; a
process that is killed loses at most the one in hand, which is then still out of date.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from mailer.campaigns.report.list_month import count_months
from mailer.campaigns.report.part_reader import CAMPAIGN_PARTS
from mailer.campaigns.report.part_store import PARTS_VERSION, StoredPart, store_part
from mailer.database.click_models import Click
from mailer.database.clock import Clock, read_clock
from mailer.database.feedback_models import FeedbackEvent
from mailer.database.models import Campaign, CampaignState
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.workspace import Workspace
from subscribers.models import ConsentRecord

_WAIT_WHILE_SENDING: Final = timedelta(minutes=1)
_WAIT_AFTERWARDS: Final = timedelta(hours=1)
_SHARE_OF_TIME: Final = 30
"""Counting again waits at least this many times as long as it took the last time."""

_KEPT_CURRENT: Final = timedelta(days=90)
"""For how long after its end a campaign's figures follow what happens to its readers."""


@dataclass(frozen=True, kw_only=True)
class OutdatedPart:
    """A part to be counted; ``campaign_id`` is None for the whole list."""

    campaign_id: int | None
    part: ReportPart
    fingerprint: str


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

    ``monotonic`` is this process's own clock in seconds, which tells what counting costs.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        outdated = list_outdated_parts(connection, clock(connection), only=only)
    counted = 0
    for one in outdated:
        if stop is not None and stop.is_set():
            break
        _count(engine, one, tuple(workspace.settings.sectors), clock, monotonic)
        counted += 1
    return counted


def list_outdated_parts(
    connection: Connection, now: datetime, *, only: int | None = None
) -> list[OutdatedPart]:
    """List the parts to be counted ``now``, the newest campaigns first and the list last."""
    mark = _read_mark(connection)
    stored = _read_stored(connection)
    wanted = select(
        *(col(Campaign.id), col(Campaign.state), col(Campaign.audience), col(Campaign.finished_at))
    ).where(col(Campaign.launched_at).is_not(None))
    if only is not None:
        wanted = wanted.where(col(Campaign.id) == only)
    found: list[OutdatedPart] = []
    for number, state, audience, finished_at in connection.execute(wanted.order_by(col(Campaign.id).desc())):
        fingerprint = f"v{PARTS_VERSION} {state} {finished_at} {audience}; {mark}"
        for part in CAMPAIGN_PARTS:
            last = stored.get((number, part))
            if last is None or _is_outdated(last, fingerprint, state, finished_at, now):
                found.append(OutdatedPart(campaign_id=number, part=part, fingerprint=fingerprint))
    months = stored.get((None, ReportPart.months))
    if only is None and (
        months is None or _is_due(months, f"v{PARTS_VERSION}; {mark}", now, _WAIT_AFTERWARDS)
    ):
        found.append(
            OutdatedPart(campaign_id=None, part=ReportPart.months, fingerprint=f"v{PARTS_VERSION}; {mark}")
        )
    return found


def _is_outdated(
    last: StoredPart, fingerprint: str, state: CampaignState, finished_at: datetime | None, now: datetime
) -> bool:
    if last.fingerprint.partition(";")[0] != fingerprint.partition(";")[0]:
        return True
    if state is CampaignState.sending:
        # Its deliveries change all the time, which no fingerprint tells.
        return _is_due(last, "", now, _WAIT_WHILE_SENDING)
    if finished_at is not None and now - finished_at > _KEPT_CURRENT:
        return False
    return _is_due(last, fingerprint, now, _WAIT_AFTERWARDS)


def _is_due(last: StoredPart, fingerprint: str, now: datetime, wait: timedelta) -> bool:
    """Whether a part of another ``fingerprint`` is old enough to be counted again."""
    age = now - last.counted_at
    waits = max(wait, timedelta(seconds=last.cost) * _SHARE_OF_TIME)
    # A date in the future comes of a clock that was set back.
    return last.fingerprint != fingerprint and not timedelta(0) <= age < waits


def _read_mark(connection: Connection) -> str:
    """The last consent record, the last event that came back and the last click."""
    numbers = (select(func.max(col(table.id))) for table in (ConsentRecord, FeedbackEvent, Click))
    return " ".join(str(connection.scalar(number) or 0) for number in numbers)


def _read_stored(connection: Connection) -> dict[tuple[int | None, ReportPart], StoredPart]:
    """What is stored, without the figures."""
    table = CampaignReportPart
    columns = (
        *(col(table.campaign_id), col(table.part), col(table.counted_at), col(table.fingerprint)),
        col(table.cost),
    )
    return {
        (number, part): StoredPart(value=None, counted_at=at, fingerprint=fingerprint, cost=cost)
        for number, part, at, fingerprint, cost in connection.execute(select(*columns))
    }


def _count(
    engine: Engine,
    outdated: OutdatedPart,
    sectors: Sequence[str],
    clock: Clock,
    monotonic: Callable[[], float],
) -> None:
    started = monotonic()
    with engine.connect().execution_options(read_only=True) as connection:
        now = clock(connection)
        value = _count_value(connection, outdated, sectors)
    cost = monotonic() - started
    stored = StoredPart(value=value, counted_at=now, fingerprint=outdated.fingerprint, cost=cost)
    # Another machine has stored the same part at this moment.
    with contextlib.suppress(IntegrityError), engine.begin() as connection:
        store_part(connection, outdated.campaign_id, outdated.part, stored)


def _count_value(connection: Connection, outdated: OutdatedPart, sectors: Sequence[str]) -> Any:
    if outdated.campaign_id is None:
        return count_months(connection)
    return CAMPAIGN_PARTS[outdated.part](connection, outdated.campaign_id, sectors)
