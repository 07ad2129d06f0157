"""The delivery queue: one commit for one turn of the loop, and no message is sent before it."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from mailer.database.models import Campaign, CampaignState, DeliveryState, InDoubtPolicy
from mailer.dispatch.circuit_breaker import CircuitBreaker
from mailer.dispatch.deliveries.batch_writer import Batch, BatchResult
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.counts import Counts, RunningCounts
from mailer.dispatch.deliveries.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.delivery_queue import DeliveryQueue
from mailer.dispatch.event_log import NullEventLog
from mailer.dispatch.message_prefetcher import MessagePrefetcher
from mailer.dispatch.scheduler import Schedule, SendScheduler
from mailer.errors import BuildError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply
from subscribers.models import Status
from tests.factories.deliveries import (
    add_campaign,
    build_plain,
    read_campaign,
    read_deliveries,
    read_states,
    register_dispatchers,
    set_campaign_state,
    set_status,
)
from tests.smtp.fake_source import await_that, run, settle_down

S = DeliveryState
SENT = classify_reply(Stage.dot, 250, "2.0.0 queued")
REFUSED_BEFORE_THE_BODY = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")


class WatchedLedger(Ledger):
    """Keeps the batches it wrote; fails when told to."""

    batches: list[Batch]
    is_broken = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches = []

    def record(self, batch: Batch) -> BatchResult:
        if self.is_broken:
            raise LedgerUnreachableError(RuntimeError("disk full"))
        self.batches.append(batch)
        return super().record(batch)


class FakeScheduler:
    """Lets every delivery go now, or when ``plan`` says."""

    is_unlimited = True

    def __init__(self, plan: Callable[[Sequence[Claim]], Schedule] | None) -> None:
        self._plan = plan

    def schedule(self, claims: Sequence[Claim], now: datetime) -> Schedule:
        assert now.tzinfo is not None
        return Schedule(now=claims) if self._plan is None else self._plan(claims)


class Run:
    """A queue with everything it needs."""

    def __init__(
        self,
        engine: Engine,
        campaign: int,
        plan: Callable[[Sequence[Claim]], Schedule] | None = None,
        build: Callable[[Claim], bytes] = build_plain,
    ) -> None:
        self.ledger = WatchedLedger(engine, campaign, "us")
        self.counts = RunningCounts(Counts(audience=3, queued=3))
        self.changes = 0
        self.queue = DeliveryQueue(
            self.ledger,
            cast("SendScheduler", FakeScheduler(plan)),
            MessagePrefetcher(build, None),
            CircuitBreaker(),
            self.counts,
            NullEventLog(),
        )
        self.queue.on_change = self.change

    def change(self) -> None:
        self.changes += 1

    def take(self) -> Claim:
        assert self.queue.refill()
        return self.queue.pop()


@pytest.fixture
def campaign(engine: Engine) -> int:
    register_dispatchers(engine, "us")
    return add_campaign(engine, 3)


def test_what_happens_in_one_moment_is_one_commit(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        first, second, third = (started.take() for _ in range(3))
        told: list[bool] = []
        started.queue.request_send(first, told.append)
        await settle_down()
        started.queue.report(first, SENT)
        started.queue.request_send(second, told.append)
        started.queue.request_send(third, told.append)
        assert (told, started.counts.current().sent) == ([True], 0)
        await settle_down()
        assert told == [True, True, True]
        assert [(len(batch.sent), len(batch.starting)) for batch in started.ledger.batches] == [
            (0, 1),
            (1, 2),
        ]
        assert started.counts.current() == Counts(audience=3, sent=1, queued=2)
        started.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.in_doubt]


def test_leave_is_given_only_once_it_is_on_record(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        seen: list[DeliveryState] = []
        started.queue.request_send(
            started.take(), lambda _: seen.append(read_states(engine)["reader0@example.org"])
        )
        assert seen == []
        await settle_down()
        assert seen == [S.in_doubt]
        started.ledger.close()

    run(work())


def test_what_may_not_begin_goes_back_and_is_not_ours(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        first, second, third = (started.take() for _ in range(3))
        set_status(engine, second.subscriber.email, Status.unsubscribed)
        told: dict[int, bool] = {}
        for claim in (first, second):
            started.queue.request_send(
                claim, lambda may, number=claim.delivery_id: told.update({number: may})
            )
        await await_that(lambda: started.queue.is_empty)
        assert told == {first.delivery_id: True, second.delivery_id: False}
        assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.claimed]
        set_campaign_state(engine, campaign, CampaignState.paused)
        started.queue.request_send(third, lambda may: told.update({third.delivery_id: may}))
        await await_that(lambda: started.queue.is_empty)
        assert not told[third.delivery_id]
        started.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.queued]
    assert [delivery.attempts for delivery in read_deliveries(engine).values()] == [1, 0, 0]


def test_clearing_puts_ends_on_record_and_the_rest_back(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        first = started.take()
        started.queue.request_send(first, lambda _: None)
        await settle_down()
        started.queue.report(first, SENT)
        assert (len(started.queue), started.queue.is_empty) == (2, False)
        started.queue.flush()
        assert (len(started.queue), started.queue.is_empty) == (0, True)
        assert started.counts.current() == Counts(audience=3, sent=1, queued=2)
        started.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.queued, S.queued]
    assert {delivery.owner for delivery in read_deliveries(engine).values()} == {None}


def test_what_was_taken_from_us_is_not_told_unless_its_reply_settles_it_and_we_show_that_we_live(
    engine: Engine, campaign: int
) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        shown: list[None] = []
        started.queue.on_refused = lambda: shown.append(None)
        first, second, third = (started.take() for _ in range(3))
        for claim in (first, second):
            started.queue.request_send(claim, lambda _: None)
        await settle_down()
        assert shown == []
        # Another dispatcher has taken us for dead, and over what we had in hand.
        with contextlib.closing(Ledger(engine, campaign, "them")) as them:
            them.rescue(["us"])
        started.queue.report(first, SENT)
        await await_that(lambda: started.queue.is_empty)
        assert (started.counts.current().sent, len(shown)) == (1, 1)
        started.queue.report(second, REFUSED_BEFORE_THE_BODY)
        await await_that(lambda: started.queue.is_empty)
        assert (started.counts.current().rejected, len(shown)) == (0, 2)
        told: list[bool] = []
        started.queue.request_send(third, told.append)
        await await_that(lambda: started.queue.is_empty)
        # Asked once more when it was put back, which was refused as well.
        assert (told, len(shown)) == ([False], 4)
        started.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.queued]


def test_what_is_being_sent_is_not_started_again_by_a_second_claim_of_ours(
    engine: Engine, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(in_doubt_policy=InDoubtPolicy.resend))

    async def work() -> None:
        started = Run(engine, campaign)
        first, stale, _ = (started.take() for _ in range(3))
        started.queue.request_send(first, lambda _: None)
        await settle_down()
        with contextlib.closing(Ledger(engine, campaign, "them")) as them:
            them.rescue(["us"])
        again = {claim.delivery_id: claim for claim in (started.take() for _ in range(3))}
        twin, other = again[first.delivery_id], again[stale.delivery_id]
        told: list[bool] = []
        started.queue.request_send(twin, told.append)
        for claim in (other, stale):
            started.queue.request_send(claim, told.append)
        await await_that(lambda: started.queue.is_empty)
        assert sorted(told) == [False, False, True]
        # The claim that was not started says nothing about the one that was.
        started.queue.report(stale, REFUSED_BEFORE_THE_BODY)
        started.queue.report(first, SENT)
        await await_that(lambda: started.queue.is_empty)
        assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.claimed]
        started.queue.report(other, SENT)
        started.queue.flush()
        started.ledger.close()

    run(work())
    assert list(read_states(engine).values())[:2] == [S.sent, S.sent]


def test_a_dispatcher_that_cannot_show_that_it_lives_stops(engine: Engine, campaign: int) -> None:
    def fail() -> None:
        raise OperationalError("UPDATE", None, RuntimeError("gone"))

    async def work() -> None:
        started = Run(engine, campaign)
        claim = started.take()
        set_campaign_state(engine, campaign, CampaignState.paused)
        started.queue.on_refused = fail
        started.queue.request_send(claim, lambda _: None)
        await settle_down()
        assert isinstance(started.queue.failure, OperationalError)
        started.ledger.close()

    run(work())


def test_a_delivery_whose_turn_comes_soon_is_told_of_and_one_for_later_is_put_off(
    engine: Engine, campaign: int
) -> None:
    async def work() -> None:
        def plan(claims: Sequence[Claim]) -> Schedule:
            if not claims:
                return Schedule()
            now, soon, later = claims
            at = started.ledger.now() + timedelta(hours=1)
            return Schedule(now=[now], soon=[(soon, 0.01)], later={"too many to b.example": [(later, at)]})

        started = Run(engine, campaign, plan)
        assert started.take().subscriber.email == "reader0@example.org"
        assert (len(started.queue), started.queue.is_empty, started.changes) == (0, False, 0)
        await await_that(lambda: started.changes == 1)
        assert started.take().subscriber.email == "reader1@example.org"
        started.ledger.close()

    run(work())
    later = read_deliveries(engine)["reader2@example.org"]
    assert (later.state, later.reason, later.attempts) == (S.deferred, "too many to b.example", 0)


def test_nothing_begins_once_the_ledger_has_failed(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        first, second, _ = (started.take() for _ in range(3))
        told: list[bool] = []
        started.ledger.is_broken = True
        started.queue.request_send(first, told.append)
        await settle_down()
        started.ledger.is_broken = False
        started.queue.request_send(second, told.append)
        started.queue.report(first, SENT)
        await settle_down()
        started.queue.flush()
        # Not even a no: what is on record is not known, and whoever rescues it will find out.
        assert (told, started.counts.current().sent, started.ledger.batches) == ([], 0, [])
        assert ("disk full" in str(started.queue.failure), started.changes) == (True, 1)
        assert not started.queue.refill()
        started.ledger.close()

    run(work())
    assert set(read_states(engine).values()) == {S.claimed}


def test_the_next_are_looked_at_without_taking_them(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        started = Run(engine, campaign)
        assert started.queue.refill()
        assert len(started.queue) == 3
        taken = [started.take().subscriber.email for _ in range(3)]
        assert taken == [f"reader{number}@example.org" for number in range(3)]
        assert not started.queue.refill()
        started.ledger.close()

    run(work())


def test_a_message_that_cannot_be_built_fails_alone(engine: Engine, campaign: int) -> None:
    def build(claim: Claim) -> bytes:
        if claim.subscriber.email == "reader0@example.org":
            raise BuildError("reader0 has no name")
        return build_plain(claim)

    async def work() -> None:
        started = Run(engine, campaign, build=build)
        assert started.queue.build(started.take()) is None
        assert started.queue.build(started.take()) is not None
        await settle_down()
        assert started.counts.current() == Counts(audience=3, failed=1, queued=2)
        started.queue.flush()
        started.ledger.close()

    run(work())
    assert read_deliveries(engine)["reader0@example.org"].reason == "reader0 has no name"


def test_a_campaign_that_the_breaker_pauses_stops_the_queue(engine: Engine) -> None:
    campaign = add_campaign(engine, 25)
    fault = Outcome(verdict=Verdict.rejected, stage=Stage.rcpt, code=554, text="5.7.1 We know you")

    async def work() -> None:
        started = Run(engine, campaign)
        for _ in range(20):
            started.queue.report(started.take(), fault)
        assert not started.queue.is_stopped
        await settle_down()
        assert (started.queue.is_stopped, started.changes) == (True, 1)
        started.queue.flush()
        started.ledger.close()

    run(work())
    assert set(read_states(engine).values()) == {S.queued}
    paused = read_campaign(engine, campaign)
    assert (paused.state, "5.7.1 We know you" in paused.state_reason) == (CampaignState.paused, True)
