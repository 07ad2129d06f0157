"""Rates by the reader's domain: who goes now, who is put off, and until when."""

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
from mailer.dispatch.rate.buckets import BucketState, lock_buckets, save_buckets
from mailer.dispatch.rate.domain_limiter import DomainRateLimiter, Slot, domain_of
from mailer.errors import ConfigurationError
from tests.factories.deliveries import START, FakeClock

HORIZON = timedelta(seconds=5)


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


def make_pacer(engine: Engine, rates: dict[str, float], clock: FakeClock, watch: Watch) -> DomainRateLimiter:
    return DomainRateLimiter(engine, rates, clock=clock, monotonic=watch)


def going(slots: list[Slot]) -> list[float]:
    """When those go that are not put off, in seconds."""
    return [slot.seconds for slot in slots if slot.not_before is None]


def put_off(slots: list[Slot]) -> list[float]:
    """Until when the others are put off, in seconds from the start."""
    return [(slot.not_before - START).total_seconds() for slot in slots if slot.not_before is not None]


def count_lanes(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(RateBucket)) or 0


def test_without_rates_all_go_and_the_database_is_not_asked(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    pacer = make_pacer(engine, {}, clock, watch)
    assert pacer.is_unlimited
    assert pacer.reserve(["a@example.org"] * 100) == [Slot()] * 100
    assert count_lanes(engine) == 0


def test_a_domain_takes_its_turns_and_the_rest_is_put_off_behind_them(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    slots = make_pacer(engine, {"gmail.com": 2}, clock, watch).reserve(["a@gmail.com"] * 20)
    assert going(slots) == pytest.approx([n / 2 for n in range(11)])
    assert put_off(slots) == pytest.approx([n / 2 for n in range(11, 20)])


def test_the_others_are_not_blocked(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    addresses = ["a@gmail.com"] * 500 + ["b@example.org"] * 3
    slots = make_pacer(engine, {"gmail.com": 1}, clock, watch).reserve(addresses)
    assert slots[500:] == [Slot()] * 3
    assert len(going(slots)) == 6 + 3


def test_the_star_is_every_other_domain_by_itself(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacer = make_pacer(engine, {"gmail.com": 2, "*": 1}, clock, watch)
    slots = pacer.reserve(["a@gmail.com", "a@one.org", "a@two.org", "a@gmail.com", "a@one.org", "a@two.org"])
    assert [slot.seconds for slot in slots] == pytest.approx([0, 0, 0, 0.5, 1, 1])


def test_two_machines_share_a_domain(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    pacers = [make_pacer(engine, {"gmail.com": 2}, clock, watch) for _ in range(2)]
    turns = [turn for pacer in pacers * 2 for turn in going(pacer.reserve(["a@gmail.com"] * 2))]
    assert turns == pytest.approx([n / 2 for n in range(8)])


def test_what_comes_later_is_put_off_behind_what_was_put_off_before(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    pacer = make_pacer(engine, {"gmail.com": 2}, clock, watch)
    pacer.reserve(["a@gmail.com"] * 20)
    assert put_off(pacer.reserve(["a@gmail.com"] * 4)) == pytest.approx([10, 10.5, 11, 11.5])


def test_who_was_put_off_goes_when_their_time_has_come(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    pacer = make_pacer(engine, {"gmail.com": 2}, clock, watch)
    late = put_off(pacer.reserve(["a@gmail.com"] * 20))
    for moment in late:
        clock.now, watch.now = START + timedelta(seconds=moment), 50 + moment
        assert going(pacer.reserve(["a@gmail.com"])) == [0]


def test_nobody_is_put_off_further_than_four_hours(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    slots = make_pacer(engine, {"gmail.com": 0.01}, clock, watch).reserve(["a@gmail.com"] * 500)
    assert max(put_off(slots)) == 4 * 3600


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_jumps_a_day_holds_nobody_up(
    engine: Engine, clock: FakeClock, watch: Watch, days: int
) -> None:
    make_pacer(engine, {"gmail.com": 2}, clock, watch).reserve(["a@gmail.com"] * 20)
    clock.advance(days=days)
    slots = make_pacer(engine, {"gmail.com": 2}, clock, watch).reserve(["a@gmail.com"] * 2)
    assert going(slots) == pytest.approx([0, 0.5])


def test_domains_of_yesterday_are_forgotten(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    addresses = [f"a@d{n}.org" for n in range(20)]
    make_pacer(engine, {"*": 1}, clock, watch).reserve(addresses)
    clock.advance(hours=23)
    make_pacer(engine, {"*": 1}, clock, watch).reserve(["a@d0.org"])
    assert count_lanes(engine) == 20
    clock.advance(hours=23)
    make_pacer(engine, {"*": 1}, clock, watch).reserve(["a@d1.org"])
    assert count_lanes(engine) == 2


def test_lanes_of_others_are_never_forgotten(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    with lock_buckets(engine, ["relay:main"]) as (connection, _):
        save_buckets(connection, [BucketState(name="relay:main", next_at=START, day=START.date(), used=7)])
    clock.advance(days=400)
    make_pacer(engine, {"*": 1}, clock, watch).reserve(["a@d0.org"])
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
def test_the_domain_is_what_is_behind_the_last_at(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_a_domain_is_known_however_the_settings_write_it(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    pacer = make_pacer(engine, {"MÜNCHEN.example": 1}, clock, watch)
    slots = pacer.reserve(["a@xn--mnchen-3ya.example"] * 2)
    assert [slot.seconds for slot in slots] == pytest.approx([0, 1])


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_lets_nobody_through_is_refused(engine: Engine, rate: float) -> None:
    with pytest.raises(ConfigurationError, match=r"\[domain_rates\] gmail.com = .*above 0"):
        DomainRateLimiter(engine, {"gmail.com": rate})


batches = st.lists(st.tuples(st.floats(0, 8), st.integers(1, 30)), min_size=1, max_size=8)


@given(batches=batches, rate=st.sampled_from([0.3, 2.0, 7.0]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_domain_never_gets_more_than_its_rate_whatever_comes(
    sqlite_engine: Engine, batches: list[tuple[float, int]], rate: float
) -> None:
    clock, watch = FakeClock(), Watch()
    with sqlite_engine.begin() as connection:
        connection.execute(RateBucket.__table__.delete())  # type: ignore[attr-defined]
    pacer = make_pacer(sqlite_engine, {"gmail.com": rate}, clock, watch)
    turns: list[float] = []
    for pause, count in batches:
        clock.advance(seconds=pause)
        watch.now += pause
        slots = pacer.reserve(["a@gmail.com"] * count)
        turns += [watch.now + seconds for seconds in going(slots)]
        assert all(seconds <= HORIZON.total_seconds() for seconds in going(slots))
        late = [slot.not_before for slot in slots if slot.not_before is not None]
        assert late == sorted(late)
        assert all(moment > clock.now for moment in late)
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert all(gap >= 1 / rate - 1e-4 for gap in gaps)


def test_a_million_readers_of_one_provider_trickle(
    sqlite_engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    """Two machines, one domain: what is put off comes back and goes, at the full rate."""
    pacers = [make_pacer(sqlite_engine, {"gmail.com": 10}, clock, watch) for _ in range(2)]
    queue, sent, puts = 600, 0, 0
    deferred: list[datetime] = []
    while queue or deferred:
        for pacer in pacers:
            due = [moment for moment in deferred if moment <= clock.now]
            deferred = [moment for moment in deferred if moment > clock.now]
            batch = min(100, queue + len(due))
            fresh = max(0, min(queue, batch - len(due)))
            queue -= fresh
            deferred += due[batch:]
            slots = pacer.reserve(["a@gmail.com"] * batch)
            sent += len(going(slots))
            late = [slot.not_before for slot in slots if slot.not_before is not None]
            puts += len(late)
            deferred += late
        clock.advance(seconds=0.5)
        watch.now += 0.5
    assert sent == 600
    # 60 seconds at the rate; a little more for the two that reckon apart.
    assert watch.now - 50 < 75
    assert puts < 3 * 600


def test_machines_that_book_the_same_domains_in_other_orders_never_lock_each_other_out(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    addresses = [f"a@d{n}.org" for n in range(12)]
    found: list[Slot] = []

    def book(number: int) -> None:
        pacer = make_pacer(engine, {"*": 1}, clock, watch)
        for start in range(6):
            mine = addresses[start : start + 7]
            found.extend(pacer.reserve(mine if number % 2 else mine[::-1]))

    threads = [threading.Thread(target=book, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 * 6 * 7
    # Each of the twelve gave each turn of its five seconds away once; the outermost two were asked for four.
    assert Counter(going(found)) == {0: 12, 1: 12, 2: 12, 3: 12, 4: 10, 5: 10}
