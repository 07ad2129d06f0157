"""Preparing a campaign: begun once, changed by several people at once, and found by a launch."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.content_versions import check_test
from mailer.campaigns.draft import write_draft, write_tested_draft
from mailer.campaigns.launch import launch
from mailer.campaigns.lifecycle import cancel_campaign, find_campaign
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.preparation.preparation import (
    BINDING_DECISIONS,
    DECIDED_FIELDS,
    Decision,
    Decisions,
    Preparation,
)
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    PreparationConflictError,
    PreparationOverError,
    begin_preparation,
    find_preparation,
    read_preparation,
    read_preparations,
    save_preparation,
)
from mailer.campaigns.preparation.seen_variants import list_seen_variants, mark_variant_seen
from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignState, InDoubtPolicy
from mailer.database.team_models import Role
from mailer.settings import CampaignSettings
from mailer.team.members import Member, add_member
from mailer.workspace import Workspace
from tests.factories.campaigns import count_campaigns, make_plan
from tests.factories.small_edition import SLUG, write_edition

START = datetime(2026, 3, 30, 1, 0, tzinfo=UTC)


def join(engine: Engine, now: datetime, name: str = "Ann Author") -> Member:
    with Session(engine) as session:
        member = add_member(session, f"{name[:3].lower()}@example.org", name, Role.author, now=now)
        session.commit()
        return member


def begin(engine: Engine, now: datetime, member: Member | None = None, edition: str = SLUG) -> Preparation:
    with open_session(engine) as session:
        begun = begin_preparation(
            session, edition, title="News", member_id=member.id if member else None, now=now
        )
        session.commit()
        return begun


def save(
    engine: Engine, before: Preparation, now: datetime, member: Member | None = None, **changes: Any
) -> Preparation:
    with open_session(engine) as session:
        saved = save_preparation(
            session,
            before,
            replace(before.decisions, **changes),
            member_id=member.id if member else None,
            now=now,
        )
        session.commit()
        return saved


def test_every_field_is_of_one_decision_but_for_what_a_launch_itself_says() -> None:
    """One that were of none would be shown, and never saved."""
    of_a_launch = {"rate", "by", "confirmed_by"}
    decided = Counter(name for names in DECIDED_FIELDS.values() for name in names)
    assert decided == Counter({one.name for one in fields(Decisions)} - of_a_launch)
    assert set(DECIDED_FIELDS) == set(Decision)


def test_a_campaign_is_prepared_before_its_edition_has_any_content(
    campaign_engine: Engine, now: datetime
) -> None:
    ann = join(campaign_engine, now)
    begun = begin(campaign_engine, now, ann, edition="2027-1")
    assert (begun.edition, begun.state, begun.version) == ("2027-1", CampaignState.draft, 1)
    assert (begun.prepared_by, begun.changed_by, begun.prepared_at) == ("Ann Author", "Ann Author", now)
    assert begun.decisions == Decisions()
    with open_session(campaign_engine) as session:
        campaign = find_campaign(session, begun.campaign_id)
        assert (campaign.title, campaign.segment, campaign.content_digest) == ("News", "", "")
        assert find_preparation(session, "2027-1") == begun
        assert read_preparations(session, [begun.campaign_id, 99]) == {begun.campaign_id: begun}
        assert find_preparation(session, SLUG) is None


def test_the_draft_that_a_test_made_is_the_one_that_is_prepared(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    with campaign_engine.begin() as connection:
        number = write_tested_draft(connection, make_plan(campaign_workspace, campaign_engine, now), now)
    assert begin(campaign_engine, now).campaign_id == number
    assert count_campaigns(campaign_engine) == 1


def test_a_second_click_finds_what_the_first_has_begun(campaign_engine: Engine, now: datetime) -> None:
    gate = threading.Barrier(4)

    def click(_: int) -> int:
        gate.wait(timeout=120)
        try:
            return begin(campaign_engine, now).campaign_id
        except AlreadyPreparedError as error:
            return -error.campaign_id

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(click, range(4)))
    assert numbers == [-1, -1, -1, 1]
    assert count_campaigns(campaign_engine) == 1


def test_what_was_decided_is_kept_with_who_and_when(campaign_engine: Engine, now: datetime) -> None:
    ann, ben = join(campaign_engine, now), join(campaign_engine, now, "Ben Boss")
    begun, later = begin(campaign_engine, now, ann), now + timedelta(hours=1)
    wanted = Decisions(
        segment="country:MN",
        again=True,
        count_clicks=False,
        start_at=START,
        start_zone="Asia/Ulaanbaatar",
        canary=0,
        canary_minutes=2.5,
        archived=True,
        in_doubt=InDoubtPolicy.resend,
        note="For the spring conference.",
    )
    with open_session(campaign_engine) as session:
        saved = save_preparation(session, begun, wanted, member_id=ben.id, now=later)
        session.commit()
    with open_session(campaign_engine, read_only=True) as session:
        assert read_preparation(session, begun.campaign_id) == saved
    assert saved.decisions == wanted
    assert (saved.version, saved.prepared_by, saved.changed_by) == (2, "Ann Author", "Ben Boss")
    assert (saved.prepared_at, saved.changed_at) == (now, later)
    assert saved.as_dict()["start_at"] == "2026-03-30T01:00:00+00:00"
    # Saving the same again is no change.
    assert save(campaign_engine, saved, later + timedelta(hours=1), ann) == saved


def test_two_people_may_decide_different_things_at_once(campaign_engine: Engine, now: datetime) -> None:
    begun = begin(campaign_engine, now)
    save(campaign_engine, begun, now, segment="country:MN")
    both = save(campaign_engine, begun, now, note="Hello")
    assert (both.decisions.segment, both.decisions.note) == ("country:MN", "Hello")


def test_who_decides_the_same_thing_later_sees_both_and_nothing_is_lost(
    campaign_engine: Engine, now: datetime
) -> None:
    ben = join(campaign_engine, now, "Ben Boss")
    begun = begin(campaign_engine, now)
    theirs = save(campaign_engine, begun, now, ben, segment="country:MN", note="Ben's")
    with pytest.raises(PreparationConflictError) as caught:
        save(campaign_engine, begun, now, segment="country:CN", canary=5)
    assert caught.value.decisions == {Decision.segment}
    assert caught.value.theirs == theirs
    with open_session(campaign_engine, read_only=True) as session:
        assert read_preparation(session, begun.campaign_id) == theirs, "nothing of a conflict is saved"
    # Whoever has seen theirs and saves again means it.
    again = save(campaign_engine, theirs, now, segment="country:CN", canary=5)
    assert (again.decisions.segment, again.decisions.canary, again.decisions.note) == (
        "country:CN",
        5,
        "Ben's",
    )
    # Two who decide the same agree.
    assert save(campaign_engine, begun, now, segment="country:CN").decisions == again.decisions


_DECISIONS = st.builds(
    Decisions,
    segment=st.sampled_from([None, "all", "country:MN"]),
    segment_name=st.sampled_from(["", "east"]),
    again=st.booleans(),
    start_at=st.sampled_from([None, START, START + timedelta(days=1)]),
    start_zone=st.sampled_from(["", "UTC"]),
    canary=st.sampled_from([None, 0, 5]),
    canary_minutes=st.sampled_from([None, 10.0]),
    note=st.sampled_from(["", "a", "b"]),
)


@given(_DECISIONS, _DECISIONS, st.sets(st.sampled_from(list(Decision))))
def test_taking_some_decisions_takes_those_and_leaves_the_others(
    mine: Decisions, theirs: Decisions, chosen: set[Decision]
) -> None:
    merged = mine.take(theirs, frozenset(chosen))
    assert not merged.list_changes(theirs) & chosen
    assert not merged.list_changes(mine) - chosen
    assert mine.list_changes(theirs) == theirs.list_changes(mine)
    assert mine.take(theirs, mine.list_changes(theirs)) == theirs


@pytest.mark.parametrize("state", [CampaignState.scheduled, CampaignState.sending, CampaignState.cancelled])
def test_nothing_is_decided_any_more_once_it_is_out_of_the_teams_hands(
    campaign_engine: Engine, now: datetime, state: CampaignState
) -> None:
    begun = begin(campaign_engine, now)
    with Session(campaign_engine) as session:
        campaign = find_campaign(session, begun.campaign_id)
        campaign.state = state
        session.add(campaign)
        session.commit()
    with pytest.raises(PreparationOverError, match="no longer being prepared"):
        save(campaign_engine, begun, now, note="Too late")


def test_a_launch_takes_the_draft_that_was_prepared_for_its_segment(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    begun = save(campaign_engine, begin(campaign_engine, now), now, segment="country:MN")
    plan = plan_prepared_campaign(campaign_workspace, campaign_engine, begun, now=now)
    assert plan.segment.text == "country:MN"
    assert launch(campaign_engine, campaign_workspace, plan, now=now) == begun.campaign_id
    with open_session(campaign_engine, read_only=True) as session:
        kept = read_preparation(session, begun.campaign_id)
        assert kept is not None
        assert (kept.state, kept.decisions.segment) == (CampaignState.sending, "country:MN")
        assert find_preparation(session, SLUG) is None


def test_a_launch_for_another_segment_leaves_the_draft_to_the_team(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    begun = save(campaign_engine, begin(campaign_engine, now), now, segment="country:MN")
    plan = make_plan(campaign_workspace, campaign_engine, now, "country:CN")
    other = launch(campaign_engine, campaign_workspace, plan, now=now)
    assert other != begun.campaign_id
    with open_session(campaign_engine, read_only=True) as session:
        assert find_preparation(session, SLUG) == begun


def test_a_test_of_the_edition_is_a_test_of_what_is_prepared(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    begun = save(campaign_engine, begin(campaign_engine, now), now, segment="country:MN")
    with campaign_engine.begin() as connection:
        plan = make_plan(campaign_workspace, campaign_engine, now, "country:CN")
        assert write_tested_draft(connection, plan, now) == begun.campaign_id
    with open_session(campaign_engine, read_only=True) as session:
        found = find_preparation(session, SLUG)
        assert found is not None
        assert (found.state, found.decisions) == (CampaignState.tested, begun.decisions)


def test_without_a_segment_there_is_no_plan(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    begun = begin(campaign_engine, now)
    with pytest.raises(NoSegmentError, match="Nobody has chosen yet who gets campaign 1"):
        plan_prepared_campaign(campaign_workspace, campaign_engine, begun, now=now)
    with Session(campaign_engine) as session:
        found = check_test(session, campaign_workspace, begun.campaign_id)
        assert (found.state, found.test, found.test_ahead) == (CampaignState.draft, None, True)


def approve_prepared(workspace: Workspace, engine: Engine, now: datetime) -> Preparation:
    begun = save(engine, begin(engine, now), now, segment="country:MN", canary=2)
    plan = plan_prepared_campaign(workspace, engine, begun, now=now)
    assert approve(engine, workspace, plan, by="Ben", now=now).campaign_id == begun.campaign_id
    with open_session(engine, read_only=True) as session:
        approved = read_preparation(session, begun.campaign_id)
    assert approved is not None
    assert approved.state is CampaignState.approved
    return approved


def test_an_approved_campaign_is_a_draft_again_if_what_was_approved_changes(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    changed = save(campaign_engine, approved, now, segment="country:MN,CN")
    assert (changed.campaign_id, changed.state) == (approved.campaign_id, CampaignState.draft)
    with Session(campaign_engine) as session:
        campaign = find_campaign(session, approved.campaign_id)
        assert (campaign.approved_by, campaign.approved_at, campaign.approved_digest) == ("", None, "")
    plan = plan_prepared_campaign(campaign_workspace, campaign_engine, changed, now=now)
    assert approve(campaign_engine, campaign_workspace, plan, by="Ben", now=now).campaign_id == 1


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"start_at": START, "start_zone": "UTC"}, Decision.start),
        ({"canary": 5}, Decision.canary),
        ({"archived": True}, Decision.archive),
        ({"in_doubt": InDoubtPolicy.resend}, Decision.in_doubt),
        ({"note": "Wait for the minister."}, Decision.note),
    ],
)
def test_what_an_approval_is_not_about_may_change_after_it(
    campaign_workspace: Workspace,
    campaign_engine: Engine,
    now: datetime,
    changes: dict[str, Any],
    decision: Decision,
) -> None:
    assert decision not in BINDING_DECISIONS
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    assert save(campaign_engine, approved, now, **changes).state is CampaignState.approved


def test_the_name_a_segment_is_chosen_by_is_no_part_of_what_is_approved(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    named = save(campaign_engine, approved, now, segment_name="steppe")
    assert (named.state, named.decisions.segment_name) == (CampaignState.approved, "steppe")
    other = save(campaign_engine, named, now, segment="country:CN", segment_name="steppe")
    assert other.state is CampaignState.draft


def test_a_draft_that_only_a_test_made_gives_way_to_the_one_that_is_reopened(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    write_edition(campaign_workspace.editions, subject="Another subject")
    with campaign_engine.begin() as connection:
        plan = make_plan(campaign_workspace, campaign_engine, now)
        tested = write_tested_draft(connection, plan, now)
    assert tested != approved.campaign_id
    assert save(campaign_engine, approved, now, again=True).state is CampaignState.draft
    with Session(campaign_engine) as session:
        other = find_campaign(session, tested)
        assert other.state is CampaignState.cancelled
        assert "campaign 1 is the draft of this edition again" in other.state_reason.lower()
        drafts = session.exec(select(Campaign.id).where(Campaign.state == CampaignState.draft)).all()
        assert drafts == [approved.campaign_id]


def test_it_is_not_reopened_beside_another_that_is_being_prepared(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    second = begin(campaign_engine, now)
    assert second.campaign_id != approved.campaign_id
    with pytest.raises(AlreadyPreparedError, match=f"campaign {second.campaign_id}"):
        save(campaign_engine, approved, now, segment="all")
    with open_session(campaign_engine, read_only=True) as session:
        assert read_preparation(session, approved.campaign_id) == approved


def test_a_draft_that_was_cancelled_can_be_prepared_anew(campaign_engine: Engine, now: datetime) -> None:
    begun = begin(campaign_engine, now)
    with open_session(campaign_engine) as session:
        cancel_campaign(session, begun.campaign_id, now=now)
        session.commit()
    assert begin(campaign_engine, now).campaign_id != begun.campaign_id


def test_the_settings_decide_what_the_team_leaves_to_them() -> None:
    settings = CampaignSettings(canary=50, canary_minutes=30, archive=True, in_doubt="resend", rate=9)
    left = Decisions().column_values(settings)
    assert (left["canary"], left["canary_minutes"], left["archived"]) == (50, 30, True)
    assert left["in_doubt_policy"] is InDoubtPolicy.resend
    decided = Decisions(canary=0, archived=False, in_doubt=InDoubtPolicy.hold)
    own = replace(decided, by="Ann").column_values(settings)
    assert (own["canary"], own["canary_minutes"], own["archived"]) == (None, None, False)
    assert (own["in_doubt_policy"], own["rate"]) == (InDoubtPolicy.hold, 9)


def test_each_member_has_their_own_mark_on_a_version_and_a_changed_one_has_none(
    campaign_engine: Engine, now: datetime
) -> None:
    ann, ben = join(campaign_engine, now), join(campaign_engine, now, "Ben Boss")
    number = begin(campaign_engine, now).campaign_id
    with open_session(campaign_engine) as session:
        for _ in range(2):
            mark_variant_seen(session, number, ann.id, "a" * 64, now=now)
            session.flush()
        session.commit()
    with open_session(campaign_engine, read_only=True) as session:
        assert list_seen_variants(session, number, ann.id) == {"a" * 64}
        assert list_seen_variants(session, number, ben.id) == frozenset()
        assert list_seen_variants(session, number + 1, ann.id) == frozenset()


def test_the_content_of_a_prepared_draft_is_frozen_when_it_is_asked_for(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    begun = save(campaign_engine, begin(campaign_engine, now), now, segment="country:MN")
    plan = plan_prepared_campaign(campaign_workspace, campaign_engine, begun, now=now)
    with campaign_engine.begin() as connection:
        assert write_draft(connection, plan, now) == begun.campaign_id
    with Session(campaign_engine) as session:
        campaign = find_campaign(session, begun.campaign_id)
        assert (campaign.title, campaign.segment, campaign.digest) == (
            plan.title,
            "country:MN",
            plan.digest,
        )


def test_a_campaign_whose_content_has_changed_since_its_approval_keeps_its_number(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    approved = approve_prepared(campaign_workspace, campaign_engine, now)
    write_edition(campaign_workspace.editions, subject="Another subject")
    plan = plan_prepared_campaign(campaign_workspace, campaign_engine, approved, now=now)
    again = approve(campaign_engine, campaign_workspace, plan, by="Ben", now=now)
    assert again.campaign_id == approved.campaign_id
    assert count_campaigns(campaign_engine) == 1
    with Session(campaign_engine) as session:
        campaign = find_campaign(session, approved.campaign_id)
        assert (campaign.state, campaign.subject) == (CampaignState.approved, "Another subject")
