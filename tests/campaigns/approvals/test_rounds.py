"""Asking and answering under the launch lock: on both databases, whatever happens at the same moment, nothing
is sent that was not approved."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.approvals.answers import AnswerFault, AnswerRefusedError, find_author_fault, list_asked
from mailer.campaigns.approvals.approval import check_approval
from mailer.campaigns.approvals.people import (
    LINK_LIFETIME,
    WantedReviewer,
    WantedStep,
    find_review,
    find_writers,
    list_colleagues,
    list_reviewers,
    make_link,
)
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.rounds import Round, find_last_round, list_open_rounds, read_round_content
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.approvals.steps import Needs, Person
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_lock import acquire_launch_lock, launch_lock
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.models import CampaignContent, CampaignState
from mailer.database.team_models import Role
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import CampaignSettings
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from tests.campaigns.approvals.calls_at_once import run_together
from tests.factories.campaigns import with_settings
from tests.factories.deliveries import FakeClock, read_campaign, read_states
from tests.factories.small_edition import SLUG, add_people, write_edition

APPROVED = ApprovalVerdict.approved


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    write_edition(either_workspace.editions)
    return with_campaigns(either_workspace)


@pytest.fixture
def engine(workspace: Workspace, now: datetime) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    add_people(engine)
    with Session(engine) as session:
        for name, role in (("Amy", Role.author), ("Bat", Role.approver), ("Mei", Role.manager)):
            add_member(session, f"{name.lower()}@example.org", name, role, now=now)
        session.commit()
    yield engine
    engine.dispose()


def with_campaigns(workspace: Workspace, **values: object) -> Workspace:
    campaigns = CampaignSettings.model_validate({"approval": "required", **values})
    return with_settings(workspace, campaigns=campaigns)


def make_plan(workspace: Workspace, engine: Engine, now: datetime) -> Plan:
    with Session(engine) as session:
        segment = read_segment("all", workspace.settings, session)
    return plan_campaign(workspace, engine, SLUG, segment, now=now)


def ask(
    workspace: Workspace,
    engine: Engine,
    now: datetime,
    *,
    by: str = "Amy",
    steps: list[WantedStep] | None = None,
) -> Round:
    plan, number = make_plan(workspace, engine, now), find_person(engine, by).member_id
    with launch_lock(engine, workspace, plan) as connection:
        return ask_for_approval(
            connection, workspace, plan, asker=Person(key="", name=by, member_id=number), steps=steps, now=now
        )


def find_person(engine: Engine, name: str) -> Person:
    with engine.connect().execution_options(read_only=True) as connection:
        return next(one for one in list_colleagues(connection) if one.name == name)


def answer(
    workspace: Workspace,
    engine: Engine,
    now: datetime,
    asked: Round,
    who: str | Person,
    verdict: ApprovalVerdict = APPROVED,
    words: str = "Shorter.",
) -> tuple[Round, bool]:
    person = find_person(engine, who) if isinstance(who, str) else who
    with engine.begin() as connection:
        acquire_launch_lock(connection, SLUG)
        return settle_answer(
            connection,
            workspace,
            asked.id,
            person,
            verdict,
            seen=asked.digest,
            words=words,
            now=now,
        )


# --- what is approved is what was asked for


def test_what_was_frozen_is_approved_and_sent_whatever_the_files_say(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    asked = ask(workspace, engine, now)
    write_edition(workspace.editions, subject="Written meanwhile")
    after, _ = answer(workspace, engine, now, asked, "Bat")
    assert after.state is RoundState.approved
    # What is there now was never approved.
    with pytest.raises(LaunchRefusedError, match=r"Changed since: the subject \(en\)"):
        launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    with Session(engine) as session:
        bodies = [row.body for row in session.exec(select(CampaignContent)).all()]
        void = check_approval(session, workspace, asked.campaign_id)
    assert {CompiledEdition.from_bytes(body).digest for body in bodies} == {
        mail.digest for mail in plan.compiled
    }
    assert void is not None
    assert not void.holds
    write_edition(workspace.editions)
    assert launch(engine, workspace, make_plan(workspace, engine, now), now=now) == asked.campaign_id


def test_a_reader_who_joins_voids_nothing_and_is_counted(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    asked = ask(workspace, engine, now)
    answer(workspace, engine, now, asked, "Bat")
    with Session(engine) as session:
        session.add(
            Subscriber(email="new@example.org", envelope="new@example.org", created_at=now, updated_at=now)
        )
        session.commit()
    plan = make_plan(workspace, engine, now)
    assert (asked.facts.audience, plan.audience) == (4, 5)
    launch(engine, workspace, plan, now=now)
    assert len(read_states(engine)) == 5


def test_the_content_of_a_request_is_read_as_it_was_written(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    asked = ask(workspace, engine, now)
    with engine.connect() as connection:
        assert read_round_content(connection, asked) == plan.compiled
    assert [one.language for one in asked.facts.variants] == ["en", "zh"]


# --- who may not


@pytest.mark.parametrize("who", ["Amy", "Mei"])
def test_who_asked_or_wrote_does_not_approve_where_another_has_to(
    workspace: Workspace, engine: Engine, now: datetime, who: str
) -> None:
    strict = with_campaigns(workspace, approval_by="another")
    with Session(engine) as session:
        for name, kind in (("Mei", RevisionKind.written), ("Bat", RevisionKind.set_aside)):
            number = find_person(engine, name).member_id
            session.add(
                EditionRevision(edition=SLUG, kind=kind, member_id=number, began_at=now, ended_at=now)
            )
        session.commit()
    asked = ask(strict, engine, now, steps=[WantedStep(roles=(Role.author,))])
    with pytest.raises(AnswerRefusedError) as refused:
        answer(strict, engine, now, asked, who)
    assert refused.value.fault is AnswerFault.author
    with engine.connect() as connection:
        person = find_person(engine, who)
        (waiting,) = list_open_rounds(connection)
        waited_for = list_asked(connection, strict.settings, waiting)
        writers = find_writers(connection, SLUG, waiting.facts.authors)
    assert waiting.is_asked(person)
    assert person.key not in {one.key for one in waited_for}
    assert find_author_fault(strict.settings, waiting, person, writers) is AnswerFault.author
    # What Bat wrote was set aside and is not in the edition.
    assert answer(strict, engine, now, asked, "Bat")[0].state is RoundState.approved


def test_one_answer_per_person_and_request(workspace: Workspace, engine: Engine, now: datetime) -> None:
    both = tuple(find_person(engine, name).member_id or 0 for name in ("Bat", "Mei"))
    steps = [WantedStep(members=both, needs=Needs.all)]
    asked = ask(workspace, engine, now, steps=steps)
    answer(workspace, engine, now, asked, "Bat")
    assert not answer(workspace, engine, now, asked, "Bat")[1]
    with pytest.raises(AnswerRefusedError) as refused:
        answer(workspace, engine, now, asked, "Bat", ApprovalVerdict.changes_requested)
    assert refused.value.fault is AnswerFault.answered


def test_a_step_waits_since_the_one_before_it_was_fulfilled(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    amy, bat, mei = (find_person(engine, name).member_id or 0 for name in ("Amy", "Bat", "Mei"))
    steps = [WantedStep(members=(amy, bat), needs=Needs.all), WantedStep(members=(mei,))]
    asked = ask(workspace, engine, now, steps=steps)
    since = [asked.waits_since]
    for hours, who in enumerate(("Amy", "Bat", "Mei"), start=1):
        after, _ = answer(workspace, engine, now + timedelta(hours=hours), asked, who)
        since.append(after.waits_since)
    assert since == [now, now, now + timedelta(hours=2), None]


# --- outside


def test_the_link_of_a_reviewer_works_until_its_time_and_a_new_one_ends_the_old(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    steps = [WantedStep(reviewers=(WantedReviewer(name="Ana", email="ana@x.example"),))]
    asked = ask(workspace, engine, now, steps=steps)
    with engine.begin() as connection:
        (reviewer,) = list_reviewers(connection, asked.id)
        first = make_link(connection, reviewer.reviewer_id or 0, now=now)
        second = make_link(connection, reviewer.reviewer_id or 0, now=now)
    with engine.connect() as connection:
        assert find_review(connection, first, now=now) is None
        assert find_review(connection, "", now=now) is None
        found = find_review(connection, second, now=now)
        assert find_review(connection, second, now=now + LINK_LIFETIME) is None
        assert find_review(connection, second, now=now + LINK_LIFETIME - timedelta(seconds=1)) is not None
    assert found is not None
    assert (found[0].id, found[0].is_asked(found[1])) == (asked.id, True)


def test_a_scheduled_campaign_whose_steps_are_not_fulfilled_says_whom_it_waited_for(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    free, clock = with_campaigns(workspace, approval="optional"), FakeClock(now)
    plan, at = make_plan(free, engine, now), now + timedelta(hours=1)
    number = schedule_campaign(engine, free, plan, at=at, clock=clock).campaign_id
    steps = [WantedStep(name="Facts", roles=(Role.approver,)), WantedStep(roles=(Role.manager,))]
    asked = ask(workspace, engine, now, steps=steps)
    assert asked.campaign_id == number
    answer(workspace, engine, now, asked, "Bat")
    clock.now = at
    (started,) = start_due_campaigns(engine, workspace, clock=clock)
    assert (started.state, read_states(engine)) == (CampaignState.cancelled, {})
    assert started.reason == (
        "An approval was required when the campaign was due. 2026-1 is not approved yet ([campaigns] "
        "approval). Bat approved it. It waits for step 2 of 2: a manager."
    )


def test_a_scheduled_campaign_is_approved_as_it_is(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    free, clock = with_campaigns(workspace, approval="optional"), FakeClock(now)
    plan, at = make_plan(free, engine, now), now + timedelta(hours=1)
    number = schedule_campaign(engine, free, plan, at=at, clock=clock).campaign_id
    asked = ask(workspace, engine, now)
    answer(workspace, engine, now, asked, "Bat")
    clock.now = at
    (started,) = start_due_campaigns(engine, workspace, clock=clock)
    assert (started.campaign_id, started.state) == (number, CampaignState.sending)


# --- at the same moment


def test_two_who_answer_at_once_are_both_counted_once(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    asked = ask(workspace, engine, now)
    found = run_together(
        *[lambda name=name: answer(workspace, engine, now, asked, name) for name in ("Bat", "Mei") * 4]
    )
    settled = [one for one in found if isinstance(one, tuple)]
    assert sum(is_new for _, is_new in settled) == 1
    assert read_campaign(engine, asked.campaign_id).state is CampaignState.approved
    with engine.connect() as connection:
        last = find_last_round(connection, asked.campaign_id)
    assert last is not None
    assert len(last.answers) == 1


def test_approving_asking_anew_and_launching_at_once_never_send_what_was_not_approved(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    first = make_plan(workspace, engine, now)
    asked = ask(workspace, engine, now)
    write_edition(workspace.editions, subject="Written meanwhile")
    second = make_plan(workspace, engine, now)

    def ask_anew() -> Round:
        with launch_lock(engine, workspace, second) as connection:
            return ask_for_approval(connection, workspace, second, asker=Person(key="", name="Amy"), now=now)

    found = run_together(
        lambda: answer(workspace, engine, now, asked, "Bat"),
        ask_anew,
        lambda: launch(engine, workspace, first, now=now),
        lambda: launch(engine, workspace, second, now=now),
    )
    launched = [one for one in found if isinstance(one, int)]
    assert len(launched) <= 1
    for number in launched:
        campaign = read_campaign(engine, number)
        assert campaign.digest == campaign.approved_digest == first.digest
    assert len(read_states(engine)) == (4 if launched else 0)


def test_changes_and_a_launch_at_once_launch_nothing_unapproved(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    asked = ask(workspace, engine, now)
    found = run_together(
        lambda: answer(workspace, engine, now, asked, "Bat", ApprovalVerdict.changes_requested),
        lambda: launch(engine, workspace, plan, now=now),
    )
    assert sum(isinstance(one, LaunchRefusedError) for one in found) == 1
    with pytest.raises(LaunchRefusedError, match=r"Bat asked for changes to 2026-1: “Shorter\.”"):
        launch(engine, workspace, plan, now=now)
    assert read_states(engine) == {}
