"""Send a campaign in one event loop: rescue, watch, send heartbeats, and say how the run ended."""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, exists, func, or_, select, true
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import col

from mailer.database.engine import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.circuit_breaker import FIRST_MESSAGES, CircuitBreaker
from mailer.dispatch.connection_pool import ConnectionPool, make_return_path_finder
from mailer.dispatch.dead_addresses import mark_dead_addresses
from mailer.dispatch.deliveries import Claim, Counts, RunningCounts, count_deliveries, is_in_state, is_sending
from mailer.dispatch.delivery_queue import DeliveryQueue, MessagePrefetcher
from mailer.dispatch.domain_limiter import DomainRateLimiter, check_domain_rates
from mailer.dispatch.event_log import EventLog, NullEventLog, RunOutcome, RunResult
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError, is_deadlock
from mailer.dispatch.liveness import HEARTBEAT_SECONDS, Presence
from mailer.dispatch.rate_limiter import RateLimiter, campaign_bucket, relay_bucket, warm_up_limit
from mailer.dispatch.relays import Relay, Relays, SmallAudience
from mailer.dispatch.scheduler import SendScheduler
from mailer.dispatch.sending_settings import list_relays, load_signer
from mailer.dispatch.sending_windows import SendingWindows
from mailer.dispatch.write_ahead import WriteAhead
from mailer.oauth.sign_in import list_sign_ins
from mailer.providers.provider_directory import ProviderDirectory, make_provider_limits
from mailer.rendering.message import envelope_sender, sender_address
from mailer.settings import Settings
from mailer.smtp.reply_classifier import is_dead_address
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Subscriber

_POLL_SECONDS = 0.05
_STATE_SECONDS = 0.5
_RESCUE_SECONDS = 2.0
_PROGRESS_SECONDS = 0.1
_OUTCOMES = {
    CampaignState.finished: RunOutcome.finished,
    CampaignState.paused: RunOutcome.paused,
    CampaignState.cancelled: RunOutcome.cancelled,
}


def check_usable(settings: Settings) -> None:
    """Raise ConfigurationError if something cannot be used that the loader of settings does not look at.
    Nothing is connected to, and no secret is read."""
    sender_address(settings.sender.address)
    envelope_sender(settings.sender)
    list_relays(settings.smtp)
    list_sign_ins(settings)
    SendingWindows(settings)
    check_domain_rates(settings.domain_rates)
    make_provider_limits(settings)


def dispatch(
    engine: Engine,
    campaign_id: int,
    *,
    relays: Relays,
    settings: Settings,
    root: Path,
    build_message: Callable[[Claim], bytes],
    find_stories: Callable[[Claim], str] | None = None,
    find_token: Callable[[Claim], str] | None = None,
    on_progress: Callable[[Counts], None] | None = None,
    stop: threading.Event | None = None,
    ending: threading.Event | None = None,
    wait: bool = False,
    resend_in_doubt: bool = False,
    event_log: EventLog | None = None,
    suppression: SuppressionKey | None = None,
    clock: Clock = read_clock,
) -> RunResult:
    """Send what is due of a campaign that is sending, until nothing is, or something ends it.

    ``engine`` must be durable. ``build_message`` is called outside every transaction; what it raises is
    recorded as the failure of that delivery. ``find_stories`` encodes the stories of that message for the
    ledger; None if all readers get the same. ``find_token`` returns the token by which its bounce is
    recognised. ``on_progress`` is called from this thread, at most ten times a second and once at the end.
    With ``wait`` the run continues until deferred deliveries have been tried again. With ``resend_in_doubt``
    it first requeues deliveries in doubt, whatever the campaign's policy. Once ``stop`` is set, each
    connection finishes its message and the rest goes back in the queue. Once ``ending`` is set, by default
    with ``stop``, it has ``END_SECONDS`` for that. Other dispatchers may work on the
    same campaign; what dead ones left is taken over. With ``suppression``, subscribers whose address turned
    out to be dead get the status bounced.

    Raise LedgerUnreachableError if the database failed, and ConfigurationError for settings that cannot be
    used.
    """
    signer = load_signer(settings, root)
    with (
        _frozen_heap(),
        _translating_database_errors(),
        Presence(engine, root, campaign_id, clock=clock) as presence,
    ):
        retry_for = timedelta(hours=settings.campaigns.retry_for_hours)
        ledger = Ledger(
            engine,
            campaign_id,
            presence.id,
            clock=clock,
            retry_for=retry_for,
            halt_at_rejected=settings.campaigns.halt_at_rejected,
        )
        preparer = MessagePrefetcher(build_message, signer)
        with contextlib.closing(ledger), contextlib.closing(preparer):
            run = _Run(
                engine=engine,
                campaign_id=campaign_id,
                presence=presence,
                ledger=ledger,
                relays=relays,
                prefetcher=preparer,
                find_stories=find_stories,
                find_token=find_token,
                settings=settings,
                event_log=event_log or NullEventLog(),
                suppression=suppression,
                clock=clock,
            )
            run.rescue()
            ledger.requeue_in_doubt(always=resend_in_doubt)
            with asyncio.Runner(loop_factory=_event_loop_factory()) as runner:
                stop = stop or threading.Event()
                runner.run(run.run(on_progress, stop, ending or stop, wait=wait))
            result = run.finish()
    if on_progress is not None:
        on_progress(result.counts)
    return result


def _event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if it is installed: the same loop in half the time."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


@contextlib.contextmanager
def _frozen_heap() -> Iterator[None]:
    """Keep the garbage collector from examining the half a million objects of a program with its libraries,
    which takes as long as a thousand messages."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _translating_database_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise LedgerUnreachableError(error) from error


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run: it watches the campaign, sends heartbeats, rescues deliveries, and says how it ended."""

    engine: Engine
    campaign_id: int
    presence: Presence
    ledger: Ledger
    relays: Relays
    prefetcher: MessagePrefetcher
    find_stories: Callable[[Claim], str] | None
    find_token: Callable[[Claim], str] | None
    settings: Settings
    event_log: EventLog
    suppression: SuppressionKey | None
    clock: Clock

    async def run(
        self,
        on_progress: Callable[[Counts], None] | None,
        stop: threading.Event,
        ending: threading.Event,
        *,
        wait: bool,
    ) -> None:
        counts = RunningCounts(self.count())
        scheduler, audience = self._make_scheduler(), self._read_audience()
        breaker = self._make_breaker(audience.domains)
        write_ahead = WriteAhead(self.ledger, breaker, counts, self.event_log, self.find_stories)
        # Not ten seconds later: until we are registered again, nothing is sent.
        write_ahead.on_refused = self.presence.send_heartbeat
        pool = ConnectionPool(
            DeliveryQueue(self.ledger, scheduler, self.prefetcher, write_ahead),
            write_ahead,
            self.relays,
            scheduler,
            self.event_log,
            find_return_path=make_return_path_finder(self.settings, self.find_token),
            max_connections=self.settings.smtp.connections,
            audience=audience,
            stop=stop,
            ending=ending,
        )
        self.event_log.run_started(self.campaign_id, counts.current())
        try:
            await self._monitor(pool, counts, on_progress, stop, wait=wait)
        finally:
            await pool.shut_down()
            scheduler.close()
        if pool.failure is not None:
            raise pool.failure

    async def _monitor(
        self,
        pool: ConnectionPool,
        counts: RunningCounts,
        on_progress: Callable[[Counts], None] | None,
        stop: threading.Event,
        *,
        wait: bool,
    ) -> None:
        """Return when there is a reason to end."""
        beaten = rescued = shown = time.monotonic()
        checked, last_notice = float("-inf"), ""
        while not stop.is_set() and not pool.is_stopped:
            start = time.monotonic()
            pool.tick()
            # While messages are being sent only a pause can end the run; with none, every check may be the
            # last.
            took = 0.0
            if pool.is_idle or start - checked >= _STATE_SECONDS:
                checked = time.monotonic()
                if not self.has_work(pool, later=wait):
                    return
                took = time.monotonic() - checked
            if on_progress is not None and start - shown >= _PROGRESS_SECONDS:
                on_progress(counts.current())
                shown = start
            if start - beaten >= HEARTBEAT_SECONDS:
                self.presence.send_heartbeat()
                beaten = start
            if (notice := "; ".join(self.relays.notices())) != last_notice:
                self.presence.set_notice(notice)
                last_notice = notice
            if start - rescued >= _RESCUE_SECONDS:
                self.rescue()
                rescued = start
            # On a large ledger a check costs more; it must stay a small part of the work.
            await pool.run_for(max(_POLL_SECONDS, 10 * took))

    def _read_audience(self) -> SmallAudience:
        envelope = col(Subscriber.envelope)
        ours = select(envelope).join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
        ours = ours.where(col(Delivery.campaign_id) == self.campaign_id)
        with self._reading() as connection:
            first = connection.scalars(ours.limit(SmallAudience().readers)).all()
            domain = "".join(first[:1]).rpartition("@")[2]
            elsewhere = ours.where(~envelope.endswith(f"@{domain}", autoescape=True)).limit(1)
            others = connection.execute(elsewhere).first()
        return SmallAudience(readers=len(first), domains=1 if others is None else 2)

    def _make_breaker(self, domains: int) -> CircuitBreaker:
        """Return a breaker that knows what earlier runs did, while the first messages are not all sent."""
        share = self.settings.campaigns.halt_at_rejected
        ours = col(Delivery.campaign_id) == self.campaign_id
        out = col(Delivery.state).in_([DeliveryState.sent, DeliveryState.rejected, DeliveryState.in_doubt])
        columns = (col(Delivery.id), col(Delivery.state), col(Delivery.code), col(Delivery.reason))
        first = select(*columns, col(Subscriber.envelope)).join(
            Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id)
        )
        with self._reading() as connection:
            rows = connection.execute(first.where(ours, out).limit(FIRST_MESSAGES)).all()
        dead = {
            number or 0: envelope.rpartition("@")[2].lower()
            for number, state, code, reason, envelope in rows
            if state is DeliveryState.rejected and is_dead_address(code, reason)
        }
        handed_over = len(rows)
        return CircuitBreaker(
            share, first=FIRST_MESSAGES, handed_over=handed_over, dead=dead, domains=domains
        )

    def _make_scheduler(self) -> SendScheduler:
        windows = SendingWindows(self.settings)
        provider_limits = make_provider_limits(self.settings)
        with self._reading() as connection:
            statement = select(col(Campaign.rate)).where(col(Campaign.id) == self.campaign_id)
            own_rate = connection.scalar(statement)

        def make_limiter(name: str, rate: float | None, relay: Relay | None = None) -> RateLimiter:
            warm_up = relay.settings.warm_up if relay is not None else None
            limit = warm_up_limit(warm_up) if warm_up else None
            return RateLimiter(self.engine, name, rate, clock=self.clock, day_limit=limit)

        return SendScheduler(
            make_limiter(campaign_bucket(self.campaign_id), own_rate or self.settings.campaigns.rate),
            {
                relay.name: make_limiter(relay_bucket(relay.name), relay.settings.rate, relay)
                for relay in self.relays
            },
            DomainRateLimiter(
                self.engine,
                self.settings.domain_rates,
                provider_limits=provider_limits,
                directory=ProviderDirectory(
                    self.engine,
                    uses_cache=self.settings.dns.look_up_providers,
                    only=provider_limits.keys(),
                    clock=self.clock,
                ),
                clock=self.clock,
            ),
            None if windows.is_always_open else windows,
        )

    def rescue(self) -> None:
        if dead := self.presence.find_dead():
            try:
                self.ledger.rescue(dead)
            except OperationalError as error:
                # One of them lives, and was writing the same rows in another order. We look again soon.
                if not is_deadlock(error):
                    raise
                return
            self.presence.remove(dead)

    def has_work(self, pool: ConnectionPool, *, later: bool) -> bool:
        """Return whether the campaign is sending and some dispatcher, here or elsewhere, has something to do
        for it now. With ``later``, a deferred delivery that is not yet due counts too."""
        if not pool.is_idle:
            with self._reading() as connection:
                return bool(connection.scalar(select(is_sending(self.campaign_id))))
        if reason := self.ledger.pause_after_canary():
            self.event_log.campaign_paused(self.campaign_id, reason)
            return False
        ours = col(Delivery.campaign_id) == self.campaign_id
        with self._reading() as connection:
            due = true() if later else col(Delivery.not_before) <= self.clock(connection)
            # Three conditions, each with its own index.
            possible = or_(
                exists().where(ours, is_in_state(DeliveryState.queued)),
                exists().where(ours, is_in_state(DeliveryState.deferred), due),
                exists().where(ours, col(Delivery.owner).is_not(None)),
            )
            found = select(is_sending(self.campaign_id), possible)
            return all(connection.execute(found).one())

    def count(self) -> Counts:
        with self._reading() as connection:
            return count_deliveries(connection, self.campaign_id)

    def finish(self) -> RunResult:
        if self.suppression is not None:
            # Before it is marked as finished, or a crash in between would leave them unmarked.
            share = self.settings.campaigns.halt_at_rejected
            mark_dead_addresses(
                self.engine, self.campaign_id, self.suppression, halt_at_rejected=share, clock=self.clock
            )
        self.ledger.finish()
        campaign = select(col(Campaign.state), col(Campaign.state_reason))
        next_try = select(func.min(col(Delivery.not_before))).where(
            col(Delivery.campaign_id) == self.campaign_id
        )
        with self._reading() as connection:
            state, reason = connection.execute(campaign.where(col(Campaign.id) == self.campaign_id)).one()
            counts = count_deliveries(connection, self.campaign_id)
            due = connection.execute(next_try).scalar()
        waits = counts.deferred and not counts.queued
        outcome = _OUTCOMES.get(state) or (RunOutcome.waiting if waits else RunOutcome.stopped)
        return RunResult(outcome=outcome, state=state, counts=counts, reason=reason, next_try=due)

    def _reading(self) -> Connection:
        return self.engine.connect().execution_options(read_only=True)
