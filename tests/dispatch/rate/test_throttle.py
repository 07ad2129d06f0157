"""Slowing down for a relay that asks for it, or that defers more and more."""

import pytest

from mailer.dispatch.rate.throttle import AdaptiveThrottle, CongestionMonitor
from mailer.smtp.reply_classifier import Outcome, Stage, classify_reply

SENT = classify_reply(Stage.dot, 250, "ok")
DEAD = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")
LATER = classify_reply(Stage.rcpt, 450, "4.3.0 Later")


class Watch:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_fifth_of_deferrals_is_borne_and_more_tighten_the_brake(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    strain = CongestionMonitor(brake)
    for number in range(200):
        strain.record(LATER if number % 5 == 0 else SENT)
    assert brake.interval == 0
    for number in range(50):
        strain.record(LATER if number % 3 == 0 else SENT)
    assert brake.interval == 0.05


def test_the_same_deferrals_tighten_it_once(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    strain = CongestionMonitor(brake)
    for _ in range(11):
        strain.record(LATER)
    watch.now += 10
    before = brake.interval
    for _ in range(10):
        strain.record(LATER)
    assert brake.interval == before
    strain.record(LATER)
    assert brake.interval == pytest.approx(2 * before)


def test_deferrals_alone_never_slow_down_to_less_than_a_message_a_second(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    strain = CongestionMonitor(brake)
    for _ in range(1000):
        strain.record(LATER)
        watch.now += 1
    assert brake.interval == pytest.approx(1, rel=0.05)


def test_a_server_that_asks_for_a_slower_pace_gets_it_at_once(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    CongestionMonitor(brake).record(classify_reply(Stage.dot, 454, "Throttling failure"))
    assert brake.interval == 0.05


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
def test_what_does_not_come_from_the_pace_does_not_change_it(watch: Watch, outcome: Outcome) -> None:
    brake = AdaptiveThrottle(watch)
    strain = CongestionMonitor(brake)
    for _ in range(100):
        strain.record(outcome)
    assert brake.interval == 0


def test_a_relay_at_its_limit_is_not_swung_to_and_fro(watch: Watch) -> None:
    """A relay that takes ten messages a second and defers the rest, for two hours."""
    brake = AdaptiveThrottle(watch)
    strain = CongestionMonitor(brake)
    room, last, sent, deferred, tightened = 10.0, watch.now, 0, 0, 0
    end = watch.now + 7200
    while watch.now < end:
        # A message takes a hundredth of a second at least.
        watch.now += max(brake.acquire(), 0.01)
        room, last = min(10.0, room + 10 * (watch.now - last)), watch.now
        before = brake.interval
        strain.record(SENT if room >= 1 else LATER)
        sent, deferred, room = (sent + 1, deferred, room - 1) if room >= 1 else (sent, deferred + 1, room)
        tightened += brake.interval > before
    assert sent > 0.6 * 10 * 7200
    assert deferred < 0.1 * sent
    assert tightened < 25


def test_each_complaint_doubles_the_distance(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    distances = []
    for _ in range(3):
        brake.slow_down()
        brake.acquire()
        distances.append(brake.acquire())
        watch.now += 5
        brake.acquire()
        watch.now += 5
    assert distances[0] == pytest.approx(0.05)
    assert distances[1] == pytest.approx(0.1, rel=0.1)
    assert distances[2] == pytest.approx(0.2, rel=0.1)


def test_complaints_that_come_together_are_one(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    for _ in range(50):
        brake.slow_down()
    brake.acquire()
    assert brake.acquire() == pytest.approx(0.05)


def test_the_brake_loosens_with_time_and_lets_go(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    brake.slow_down()
    watch.now += 60
    brake.acquire()
    assert brake.acquire() == pytest.approx(0.05 * 0.9)
    watch.now += 3600
    brake.acquire()
    assert brake.acquire() == 0


def test_the_distance_never_exceeds_ten_seconds(watch: Watch) -> None:
    brake = AdaptiveThrottle(watch)
    for _ in range(30):
        brake.slow_down()
        watch.now += 5
    brake.acquire()
    assert brake.acquire() <= 10
