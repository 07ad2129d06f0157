"""Numbers counted in the background: at once where they are quick, late and dated where they are not."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from mailer.counts.background_counts import _MAX_WAITING, BackgroundCounts, store_count
from mailer.counts.counters import COUNTERS, CountedNumber, Counter, CountKind, request_segment
from mailer.database.report_models import KeptCount
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, Subscriber
from tests.factories.deliveries import START, FakeMonotonic, add_subscribers

WAIT = 20.0
"""Longer than any of these takes; nothing waits for its end."""

STANDING = FakeMonotonic()
"""By it everything is quick to count, on any machine."""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def configured(workspace: Workspace) -> Settings:
    return workspace.settings


Open = Callable[..., BackgroundCounts]


@contextmanager
def opening(engine: Engine, configured: Settings, clock: Clock) -> Iterator[Open]:
    running: list[BackgroundCounts] = []

    def open_counts(
        counter: Counter | None = None,
        monotonic: Callable[[], float] = STANDING,
        **options: Any,
    ) -> BackgroundCounts:
        counters = COUNTERS if counter is None else {CountKind.segment: counter}
        counts = BackgroundCounts(
            engine, configured, clock, counters=counters, monotonic=monotonic, **options
        )
        running.append(counts)
        counts.start()
        return counts

    try:
        yield open_counts
    finally:
        for counts in running:
            counts.close()


@pytest.fixture
def opened(sqlite_engine: Engine, configured: Settings, clock: Clock) -> Iterator[Open]:
    """Opens counts on SQLite; with ``counter``, that is what counts a segment."""
    with opening(sqlite_engine, configured, clock) as open_counts:
        yield open_counts


@pytest.fixture
def opened_on_each(engine: Engine, configured: Settings, clock: Clock) -> Iterator[Open]:
    """The same on either database."""
    with opening(engine, configured, clock) as open_counts:
        yield open_counts


def name_of(_session: Session, _settings: Settings, _today: date, segment: str) -> str:
    return segment


def finish(counts: BackgroundCounts, name: str) -> CountedNumber:
    """The number when it is no longer being counted."""
    return counts.get(request_segment(name), patience=WAIT)


def wait_until_idle(counts: BackgroundCounts) -> None:
    with counts._changed:
        assert counts._changed.wait_for(lambda: not counts._in_hand and not counts._waiting, WAIT)


def change_list(engine: Engine) -> None:
    """Leave a consent record, as everything does that changes a subscriber."""
    with Session(engine) as session:
        someone = session.get(Subscriber, 1)
        assert someone is not None
        add_consent_record(session, someone, ConsentEvent.updated, now=START, method="page")
        session.commit()


@contextmanager
def held() -> Iterator[tuple[Counter, threading.Event, list[str]]]:
    """A counter that waits until it is let go, and the names it was asked for."""
    go, asked = threading.Event(), []

    def count(session: Session, _settings: Settings, _today: date, segment: str) -> str:
        asked.append(segment)
        assert go.wait(WAIT)
        return segment

    try:
        yield count, go, asked
    finally:
        go.set()


def test_a_number_that_is_quick_is_in_the_same_answer(engine: Engine, opened_on_each: Open) -> None:
    add_subscribers(engine, ["a@example.org", "b@example.org"], country="MN")
    found = finish(opened_on_each(), "country:MN")
    assert found.value == {"on_list": 2, "get_mail": 2, "first": [1, 2]}
    assert found.counted_at == START
    assert not found.is_counting


def test_a_number_that_takes_long_is_not_waited_for(opened: Open) -> None:
    with held() as (count, go, _):
        counts = opened(count)
        first = counts.get(request_segment("a"), patience=0.001)
        assert (first.value, first.counted_at, first.is_counting) == (None, None, True)
        go.set()
        assert finish(counts, "a").value == "a"


def test_what_many_ask_for_at_once_is_counted_once(opened: Open) -> None:
    with held() as (count, go, asked):
        counts = opened(count)
        for _ in range(5):
            counts.get(request_segment("a"), patience=0)
        go.set()
        assert finish(counts, "a").value == "a"
        assert finish(counts, "a").value == "a"
    assert asked == ["a"]


def test_what_was_asked_for_last_is_counted_first(opened: Open) -> None:
    with held() as (count, go, asked):
        counts = opened(count)
        counts.get(request_segment("first"), patience=0.001)
        while not asked:
            counts.get(request_segment("first"), patience=0.001)
        for name in ("old", "new", "old", "newest"):
            counts.get(request_segment(name), patience=0)
        go.set()
        wait_until_idle(counts)
    assert asked == ["first", "newest", "old", "new"]


def test_the_first_of_a_page_is_counted_first(opened: Open) -> None:
    with held() as (count, go, asked):
        counts = opened(count)
        while not asked:
            counts.get(request_segment("before"), patience=0.001)
        counts.get_all([request_segment(name) for name in ("top", "middle", "foot")], patience=0)
        go.set()
        wait_until_idle(counts)
    assert asked == ["before", "top", "middle", "foot"]


def test_what_waits_is_bounded_and_the_oldest_gives_way(opened: Open) -> None:
    with held() as (count, _, asked):
        counts = opened(count)
        while not asked:
            counts.get(request_segment("before"), patience=0.001)
        requests = [request_segment(str(number)) for number in range(_MAX_WAITING + 1)]
        for request in requests:
            counts.get(request, patience=0)
        assert len(counts._waiting) == _MAX_WAITING
        # Whoever looks again asks again.
        assert counts.get(requests[0], patience=0).is_counting


def test_a_number_is_counted_again_when_the_list_has_changed(engine: Engine, opened_on_each: Open) -> None:
    add_subscribers(engine, ["a@example.org"])
    asked: list[str] = []

    def count(session: Session, _settings: Settings, _today: date, segment: str) -> int:
        asked.append("")
        return len(asked)

    counts = opened_on_each(count)
    assert finish(counts, "all").value == 1
    assert finish(counts, "all").value == 1
    change_list(engine)
    assert finish(counts, "all").value == 2


def test_a_number_that_is_old_is_counted_again_and_shown_meanwhile(opened: Open, clock: Clock) -> None:
    with held() as (count, go, asked):
        go.set()
        counts = opened(count)
        finish(counts, "all")
        go.clear()
        clock.now += timedelta(minutes=11)
        late = counts.get(request_segment("all"), patience=0.001)
        assert (late.value, late.counted_at, late.is_counting) == ("all", START, True)
        go.set()
        assert finish(counts, "all").counted_at == clock.now
    assert len(asked) == 2


def test_a_clock_that_was_set_back_counts_again(opened: Open, clock: Clock) -> None:
    counts = opened(name_of)
    finish(counts, "all")
    clock.now -= timedelta(days=1)
    assert finish(counts, "all").counted_at == clock.now


def test_a_costly_number_is_not_counted_all_the_time(
    sqlite_engine: Engine, opened: Open, clock: Clock, configured: Settings
) -> None:
    add_subscribers(sqlite_engine, ["a@example.org"])
    counts = opened(name_of)
    key = request_segment("all").digest(counts._basis)
    costly = KeptCount(key=key, body='"kept"', counted_at=START, stamp="another list", cost=60)
    store_count(sqlite_engine, costly)
    clock.now += timedelta(minutes=29)
    kept = finish(counts, "all")
    assert (kept.value, kept.counted_at, kept.is_counting) == ("kept", START, False)
    clock.now += timedelta(minutes=2)
    assert counts.get(request_segment("all"), patience=0.001).value == "kept"
    wait_until_idle(counts)
    assert finish(counts, "all").value == "all"


def test_another_process_finds_what_was_counted(
    engine: Engine, opened_on_each: Open, configured: Settings
) -> None:
    counts = opened_on_each(name_of)
    finish(counts, "all")
    counts.close()
    other = BackgroundCounts(engine, configured, lambda: START)
    found = other.get(request_segment("all"), patience=0)
    assert (found.value, found.counted_at, found.is_counting) == ("all", START, False)


def test_other_settings_are_another_number(sqlite_engine: Engine, opened: Open, configured: Settings) -> None:
    finish(opened(name_of), "all")
    other = BackgroundCounts(
        sqlite_engine,
        configured.model_copy(update={"sectors": {"water": "Water"}}),
        lambda: START,
        counters={},
    )
    assert other.get(request_segment("all"), patience=0).value is None


def test_an_error_says_why_and_holds_up_nobody(sqlite_engine: Engine, opened: Open, caplog: Any) -> None:
    add_subscribers(sqlite_engine, ["a@example.org"])

    def count(session: Session, _settings: Settings, _today: date, segment: str) -> str:
        asked.append(segment)
        if segment == "bad":
            raise RuntimeError("a fault")
        if segment == "worse":
            session.connection().execute(text("SELECT * FROM nothing WHERE x = :who"), {"who": "ann"})
        return "fine"

    asked: list[str] = []
    counts = opened(count)
    for name in ("bad", "worse"):
        found = finish(counts, name)
        assert (found.value, found.is_counting) == (None, False)
        assert "could not be counted" in found.problem
    assert finish(counts, "good").value == "fine"
    finish(counts, "bad")
    assert asked == ["bad", "worse", "good"]
    assert "ann" not in caplog.text
    # Another list may do better.
    change_list(sqlite_engine)
    finish(counts, "bad")
    assert asked[-1] == "bad"


def test_a_segment_that_makes_no_sense_is_explained(opened: Open) -> None:
    assert "There is no key" in finish(opened(), "contry:MN").problem


def test_closing_ends_a_statement_that_would_run_for_ever(engine: Engine, opened_on_each: Open) -> None:
    begun = threading.Event()
    endless = {
        "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
        "postgresql": "SELECT pg_sleep(3600)",
    }[engine.dialect.name]

    def count(session: Session, _settings: Settings, _today: date, segment: str) -> Any:
        begun.set()
        return session.connection().scalar(text(endless))

    counts = opened_on_each(count)
    counts.get(request_segment("all"), patience=0)
    assert begun.wait(WAIT)
    counts.close()
    assert not counts._thread.is_alive()
    assert counts.get(request_segment("all"), patience=0).is_counting is False


def test_what_takes_too_long_is_given_up(engine: Engine, opened_on_each: Open) -> None:
    endless = {
        "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
        "postgresql": "SELECT pg_sleep(3600)",
    }[engine.dialect.name]

    def count(session: Session, _settings: Settings, _today: date, segment: str) -> Any:
        return session.connection().scalar(text(endless)) if segment == "long" else "quick"

    counts = opened_on_each(count, longest=0.5, monotonic=time.monotonic)
    assert "given up" in finish(counts, "long").problem
    assert finish(counts, "short").value == "quick"


def test_what_nobody_asked_for_in_a_month_is_deleted(sqlite_engine: Engine) -> None:
    store_count(sqlite_engine, KeptCount(key="a" * 64, body="1", counted_at=START))
    later = START + timedelta(days=31)
    store_count(sqlite_engine, KeptCount(key="b" * 64, body="2", counted_at=later))
    with sqlite_engine.connect() as connection:
        assert connection.scalars(text("SELECT key FROM counted_number")).all() == ["b" * 64]
