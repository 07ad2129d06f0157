"""Tests to colleagues: the mail that readers would get, and nothing else that a campaign does."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from PIL import Image
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.content_versions import check_test, find_test
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.lifecycle import cancel_campaign, find_campaign
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    read_test_readers,
    send_test,
)
from mailer.database.models import Campaign, CampaignState, Delivery, SentTest
from mailer.errors import ConfigurationError
from mailer.settings import CampaignSettings, FeedbackSettings
from mailer.smtp.reply_classifier import Verdict
from mailer.web.archive_store import find_content, list_editions
from mailer.workspace import Workspace
from subscribers.consent.suppression import add_suppression
from subscribers.errors import UnknownSubscriberError
from subscribers.models import ConsentEvent
from tests.factories.campaigns import count_campaigns, make_plan, with_sender, with_settings, with_smtp
from tests.factories.small_edition import SLUG, write_edition, write_second_story
from tests.servers.scripted_smtp import Act, ScriptedServer, answering

LINK = re.compile(r"https?://[^\s<>\"]+/[up]/[^\s<>\"]+")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def workspace(campaign_workspace: Workspace, server: ScriptedServer) -> Workspace:
    return with_smtp(campaign_workspace, server.url)


def send_it(
    workspace: Workspace,
    engine: Engine,
    now: datetime,
    *addresses: str,
    shown_address: str = "",
    variant: int | None = None,
    query: str = "all",
) -> SentTests:
    """Send a test to ``addresses``."""
    plan = make_plan(workspace, engine, now, query)
    readers = read_test_readers(workspace.settings, addresses or ("Me@office.example",))
    return send_test(
        engine,
        workspace,
        plan,
        readers,
        shown_address=shown_address,
        variant=variant,
        by="Mei Lin",
        now=now,
    )


def parse(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def read_text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_colleagues_get_the_real_mail_marked_as_a_test(
    workspace: Workspace, campaign_engine: Engine, server: ScriptedServer, now: datetime
) -> None:
    sent = send_it(workspace, campaign_engine, now, "Me@office.example", "bat@example.org")
    assert [(one.address, one.outcome, one.relay) for one in sent.results] == [
        ("me@office.example", "sent", "main"),
        ("bat@example.org", "sent", "main"),
    ]
    assert all(one.reply.startswith("250") for one in sent.results)
    assert (sent.subject, sent.language, sent.stories) == ("[Test] News from the field", "en", 1)
    first, second = (parse(mail.content) for mail in server.kept)
    assert server.recipients == ["Me@office.example", "bat@example.org"]
    assert first["Subject"] == "[Test] News from the field"
    assert (first["To"], first["From"]) == ("Me@office.example", "UNESCO Beijing <news@example.org>")
    assert "Sixty teachers met" in read_text(first)
    assert "Bat" not in read_text(second)
    assert first["Message-ID"] != second["Message-ID"]


def test_each_call_sends_again_under_a_new_id(
    workspace: Workspace, campaign_engine: Engine, server: ScriptedServer, now: datetime
) -> None:
    for _ in range(2):
        send_it(workspace, campaign_engine, now)
    assert len(set(server.message_ids())) == 2


def test_links_carry_the_token_of_tests_and_the_language_of_the_mail(
    workspace: Workspace, campaign_engine: Engine, server: ScriptedServer, now: datetime
) -> None:
    feedback = FeedbackSettings(bounce_address="bounce@x.example", leave_address="leave@x.example")
    named = with_settings(workspace, feedback=feedback)
    send_it(named, campaign_engine, now, shown_address="li@example.org")
    message = parse(server.kept[0].content)
    # No mail about a test, and none to an address in it, does anything to the reader whom it shows.
    assert server.kept[0].sender == "news@example.org"
    assert "X-Feedback-Token" not in message
    base, token = workspace.settings.web.base_url, workspace.keys.tokens.sign_test()
    assert message["List-Unsubscribe"] == f"<{base}/u/{token}?lang=zh-Hans>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    raw = re.search(rb"^List-Unsubscribe: <https?://[!-;=?-~]+>\r\n(?! )", server.kept[0].raw, re.MULTILINE)
    assert raw, "RFC 2369: one URI in angle brackets, on one line"
    links = set(LINK.findall(read_text(message)))
    assert links == {f"{base}/{page}/{token}?lang=zh-Hans" for page in "up"}


def test_the_mail_of_a_subscriber_goes_to_a_colleague_without_the_name_beside_the_address(
    workspace: Workspace, campaign_engine: Engine, server: ScriptedServer, now: datetime
) -> None:
    labelled = with_settings(workspace, subject_labels={"CN": "AD"})
    sent = send_it(labelled, campaign_engine, now, shown_address="li@example.org")
    message = parse(server.kept[0].content)
    assert sent.language == "zh"
    assert message["Subject"] == "[Test] AD 来自现场的消息"
    assert message["To"] == "Me@office.example"
    assert "Li" in read_text(message)
    assert "教师在乌兰巴托会面" in read_text(message)
    with pytest.raises(UnknownSubscriberError):
        send_it(labelled, campaign_engine, now, shown_address="nobody@example.org")


def test_a_variant_is_chosen_by_the_number_that_the_plan_gives_it(
    workspace: Workspace, campaign_engine: Engine, server: ScriptedServer, now: datetime
) -> None:
    write_second_story(workspace.editions / SLUG, personalise="filter")
    listed = make_plan(workspace, campaign_engine, now).as_dict()["variants"]
    for variant in listed:
        number = variant["number"]
        sent = send_it(workspace, campaign_engine, now, variant=number)
        assert (sent.language, sent.stories) == (variant["language"], variant["stories"])
    museum = ["museum" in read_text(parse(mail.content)) for mail in server.kept]
    assert len(listed) == len(museum) > 1
    with pytest.raises(RefusedTestError, match=rf"a number from 1 to {len(listed)}"):
        send_it(workspace, campaign_engine, now, variant=len(listed) + 1)
    with pytest.raises(RefusedTestError, match="Nobody in the segment 'country:FR' would get"):
        send_it(workspace, campaign_engine, now, variant=1, query="country:FR")


def test_a_test_works_before_there_is_any_subscriber_and_starts_nothing(
    workspace: Workspace, now: datetime, server: ScriptedServer
) -> None:
    engine = workspace.open_database()
    assert send_it(workspace, engine, now).number_sent == 1
    with Session(engine) as session:
        (campaign,) = session.exec(select(Campaign))
        assert (campaign.state, campaign.segment, campaign.launched_at) == (CampaignState.tested, "", None)
        assert session.exec(select(Delivery)).all() == []
        assert list_editions(session) == []
    engine.dispose()


def test_a_reader_who_got_a_test_gets_the_real_one(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    before = make_plan(workspace, campaign_engine, now).audience
    send_it(workspace, campaign_engine, now, "bat@example.org")
    plan = make_plan(workspace, campaign_engine, now)
    number = launch(campaign_engine, workspace, plan, now=now)
    with Session(campaign_engine) as session:
        assert find_campaign(session, number).audience == plan.audience == before
    assert count_campaigns(campaign_engine) == 1, "the tested draft is what was launched"


def test_what_became_of_each_address_is_told_and_only_what_was_sent_counts(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    server.script = answering(
        ("RCPT", "gone@", "550 5.1.1 No such user"), ("RCPT", "full@", "452 4.2.2 Mailbox full")
    )
    names = ("gone@office.example", "full@office.example", "me@office.example")
    sent = send_it(workspace, campaign_engine, now, *names)
    assert [(one.verdict, one.reply.partition(" ")[0]) for one in sent.results] == [
        (Verdict.rejected, "550"),
        (Verdict.deferred, "452"),
        (Verdict.sent, "250"),
    ]
    plan = make_plan(workspace, campaign_engine, now)
    with campaign_engine.connect() as connection:
        test = find_test(connection, SLUG, plan.content_digest)
    assert test is not None
    assert (test.by, test.addresses) == ("Mei Lin", ("me@office.example",))


def list_tests(engine: Engine) -> list[tuple[str, bool]]:
    """The tests that are written down: to whom, and whether they are in doubt."""
    with Session(engine) as session:
        return [(one.address, one.is_in_doubt) for one in session.exec(select(SentTest))]


def test_a_test_is_in_doubt_from_before_it_is_sent_until_the_relay_has_answered(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    seen = []

    def watch(verb: str, _: str) -> None:
        if verb == "BODY":
            seen.append(list_tests(campaign_engine))

    server.script = watch
    send_it(workspace, campaign_engine, now)
    # Whoever dies here leaves this behind.
    assert seen == [[("me@office.example", True)]]
    assert list_tests(campaign_engine) == [("me@office.example", False)]


def test_a_test_stays_in_doubt_if_the_line_breaks_before_the_answer(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    server.script = answering((".", "me@", Act.abort))
    (result,) = send_it(workspace, campaign_engine, now, "me@office.example").results
    assert result.outcome == "in doubt"
    assert list_tests(campaign_engine) == [("me@office.example", True)]
    plan = make_plan(workspace, campaign_engine, now)
    with campaign_engine.connect() as connection:
        assert find_test(connection, SLUG, plan.content_digest) is None


def test_a_test_that_no_relay_can_be_asked_for_is_not_in_doubt(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    nowhere = with_smtp(workspace, "smtp://mei@127.0.0.1")
    with pytest.raises(ConfigurationError):
        send_it(nowhere, campaign_engine, now)
    assert list_tests(campaign_engine) == []


def test_a_relay_that_takes_no_mail_of_ours_leaves_the_edition_untested(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    server.script = answering(("MAIL", "", "550 5.7.1 Who are you"))
    (result,) = send_it(workspace, campaign_engine, now).results
    assert (result.outcome, result.reply) == (
        "not sent",
        "The mail server refuses the sender: 550 5.7.1 Who are you",
    )
    assert count_campaigns(campaign_engine) == 0


def test_it_refuses_what_must_reach_nobody_and_lets_warnings_pass(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    with pytest.raises(RefusedTestError, match="postal_address"):
        send_it(with_sender(workspace, postal_address="     "), campaign_engine, now)
    sample = {"address": "newsletter@beijing.example.org"}
    with pytest.raises(RefusedTestError, match="address is still that of the sample"):
        send_it(with_sender(workspace, **sample), campaign_engine, now)
    edition = workspace.editions / SLUG / "edition.md"
    good = edition.read_text(encoding="utf-8")
    edition.write_text(good.replace("date: 2026-03-01", "date: soon"), encoding="utf-8")
    with pytest.raises(RefusedTestError, match=f"`mailer check {SLUG}` lists them all"):
        send_it(workspace, campaign_engine, now)
    assert server.mails == []
    story = workspace.editions / SLUG / "stories" / "010-teachers.md"
    story.write_text(story.read_text().replace("Sixty", "[click here](https://example.org/a) Sixty"))
    edition.write_text(good, encoding="utf-8")
    assert make_plan(workspace, campaign_engine, now).problems
    assert send_it(workspace, campaign_engine, now).number_sent == 1


def test_an_address_whose_owner_must_get_no_mail_gets_no_test(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    never = (ConsentEvent.erased, ConsentEvent.complained, ConsentEvent.suppressed)
    with Session(campaign_engine) as session:
        for reason in (*never, ConsentEvent.unsubscribed):
            address = f"{reason}@office.example"
            add_suppression(session, workspace.keys.suppression, address, reason=reason, now=now)
        session.commit()
    for reason in never:
        with pytest.raises(RefusedTestError, match=rf"{reason}@office\.example must not get mail, not even"):
            send_it(workspace, campaign_engine, now, "me@office.example", f"{reason}@office.example")
    assert server.mails == []
    assert send_it(workspace, campaign_engine, now, "unsubscribed@office.example").number_sent == 1


def test_the_usual_people_are_in_the_settings_and_there_are_not_too_many(workspace: Workspace) -> None:
    usual = with_settings(workspace, campaigns=CampaignSettings(test_readers=("Boss@office.example",)))
    assert [one.email for one in read_test_readers(usual.settings, ())] == ["boss@office.example"]
    with pytest.raises(RefusedTestError, match="test_readers = "):
        read_test_readers(workspace.settings, ())
    several = [f"r{number % MAX_TEST_READERS}@office.example" for number in range(50)]
    assert len(read_test_readers(workspace.settings, several)) == MAX_TEST_READERS
    with pytest.raises(RefusedTestError, match="21 addresses are too many for a test"):
        read_test_readers(workspace.settings, [*several, "one.more@office.example"])
    wrong = with_settings(workspace, campaigns=CampaignSettings(test_readers=("nobody",)))
    with pytest.raises(RefusedTestError, match=r"\[campaigns\] test_readers: .*not an address"):
        read_test_readers(wrong.settings, ())


def test_editing_the_content_makes_it_untested_and_undoing_the_edit_tested_again(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    def check() -> tuple[CampaignState, bool, tuple[str, ...]]:
        with Session(campaign_engine) as session:
            found = check_test(session, workspace, 1)
        assert found.test is not None
        return found.state, found.test_ahead, found.test.changes

    send_it(workspace, campaign_engine, now)
    assert check() == (CampaignState.tested, False, ())
    write_edition(workspace.editions, subject="One more word")
    assert check() == (CampaignState.draft, True, ("the subject (en)",))
    write_edition(workspace.editions)
    assert check() == (CampaignState.tested, False, ())
    write_edition(workspace.editions, subject="Another")
    send_it(workspace, campaign_engine, now + timedelta(hours=1))
    assert check() == (CampaignState.tested, False, ())
    assert count_campaigns(campaign_engine) == 1


def test_a_launch_of_other_content_takes_the_draft_without_its_test(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    send_it(workspace, campaign_engine, now)
    write_edition(workspace.editions, subject="One more word")
    plan = make_plan(workspace, campaign_engine, now)
    assert launch(campaign_engine, workspace, plan, now=now) == 1
    with Session(campaign_engine) as session:
        campaign = find_campaign(session, 1)
        assert (campaign.subject, campaign.segment, campaign.digest) == ("One more word", "all", plan.digest)
        found = check_test(session, workspace, 1)
        assert (found.state, found.test, found.test_ahead) == (CampaignState.sending, None, False)
        content = find_content(session, SLUG, "en", plan.compiled[0].digest[:16])
        assert content is not None
        assert content.content.subject == "One more word"


def test_a_test_of_what_a_campaign_already_has_is_that_campaigns(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, campaign_engine, now)
    approve(campaign_engine, workspace, plan, by="Director", now=now)
    send_it(workspace, campaign_engine, now)
    with Session(campaign_engine) as session:
        found = check_test(session, workspace, 1)
        assert (found.state, found.test_ahead) == (CampaignState.approved, False)
        assert found.test is not None
        cancel_campaign(session, 1, now=now)
        session.commit()
    send_it(workspace, campaign_engine, now)
    assert count_campaigns(campaign_engine) == 2


def test_a_required_test_is_of_exactly_what_is_launched(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    strict = with_settings(workspace, campaigns=CampaignSettings(require_test=True))
    hint = f"`mailer send {SLUG} --test ADDRESS`"
    with pytest.raises(LaunchRefusedError, match=hint):
        launch(campaign_engine, strict, make_plan(strict, campaign_engine, now), now=now)
    send_it(strict, campaign_engine, now)
    write_edition(strict.editions, subject="One more word")
    with pytest.raises(LaunchRefusedError, match="as it is now was not tested"):
        launch(campaign_engine, strict, make_plan(strict, campaign_engine, now), now=now)
    write_edition(strict.editions)
    assert launch(campaign_engine, strict, make_plan(strict, campaign_engine, now), now=now) == 1


def test_those_who_have_a_test_can_open_it_in_the_browser_and_nobody_else(
    workspace: Workspace, campaign_engine: Engine, now: datetime, server: ScriptedServer
) -> None:
    send_it(workspace, campaign_engine, now)
    with campaign_engine.begin() as connection:
        # Even a draft that somebody has marked for the archive is not in it.
        connection.execute(text("UPDATE campaign SET archived = :yes"), {"yes": True})
    found = re.search(rf"/e/{SLUG}/en\?v=([0-9a-f]{{16}})", read_text(parse(server.kept[0].content)))
    assert found
    with Session(campaign_engine) as session:
        content = find_content(session, SLUG, "en", found[1])
        assert content is not None
        assert not content.is_public
        assert find_content(session, SLUG, "en", "0" * 16) is None
        assert find_content(session, SLUG, "en") is None


def test_pictures_of_a_test_are_in_the_media_folder(
    workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    folder = workspace.editions / SLUG
    Image.new("RGB", (1200, 700), "#206050").save(folder / "images" / "hall.png")
    story = folder / "stories" / "010-teachers.md"
    picture = "countries: [MN]\nimage:\n  file: hall.png\n  alt: A hall with sixty chairs"
    story.write_text(story.read_text().replace("countries: [MN]", picture))
    translation = folder / "stories" / "010-teachers.zh.md"
    translation.write_text(translation.read_text() + "他们讨论了什么在课堂上行之有效。" * 20)
    send_it(workspace, campaign_engine, now)
    assert [path.suffix for path in workspace.media.iterdir()] == [".png"]
