"""The pace: rates that all share, limits by the day, and a brake."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from sqlmodel import Session

from mailer.database.models import RateBucket
from mailer.dispatch.rate.limiter import (
    RateLimiter,
    campaign_bucket,
    relay_bucket,
    warm_up_limit,
)
from mailer.settings import WarmUpSettings
from tests.factories.deliveries import START, FakeClock

NAME = campaign_bucket(1)
DAY = timedelta(days=1)


class Watch:
    """A clock of this process that stands still until moved."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_pacer(
    engine: Engine,
    rate: float | None,
    clock: FakeClock,
    watch: Watch,
    day_limit: Callable[[date], int] | None = None,
) -> RateLimiter:
    return RateLimiter(engine, NAME, rate, clock=clock, monotonic=watch, day_limit=day_limit)


def read_lane(engine: Engine, name: str = NAME) -> RateBucket | None:
    with Session(engine) as session:
        return session.get(RateBucket, name)


def take(pacer: RateLimiter, turns: int) -> list[float]:
    """As many turns, each of which there must be."""
    taken = [pacer.acquire() for _ in range(turns)]
    assert None not in taken
    return [turn for turn in taken if turn is not None]


def count_turns(pacer: RateLimiter) -> int:
    """How many turns there are before the day is used up."""
    turns = 0
    while pacer.acquire() is not None:
        turns += 1
    return turns


def test_without_a_rate_nobody_waits_and_the_database_is_not_asked(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    pacer = make_pacer(engine, None, clock, watch)
    assert pacer.is_unlimited
    assert take(pacer, 100) == [0] * 100
    assert read_lane(engine) is None


def test_turns_are_as_far_apart_as_the_rate_says(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    assert take(make_pacer(engine, 4, clock, watch), 5) == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_two_machines_share_one_rate(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    one, two = make_pacer(engine, 4, clock, watch), make_pacer(engine, 4, clock, watch)
    turns = [pacer.acquire() for _ in range(4) for pacer in (one, two)]
    assert turns == pytest.approx([n * 0.25 for n in range(8)])


def test_two_lanes_know_nothing_of_each_other(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    one = make_pacer(engine, 4, clock, watch)
    two = RateLimiter(engine, relay_bucket("main"), 4, clock=clock, monotonic=watch)
    assert take(one, 2) == take(two, 2) == pytest.approx([0, 0.25])


def test_turns_that_nobody_took_are_not_made_up_for(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacer = make_pacer(engine, 4, clock, watch)
    pacer.acquire()
    clock.advance(seconds=60)
    watch.now += 60
    assert take(pacer, 3) == pytest.approx([0, 0.25, 0.5])


def test_a_high_rate_takes_turns_in_blocks(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacer = make_pacer(engine, 500, clock, watch)
    assert take(pacer, 50) == pytest.approx([n / 500 for n in range(50)])
    lane = read_lane(engine)
    assert lane is not None
    assert lane.next_at == clock.now + timedelta(seconds=0.1)


def test_machines_that_begin_together_take_each_turn_once(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    turns: list[float] = []
    pacers = [make_pacer(engine, 100, clock, watch) for _ in range(5)]
    threads = [threading.Thread(target=lambda p=pacer: turns.extend(take(p, 20))) for pacer in pacers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([n / 100 for n in range(100)])


def test_a_turn_that_was_not_used_goes_to_the_next(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacer = make_pacer(engine, 4, clock, watch)
    pacer.acquire()
    pacer.release()
    assert take(pacer, 2) == pytest.approx([0, 0.25])


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_a_day_stops_nobody(
    engine: Engine, clock: FakeClock, watch: Watch, jump: timedelta
) -> None:
    take(make_pacer(engine, 4, clock, watch), 3)
    clock.now += jump
    take(make_pacer(engine, 4, clock, watch), 3)
    clock.now -= jump
    # At once, or after the turns that are taken: never after the day by which the clock was wrong.
    assert take(make_pacer(engine, 4, clock, watch), 3) == pytest.approx([0, 0.25, 0.5], abs=1)


def test_a_slow_lane_that_many_wait_for_is_believed(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacers = [make_pacer(engine, 0.01, clock, watch) for _ in range(40)]
    turns = [take(pacer, 1)[0] for pacer in pacers]
    assert turns == pytest.approx([n * 100 for n in range(40)])


@given(jumps=st.lists(st.floats(-90_000, 90_000), max_size=6), rate=st.sampled_from([0.5, 4.0, 50.0]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_jump_of_the_clock_stalls_sending_or_lets_more_than_a_block_through(
    sqlite_engine: Engine, jumps: list[float], rate: float
) -> None:
    clock, watch = FakeClock(), Watch()
    pacer = RateLimiter(sqlite_engine, relay_bucket(f"{rate}"), rate, clock=clock, monotonic=watch)
    sent, block = [], max(1, round(rate / 10))
    for jump in [0.0, *jumps]:
        clock.advance(seconds=jump)
        for _ in range(2 * block):
            wait = take(pacer, 1)[0]
            # A minute, and the time that a hundred blocks take.
            assert wait <= 60 + 102 * block / rate
            watch.now += wait
            clock.advance(seconds=wait)
            sent.append(watch.now)
    for moment in sent:
        in_a_second = sum(moment <= other < moment + 1 for other in sent)
        assert in_a_second <= rate + 2 * block * (1 + len(jumps))


@pytest.mark.parametrize("rate", [None, 1000.0])
def test_a_day_ends_after_its_messages(
    engine: Engine, clock: FakeClock, watch: Watch, rate: float | None
) -> None:
    pacer = make_pacer(engine, rate, clock, watch, lambda _: 250)
    assert pacer.limit_reached is None
    assert count_turns(pacer) == 250
    assert pacer.limit_reached is not None
    assert pacer.limit_reached.reason == (
        "The warm-up allows 250 messages today; the rest are sent after midnight (2026-03-02 00:00 UTC)."
    )


def test_a_day_is_shared_by_all_machines(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacers = [make_pacer(engine, None, clock, watch, lambda _: 250) for _ in range(3)]
    assert sum(count_turns(pacer) for pacer in pacers) == 250


def test_the_next_day_has_messages_of_its_own(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacer = make_pacer(engine, None, clock, watch, lambda day: 10 * day.day)
    assert count_turns(pacer) == 10
    seconds = (START.replace(hour=0) + DAY - clock.now).total_seconds()
    clock.advance(seconds=seconds)
    watch.now += seconds
    assert count_turns(pacer) == 20


def test_while_a_day_is_used_up_the_database_is_asked_once_a_minute(engine: Engine, watch: Watch) -> None:
    looks = []

    class CountingClock(FakeClock):
        def __call__(self, _: Connection) -> datetime:
            looks.append(watch.now)
            return self.now

    pacer = make_pacer(engine, None, CountingClock(), watch, lambda _: 1)
    assert count_turns(pacer) == 1
    looks.clear()
    for _ in range(120):
        watch.now += 1
        assert pacer.acquire() is None
    assert len(looks) == 2


def test_turns_of_a_run_cut_short_are_given_back_to_their_day(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    for _ in range(20):
        pacer = make_pacer(engine, None, clock, watch, lambda _: 1000)
        take(pacer, 1)
        pacer.close()
    assert count_turns(make_pacer(engine, None, clock, watch, lambda _: 1000)) == 980


def test_a_clock_set_back_makes_no_new_day(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    clock.now += DAY
    assert count_turns(make_pacer(engine, None, clock, watch, lambda _: 100)) == 100
    clock.now -= DAY
    assert count_turns(make_pacer(engine, None, clock, watch, lambda _: 100)) == 0


def test_a_clock_that_was_wrong_by_a_year_costs_one_day(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    clock.now += 365 * DAY
    count_turns(make_pacer(engine, None, clock, watch, lambda _: 100))
    clock.now -= 365 * DAY
    assert count_turns(make_pacer(engine, None, clock, watch, lambda _: 100)) == 0
    clock.now += DAY
    assert count_turns(make_pacer(engine, None, clock, watch, lambda _: 100)) == 100


def test_a_warm_up_grows_by_the_day() -> None:
    limit = warm_up_limit(WarmUpSettings(since=date(2026, 3, 1), first_day=200, growth=1.5))
    assert [limit(date(2026, 3, day)) for day in (1, 2, 3, 4)] == [200, 300, 450, 675]


def test_the_days_before_a_warm_up_are_like_its_first() -> None:
    assert warm_up_limit(WarmUpSettings(since=date(2026, 3, 1)))(date(2026, 2, 28)) == 200


def test_a_warm_up_of_long_ago_has_a_number_still() -> None:
    assert warm_up_limit(WarmUpSettings(since=date(1926, 3, 1)))(date(2026, 3, 1)) == 10**9
