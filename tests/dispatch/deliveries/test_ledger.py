"""The ledger: every transition is conditional, no delivery is lost and none is sent twice unnoticed."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, event, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher, InDoubtPolicy
from mailer.dispatch.deliveries import DELIVERY_TRANSITIONS, Claim, change_campaign_state, count_deliveries
from mailer.dispatch.ledger import Ledger
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply
from subscribers.models import Status, Subscriber
from tests.factories.deliveries import (
    FakeClock,
    add_campaign,
    begin,
    give_back,
    read_campaign,
    read_deliveries,
    read_states,
    register_dispatchers,
    set_campaign_state,
    set_status,
    settle,
)

S = DeliveryState
SENT = classify_reply(Stage.dot, 250, "2.0.0 queued as 4F2")
DEFERRED = classify_reply(Stage.rcpt, 450, "4.2.0 Greylisted")
NOT_NOW = classify_reply(Stage.dot, 451, "4.3.0 Try again later")
REJECTED = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")
LOST = Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, text="connection lost at dot")
BACK = Outcome(verdict=Verdict.give_back, stage=Stage.rcpt, text="connection lost at rcpt", reconnect=True)
STOP = classify_reply(Stage.mail, 550, "5.7.1 Sender not allowed")
UNBUILT = Outcome(verdict=Verdict.failed, stage=Stage.build, text="no name")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


OPENED: list[Ledger] = []


def open_ledger(*words: Any, **values: Any) -> Ledger:
    """A ledger that is closed when the test is over."""
    OPENED.append(Ledger(*words, **values))
    return OPENED[-1]


def close_ledgers() -> None:
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def engine(engine: Engine) -> Iterator[Engine]:
    yield engine
    close_ledgers()


@pytest.fixture
def campaign(engine: Engine) -> int:
    register_dispatchers(engine, "a", "b")
    return add_campaign(engine, 3)


@pytest.fixture
def ledger(engine: Engine, campaign: int, clock: FakeClock) -> Ledger:
    return open_ledger(engine, campaign, "a", clock=clock)


def single_delivery(engine: Engine) -> Delivery:
    (delivery,) = read_deliveries(engine).values()
    return delivery


def test_a_claim_takes_the_oldest_deliveries_with_their_readers(engine: Engine, ledger: Ledger) -> None:
    claims = ledger.claim(2)
    assert [claim.subscriber.email for claim in claims] == ["reader0@example.org", "reader1@example.org"]
    assert claims[0].subscriber.envelope == "reader0@example.org"
    assert list(read_states(engine).values()) == [S.claimed, S.claimed, S.queued]


def test_a_claim_does_not_read_the_whole_ledger(sqlite_engine: Engine, clock: FakeClock) -> None:
    campaign = add_campaign(sqlite_engine, 3)
    statements: list[tuple[str, Any]] = []
    event.listen(
        sqlite_engine, "before_cursor_execute", lambda *words: statements.append((words[2], words[3]))
    )
    ledger = Ledger(sqlite_engine, campaign, "a", clock=clock)
    ledger.claim(2)
    ledger.finish()
    ledger.close()
    plans = []
    with sqlite_engine.connect() as connection:
        for statement, values in list(statements):
            plans += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any("ix_delivery_queued" in step for step in plans)
    assert [step for step in plans if step.startswith("SCAN delivery")] == []


def test_two_dispatchers_never_claim_the_same_delivery(engine: Engine, campaign: int) -> None:
    add_campaign(engine, [f"more{n}@example.org" for n in range(200)])
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(audience=203))
        connection.execute(update(Delivery).values(campaign_id=campaign))
    taken: list[int] = []

    def take(owner: str) -> None:
        ledger = open_ledger(engine, campaign, owner)
        while claims := ledger.claim(7):
            taken.extend(claim.delivery_id for claim in claims)

    threads = [threading.Thread(target=take, args=(owner,)) for owner in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 203


@pytest.mark.parametrize("state", [s for s in CampaignState if s is not CampaignState.sending])
def test_nothing_is_claimed_from_a_campaign_that_is_not_sending(
    engine: Engine, campaign: int, ledger: Ledger, state: CampaignState
) -> None:
    set_campaign_state(engine, campaign, state)
    assert ledger.claim(5) == []
    assert set(read_states(engine).values()) == {S.queued}


def test_a_reader_who_left_before_the_claim_is_suppressed(engine: Engine, ledger: Ledger) -> None:
    set_status(engine, "reader1@example.org", Status.unsubscribed)
    assert len(ledger.claim(5)) == 2
    assert read_states(engine)["reader1@example.org"] is S.suppressed
    assert read_deliveries(engine)["reader1@example.org"].reason == "unsubscribed"


def test_a_reader_who_leaves_after_the_claim_is_suppressed_before_the_body(
    engine: Engine, ledger: Ledger
) -> None:
    claim, *_ = ledger.claim(5)
    set_status(engine, claim.subscriber.email, Status.complained)
    assert not begin(ledger, claim)
    assert read_states(engine)[claim.subscriber.email] is S.claimed
    give_back(ledger, [claim])
    ledger.claim(5)
    assert read_states(engine)[claim.subscriber.email] is S.suppressed


def test_a_reader_whose_pause_is_over_gets_mail_again(
    engine: Engine, ledger: Ledger, clock: FakeClock
) -> None:
    with engine.begin() as connection:
        values = {"status": Status.paused, "paused_until": clock.now.date() + timedelta(days=1)}
        connection.execute(update(Subscriber).values(values))
    assert ledger.claim(1) == []
    with engine.begin() as connection:
        connection.execute(update(Subscriber).values(paused_until=date(2026, 3, 1)))
        connection.execute(update(Delivery).values(state=S.queued))
    assert len(ledger.claim(5)) == 3


def test_a_pause_between_claim_and_body_stops_the_message(
    engine: Engine, campaign: int, ledger: Ledger
) -> None:
    claim, *_ = ledger.claim(1)
    set_campaign_state(engine, campaign, CampaignState.paused)
    assert not begin(ledger, claim)
    give_back(ledger, [claim])
    assert set(read_states(engine).values()) == {S.queued}


def test_a_started_delivery_is_in_doubt_until_its_outcome_is_recorded(engine: Engine, ledger: Ledger) -> None:
    claim, *_ = ledger.claim(1)
    assert begin(ledger, claim)
    begun = read_deliveries(engine)[claim.subscriber.email]
    assert (begun.state, begun.owner, begun.attempts, begun.doubted) == (S.in_doubt, "a", 1, False)
    settle(ledger, claim, SENT)
    sent = read_deliveries(engine)[claim.subscriber.email]
    assert (sent.state, sent.owner, sent.code, sent.reason) == (S.sent, None, 250, "2.0.0 queued as 4F2")


def test_a_delivery_cannot_be_started_twice(ledger: Ledger) -> None:
    claim, *_ = ledger.claim(1)
    assert begin(ledger, claim)
    assert not begin(ledger, claim)


@pytest.mark.parametrize("outcome", [SENT, LOST])
def test_a_delivery_never_started_cannot_be_sent_or_in_doubt(
    engine: Engine, ledger: Ledger, outcome: Outcome
) -> None:
    claim, *_ = ledger.claim(1)
    assert not settle(ledger, claim, outcome)
    assert read_states(engine)[claim.subscriber.email] is S.claimed


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize(
    ("outcome", "state", "attempts"),
    [(DEFERRED, S.deferred, 1), (REJECTED, S.rejected, 1), (BACK, S.queued, 1), (STOP, S.queued, 0)],
)
def test_each_outcome_has_its_state_and_may_count_as_an_attempt(
    engine: Engine,
    ledger: Ledger,
    outcome: Outcome,
    state: DeliveryState,
    attempts: int,
    has_begun: bool,
) -> None:
    claim, *_ = ledger.claim(1)
    assert not has_begun or begin(ledger, claim)
    settle(ledger, claim, outcome)
    delivery = read_deliveries(engine)[claim.subscriber.email]
    assert (delivery.state, delivery.owner, delivery.attempts) == (state, None, attempts or int(has_begun))


def test_a_message_that_cannot_be_built_fails_with_its_reason_and_no_attempt(
    engine: Engine, ledger: Ledger
) -> None:
    claim, *_ = ledger.claim(1)
    settle(ledger, claim, UNBUILT)
    delivery = read_deliveries(engine)[claim.subscriber.email]
    assert (delivery.state, delivery.reason, delivery.attempts) == (S.failed, "no name", 0)


def test_a_reader_given_back_after_an_attempt_goes_last(ledger: Ledger) -> None:
    first, *_ = ledger.claim(1)
    settle(ledger, first, BACK)
    emails = [claim.subscriber.email for claim in ledger.claim(5)]
    assert emails == ["reader1@example.org", "reader2@example.org", "reader0@example.org"]


def test_a_reader_given_back_without_an_attempt_keeps_their_place(ledger: Ledger) -> None:
    give_back(ledger, ledger.claim(2))
    assert [claim.subscriber.email for claim in ledger.claim(1)] == ["reader0@example.org"]


def test_a_deferred_reader_is_tried_again_when_due_and_not_before(
    engine: Engine, ledger: Ledger, clock: FakeClock
) -> None:
    (claim,) = ledger.claim(1)
    greylisted = classify_reply(Stage.rcpt, 450, "4.7.1 Greylisted, try again in 300 seconds")
    settle(ledger, claim, greylisted)
    delivery = read_deliveries(engine)[claim.subscriber.email]
    assert delivery.not_before == clock.now + timedelta(minutes=5)
    ledger.claim(2)
    clock.advance(seconds=299)
    assert ledger.claim(1) == []
    clock.advance(seconds=1)
    (again,) = ledger.claim(1)
    assert again.subscriber.email == claim.subscriber.email
    assert (again.deferrals, again.deferred_since) == (1, clock.now - timedelta(minutes=5))


def test_a_reader_deferred_for_too_long_fails_with_the_last_reply(
    engine: Engine, campaign: int, clock: FakeClock
) -> None:
    ledger = open_ledger(engine, campaign, "a", clock=clock, retry_for=timedelta(hours=1))
    tries = 0
    with engine.begin() as connection:
        connection.execute(delete(Delivery).where(col(Delivery.subscriber_id) != 1))
    while claims := ledger.claim(1):
        tries += 1
        settle(ledger, claims[0], DEFERRED)
        clock.advance(minutes=20)
    given_up = single_delivery(engine)
    assert tries >= 3
    assert given_up.state is S.failed
    assert given_up.reason == f"gave up after {tries} attempts: 4.2.0 Greylisted"
    assert given_up.code == 450


def test_a_rescue_queues_claims_and_holds_what_is_in_doubt(engine: Engine, ledger: Ledger) -> None:
    begun, _ = ledger.claim(2)
    begin(ledger, begun)
    other = open_ledger(engine, begun.campaign_id, "b")
    assert other.rescue(["a"]) == (1, 1)
    delivery = read_deliveries(engine)[begun.subscriber.email]
    assert (delivery.state, delivery.owner, delivery.doubted) == (S.in_doubt, None, True)
    assert list(read_states(engine).values()) == [S.in_doubt, S.queued, S.queued]


def test_a_rescue_queues_what_is_in_doubt_if_the_campaign_resends(
    engine: Engine, ledger: Ledger, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(in_doubt_policy=InDoubtPolicy.resend))
    (claim,) = ledger.claim(1)
    begin(ledger, claim)
    assert open_ledger(engine, campaign, "b").rescue(["a"]) == (1, 0)
    delivery = read_deliveries(engine)[claim.subscriber.email]
    assert (delivery.state, delivery.doubted) == (S.queued, True)


def test_a_dispatcher_taken_for_dead_cannot_begin_and_settles_only_what_the_server_replied(
    engine: Engine, ledger: Ledger
) -> None:
    claim, accepted, deferred = ledger.claim(3)
    begin(ledger, accepted)
    begin(ledger, deferred)
    open_ledger(engine, claim.campaign_id, "b").rescue(["a"])
    assert not begin(ledger, claim)
    give_back(ledger, [claim])
    assert not settle(ledger, deferred, DEFERRED), "a reply to RCPT is about an attempt that never began"
    assert list(read_states(engine).values()) == [S.queued, S.in_doubt, S.in_doubt]
    assert settle(ledger, accepted, SENT)
    assert settle(ledger, deferred, classify_reply(Stage.dot, 450, "4.2.0 Greylisted"))
    assert list(read_states(engine).values()) == [S.queued, S.sent, S.deferred]
    assert [delivery.doubted for delivery in read_deliveries(engine).values()] == [False, True, True]


def test_a_refusal_of_an_earlier_attempt_leaves_the_one_that_is_being_sent(
    engine: Engine, ledger: Ledger, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(in_doubt_policy=InDoubtPolicy.resend))
    first, *_ = ledger.claim(1)
    begin(ledger, first)
    open_ledger(engine, campaign, "b").rescue(["a"])
    (second,) = (claim for claim in ledger.claim(3) if claim.delivery_id == first.delivery_id)
    begin(ledger, second)
    refused = classify_reply(Stage.dot, 450, "4.2.0 Greylisted")
    incomplete = Outcome(verdict=Verdict.give_back, stage=Stage.body, text="lost", reconnect=True)
    assert not settle(ledger, first, refused)
    assert not settle(ledger, first, incomplete)
    assert read_states(engine)[first.subscriber.email] is S.in_doubt
    assert settle(ledger, second, SENT)


@pytest.mark.parametrize(("always", "resent"), [(False, 0), (True, 1)])
def test_deliveries_in_doubt_are_held_unless_a_person_decides_otherwise(
    engine: Engine, ledger: Ledger, always: bool, resent: int
) -> None:
    claim, *_ = ledger.claim(1)
    begin(ledger, claim)
    assert ledger.requeue_in_doubt(always=always) == 0, "it is being sent"
    settle(ledger, claim, LOST)
    assert read_deliveries(engine)[claim.subscriber.email].doubted
    assert ledger.requeue_in_doubt(always=always) == resent


def test_a_cancelled_campaign_keeps_its_deliveries_in_doubt(
    engine: Engine, ledger: Ledger, campaign: int
) -> None:
    claim, *_ = ledger.claim(1)
    begin(ledger, claim)
    settle(ledger, claim, LOST)
    set_campaign_state(engine, campaign, CampaignState.cancelled)
    assert ledger.requeue_in_doubt(always=True) == 0
    assert read_states(engine)[claim.subscriber.email] is S.in_doubt


def test_a_campaign_is_finished_when_nothing_is_queued_or_being_sent(
    engine: Engine, ledger: Ledger, campaign: int
) -> None:
    held, being_sent, rejected = ledger.claim(3)
    for claim in (held, being_sent):
        begin(ledger, claim)
    settle(ledger, held, LOST)
    settle(ledger, rejected, REJECTED)
    assert not ledger.finish(), "one is being sent"
    settle(ledger, being_sent, DEFERRED)
    assert not ledger.finish(), "one is deferred"
    with engine.begin() as connection:
        connection.execute(
            update(Delivery).where(col(Delivery.state) == S.deferred).values(state=S.sent, not_before=None)
        )
    assert ledger.finish()
    finished = read_campaign(engine, campaign)
    assert (finished.state, finished.finished_at) == (CampaignState.finished, ledger._clock(None))  # type: ignore[arg-type]
    assert not ledger.finish()


def test_refusals_for_our_fault_are_taken_back_and_the_campaign_is_paused(
    engine: Engine, ledger: Ledger, campaign: int
) -> None:
    claims = ledger.claim(3)
    settle(ledger, claims[0], REJECTED)
    settle(ledger, claims[1], UNBUILT)
    ids = [claim.delivery_id for claim in claims]
    assert ledger.pause_and_requeue(ids, "too many") == 2
    assert list(read_states(engine).values()) == [S.queued, S.queued, S.claimed]
    assert read_campaign(engine, campaign).state_reason == "too many"


def test_one_reader_has_one_delivery_in_a_campaign(engine: Engine, campaign: int, clock: FakeClock) -> None:
    with Session(engine) as session:
        session.add(Delivery(campaign_id=campaign, subscriber_id=1, updated_at=clock.now))
        with pytest.raises(IntegrityError):
            session.commit()


def reachable(steps: int = 3) -> set[tuple[DeliveryState, DeliveryState]]:
    """Pairs of states with a path of allowed moves of at most ``steps`` between them."""
    pairs = {(source, target) for source, targets in DELIVERY_TRANSITIONS.items() for target in targets}
    for _ in range(steps - 1):
        pairs |= {(a, d) for a, b in pairs for c, d in pairs if b is c}
    return pairs


class Sending(RuleBasedStateMachine):
    """Two dispatchers, readers who leave, a person who pauses, crashes at any moment: what may never
    happen.
    """

    claims = Bundle("claims")
    begun = Bundle("begun")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        with engine.begin() as connection:
            for table in (Delivery, Campaign, Subscriber, Dispatcher):
                connection.execute(delete(table))
        self.campaign = add_campaign(engine, 5)
        self.clock = FakeClock()
        self.lives = 0
        self.ledgers = {name: self._start() for name in "ab"}
        self.states = read_states(engine)
        self.may_have_arrived: set[str] = set()
        self.allowed = {
            (source, target) for source, targets in DELIVERY_TRANSITIONS.items() for target in targets
        }
        # One call may make two moves: a deferred reader is called up and claimed.
        self.allowed |= {(S.deferred, S.claimed), (S.deferred, S.suppressed)}

    def teardown(self) -> None:
        close_ledgers()

    def _start(self) -> Ledger:
        self.lives += 1
        hour = timedelta(hours=1)
        register_dispatchers(self.engine, f"life{self.lives}")
        return open_ledger(self.engine, self.campaign, f"life{self.lives}", clock=self.clock, retry_for=hour)

    @rule(target=claims, name=st.sampled_from("ab"), limit=st.integers(1, 3))
    def claim(self, name: str, limit: int) -> object:
        ledger = self.ledgers[name]
        return multiple(*((ledger, claim) for claim in ledger.claim(limit)))

    @rule(target=begun, held=consumes(claims))
    def begin(self, held: tuple[Ledger, Claim]) -> object:
        ledger, claim = held
        email = claim.subscriber.email
        delivery = read_deliveries(self.engine)[email]
        if not begin(ledger, claim):
            give_back(ledger, [claim])
            return multiple()
        # The heart of it: what may have arrived is sent again only after it was named as in doubt.
        assert email not in self.may_have_arrived or delivery.doubted
        self.may_have_arrived.add(email)
        return held

    @rule(held=consumes(begun), outcome=st.sampled_from([SENT, DEFERRED, NOT_NOW, LOST, BACK, STOP]))
    def settle(self, held: tuple[Ledger, Claim], outcome: Outcome) -> None:
        self._settle(held, outcome)

    @rule(held=consumes(claims), outcome=st.sampled_from([DEFERRED, REJECTED, UNBUILT, BACK, STOP]))
    def settle_before_the_body(self, held: tuple[Ledger, Claim], outcome: Outcome) -> None:
        self._settle(held, outcome)

    def _settle(self, held: tuple[Ledger, Claim], outcome: Outcome) -> None:
        ledger, claim = held
        if settle(ledger, claim, outcome) and outcome.verdict in {
            Verdict.deferred,
            Verdict.give_back,
            Verdict.stop,
        }:
            self.may_have_arrived.discard(claim.subscriber.email)

    @rule(held=consumes(claims))
    def give_back(self, held: tuple[Ledger, Claim]) -> None:
        ledger, claim = held
        give_back(ledger, [claim])

    @rule(name=st.sampled_from("ab"))
    def crash(self, name: str) -> None:
        dead = self.ledgers[name]
        self.ledgers[name] = self._start()
        self.ledgers[name].rescue([dead._owner])
        # Dead or taken for dead: what the old life still begins and settles, it does beside the new one.
        with self.engine.begin() as connection:
            connection.execute(delete(Dispatcher).where(col(Dispatcher.id) == dead._owner))

    @rule(number=st.integers(1, 9))
    def register_again(self, number: int) -> None:
        with self.engine.begin() as connection:
            known = connection.scalars(select(Dispatcher.id)).all()
        if number <= self.lives and f"life{number}" not in known:
            register_dispatchers(self.engine, f"life{number}")

    @rule(name=st.sampled_from("ab"), always=st.booleans())
    def resend(self, name: str, always: bool) -> None:
        self.ledgers[name].requeue_in_doubt(always=always)

    @rule(policy=st.sampled_from(InDoubtPolicy))
    def decide(self, policy: InDoubtPolicy) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(Campaign).values(in_doubt_policy=policy))

    @rule(to=st.sampled_from([CampaignState.paused, CampaignState.sending]))
    def pause_or_resume(self, to: CampaignState) -> None:
        with self.engine.begin() as connection:
            change_campaign_state(connection, self.campaign, to)

    @rule(number=st.integers(0, 4), status=st.sampled_from([Status.active, Status.unsubscribed]))
    def reader_decides(self, number: int, status: Status) -> None:
        set_status(self.engine, f"reader{number}@example.org", status)

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)

    @rule(name=st.sampled_from("ab"))
    def finish(self, name: str) -> None:
        if self.ledgers[name].finish():
            final = {S.sent, S.rejected, S.failed, S.suppressed, S.in_doubt}
            assert set(read_states(self.engine).values()) <= final

    @invariant()
    def nobody_is_lost_and_the_equation_holds(self) -> None:
        with self.engine.connect() as connection:
            counts = count_deliveries(connection, self.campaign)
        assert counts.balances, counts.equation()

    @invariant()
    def only_allowed_moves_are_made(self) -> None:
        states = read_states(self.engine)
        for email, state in states.items():
            before = self.states[email]
            assert before is state or (before, state) in self.allowed, (email, before, state)
        self.states = states


@pytest.mark.spare
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_whatever_happens_nobody_is_lost_and_every_possible_duplicate_is_named(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from mailer.database.engine import open_engine

    url = request.getfixturevalue(f"{kind}_database")
    engine = open_engine(url, root=tmp_path_factory.mktemp("machine"))
    examples = 40 if kind == "sqlite" else 15
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    try:
        run_state_machine_as_test(
            lambda: Sending(engine),
            settings=settings(
                max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=checks
            ),
        )
    finally:
        engine.dispose()
