"""The batch writer: one transaction for each batch, and only transitions that the table allows."""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update
from sqlmodel import col

from mailer.database.engine import open_engine
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.dispatch import ledger as ledger_module
from mailer.dispatch.batch_writer import (
    Batch,
    BatchResult,
    BatchWriter,
    Transition,
    open_batch_writer,
)
from mailer.dispatch.deliveries import DELIVERY_TRANSITIONS
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from subscribers.models import Status, Subscriber
from tests.factories.deliveries import (
    START,
    FakeClock,
    add_campaign,
    read_deliveries,
    register_dispatchers,
    set_campaign_state,
    set_status,
)

S = DeliveryState
SENT = (("code", 250), ("reason", "2.0.0 queued"))
NOW = START + timedelta(minutes=1)
HELD = {S.claimed, S.in_doubt}
PUT_OFF = (("not_before", NOW),)


@pytest.fixture
def campaign(engine: Engine) -> int:
    register_dispatchers(engine, "us")
    return add_campaign(engine, 4)


@pytest.fixture
def writer(engine: Engine, campaign: int) -> Iterator[BatchWriter]:
    writer = open_batch_writer(engine, campaign, "us")
    yield writer
    writer.close()


@pytest.fixture
def deliveries(engine: Engine, campaign: int) -> list[int]:
    """Four deliveries that we have claimed."""
    numbers = [delivery.id or 0 for delivery in read_deliveries(engine).values()]
    force_state(engine, numbers, S.claimed)
    return numbers


def force_state(engine: Engine, numbers: list[int], state: DeliveryState, owner: str | None = "us") -> None:
    """Set the state of deliveries directly. Only a delivery being sent has an owner."""
    values = {
        "state": state,
        "owner": owner if state in HELD else None,
        "not_before": NOW if state is S.deferred else None,
    }
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.id).in_(numbers)).values(**values))


def read_delivery(engine: Engine, number: int) -> Delivery:
    return next(delivery for delivery in read_deliveries(engine).values() if delivery.id == number)


def sent(number: int) -> tuple[int, int, str]:
    """The row of a batch for a delivery that was sent."""
    return number, 250, "2.0.0 queued"


def states(engine: Engine) -> list[DeliveryState]:
    return [delivery.state for delivery in read_deliveries(engine).values()]


# Starting


def test_a_started_delivery_is_in_doubt_and_counts_as_an_attempt(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    written = writer.write(Batch(starting=deliveries[:2]), NOW)
    assert written == BatchResult(started=set(deliveries[:2]))
    assert states(engine) == [S.in_doubt, S.in_doubt, S.claimed, S.claimed]
    begun = read_delivery(engine, deliveries[0])
    assert (begun.owner, begun.attempts, begun.updated_at) == ("us", 1, NOW)
    assert read_delivery(engine, deliveries[2]).attempts == 0


def test_unless_the_campaign_is_sending_only_outcomes_are_written(
    engine: Engine, campaign: int, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, *_ = deliveries
    for state in set(CampaignState) - {CampaignState.sending}:
        force_state(engine, [first], S.in_doubt)
        set_campaign_state(engine, campaign, state)
        written = writer.write(Batch(sent=[sent(first)], starting=[second]), NOW)
        assert written == BatchResult()
        assert states(engine)[:2] == [S.sent, S.claimed]


def test_a_reader_who_left_gets_nothing(engine: Engine, writer: BatchWriter, deliveries: list[int]) -> None:
    for status in set(Status) - {Status.active}:
        set_status(engine, "reader1@example.org", status)
        written = writer.write(Batch(starting=deliveries), NOW, again=True)
        assert written.started == frozenset(deliveries) - {deliveries[1]}
        assert states(engine)[1] is S.claimed


@pytest.mark.parametrize(
    ("until", "may_begin"), [(NOW.date(), True), (date(2026, 3, 2), False), (None, False)]
)
def test_a_paused_reader_gets_mail_from_the_day_the_pause_ends(
    engine: Engine, writer: BatchWriter, deliveries: list[int], until: date | None, may_begin: bool
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Subscriber).values(status=Status.paused, paused_until=until))
    assert writer.write(Batch(starting=deliveries), NOW).started == frozenset(deliveries if may_begin else [])


def test_deliveries_of_another_dispatcher_are_not_changed(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, third, _ = deliveries
    force_state(engine, [first], S.claimed, "them")
    force_state(engine, [second, third], S.in_doubt, "them")
    ends = [Transition(third, S.deferred, True, PUT_OFF)]
    for again in (False, True):
        group = Batch(sent=[sent(second)], transitions=ends, starting=[first, second])
        written = writer.write(group, NOW, again=again)
        assert written == BatchResult(lost={second, third})
    # What is settled as in doubt has no owner.
    force_state(engine, [second, third], S.in_doubt, None)
    for again in (False, True):
        written = writer.write(Batch(transitions=ends, starting=[first, second]), NOW, again=again)
        assert written == BatchResult(lost={third})
    assert states(engine) == [S.claimed, S.in_doubt, S.in_doubt, S.claimed]


def test_nothing_starts_for_a_dispatcher_without_a_row_but_its_ends_are_kept(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, third, _ = deliveries
    force_state(engine, [first, third], S.in_doubt)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM dispatcher"))
    ends = [Transition(third, S.deferred, True, PUT_OFF)]
    for again, batch in (
        (False, Batch(sent=[sent(first)], starting=[second])),
        (False, Batch(transitions=ends, starting=[second])),
        (True, Batch(starting=[second])),
    ):
        assert writer.write(batch, NOW, again=again) == BatchResult()
    assert states(engine) == [S.sent, S.claimed, S.deferred, S.claimed]


# Replies that come late


@pytest.mark.parametrize(
    ("state", "owner", "doubted", "taken"),
    [
        (S.in_doubt, None, True, True),
        (S.queued, None, True, True),
        (S.queued, None, False, False),
        (S.in_doubt, "them", True, False),
        (S.claimed, "them", True, False),
        (S.deferred, None, True, False),
        (S.rejected, None, True, False),
    ],
)
def test_a_late_acceptance_settles_what_nobody_else_is_sending(
    engine: Engine,
    writer: BatchWriter,
    deliveries: list[int],
    state: DeliveryState,
    owner: str | None,
    doubted: bool,
    taken: bool,
) -> None:
    first, second, *_ = deliveries
    writer.write(Batch(starting=[first, second]), NOW)
    force_state(engine, [first], state, owner)
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.id) == first).values(doubted=doubted))
    written = writer.write(Batch(sent=[sent(first), sent(second)]), NOW)
    lost, late = (set[int](), {first}) if taken else ({first}, set[int]())
    assert written == BatchResult(lost=lost, late=late)
    found = read_delivery(engine, first)
    assert (found.state, found.doubted) == (S.sent if taken else state, doubted)
    assert not taken or (found.owner, found.code, found.reason) == (None, 250, "2.0.0 queued")
    assert read_delivery(engine, second).state is S.sent


@pytest.mark.parametrize(
    ("attempt", "tried_since", "taken"), [(1, False, True), (1, True, False), (None, False, False)]
)
def test_a_late_refusal_settles_a_doubt_unless_another_attempt_may_be_what_is_in_doubt(
    engine: Engine,
    writer: BatchWriter,
    deliveries: list[int],
    attempt: int | None,
    tried_since: bool,
    taken: bool,
) -> None:
    first = deliveries[0]
    writer.write(Batch(starting=[first]), NOW)
    if tried_since:
        force_state(engine, [first], S.claimed)
        writer.write(Batch(starting=[first]), NOW)
    force_state(engine, [first], S.in_doubt, None)
    refusal = Transition(first, S.deferred, True, (*PUT_OFF, ("reason", "not now")), attempt)
    written = writer.write(Batch(transitions=[refusal]), NOW)
    only = {first}
    assert written == (BatchResult(late=only) if taken else BatchResult(lost=only))
    found = read_delivery(engine, first)
    assert (found.state, found.reason) == ((S.deferred, "not now") if taken else (S.in_doubt, ""))


def test_the_words_of_a_late_reply_about_an_erased_reader_are_not_kept(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, *_ = deliveries
    writer.write(Batch(starting=[first, second]), NOW)
    force_state(engine, [first, second], S.in_doubt, None)
    set_status(engine, "reader0@example.org", Status.erased)
    set_status(engine, "reader1@example.org", Status.erased)
    refusal = Transition(second, S.rejected, True, (("code", 550), ("reason", "no reader1@example.org")), 1)
    words = "<reader0@example.org> delivered"
    writer.write(Batch(sent=[(first, 250, words)], transitions=[refusal]), NOW)
    ended = [read_delivery(engine, number) for number in (first, second)]
    assert [(one.state, one.code, one.reason) for one in ended] == [(S.sent, 250, ""), (S.rejected, 550, "")]


def test_only_claimed_deliveries_are_started(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    for state in set(S) - {S.claimed}:
        force_state(engine, deliveries, state)
        assert writer.write(Batch(starting=deliveries), NOW) == BatchResult()
        assert set(states(engine)) == {state}


def test_a_repeated_write_starts_what_the_first_may_have_started(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    # The database may have committed what it could not confirm. Nothing was sent in between.
    first, second, third, fourth = deliveries
    force_state(engine, [third], S.in_doubt)
    batch = Batch(sent=[sent(third)], starting=[first, second])
    writer.write(Batch(sent=batch.sent, starting=[first]), NOW)
    written = writer.write(batch, NOW, again=True)
    assert written.started == {first, second}
    assert [read_delivery(engine, number).attempts for number in (first, second, fourth)] == [1, 1, 0]
    assert states(engine) == [S.in_doubt, S.in_doubt, S.sent, S.claimed]


def test_a_repeated_write_starts_nothing_that_has_ended(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    for state in set(S) - HELD:
        force_state(engine, deliveries, state)
        assert writer.write(Batch(starting=deliveries), NOW, again=True) == BatchResult()


# Ending


END_STATES = [S.queued, S.in_doubt, S.deferred, S.rejected, S.failed, S.sent]


def test_only_transitions_in_the_table_are_made(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    number = deliveries[0]
    for start, end, words in itertools.product(S, END_STATES, ((), SENT)):
        force_state(engine, [number], start)
        values = words + PUT_OFF if end is S.deferred else words
        sent_rows = [sent(number)] if end is S.sent and words else []
        transitions = [] if sent_rows else [Transition(number, end, False, values)]
        written = writer.write(Batch(sent=sent_rows, transitions=transitions), NOW)
        # The writer leaves alone what no dispatcher holds, even where others may change it.
        may_move = start in HELD and end in DELIVERY_TRANSITIONS[start]
        # A message that was never started cannot have arrived.
        may_move = may_move and (start, end) != (S.claimed, S.in_doubt)
        assert written.lost == frozenset([] if may_move else [number])
        found = read_delivery(engine, number)
        assert found.state is (end if may_move else start)
        assert found.owner == ("us" if start in HELD and not may_move else None)


def test_the_columns_of_an_outcome_are_written(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, third, fourth = deliveries
    force_state(engine, [first, third], S.in_doubt)
    later = NOW + timedelta(hours=2)
    deferred = (
        ("deferrals", 3),
        ("deferred_since", START),
        ("code", None),
        ("reason", 'the line\'s "end"; was lost -- ünd'),
        ("not_before", later),
    )
    transitions = [
        Transition(second, S.deferred, True, deferred),
        Transition(third, S.in_doubt, False, (("reason", "lost"), ("doubted", True))),
        Transition(fourth, S.queued, True),
    ]
    assert writer.write(Batch(sent=[sent(first)], transitions=transitions), NOW) == BatchResult()
    taken, put_off, doubted, back = (read_delivery(engine, number) for number in deliveries)
    assert (taken.state, taken.code, taken.reason, taken.attempts) == (S.sent, 250, "2.0.0 queued", 0)
    assert (put_off.state, put_off.deferrals, put_off.attempts) == (S.deferred, 3, 1)
    assert (put_off.deferred_since, put_off.not_before, put_off.code) == (START, later, None)
    assert put_off.reason == deferred[3][1]
    assert (doubted.state, doubted.doubted, doubted.reason) == (S.in_doubt, True, "lost")
    assert (back.state, back.attempts) == (S.queued, 1)
    assert {delivery.owner for delivery in (taken, put_off, doubted, back)} == {None}
    assert {delivery.updated_at for delivery in (taken, put_off, doubted, back)} == {NOW}


@pytest.mark.parametrize(("tried", "attempts"), [(True, 1), (False, 0)])
def test_an_attempt_is_counted_once_for_each_delivery(
    engine: Engine, writer: BatchWriter, deliveries: list[int], tried: bool, attempts: int
) -> None:
    first, second, *_ = deliveries
    writer.write(Batch(starting=[second]), NOW)
    transitions = [Transition(number, S.deferred, tried, PUT_OFF) for number in (first, second)]
    writer.write(Batch(transitions=transitions), NOW)
    assert read_delivery(engine, first).attempts == attempts
    assert read_delivery(engine, second).attempts == 1


def test_a_batch_contains_outcomes_and_starts_of_every_kind(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    first, second, third, fourth = deliveries
    force_state(engine, [first, second], S.in_doubt)
    transitions = [Transition(second, S.rejected, True, SENT)]
    written = writer.write(
        Batch(sent=[sent(first), sent(99_999)], transitions=transitions, starting=[third]), NOW
    )
    assert written == BatchResult(started={third}, lost={99_999})
    assert states(engine) == [S.sent, S.rejected, S.in_doubt, S.claimed]
    assert read_delivery(engine, fourth).owner == "us"


def test_an_empty_batch_changes_nothing(engine: Engine, writer: BatchWriter, deliveries: list[int]) -> None:
    assert writer.write(Batch(), NOW) == BatchResult()
    assert set(states(engine)) == {S.claimed}


def test_a_batch_is_one_transaction(engine: Engine, writer: BatchWriter, deliveries: list[int]) -> None:
    first, second, third, fourth = deliveries
    force_state(engine, [first, second], S.in_doubt)
    broken = Transition(second, S.deferred, True, (("no_such_column", 1),))
    sent_rows, transitions = [sent(first)], [Transition(fourth, S.queued), broken]
    with pytest.raises(engine.dialect.loaded_dbapi.Error):  # type: ignore[union-attr]
        writer.write(Batch(sent=sent_rows, transitions=transitions, starting=[third]), NOW)
    assert states(engine) == [S.in_doubt, S.in_doubt, S.claimed, S.claimed]
    # The writer still works afterwards.
    assert writer.write(
        Batch(sent=sent_rows, transitions=transitions[:1], starting=[third]), NOW
    ).started == {third}
    assert states(engine) == [S.sent, S.in_doubt, S.in_doubt, S.queued]


def test_another_connection_sees_a_batch_immediately(
    engine: Engine, writer: BatchWriter, deliveries: list[int]
) -> None:
    writer.write(Batch(starting=deliveries), NOW)
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM delivery WHERE state = 'in_doubt'")).scalar()
    assert count == 4


def test_a_writer_can_be_closed_twice(writer: BatchWriter) -> None:
    writer.close()
    writer.close()


# A database that goes away


def end_other_backends(engine: Engine) -> None:
    """End every session of the database except this one."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


@pytest.fixture
def postgres_engine(postgres_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(postgres_database, root=tmp_path)
    yield engine
    engine.dispose()


def test_the_writer_reconnects_after_its_session_was_ended(
    postgres_engine: Engine,
) -> None:
    register_dispatchers(postgres_engine, "us")
    campaign = add_campaign(postgres_engine, 2)
    numbers = [delivery.id or 0 for delivery in read_deliveries(postgres_engine).values()]
    force_state(postgres_engine, numbers, S.claimed)
    writer = open_batch_writer(postgres_engine, campaign, "us")
    assert writer.write(Batch(starting=numbers[:1]), NOW).started == set(numbers[:1])
    end_other_backends(postgres_engine)
    with pytest.raises(postgres_engine.dialect.loaded_dbapi.Error):  # type: ignore[union-attr]
        writer.write(Batch(starting=numbers), NOW)
    assert writer.write(Batch(starting=numbers), NOW, again=True).started == set(numbers)
    assert [read_delivery(postgres_engine, number).attempts for number in numbers] == [1, 1]
    writer.close()


def test_the_ledger_survives_the_end_of_its_session(postgres_engine: Engine) -> None:
    register_dispatchers(postgres_engine, "us")
    campaign = add_campaign(postgres_engine, 3)
    ledger = Ledger(postgres_engine, campaign, "us")
    numbers = [claim.delivery_id for claim in ledger.claim(3)]
    assert ledger.record(Batch(starting=numbers[:1])).started == set(numbers[:1])
    for number in numbers[1:]:
        end_other_backends(postgres_engine)
        written = ledger.record(Batch(sent=[sent(numbers[0])], starting=[number]))
        assert written.started == {number}
    assert states(postgres_engine) == [S.sent, S.in_doubt, S.in_doubt]
    ledger.close()


def test_a_lasting_failure_is_raised(engine: Engine, campaign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_RECORD_RETRY_DELAYS", (0.01, 0.01))
    ledger = Ledger(engine, campaign, "us", clock=FakeClock())
    ledger.now()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE delivery RENAME TO elsewhere"))
    with pytest.raises(LedgerUnreachableError, match="delivery"):
        ledger.record(Batch(starting=[1]))
    ledger.close()
