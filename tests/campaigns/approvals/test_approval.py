"""Approvals: what they bind to, what voids them and with which words, and what is launched by them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import Session, select

from locales.phrase import Phrase
from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError, check_approval, find_approval
from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import cancel_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.database.models import CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings.campaigns import CampaignSettings
from mailer.settings.feedback import FeedbackSettings
from mailer.settings.web import LawSettings, WebSettings
from mailer.workspace import Workspace
from subscribers.segments.saved_segments import SavedSegmentStore
from subscribers.segments.saved_segments import save_segment as save_segment
from subscribers.segments.terms import SegmentLookups
from tests.campaigns.approvals.calls_at_once import run_together
from tests.factories.campaigns import count_campaigns, with_sender, with_settings
from tests.factories.deliveries import FakeClock, read_campaign, read_states
from tests.factories.small_edition import SLUG, add_people, write_edition, write_second_story

HOUR = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MEI = LaunchOptions(by="Mei")
COMMAND = r"`mailer campaigns approve 2026-1 --segment all --as NAME`"


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    illustrate(write_edition(either_workspace.editions), "navy")
    return with_campaigns(either_workspace, approval="required")


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


def illustrate(folder: Path, colour: str) -> None:
    """A picture for the story of :func:`write_edition`, always under the same name."""
    Image.new("RGB", (1200, 800), colour).save(folder / "images" / "teachers.png")
    story = folder / "stories" / "010-teachers.md"
    words = "image:\n  file: teachers.png\n  alt: Teachers around a table\n---\n\nSixty"
    text = story.read_text(encoding="utf-8")
    if "image:" not in text:
        story.write_text(text.replace("---\n\nSixty", words), encoding="utf-8")
    # A mail of few words must not have a picture.
    translation = folder / "stories" / "010-teachers.zh.md"
    text = translation.read_text(encoding="utf-8")
    if "每位教师" not in text:
        translation.write_text(f"{text}\n{'每位教师都介绍了自己学校的经验。' * 20}\n", encoding="utf-8")


def with_campaigns(workspace: Workspace, **values: object) -> Workspace:
    campaigns = workspace.settings.campaigns.model_copy(update=values)
    return with_settings(workspace, campaigns=campaigns)


def make_plan(
    workspace: Workspace, engine: Engine, now: datetime, query: str = "all", *, again: bool = False
) -> Plan:
    with Session(engine) as session:
        segment = read_segment(query, workspace.settings, session)
    return plan_campaign(workspace, engine, SLUG, segment, again=again, now=now)


def approve_now(
    workspace: Workspace, engine: Engine, now: datetime, query: str = "all", *, by: str = "Director"
) -> Approval:
    return approve(engine, workspace, make_plan(workspace, engine, now, query), by=by, now=now)


def check(engine: Engine, workspace: Workspace, number: int) -> Approval:
    with Session(engine) as session:
        found = check_approval(session, workspace, number)
    assert found is not None
    return found


# --- the whole way


def test_what_is_approved_is_frozen_and_launched(workspace: Workspace, engine: Engine, now: datetime) -> None:
    plan = make_plan(workspace, engine, now)
    with pytest.raises(LaunchRefusedError, match=f"2026-1 needs an approval for this segment.* {COMMAND}"):
        launch(engine, workspace, plan, now=now)
    assert count_campaigns(engine) == 0
    approval = approve(engine, workspace, plan, by="  A.  Director ", now=now)
    waiting = read_campaign(engine, approval.campaign_id)
    assert (waiting.state, waiting.audience, read_states(engine)) == (CampaignState.approved, 0, {})
    assert (waiting.approved_by, waiting.approved_at) == ("A. Director", now)
    assert waiting.approved_digest == waiting.digest == plan.digest
    assert check(engine, workspace, approval.campaign_id) == approval
    launched = launch_or_continue(engine, workspace, make_plan(workspace, engine, now), now=now)
    assert (launched.campaign_id, launched.continued) == (approval.campaign_id, False)
    campaign = read_campaign(engine, launched.campaign_id)
    assert (campaign.state, campaign.approved_by) == (CampaignState.sending, "A. Director")
    assert (len(read_states(engine)), count_campaigns(engine)) == (4, 1)
    with Session(engine) as session:
        rows = session.exec(select(CampaignContent)).all()
    frozen = {row.language: CompiledEdition.from_bytes(row.body) for row in rows}
    assert frozen == {mail.language: mail for mail in plan.compiled}
    write_edition(workspace.editions, subject="Changed afterwards")
    assert check(engine, workspace, launched.campaign_id).holds


def test_an_approval_is_for_its_segment_alone(workspace: Workspace, engine: Engine, now: datetime) -> None:
    approve_now(workspace, engine, now, "country:MN")
    with pytest.raises(
        LaunchRefusedError, match=r"Changed since: the segment, which was 'country:MN' and is 'all'"
    ):
        launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    launch(engine, workspace, make_plan(workspace, engine, now, "country:MN"), now=now)


def test_an_approval_is_for_those_who_do_not_have_the_edition(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    approve_now(workspace, engine, now)
    again = make_plan(workspace, engine, now, again=True)
    with pytest.raises(
        LaunchRefusedError, match=r"whether those who have it already get it again.* --again --as NAME`"
    ):
        launch(engine, workspace, again, now=now)
    number = approve(engine, workspace, again, by="Director", now=now).campaign_id
    assert (count_campaigns(engine), read_campaign(engine, number).again) == (1, True)
    assert launch(engine, workspace, again, now=now) == number


def test_without_the_rule_a_launch_needs_no_approval_and_keeps_one_that_holds(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    free = with_campaigns(workspace, approval="optional")
    number = approve_now(free, engine, now, "country:MN").campaign_id
    assert launch(engine, free, make_plan(free, engine, now, "country:MN"), now=now) == number
    other = launch(engine, free, make_plan(free, engine, now, "country:CN"), now=now)
    assert read_campaign(engine, other).approved_by == ""


# --- what voids it


def change_word(workspace: Workspace) -> Workspace:
    return _replace(workspace, "stories/010-teachers.md", "Sixty teachers", "Seventy teachers")


def change_description(workspace: Workspace) -> Workspace:
    return _replace(workspace, "stories/010-teachers.md", "around a table", "in a garden")


def change_translation(workspace: Workspace) -> Workspace:
    return _replace(workspace, "stories/010-teachers.zh.md", "六十名", "七十名")


def change_letter(workspace: Workspace) -> Workspace:
    return _replace(workspace, "edition.md", "Thank you for your work.", "Thank you for all your work.")


def change_picture(workspace: Workspace) -> Workspace:
    illustrate(workspace.editions / SLUG, "maroon")
    return workspace


def change_subject(workspace: Workspace) -> Workspace:
    return _replace(workspace, "edition.md", "subject: News from the field", "subject: One more word")


def send_to_everyone(workspace: Workspace) -> Workspace:
    return _replace(workspace, "stories/010-teachers.md", "countries: [MN]", "countries: [MN]\neveryone: yes")


def change_personalisation(workspace: Workspace) -> Workspace:
    return _replace(workspace, "edition.md", "language: en", "language: en\npersonalise: filter")


def switch_check_off(workspace: Workspace) -> Workspace:
    switched = "language: en\nchecks:\n  long-story: It was asked for."
    return _replace(workspace, "edition.md", "language: en", switched)


def add_story(workspace: Workspace) -> Workspace:
    write_second_story(workspace.editions / SLUG, personalise="off")
    translation = workspace.editions / SLUG / "stories" / "020-museum.zh.md"
    translation.write_text("---\ntitle: 博物馆\n---\n\n博物馆夜间开放。\n", encoding="utf-8")
    return workspace


def drop_translation(workspace: Workspace) -> Workspace:
    for name in ("edition.zh.md", "stories/010-teachers.zh.md"):
        (workspace.editions / SLUG / name).unlink()
    return workspace


def change_colour(workspace: Workspace) -> Workspace:
    folder = workspace.root / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / "periodical.toml").write_text('[light]\nink = "#101820"\n', encoding="utf-8")
    return workspace


def change_organisation(workspace: Workspace) -> Workspace:
    return with_sender(workspace, organisation="UNESCO Regional Office in Beijing")


def change_address(workspace: Workspace) -> Workspace:
    return with_sender(workspace, address="other@example.org")


def change_pages(workspace: Workspace) -> Workspace:
    return with_settings(workspace, web=WebSettings(base_url="https://letters.example.org"))


def change_law(workspace: Workspace) -> Workspace:
    return with_settings(workspace, law=LawSettings(opt_in=("JP", "KR")))


def change_leave_address(workspace: Workspace) -> Workspace:
    # Where bounces go is between servers, and no reader sees it.
    addresses = {"leave_address": "leave@x.example", "bounce_address": "bounce@x.example"}
    return with_settings(workspace, feedback=FeedbackSettings.model_validate(addresses))


def change_labels(workspace: Workspace) -> Workspace:
    return with_settings(workspace, subject_labels={"CN": "广告"})


def _replace(workspace: Workspace, name: str, old: str, new: str) -> Workspace:
    path = workspace.editions / SLUG / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return workspace


CHANGES: dict[Callable[[Workspace], Workspace], tuple[str, ...]] = {
    change_word: ("the text of the story teachers (en)",),
    change_description: ("the text of the story teachers (en, zh)",),
    change_translation: ("the text of the story teachers (zh)",),
    change_letter: ("the letter or the text around the stories (en)",),
    change_picture: ("an image of the story teachers (en, zh)",),
    change_subject: ("the subject (en)",),
    send_to_everyone: ("the section of the story teachers, or who gets it (en, zh)",),
    change_personalisation: ("who gets which stories (personalise) (en, zh)",),
    switch_check_off: ("the checks that are switched off (en, zh)",),
    add_story: ("the story museum was added (en, zh)",),
    drop_translation: ("the zh version was removed",),
    change_colour: ("the theme, its templates or its phrases",),
    change_organisation: ("the setting [sender] organisation",),
    change_address: ("the setting [sender] address",),
    change_pages: ("the setting [web] base_url",),
    change_law: ("the setting [law] opt_in",),
    change_leave_address: ("the setting [feedback] leave_address",),
    change_labels: ("the setting [subject_labels]",),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_any_change_voids_it_and_is_named(
    workspace: Workspace, engine: Engine, now: datetime, change: Callable[[Workspace], Workspace]
) -> None:
    approval = approve_now(workspace, engine, now)
    changed = change(workspace)
    plan = make_plan(changed, engine, now)
    with pytest.raises(LaunchRefusedError) as caught:
        launch(engine, changed, plan, now=now)
    message = str(caught.value)
    assert "was approved by Director on 2026-03-01 09:00 UTC" in message
    assert f"Changed since: {'; '.join(CHANGES[change])}. Read" in message
    assert message.endswith(
        "approve it again with `mailer campaigns approve 2026-1 --segment all --as NAME`."
    )
    void = check(engine, changed, approval.campaign_id)
    assert (void.holds, void.changes) == (False, CHANGES[change])
    assert all(isinstance(one, Phrase) for one in void.changes), "a page could not translate it"
    assert (count_campaigns(engine), read_states(engine)) == (1, {})


def test_two_changes_are_both_named(workspace: Workspace, engine: Engine, now: datetime) -> None:
    number = approve_now(workspace, engine, now).campaign_id
    changed = change_colour(change_word(change_picture(workspace)))
    assert check(engine, changed, number).changes == (
        "the theme, its templates or its phrases",
        "an image of the story teachers (en, zh)",
        "the text of the story teachers (en)",
    )


def test_a_change_taken_back_leaves_what_was_approved(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = approve_now(workspace, engine, now).campaign_id
    change_word(workspace)
    assert not check(engine, workspace, number).holds
    illustrate(write_edition(workspace.editions), "navy")
    assert check(engine, workspace, number).holds
    assert launch(engine, workspace, make_plan(workspace, engine, now), now=now) == number


@pytest.mark.parametrize(
    "values",
    [{"rate": 5.0}, {"canary": 10}, {"window": "08:00-18:00"}],
    ids=lambda values: next(iter(values)),
)
def test_how_fast_it_is_sent_voids_nothing(
    workspace: Workspace, engine: Engine, now: datetime, values: dict[str, object]
) -> None:
    number = approve_now(workspace, engine, now).campaign_id
    changed = with_campaigns(workspace, **values)
    assert check(engine, changed, number).holds
    assert launch(engine, changed, make_plan(changed, engine, now), now=now) == number


def test_a_saved_segment_that_means_something_else_is_another_segment(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    def save(text: str) -> None:
        with Session(engine) as session:
            connection = session.connection()
            known = SegmentLookups(sectors=None, deliveries=None, saved=SavedSegmentStore(connection))
            save_segment(connection, "east", text, known, now=now)
            session.commit()

    save("country:MN")
    number = approve_now(workspace, engine, now, "segment:east").campaign_id
    save("country:MN,CN")
    with pytest.raises(
        LaunchRefusedError, match="the segment, which was 'country:MN' and is 'country:MN,CN'"
    ):
        launch(engine, workspace, make_plan(workspace, engine, now, "segment:east"), now=now)
    # A campaign keeps what the name meant, so its own approval still says what it said.
    assert check(engine, workspace, number).holds


def test_an_edition_that_has_errors_now_is_not_what_was_approved(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = approve_now(workspace, engine, now).campaign_id
    (workspace.editions / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    assert check(engine, workspace, number).changes == ("2026-1 has errors or no longer exists",)
    with engine.connect() as connection:
        found = find_approval(connection, workspace, make_plan(workspace, engine, now))
    assert found is not None
    assert found.changes == ("2026-1 has errors",)


# --- approving


def test_approving_twice_is_approving_once(workspace: Workspace, engine: Engine, now: datetime) -> None:
    first = approve_now(workspace, engine, now)
    later = now + timedelta(hours=1)
    assert approve(engine, workspace, make_plan(workspace, engine, now), by="director", now=later) == first
    assert count_campaigns(engine) == 1


def test_another_person_who_approves_takes_the_first_ones_place(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    first = approve_now(workspace, engine, now)
    second = approve_now(workspace, engine, now + timedelta(hours=1), by="Deputy")
    assert second.campaign_id == first.campaign_id
    assert read_campaign(engine, first.campaign_id).approved_by == "Deputy"


def test_approving_a_changed_edition_cancels_what_was_approved_before(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    first = approve_now(workspace, engine, now).campaign_id
    elsewhere = approve_now(workspace, engine, now, "country:MN").campaign_id
    change_word(workspace)
    second = approve_now(workspace, engine, now).campaign_id
    old = read_campaign(engine, first)
    assert (old.state, old.finished_at) == (CampaignState.cancelled, now)
    assert f"campaign {second} was approved instead" in old.state_reason
    assert read_campaign(engine, elsewhere).state is CampaignState.approved
    assert launch(engine, workspace, make_plan(workspace, engine, now), now=now) == second


def test_approving_after_a_changed_setting_renews_the_same_campaign(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = approve_now(workspace, engine, now).campaign_id
    changed = change_address(workspace)
    assert approve_now(changed, engine, now).campaign_id == number
    assert launch(engine, changed, make_plan(changed, engine, now), now=now) == number


def test_what_could_not_be_launched_is_not_approved(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    (workspace.editions / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    with pytest.raises(LaunchRefusedError, match=f"mailer check {SLUG}"):
        approve_now(workspace, engine, now)
    open_pages = with_settings(workspace, web=WebSettings(base_url="http://news.example.org"))
    with pytest.raises(LaunchRefusedError, match="RFC 8058"):
        approve_now(open_pages, engine, now)
    assert count_campaigns(engine) == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "Mei\x07"])
def test_an_approval_needs_a_name(workspace: Workspace, engine: Engine, now: datetime, name: str) -> None:
    with pytest.raises(ApprovalRefusedError, match="Give the approver's name"):
        approve_now(workspace, engine, now, by=name)


def test_what_is_being_sent_is_not_approved(workspace: Workspace, engine: Engine, now: datetime) -> None:
    free = with_campaigns(workspace, approval="optional")
    launch(engine, free, make_plan(free, engine, now), now=now)
    with pytest.raises(ApprovalRefusedError, match="Campaign 1 is already sending this to this segment"):
        approve_now(free, engine, now)


# --- another person


def sign(workspace: Workspace, authors: str) -> Workspace:
    _replace(workspace, "edition.md", "language: en", f"language: en\nauthors: {authors}")
    return with_campaigns(workspace, approval_by="another")


@pytest.mark.parametrize(
    ("authors", "name"), [("Mei Lin", "mei  LIN"), ("[Bat, Mei Lin]", "Mei Lin"), ("Ｍei", "Mei")]
)
def test_an_authors_own_approval_can_be_refused(
    workspace: Workspace, engine: Engine, now: datetime, authors: str, name: str
) -> None:
    strict = sign(workspace, authors)
    with pytest.raises(ApprovalRefusedError, match=r"is an author of 2026-1\. Another person must"):
        approve_now(strict, engine, now, by=name)
    assert count_campaigns(engine) == 0
    number = approve_now(strict, engine, now).campaign_id
    assert launch(engine, strict, make_plan(strict, engine, now), now=now, options=MEI) == number


def test_an_edition_without_authors_cannot_be_approved_by_another(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    strict = with_campaigns(workspace, approval_by="another")
    with pytest.raises(ApprovalRefusedError, match=r"Add `authors: \[NAME\]` to its edition.md"):
        approve_now(strict, engine, now)


def test_who_approved_does_not_launch_too(workspace: Workspace, engine: Engine, now: datetime) -> None:
    strict = sign(workspace, "Bat")
    approve_now(strict, engine, now, by="Mei")
    plan = make_plan(strict, engine, now)
    with pytest.raises(LaunchRefusedError, match=f"approved by Mei, who is also launching it.*{COMMAND}"):
        launch(engine, strict, plan, now=now, options=MEI)
    with pytest.raises(LaunchRefusedError, match="not known who is launching it"):
        launch(engine, strict, plan, now=now)
    with pytest.raises(LaunchRefusedError, match="who is also launching it"):
        schedule_campaign(engine, strict, plan, at=HOUR, options=MEI, clock=FakeClock(now))
    launch(engine, strict, plan, now=now, options=LaunchOptions(by="Bat"))


def test_an_authors_approval_does_not_count_once_another_is_asked_for(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    _replace(workspace, "edition.md", "language: en", "language: en\nauthors: Bat")
    approve_now(workspace, engine, now, by="Bat")
    strict = with_campaigns(workspace, approval_by="another")
    with pytest.raises(LaunchRefusedError, match="approved by Bat, who is one of its authors"):
        launch(engine, strict, make_plan(strict, engine, now), now=now, options=MEI)


def test_readers_never_see_who_wrote_it(workspace: Workspace, engine: Engine, now: datetime) -> None:
    before = make_plan(workspace, engine, now)
    _replace(workspace, "edition.md", "language: en", "language: en\nauthors: Bat")
    after = make_plan(workspace, engine, now)
    assert (after.authors, after.digest) == (("Bat",), before.digest)


# --- at its hour


def test_a_scheduled_campaign_starts_by_its_approval(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    clock = FakeClock(now)
    number = approve_now(workspace, engine, now).campaign_id
    plan = make_plan(workspace, engine, now)
    assert schedule_campaign(engine, workspace, plan, at=HOUR, clock=clock).campaign_id == number
    # Frozen: what is written afterwards is not what will be sent.
    change_word(workspace)
    assert check(engine, workspace, number).holds
    clock.now = HOUR
    (started,) = start_due_campaigns(engine, workspace, clock=clock)
    assert (started.campaign_id, started.state, started.audience) == (number, CampaignState.sending, 4)


def test_what_is_scheduled_can_be_approved_until_its_hour(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    clock, free = FakeClock(now), with_campaigns(workspace, approval="optional")
    number = schedule_campaign(engine, free, make_plan(free, engine, now), at=HOUR, clock=clock).campaign_id
    with pytest.raises(ApprovalRefusedError, match=r"without --again\. Approve it without --again too"):
        approve(engine, workspace, make_plan(workspace, engine, now, again=True), by="Director", now=now)
    assert approve_now(workspace, engine, now).campaign_id == number
    campaign = read_campaign(engine, number)
    assert (campaign.state, campaign.scheduled_at) == (CampaignState.scheduled, HOUR)
    clock.now = HOUR
    (started,) = start_due_campaigns(engine, workspace, clock=clock)
    assert started.state is CampaignState.sending


def test_a_setting_that_changed_before_its_hour_cancels_it(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    clock = FakeClock(now)
    approve_now(workspace, engine, now)
    number = schedule_campaign(
        engine, workspace, make_plan(workspace, engine, now), at=HOUR, clock=clock
    ).campaign_id
    changed = change_address(workspace)
    assert check(engine, changed, number).changes == ("the setting [sender] address",)
    clock.now = HOUR
    (started,) = start_due_campaigns(engine, changed, clock=clock)
    assert (started.state, read_states(engine)) == (CampaignState.cancelled, {})
    assert started.reason == (
        "This has changed since it was approved: the setting [sender] address. Approve it with "
        "`mailer campaigns approve 2026-1 --segment all --as NAME`, then schedule it again."
    )


# --- races


def test_ten_who_approve_at_once_approve_one_campaign(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    calls = [lambda name=f"Person {n}": approve(engine, workspace, plan, by=name, now=now) for n in range(10)]
    found = run_together(*calls)
    assert {approval.campaign_id for approval in found if isinstance(approval, Approval)} == {1}
    assert count_campaigns(engine) == 1


def test_launches_and_approvals_at_once_end_in_one_campaign(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    approve(engine, workspace, plan, by="Director", now=now)
    found = run_together(
        *[lambda: launch_or_continue(engine, workspace, plan, now=now).campaign_id for _ in range(5)],
        *[lambda: approve(engine, workspace, plan, by="Deputy", now=now) for _ in range(5)],
    )
    assert [one for one in found if isinstance(one, int)] == [1] * 5
    assert all("already sending this" in str(one) for one in found if isinstance(one, Exception))
    assert (count_campaigns(engine), len(read_states(engine))) == (1, 4)


def test_a_launch_and_a_cancellation_at_once_never_leave_readers_behind(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    number = approve(engine, workspace, plan, by="Director", now=now).campaign_id

    def cancel() -> None:
        with Session(engine) as session:
            cancel_campaign(session, number, now=now)
            session.commit()

    run_together(lambda: launch(engine, workspace, plan, now=now), cancel)
    campaign = read_campaign(engine, number)
    assert campaign.state is CampaignState.cancelled
    assert len(read_states(engine)) == campaign.audience


def test_the_default_asks_for_no_approval_and_lets_anybody_give_one() -> None:
    assert (CampaignSettings().approval, CampaignSettings().approval_by) == ("optional", "anybody")
