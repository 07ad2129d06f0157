"""The canary: how many go first, and what the campaign says while it waits."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from mailer.dispatch.deliveries.canary import CampaignProgress, Canary, read_canary
from mailer.dispatch.deliveries.counts import Counts
from tests.factories.deliveries import START, add_campaign, read_campaign


def make_numbers(
    audience: int = 10_000, claimed: int = 0, on_wire: int = 0, **counts: int
) -> CampaignProgress:
    queued = audience - sum(counts.values())
    return CampaignProgress(
        counts=Counts(audience=audience, queued=queued, **counts), claimed=claimed, in_flight=on_wire
    )


def make_canary(**values: Any) -> Canary:
    return Canary(**{"campaign_id": 7, "size": 50, **values})


OUT = make_numbers(sent=48, rejected=2)


@pytest.mark.parametrize(
    ("numbers", "allowance"),
    [
        (make_numbers(), 50),
        (make_numbers(claimed=20), 30),
        (make_numbers(sent=20, claimed=5, in_doubt=5, on_wire=5), 20),
        (make_numbers(sent=40, rejected=4, failed=3, deferred=3), 0),
        (make_numbers(sent=60), 0),
        # Who left is no canary.
        (make_numbers(suppressed=30), 50),
        (make_numbers(audience=8, claimed=3), 5),
    ],
)
def test_no_more_than_the_first_may_be_claimed(numbers: CampaignProgress, allowance: int) -> None:
    assert make_canary().allowance(numbers, START) == allowance


@given(st.integers(1, 99), st.lists(st.integers(1, 7), max_size=99))
def test_however_it_is_claimed_the_first_are_never_exceeded(size: int, batches: list[int]) -> None:
    canary, claimed = make_canary(size=size), 0
    for batch in batches:
        claimed += min(batch, canary.allowance(make_numbers(claimed=claimed), START) or 0)
    assert claimed == min(size, sum(batches))


def test_when_it_is_over_the_rest_may_go() -> None:
    assert make_canary(until=START).allowance(OUT, START) is None
    assert make_canary(until=START + timedelta(seconds=1)).allowance(OUT, START) == 0


@pytest.mark.parametrize(
    ("numbers", "is_complete"),
    [
        (OUT, True),
        (make_numbers(sent=40, deferred=10), True),
        (make_numbers(sent=49), False),
        (make_numbers(sent=49, claimed=1), False),
        (make_numbers(sent=49, in_doubt=1, on_wire=1), False),
        (make_numbers(sent=49, in_doubt=1), True),
        # Nobody is left to be held back.
        (make_numbers(audience=50, sent=50), False),
    ],
)
def test_it_is_complete_when_every_answer_is_in(numbers: CampaignProgress, is_complete: bool) -> None:
    assert make_canary().is_complete(numbers) is is_complete


def test_without_minutes_it_waits_for_a_person() -> None:
    canary = make_canary()
    assert canary.ends_at(OUT, START) is None
    assert canary.explain(OUT, None, START) == (
        "The canary of 50 is complete: 48 sent, 2 rejected. "
        "Check the results, then run `mailer campaigns resume 7` to send to the other 9,950."
    )


def test_with_minutes_it_goes_on_by_itself() -> None:
    canary = make_canary(minutes=92)
    until = canary.ends_at(OUT, START)
    assert until == START + timedelta(minutes=92)
    assert canary.explain(OUT, until, START) == (
        "The canary of 50 is complete: 48 sent, 2 rejected. The campaign continues automatically at 10:32 "
        "UTC; to send to the other 9,950 now, run `mailer campaigns resume 7`."
    )


def test_a_wait_past_midnight_names_the_day() -> None:
    words = make_canary().explain(OUT, START + timedelta(days=1), START)
    assert "at 2026-03-02 09:00 UTC;" in words


def test_too_many_refusals_wait_for_a_person_in_any_case() -> None:
    canary, numbers = make_canary(minutes=5), make_numbers(sent=44, rejected=6)
    assert canary.ends_at(numbers, START) is None
    assert canary.explain(numbers, None, START) == (
        "The canary of 50 is complete: 44 sent, 6 rejected. More than 10% were rejected. "
        "Check the results, then run `mailer campaigns resume 7` to send to the other 9,950."
    )


def test_every_kind_of_ending_is_named() -> None:
    numbers = make_numbers(sent=41, rejected=1, failed=2, in_doubt=3, deferred=4)
    assert "41 sent, 1 rejected, 2 failed, 3 in doubt, 4 put off by the server." in make_canary().explain(
        numbers, None, START
    )


def test_the_rule_is_read_from_the_campaign(sqlite_engine: Engine) -> None:
    plain = read_campaign(sqlite_engine, add_campaign(sqlite_engine, 0))
    assert read_canary(plain) is None
    number = add_campaign(sqlite_engine, 0, canary=5, canary_minutes=10, canary_until=START)
    assert read_canary(read_campaign(sqlite_engine, number), halt_at_rejected=0.2) == Canary(
        campaign_id=number, size=5, minutes=10, until=START, halt_at_rejected=0.2
    )
