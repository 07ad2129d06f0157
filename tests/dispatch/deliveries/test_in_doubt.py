"""Settling what is in doubt: nothing else changes, and the evidence is recorded."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, update

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.ledger_changes import list_in_doubt, mark_sent, mark_sent_by_evidence, requeue
from tests.factories.deliveries import START, add_campaign, read_deliveries

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
S = DeliveryState


def force_state(engine: Engine, state: DeliveryState, *, owner: str | None = None, **values: object) -> None:
    """Put every delivery in ``state``."""
    values |= {"state": state, "owner": owner, "not_before": NOW if state is S.deferred else None}
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(**values))


def single_delivery(engine: Engine) -> Delivery:
    (delivery,) = read_deliveries(engine).values()
    return delivery


@pytest.fixture
def campaign(engine: Engine) -> int:
    return add_campaign(engine, 1)


def prove(engine: Engine, campaign: int, evidence: str = "a bounce that quotes its Message-ID") -> bool:
    reader = single_delivery(engine).subscriber_id
    with engine.begin() as connection:
        return mark_sent_by_evidence(connection, campaign, reader, evidence, NOW)


def test_proof_marks_a_delivery_in_doubt_as_sent_and_is_recorded(engine: Engine, campaign: int) -> None:
    force_state(engine, S.in_doubt, doubted=True, code=None, reason="connection lost at dot")
    assert prove(engine, campaign)
    delivery = single_delivery(engine)
    assert (delivery.state, delivery.doubted, delivery.owner) == (S.sent, True, None)
    assert delivery.reason == "proved by a bounce that quotes its Message-ID, 2026-11-24 10:00 UTC"
    assert delivery.updated_at == NOW


def test_proof_settles_a_delivery_that_still_has_an_owner(engine: Engine, campaign: int) -> None:
    force_state(engine, S.in_doubt, owner="a")
    assert prove(engine, campaign)
    assert (
        single_delivery(engine).state,
        single_delivery(engine).owner,
        single_delivery(engine).doubted,
    ) == (S.sent, None, True)


@pytest.mark.parametrize("state", sorted(set(S) - {S.in_doubt}))
def test_proof_changes_no_delivery_that_is_not_in_doubt(
    engine: Engine, campaign: int, state: DeliveryState
) -> None:
    force_state(engine, state, owner="a" if state is S.claimed else None)
    assert not prove(engine, campaign)
    assert (single_delivery(engine).state, single_delivery(engine).updated_at) == (state, START)


def test_proof_about_somebody_else_changes_nothing(engine: Engine, campaign: int) -> None:
    force_state(engine, S.in_doubt)
    reader = single_delivery(engine).subscriber_id
    with engine.begin() as connection:
        assert not mark_sent_by_evidence(connection, campaign, 2**31 - 1, "a click", NOW)
        assert not mark_sent_by_evidence(connection, 2**31 - 1, reader, "a click", NOW)
    assert single_delivery(engine).state is S.in_doubt


def test_a_delivery_held_by_a_living_dispatcher_cannot_be_settled(engine: Engine, campaign: int) -> None:
    force_state(engine, S.in_doubt, owner="alive")
    number = single_delivery(engine).id or 0
    with engine.begin() as connection:
        assert list_in_doubt(connection, campaign, {"dead"}) == []
        assert mark_sent(connection, {number: "arrived"}, dead={"dead"}, now=NOW) == 0
        assert requeue(connection, [number], "again", dead={"dead"}, now=NOW) == 0
    assert (single_delivery(engine).state, single_delivery(engine).owner) == (S.in_doubt, "alive")


@pytest.mark.parametrize("owner", [None, "dead"])
def test_a_delivery_left_by_a_dead_dispatcher_can_be_settled(
    engine: Engine, campaign: int, owner: str | None
) -> None:
    force_state(engine, S.in_doubt, owner=owner)
    with engine.begin() as connection:
        (doubt,) = list_in_doubt(connection, campaign, {"dead"})
        assert (doubt.email, doubt.since) == ("reader0@example.org", START)
        assert requeue(connection, [doubt.delivery_id], "again", dead={"dead"}, now=NOW) == 1
    delivery = single_delivery(engine)
    assert (delivery.state, delivery.owner, delivery.doubted, delivery.reason) == (
        S.queued,
        None,
        True,
        "again",
    )


def test_many_deliveries_are_queued_again_at_once(engine: Engine) -> None:
    campaign = add_campaign(engine, 1234)
    force_state(engine, S.in_doubt)
    with engine.begin() as connection:
        numbers = [doubt.delivery_id for doubt in list_in_doubt(connection, campaign)]
        assert requeue(connection, numbers, "again", now=NOW) == 1234
        assert list_in_doubt(connection, campaign) == []
