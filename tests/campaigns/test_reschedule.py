"""Another time for a scheduled campaign: what it changes, what it leaves, and what it gives way to."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from mailer.campaigns.approvals.approval import check_approval
from mailer.campaigns.launch import launch
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    EarlierStartError,
    OtherStartError,
    Rescheduled,
    UnknownCampaignError,
    cancel_campaign,
    reschedule_campaign,
)
from mailer.campaigns.schedule import ScheduleError, schedule_campaign, start_due_campaigns
from mailer.database.models import Campaign, CampaignState
from mailer.settings import CampaignSettings
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan, with_settings
from tests.factories.deliveries import START, FakeClock, read_campaign, read_states
from tests.factories.small_edition import write_edition

C = CampaignState
HOUR = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LATER = HOUR + timedelta(hours=3)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def number(campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock) -> int:
    """A campaign that starts at ``HOUR``."""
    plan = make_plan(campaign_workspace, campaign_engine, START)
    return schedule_campaign(campaign_engine, campaign_workspace, plan, at=HOUR, clock=clock).campaign_id


def move(
    engine: Engine,
    number: int,
    at: datetime,
    *,
    now: datetime = START,
    seen: datetime | None = None,
    **settings: object,
) -> Rescheduled:
    with Session(engine) as session:
        chosen = CampaignSettings.model_validate(settings)
        done = reschedule_campaign(session, number, at=at, settings=chosen, now=now, seen=seen)
        session.commit()
        return done


def test_it_starts_at_the_new_time_and_not_at_the_old(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, number: int
) -> None:
    done = move(campaign_engine, number, LATER, seen=HOUR)
    assert str(done) == "from 2026-03-02 01:00 UTC to 2026-03-02 04:00 UTC"
    clock.now = HOUR
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []
    clock.now = LATER
    (started,) = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    assert (started.campaign_id, started.state) == (number, C.sending)


def test_it_may_start_earlier_and_on_other_clocks(campaign_engine: Engine, number: int) -> None:
    earlier = datetime.fromisoformat("2026-03-02T08:00+08:00")
    assert move(campaign_engine, number, earlier).at == HOUR - timedelta(hours=1)
    assert read_campaign(campaign_engine, number).scheduled_at == HOUR - timedelta(hours=1)


def test_the_same_time_is_no_move(campaign_engine: Engine, number: int) -> None:
    assert not move(campaign_engine, number, HOUR).is_moved


def test_what_was_scheduled_and_its_approval_stay_although_the_edition_has_changed(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, number: int
) -> None:
    digest = read_campaign(campaign_engine, number).digest
    with campaign_engine.begin() as connection:
        approved = {"approved_by": "Mei Lin", "approved_at": START, "approved_digest": digest}
        connection.execute(update(Campaign).where(col(Campaign.id) == number).values(approved))
    write_edition(campaign_workspace.editions, subject="Changed afterwards")
    move(campaign_engine, number, LATER)
    strict = with_settings(campaign_workspace, campaigns=CampaignSettings(approval="required"))
    with Session(campaign_engine) as session:
        approval = check_approval(session, strict, number)
    assert approval is not None
    assert approval.holds
    clock.now = LATER
    (started,) = start_due_campaigns(campaign_engine, strict, clock=clock)
    assert (started.state, read_campaign(campaign_engine, number).digest) == (C.sending, digest)


@pytest.mark.parametrize("at", [START, START - timedelta(days=1)])
def test_a_time_that_has_passed_is_refused(campaign_engine: Engine, number: int, at: datetime) -> None:
    with pytest.raises(ScheduleError, match=r"is in the past: .* Choose a later time\."):
        move(campaign_engine, number, at)
    assert read_campaign(campaign_engine, number).scheduled_at == HOUR


def test_the_later_of_two_people_is_told_what_the_other_has_chosen(
    campaign_engine: Engine, number: int
) -> None:
    move(campaign_engine, number, LATER, seen=HOUR)
    with pytest.raises(OtherStartError, match="starts at 2026-03-02 04:00 UTC meanwhile") as refused:
        move(campaign_engine, number, HOUR + timedelta(days=1), seen=HOUR)
    assert refused.value.at == LATER
    assert read_campaign(campaign_engine, number).scheduled_at == LATER


def test_where_two_people_launch_one_alone_only_puts_it_off(campaign_engine: Engine, number: int) -> None:
    with pytest.raises(EarlierStartError, match="one alone can only put it off"):
        move(campaign_engine, number, HOUR - timedelta(minutes=1), launch_by="two")
    assert read_campaign(campaign_engine, number).scheduled_at == HOUR
    assert move(campaign_engine, number, LATER, launch_by="two").is_moved


def test_what_is_not_scheduled_is_not_moved(
    campaign_workspace: Workspace, campaign_engine: Engine, number: int
) -> None:
    with pytest.raises(UnknownCampaignError):
        move(campaign_engine, number + 7, LATER)
    with Session(campaign_engine) as session:
        cancel_campaign(session, number, now=START)
        session.commit()
    with pytest.raises(CampaignStateError, match="is cancelled and cannot be moved to another time"):
        move(campaign_engine, number, LATER)
    plan = make_plan(campaign_workspace, campaign_engine, START)
    sent = launch(campaign_engine, campaign_workspace, plan, now=START)
    with pytest.raises(CampaignStateError, match="is sending and cannot be moved to another time"):
        move(campaign_engine, sent, LATER)


def test_beside_a_start_either_it_is_moved_or_it_starts(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, number: int
) -> None:
    clock.now = HOUR
    both = threading.Barrier(2)
    moved: list[bool] = []

    def put_off() -> None:
        both.wait()
        try:
            moved.append(move(campaign_engine, number, LATER, now=HOUR).is_moved)
        except CampaignStateError:
            moved.append(False)

    thread = threading.Thread(target=put_off)
    thread.start()
    both.wait()
    started = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    thread.join()
    campaign = read_campaign(campaign_engine, number)
    if moved == [True]:
        assert (started, campaign.state, campaign.scheduled_at) == ([], C.scheduled, LATER)
        assert read_states(campaign_engine) == {}
    else:
        assert (len(started), campaign.state, campaign.scheduled_at) == (1, C.sending, HOUR)
        assert len(read_states(campaign_engine)) == 4


def test_one_that_starts_between_reading_and_moving_is_not_moved(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, number: int
) -> None:
    """On SQLite, whoever reads in a transaction that writes is alone: there, the start waits."""
    if campaign_engine.dialect.name == "sqlite":
        pytest.skip("transactions that write come one after the other")
    clock.now = HOUR
    with Session(campaign_engine) as session:
        session.get(Campaign, number)
        (started,) = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
        assert started.state is C.sending
        with pytest.raises(CampaignStateError, match="is sending"):
            reschedule_campaign(session, number, at=LATER, settings=CampaignSettings(), now=HOUR)
