"""Correcting a story after a campaign: to exactly those who were sent it, once, in their language."""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, select

from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.correction_plan import CorrectionPlan, NoteError, StoryNotSentError, plan_correction
from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import CorrectionInArchiveError, set_archived
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.report.summary import list_campaigns, summarise_campaign
from mailer.campaigns.send import send_campaign
from mailer.database.models import Correction, Delivery, DeliveryState
from mailer.dispatch.ledger_changes import erase_deliveries
from mailer.privacy.data_export import export_personal_data
from mailer.workspace import Workspace
from subscribers.models import Status, SubscriberSector
from subscribers.queries import find_subscriber
from tests.factories.campaigns import make_plan, with_settings, with_smtp
from tests.factories.correction_notes import RIGHT, WAS, write_note
from tests.factories.deliveries import set_status
from tests.factories.small_edition import SLUG, write_second_story
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage

STORY = "teachers"


def send_edition(
    workspace: Workspace, engine: Engine, now: datetime, query: str = "all", *, again: bool = False
) -> int:
    plan = make_plan(workspace, engine, now, query, again=again)
    number = launch(engine, workspace, plan, now=now)
    run(workspace, number)
    return number


def run(workspace: Workspace, number: int) -> dict[str, str]:
    """Send a campaign; map each recipient to the message, decoded."""
    with MisbehavingServer() as server:
        send_campaign(with_smtp(workspace, server.url), number)
    return {mail.recipient: read_mail(mail.content) for mail in server.received}


def read_mail(content: bytes) -> str:
    message = message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return f"{message['Subject']}\n{body.get_content()}"


def plan(workspace: Workspace, engine: Engine, now: datetime, note: Path | None = None) -> CorrectionPlan:
    return plan_correction(
        workspace, engine, SLUG, STORY, note or write_note(workspace.root / "notes"), now=now
    )


def correct(workspace: Workspace, engine: Engine, now: datetime, note: Path | None = None) -> dict[str, str]:
    """Send a correction to everybody it is for; map each recipient to the message."""
    planned = plan(workspace, engine, now, note)
    assert planned.plan.errors == ()
    options = LaunchOptions(archived=False)
    launched = launch_or_continue(engine, workspace, planned.plan, options=options, now=now)
    return run(workspace, launched.campaign_id)


def follow(engine: Engine, address: str, *sectors: str, at: datetime | None = None) -> None:
    """Change what a reader follows, and nothing else unless ``at`` is the time of the change."""
    with Session(engine) as session:
        person = find_subscriber(session, address)
        for old in session.exec(select(SubscriberSector).where(SubscriberSector.subscriber_id == person.id)):
            session.delete(old)
        session.flush()
        session.add_all(SubscriberSector(subscriber_id=person.id or 0, sector=sector) for sector in sectors)
        if at is not None:
            person.updated_at = at
        session.commit()


def test_a_correction_goes_in_their_language_to_those_who_were_sent_the_story(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    send_edition(campaign_workspace, campaign_engine, now)
    mails = correct(campaign_workspace, campaign_engine, now)
    # Sato follows culture only, and was not sent the story of the teachers.
    assert set(mails) == {"bat@example.org", "li@example.org", "kim@example.org"}
    assert mails["bat@example.org"].startswith("Correction: Teachers meet in Ulaanbaatar\n")
    for words in (
        WAS,
        RIGHT,
        "What we wrote",
        "What is right",
        "5 March 2026",
        "Dear Bat,",
        f"/e/{SLUG}/en/{STORY}?v=",
    ):
        assert words in mails["bat@example.org"]
    assert "In this issue" not in mails["bat@example.org"]
    assert "#correction-1" in mails["bat@example.org"]
    assert "/u/" in mails["bat@example.org"]


def test_a_reader_of_an_edition_without_translation_gets_the_note_in_its_own_language(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now)
    mails = correct(campaign_workspace, campaign_engine, now)
    assert mails["li@example.org"].startswith("更正：教师在乌兰巴托会面\n")
    assert "八十名教师参加了会面。" in mails["li@example.org"]
    assert mails["sato@example.org"].startswith("Correction: ")


def test_what_was_sent_counts_and_not_what_readers_follow_today(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    send_edition(campaign_workspace, campaign_engine, now)
    follow(campaign_engine, "sato@example.org", "education")
    follow(campaign_engine, "bat@example.org", "sciences")
    with Session(campaign_engine) as session:
        find_subscriber(session, "bat@example.org").country = "KR"
        session.commit()
    got = set(correct(campaign_workspace, campaign_engine, now))
    assert got == {"bat@example.org", "li@example.org", "kim@example.org"}


def test_an_older_campaign_is_computed_and_whoever_changed_since_is_included(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    number = send_edition(campaign_workspace, campaign_engine, now)
    with campaign_engine.begin() as connection:
        connection.execute(update(Delivery).values(stories=None))
    planned = plan(campaign_workspace, campaign_engine, now)
    assert (planned.computed, planned.plan.audience) == ((number,), 3)
    follow(campaign_engine, "sato@example.org", "culture", at=now + timedelta(days=1))
    assert plan(campaign_workspace, campaign_engine, now).plan.audience == 4


def test_nobody_gets_the_same_correction_twice_and_a_second_run_reaches_the_others(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    first = send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    assert set(correct(campaign_workspace, campaign_engine, now)) == {"bat@example.org"}
    with pytest.raises(LaunchRefusedError, match="already have this correction") as refused:
        correct(campaign_workspace, campaign_engine, now)
    assert "--again" not in str(refused.value)
    second = send_edition(campaign_workspace, campaign_engine, now, again=True)
    planned = plan(campaign_workspace, campaign_engine, now)
    assert planned.by_campaign == {first: 0, second: 3}
    assert planned.plan.left_out["already have this correction"] == 1
    assert set(correct(campaign_workspace, campaign_engine, now)) == {
        "li@example.org",
        "kim@example.org",
        "sato@example.org",
    }
    # One correction, whose translation was known from the beginning, in two campaigns.
    with Session(campaign_engine) as session:
        assert [found.number for found in session.exec(select(Correction))] == [1]


def test_a_second_run_continues_what_was_launched_and_keeps_its_day(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now)
    note = write_note(campaign_workspace.root / "notes")
    for file in (note, note.with_name("teachers.zh.md")):
        file.write_text(file.read_text("utf-8").replace("date: 2026-03-05\n", ""), encoding="utf-8")
    planned = plan(campaign_workspace, campaign_engine, now, note)
    number = launch(campaign_engine, campaign_workspace, planned.plan, now=now)
    later = now + timedelta(days=1)
    planned = plan(campaign_workspace, campaign_engine, later, note)
    launched = launch_or_continue(campaign_engine, campaign_workspace, planned.plan, now=later)
    assert (launched.campaign_id, launched.continued) == (number, True)
    assert "1 March 2026" in run(campaign_workspace, number)["bat@example.org"]


def test_a_reader_who_was_erased_leaves_no_trace_of_their_stories_and_gets_nothing(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    with Session(campaign_engine) as session:
        person = find_subscriber(session, "bat@example.org")
        assert session.exec(select(Delivery.stories)).all() == ["1"]
        key = campaign_workspace.keys.suppression
        (delivery,) = export_personal_data(session, "bat@example.org", key=key, now=now)["delivery"]
        assert delivery["stories"] == [STORY]
        erase_deliveries(session.connection(), person.id or 0, now)
        person.status = Status.erased
        session.commit()
        assert session.exec(select(Delivery.stories)).all() == [None]
    assert plan(campaign_workspace, campaign_engine, now).plan.audience == 0


def test_another_note_is_another_correction_and_a_new_translation_is_not(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    notes = campaign_workspace.root / "notes"
    correct(campaign_workspace, campaign_engine, now, write_note(notes, translated=False))
    planned = plan(campaign_workspace, campaign_engine, now, write_note(notes))
    assert (planned.record.number, planned.plan.audience) == (1, 0)
    mails = correct(campaign_workspace, campaign_engine, now, write_note(notes, right="Ninety teachers met."))
    assert set(mails) == {"bat@example.org"}
    with Session(campaign_engine) as session:
        names = [found.edition_label for found in list_campaigns(session)]
        assert summarise_campaign(session, 2).as_dict()["correction_of"] == f"{SLUG}/{STORY}"
    assert names == [f"correction of {SLUG}/{STORY}"] * 2 + [SLUG]


def test_those_who_left_bounced_or_were_never_reached_get_no_correction(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = launch(
        campaign_engine, campaign_workspace, make_plan(campaign_workspace, campaign_engine, now), now=now
    )
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="kim")
        server.answer(Stage.dot, DROP, only="li")
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    set_status(campaign_engine, "sato@example.org", Status.unsubscribed)
    planned = plan(campaign_workspace, campaign_engine, now)
    assert (planned.plan.audience, planned.in_doubt) == (2, 1)
    assert planned.plan.left_out == {"unsubscribed": 1}
    assert set(correct(campaign_workspace, campaign_engine, now)) == {"bat@example.org", "li@example.org"}


def test_a_message_that_may_have_arrived_counts_beside_the_one_sent_again(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    query = "country:JP"
    number = launch(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, now, query),
        now=now,
    )
    with MisbehavingServer() as server:
        server.answer(Stage.dot, DROP)
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    follow(campaign_engine, "sato@example.org", "education")
    with MisbehavingServer() as server:
        send_campaign(with_smtp(campaign_workspace, server.url), number, resend_in_doubt=True)
    with Session(campaign_engine) as session:
        delivery = session.exec(select(Delivery)).one()
        assert (delivery.state, delivery.stories) == (DeliveryState.sent, "2 1")
    assert plan(campaign_workspace, campaign_engine, now).plan.audience == 1


def test_the_preview_writes_what_readers_would_get_in_each_language(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now)
    planned = plan(campaign_workspace, campaign_engine, now)
    outbox = write_outbox(
        campaign_workspace, campaign_engine, planned.plan, addresses=["li@example.org"], now=now
    )
    page = outbox[0].with_suffix(".html").read_text(encoding="utf-8")
    assert "<p>The organisers told us of their mistake the next day.</p>" in page
    assert [path.name for path in outbox] == [
        f"{SLUG}~correction-1.en.eml",
        f"{SLUG}~correction-1.zh.eml",
        f"{SLUG}~correction-1.li@example.org.eml",
    ]
    assert planned.plan.by_language == {"en": 3, "zh": 1}
    assert planned.plan.problems == ()


def test_every_problem_of_a_note_has_its_file_and_line(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now)
    note = write_note(campaign_workspace.root / "notes")
    note.write_text("---\nwas: A\ndat: 2026-03-05\n---\n\n<b>x</b>\n", encoding="utf-8")
    (note.parent / "teachers.xx-nope.md").write_text("---\nwas: A\nis: B\n---\n", encoding="utf-8")
    with pytest.raises(NoteError) as refused:
        plan(campaign_workspace, campaign_engine, now, note)
    found = {(problem.path, problem.line, problem.code) for problem in refused.value.problems}
    assert found >= {
        ("teachers.md", 1, "missing-key"),
        ("teachers.md", 3, "unknown-key"),
        ("teachers.md", 6, "raw-html"),
        ("teachers.xx-nope.md", 1, "unknown-language"),
    }


def test_a_story_that_was_never_sent_cannot_be_corrected(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    with pytest.raises(StoryNotSentError, match="No campaign"):
        plan(campaign_workspace, campaign_engine, now)
    send_edition(campaign_workspace, campaign_engine, now)
    note = write_note(campaign_workspace.root / "notes")
    with pytest.raises(StoryNotSentError, match="teachers"):
        plan_correction(campaign_workspace, campaign_engine, SLUG, "teacher", note, now=now)


def test_a_correction_is_not_put_in_the_archive_or_taken_for_the_edition(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    correct(campaign_workspace, campaign_engine, now)
    with Session(campaign_engine) as session, pytest.raises(CorrectionInArchiveError):
        set_archived(session, 2, archived=True)
    # The other readers can still be sent the edition.
    assert make_plan(campaign_workspace, campaign_engine, now).audience == 3


def test_a_required_approval_is_given_to_the_correction_itself(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    campaigns = campaign_workspace.settings.campaigns.model_copy(update={"approval": "required"})
    workspace = with_settings(campaign_workspace, campaigns=campaigns)
    with pytest.raises(LaunchRefusedError, match=f"mailer correct {SLUG} {STORY} --note FILE --approve NAME"):
        correct(workspace, campaign_engine, now)
    approve(campaign_engine, workspace, plan(workspace, campaign_engine, now).plan, by="Mei Lin", now=now)
    with Session(campaign_engine) as session:
        assert summarise_campaign(session, 2).approval is not None
    assert set(correct(workspace, campaign_engine, now)) == {"bat@example.org"}


def test_a_translation_can_give_the_heading_that_the_story_was_not_sent_with(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_edition(campaign_workspace, campaign_engine, now, "country:MN")
    note = write_note(campaign_workspace.root / "notes")
    note.with_name("teachers.mn.md").write_text(
        "---\ntitle: Багш нар Улаанбаатарт уулзлаа\nwas: Жаран багш уулзлаа.\nis: Наян багш уулзлаа.\n---\n",
        encoding="utf-8",
    )
    assert correct(campaign_workspace, campaign_engine, now, note)["bat@example.org"].startswith(
        "Залруулга: Багш нар Улаанбаатарт уулзлаа\n"
    )
