"""How long to wait: for a relay that fails, and for a recipient who was deferred."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dispatch.ledger import compute_backoff
from mailer.dispatch.relays import BackoffPolicy, ConnectionBackoff
from tests.factories.deliveries import FakeMonotonic


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


def test_waits_double_up_to_the_maximum(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=99, initial_delay=1, max_delay=10), monotonic)
    waits = []
    for _ in range(6):
        backoff.report_failure(backoff.epoch)
        waits.append(backoff.seconds_to_wait())
    assert waits == [1, 2, 4, 8, 10, 10]
    monotonic.now += 10
    assert backoff.seconds_to_wait() == 0


def test_the_fifth_failure_in_a_row_is_one_too_many(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=5), monotonic)
    assert [backoff.report_failure(backoff.epoch) for _ in range(5)] == [False, False, False, False, True]


def test_a_success_resets_the_count(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=2), monotonic)
    assert not backoff.report_failure(backoff.epoch)
    backoff.reset()
    assert not backoff.report_failure(backoff.epoch)
    assert backoff.report_failure(backoff.epoch)


def test_connections_that_fail_together_count_as_one_failure(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=2), monotonic)
    epoch = backoff.epoch
    assert [backoff.report_failure(epoch) for _ in range(10)] == [False] * 10
    assert backoff.failures == 1


def test_the_wait_that_the_server_asks_for_is_respected(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(initial_delay=1), monotonic)
    backoff.report_failure(backoff.epoch, retry_after=timedelta(seconds=90))
    assert backoff.seconds_to_wait() == 90
    backoff.report_failure(backoff.epoch, retry_after=timedelta(seconds=1))
    assert backoff.seconds_to_wait() == 2


def test_a_thousand_failures_in_a_row_do_not_overflow(monotonic: FakeMonotonic) -> None:
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=5000), monotonic)
    assert [backoff.report_failure(backoff.epoch) for _ in range(5000)].count(True) == 1


@given(st.integers(0, 10_000), st.integers())
def test_the_retry_delay_doubles_up_to_four_hours_with_full_jitter(deferrals: int, seed: int) -> None:
    wait = compute_backoff(deferrals, random.Random(seed))
    ceiling = min(timedelta(minutes=5) * 2 ** min(deferrals, 10), timedelta(hours=4))
    assert timedelta(seconds=30) <= wait <= ceiling


def test_the_jitter_covers_the_whole_range() -> None:
    waits = [compute_backoff(3, random.Random(seed)).total_seconds() for seed in range(200)]
    assert min(waits) < 300
    assert max(waits) > 2100


def test_failures_of_our_own_make_us_wait_and_are_not_counted_against_the_server() -> None:
    now = 0.0
    backoff = ConnectionBackoff(BackoffPolicy(max_failures=2, initial_delay=1, max_delay=8), lambda: now)
    for _ in range(6):
        assert not backoff.report_failure(backoff.epoch, is_ours=True)
    assert backoff.seconds_to_wait() == 8
    assert not backoff.report_failure(backoff.epoch)
    assert backoff.report_failure(backoff.epoch)
