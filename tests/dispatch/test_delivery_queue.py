"""The delivery queue: one commit for one turn of the loop, and no message is sent before it."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from mailer.database.models import Campaign, CampaignState, DeliveryState, InDoubtPolicy
from mailer.dispatch.batch_writer import Batch, BatchResult
from mailer.dispatch.circuit_breaker import CircuitBreaker
from mailer.dispatch.deliveries import Claim, Counts, RunningCounts
from mailer.dispatch.delivery_queue import DeliveryQueue, MessagePrefetcher
from mailer.dispatch.event_log import NullEventLog
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.scheduler import Schedule, SendScheduler
from mailer.dispatch.write_ahead import WriteAhead
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
from tests.smtp.fake_source import await_condition, run, run_pending

S = DeliveryState
SENT = classify_reply(Stage.dot, 250, "2.0.0 queued")
REFUSED_BEFORE_THE_BODY = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")


class WatchedLedger(Ledger):
    """Keeps the batches it wrote; fails while ``is_broken``."""

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


class QueueHarness:
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
        self.write_ahead = WriteAhead(self.ledger, CircuitBreaker(), self.counts, NullEventLog())
        self.queue = DeliveryQueue(
            self.ledger,
            cast("SendScheduler", FakeScheduler(plan)),
            MessagePrefetcher(build, None),
            self.write_ahead,
        )
        self.queue.on_ready = self.write_ahead.on_stop = self.change

    @property
    def is_empty(self) -> bool:
        return self.queue.is_empty and self.write_ahead.is_empty

    def flush(self) -> None:
        self.write_ahead.flush(self.queue.drain())

    def change(self) -> None:
        self.changes += 1

    def take(self) -> Claim:
        assert self.queue.refill()
        return self.queue.pop()


@pytest.fixture
def campaign(engine: Engine) -> int:
    register_dispatchers(engine, "us")
    return add_campaign(engine, 3)


def test_everything_in_one_turn_of_the_loop_is_one_commit(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first, second, third = (harness.take() for _ in range(3))
        answers: list[bool] = []
        harness.write_ahead.begin(first, answers.append)
        await run_pending()
        harness.write_ahead.end(first, SENT)
        harness.write_ahead.begin(second, answers.append)
        harness.write_ahead.begin(third, answers.append)
        assert (answers, harness.counts.current().sent) == ([True], 0)
        await run_pending()
        assert answers == [True, True, True]
        assert [(len(batch.sent), len(batch.starting)) for batch in harness.ledger.batches] == [
            (0, 1),
            (1, 2),
        ]
        assert harness.counts.current() == Counts(audience=3, sent=1, queued=2)
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.in_doubt]


def test_permission_is_given_only_after_the_commit(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        seen: list[DeliveryState] = []
        harness.write_ahead.begin(
            harness.take(), lambda _: seen.append(read_states(engine)["reader0@example.org"])
        )
        assert seen == []
        await run_pending()
        assert seen == [S.in_doubt]
        harness.ledger.close()

    run(work())


def test_a_delivery_refused_permission_goes_back_to_the_queue(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first, second, third = (harness.take() for _ in range(3))
        set_status(engine, second.subscriber.email, Status.unsubscribed)
        answers: dict[int, bool] = {}
        for claim in (first, second):
            harness.write_ahead.begin(
                claim, lambda may, number=claim.delivery_id: answers.update({number: may})
            )
        await await_condition(lambda: harness.is_empty)
        assert answers == {first.delivery_id: True, second.delivery_id: False}
        assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.claimed]
        set_campaign_state(engine, campaign, CampaignState.paused)
        harness.write_ahead.begin(third, lambda may: answers.update({third.delivery_id: may}))
        await await_condition(lambda: harness.is_empty)
        assert not answers[third.delivery_id]
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.queued]
    assert [delivery.attempts for delivery in read_deliveries(engine).values()] == [1, 0, 0]


def test_flushing_records_outcomes_and_gives_back_the_rest(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first = harness.take()
        harness.write_ahead.begin(first, lambda _: None)
        await run_pending()
        harness.write_ahead.end(first, SENT)
        assert (len(harness.queue), harness.is_empty) == (2, False)
        harness.flush()
        assert (len(harness.queue), harness.is_empty) == (0, True)
        assert harness.counts.current() == Counts(audience=3, sent=1, queued=2)
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.queued, S.queued]
    assert {delivery.owner for delivery in read_deliveries(engine).values()} == {None}


def test_what_was_taken_from_us_is_not_told_unless_its_reply_settles_it_and_we_show_that_we_live(
    engine: Engine, campaign: int
) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        shown: list[None] = []
        harness.write_ahead.on_refused = lambda: shown.append(None)
        first, second, third = (harness.take() for _ in range(3))
        for claim in (first, second):
            harness.write_ahead.begin(claim, lambda _: None)
        await run_pending()
        assert shown == []
        # Another dispatcher has taken us for dead, and over what we had in hand.
        with contextlib.closing(Ledger(engine, campaign, "them")) as them:
            them.rescue(["us"])
        harness.write_ahead.end(first, SENT)
        await await_condition(lambda: harness.is_empty)
        assert (harness.counts.current().sent, len(shown)) == (1, 1)
        harness.write_ahead.end(second, REFUSED_BEFORE_THE_BODY)
        await await_condition(lambda: harness.is_empty)
        assert (harness.counts.current().rejected, len(shown)) == (0, 2)
        told: list[bool] = []
        harness.write_ahead.begin(third, told.append)
        await await_condition(lambda: harness.is_empty)
        # Asked once more when it was put back, which was refused as well.
        assert (told, len(shown)) == ([False], 4)
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.queued]


def test_what_is_being_sent_is_not_started_again_by_a_second_claim_of_ours(
    engine: Engine, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(in_doubt_policy=InDoubtPolicy.resend))

    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first, stale, _ = (harness.take() for _ in range(3))
        harness.write_ahead.begin(first, lambda _: None)
        await run_pending()
        with contextlib.closing(Ledger(engine, campaign, "them")) as them:
            them.rescue(["us"])
        again = {claim.delivery_id: claim for claim in (harness.take() for _ in range(3))}
        twin, other = again[first.delivery_id], again[stale.delivery_id]
        told: list[bool] = []
        harness.write_ahead.begin(twin, told.append)
        for claim in (other, stale):
            harness.write_ahead.begin(claim, told.append)
        await await_condition(lambda: harness.is_empty)
        assert sorted(told) == [False, False, True]
        # The claim that was not started says nothing about the one that was.
        harness.write_ahead.end(stale, REFUSED_BEFORE_THE_BODY)
        harness.write_ahead.end(first, SENT)
        await await_condition(lambda: harness.is_empty)
        assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.claimed]
        harness.write_ahead.end(other, SENT)
        harness.flush()
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values())[:2] == [S.sent, S.sent]


def test_a_second_claim_that_ends_before_the_first_goes_back_in_the_queue(
    engine: Engine, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(in_doubt_policy=InDoubtPolicy.resend))

    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first, *_ = (harness.take() for _ in range(3))
        harness.write_ahead.begin(first, lambda _: None)
        await run_pending()
        with contextlib.closing(Ledger(engine, campaign, "them")) as them:
            them.rescue(["us"])
        again = {claim.delivery_id: claim for claim in (harness.take() for _ in range(3))}
        harness.write_ahead.end(again[first.delivery_id], REFUSED_BEFORE_THE_BODY)
        await await_condition(lambda: harness.is_empty)
        # Nobody holds it, so nobody waits in vain for the one who does.
        assert list(read_states(engine).values()) == [S.queued, S.claimed, S.claimed]
        harness.write_ahead.end(first, SENT)
        await await_condition(lambda: harness.is_empty)
        harness.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.claimed, S.claimed]


def test_a_dispatcher_that_cannot_show_that_it_lives_stops(engine: Engine, campaign: int) -> None:
    def fail() -> None:
        raise OperationalError("UPDATE", None, RuntimeError("gone"))

    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        claim = harness.take()
        set_campaign_state(engine, campaign, CampaignState.paused)
        harness.write_ahead.on_refused = fail
        harness.write_ahead.begin(claim, lambda _: None)
        await run_pending()
        assert isinstance(harness.write_ahead.failure, OperationalError)
        harness.ledger.close()

    run(work())


def test_a_delivery_due_soon_is_announced_and_one_due_later_is_deferred(
    engine: Engine, campaign: int
) -> None:
    async def work() -> None:
        def plan(claims: Sequence[Claim]) -> Schedule:
            if not claims:
                return Schedule()
            now, soon, later = claims
            at = harness.ledger.now() + timedelta(hours=1)
            return Schedule(now=[now], soon=[(soon, 0.01)], later={"too many to b.example": [(later, at)]})

        harness = QueueHarness(engine, campaign, plan)
        assert harness.take().subscriber.email == "reader0@example.org"
        assert (len(harness.queue), harness.is_empty, harness.changes) == (0, False, 0)
        await await_condition(lambda: harness.changes == 1)
        assert harness.take().subscriber.email == "reader1@example.org"
        harness.ledger.close()

    run(work())
    later = read_deliveries(engine)["reader2@example.org"]
    assert (later.state, later.reason, later.attempts) == (S.deferred, "too many to b.example", 0)


def test_nothing_is_sent_once_the_ledger_has_failed(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        first, second, _ = (harness.take() for _ in range(3))
        answers: list[bool] = []
        harness.ledger.is_broken = True
        harness.write_ahead.begin(first, answers.append)
        await run_pending()
        harness.ledger.is_broken = False
        harness.write_ahead.begin(second, answers.append)
        harness.write_ahead.end(first, SENT)
        await run_pending()
        harness.flush()
        # Not even a refusal: what was committed is unknown, and a rescue will find out.
        assert (answers, harness.counts.current().sent, harness.ledger.batches) == ([], 0, [])
        assert ("disk full" in str(harness.write_ahead.failure), harness.changes) == (True, 1)
        assert not harness.queue.refill()
        harness.ledger.close()

    run(work())
    assert set(read_states(engine).values()) == {S.claimed}


def test_refilling_takes_no_delivery_from_the_queue(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        assert harness.queue.refill()
        assert len(harness.queue) == 3
        taken = [harness.take().subscriber.email for _ in range(3)]
        assert taken == [f"reader{number}@example.org" for number in range(3)]
        assert not harness.queue.refill()
        harness.ledger.close()

    run(work())


def test_a_message_that_cannot_be_built_fails_alone(engine: Engine, campaign: int) -> None:
    def build(claim: Claim) -> bytes:
        if claim.subscriber.email == "reader0@example.org":
            raise BuildError("reader0 has no name")
        return build_plain(claim)

    async def work() -> None:
        harness = QueueHarness(engine, campaign, build=build)
        assert harness.queue.build(harness.take()) is None
        assert harness.queue.build(harness.take()) is not None
        await run_pending()
        assert harness.counts.current() == Counts(audience=3, failed=1, queued=2)
        harness.flush()
        harness.ledger.close()

    run(work())
    assert read_deliveries(engine)["reader0@example.org"].reason == "reader0 has no name"


def test_the_queue_stops_when_the_breaker_pauses_the_campaign(engine: Engine) -> None:
    campaign = add_campaign(engine, 25)
    fault = Outcome(verdict=Verdict.rejected, stage=Stage.rcpt, code=554, text="5.7.1 We know you")

    async def work() -> None:
        harness = QueueHarness(engine, campaign)
        for _ in range(20):
            harness.write_ahead.end(harness.take(), fault)
        assert harness.changes == 0
        await run_pending()
        assert harness.changes == 1
        harness.flush()
        harness.ledger.close()

    run(work())
    assert set(read_states(engine).values()) == {S.queued}
    paused = read_campaign(engine, campaign)
    assert (paused.state, "5.7.1 We know you" in paused.state_reason) == (CampaignState.paused, True)
