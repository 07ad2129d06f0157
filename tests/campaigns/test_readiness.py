"""What stands in the way of a launch is one list: it is shown, and a launch is refused with it."""

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import Engine

from mailer.campaigns.correction_plan import plan_correction
from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchFaultKind, LaunchRefusedError
from mailer.campaigns.plan import Plan
from mailer.campaigns.readiness import Readiness, check_readiness
from mailer.settings.campaigns import CampaignSettings
from mailer.settings.web import WebSettings
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan, with_settings
from tests.factories.correction_notes import write_note
from tests.factories.small_edition import SLUG, write_edition

K = LaunchFaultKind


def check(workspace: Workspace, engine: Engine, plan: Plan, now: datetime) -> Readiness:
    with engine.connect() as connection:
        return check_readiness(connection, workspace, plan, launched_by="Mei", confirmed_by="", now=now)


def test_a_launch_is_refused_with_the_first_fault_that_is_shown(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    campaigns = CampaignSettings(launch_by="two", approval="required", require_test=True)
    workspace = with_settings(
        campaign_workspace, campaigns=campaigns, web=WebSettings(base_url="http://news.example.org")
    )
    plan = replace(make_plan(campaign_workspace, campaign_engine, now), audience=0)
    shown = check(workspace, campaign_engine, plan, now)
    kinds = [fault.kind for fault in shown.faults]
    assert kinds == [K.address, K.audience, K.people, K.approval, K.test]
    with pytest.raises(LaunchRefusedError) as refused:
        launch(campaign_engine, workspace, plan, now=now)
    assert refused.value.fault == shown.faults[0]
    assert str(refused.value) == shown.faults[0].refusal


def test_the_campaign_that_is_in_the_way_is_named_by_its_number(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = launch(
        campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
    )
    write_edition(campaign_workspace.editions, subject="Campaign 77 and Campaign 78")
    newer = make_plan(campaign_workspace, campaign_engine, now)
    (fault,) = [
        one for one in check(campaign_workspace, campaign_engine, newer, now).faults if one.kind is K.running
    ]
    assert fault.campaign_id == number
    with pytest.raises(LaunchRefusedError) as refused:
        launch_or_continue(campaign_engine, campaign_workspace, newer, now=now)
    assert refused.value.fault == fault


def test_a_correction_needs_no_test_where_editions_do(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    launch(campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now)
    workspace = with_settings(campaign_workspace, campaigns=CampaignSettings(require_test=True))
    note = write_note(workspace.root / "notes")
    correction = plan_correction(workspace, campaign_engine, SLUG, "teachers", note, now=now).plan
    edition = make_plan(workspace, campaign_engine, now, again=True)
    kinds = [
        {fault.kind for fault in check(workspace, campaign_engine, plan, now).faults}
        for plan in (correction, edition)
    ]
    assert (K.test in kinds[0], K.test in kinds[1]) == (False, True)
