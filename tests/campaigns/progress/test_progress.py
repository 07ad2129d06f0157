"""How far a campaign is: the numbers are the ledger's and add up, whatever part of it was counted when."""

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event, select, update
from sqlmodel import col

from mailer.campaigns import ledger_counter
from mailer.campaigns.ledger_counter import LedgerCounter
from mailer.campaigns.progress import ProgressReaders, SettledRate, read_progress
from mailer.campaigns.report.reasons import group_reasons
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import count_deliveries
from tests.factories.deliveries import START, add_campaign, register_dispatchers

S = DeliveryState
_HELD = ("claimed", "in_doubt held")
_STATES = (*(state.value for state in S if state is not S.claimed), *_HELD)


def put(engine: Engine, campaign: int, places: list[int], state: str) -> None:
    """Put the deliveries at ``places``, counted from 0, into a state."""
    name, _, held = state.partition(" ")
    values = {
        "state": S(name),
        "owner": "us" if held or name == "claimed" else None,
        "not_before": START if name == "deferred" else None,
        "code": 550 if name == "rejected" else None,
        "reason": f"5.1.1 <a{places[0]}@example.org> unknown" if name == "rejected" else "",
    }
    with engine.begin() as connection:
        numbers = list(
            connection.scalars(
                Delivery.__table__.select()  # type: ignore[attr-defined]
                .with_only_columns(col(Delivery.id))
                .where(col(Delivery.campaign_id) == campaign)
                .order_by(col(Delivery.id))
            )
        )
        chosen = [numbers[place % len(numbers)] for place in places]
        connection.execute(update(Delivery).where(col(Delivery.id).in_(chosen)).values(values))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_counter, "_BLOCK", 7)


def test_the_numbers_are_those_of_the_ledger(engine: Engine, small_blocks: None) -> None:
    add_campaign(engine, [f"other{n}@example.org" for n in range(9)])
    campaign = add_campaign(engine, 60)
    counter = LedgerCounter(campaign)
    for place, state in enumerate(_STATES):
        put(engine, campaign, [place, place + 20, place + 40], state)
    with engine.connect() as connection:
        count = counter.count_changes(connection, seconds=0)
        assert count.counts == count_deliveries(connection, campaign)
        groups = {(one.state, one.reason, one.number, one.dead_address) for one in count.groups}
        told = group_reasons(connection, campaign)
    expected = {(one.state, one.reason, one.number, one.dead_address) for one in told}
    # Of those in doubt, the ones that are being sent are no reason for anything.
    expected = {(s, r, 3 if s is S.in_doubt else n, d) for s, r, n, d in expected}
    assert groups == expected
    assert count.on_way == 3


def test_messages_that_were_sent_are_one_row_however_their_servers_put_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = add_campaign(engine, 40)
    with engine.begin() as connection:
        for place, number in enumerate(connection.scalars(select(col(Delivery.id)))):
            said = {"state": S.sent, "code": 250, "reason": f"2.0.0 Ok: queued as {place:09X}"}
            connection.execute(update(Delivery).where(col(Delivery.id) == number).values(said))
    put(engine, campaign, [3, 4], "rejected")
    read: list[str] = []
    mask = ledger_counter.mask_words
    monkeypatch.setattr(ledger_counter, "mask_words", lambda words: read.append(words) or mask(words))
    with engine.connect() as connection:
        count = LedgerCounter(campaign).count_all(connection)
    assert (count.counts.sent, count.counts.rejected, len(count.groups)) == (38, 2, 1)
    assert len(read) == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.lists(st.integers(0, 59), min_size=1, max_size=20), st.sampled_from(_STATES)), max_size=8
    )
)
def test_whatever_changes_is_counted_once_there_is_time(
    sqlite_engine: Engine, small_blocks: None, steps: list[tuple[list[int], str]]
) -> None:
    with sqlite_engine.begin() as connection:
        connection.execute(delete(Delivery))
    campaign = add_campaign(sqlite_engine, [f"r{next(_numbers)}@example.org" for _ in range(60)])
    counter = LedgerCounter(campaign)
    with sqlite_engine.connect().execution_options(read_only=True) as connection:
        counter.count_all(connection)
    for places, state in steps:
        put(sqlite_engine, campaign, places, state)
        with sqlite_engine.connect().execution_options(read_only=True) as connection:
            some = counter.count_changes(connection, seconds=0)
            assert some.counts.balances
            every = counter.count_changes(connection, seconds=60)
            assert every.counts == count_deliveries(connection, campaign)


_numbers = iter(range(10**9))


def test_a_campaign_under_way_is_not_counted_from_its_beginning(
    sqlite_engine: Engine, small_blocks: None
) -> None:
    campaign = add_campaign(sqlite_engine, 70)
    counter = LedgerCounter(campaign)
    counted: list[tuple[object, ...]] = []

    def note(*words: object) -> None:
        if "GROUP BY" in str(words[2]):
            counted.append(tuple(words[3]))  # type: ignore[arg-type]

    def count(seconds: float) -> int:
        counted.clear()
        with sqlite_engine.connect().execution_options(read_only=True) as connection:
            return counter.count_changes(connection, seconds=seconds).counts.sent

    event.listen(sqlite_engine, "before_cursor_execute", note)
    count(0)
    put(sqlite_engine, campaign, list(range(10)), "sent")
    assert count(60) == 10
    put(sqlite_engine, campaign, list(range(10, 12)), "sent")
    # No time for more than the first of its queue, which is where the campaign is.
    assert count(0.000001) in {10, 12}
    assert len(counted) <= 1
    with sqlite_engine.connect().execution_options(read_only=True) as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT count(*) FROM delivery WHERE +campaign_id = 1 AND id BETWEEN 1 AND 7"
        ).fetchall()
    assert "rowid>? AND rowid<?" in str(plan)


def test_the_rate_is_that_of_the_last_minute() -> None:
    meter = SettledRate()
    assert meter.record(0, 0.0) is None
    assert meter.record(40, 4.0) is None
    assert meter.record(50, 5.0) == 10
    for second in range(6, 120):
        rate = meter.record(50 + (second - 5) * 20, float(second))
    assert rate == 20
    assert meter.record(10, 121.0) is None


def test_the_terms_add_up_and_the_end_is_told(engine: Engine) -> None:
    campaign = add_campaign(engine, 10)
    put(engine, campaign, [0, 1], "sent")
    put(engine, campaign, [2], "in_doubt held")
    put(engine, campaign, [3], "in_doubt")
    register_dispatchers(engine, "us")
    with engine.connect() as connection:
        count = LedgerCounter(campaign).count_all(connection)
        progress = read_progress(connection, campaign, count)
    assert progress is not None
    assert dict(progress.list_terms()) == {
        **{"sent": 2, "rejected": 0, "failed": 0, "suppressed": 0},
        **{"in_doubt": 1, "on_way": 1, "deferred": 0, "queued": 6},
    }
    assert sum(number for _, number in progress.list_terms()) == progress.counts.audience
    assert progress.seconds_left is None
    assert progress.senders == 0, "it was last alive years ago"


def test_one_thread_reads_for_all_and_ends_with_the_program(engine: Engine) -> None:
    campaign = add_campaign(engine, 10)
    readers = ProgressReaders(engine)
    reader = readers.watch(campaign)
    assert readers.watch(campaign) is reader
    first = reader.await_reading(10)
    assert first is not None
    assert first.counts.queued == 10
    told = threading.Event()
    reader.add_listener(lambda progress: told.set() if progress.counts.sent == 4 else None)
    put(engine, campaign, [0, 1, 2, 3], "sent")
    assert told.wait(10)
    with engine.begin() as connection:
        ended = {"state": CampaignState.finished, "finished_at": START + timedelta(hours=1)}
        connection.execute(update(Campaign).where(col(Campaign.id) == campaign).values(ended))
        connection.execute(update(Delivery).values(state=S.sent))
    readers.refresh(campaign)
    last = reader.await_reading(10)
    assert last is not None
    assert (last.counts.sent, last.is_over) == (10, True)
    readers.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("mailer-progress")]


def test_a_campaign_that_does_not_exist_is_nothing(engine: Engine) -> None:
    readers = ProgressReaders(engine)
    assert readers.watch(99).await_reading(10) is None
    readers.close()
