"""Rates by who really receives: a partner's domain counts with its provider, and its own rate counts too."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event

from mailer.database.models import RateBucket
from mailer.dispatch.buckets import Slot, lock_buckets
from mailer.dispatch.domain_limiter import DomainRateLimiter
from mailer.providers.domain_lookup import MxAnswer, save_answers
from mailer.providers.provider_directory import ProviderDirectory, ProviderLimit
from tests.factories.deliveries import START, FakeClock, FakeMonotonic


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


def host(engine: Engine, clock: FakeClock, domains: dict[str, str]) -> None:
    answers = [MxAnswer(domain=each, provider=key, lasts=timedelta(days=7)) for each, key in domains.items()]
    save_answers(engine, answers, clock=clock)


def limit(
    key: str, rate: float | None, *, daily: int | None = None, is_set: bool = False
) -> dict[str, ProviderLimit]:
    return {key: ProviderLimit(key=key, name=key.upper(), rate=rate, daily=daily, is_set=is_set)}


def make_limiter(
    engine: Engine,
    clock: FakeClock,
    monotonic: FakeMonotonic,
    limits: dict[str, ProviderLimit],
    rates: dict[str, float] | None = None,
) -> DomainRateLimiter:
    return DomainRateLimiter(
        engine,
        rates or {},
        provider_limits=limits,
        directory=ProviderDirectory(engine, clock=clock, monotonic=monotonic),
        clock=clock,
        monotonic=monotonic,
    )


@contextlib.contextmanager
def counting_saves(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that save how far buckets are taken."""
    saves: list[str] = []

    def collect(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE lane"):
            saves.append(statement)

    event.listen(engine, "after_cursor_execute", collect)
    try:
        yield saves
    finally:
        event.remove(engine, "after_cursor_execute", collect)


def empty_buckets(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(RateBucket))


def test_domains_at_one_provider_count_together_and_others_do_not(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"ministry.org": "qq", "school.org": "qq", "own.org": ""})
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 2))
    slots = limiter.reserve(["a@ministry.org", "b@qq.com", "c@own.org", "d@School.org", "e@new.org"])
    assert [slot.seconds for slot in slots] == pytest.approx([0, 0.5, 0, 1, 0])


def test_what_the_provider_does_not_take_now_is_postponed_in_its_name(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {f"d{each}.org": "qq" for each in range(20)})
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 1))
    slots = limiter.reserve([f"a@d{each}.org" for each in range(20)])
    assert [slot.seconds for slot in slots] == pytest.approx(range(20))
    assert [slot.not_before is None for slot in slots] == [True] * 6 + [False] * 14
    assert {slot.held_by for slot in slots[6:]} == {"QQ"}


def test_a_domain_s_own_rate_counts_too_and_the_slower_one_decides(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"slow.org": "google", "quick.org": "google"})
    limiter = make_limiter(
        engine, clock, monotonic, limit("google", 2, is_set=True), {"slow.org": 0.5, "quick.org": 50}
    )
    slots = limiter.reserve(["a@slow.org"] * 4 + ["b@quick.org"] * 3)
    assert [slot.seconds for slot in slots[:3]] == pytest.approx([0, 2, 4])
    assert slots[3].held_by == "slow.org"
    # The fourth of slow.org took no slot of the provider.
    assert [slot.seconds for slot in slots[4:]] == pytest.approx([1.5, 2, 2.5])


def test_a_rate_for_a_provider_s_domain_replaces_the_published_number_but_not_the_settings_own(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    addresses = ["a@qq.com"] * 3
    published = make_limiter(engine, clock, monotonic, limit("qq", 1), {"qq.com": 10})
    assert [slot.seconds for slot in published.reserve(addresses)] == pytest.approx([0, 0.1, 0.2])
    clock.advance(seconds=30)
    ours = make_limiter(engine, clock, monotonic, limit("qq", 1, is_set=True), {"qq.com": 10})
    assert [slot.seconds for slot in ours.reserve(addresses)] == pytest.approx([0, 1, 2])


def test_a_domain_with_a_rate_of_its_own_leaves_others_at_the_provider_to_the_published_one(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"ministry.org": "qq"})
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 1, daily=6), {"qq.com": 10})
    slots = limiter.reserve(["a@ministry.org", "b@qq.com", "c@ministry.org", "d@qq.com"])
    assert [slot.seconds for slot in slots] == pytest.approx([0, 0, 1, 0.1])
    # qq.com alone must not forget the slots that the others took.
    assert [slot.seconds for slot in limiter.reserve(["e@qq.com"])] == pytest.approx([0.2])
    (last, held) = limiter.reserve(["f@ministry.org", "g@qq.com"])
    assert last.seconds == pytest.approx(2)
    assert held.held_by == "QQ"


def test_two_machines_share_a_provider(engine: Engine, clock: FakeClock, monotonic: FakeMonotonic) -> None:
    host(engine, clock, {"a.org": "qq", "b.org": "qq"})
    limiters = [make_limiter(engine, clock, monotonic, limit("qq", 2)) for _ in range(2)]
    found = [slot for limiter in limiters * 2 for slot in limiter.reserve(["x@a.org", "x@b.org"])]
    assert [slot.seconds for slot in found] == pytest.approx([each / 2 for each in range(8)])


def test_a_domain_counts_with_its_provider_from_the_answer_on(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 1))
    assert limiter.reserve(["a@ministry.org"] * 9) == [Slot()] * 9
    host(engine, clock, {"ministry.org": "qq"})
    assert limiter.reserve(["a@ministry.org"] * 9) == [Slot()] * 9
    monotonic.now += 10
    assert [slot.seconds for slot in limiter.reserve(["a@ministry.org"] * 3)] == pytest.approx([0, 1, 2])


def test_a_day_s_number_is_kept_by_all_machines_and_the_next_day_is_new(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiters = [make_limiter(engine, clock, monotonic, limit("qq", None, daily=5)) for _ in range(2)]
    assert limiters[0].reserve(["a@qq.com"] * 3) == [Slot()] * 3
    slots = limiters[1].reserve(["a@qq.com"] * 4)
    assert slots[:2] == [Slot()] * 2
    # START is at 9:00; no delivery is postponed further than four hours, and asks again then.
    assert [slot.not_before for slot in slots[2:]] == [START + timedelta(hours=4)] * 2
    clock.advance(hours=14)
    (late,) = limiters[0].reserve(["a@qq.com"])
    assert late.not_before == START.replace(hour=0) + timedelta(days=1)
    clock.advance(hours=1)
    assert limiters[0].reserve(["a@qq.com"] * 5) == [Slot()] * 5


@pytest.mark.parametrize("days", [-1, -400])
def test_a_clock_set_back_makes_no_new_day(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic, days: int
) -> None:
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 1, daily=2))
    limiter.reserve(["a@qq.com"] * 2)
    clock.advance(days=days)
    (slot,) = limiter.reserve(["a@qq.com"])
    assert slot.not_before is not None


def test_rows_of_domains_without_a_limit_are_never_made(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {f"d{each}.org": "google" for each in range(9)})
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 1))
    assert limiter.reserve([f"a@d{each}.org" for each in range(9)] + ["a@qq.com"]) == [Slot()] * 10
    with lock_buckets(engine, ["provider:qq"]) as (_, buckets):
        assert list(buckets) == ["provider:qq"]


def test_each_domain_s_star_counts_beside_the_provider_that_hosts_it(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"a.org": "qq", "b.org": "qq"})
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 4, is_set=True), {"*": 1})
    slots = limiter.reserve(["x@a.org", "y@a.org", "z@b.org", "x@c.org", "y@c.org"])
    assert [slot.seconds for slot in slots] == pytest.approx([0, 1, 0.5, 0, 1])


def test_a_provider_s_own_domain_stays_its_own_whatever_was_kept_of_it(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"qq.com": "google", "b.org": "google"})
    limiter = make_limiter(engine, clock, monotonic, limit("google", 1))
    slots = limiter.reserve(["a@qq.com"] * 2 + ["b@b.org"] * 2)
    assert [slot.seconds for slot in slots] == pytest.approx([0, 0, 0, 1])


def test_who_waits_for_a_rate_of_its_own_counts_with_those_at_the_provider_who_go_at_once(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"slow.org": "google", "quick.org": "google"})
    limits = limit("google", 1_000, is_set=True)
    limiter = make_limiter(engine, clock, monotonic, limits, {"slow.org": 0.5})
    slots = limiter.reserve(["a@slow.org"] * 4 + ["b@quick.org"] * 5)
    assert [slot.seconds for slot in slots] == pytest.approx([0, 2, 4, 6, 0, 0, 0, 0, 0])
    assert slots[3].held_by == "slow.org"
    with lock_buckets(engine, ["provider:google"]) as (_, buckets):
        assert buckets["provider:google"].next_at == START + timedelta(milliseconds=8)


def test_a_rate_that_is_far_from_used_up_is_not_asked_for_with_every_batch(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    host(engine, clock, {"a.org": "qq", "b.org": "google"})
    limits = limit("qq", 100_000) | limit("google", 200_000)
    limiter = make_limiter(engine, clock, monotonic, limits)
    limiter.reserve(["x@a.org"])
    with counting_saves(engine) as saves:
        for _ in range(40):
            clock.advance(seconds=0.05)
            monotonic.now += 0.05
            assert limiter.reserve(["x@a.org"] * 100 + ["y@b.org"] * 50 + ["z@c.org"]) == [Slot()] * 151
    # Two seconds of blocks that are used up or lost after half a second.
    assert 4 <= len(saves) <= 5


def test_what_a_machine_takes_ahead_is_taken_for_all_and_leaves_them_slots_that_begin_now(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiters = [make_limiter(engine, clock, monotonic, limit("qq", 10_000)) for _ in range(2)]
    addresses = ["a@qq.com"] * 10
    assert [limiters[0].reserve(addresses) for _ in range(10)] == [[Slot()] * 10] * 10
    with lock_buckets(engine, ["provider:qq"]) as (_, buckets):
        next_at = buckets["provider:qq"].next_at
    # A hundred that were used, and the one that is left of the block.
    assert next_at == START + timedelta(milliseconds=10.1)
    assert limiters[1].reserve(addresses * 10) == [Slot()] * 100


def test_nothing_is_taken_ahead_of_a_day_s_number(
    engine: Engine, clock: FakeClock, monotonic: FakeMonotonic
) -> None:
    limiter = make_limiter(engine, clock, monotonic, limit("qq", 100_000, daily=500))
    assert limiter.reserve(["a@qq.com"] * 100) == [Slot()] * 100
    with lock_buckets(engine, ["provider:qq"]) as (_, buckets):
        assert buckets["provider:qq"].used == 100
        assert buckets["provider:qq"].next_at == START + timedelta(milliseconds=1)


_HOSTED = {"a.org": "qq", "b.org": "google", "c.org": "orange", "d.org": ""}


@given(
    domains=st.lists(st.sampled_from(sorted(_HOSTED)), min_size=1, max_size=150),
    rates=st.lists(st.sampled_from([0.5, 30, 400, 2_000, 50_000]), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_is_divided_as_its_messages_would_be_one_by_one(
    sqlite_engine: Engine, domains: list[str], rates: list[float]
) -> None:
    clock, monotonic = FakeClock(), FakeMonotonic()
    limits = {
        key: ProviderLimit(key=key, name=key, rate=rate)
        for key, rate in zip(("qq", "google", "orange"), rates, strict=True)
    }
    addresses = [f"x@{domain}" for domain in domains]
    host(sqlite_engine, clock, _HOSTED)
    empty_buckets(sqlite_engine)
    together = make_limiter(sqlite_engine, clock, monotonic, limits).reserve(addresses)
    empty_buckets(sqlite_engine)
    limiter = make_limiter(sqlite_engine, clock, monotonic, limits)
    alone = [slot for address in addresses for slot in limiter.reserve([address])]
    assert [slot.held_by for slot in together] == [slot.held_by for slot in alone]
    assert [slot.seconds for slot in together] == pytest.approx([slot.seconds for slot in alone], abs=1e-4)


@given(
    batches=st.lists(
        st.tuples(st.sampled_from([0, 0.001, 0.02, 0.3, 0.6]), st.integers(0, 1), st.integers(1, 90)),
        min_size=1,
        max_size=25,
    ),
    rate=st.sampled_from([40.0, 500.0, 3_000.0, 20_000.0]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_no_time_does_a_provider_get_more_than_its_rate_and_a_block_from_each_machine(
    sqlite_engine: Engine, batches: list[tuple[float, int, int]], rate: float
) -> None:
    clock, monotonic = FakeClock(), FakeMonotonic()
    empty_buckets(sqlite_engine)
    limiters = [make_limiter(sqlite_engine, clock, monotonic, limit("qq", rate)) for _ in range(2)]
    turns: list[float] = []
    for pause, machine, count in batches:
        clock.advance(seconds=pause)
        monotonic.now += pause
        slots = limiters[machine].reserve(["a@qq.com"] * count)
        turns += [monotonic.now + slot.seconds for slot in slots if slot.not_before is None]
    turns.sort()
    for first, begins in enumerate(turns):
        for last in range(first, len(turns)):
            # 20 ms early, and a block of 10 ms that each of the two machines had left.
            assert last - first + 1 <= rate * (turns[last] - begins + 0.04) + 3 + 1e-3
