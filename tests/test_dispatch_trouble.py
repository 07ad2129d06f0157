"""When to wait and when to give up."""

import pytest

from mailer.dispatch.replies import Outcome, Stage, Verdict, judge_reply
from mailer.dispatch.trouble import Breaker, Patience, Trouble, explain_break

SENT = judge_reply(Stage.dot, 250, "ok")
DEAD = judge_reply(Stage.rcpt, 550, "5.1.1 No such user")
POLICY = judge_reply(Stage.rcpt, 554, "5.7.1 Relay access denied")
UNBUILT = Outcome(verdict=Verdict.failed, stage=Stage.build, words="no template")


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
    trouble = Trouble(Patience(failures=99, first_wait=1, longest_wait=10), watch)
    waits = []
    for _ in range(6):
        trouble.report(trouble.epoch)
        waits.append(trouble.seconds_to_wait())
    assert waits == [1, 2, 4, 8, 10, 10]
    watch.now += 10
    assert trouble.seconds_to_wait() == 0


def test_the_fifth_failure_in_a_row_is_one_too_many(watch: Watch) -> None:
    trouble = Trouble(Patience(failures=5), watch)
    assert [trouble.report(trouble.epoch) for _ in range(5)] == [False, False, False, False, True]


def test_a_reader_who_is_served_clears_the_count(watch: Watch) -> None:
    trouble = Trouble(Patience(failures=2), watch)
    assert not trouble.report(trouble.epoch)
    trouble.clear()
    assert not trouble.report(trouble.epoch)
    assert trouble.report(trouble.epoch)


def test_connections_that_fail_together_are_one_failure(watch: Watch) -> None:
    trouble = Trouble(Patience(failures=2), watch)
    epoch = trouble.epoch
    assert [trouble.report(epoch) for _ in range(10)] == [False] * 10
    assert trouble.failures == 1


@pytest.mark.parametrize("outcome", [POLICY, UNBUILT])
def test_twenty_of_twenty_five_that_fail_for_our_fault_trip_the_breaker(outcome: Outcome) -> None:
    breaker = Breaker()
    for number in range(19):
        assert breaker.watch(number, outcome) == []
    assert breaker.watch(19, outcome) == list(range(20))


def test_what_was_still_on_its_way_is_taken_back_too() -> None:
    breaker = Breaker()
    for number in range(20):
        breaker.watch(number, POLICY)
    assert breaker.watch(20, POLICY) == [20]
    assert breaker.watch(21, SENT) == []


@pytest.mark.parametrize("outcome", [DEAD, SENT, judge_reply(Stage.rcpt, 450, "later")])
def test_dead_addresses_and_ordinary_answers_never_trip_it(outcome: Outcome) -> None:
    breaker = Breaker()
    assert not any(breaker.watch(number, outcome) for number in range(100))


def test_a_server_that_takes_every_third_reader_does_not_trip_it() -> None:
    breaker = Breaker()
    assert not any(breaker.watch(n, SENT if n % 3 == 0 else POLICY) for n in range(300))


def test_a_break_is_explained_by_its_example_however_many_answers_were_still_on_their_way() -> None:
    words = explain_break(judge_reply(Stage.rcpt, 554, "5.7.1 We know you"))
    assert "20 of the last 25 readers" in words
    assert words.endswith("554 5.7.1 We know you")
