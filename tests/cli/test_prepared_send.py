"""What the command line makes of a campaign that the team has prepared in Studio."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlmodel import Session

from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.preparation_store import begin_preparation, save_preparation
from mailer.cli import mailer
from mailer.database.engine import open_session
from mailer.database.models import Campaign, InDoubtPolicy
from mailer.database.team_models import Role
from mailer.team.members import add_member
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, add_people, write_edition, write_second_story

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
Prepare = Callable[..., int]


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words])


def read(root: Path, *words: str) -> Any:
    result = run(root, *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def prepare(workspace: Workspace) -> Iterator[Prepare]:
    """Prepares the small edition in Studio, with some decisions."""
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)

    def decide(**decisions: Any) -> int:
        with open_session(engine) as session:
            ann = add_member(session, "ann@example.org", "Ann Author", Role.author, now=NOW)
            begun = begin_preparation(session, SLUG, title="News", member_id=ann.id, now=NOW)
            save_preparation(session, begun, Decisions(**decisions), member_id=ann.id, now=NOW)
            session.commit()
            return begun.campaign_id

    yield decide
    engine.dispose()


def load(workspace: Workspace, number: int) -> Campaign:
    engine = workspace.open_database()
    with Session(engine) as session:
        found = find_campaign(session, number)
        session.expunge(found)
    engine.dispose()
    return found


def test_without_a_segment_it_sends_what_was_prepared_and_says_so(
    workspace: Workspace, prepare: Prepare
) -> None:
    number = prepare(
        segment="country:MN,CN", canary=1, canary_minutes=2.5, archived=True, in_doubt=InDoubtPolicy.resend
    )
    shown = run(workspace.root, "send", SLUG)
    assert shown.exit_code == 0, shown.stderr
    assert "To country:MN,CN: 2 readers." in shown.stdout
    taken = (
        f"From campaign {number}, which is being prepared, as Ann Author left it: --segment 'country:MN,CN' "
        "--canary 1 --canary-minutes 2.5 --in-doubt resend --archive"
    )
    assert taken in shown.stderr
    assert read(workspace.root, "send", SLUG)["prepared"]["segment"] == "country:MN,CN"
    sent = read(workspace.root, "send", SLUG, "--confirm", "--detach")
    assert (sent["id"], sent["audience"]) == (number, 2)
    campaign = load(workspace, number)
    assert (campaign.canary, campaign.canary_minutes, campaign.archived) == (1, 2.5, True)
    assert campaign.in_doubt_policy is InDoubtPolicy.resend


def test_an_option_that_is_given_wins(workspace: Workspace, prepare: Prepare) -> None:
    start = datetime(2199, 3, 1, 9, 0, tzinfo=UTC)
    number = prepare(segment="country:MN,CN", canary=1, archived=True, start_at=start, start_zone="UTC")
    options = ("--canary", "0", "--no-archive", "--at", "now", "--in-doubt", "hold")
    sent = run(workspace.root, "send", SLUG, *options, "--confirm", "--detach")
    assert sent.exit_code == 0, sent.stderr
    assert f"From campaign {number}" in sent.stderr
    assert "--archive" not in sent.stderr.splitlines()[0]
    campaign = load(workspace, number)
    assert (campaign.state, campaign.canary, campaign.archived) == ("sending", None, False)


def test_a_prepared_start_schedules_it(workspace: Workspace, prepare: Prepare) -> None:
    start = datetime(2199, 3, 1, 9, 0, tzinfo=UTC)
    number = prepare(segment="all", start_at=start, start_zone="UTC")
    scheduled = read(workspace.root, "send", SLUG, "--confirm")
    assert (scheduled["id"], scheduled["state"]) == (number, "scheduled")
    assert load(workspace, number).scheduled_at == start


def test_a_start_that_has_passed_is_refused(workspace: Workspace, prepare: Prepare) -> None:
    prepare(segment="all", start_at=NOW, start_zone="UTC")
    refused = run(workspace.root, "send", SLUG, "--confirm")
    assert refused.exit_code == 1
    assert "is in the past" in refused.stderr


def test_with_a_segment_the_draft_is_named_and_left_alone(workspace: Workspace, prepare: Prepare) -> None:
    number = prepare(segment="country:MN", canary=1)
    sent = run(workspace.root, "send", SLUG, "--segment", "country:CN", "--confirm", "--detach", "--json")
    assert sent.exit_code == 0, sent.stderr
    assert f"Campaign {number} is being prepared for this edition." in sent.stderr
    other = load(workspace, json.loads(sent.stdout)["id"])
    assert (other.segment, other.canary, other.id == number) == ("country:CN", None, False)
    assert load(workspace, number).state == "draft"


def test_nobody_says_who_gets_it(workspace: Workspace, prepare: Prepare) -> None:
    missing = run(workspace.root, "send", "2026-1")
    assert missing.exit_code == 2
    assert "Missing option '--segment'" in missing.stderr
    number = prepare(note="Ask Ben first.")
    undecided = run(workspace.root, "send", SLUG)
    assert undecided.exit_code == 1
    assert f"Nobody has chosen yet who gets campaign {number}." in undecided.stderr


def test_list_and_show_tell_what_was_decided(workspace: Workspace, prepare: Prepare) -> None:
    number = prepare(
        segment="country:MN",
        again=True,
        start_at=datetime(2199, 3, 1, 9, 0, tzinfo=UTC),
        start_zone="UTC",
        canary=0,
        count_clicks=False,
        note="For the spring\nconference.",
    )
    assert "country:MN" in run(workspace.root, "campaigns", "list").stdout
    shown = run(workspace.root, "campaigns", "show", str(number))
    assert shown.exit_code == 0, shown.stderr
    assert "prepared in Studio, last changed by Ann Author, 2026-03-01 09:00 UTC" in shown.stdout
    for name, words in (
        ("segment", "country:MN"),
        ("again", "also to readers who already have it"),
        ("starts", "2199-03-01 09:00 UTC, once it is launched"),
        ("canary", "none"),
        ("clicks", "are not counted"),
        ("note", "For the spring conference."),
    ):
        assert any(line.split(None, 1) == [name, words] for line in shown.stdout.splitlines()), name
    told = read(workspace.root, "campaigns", "show", str(number))["prepared"]
    assert (told["segment"], told["again"], told["archived"]) == ("country:MN", True, None)
    (listed,) = read(workspace.root, "campaigns", "list")
    assert listed["prepared"] == told


def test_a_draft_in_which_nothing_is_decided_can_be_shown(workspace: Workspace, prepare: Prepare) -> None:
    number = prepare()
    assert "not chosen yet" in run(workspace.root, "campaigns", "list").stdout
    shown = run(workspace.root, "campaigns", "show", str(number))
    assert shown.exit_code == 0, shown.stderr
    assert "prepared in Studio" in shown.stdout


def test_the_versions_of_a_test_are_those_of_the_prepared_segment(
    workspace: Workspace, prepare: Prepare
) -> None:
    prepare(segment="country:FR")
    write_second_story(workspace.editions / SLUG, personalise="filter")
    refused = run(workspace.root, "send", SLUG, "--test", "me@office.example", "--variant", "1")
    assert refused.exit_code == 1
    assert "Nobody in the segment 'country:FR' would get" in refused.stderr
