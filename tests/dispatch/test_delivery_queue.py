"""The desk: what happens in one moment is one commit, and no body leaves before it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from mailer.database.models import CampaignState, DeliveryState
from mailer.dispatch.deliveries.batch_writer import Batch, BatchResult
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.delivery_queue import DeliveryQueue, RecordedDelivery
from mailer.dispatch.rate.scheduler import Schedule
from mailer.smtp.reply_classifier import Stage, classify_reply
from subscribers.models import Status
from tests.factories.deliveries import (
    add_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
    set_status,
)
from tests.smtp.fake_source import await_that, run, settle_down

S = DeliveryState
SENT = classify_reply(Stage.dot, 250, "2.0.0 queued")


class WatchedLedger(Ledger):
    """Keeps the groups it wrote; fails when told to."""

    groups: list[Batch]
    is_broken = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.groups = []

    def record(self, group: Batch) -> BatchResult:
        if self.is_broken:
            raise LedgerUnreachableError(RuntimeError("disk full"))
        self.groups.append(group)
        return super().record(group)


class Office:
    """A desk and what it said."""

    def __init__(
        self, engine: Engine, campaign: int, sift: Callable[[Sequence[Claim]], Schedule] | None = None
    ) -> None:
        self.ledger = WatchedLedger(engine, campaign, "us")
        self.concluded: list[RecordedDelivery] = []
        self.failures: list[Exception] = []
        self.wakes = 0
        self.desk = DeliveryQueue(
            self.ledger,
            schedule=sift or (lambda claims: Schedule(now=claims)),
            on_recorded=self.concluded.append,
            on_failure=self.failures.append,
            on_ready=self.wake,
        )

    def wake(self) -> None:
        self.wakes += 1

    def take(self) -> Claim:
        claim = self.desk.pop()
        assert claim is not None
        return claim


@pytest.fixture
def campaign(engine: Engine) -> int:
    return add_campaign(engine, 3)


def test_what_happens_in_one_moment_is_one_commit(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        first, second, third = (office.take() for _ in range(3))
        told: list[bool] = []
        office.desk.request_send(first, told.append)
        await settle_down()
        office.desk.report(first, SENT)
        office.desk.request_send(second, told.append)
        office.desk.request_send(third, told.append)
        assert (told, office.concluded) == ([True], [])
        await settle_down()
        assert told == [True, True, True]
        assert [(len(group.sent), len(group.starting)) for group in office.ledger.groups] == [(0, 1), (1, 2)]
        assert office.concluded == [RecordedDelivery(first, SENT)]
        office.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.in_doubt, S.in_doubt]


def test_leave_is_given_only_once_it_is_on_record(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        seen: list[DeliveryState] = []
        office.desk.request_send(
            office.take(), lambda _: seen.append(read_states(engine)["reader0@example.org"])
        )
        assert seen == []
        await settle_down()
        assert seen == [S.in_doubt]
        office.ledger.close()

    run(work())


def test_what_may_not_begin_goes_back_and_is_not_ours(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        first, second, third = (office.take() for _ in range(3))
        set_status(engine, second.subscriber.email, Status.unsubscribed)
        told: dict[int, bool] = {}
        for claim in (first, second):
            office.desk.request_send(claim, lambda may, number=claim.delivery_id: told.update({number: may}))
        await await_that(lambda: office.desk.is_empty)
        assert told == {first.delivery_id: True, second.delivery_id: False}
        assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.claimed]
        set_campaign_state(engine, campaign, CampaignState.paused)
        office.desk.request_send(third, lambda may: told.update({third.delivery_id: may}))
        await await_that(lambda: office.desk.is_empty)
        assert not told[third.delivery_id]
        office.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.queued]
    assert [delivery.attempts for delivery in read_deliveries(engine).values()] == [1, 0, 0]


def test_clearing_puts_ends_on_record_and_the_rest_back(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        first = office.take()
        office.desk.request_send(first, lambda _: None)
        await settle_down()
        office.desk.report(first, SENT)
        assert (len(office.desk), office.desk.is_empty) == (2, False)
        office.desk.flush()
        assert (len(office.desk), office.desk.is_empty) == (0, True)
        assert office.concluded == [RecordedDelivery(first, SENT)]
        office.ledger.close()

    run(work())
    assert list(read_states(engine).values()) == [S.sent, S.queued, S.queued]
    assert {delivery.owner for delivery in read_deliveries(engine).values()} == {None}


def test_an_end_that_is_no_longer_ours_is_not_told(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        first, second, _ = (office.take() for _ in range(3))
        for claim in (first, second):
            office.desk.request_send(claim, lambda _: None)
        await settle_down()
        # Another dispatcher has taken us for dead, and over what we had in hand.
        Ledger(engine, campaign, "them").rescue(["us"])
        office.desk.report(first, SENT)
        await await_that(lambda: office.desk.is_empty)
        assert office.concluded == []
        office.ledger.close()

    run(work())
    assert read_states(engine)["reader0@example.org"] is S.in_doubt


def test_a_delivery_whose_turn_comes_soon_is_told_of_and_one_for_later_is_put_off(
    engine: Engine, campaign: int
) -> None:
    async def work() -> None:
        def sift(claims: Sequence[Claim]) -> Schedule:
            if not claims:
                return Schedule()
            now, soon, later = claims
            at = office.ledger.now() + timedelta(hours=1)
            return Schedule(now=[now], soon=[(soon, 0.01)], later={"too many to b.example": [(later, at)]})

        office = Office(engine, campaign, sift)
        assert office.take().subscriber.email == "reader0@example.org"
        assert (len(office.desk), office.desk.is_empty, office.wakes) == (0, False, 0)
        await await_that(lambda: office.wakes == 1)
        assert office.take().subscriber.email == "reader1@example.org"
        office.ledger.close()

    run(work())
    later = read_deliveries(engine)["reader2@example.org"]
    assert (later.state, later.reason, later.attempts) == (S.deferred, "too many to b.example", 0)


def test_nothing_begins_once_the_ledger_has_failed(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        first, second, _ = (office.take() for _ in range(3))
        told: list[bool] = []
        office.ledger.is_broken = True
        office.desk.request_send(first, told.append)
        await settle_down()
        office.ledger.is_broken = False
        office.desk.request_send(second, told.append)
        office.desk.report(first, SENT)
        await settle_down()
        office.desk.flush()
        # Not even a no: what is on record is not known, and whoever rescues it will find out.
        assert (told, office.concluded, office.ledger.groups) == ([], [], [])
        assert ["disk full" in str(error) for error in office.failures] == [True]
        assert office.desk.pop() is None
        office.ledger.close()

    run(work())
    assert set(read_states(engine).values()) == {S.claimed}


def test_the_next_are_looked_at_without_taking_them(engine: Engine, campaign: int) -> None:
    async def work() -> None:
        office = Office(engine, campaign)
        assert office.desk.refill()
        assert len(office.desk) == 3
        taken = [office.take().subscriber.email for _ in range(3)]
        assert taken == [f"reader{number}@example.org" for number in range(3)]
        assert office.desk.pop() is None
        assert not office.desk.refill()
        office.ledger.close()

    run(work())
