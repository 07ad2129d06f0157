"""How long to wait: for a relay that fails, and for a recipient who was deferred."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dispatch.backoff import BackoffPolicy, ConnectionBackoff, compute_backoff


class Watch:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_the_waits_double_up_to_the_longest(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=99, initial_delay=1, max_delay=10), watch)
    waits = []
    for _ in range(6):
        trouble.report_failure(trouble.epoch)
        waits.append(trouble.seconds_to_wait())
    assert waits == [1, 2, 4, 8, 10, 10]
    watch.now += 10
    assert trouble.seconds_to_wait() == 0


def test_the_fifth_failure_in_a_row_is_one_too_many(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=5), watch)
    assert [trouble.report_failure(trouble.epoch) for _ in range(5)] == [False, False, False, False, True]


def test_a_reader_who_is_served_clears_the_count(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=2), watch)
    assert not trouble.report_failure(trouble.epoch)
    trouble.reset()
    assert not trouble.report_failure(trouble.epoch)
    assert trouble.report_failure(trouble.epoch)


def test_connections_that_fail_together_are_one_failure(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=2), watch)
    epoch = trouble.epoch
    assert [trouble.report_failure(epoch) for _ in range(10)] == [False] * 10
    assert trouble.failures == 1


def test_the_wait_that_the_server_asks_for_is_kept(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(initial_delay=1), watch)
    trouble.report_failure(trouble.epoch, retry_after=timedelta(seconds=90))
    assert trouble.seconds_to_wait() == 90
    trouble.report_failure(trouble.epoch, retry_after=timedelta(seconds=1))
    assert trouble.seconds_to_wait() == 2


def test_many_failures_in_a_row_are_counted_to_the_end(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=5000), watch)
    assert [trouble.report_failure(trouble.epoch) for _ in range(5000)].count(True) == 1


@given(st.integers(0, 10_000), st.integers())
def test_the_back_off_doubles_up_to_four_hours_with_full_jitter(deferrals: int, seed: int) -> None:
    wait = compute_backoff(deferrals, random.Random(seed))
    ceiling = min(timedelta(minutes=5) * 2 ** min(deferrals, 10), timedelta(hours=4))
    assert timedelta(seconds=30) <= wait <= ceiling


def test_the_jitter_is_full() -> None:
    waits = [compute_backoff(3, random.Random(seed)).total_seconds() for seed in range(200)]
    assert min(waits) < 300
    assert max(waits) > 2100
