"""Launches that can be undone, and that a second person confirms: each starts once, as it was confirmed, or
says why it did not."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from mailer.campaigns.due_launches import has_due_launches, start_due_launches
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import CampaignStateError
from mailer.campaigns.pending_launches import (
    CONFIRM_WITHIN,
    START_WITHIN,
    OtherCountError,
    OtherLaunchError,
    PendingLaunchError,
    SamePersonError,
    find_pending_launch,
    list_unconfirmed,
    undo_launch,
)
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.preparation_store import begin_preparation, save_preparation
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.database.launch_models import PendingLaunchState
from mailer.database.models import CampaignState, InDoubtPolicy
from mailer.database.team_models import TeamMember
from mailer.settings.campaigns import CampaignSettings
from mailer.settings.web import WebSettings
from mailer.workspace import Workspace
from subscribers.models import Status, Subscriber
from tests.factories.campaigns import count_campaigns, make_plan, with_settings
from tests.factories.deliveries import (
    START,
    FakeClock,
    add_subscribers,
    read_campaign,
    read_states,
    set_status,
)
from tests.factories.pending_launches import add_team_member, ask, confirm, make_request, read_pending
from tests.factories.small_edition import add_people, write_edition

P = PendingLaunchState


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ann(campaign_engine: Engine) -> int:
    return add_team_member(campaign_engine, "Ann Osei")


@pytest.fixture
def ben(campaign_engine: Engine) -> int:
    return add_team_member(campaign_engine, "Ben Oyun")


@pytest.fixture
def sqlite_workspace(workspace: Workspace) -> Workspace:
    """A workspace on SQLite alone, for what no database does differently."""
    write_edition(workspace.editions)
    return workspace


@pytest.fixture
def list_engine(sqlite_workspace: Workspace) -> Iterator[Engine]:
    engine = sqlite_workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def cho(list_engine: Engine) -> int:
    return add_team_member(list_engine, "Cho Ara")


@pytest.fixture
def dev(list_engine: Engine) -> int:
    return add_team_member(list_engine, "Dev Rao")


def test_a_launch_starts_when_its_ten_seconds_are_over(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, clock: FakeClock
) -> None:
    request = make_request(
        campaign_workspace, campaign_engine, options=LaunchOptions(rate=7, canary=2, archived=True)
    )
    pending = ask(campaign_engine, request, ann)
    assert pending.seconds_left(START) == 10
    clock.advance(seconds=9.9)
    assert not has_due_launches(campaign_engine, clock=clock)
    assert start_due_launches(campaign_engine, campaign_workspace, clock=clock) == []
    clock.advance(seconds=0.1)
    assert has_due_launches(campaign_engine, clock=clock)
    (started,) = start_due_launches(campaign_engine, campaign_workspace, clock=clock)
    assert started.campaign_id == request.campaign_id
    campaign = read_campaign(campaign_engine, started.campaign_id)
    assert (campaign.state, campaign.audience, campaign.rate) == (CampaignState.sending, 4, 7)
    assert (campaign.canary, campaign.archived) == (2, True)
    done = read_pending(campaign_engine, pending)
    assert (done.state, done.launched_id) == (P.started, started.campaign_id)
    assert not has_due_launches(campaign_engine, clock=clock)


def test_many_workers_start_one_campaign(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, clock: FakeClock
) -> None:
    request = make_request(campaign_workspace, campaign_engine)
    ask(campaign_engine, request, ann)
    clock.advance(seconds=11)
    found: list[object] = []

    def work() -> None:
        found.extend(start_due_launches(campaign_engine, campaign_workspace, clock=clock))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert count_campaigns(campaign_engine) == 1
    assert len(read_states(campaign_engine)) == 4


def test_a_launch_that_is_undone_never_starts(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    pending = ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    with Session(list_engine) as session:
        assert undo_launch(session, pending.number, now=START)
        assert not undo_launch(session, pending.number, now=START)
        session.commit()
    clock.advance(minutes=1)
    assert start_due_launches(list_engine, sqlite_workspace, clock=clock) == []
    assert read_pending(list_engine, pending).state is P.undone
    assert read_states(list_engine) == {}


def test_what_has_started_cannot_be_undone(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    pending = ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    clock.advance(seconds=10)
    start_due_launches(list_engine, sqlite_workspace, clock=clock)
    with Session(list_engine) as session:
        assert not undo_launch(session, pending.number, now=clock.now)


def test_a_second_click_asks_for_nothing_more_and_another_person_is_told(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, dev: int
) -> None:
    request = make_request(sqlite_workspace, list_engine)
    first = ask(list_engine, request, cho)
    assert ask(list_engine, request, cho) == first
    with pytest.raises(OtherLaunchError) as other:
        ask(list_engine, request, dev)
    assert other.value.number == first.number
    with pytest.raises(OtherLaunchError):
        ask(list_engine, replace(request, count=5), cho)


def test_a_second_click_on_what_a_team_has_decided_asks_for_nothing_more(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int
) -> None:
    decided = Decisions(canary=1, in_doubt=InDoubtPolicy.hold, note="Looks good.", start_zone="Asia/Shanghai")
    request = make_request(sqlite_workspace, list_engine, options=decided)
    first = ask(list_engine, request, cho)
    assert ask(list_engine, request, cho) == first
    with pytest.raises(OtherLaunchError):
        ask(list_engine, replace(request, options=replace(decided, canary=2)), cho)


def test_of_two_tabs_at_the_same_moment_one_asks(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, ben: int
) -> None:
    request = make_request(campaign_workspace, campaign_engine)
    barrier, asked, refused = threading.Barrier(4), [], []

    def click(member: int) -> None:
        barrier.wait()
        try:
            asked.append(ask(campaign_engine, request, member).number)
        except OtherLaunchError as error:
            refused.append(error.number)

    threads = [threading.Thread(target=click, args=(member,)) for member in (ann, ben, ann, ben)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), len(refused), len({*asked, *refused})) == (2, 2, 1)


def test_nothing_is_asked_of_a_campaign_that_was_launched(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    request = make_request(sqlite_workspace, list_engine)
    ask(list_engine, request, cho)
    clock.advance(seconds=10)
    start_due_launches(list_engine, sqlite_workspace, clock=clock)
    with pytest.raises(CampaignStateError):
        ask(list_engine, request, cho, now=clock.now)


def test_two_people_launch_and_neither_alone(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, ben: int, clock: FakeClock
) -> None:
    workspace = with_settings(campaign_workspace, campaigns=CampaignSettings(launch_by="two"))
    request = make_request(workspace, campaign_engine)
    pending = ask(campaign_engine, request, ann, two=True)
    assert pending.state is P.unconfirmed
    clock.advance(minutes=30)
    assert start_due_launches(campaign_engine, workspace, clock=clock) == []
    with pytest.raises(SamePersonError):
        confirm(campaign_engine, pending, ann, 4, now=clock.now)
    with pytest.raises(OtherCountError):
        confirm(campaign_engine, pending, ben, 5, now=clock.now)
    with Session(campaign_engine) as session:
        assert [one.number for one in list_unconfirmed(session, now=clock.now)] == [pending.number]
    confirmed = confirm(campaign_engine, pending, ben, 4, now=clock.now)
    assert confirm(campaign_engine, pending, ben, 4, now=clock.now) == confirmed
    assert start_due_launches(campaign_engine, workspace, clock=clock) == []
    clock.advance(seconds=10)
    (started,) = start_due_launches(campaign_engine, workspace, clock=clock)
    assert started.has_started, started.reason


def test_where_two_people_launch_the_command_line_launches_and_schedules_nothing(
    sqlite_workspace: Workspace, list_engine: Engine
) -> None:
    workspace = with_settings(sqlite_workspace, campaigns=CampaignSettings(launch_by="two"))
    plan = make_plan(workspace, list_engine, START)
    with pytest.raises(LaunchRefusedError, match="Two people"):
        launch(list_engine, workspace, plan, now=START)
    with pytest.raises(LaunchRefusedError, match="Two people"):
        schedule_campaign(list_engine, workspace, plan, at=START + timedelta(days=1), clock=FakeClock())


def test_nobody_confirms_or_starts_it_in_time(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, ben: int, clock: FakeClock
) -> None:
    request = make_request(campaign_workspace, campaign_engine)
    pending = ask(campaign_engine, request, ann, two=True)
    clock.now = START + CONFIRM_WITHIN
    with pytest.raises(PendingLaunchError):
        confirm(campaign_engine, pending, ben, 4, now=clock.now)
    with Session(campaign_engine) as session:
        told = find_pending_launch(session, request.campaign_id, now=clock.now)
        assert told is not None
        assert told.state is P.expired
        assert list_unconfirmed(session, now=clock.now) == []
    late = ask(campaign_engine, request, ann, now=clock.now)
    assert read_pending(campaign_engine, pending).state is P.expired
    clock.advance(seconds=10)
    clock.now += START_WITHIN
    assert has_due_launches(campaign_engine, clock=clock)
    assert start_due_launches(campaign_engine, campaign_workspace, clock=clock) == []
    assert read_pending(campaign_engine, late).state is P.expired
    assert read_states(campaign_engine) == {}


def refused(workspace: Workspace, engine: Engine, clock: FakeClock) -> str:
    """Why the launch that is due does not start; nobody is sent anything."""
    (result,) = start_due_launches(engine, workspace, clock=clock)
    assert not result.has_started
    assert read_states(engine) == {}
    assert start_due_launches(engine, workspace, clock=clock) == []
    return result.reason


def test_another_number_of_readers_is_typed_again(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, clock: FakeClock
) -> None:
    request = make_request(campaign_workspace, campaign_engine)
    pending = ask(campaign_engine, request, ann)
    add_subscribers(campaign_engine, ["new@example.org"])
    clock.advance(seconds=10)
    assert "5 when it was to start" in refused(campaign_workspace, campaign_engine, clock)
    assert read_pending(campaign_engine, pending).found_count == 5
    ask(campaign_engine, replace(request, count=5), ann, now=clock.now)
    clock.advance(seconds=10)
    (started,) = start_due_launches(campaign_engine, campaign_workspace, clock=clock)
    assert read_campaign(campaign_engine, started.campaign_id).audience == 5


def test_one_who_left_meanwhile_changes_the_number_too(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    set_status(list_engine, "kim@example.org", Status.unsubscribed)
    clock.advance(seconds=10)
    assert "3 when it was to start" in refused(sqlite_workspace, list_engine, clock)


def test_an_edition_that_was_changed_meanwhile_is_not_sent(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    write_edition(sqlite_workspace.editions, subject="Other news")
    clock.advance(seconds=10)
    assert "have changed" in refused(sqlite_workspace, list_engine, clock)


def test_what_the_team_decides_otherwise_meanwhile_is_not_overruled(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    request = make_request(sqlite_workspace, list_engine)
    with Session(list_engine) as session:
        before = begin_preparation(session, request.edition, title="x", member_id=cho, now=START)
        session.commit()
    ask(list_engine, replace(request, preparation_version=before.version), cho)
    with Session(list_engine) as session:
        decided = Decisions(segment="country:MN")
        save_preparation(session, before, decided, member_id=cho, now=START)
        session.commit()
    clock.advance(seconds=10)
    assert "decided" in refused(sqlite_workspace, list_engine, clock)


def test_an_edition_that_is_gone_or_has_errors_is_not_sent(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    request = make_request(sqlite_workspace, list_engine)
    ask(list_engine, request, cho)
    story = sqlite_workspace.editions / request.edition / "stories" / "010-teachers.md"
    text = story.read_text()
    story.write_text("---\ntitle: A\nsector: nothing\n---\n\nText.\n")
    clock.advance(seconds=10)
    assert "errors" in refused(sqlite_workspace, list_engine, clock)
    story.write_text(text)
    ask(list_engine, request, cho, now=clock.now)
    (sqlite_workspace.editions / request.edition).rename(sqlite_workspace.editions / "moved")
    clock.advance(seconds=10)
    assert "no edition" in refused(sqlite_workspace, list_engine, clock).lower()


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"campaigns": CampaignSettings(approval="required")}, "approval"),
        ({"campaigns": CampaignSettings(require_test=True)}, "not tested"),
        ({"campaigns": CampaignSettings(launch_by="two")}, "Two people"),
        ({"web": WebSettings(base_url="http://news.example.org")}, "https"),
    ],
)
def test_what_the_settings_ask_for_meanwhile_counts(
    sqlite_workspace: Workspace,
    list_engine: Engine,
    cho: int,
    clock: FakeClock,
    section: dict[str, object],
    words: str,
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    clock.advance(seconds=10)
    assert words in refused(with_settings(sqlite_workspace, **section), list_engine, clock)


def test_trial_mode_counts_as_soon_as_a_partner_is_real(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    with list_engine.begin() as connection:
        real = col(Subscriber.email) == "bat@example.org"
        connection.execute(update(Subscriber).where(real).values(envelope="bat@ministry.mn"))
    clock.advance(seconds=10)
    assert "trial mode, and 1 reader is not" in refused(sqlite_workspace, list_engine, clock)


def test_who_has_left_the_team_launches_nothing(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    with list_engine.begin() as connection:
        connection.execute(update(TeamMember).where(col(TeamMember.id) == cho).values(removed_at=START))
    clock.advance(seconds=10)
    assert "does not belong to the team" in refused(sqlite_workspace, list_engine, clock)


def test_what_somebody_else_launched_meanwhile_is_not_launched_again(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    pending = ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    plan = make_plan(sqlite_workspace, list_engine, START)
    number = launch(list_engine, sqlite_workspace, plan, now=START)
    clock.advance(seconds=10)
    (result,) = start_due_launches(list_engine, sqlite_workspace, clock=clock)
    assert f"Campaign {number} already sends" in result.reason or "has" in result.reason
    assert read_pending(list_engine, pending).state is P.refused
    assert len(read_states(list_engine)) == 4


def test_a_launch_for_later_schedules_the_campaign(
    campaign_workspace: Workspace, campaign_engine: Engine, ann: int, clock: FakeClock
) -> None:
    at = START + timedelta(days=2)
    ask(campaign_engine, make_request(campaign_workspace, campaign_engine, at=at), ann)
    clock.advance(seconds=10)
    (scheduled,) = start_due_launches(campaign_engine, campaign_workspace, clock=clock)
    campaign = read_campaign(campaign_engine, scheduled.campaign_id)
    assert (campaign.state, campaign.scheduled_at) == (CampaignState.scheduled, at)
    clock.now = at
    (started,) = start_due_campaigns(campaign_engine, campaign_workspace, clock=clock)
    assert started.audience == 4


def test_a_time_that_has_passed_while_the_second_person_was_awaited_is_refused(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, dev: int, clock: FakeClock
) -> None:
    at = START + timedelta(minutes=20)
    pending = ask(list_engine, make_request(sqlite_workspace, list_engine, at=at), cho, two=True)
    clock.advance(minutes=30)
    confirm(list_engine, pending, dev, 4, now=clock.now)
    clock.advance(seconds=10)
    assert "in the past" in refused(sqlite_workspace, list_engine, clock)


def test_a_clock_that_is_set_back_delays_the_launch_and_starts_it_once(
    sqlite_workspace: Workspace, list_engine: Engine, cho: int, clock: FakeClock
) -> None:
    ask(list_engine, make_request(sqlite_workspace, list_engine), cho)
    clock.advance(hours=-2)
    assert start_due_launches(list_engine, sqlite_workspace, clock=clock) == []
    clock.advance(hours=2, seconds=10)
    assert len(start_due_launches(list_engine, sqlite_workspace, clock=clock)) == 1
    clock.advance(hours=-2)
    assert start_due_launches(list_engine, sqlite_workspace, clock=clock) == []
    assert count_campaigns(list_engine) == 1
