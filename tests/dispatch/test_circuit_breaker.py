"""When a campaign stops before it has used up its audience."""

import pytest

from mailer.dispatch.circuit_breaker import CircuitBreaker, explain_trip
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply

SENT = classify_reply(Stage.dot, 250, "ok")
DEAD = classify_reply(Stage.rcpt, 550, "5.1.1 No such user")
POLICY = classify_reply(Stage.rcpt, 554, "5.7.1 Relay access denied")
LATER = classify_reply(Stage.rcpt, 450, "4.3.0 Later")
UNBUILT = Outcome(verdict=Verdict.failed, stage=Stage.build, text="no template")


@pytest.mark.parametrize("outcome", [POLICY, UNBUILT])
def test_twenty_of_twenty_five_that_fail_for_our_fault_trip_the_breaker(outcome: Outcome) -> None:
    breaker = CircuitBreaker()
    for number in range(19):
        assert breaker.record(number, outcome) == []
    assert breaker.record(19, outcome) == list(range(20))


def test_refusals_that_arrive_after_the_trip_are_taken_back_too() -> None:
    breaker = CircuitBreaker()
    for number in range(20):
        breaker.record(number, POLICY)
    assert breaker.record(20, POLICY) == [20]
    assert breaker.record(21, SENT) == []


@pytest.mark.parametrize("outcome", [DEAD, SENT, classify_reply(Stage.rcpt, 450, "later")])
def test_dead_addresses_and_ordinary_answers_never_trip_it(outcome: Outcome) -> None:
    breaker = CircuitBreaker()
    assert not any(breaker.record(number, outcome) for number in range(100))


def test_a_server_that_accepts_every_third_reader_does_not_trip_it() -> None:
    breaker = CircuitBreaker()
    assert not any(breaker.record(n, SENT if n % 3 == 0 else POLICY) for n in range(300))


def test_a_trip_is_explained_with_the_last_refusal() -> None:
    words = explain_trip(classify_reply(Stage.rcpt, 554, "5.7.1 We know you"))
    assert "20 of the last 25 messages" in words
    assert words.endswith("554 5.7.1 We know you")


def test_too_many_dead_addresses_among_the_first_trip_it() -> None:
    breaker = CircuitBreaker(0.1)
    for number in range(199):
        assert breaker.record(number, DEAD if number < 21 else SENT) == []
    assert breaker.reason == ""
    assert breaker.record(199, SENT) == list(range(21))
    assert breaker.reason.startswith(
        "Of the first 200 addresses, 21 were refused as dead, more than 10%. They are back in the queue."
    )
    # Another connection had one more reply under way.
    assert breaker.record(200, DEAD) == [200]
    assert breaker.record(201, POLICY) == []
    assert breaker.record(202, SENT) == []


def test_a_tenth_of_dead_addresses_is_tolerated() -> None:
    breaker = CircuitBreaker(0.1)
    assert not any(breaker.record(n, DEAD if n % 10 == 0 else SENT) for n in range(1000))


def test_deferred_readers_do_not_count() -> None:
    breaker = CircuitBreaker(0.1, first=10)
    for number in range(50):
        assert breaker.record(number, LATER) == []
    for number in range(9):
        assert breaker.record(100 + number, DEAD if number < 2 else SENT) == []
    assert breaker.record(109, SENT) == [100, 101]


def test_the_counts_of_an_earlier_run_are_included() -> None:
    breaker = CircuitBreaker(0.1, handed_over=190, dead=dict.fromkeys([3, 7, *range(40, 58)], "example.org"))
    for number in range(9):
        assert breaker.record(200 + number, SENT) == []
    assert breaker.record(209, DEAD) == [3, 7, *range(40, 58), 209]


def test_the_share_of_dead_addresses_is_checked_only_among_the_first() -> None:
    breaker = CircuitBreaker(0.1, handed_over=5000, dead=dict.fromkeys(range(900), "example.org"))
    assert not any(breaker.record(n, DEAD if n % 4 == 0 else SENT) for n in range(500))


def test_the_same_dead_addresses_do_not_trip_it_again_after_a_resume() -> None:
    breaker = CircuitBreaker(0.1, handed_over=179)
    assert not any(breaker.record(number, DEAD, attempts=1) for number in range(21))
    assert not any(breaker.record(number, DEAD, attempts=1) for number in range(50))


def test_dead_addresses_in_the_same_words_trip_it() -> None:
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


def test_dead_addresses_in_different_words_do_not_trip_it() -> None:
    breaker = CircuitBreaker(handed_over=200)
    words = ["No such user", "User unknown", "Mailbox does not exist"]
    outcomes = [classify_reply(Stage.rcpt, 550, f"5.1.1 {text}") for text in words]
    assert not any(breaker.record(n, outcomes[n % 3]) for n in range(100))


def test_the_breaker_says_why_it_tripped() -> None:
    breaker = CircuitBreaker()
    for number in range(20):
        breaker.record(number, POLICY)
    assert breaker.reason == explain_trip(POLICY)
