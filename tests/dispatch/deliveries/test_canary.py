"""The canary: how many go first, and what the campaign says while it waits."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from mailer.dispatch.canary import Canary, CanaryProgress, read_canary
from mailer.dispatch.deliveries import Counts
from tests.factories.deliveries import START, add_campaign, read_campaign


def make_progress(
    audience: int = 10_000, claimed: int = 0, in_flight: int = 0, **counts: int
) -> CanaryProgress:
    queued = audience - sum(counts.values())
    return CanaryProgress(
        counts=Counts(audience=audience, queued=queued, **counts), claimed=claimed, in_flight=in_flight
    )


def make_canary(**values: Any) -> Canary:
    return Canary(**{"campaign_id": 7, "size": 50, **values})


COMPLETE = make_progress(sent=48, rejected=2)


@pytest.mark.parametrize(
    ("progress", "allowance"),
    [
        (make_progress(), 50),
        (make_progress(claimed=20), 30),
        (make_progress(sent=20, claimed=5, in_doubt=5, in_flight=5), 20),
        (make_progress(sent=40, rejected=4, failed=3, deferred=3), 0),
        (make_progress(sent=60), 0),
        # A reader who has left does not count.
        (make_progress(suppressed=30), 50),
        (make_progress(audience=8, claimed=3), 5),
    ],
)
def test_no_more_than_the_canarys_size_may_be_claimed(progress: CanaryProgress, allowance: int) -> None:
    assert make_canary().allowance(progress, START) == allowance


@given(st.integers(1, 99), st.lists(st.integers(1, 7), max_size=99))
def test_the_canarys_size_is_never_exceeded_however_claims_are_batched(size: int, batches: list[int]) -> None:
    canary, claimed = make_canary(size=size), 0
    for batch in batches:
        claimed += min(batch, canary.allowance(make_progress(claimed=claimed), START) or 0)
    assert claimed == min(size, sum(batches))


def test_after_the_canary_the_rest_may_be_claimed() -> None:
    assert make_canary(until=START).allowance(COMPLETE, START) is None
    assert make_canary(until=START + timedelta(seconds=1)).allowance(COMPLETE, START) == 0


@pytest.mark.parametrize(
    ("progress", "is_complete"),
    [
        (COMPLETE, True),
        (make_progress(sent=40, deferred=10), True),
        (make_progress(sent=49), False),
        (make_progress(sent=49, claimed=1), False),
        (make_progress(sent=49, in_doubt=1, in_flight=1), False),
        (make_progress(sent=49, in_doubt=1), True),
        # Nobody is left to be held back.
        (make_progress(audience=50, sent=50), False),
    ],
)
def test_the_canary_is_complete_when_every_outcome_is_known(
    progress: CanaryProgress, is_complete: bool
) -> None:
    assert make_canary().is_complete(progress) is is_complete


def test_without_minutes_the_canary_waits_for_a_person() -> None:
    canary = make_canary()
    assert canary.ends_at(COMPLETE, START) is None
    assert canary.explain(COMPLETE, None, START) == (
        "The canary of 50 is complete: 48 sent, 2 rejected. "
        "Check the results, then run `mailer campaigns resume 7` to send to the other 9,950."
    )


def test_with_minutes_the_campaign_continues_automatically() -> None:
    canary = make_canary(minutes=92)
    until = canary.ends_at(COMPLETE, START)
    assert until == START + timedelta(minutes=92)
    assert canary.explain(COMPLETE, until, START) == (
        "The canary of 50 is complete: 48 sent, 2 rejected. The campaign continues automatically at 10:32 "
        "UTC; to send to the other 9,950 now, run `mailer campaigns resume 7`."
    )


def test_a_wait_past_midnight_names_the_day() -> None:
    words = make_canary().explain(COMPLETE, START + timedelta(days=1), START)
    assert "at 2026-03-02 09:00 UTC;" in words


def test_after_too_many_rejections_the_canary_waits_for_a_person_in_any_case() -> None:
    canary, progress = make_canary(minutes=5), make_progress(sent=44, rejected=6)
    assert canary.ends_at(progress, START) is None
    assert canary.explain(progress, None, START) == (
        "The canary of 50 is complete: 44 sent, 6 rejected. More than 10% were rejected. "
        "Check the results, then run `mailer campaigns resume 7` to send to the other 9,950."
    )


def test_every_kind_of_outcome_is_listed() -> None:
    progress = make_progress(sent=41, rejected=1, failed=2, in_doubt=3, deferred=4)
    assert "41 sent, 1 rejected, 2 failed, 3 in doubt, 4 put off by the server." in make_canary().explain(
        progress, None, START
    )


def test_the_canary_is_read_from_the_campaign(sqlite_engine: Engine) -> None:
    plain = read_campaign(sqlite_engine, add_campaign(sqlite_engine, 0))
    assert read_canary(plain) is None
    number = add_campaign(sqlite_engine, 0, canary=5, canary_minutes=10, canary_until=START)
    assert read_canary(read_campaign(sqlite_engine, number), halt_at_rejected=0.2) == Canary(
        campaign_id=number, size=5, minutes=10, until=START, halt_at_rejected=0.2
    )
