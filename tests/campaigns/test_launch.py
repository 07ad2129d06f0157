"""Launching: what is frozen, who is written down, and what is refused."""

import re
import threading
from datetime import datetime

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, select

from editions.skeleton import create_skeleton
from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.plan import plan_campaign
from mailer.database.models import Campaign, CampaignContent, CampaignState, DeliveryState, InDoubtPolicy
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import CampaignSettings, WebSettings
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.segments.segment import parse_segment
from tests.factories.campaigns import count_campaigns, make_plan, with_settings
from tests.factories.deliveries import (
    read_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
    set_status,
)
from tests.factories.small_edition import SLUG, write_edition


def test_launching_records_the_current_audience(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = launch(
        campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
    )
    assert set(read_states(campaign_engine)) == {
        "bat@example.org",
        "li@example.org",
        "kim@example.org",
        "sato@example.org",
    }
    delivery = read_deliveries(campaign_engine)["li@example.org"]
    assert (delivery.state, delivery.campaign_id, delivery.attempts) == (DeliveryState.queued, number, 0)
    assert (delivery.owner, delivery.doubted, delivery.updated_at) == (None, False, now)


def test_the_campaign_says_what_it_sends_to_whom(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now, "country:MN,CN")
    number = launch(
        campaign_engine, campaign_workspace, plan, now=now, options=LaunchOptions(rate=5, in_doubt="resend")
    )
    campaign = read_campaign(campaign_engine, number)
    assert (campaign.edition, campaign.segment, campaign.language) == (SLUG, "country:MN,CN", "en")
    assert (campaign.state, campaign.audience, campaign.launched_at) == (CampaignState.sending, 2, now)
    assert (campaign.rate, campaign.in_doubt_policy) == (5.0, InDoubtPolicy.resend)
    assert campaign.digest == plan.digest


def test_the_content_is_frozen(campaign_workspace: Workspace, campaign_engine: Engine, now: datetime) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    number = launch(campaign_engine, campaign_workspace, plan, now=now)
    write_edition(campaign_workspace.editions, subject="Changed afterwards")
    with Session(campaign_engine) as session:
        rows = session.exec(select(CampaignContent).where(CampaignContent.campaign_id == number)).all()
        frozen = {row.language: CompiledEdition.from_bytes(row.body) for row in rows}
    assert frozen == {compiled.language: compiled for compiled in plan.compiled}
    assert frozen["en"].subject == "News from the field"


def test_settings_give_the_default_rate_and_policy(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    campaign_workspace = with_settings(
        campaign_workspace, campaigns=CampaignSettings(rate=9, in_doubt="resend")
    )
    campaign = read_campaign(
        campaign_engine,
        launch(
            campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
        ),
    )
    assert (campaign.rate, campaign.in_doubt_policy) == (9.0, InDoubtPolicy.resend)


def test_those_who_left_since_the_plan_are_not_written_down(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    set_status(campaign_engine, "kim@example.org", Status.unsubscribed)
    number = launch(campaign_engine, campaign_workspace, plan, now=now)
    assert "kim@example.org" not in read_states(campaign_engine)
    assert read_campaign(campaign_engine, number).audience == 3


def test_an_edition_with_errors_is_refused_with_all_of_them(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    (campaign_workspace.editions / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    plan = make_plan(campaign_workspace, campaign_engine, now)
    with pytest.raises(LaunchRefusedError, match=f"mailer check {SLUG}") as caught:
        launch(campaign_engine, campaign_workspace, plan, now=now)
    for problem in plan.errors:
        assert str(problem) in str(caught.value)
    assert count_campaigns(campaign_engine) == 0


@pytest.mark.parametrize("url", ["http://news.example.org", "http://192.0.2.7:8025"])
def test_pages_without_https_are_refused(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime, url: str
) -> None:
    campaign_workspace = with_settings(campaign_workspace, web=WebSettings(base_url=url))
    with pytest.raises(LaunchRefusedError, match="RFC 8058"):
        launch(
            campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
        )
    assert count_campaigns(campaign_engine) == 0


def test_an_empty_audience_is_refused_and_explained(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    launch(campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now)
    with pytest.raises(LaunchRefusedError, match=r"left out: .*4 already have this edition.* Add --again"):
        launch(
            campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
        )
    with pytest.raises(LaunchRefusedError, match="Nobody in the segment 'country:FR'"):
        launch(
            campaign_engine,
            campaign_workspace,
            make_plan(campaign_workspace, campaign_engine, now, "country:FR"),
            now=now,
        )
    assert count_campaigns(campaign_engine) == 1


@pytest.mark.parametrize("state", [CampaignState.sending, CampaignState.paused])
def test_an_unfinished_campaign_is_continued_and_no_second_one_made(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime, state: CampaignState
) -> None:
    first = launch_or_continue(
        campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
    )
    set_campaign_state(campaign_engine, first.campaign_id, state)
    second = launch_or_continue(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, now),
        now=now,
        options=LaunchOptions(rate=3, in_doubt="resend"),
    )
    assert (first.continued, second.continued) == (False, True)
    assert first.campaign_id == second.campaign_id
    campaign = read_campaign(campaign_engine, first.campaign_id)
    assert campaign.state is CampaignState.sending
    assert (campaign.rate, campaign.in_doubt_policy) == (3.0, InDoubtPolicy.resend)


def test_an_unfinished_campaign_of_older_content_is_not_passed_off_as_the_new(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    launch(campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now)
    write_edition(campaign_workspace.editions, subject="Corrected")
    with pytest.raises(LaunchRefusedError, match="is sending an earlier version of 2026-1"):
        launch_or_continue(
            campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
        )


def test_pressing_send_twenty_times_at_once_launches_once(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    numbers: list[int] = []

    def press() -> None:
        numbers.append(launch_or_continue(campaign_engine, campaign_workspace, plan, now=now).campaign_id)

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 20
    assert len(set(numbers)) == 1
    assert len(read_states(campaign_engine)) == 4


def test_the_example_edition_can_be_planned_and_previewed_but_not_launched(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    settings = campaign_workspace.settings
    folder = create_skeleton(
        campaign_workspace.editions,
        "2026-9",
        organisation=settings.sender.organisation,
        sectors=settings.sectors,
        countries=settings.countries,
        today=now.date(),
    )
    segment = parse_segment("all")
    plan = plan_campaign(campaign_workspace, campaign_engine, "2026-9", segment, now=now)
    assert plan.errors == ()
    assert {problem.code for problem in plan.launch_problems} == {"example-text"}
    with pytest.raises(LaunchRefusedError, match=r"stories/020-in-brief.md:6: .*the example") as caught:
        launch(campaign_engine, campaign_workspace, plan, now=now)
    for problem in plan.launch_problems:
        assert str(problem) in str(caught.value)
    assert count_campaigns(campaign_engine) == 0

    for path in folder.glob("stories/*.md"):
        path.write_text(path.read_text(encoding="utf-8") + "\nAnd this is ours.\n", encoding="utf-8")
    edition = folder / "edition.md"
    text = edition.read_text(encoding="utf-8") + "\nAnd this too.\n"
    for key, value in (("subject", "Our news"), ("preheader", "What we have done together this spring")):
        text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.MULTILINE)
    edition.write_text(text.replace("Your name", "A. Director"), encoding="utf-8")
    plan = plan_campaign(campaign_workspace, campaign_engine, "2026-9", segment, now=now)
    assert launch(campaign_engine, campaign_workspace, plan, now=now)


def test_a_campaign_of_a_restored_backup_is_not_continued_by_sending_again(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    number = launch(campaign_engine, campaign_workspace, plan, now=now)
    reason = "The database was restored from a backup made on 1 March."
    with campaign_engine.begin() as connection:
        connection.execute(update(Campaign).values(state=CampaignState.paused, state_reason=reason))
    with pytest.raises(LaunchRefusedError, match=f"is paused. {reason}"):
        launch_or_continue(campaign_engine, campaign_workspace, plan, now=now)
    assert read_campaign(campaign_engine, number).state is CampaignState.paused
