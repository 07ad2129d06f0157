"""Rates by the reader's domain: who is sent to now, who is deferred, and until when."""

import itertools
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlmodel import Session

from mailer.database.models import RateBucket
from mailer.dispatch.buckets import BucketState, Slot, lock_buckets, save_buckets
from mailer.dispatch.domain_limiter import DomainRateLimiter, domain_of
from mailer.errors import ConfigurationError
from tests.factories.deliveries import START, FakeClock, FakeMonotonic

HORIZON = timedelta(seconds=5)


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_limiter(
    engine: Engine, rates: dict[str, float], clock: FakeClock, monotonic: FakeMonotonic
) -> DomainRateLimiter:
    return DomainRateLimiter(engine, rates, clock=clock, monotonic=monotonic)


def ready_seconds(slots: list[Slot]) -> list[float]:
    """When the slots that are not deferred are due, in seconds."""
    return [slot.seconds for slot in slots if slot.not_before is None]


def deferred_seconds(slots: list[Slot]) -> list[float]:
    """Until when the others are deferred, in seconds from the start."""
    return [(slot.not_before - START).total_seconds() for slot in slots if slot.not_before is not None]


def count_buckets(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(RateBucket)) or 0


def test_without_rates_nobody_waits_and_the_database_is_not_queried(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, {}, clock, monotonic)
    assert limiter.is_unlimited
    assert limiter.reserve(["a@example.org"] * 100) == [Slot()] * 100
    assert count_buckets(engine) == 0


def test_readers_beyond_the_horizon_are_deferred_at_the_rate_of_their_domain(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    slots = make_limiter(engine, {"gmail.com": 2}, clock, monotonic).reserve(["a@gmail.com"] * 20)
    assert ready_seconds(slots) == pytest.approx([n / 2 for n in range(11)])
    assert deferred_seconds(slots) == pytest.approx([n / 2 for n in range(11, 20)])


def test_other_domains_are_not_delayed(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    addresses = ["a@gmail.com"] * 500 + ["b@example.org"] * 3
    slots = make_limiter(engine, {"gmail.com": 1}, clock, monotonic).reserve(addresses)
    assert slots[500:] == [Slot()] * 3
    assert len(ready_seconds(slots)) == 6 + 3


def test_the_star_applies_to_every_other_domain_separately(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, {"gmail.com": 2, "*": 1}, clock, monotonic)
    slots = limiter.reserve(
        ["a@gmail.com", "a@one.org", "a@two.org", "a@gmail.com", "a@one.org", "a@two.org"]
    )
    assert [slot.seconds for slot in slots] == pytest.approx([0, 0, 0, 0.5, 1, 1])


def test_two_machines_share_a_domain(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    limiters = [make_limiter(engine, {"gmail.com": 2}, clock, monotonic) for _ in range(2)]
    turns = [turn for limiter in limiters * 2 for turn in ready_seconds(limiter.reserve(["a@gmail.com"] * 2))]
    assert turns == pytest.approx([n / 2 for n in range(8)])


def test_later_readers_are_deferred_behind_earlier_ones(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, {"gmail.com": 2}, clock, monotonic)
    limiter.reserve(["a@gmail.com"] * 20)
    assert deferred_seconds(limiter.reserve(["a@gmail.com"] * 4)) == pytest.approx([10, 10.5, 11, 11.5])


def test_a_deferred_reader_is_sent_to_when_due(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, {"gmail.com": 2}, clock, monotonic)
    late = deferred_seconds(limiter.reserve(["a@gmail.com"] * 20))
    for moment in late:
        clock.now, monotonic.now = START + timedelta(seconds=moment), 50 + moment
        assert ready_seconds(limiter.reserve(["a@gmail.com"])) == [0]


def test_nobody_is_deferred_for_more_than_four_hours(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    slots = make_limiter(engine, {"gmail.com": 0.01}, clock, monotonic).reserve(["a@gmail.com"] * 500)
    assert max(deferred_seconds(slots)) == 4 * 3600


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_jumps_by_a_day_delays_nobody(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic, days: int
) -> None:
    make_limiter(engine, {"gmail.com": 2}, clock, monotonic).reserve(["a@gmail.com"] * 20)
    clock.advance(days=days)
    slots = make_limiter(engine, {"gmail.com": 2}, clock, monotonic).reserve(["a@gmail.com"] * 2)
    assert ready_seconds(slots) == pytest.approx([0, 0.5])


def test_domains_unused_for_a_day_are_deleted(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    addresses = [f"a@d{n}.org" for n in range(20)]
    make_limiter(engine, {"*": 1}, clock, monotonic).reserve(addresses)
    clock.advance(hours=23)
    make_limiter(engine, {"*": 1}, clock, monotonic).reserve(["a@d0.org"])
    assert count_buckets(engine) == 20
    clock.advance(hours=23)
    make_limiter(engine, {"*": 1}, clock, monotonic).reserve(["a@d1.org"])
    assert count_buckets(engine) == 2


def test_buckets_other_than_domains_are_never_deleted(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    with lock_buckets(engine, ["relay:main"]) as (connection, _):
        save_buckets(connection, [BucketState(name="relay:main", next_at=START, day=START.date(), used=7)])
    clock.advance(days=400)
    make_limiter(engine, {"*": 1}, clock, monotonic).reserve(["a@d0.org"])
    with lock_buckets(engine, ["relay:main"]) as (_, bookings):
        assert bookings["relay:main"].used == 7


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@Example.ORG", "example.org"),
        ('"a@b"@example.org', "example.org"),
        ("a@münchen.example", "xn--mnchen-3ya.example"),
        ("a@xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("a@" + "ü" * 80, "ü" * 80),
        ("nobody", "nobody"),
    ],
)
def test_the_domain_follows_the_last_at_sign(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_a_domain_is_matched_however_the_settings_spell_it(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, {"MÜNCHEN.example": 1}, clock, monotonic)
    slots = limiter.reserve(["a@xn--mnchen-3ya.example"] * 2)
    assert [slot.seconds for slot in slots] == pytest.approx([0, 1])


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_not_positive_is_refused(engine: Engine, rate: float) -> None:
    with pytest.raises(ConfigurationError, match=r"\[domain_rates\] gmail.com = .*above 0"):
        DomainRateLimiter(engine, {"gmail.com": rate})


batches = st.lists(st.tuples(st.floats(0, 8), st.integers(1, 30)), min_size=1, max_size=8)


@given(batches=batches, rate=st.sampled_from([0.3, 2.0, 7.0]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_domain_never_exceeds_its_rate(
    sqlite_engine: Engine, batches: list[tuple[float, int]], rate: float
) -> None:
    clock, monotonic = FakeClock(), FakeMonotonic()
    with sqlite_engine.begin() as connection:
        connection.execute(RateBucket.__table__.delete())  # type: ignore[attr-defined]
    limiter = make_limiter(sqlite_engine, {"gmail.com": rate}, clock, monotonic)
    turns: list[float] = []
    for pause, count in batches:
        clock.advance(seconds=pause)
        monotonic.now += pause
        slots = limiter.reserve(["a@gmail.com"] * count)
        turns += [monotonic.now + seconds for seconds in ready_seconds(slots)]
        assert all(seconds <= HORIZON.total_seconds() for seconds in ready_seconds(slots))
        late = [slot.not_before for slot in slots if slot.not_before is not None]
        assert late == sorted(late)
        assert all(moment > clock.now for moment in late)
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert all(gap >= 1 / rate - 1e-4 for gap in gaps)


def test_two_machines_send_to_one_domain_at_its_full_rate(
    sqlite_engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    """Two machines, one domain: what is deferred comes back and is sent, at the full rate."""
    limiters = [make_limiter(sqlite_engine, {"gmail.com": 10}, clock, monotonic) for _ in range(2)]
    began, queue, sent, puts = monotonic.now, 600, 0, 0
    deferred: list[datetime] = []
    while queue or deferred:
        for limiter in limiters:
            due = [moment for moment in deferred if moment <= clock.now]
            deferred = [moment for moment in deferred if moment > clock.now]
            batch = min(100, queue + len(due))
            fresh = max(0, min(queue, batch - len(due)))
            queue -= fresh
            deferred += due[batch:]
            slots = limiter.reserve(["a@gmail.com"] * batch)
            sent += len(ready_seconds(slots))
            late = [slot.not_before for slot in slots if slot.not_before is not None]
            puts += len(late)
            deferred += late
        clock.advance(seconds=0.5)
        monotonic.now += 0.5
    assert sent == 600
    # 60 seconds at the rate; a little more because the two reckon separately.
    assert monotonic.now - began < 75
    assert puts < 3 * 600


def test_machines_that_reserve_the_same_domains_in_different_orders_never_deadlock(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    addresses = [f"a@d{n}.org" for n in range(12)]
    found: list[Slot] = []

    def book(number: int) -> None:
        limiter = make_limiter(engine, {"*": 1}, clock, monotonic)
        for start in range(6):
            mine = addresses[start : start + 7]
            found.extend(limiter.reserve(mine if number % 2 else mine[::-1]))

    threads = [threading.Thread(target=book, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 * 6 * 7
    # Each of the twelve gave each turn of its five seconds away once; the outermost two were asked for four.
    assert Counter(ready_seconds(found)) == {0: 12, 1: 12, 2: 12, 3: 12, 4: 10, 5: 10}
