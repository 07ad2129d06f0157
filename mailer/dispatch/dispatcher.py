"""Sending a campaign: threads with a connection each, one ledger, and an ending that says what is left."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, Engine, and_, exists, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.claiming import Claim, is_sending
from mailer.dispatch.counts import Counts, count_deliveries
from mailer.dispatch.ledger import Ledger
from mailer.dispatch.liveness import HEARTBEAT_SECONDS, Presence
from mailer.dispatch.pacing import Pacer
from mailer.dispatch.transport import Transport
from mailer.dispatch.trouble import Patience, Trouble
from mailer.dispatch.worker import Crew, LedgerUnreachableError, Work
from mailer.settings import Settings

_LOOK_SECONDS = 0.05
_RESCUE_SECONDS = 2.0
_PROGRESS_SECONDS = 0.1


class How(StrEnum):
    """How a run ended."""

    finished = "finished"
    """Nothing is left to do."""

    waiting = "waiting"
    """Only deferred readers are left; ``next_try`` says when the first of them is due."""

    paused = "paused"
    """A person, or trouble with the server, paused the campaign; ``reason`` says which."""

    cancelled = "cancelled"
    """A person cancelled it."""

    stopped = "stopped"
    """This run was asked to stop; the campaign still stands as sending and can be taken up again."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of a run: how, where the campaign stands, why, when a deferred reader is due, and the
    numbers.
    """

    how: How
    state: CampaignState
    counts: Counts
    reason: str = ""
    next_try: datetime | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to do something before the campaign can go on."""
        return self.how in {How.paused, How.cancelled, How.stopped}


def dispatch(
    engine: Engine,
    campaign_id: int,
    *,
    transport: Transport,
    settings: Settings,
    root: Path,
    build: Callable[[Claim], bytes],
    on_progress: Callable[[Counts], None] | None = None,
    stop: threading.Event | None = None,
    patience: Patience | None = None,
    wait: bool = False,
    resend_in_doubt: bool = False,
    clock: Clock = read_clock,
) -> Ending:
    """Send what is due of a campaign that is sending, until nothing is, or something ends it.

    ``engine`` must be durable. ``build`` makes one message, outside every transaction; whatever it raises
    is recorded as that reader's failure. ``on_progress`` is called from this thread, at most ten times a
    second and once at the end. With ``wait`` it stays until deferred readers have been tried again. With
    ``resend_in_doubt`` it begins by queueing those in doubt, whatever the campaign's policy. After
    ``stop`` is set, each connection finishes the message in hand and gives the rest back. Other dispatchers
    may work on the same campaign; what dead ones left is taken over.

    Raises:
        LedgerUnreachableError: the database failed.
    """
    stop = stop or threading.Event()
    with _explaining_failure(), Presence(engine, root, campaign_id, clock=clock) as presence:
        retry_for = timedelta(hours=settings.campaigns.retry_for_hours)
        ledger = Ledger(engine, campaign_id, presence.id, clock=clock, retry_for=retry_for)
        run = _Run(engine, campaign_id, presence, ledger, clock)
        work = Work(
            ledger=ledger,
            transport=transport,
            build=build,
            sender=settings.sender.bounces_to or settings.sender.address,
            pacer=Pacer(engine, campaign_id, run.read_rate(settings), clock=clock),
            trouble=Trouble(patience or Patience()),
        )
        run.rescue()
        ledger.resend_doubted(always=resend_in_doubt)
        with Crew(work, size=settings.smtp.connections) as crew:
            run.watch(crew, on_progress, stop, wait=wait)
        crew.raise_failure()
        ending = run.conclude()
    if on_progress is not None:
        on_progress(ending.counts)
    return ending


@contextlib.contextmanager
def _explaining_failure() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise LedgerUnreachableError(error) from error


@dataclass(frozen=True)
class _Run:
    """One run as its first thread sees it: it watches, beats, rescues, and says how it ended."""

    engine: Engine
    campaign_id: int
    presence: Presence
    ledger: Ledger
    clock: Clock

    def watch(
        self,
        crew: Crew,
        on_progress: Callable[[Counts], None] | None,
        stop: threading.Event,
        *,
        wait: bool,
    ) -> None:
        """Return when there is a reason to end."""
        beaten = rescued = shown = time.monotonic()
        while not stop.is_set() and not crew.has_failed:
            start = time.monotonic()
            if not self.has_work(later=wait):
                return
            if on_progress is not None and start - shown >= _PROGRESS_SECONDS:
                on_progress(self.count())
                shown = start
            if start - beaten >= HEARTBEAT_SECONDS:
                self.presence.beat()
                beaten = start
            if start - rescued >= _RESCUE_SECONDS:
                self.rescue()
                rescued = start
            # On a large ledger a look costs more; it must stay a small part of the work.
            stop.wait(max(_LOOK_SECONDS, 10 * (time.monotonic() - start)))

    def rescue(self) -> None:
        """Take over what dispatchers left that have died."""
        if dead := self.presence.find_dead():
            self.ledger.rescue(dead)
            self.presence.forget(dead)

    def has_work(self, *, later: bool) -> bool:
        """Whether the campaign is sending and some dispatcher, here or elsewhere, can do something for it
        now.

        With ``later``, a deferred reader who is not yet due counts too.
        """
        state, ours = col(Delivery.state), col(Delivery.campaign_id) == self.campaign_id
        with self._reading() as connection:
            due = true() if later else col(Delivery.not_before) <= self.clock(connection)
            in_hand = state.in_([DeliveryState.claimed, DeliveryState.in_doubt])
            possible = or_(
                state == DeliveryState.queued,
                and_(state == DeliveryState.deferred, due),
                and_(in_hand, col(Delivery.owner).is_not(None)),
            )
            found = select(is_sending(self.campaign_id), exists().where(ours, possible))
            return all(connection.execute(found).one())

    def count(self) -> Counts:
        """The numbers as they stand."""
        with self._reading() as connection:
            return count_deliveries(connection, self.campaign_id)

    def read_rate(self, settings: Settings) -> float | None:
        """The campaign's own rate, else that of the settings."""
        with self._reading() as connection:
            statement = select(col(Campaign.rate)).where(col(Campaign.id) == self.campaign_id)
            return connection.scalar(statement) or settings.campaigns.rate

    def conclude(self) -> Ending:
        """Finish the campaign if it is done, and say how it stands."""
        self.ledger.finish()
        campaign = select(col(Campaign.state), col(Campaign.state_reason))
        next_try = select(func.min(col(Delivery.not_before))).where(
            col(Delivery.campaign_id) == self.campaign_id
        )
        with self._reading() as connection:
            state, reason = connection.execute(campaign.where(col(Campaign.id) == self.campaign_id)).one()
            counts = count_deliveries(connection, self.campaign_id)
            due = connection.execute(next_try).scalar()
        how = _HOW.get(state) or _how_it_stands(counts)
        return Ending(how=how, state=state, counts=counts, reason=reason, next_try=due)

    def _reading(self) -> Connection:
        return self.engine.connect().execution_options(read_only=True)


_HOW = {
    CampaignState.finished: How.finished,
    CampaignState.paused: How.paused,
    CampaignState.cancelled: How.cancelled,
}


def _how_it_stands(counts: Counts) -> How:
    """How a run ended whose campaign still stands as sending."""
    return How.waiting if counts.deferred and not counts.queued else How.stopped
