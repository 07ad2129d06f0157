"""A campaign's life: one table of moves, done twice is done once, refusals say why."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session

from mailer.campaigns.lifecycle import (
    CampaignStateError,
    UnknownCampaignError,
    cancel_campaign,
    find_campaign,
    pause_campaign,
    reopen_for_doubts,
    resume_campaign,
)
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import CAMPAIGN_TRANSITIONS, change_campaign_state
from tests.factories.deliveries import add_campaign, read_campaign

C = CampaignState
Move = Callable[[Session, int, datetime], None]


def pause(session: Session, number: int, now: datetime) -> None:
    pause_campaign(session, number, now=now)


def resume(session: Session, number: int, now: datetime) -> None:
    resume_campaign(session, number, now=now)


def cancel(session: Session, number: int, now: datetime) -> None:
    cancel_campaign(session, number, now=now)


ALLOWED = {
    pause: {C.sending: C.paused, C.paused: C.paused},
    resume: {C.sending: C.sending, C.paused: C.sending},
    cancel: {state: C.cancelled for state in C if state is not C.finished},
}


@pytest.mark.parametrize("state", C)
@pytest.mark.parametrize("move", ALLOWED, ids=lambda move: move.__name__)
def test_each_transition_is_made_or_refused_by_the_campaigns_state(
    engine: Engine, session: Session, now: datetime, move: Move, state: CampaignState
) -> None:
    number = add_campaign(engine, 0 if state is C.finished else 1, state=state)
    if (target := ALLOWED[move].get(state)) is None:
        with pytest.raises(CampaignStateError, match=f"Campaign {number} is {state.value} and cannot be"):
            move(session, number, now)
        session.rollback()
        assert read_campaign(engine, number).state is state
        return
    move(session, number, now)
    session.commit()
    assert read_campaign(engine, number).state is target
    move(session, number, now)
    session.commit()
    assert read_campaign(engine, number).state is target


def test_every_move_of_the_program_is_in_the_table() -> None:
    for states in ALLOWED.values():
        for source, target in states.items():
            assert source is target or target in CAMPAIGN_TRANSITIONS[source]


@pytest.mark.parametrize("source", C)
@pytest.mark.parametrize("target", C)
def test_the_database_moves_only_as_the_table_allows(
    sqlite_engine: Engine, source: CampaignState, target: CampaignState
) -> None:
    number = add_campaign(sqlite_engine, 1, state=source)
    with sqlite_engine.begin() as connection:
        assert change_campaign_state(connection, number, target) is (target in CAMPAIGN_TRANSITIONS[source])


def test_a_pause_keeps_its_reason_and_a_resume_forgets_it(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 1)
    pause_campaign(session, number, now=now)
    assert find_campaign(session, number).state_reason == "Paused by hand, 2026-03-01 09:00 UTC."
    resume_campaign(session, number, now=now)
    assert find_campaign(session, number).state_reason == ""


def test_pausing_what_trouble_paused_keeps_the_troubles_words(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 1, state=C.paused, state_reason="The mail server refuses the login")
    pause_campaign(session, number, now=now)
    assert find_campaign(session, number).state_reason == "The mail server refuses the login"


def test_a_finished_campaign_whose_doubts_were_put_back_in_the_queue_goes_on(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 1, state=C.finished, finished_at=now)
    resume_campaign(session, number, now=now)
    campaign = find_campaign(session, number)
    assert (campaign.state, campaign.finished_at) == (C.sending, None)


def test_a_resume_ends_the_canary_so_that_the_rest_goes(
    engine: Engine, session: Session, now: datetime
) -> None:
    later = now + timedelta(minutes=10)
    number = add_campaign(engine, 1, state=C.paused, canary=50, canary_minutes=10, canary_until=later)
    resume_campaign(session, number, now=now)
    campaign = find_campaign(session, number)
    assert (campaign.state, campaign.canary, campaign.canary_until) == (C.sending, None, None)


def test_pausing_what_waits_for_its_canary_makes_it_wait_for_a_person(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 1, state=C.paused, state_reason="Canary.", canary=50, canary_until=now)
    pause_campaign(session, number, now=now)
    campaign = find_campaign(session, number)
    assert (campaign.state, campaign.canary, campaign.canary_until) == (C.paused, 50, None)
    assert campaign.state_reason == "Paused by hand, 2026-03-01 09:00 UTC."


def test_a_scheduled_campaign_says_when_it_starts_instead_of_being_resumed(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 0, state=C.scheduled, scheduled_at=now)
    with pytest.raises(CampaignStateError, match=r"`mailer work` starts it at 2026-03-01 09:00 UTC"):
        resume_campaign(session, number, now=now)


def test_a_finished_campaign_is_resumed_only_for_its_doubts(
    engine: Engine, session: Session, now: datetime
) -> None:
    number = add_campaign(engine, 2, state=C.finished)
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.sent))
    with pytest.raises(CampaignStateError, match="There is nothing left to send"):
        resume_campaign(session, number, now=now)
    session.rollback()
    assert not reopen_for_doubts(session, number)
    session.rollback()
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.in_doubt, doubted=True))
    resume_campaign(session, number, now=now)
    assert find_campaign(session, number).state is C.finished
    assert reopen_for_doubts(session, number)
    assert find_campaign(session, number).state is C.sending


@pytest.mark.parametrize("move", ALLOWED, ids=lambda move: move.__name__)
def test_a_campaign_that_is_not_there_is_named(session: Session, now: datetime, move: Move) -> None:
    with pytest.raises(UnknownCampaignError, match=r"There is no campaign 7\. .* `mailer campaigns list`"):
        move(session, 7, now)
