"""Slowing down for a relay that asks for it, or that defers more and more."""

import pytest

from mailer.dispatch.rate_limiter import AdaptiveThrottle, CongestionMonitor
from mailer.smtp.reply_classifier import Outcome, Stage, classify_reply
from tests.factories.deliveries import FakeMonotonic

SENT = classify_reply(Stage.dot, 250, "ok")
DEAD = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")
LATER = classify_reply(Stage.rcpt, 450, "4.3.0 Later")


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


def test_a_fifth_of_deferrals_is_tolerated_and_more_slow_sending_down(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    monitor = CongestionMonitor(throttle)
    for number in range(200):
        monitor.record(LATER if number % 5 == 0 else SENT)
    assert throttle.interval == 0
    for number in range(50):
        monitor.record(LATER if number % 3 == 0 else SENT)
    assert throttle.interval == 0.05


def test_the_same_deferrals_slow_sending_down_only_once(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    monitor = CongestionMonitor(throttle)
    for _ in range(11):
        monitor.record(LATER)
    monotonic.now += 10
    before = throttle.interval
    for _ in range(10):
        monitor.record(LATER)
    assert throttle.interval == before
    monitor.record(LATER)
    assert throttle.interval == pytest.approx(2 * before)


def test_deferrals_alone_never_slow_down_to_less_than_a_message_a_second(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    monitor = CongestionMonitor(throttle)
    for _ in range(1000):
        monitor.record(LATER)
        monotonic.now += 1
    assert throttle.interval == pytest.approx(1, rel=0.05)


def test_a_server_that_asks_for_a_lower_rate_gets_it_immediately(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    CongestionMonitor(throttle).record(classify_reply(Stage.dot, 454, "Throttling failure"))
    assert throttle.interval == 0.05


@pytest.mark.parametrize(
    "outcome",
    [
        classify_reply(Stage.rcpt, 450, "4.2.0 Greylisted"),
        classify_reply(Stage.rcpt, 451, "4.7.1 Try again in 300 seconds"),
        classify_reply(Stage.rcpt, 452, "4.2.2 Mailbox full"),
        classify_reply(Stage.rcpt, 552, "5.2.2 Mailbox full"),
        DEAD,
    ],
)
def test_replies_unrelated_to_the_rate_do_not_change_it(monotonic: FakeMonotonic, outcome: Outcome) -> None:
    throttle = AdaptiveThrottle(monotonic)
    monitor = CongestionMonitor(throttle)
    for _ in range(100):
        monitor.record(outcome)
    assert throttle.interval == 0


def test_the_rate_does_not_oscillate_at_a_relays_limit(monotonic: FakeMonotonic) -> None:
    """A relay that takes ten messages a second and defers the rest, for two hours."""
    throttle = AdaptiveThrottle(monotonic)
    monitor = CongestionMonitor(throttle)
    room, last, sent, deferred, increases = 10.0, monotonic.now, 0, 0, 0
    end = monotonic.now + 7200
    while monotonic.now < end:
        # A message takes a hundredth of a second at least.
        monotonic.now += max(throttle.acquire(), 0.01)
        room, last = min(10.0, room + 10 * (monotonic.now - last)), monotonic.now
        before = throttle.interval
        monitor.record(SENT if room >= 1 else LATER)
        sent, deferred, room = (sent + 1, deferred, room - 1) if room >= 1 else (sent, deferred + 1, room)
        increases += throttle.interval > before
    assert sent > 0.6 * 10 * 7200
    assert deferred < 0.1 * sent
    assert increases < 25


def test_each_request_to_slow_down_doubles_the_interval(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    intervals = []
    for _ in range(3):
        throttle.slow_down()
        throttle.acquire()
        intervals.append(throttle.acquire())
        monotonic.now += 5
        throttle.acquire()
        monotonic.now += 5
    assert intervals[0] == pytest.approx(0.05)
    assert intervals[1] == pytest.approx(0.1, rel=0.1)
    assert intervals[2] == pytest.approx(0.2, rel=0.1)


def test_simultaneous_requests_to_slow_down_count_once(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    for _ in range(50):
        throttle.slow_down()
    throttle.acquire()
    assert throttle.acquire() == pytest.approx(0.05)


def test_the_interval_shrinks_with_time_to_zero(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    throttle.slow_down()
    monotonic.now += 60
    throttle.acquire()
    assert throttle.acquire() == pytest.approx(0.05 * 0.9)
    monotonic.now += 3600
    throttle.acquire()
    assert throttle.acquire() == 0


def test_the_interval_never_exceeds_ten_seconds(monotonic: FakeMonotonic) -> None:
    throttle = AdaptiveThrottle(monotonic)
    for _ in range(30):
        throttle.slow_down()
        monotonic.now += 5
    throttle.acquire()
    assert throttle.acquire() <= 10
