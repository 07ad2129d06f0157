"""Schedules: frozen now, started once at their hour by the database's clock, whatever the clocks do."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import DEFAULT_OPTIONS, LaunchOptions
from mailer.campaigns.lifecycle import cancel_campaign, pause_campaign
from mailer.campaigns.schedule import (
    ScheduleError,
    parse_start_time,
    resume_after_canary,
    schedule_campaign,
    start_due_campaigns,
)
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import CampaignSettings, WebSettings
from mailer.workspace import Workspace
from subscribers.models import Status
from tests.factories.campaigns import make_plan, with_settings
from tests.factories.deliveries import (
    START,
    FakeClock,
    add_campaign,
    add_subscribers,
    read_campaign,
    read_states,
    set_status,
)
from tests.factories.small_edition import write_edition

C = CampaignState
HOUR = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def schedule_one(
    workspace: Workspace,
    engine: Engine,
    clock: FakeClock,
    terms: LaunchOptions = DEFAULT_OPTIONS,
    **plan: bool,
) -> int:
    made = make_plan(workspace, engine, START, **plan)
    return schedule_campaign(engine, workspace, made, at=HOUR, options=terms, clock=clock).campaign_id


# --- the time as a person writes it


def test_a_time_with_an_offset_is_that_moment() -> None:
    assert parse_start_time("2026-12-01T09:00+08:00") == datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    assert parse_start_time("2026-12-01 09:00Z") == datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def test_a_time_without_an_offset_is_meant_in_the_zone_and_keeps_its_summer_time() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert parse_start_time("2026-12-01T09:00", paris) == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert parse_start_time("2026-07-01T09:00", paris) == datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


def test_a_time_without_an_offset_or_zone_is_the_machines() -> None:
    assert parse_start_time("2026-12-01T09:00") == datetime(2026, 12, 1, 9, 0).astimezone()


@pytest.mark.parametrize(
    ("words", "why"),
    [("2026-03-29T02:30", "does not exist"), ("2026-10-25T02:30", "occurs twice")],
)
def test_an_hour_that_the_clocks_skip_or_repeat_is_refused(words: str, why: str) -> None:
    with pytest.raises(ScheduleError, match=rf"{words} {why}, because the clocks change .* Add an offset"):
        parse_start_time(words, ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize("words", ["tomorrow", "2026-12-01", "2026-13-01T09:00", ""])
def test_an_invalid_time_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(ScheduleError, match=r"Write it as 2026-12-01T09:00 or"):
        parse_start_time(words)


# --- scheduling


def test_content_is_frozen_when_scheduled_and_the_audience_when_started(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, START)
    number = schedule_campaign(campaign_engine, campaign_workspace, plan, at=HOUR, clock=clock).campaign_id
    assert (read_campaign(campaign_engine, number).state, read_states(campaign_engine)) == (C.scheduled, {})
    write_edition(campaign_workspace.editions, subject="Changed afterwards")
    set_status(campaign_engine, "kim@example.org", Status.unsubscribed)
    add_subscribers(campaign_engine, ["new@example.org"])
    clock.now = HOUR
    (started,) = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    campaign = read_campaign(campaign_engine, number)
    assert (started.state, started.audience, campaign.audience) == (C.sending, 4, 4)
    assert (campaign.state, campaign.launched_at) == (C.sending, HOUR)
    assert set(read_states(campaign_engine)) >= {"new@example.org"}
    assert "kim@example.org" not in read_states(campaign_engine)
    with Session(campaign_engine) as session:
        rows = session.exec(select(CampaignContent).where(CampaignContent.campaign_id == number)).all()
        frozen = {row.language: CompiledEdition.from_bytes(row.body) for row in rows}
    assert frozen == {compiled.language: compiled for compiled in plan.compiled}


def test_the_terms_are_kept_with_the_schedule(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    terms = LaunchOptions(rate=3, canary=50, canary_minutes=15)
    campaign = read_campaign(
        campaign_engine, schedule_one(campaign_workspace, campaign_engine, clock, terms, again=True)
    )
    assert (campaign.scheduled_at, campaign.again, campaign.rate) == (HOUR, True, 3.0)
    assert (campaign.canary, campaign.canary_minutes) == (50, 15.0)


def test_a_launch_takes_its_canary_from_the_settings_unless_told_otherwise(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    campaign_workspace = with_settings(
        campaign_workspace, campaigns=CampaignSettings(canary=20, canary_minutes=5)
    )
    plan = make_plan(campaign_workspace, campaign_engine, START)
    first = read_campaign(campaign_engine, launch(campaign_engine, campaign_workspace, plan, now=now))
    plan = make_plan(campaign_workspace, campaign_engine, START, again=True)
    second = read_campaign(
        campaign_engine,
        launch(campaign_engine, campaign_workspace, plan, now=now, options=LaunchOptions(canary=0)),
    )
    assert (first.canary, first.canary_minutes) == (20, 5.0)
    assert (second.canary, second.canary_minutes) == (None, None)


def test_a_time_that_has_passed_is_refused_and_nothing_is_written(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    with pytest.raises(
        ScheduleError, match=r"2026-03-01 08:59:00 UTC is in the past: .* it is 2026-03-01 09:00:00"
    ):
        schedule_campaign(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, START),
            at=clock.now - timedelta(minutes=1),
            clock=clock,
        )
    with Session(campaign_engine) as session:
        assert session.exec(select(Campaign)).all() == []


def test_scheduling_again_moves_the_hour(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    later = HOUR + timedelta(hours=3)
    moved = schedule_campaign(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, START),
        at=later,
        clock=clock,
    )
    assert (moved.campaign_id, moved.continued, read_campaign(campaign_engine, number).scheduled_at) == (
        number,
        True,
        later,
    )
    clock.now = HOUR
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []


def test_what_is_scheduled_is_not_launched_beside(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, now: datetime
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    with pytest.raises(
        LaunchRefusedError, match=rf"Campaign {number} is scheduled to send this edition .* 2026-03-02 01:00"
    ):
        launch_or_continue(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, START),
            now=now,
        )


def test_what_is_being_sent_is_not_scheduled_beside(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, now: datetime
) -> None:
    number = launch(
        campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, START), now=now
    )
    with pytest.raises(LaunchRefusedError, match=rf"Campaign {number} is already sending this edition"):
        schedule_campaign(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, START),
            at=HOUR,
            clock=clock,
        )


def test_a_schedule_of_older_content_is_not_passed_off_as_the_new(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    write_edition(campaign_workspace.editions, subject="Corrected")
    with pytest.raises(LaunchRefusedError, match=rf"earlier version .* `mailer campaigns cancel {number}`"):
        schedule_campaign(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, START),
            at=HOUR,
            clock=clock,
        )


# --- starting


def test_nothing_starts_before_its_hour_and_everything_once_after(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    clock.now = HOUR - timedelta(seconds=1)
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []
    clock.now = HOUR
    assert [
        started.campaign_id
        for started in start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    ] == [number]
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_jumps_a_day_starts_nothing_early_never_misses_and_never_starts_twice(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock, jump: timedelta
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    starts = 0
    for minute in range(-120, 121, 10):
        # The clock jumps an hour before the start, and back an hour after it.
        is_off = -60 <= minute < 60
        clock.now = HOUR + timedelta(minutes=minute) + (jump if is_off else timedelta(0))
        found = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
        assert not found or clock.now >= HOUR
        starts += len(found)
    assert (starts, len(read_states(campaign_engine))) == (1, 4)
    assert read_campaign(campaign_engine, number).state is C.sending


def test_a_schedule_across_the_change_to_summer_time_starts_at_its_moment(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    at = parse_start_time("2026-03-29T03:00", ZoneInfo("Europe/Paris"))
    schedule_campaign(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, START),
        at=at,
        clock=clock,
    )
    clock.now = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []
    clock.now = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert len(start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)) == 1


def test_ten_workers_that_look_at_once_start_it_once(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    clock.now = HOUR
    found: list[int] = []

    def look() -> None:
        found.extend(
            started.campaign_id
            for started in start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
        )

    threads = [threading.Thread(target=look) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [number]
    assert len(read_states(campaign_engine)) == 4


def test_a_cancelled_schedule_does_not_start(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    with Session(campaign_engine) as session:
        cancel_campaign(session, number, now=clock.now)
        session.commit()
    clock.now = HOUR
    assert start_due_campaigns(campaign_engine, campaign_workspace, clock=clock) == []


def test_two_schedules_of_one_edition_reach_no_reader_twice(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    for query in ("country:MN", "all"):
        schedule_campaign(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, START, query=query),
            at=HOUR,
            clock=clock,
        )
    clock.now = HOUR
    first, second = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    assert first.audience > 0
    assert first.audience + second.audience == 4


def test_a_schedule_without_readers_is_cancelled_with_the_reason(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    for address in ("bat@example.org", "li@example.org", "kim@example.org", "sato@example.org"):
        set_status(campaign_engine, address, Status.unsubscribed)
    clock.now = HOUR
    start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    campaign = read_campaign(campaign_engine, number)
    assert (campaign.state, campaign.finished_at) == (C.cancelled, HOUR)
    assert campaign.state_reason == "No reader would have got it when the campaign was due."


def test_pages_that_cannot_be_reached_pause_it_with_its_audience(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    clock.now = HOUR
    start_due_campaigns(
        campaign_engine,
        with_settings(campaign_workspace, web=WebSettings(base_url="http://news.example.org")),
        clock=clock,
    )
    campaign = read_campaign(campaign_engine, number)
    assert (campaign.state, campaign.audience) == (C.paused, 4)
    assert "one-click unsubscribe requires https" in campaign.state_reason


def test_a_void_approval_cancels_it(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    with campaign_engine.begin() as connection:
        connection.execute(update(Campaign).values(approved_digest="another"))
    clock.now = HOUR
    start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    campaign = read_campaign(campaign_engine, number)
    assert (campaign.state, read_states(campaign_engine)) == (C.cancelled, {})
    assert campaign.state_reason.startswith("What was approved is not what was scheduled.")


def test_an_approval_that_is_required_by_then_cancels_it(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    number = schedule_one(campaign_workspace, campaign_engine, clock)
    clock.now = HOUR
    strict = with_settings(campaign_workspace, campaigns=CampaignSettings(approval="required"))
    start_due_campaigns(campaign_engine, strict, clock=clock)
    assert "An approval was required" in read_campaign(campaign_engine, number).state_reason


def test_a_sector_that_is_gone_cancels_it_and_the_others_start(
    campaign_workspace: Workspace, campaign_engine: Engine, clock: FakeClock
) -> None:
    first = schedule_campaign(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, START, query="sector:education"),
        at=HOUR,
        clock=clock,
    ).campaign_id
    second = schedule_one(campaign_workspace, campaign_engine, clock)
    clock.now = HOUR
    start_due_campaigns(
        campaign_engine, with_settings(campaign_workspace, sectors={"culture": "Culture"}), clock=clock
    )
    assert read_campaign(campaign_engine, first).state is C.cancelled
    assert read_campaign(campaign_engine, first).state_reason.startswith("The segment was not valid when")
    assert read_campaign(campaign_engine, second).state is C.sending


# --- the canary


def test_a_canary_that_has_waited_long_enough_goes_on_by_itself(
    campaign_engine: Engine, clock: FakeClock
) -> None:
    until = clock.now + timedelta(minutes=10)
    number = add_campaign(campaign_engine, 3, state=C.paused, canary=1, canary_minutes=10, canary_until=until)
    assert resume_after_canary(campaign_engine, clock=clock) == []
    clock.now = until
    assert resume_after_canary(campaign_engine, clock=clock) == [number]
    campaign = read_campaign(campaign_engine, number)
    assert (campaign.state, campaign.canary, campaign.canary_until) == (C.sending, None, None)
    assert resume_after_canary(campaign_engine, clock=clock) == []


def test_what_a_person_paused_since_does_not_go_on_by_itself(
    campaign_engine: Engine, clock: FakeClock
) -> None:
    number = add_campaign(campaign_engine, 3, state=C.paused, canary=1, canary_until=clock.now)
    with Session(campaign_engine) as session:
        pause_campaign(session, number, now=clock.now)
        session.commit()
    clock.advance(days=1)
    assert resume_after_canary(campaign_engine, clock=clock) == []


def test_a_second_press_of_send_does_not_release_the_rest(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, START)
    number = launch(campaign_engine, campaign_workspace, plan, now=now, options=LaunchOptions(canary=1))
    launch_or_continue(campaign_engine, campaign_workspace, plan, now=now)
    assert read_campaign(campaign_engine, number).canary == 1
    with campaign_engine.begin() as connection:
        paused = {"state": C.paused, "state_reason": "One has it."}
        connection.execute(update(Campaign).where(col(Campaign.id) == number).values(paused))
    with pytest.raises(LaunchRefusedError, match=r"after its canary: One has it. .* `mailer campaigns res"):
        launch_or_continue(campaign_engine, campaign_workspace, plan, now=now)
