"""When to wait, when to slow down, and when to give up."""

from datetime import timedelta

import pytest

from mailer.dispatch.circuit_breaker import (
    BackoffPolicy,
    CircuitBreaker,
    CongestionMonitor,
    ConnectionBackoff,
    explain_trip,
)
from mailer.dispatch.rate.limiter import AdaptiveThrottle
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply

SENT = classify_reply(Stage.dot, 250, "ok")
DEAD = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")
POLICY = classify_reply(Stage.rcpt, 554, "5.7.1 Relay access denied")
LATER = classify_reply(Stage.rcpt, 450, "4.3.0 Later")
UNBUILT = Outcome(verdict=Verdict.failed, stage=Stage.build, text="no template")


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


@pytest.mark.parametrize("outcome", [POLICY, UNBUILT])
def test_twenty_of_twenty_five_that_fail_for_our_fault_trip_the_breaker(outcome: Outcome) -> None:
    breaker = CircuitBreaker()
    for number in range(19):
        assert breaker.record(number, outcome) == []
    assert breaker.record(19, outcome) == list(range(20))


def test_what_was_still_on_its_way_is_taken_back_too() -> None:
    breaker = CircuitBreaker()
    for number in range(20):
        breaker.record(number, POLICY)
    assert breaker.record(20, POLICY) == [20]
    assert breaker.record(21, SENT) == []


@pytest.mark.parametrize("outcome", [DEAD, SENT, classify_reply(Stage.rcpt, 450, "later")])
def test_dead_addresses_and_ordinary_answers_never_trip_it(outcome: Outcome) -> None:
    breaker = CircuitBreaker()
    assert not any(breaker.record(number, outcome) for number in range(100))


def test_a_server_that_takes_every_third_reader_does_not_trip_it() -> None:
    breaker = CircuitBreaker()
    assert not any(breaker.record(n, SENT if n % 3 == 0 else POLICY) for n in range(300))


def test_a_break_is_explained_by_its_example_however_many_answers_were_still_on_their_way() -> None:
    words = explain_trip(classify_reply(Stage.rcpt, 554, "5.7.1 We know you"))
    assert "20 of the last 25 messages" in words
    assert words.endswith("554 5.7.1 We know you")


def test_the_wait_that_the_server_asks_for_is_kept(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(initial_delay=1), watch)
    trouble.report_failure(trouble.epoch, retry_after=timedelta(seconds=90))
    assert trouble.seconds_to_wait() == 90
    trouble.report_failure(trouble.epoch, retry_after=timedelta(seconds=1))
    assert trouble.seconds_to_wait() == 2


def test_many_failures_in_a_row_are_counted_to_the_end(watch: Watch) -> None:
    trouble = ConnectionBackoff(BackoffPolicy(max_failures=5000), watch)
    assert [trouble.report_failure(trouble.epoch) for _ in range(5000)].count(True) == 1


def test_a_list_with_too_many_dead_addresses_among_the_first_stops() -> None:
    breaker = CircuitBreaker(0.1)
    for number in range(199):
        assert breaker.record(number, DEAD if number < 21 else SENT) == []
    assert breaker.reason == ""
    assert breaker.record(199, SENT) == list(range(21))
    assert breaker.reason.startswith(
        "Of the first 200 addresses, 21 were refused as dead, more than 10%. They are back in the queue."
    )
    # Another connection had one more answer on its way.
    assert breaker.record(200, DEAD) == [200]
    assert breaker.record(201, POLICY) == []
    assert breaker.record(202, SENT) == []


def test_a_tenth_of_dead_addresses_is_borne() -> None:
    breaker = CircuitBreaker(0.1)
    assert not any(breaker.record(n, DEAD if n % 10 == 0 else SENT) for n in range(1000))


def test_what_waits_is_not_handed_over() -> None:
    breaker = CircuitBreaker(0.1, first=10)
    for number in range(50):
        assert breaker.record(number, LATER) == []
    for number in range(9):
        assert breaker.record(100 + number, DEAD if number < 2 else SENT) == []
    assert breaker.record(109, SENT) == [100, 101]


def test_the_numbers_of_an_earlier_run_count() -> None:
    breaker = CircuitBreaker(0.1, handed_over=190, dead=[3, 7, *range(40, 58)])
    for number in range(9):
        assert breaker.record(200 + number, SENT) == []
    assert breaker.record(209, DEAD) == [3, 7, *range(40, 58), 209]


def test_when_the_first_are_long_out_their_share_is_not_looked_at_again() -> None:
    breaker = CircuitBreaker(0.1, handed_over=5000, dead=list(range(900)))
    assert not any(breaker.record(n, DEAD if n % 4 == 0 else SENT) for n in range(500))


def test_a_person_who_resumes_is_not_stopped_twice_by_the_same_addresses() -> None:
    breaker = CircuitBreaker(0.1, handed_over=179)
    assert not any(breaker.record(number, DEAD, attempts=1) for number in range(21))
    assert not any(breaker.record(number, DEAD, attempts=1) for number in range(50))


def test_a_relay_that_calls_everybody_dead_in_the_same_words_stops() -> None:
    breaker = CircuitBreaker(handed_over=200)
    for number in range(19):
        outcome = classify_reply(
            Stage.rcpt, 550, f"5.1.1 <reader{number}@example.org>: User unknown (id {number})"
        )
        assert breaker.record(number, outcome) == []
    assert breaker.record(
        19, classify_reply(Stage.rcpt, 550, "5.1.1 <z@example.org>: User unknown (id 99)")
    ) == list(range(20))
    assert "20 of the last 25 addresses were refused as dead in the same words" in breaker.reason
    assert breaker.reason.endswith("550 5.1.1 <z@example.org>: User unknown (id 99)")


def test_dead_addresses_in_several_words_are_a_bad_stretch_of_the_list() -> None:
    breaker = CircuitBreaker(handed_over=200)
    words = ["No such user", "User unknown", "Mailbox does not exist"]
    outcomes = [classify_reply(Stage.rcpt, 550, f"5.1.1 {text}") for text in words]
    assert not any(breaker.record(n, outcomes[n % 3]) for n in range(100))


def test_the_breaker_says_why_it_tripped() -> None:
    breaker = CircuitBreaker()
    for number in range(20):
        breaker.record(number, POLICY)
    assert breaker.reason == explain_trip(POLICY)


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
