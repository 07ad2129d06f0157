"""Rates that all machines share, daily limits and warm-up."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from sqlmodel import Session

from mailer.database.models import RateBucket
from mailer.dispatch.rate_limiter import (
    RateLimiter,
    campaign_bucket,
    relay_bucket,
    warm_up_limit,
)
from mailer.settings import WarmUpSettings
from tests.factories.deliveries import START, FakeClock, FakeMonotonic

NAME = campaign_bucket(1)
DAY = timedelta(days=1)


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_limiter(
    engine: Engine,
    rate: float | None,
    clock: FakeClock,
    monotonic: FakeMonotonic,
    day_limit: Callable[[date], int] | None = None,
) -> RateLimiter:
    return RateLimiter(engine, NAME, rate, clock=clock, monotonic=monotonic, day_limit=day_limit)


def read_bucket(engine: Engine, name: str = NAME) -> RateBucket | None:
    with Session(engine) as session:
        return session.get(RateBucket, name)


def take(limiter: RateLimiter, turns: int) -> list[float]:
    """Acquire ``turns`` turns, none of which may be refused."""
    taken = [limiter.acquire() for _ in range(turns)]
    assert None not in taken
    return [turn for turn in taken if turn is not None]


def count_turns(limiter: RateLimiter) -> int:
    """How many turns are left today."""
    turns = 0
    while limiter.acquire() is not None:
        turns += 1
    return turns


def test_without_a_rate_nobody_waits_and_the_database_is_not_queried(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, None, clock, monotonic)
    assert limiter.is_unlimited
    assert take(limiter, 100) == [0] * 100
    assert read_bucket(engine) is None


def test_turns_are_spaced_by_the_rate(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    assert take(make_limiter(engine, 4, clock, monotonic), 5) == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_two_machines_share_one_rate(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    one, two = make_limiter(engine, 4, clock, monotonic), make_limiter(engine, 4, clock, monotonic)
    turns = [limiter.acquire() for _ in range(4) for limiter in (one, two)]
    assert turns == pytest.approx([n * 0.25 for n in range(8)])


def test_two_buckets_are_independent(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    one = make_limiter(engine, 4, clock, monotonic)
    two = RateLimiter(engine, relay_bucket("main"), 4, clock=clock, monotonic=monotonic)
    assert take(one, 2) == take(two, 2) == pytest.approx([0, 0.25])


def test_unused_turns_do_not_accumulate(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    limiter = make_limiter(engine, 4, clock, monotonic)
    limiter.acquire()
    clock.advance(seconds=60)
    monotonic.now += 60
    assert take(limiter, 3) == pytest.approx([0, 0.25, 0.5])


def test_a_high_rate_takes_turns_in_blocks(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, 500, clock, monotonic)
    assert take(limiter, 50) == pytest.approx([n / 500 for n in range(50)])
    bucket = read_bucket(engine)
    assert bucket is not None
    assert bucket.next_at == clock.now + timedelta(seconds=0.1)


def test_machines_that_start_together_take_each_turn_once(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    turns: list[float] = []
    limiters = [make_limiter(engine, 100, clock, monotonic) for _ in range(5)]
    threads = [threading.Thread(target=lambda p=limiter: turns.extend(take(p, 20))) for limiter in limiters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([n / 100 for n in range(100)])


def test_a_released_turn_is_given_out_again(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, 4, clock, monotonic)
    limiter.acquire()
    limiter.release()
    assert take(limiter, 2) == pytest.approx([0, 0.25])


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_by_a_day_stalls_nobody(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic, jump: timedelta
) -> None:
    take(make_limiter(engine, 4, clock, monotonic), 3)
    clock.now += jump
    take(make_limiter(engine, 4, clock, monotonic), 3)
    clock.now -= jump
    # At once, or after the turns that are taken: never after the day by which the clock was wrong.
    assert take(make_limiter(engine, 4, clock, monotonic), 3) == pytest.approx([0, 0.25, 0.5], abs=1)


def test_a_long_queue_in_a_slow_bucket_is_not_taken_for_a_wrong_clock(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiters = [make_limiter(engine, 0.01, clock, monotonic) for _ in range(40)]
    turns = [take(limiter, 1)[0] for limiter in limiters]
    assert turns == pytest.approx([n * 100 for n in range(40)])


@given(jumps=st.lists(st.floats(-90_000, 90_000), max_size=6), rate=st.sampled_from([0.5, 4.0, 50.0]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_jump_of_the_clock_stalls_sending_or_lets_more_than_a_block_through(
    sqlite_engine: Engine, jumps: list[float], rate: float
) -> None:
    clock, monotonic = FakeClock(), FakeMonotonic()
    limiter = RateLimiter(sqlite_engine, relay_bucket(f"{rate}"), rate, clock=clock, monotonic=monotonic)
    sent, block = [], max(1, round(rate / 10))
    for jump in [0.0, *jumps]:
        clock.advance(seconds=jump)
        for _ in range(2 * block):
            wait = take(limiter, 1)[0]
            # A minute, and the time that a hundred blocks take.
            assert wait <= 60 + 102 * block / rate
            monotonic.now += wait
            clock.advance(seconds=wait)
            sent.append(monotonic.now)
    for moment in sent:
        in_a_second = sum(moment <= other < moment + 1 for other in sent)
        assert in_a_second <= rate + 2 * block * (1 + len(jumps))


@pytest.mark.parametrize("rate", [None, 1000.0])
def test_a_days_limit_is_its_number_of_messages(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic, rate: float | None
) -> None:
    limiter = make_limiter(engine, rate, clock, monotonic, lambda _: 250)
    assert limiter.limit_reached is None
    assert count_turns(limiter) == 250
    assert limiter.limit_reached is not None
    assert limiter.limit_reached.reason == (
        "The warm-up allows 250 messages today; the rest are sent after midnight (2026-03-02 00:00 UTC)."
    )


def test_a_daily_limit_is_shared_by_all_machines(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiters = [make_limiter(engine, None, clock, monotonic, lambda _: 250) for _ in range(3)]
    assert sum(count_turns(limiter) for limiter in limiters) == 250


def test_the_next_day_has_its_own_limit(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    limiter = make_limiter(engine, None, clock, monotonic, lambda day: 10 * day.day)
    assert count_turns(limiter) == 10
    seconds = (START.replace(hour=0) + DAY - clock.now).total_seconds()
    clock.advance(seconds=seconds)
    monotonic.now += seconds
    assert count_turns(limiter) == 20


def test_once_the_limit_is_reached_the_database_is_queried_once_a_minute(
    engine: Engine, monotonic: FakeMonotonic
) -> None:
    looks = []

    class CountingClock(FakeClock):
        def __call__(self, _: Connection) -> datetime:
            looks.append(monotonic.now)
            return self.now

    limiter = make_limiter(engine, None, CountingClock(), monotonic, lambda _: 1)
    assert count_turns(limiter) == 1
    looks.clear()
    for _ in range(120):
        monotonic.now += 1
        assert limiter.acquire() is None
    assert len(looks) == 2


def test_unused_turns_of_a_run_are_returned_to_their_day(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    for _ in range(20):
        limiter = make_limiter(engine, None, clock, monotonic, lambda _: 1000)
        take(limiter, 1)
        limiter.close()
    assert count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 1000)) == 980


def test_a_clock_set_back_does_not_start_a_new_day(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    clock.now += DAY
    assert count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 100)) == 100
    clock.now -= DAY
    assert count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 100)) == 0


def test_a_clock_that_was_wrong_by_a_year_costs_one_day(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    clock.now += 365 * DAY
    count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 100))
    clock.now -= 365 * DAY
    assert count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 100)) == 0
    clock.now += DAY
    assert count_turns(make_limiter(engine, None, clock, monotonic, lambda _: 100)) == 100


def test_a_warm_up_grows_daily() -> None:
    limit = warm_up_limit(WarmUpSettings(since=date(2026, 3, 1), first_day=200, growth=1.5))
    assert [limit(date(2026, 3, day)) for day in (1, 2, 3, 4)] == [200, 300, 450, 675]


def test_days_before_a_warm_up_have_the_limit_of_its_first_day() -> None:
    assert warm_up_limit(WarmUpSettings(since=date(2026, 3, 1)))(date(2026, 2, 28)) == 200


def test_the_limit_of_a_century_old_warm_up_does_not_overflow() -> None:
    assert warm_up_limit(WarmUpSettings(since=date(1926, 3, 1)))(date(2026, 3, 1)) == 10**9
