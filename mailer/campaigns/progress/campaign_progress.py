"""How far a campaign is at one moment: its state, its numbers and their sum, how fast it is."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text
from sqlmodel import col

from mailer.campaigns.progress.ledger_counter import LedgerCount
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.database.clock import read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, Dispatcher
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.liveness import DEAD_AFTER

_MEASURED_FOR = 60.0
_LEAST_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """How far a campaign is.

    ``counts`` are those of the ledger; of those in doubt, ``on_way`` are being sent at this moment.
    ``groups`` are why others did not get it. ``rate`` is how many messages a second were settled during the
    last minute, None while that is not known, and ``rate_limit`` the most it may be. ``next_try`` is when the
    first message that was put off is due. ``senders`` counts the processes with a recent sign of life, and
    ``notices`` are what they have to say. All times are aware, and ``read_at`` is the database's.
    """

    campaign_id: int
    edition: str
    title: str
    segment: str
    state: CampaignState
    reason: str
    counts: Counts
    on_way: int
    groups: tuple[ReasonGroup, ...]
    rate: float | None
    rate_limit: float | None
    canary: int | None
    canary_until: datetime | None
    next_try: datetime | None
    scheduled_at: datetime | None
    launched_at: datetime | None
    finished_at: datetime | None
    senders: int
    notices: tuple[str, ...]
    read_at: datetime

    @property
    def in_doubt(self) -> int:
        """How many may or may not have got it, and nobody is sending to them."""
        return self.counts.in_doubt - self.on_way

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent unless a person says so."""
        return self.state in {CampaignState.finished, CampaignState.cancelled}

    @property
    def seconds_left(self) -> int | None:
        """How long the rest will take at this rate; None if that cannot be said."""
        waiting = self.counts.queued + self.on_way
        if self.state is not CampaignState.sending or not self.rate or not waiting:
            return None
        return max(1, round(waiting / self.rate))

    @property
    def ends_at(self) -> datetime | None:
        """When the rest will have been sent at this rate."""
        left = self.seconds_left
        return None if left is None else self.read_at + timedelta(seconds=left)

    def list_terms(self) -> Iterator[tuple[str, int]]:
        """The terms of the closing equation, by name; they add up to the audience."""
        counts = self.counts
        yield "sent", counts.sent
        yield "rejected", counts.rejected
        yield "failed", counts.failed
        yield "suppressed", counts.suppressed
        yield "in_doubt", self.in_doubt
        yield "on_way", self.on_way
        yield "deferred", counts.deferred
        yield "queued", counts.queued


class RateMeter:
    """How many messages a second are settled, from what was counted during the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def record(self, settled: int, moment: float) -> float | None:
        """Record that ``settled`` messages are done at ``moment`` (in seconds of a clock that nobody sets);
        return the rate, None while too little is known."""
        if self._seen and settled < self._seen[-1][1]:
            # A doubt was put back in the queue, or the circuit breaker took refusals back.
            self._seen.clear()
        self._seen.append((moment, settled))
        while moment - self._seen[0][0] > _MEASURED_FOR:
            self._seen.popleft()
        first, before = self._seen[0]
        if moment - first < _LEAST_SECONDS:
            return None
        return (settled - before) / (moment - first)


def read_progress(connection: Connection, campaign_id: int, count: LedgerCount) -> CampaignProgress | None:
    """How far a campaign is, whose deliveries were just counted; None if there is no such campaign. The rate
    is not known yet.
    """
    row = connection.execute(select(*_COLUMNS).where(col(Campaign.id) == campaign_id)).first()
    if row is None:
        return None
    now = read_clock(connection)
    alive = col(Dispatcher.heartbeat_at) > now - DEAD_AFTER
    said = connection.execute(
        select(col(Dispatcher.host), col(Dispatcher.notice)).where(alive).order_by(col(Dispatcher.started_at))
    ).all()
    due = select(func.min(col(Delivery.not_before))).where(
        # As in the partial index: SQLite does not use it for a bound value.
        col(Delivery.campaign_id) == campaign_id,
        text("delivery.state = 'deferred'"),
    )
    return CampaignProgress(
        campaign_id=campaign_id,
        edition=row.edition,
        title=row.title,
        segment=row.segment,
        state=row.state,
        reason=row.state_reason,
        # Before the launch there are no deliveries, and the audience is not chosen yet.
        counts=replace(count.counts, audience=row.audience),
        on_way=count.on_way,
        groups=count.groups,
        rate=None,
        rate_limit=row.rate,
        canary=row.canary,
        canary_until=row.canary_until,
        next_try=connection.execute(due).scalar() if count.counts.deferred else None,
        scheduled_at=row.scheduled_at,
        launched_at=row.launched_at,
        finished_at=row.finished_at,
        senders=len(said),
        notices=tuple(f"{host.partition(' ')[0]}: {notice}" for host, notice in said if notice),
        read_at=now,
    )


_COLUMNS = (
    *(col(Campaign.edition), col(Campaign.title), col(Campaign.segment), col(Campaign.state)),
    *(col(Campaign.state_reason), col(Campaign.audience), col(Campaign.rate), col(Campaign.canary)),
    *(col(Campaign.canary_until), col(Campaign.scheduled_at), col(Campaign.launched_at)),
    col(Campaign.finished_at),
)
