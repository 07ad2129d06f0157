"""Launching: what is frozen, who is written down, and what is refused."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.launch import (
    LaunchOptions,
    LaunchRefusedError,
    launch,
    launch_or_continue,
)
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.models import Campaign, CampaignContent, CampaignState, DeliveryState, InDoubtPolicy
from mailer.rendering.compiled import CompiledEdition
from mailer.settings import CampaignSettings, WebSettings
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.segments.segment import parse_segment
from tests.factories.deliveries import (
    read_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
    set_status,
)
from tests.factories.small_edition import SLUG, add_people, write_edition


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    write_edition(either_workspace.editions)
    return either_workspace


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


def make_plan(workspace: Workspace, engine: Engine, now: datetime, query: str = "all") -> Plan:
    return plan_campaign(workspace, engine, SLUG, parse_segment(query), now=now)


def with_settings(workspace: Workspace, **sections: object) -> Workspace:
    return replace(workspace, settings=workspace.settings.model_copy(update=sections))


def count_campaigns(engine: Engine) -> int:
    with Session(engine) as session:
        return len(session.exec(select(Campaign)).all())


def test_the_audience_is_written_down_as_it_stands(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    assert set(read_states(engine)) == {
        "bat@example.org",
        "li@example.org",
        "kim@example.org",
        "sato@example.org",
    }
    delivery = read_deliveries(engine)["li@example.org"]
    assert (delivery.state, delivery.campaign_id, delivery.attempts) == (DeliveryState.queued, number, 0)
    assert (delivery.owner, delivery.doubted, delivery.updated_at) == (None, False, now)


def test_the_campaign_says_what_it_sends_to_whom(workspace: Workspace, engine: Engine, now: datetime) -> None:
    plan = make_plan(workspace, engine, now, "country:MN,CN")
    number = launch(engine, workspace, plan, now=now, options=LaunchOptions(rate=5, in_doubt="resend"))
    campaign = read_campaign(engine, number)
    assert (campaign.edition, campaign.segment, campaign.language) == (SLUG, "country:MN,CN", "en")
    assert (campaign.state, campaign.audience, campaign.launched_at) == (CampaignState.sending, 2, now)
    assert (campaign.rate, campaign.in_doubt_policy) == (5.0, InDoubtPolicy.resend)
    assert campaign.digest == plan.digest


def test_the_content_is_frozen(workspace: Workspace, engine: Engine, now: datetime) -> None:
    plan = make_plan(workspace, engine, now)
    number = launch(engine, workspace, plan, now=now)
    write_edition(workspace.editions, subject="Changed afterwards")
    with Session(engine) as session:
        rows = session.exec(select(CampaignContent).where(CampaignContent.campaign_id == number)).all()
        frozen = {row.language: CompiledEdition.from_bytes(row.body) for row in rows}
    assert frozen == {compiled.language: compiled for compiled in plan.compiled}
    assert frozen["en"].subject == "News from the field"


def test_settings_give_the_rate_and_policy_where_nobody_else_does(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    workspace = with_settings(workspace, campaigns=CampaignSettings(rate=9, in_doubt="resend"))
    campaign = read_campaign(engine, launch(engine, workspace, make_plan(workspace, engine, now), now=now))
    assert (campaign.rate, campaign.in_doubt_policy) == (9.0, InDoubtPolicy.resend)


def test_those_who_left_since_the_plan_are_not_written_down(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    set_status(engine, "kim@example.org", Status.unsubscribed)
    number = launch(engine, workspace, plan, now=now)
    assert "kim@example.org" not in read_states(engine)
    assert read_campaign(engine, number).audience == 3


def test_an_edition_with_errors_is_refused_with_all_of_them(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    (workspace.editions / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    plan = make_plan(workspace, engine, now)
    with pytest.raises(LaunchRefusedError, match=f"mailer check {SLUG}") as caught:
        launch(engine, workspace, plan, now=now)
    for problem in plan.errors:
        assert str(problem) in str(caught.value)
    assert count_campaigns(engine) == 0


@pytest.mark.parametrize("url", ["http://news.example.org", "http://192.0.2.7:8025"])
def test_pages_without_https_are_refused(
    workspace: Workspace, engine: Engine, now: datetime, url: str
) -> None:
    workspace = with_settings(workspace, web=WebSettings(base_url=url))
    with pytest.raises(LaunchRefusedError, match="RFC 8058"):
        launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    assert count_campaigns(engine) == 0


def test_an_empty_audience_is_refused_and_explained(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    with pytest.raises(LaunchRefusedError, match=r"left out: .*4 already have this edition.* Add --again"):
        launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    with pytest.raises(LaunchRefusedError, match="Nobody in the segment 'country:FR'"):
        launch(engine, workspace, make_plan(workspace, engine, now, "country:FR"), now=now)
    assert count_campaigns(engine) == 1


@pytest.mark.parametrize("state", [CampaignState.sending, CampaignState.paused])
def test_an_unfinished_campaign_is_continued_and_no_second_one_made(
    workspace: Workspace, engine: Engine, now: datetime, state: CampaignState
) -> None:
    first = launch_or_continue(engine, workspace, make_plan(workspace, engine, now), now=now)
    set_campaign_state(engine, first.campaign_id, state)
    second = launch_or_continue(
        engine,
        workspace,
        make_plan(workspace, engine, now),
        now=now,
        options=LaunchOptions(rate=3, in_doubt="resend"),
    )
    assert (first.continued, second.continued) == (False, True)
    assert first.campaign_id == second.campaign_id
    campaign = read_campaign(engine, first.campaign_id)
    assert campaign.state is CampaignState.sending
    assert (campaign.rate, campaign.in_doubt_policy) == (3.0, InDoubtPolicy.resend)


def test_an_unfinished_campaign_of_older_content_is_not_passed_off_as_the_new(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    write_edition(workspace.editions, subject="Corrected")
    with pytest.raises(LaunchRefusedError, match="is sending an earlier version of 2026-1"):
        launch_or_continue(engine, workspace, make_plan(workspace, engine, now), now=now)


def test_pressing_send_twenty_times_at_once_launches_once(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    numbers: list[int] = []

    def press() -> None:
        numbers.append(launch_or_continue(engine, workspace, plan, now=now).campaign_id)

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 20
    assert len(set(numbers)) == 1
    assert len(read_states(engine)) == 4
