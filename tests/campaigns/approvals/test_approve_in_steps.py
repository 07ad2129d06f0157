"""Approving by the command in steps: who counts for which, what a launch says meanwhile, what is kept."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError
from mailer.campaigns.approvals.rounds import Round, list_rounds
from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import cancel_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.approval_models import RoundState
from mailer.database.models import CampaignState
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError
from mailer.settings.campaigns import ApprovalStepSettings, CampaignSettings
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.segments.segment import parse_segment
from tests.factories.campaigns import count_campaigns, with_settings
from tests.factories.deliveries import read_campaign, read_states
from tests.factories.small_edition import SLUG, add_people, write_edition

STEPS = (
    ApprovalStepSettings(
        name="Facts", needs="all", members=("mei@example.org",), reviewers=("Ana Diaz <ana@x.example>",)
    ),
    ApprovalStepSettings(roles=("manager",)),
)


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    write_edition(either_workspace.editions)
    return with_steps(either_workspace)


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _team(engine: Engine, now: datetime) -> None:
    with Session(engine) as session:
        add_member(session, "mei@example.org", "Mei Lin", Role.guest, now=now)
        add_member(session, "bat@example.org", "Bat", Role.manager, now=now)
        add_member(session, "amy@example.org", "Amy", Role.author, now=now)
        session.commit()


def with_steps(workspace: Workspace, **values: object) -> Workspace:
    campaigns = CampaignSettings.model_validate({"approval": "required", "approval_steps": STEPS, **values})
    return with_settings(workspace, campaigns=campaigns)


def make_plan(workspace: Workspace, engine: Engine, now: datetime, query: str = "all") -> Plan:
    return plan_campaign(workspace, engine, SLUG, parse_segment(query), now=now)


def approve_as(workspace: Workspace, engine: Engine, now: datetime, name: str) -> Approval:
    return approve(engine, workspace, make_plan(workspace, engine, now), by=name, now=now)


def read_rounds(engine: Engine, number: int) -> tuple[Round, ...]:
    with engine.connect() as connection:
        return list_rounds(connection, number)


def test_the_last_step_approves_and_names_all_who_did(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    first = approve_as(workspace, engine, now, "Mei Lin")
    assert not first.holds
    assert str(first).endswith("it still waits for step 1 of 2 “Facts”: Ana Diaz")
    plan = make_plan(workspace, engine, now)
    with pytest.raises(
        LaunchRefusedError, match=r"not approved yet.* Mei Lin approved it\. It waits for step 1"
    ):
        launch(engine, workspace, plan, now=now)
    assert approve_as(workspace, engine, now, "ANA@x.example").missing == "step 2 of 2: a manager"
    last = approve_as(workspace, engine, now, "bat")
    assert last.holds
    campaign = read_campaign(engine, last.campaign_id)
    assert (campaign.state, campaign.approved_by) == (CampaignState.approved, "Mei Lin, Ana Diaz, Bat")
    (asked,) = read_rounds(engine, last.campaign_id)
    assert (asked.state, asked.approver_names) == (RoundState.approved, ("Mei Lin", "Ana Diaz", "Bat"))
    assert launch(engine, workspace, plan, now=now) == last.campaign_id
    assert len(read_states(engine)) == 4


@pytest.mark.parametrize("name", ["Bat", "Amy", "Somebody", "Ana"])
def test_whoever_is_not_asked_now_does_not_count(
    workspace: Workspace, engine: Engine, now: datetime, name: str
) -> None:
    with pytest.raises(
        ApprovalRefusedError, match=f"{name} is not asked.* waits for step 1 of 2 “Facts”: Mei"
    ):
        approve_as(workspace, engine, now, name)
    assert count_campaigns(engine) == 0


def test_a_change_begins_the_steps_anew(workspace: Workspace, engine: Engine, now: datetime) -> None:
    approve_as(workspace, engine, now, "Mei Lin")
    write_edition(workspace.editions, subject="One more word")
    again = approve_as(workspace, engine, now, "Ana Diaz")
    assert again.missing == "step 1 of 2 “Facts”: Mei Lin"
    newest, oldest = read_rounds(engine, again.campaign_id)
    assert (oldest.state, oldest.approver_names) == (RoundState.replaced, ("Mei Lin",))
    assert (newest.state, newest.approver_names) == (RoundState.open, ("Ana Diaz",))


def test_a_second_time_changes_nothing(workspace: Workspace, engine: Engine, now: datetime) -> None:
    approve_as(workspace, engine, now, "Mei Lin")
    approve_as(workspace, engine, now, "mei  lin")
    number = approve_as(workspace, engine, now, "Ana Diaz").campaign_id
    approve_as(workspace, engine, now, "Bat")
    assert approve_as(workspace, engine, now, "Amy").by == "Mei Lin, Ana Diaz, Bat"
    (asked,) = read_rounds(engine, number)
    assert len(asked.answers) == 3


def test_none_of_those_who_approved_launches_it_too(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    path = workspace.editions / SLUG / "edition.md"
    text = path.read_text(encoding="utf-8").replace("language: en", "language: en\nauthors: Amy")
    path.write_text(text, encoding="utf-8")
    strict = with_steps(workspace, approval_by="another")
    for name in ("Mei Lin", "Ana Diaz", "Bat"):
        approve_as(strict, engine, now, name)
    plan = make_plan(strict, engine, now)
    with pytest.raises(LaunchRefusedError, match="who is also launching it"):
        launch(engine, strict, plan, now=now, options=LaunchOptions(by="Mei Lin"))
    launch(engine, strict, plan, now=now, options=LaunchOptions(by="Amy"))


def test_a_step_that_asks_a_stranger_says_whom(workspace: Workspace, engine: Engine, now: datetime) -> None:
    steps = (ApprovalStepSettings(members=("gone@example.org",)),)
    with pytest.raises(ConfigurationError, match=r"gone@example\.org, who does not belong to the team"):
        approve_as(with_steps(workspace, approval_steps=steps), engine, now, "Mei Lin")


def test_an_approval_without_steps_is_kept_for_the_record_too(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    free = with_steps(workspace, approval_steps=())
    number = approve_as(free, engine, now, "The Director").campaign_id
    (asked,) = read_rounds(engine, number)
    (answer,) = asked.answers
    assert (asked.state, asked.asked_by, answer.person.name) == (RoundState.approved, "", "The Director")


def test_what_is_cancelled_is_asked_for_anew(workspace: Workspace, engine: Engine, now: datetime) -> None:
    number = approve_as(workspace, engine, now, "Mei Lin").campaign_id
    with Session(engine) as session:
        cancel_campaign(session, number, now=now)
        session.commit()
    again = approve_as(workspace, engine, now, "Ana Diaz")
    assert (again.campaign_id != number, again.missing) == (True, "step 1 of 2 “Facts”: Mei Lin")
