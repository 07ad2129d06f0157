"""Plans: who would get what, and who would not and why."""

import contextlib
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine

from editions.errors import ProblemLevel
from mailer.campaigns.launch import launch
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.preflight import run_preflight_for_list
from mailer.campaigns.report.campaign_report import report_campaign
from mailer.database.engine import open_session
from mailer.database.models import CampaignState
from mailer.errors import ConfigurationError
from mailer.rendering.body.variants import choose_language
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.segments.segment import parse_segment
from tests.factories.campaigns import make_plan
from tests.factories.deliveries import set_campaign_state, set_status
from tests.factories.json_output import to_json
from tests.factories.small_edition import SLUG, add_people, write_edition, write_second_story


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    """The workspace's own database, with seven people on the list, and a small edition beside it."""
    write_edition(workspace.editions)
    engine = workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


def test_a_plan_counts_the_audience_every_way(workspace: Workspace, engine: Engine, now: datetime) -> None:
    plan = make_plan(workspace, engine, now)
    assert plan.errors == ()
    assert plan.audience == 4
    assert plan.by_country == {"CN": 1, "JP": 1, "KR": 1, "MN": 1}
    assert plan.by_sector == {"education": 2, "culture": 2}
    assert plan.by_language == {"en": 3, "zh": 1}
    assert plan.left_out == {"bounced": 1, "paused": 1, "unsubscribed": 1}
    assert (plan.title, plan.subject, plan.languages) == ("Partner News", "News from the field", ("en", "zh"))


def test_a_segment_narrows_the_audience_and_those_left_out(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now, "country:MN sector:education")
    assert (plan.audience, plan.by_country) == (1, {"MN": 1})
    assert plan.left_out == {"paused": 1, "unsubscribed": 1}
    assert plan.segment_label == "country:MN sector:education"


def test_those_who_have_the_edition_are_left_out_unless_asked_for(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    launch(engine, workspace, make_plan(workspace, engine, now, "country:MN,CN"), now=now)
    rest = make_plan(workspace, engine, now)
    assert (rest.audience, rest.left_out["already have this edition"]) == (2, 2)
    again = make_plan(workspace, engine, now, again=True)
    assert (again.audience, "already have this edition" in again.left_out) == (4, False)


def test_those_whom_a_cancelled_campaign_did_not_reach_are_not_left_out(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    assert make_plan(workspace, engine, now).audience == 0
    set_campaign_state(engine, number, CampaignState.cancelled)
    assert make_plan(workspace, engine, now).audience == 4


def test_a_pause_that_is_over_counts_again(workspace: Workspace, engine: Engine, now: datetime) -> None:
    set_status(engine, "quiet@example.org", Status.active)
    assert make_plan(workspace, engine, now).audience == 5


def test_planning_writes_nothing(workspace: Workspace, engine: Engine, now: datetime) -> None:
    files = {path: path.read_bytes() for path in workspace.root.rglob("*.md")}
    with engine.connect().execution_options(read_only=True) as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        make_plan(workspace, engine, now)
        connection.rollback()
        assert connection.exec_driver_sql("PRAGMA data_version").scalar_one() == before
    assert {path: path.read_bytes() for path in workspace.root.rglob("*.md")} == files


def test_an_edition_with_errors_has_a_plan_that_says_so(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    (workspace.editions / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    plan = make_plan(workspace, engine, now)
    assert plan.compiled == ()
    assert plan.errors
    assert all(problem.level is ProblemLevel.error for problem in plan.errors)
    assert to_json(plan)["problems"][0]["level"] == "error"


def test_a_missing_edition_has_no_plan(workspace: Workspace, engine: Engine, now: datetime) -> None:
    with pytest.raises(ConfigurationError, match="There is no edition 2099-1"):
        plan_campaign(workspace, engine, "2099-1", parse_segment("all"), now=now)


def test_the_digest_covers_content_and_audience_rule(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    assert make_plan(workspace, engine, now).digest == plan.digest
    assert make_plan(workspace, engine, now, "country:MN").digest != plan.digest
    write_edition(workspace.editions, subject="Another subject")
    assert make_plan(workspace, engine, now).digest != plan.digest


def test_where_nothing_is_personal_there_is_one_newsletter_per_language(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    assert [(variant.language, circle.size) for variant, circle in plan.variants.items()] == [
        ("en", 3),
        ("zh", 1),
    ]


def test_a_plan_names_every_newsletter_and_a_sample_reader_of_each(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    write_second_story(workspace.editions / SLUG, personalise="filter")
    plan = make_plan(workspace, engine, now)
    assert plan.languages == ("en",)
    # In the list's order: Bat (MN, education), Li (CN, education and culture), Kim (KR), Sato (JP, culture).
    found = {variant.stories: (circle.size, circle.first_id) for variant, circle in plan.variants.items()}
    assert found == {
        ("teachers",): (1, 1),
        ("teachers", "museum"): (2, 2),
        ("museum",): (1, 4),
    }
    assert sum(circle.size for circle in plan.variants.values()) == plan.audience
    assert plan.as_dict()["variants"][0] == {"number": 1, "language": "en", "stories": 2, "readers": 2}


def test_the_outbox_holds_one_message_of_every_newsletter(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    write_second_story(workspace.editions / SLUG, personalise="filter")
    plan = make_plan(workspace, engine, now)
    outbox = write_outbox(workspace, engine, plan, addresses=["sato@example.org"], now=now)
    assert [path.name for path in outbox] == [
        f"{SLUG}.en.01.eml",
        f"{SLUG}.en.02.eml",
        f"{SLUG}.en.03.eml",
        f"{SLUG}.sato@example.org.eml",
    ]
    last = outbox[-1].read_bytes()
    assert b"A museum opens at night" in last
    assert b"Teachers meet in Ulaanbaatar" not in last


def test_the_digest_covers_what_readers_follow(workspace: Workspace, engine: Engine, now: datetime) -> None:
    folder = write_edition(workspace.editions)
    write_second_story(folder, personalise="order")
    plan = make_plan(workspace, engine, now)
    text = (folder / "edition.md").read_text(encoding="utf-8")
    (folder / "edition.md").write_text(text.replace("personalise: order", "personalise: filter"))
    assert make_plan(workspace, engine, now).digest != plan.digest


@pytest.mark.parametrize(
    ("wanted", "available", "chosen"),
    [
        ("zh", ["en", "zh"], "zh"),
        ("ZH", ["en", "zh"], "zh"),
        ("zh-Hans", ["en", "zh"], "zh"),
        ("zh", ["en", "zh-Hans"], "zh-Hans"),
        ("zh-Hant", ["en", "zh-Hans", "zh-Hant"], "zh-Hant"),
        ("mn", ["en", "zh"], "en"),
        ("", ["en", "zh"], "en"),
        (None, ["fr"], "fr"),
    ],
)
def test_a_reader_gets_their_language_or_the_editions_own(
    wanted: str | None, available: list[str], chosen: str
) -> None:
    assert choose_language(wanted, available) == chosen


def test_every_newsletter_with_a_reader_is_checked(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    write_second_story(workspace.editions / SLUG, personalise="filter")
    looked_at = run_preflight_for_list(workspace, SLUG, today=now.date()).mails
    assert [mail.variant for mail in looked_at] == [
        "the whole edition",
        "the version with 1 story from teachers on",
        "the version with 1 story from museum on",
    ]


def test_without_a_list_an_edition_is_checked_as_a_whole(workspace: Workspace, now: datetime) -> None:
    write_edition(workspace.editions)
    with contextlib.suppress(FileNotFoundError):
        (workspace.root / "mailer.db").unlink()
    looked_at = run_preflight_for_list(workspace, SLUG, today=now.date()).mails
    assert [mail.variant for mail in looked_at] == ["the whole edition", "the whole edition"]
    assert not (workspace.root / "mailer.db").exists()


def test_a_plan_and_a_report_name_the_checks_an_edition_does_without(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    edition = write_edition(workspace.editions) / "edition.md"
    text = edition.read_text(encoding="utf-8")
    edition.write_text(
        text.replace("language: en", "language: en\nchecks:\n  long-subject: Our name is long.")
    )
    plan = make_plan(workspace, engine, now)
    assert [(off.code, off.reason) for off in plan.switched_off] == [("long-subject", "Our name is long.")]
    number = launch(engine, workspace, plan, now=now)
    with open_session(engine, read_only=True) as reading:
        report = report_campaign(reading, number, workspace)
    assert report.switched_off == {"long-subject": "Our name is long."}
    assert report.as_dict()["switched_off"] == {"long-subject": "Our name is long."}
