"""Sending a campaign from its frozen content, and the report and the outbox that go with it."""

import json
import os
import signal
import threading
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.launch import launch
from mailer.campaigns.lifecycle import CampaignStateError, UnknownCampaignError, cancel_campaign
from mailer.campaigns.outbox import NotInAudienceError, write_outbox
from mailer.campaigns.report.campaign_report import report_campaign
from mailer.campaigns.report.summary import list_campaigns, summarise_campaign
from mailer.campaigns.send import send_campaign
from mailer.database.models import CampaignState, DeliveryState
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.event_log import RunOutcome
from mailer.errors import ConfigurationError
from mailer.rendering.headers import find_token
from mailer.rendering.mail_merge import message_id
from mailer.settings import FeedbackSettings
from mailer.workspace import Workspace
from subscribers.consent.suppression import is_suppressed
from subscribers.errors import SubscriberError
from subscribers.models import Status
from subscribers.queries import find_subscriber
from subscribers.tokens import LinkPurpose, TokenPayload
from tests.factories.campaigns import make_plan, with_sender, with_settings, with_smtp
from tests.factories.deliveries import add_campaign, add_subscribers, read_states, set_status
from tests.factories.json_output import to_json
from tests.factories.small_edition import SLUG, write_edition, write_second_story
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer
from tests.servers.smtp_sink import smtp_sink


def start(workspace: Workspace, engine: Engine, now: datetime, query: str = "all") -> int:
    return launch(engine, workspace, make_plan(workspace, engine, now, query), now=now)


def parse(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_each_reader_gets_their_own_message_in_their_language(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with MisbehavingServer() as server:
        ending = send_campaign(with_smtp(campaign_workspace, server.url), number)
    assert (ending.outcome, ending.counts) == (RunOutcome.finished, Counts(audience=4, sent=4))
    mails = {mail.recipient: parse(mail.content) for mail in server.received}
    assert mails["li@example.org"]["Subject"] == "来自现场的消息"
    assert mails["bat@example.org"]["Subject"] == "News from the field"
    assert len({str(mail["List-Unsubscribe"]) for mail in mails.values()}) == 4
    assert {mail.sender for mail in server.received} == {"news@example.org"}


def test_what_comes_back_of_each_message_names_its_reader(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    feedback = FeedbackSettings(bounce_address="bounce@news.example.org", leave_address="leave@x.example")
    with ScriptedServer(extensions=(*EXTENSIONS, "DSN")) as server:
        workspace = with_settings(with_smtp(campaign_workspace, server.url), feedback=feedback)
        assert send_campaign(workspace, number).outcome is RunOutcome.finished
    signer = workspace.keys.tokens
    with Session(campaign_engine) as session:
        for mail in server.kept:
            subscriber = find_subscriber(session, mail.recipient)
            whose = TokenPayload(subscriber_id=subscriber.id or 0, campaign_id=number)
            bounce, leave = (
                find_token(mail.sender),
                find_token(str(parse(mail.content)["List-Unsubscribe"]).partition("mailto:")[2].strip(">")),
            )
            assert bounce is not None
            assert leave is not None
            assert mail.sender == f"bounce+{bounce}@news.example.org"
            assert parse(mail.content)["X-Feedback-Token"] == bounce
            assert f"MAIL FROM:<{mail.sender}>" in "\n".join(server.lines)
            assert f"ENVID={bounce}" in "\n".join(server.lines)
            assert signer.read_mail(bounce, LinkPurpose.bounce) == whose
            assert signer.read_mail(leave, LinkPurpose.leave) == whose
    assert len({mail.sender for mail in server.kept}) == 4


def test_without_an_address_for_them_bounces_go_where_they_went_and_still_name_the_message(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    workspace = with_sender(campaign_workspace, bounces_to="postmaster@example.org")
    with ScriptedServer(extensions=(*EXTENSIONS, "DSN")) as server:
        send_campaign(with_smtp(workspace, server.url), number)
    assert {mail.sender for mail in server.kept} == {"postmaster@example.org"}
    for mail in server.kept:
        message = parse(mail.content)
        assert f"ENVID={message['X-Feedback-Token']}" in "\n".join(server.lines)
        assert "mailto:" not in message["List-Unsubscribe"]


def test_a_dead_address_is_bounced_suppressed_and_in_the_report(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="kim")
        ending = send_campaign(with_smtp(campaign_workspace, server.url), number)
    assert (ending.counts.sent, ending.counts.rejected) == (3, 1)
    with Session(campaign_engine) as session:
        assert find_subscriber(session, "kim@example.org").status is Status.bounced
        assert is_suppressed(session, campaign_workspace.keys.suppression, "kim@example.org")
        report = report_campaign(session, number, campaign_workspace)
    assert (report.bounced, report.as_dict()["bounced"]) == (1, 1)
    assert make_plan(campaign_workspace, campaign_engine, now).left_out["bounced"] == 2


def test_each_reader_gets_the_stories_they_follow(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_second_story(campaign_workspace.editions / SLUG, personalise="filter")
    number = start(campaign_workspace, campaign_engine, now)
    with MisbehavingServer() as server:
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    got = {}
    for mail in server.received:
        text = str(parse(mail.content).get_body(("plain",)))
        got[mail.recipient] = ("Teachers meet" in text, "A museum opens" in text)
    assert got == {
        "bat@example.org": (True, False),
        "li@example.org": (True, True),
        "kim@example.org": (True, True),
        "sato@example.org": (False, True),
    }


def test_what_was_launched_is_sent_whatever_happens_to_the_files(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    write_edition(campaign_workspace.editions, subject="Changed afterwards")
    with MisbehavingServer() as server:
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    assert "News from the field" in {str(parse(mail.content)["Subject"]) for mail in server.received}


def test_a_reader_who_leaves_after_the_launch_gets_nothing(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    set_status(campaign_engine, "bat@example.org", Status.unsubscribed)
    with MisbehavingServer() as server:
        ending = send_campaign(with_smtp(campaign_workspace, server.url), number)
    assert "bat@example.org" not in server.recipients
    assert ending.counts.equation() == (
        "4 = 3 sent + 0 rejected + 0 failed + 1 suppressed + 0 in doubt + 0 still to do"
    )


def test_a_folder_can_take_the_place_of_a_server(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    ending = send_campaign(with_smtp(campaign_workspace, "maildir:received"), number)
    assert ending.counts == Counts(audience=4, sent=4)
    assert len(list((campaign_workspace.root / "received" / "new").iterdir())) == 4


def test_doubts_are_resent_once_and_only_on_demand(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with MisbehavingServer() as server:
        away = with_smtp(campaign_workspace, server.url)
        server.answer(Stage.dot, DROP, times=1)
        assert send_campaign(away, number).counts == Counts(audience=4, sent=3, in_doubt=1)
        assert send_campaign(away, number).counts == Counts(audience=4, sent=3, in_doubt=1)
        ending = send_campaign(away, number, resend_in_doubt=True)
        assert (ending.counts, ending.state) == (Counts(audience=4, sent=4), CampaignState.finished)
        assert send_campaign(away, number, resend_in_doubt=True).counts == Counts(audience=4, sent=4)
        assert len(server.received) == 5
        ids = [str(parse(mail.content)["Message-ID"]) for mail in server.received]
    assert len(set(ids)) == 4


def test_a_cancelled_campaign_sends_nothing_not_even_its_doubts(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with Session(campaign_engine) as session:
        cancel_campaign(session, number, now=now)
        session.commit()
    with MisbehavingServer() as server:
        ending = send_campaign(with_smtp(campaign_workspace, server.url), number, resend_in_doubt=True)
        assert server.connections == 0
    assert (ending.outcome, ending.counts.queued) == (RunOutcome.cancelled, 4)


def test_what_was_never_launched_is_refused(campaign_workspace: Workspace, campaign_engine: Engine) -> None:
    number = add_campaign(campaign_engine, 1, state=CampaignState.draft)
    with pytest.raises(CampaignStateError, match=r"is draft and cannot be sent\. Launch it first"):
        send_campaign(campaign_workspace, number)
    with pytest.raises(UnknownCampaignError):
        send_campaign(campaign_workspace, 99)


def test_a_wrong_relay_is_found_before_anything_moves(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with pytest.raises(ConfigurationError, match=r"\[smtp\] url"):
        send_campaign(with_smtp(campaign_workspace, "ftp://x"), number)
    assert set(read_states(campaign_engine).values()) == {DeliveryState.queued}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_the_messages_in_hand(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime, number: signal.Signals
) -> None:
    add_subscribers(campaign_engine, [f"more{n}@example.org" for n in range(300)])
    campaign = start(campaign_workspace, campaign_engine, now)
    handlers = signal.getsignal(number)
    main = threading.get_ident()

    sent: list[signal.Signals] = []

    def interrupt(counts: Counts) -> None:
        assert threading.get_ident() == main
        if counts.sent >= 10 and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    # One message takes long enough for the progress to be seen.
    with smtp_sink("-W", ".:1:20") as sink:
        away = with_smtp(campaign_workspace, sink.url)
        ending = send_campaign(away, campaign, on_progress=interrupt)
        assert ending.outcome is RunOutcome.stopped
        assert ending.counts.in_doubt == 0
        assert ending.counts.sent == len(sink.messages()) < 304
    assert signal.getsignal(number) is handlers


def test_the_report_groups_reasons_and_names_the_doubtful(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    add_subscribers(campaign_engine, ["x1@example.org", "x2@example.org", "spam@example.org"])
    number = start(campaign_workspace, campaign_engine, now)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 <x1@example.org>: no such user", only="x1")
        server.answer(Stage.rcpt, "550 5.1.1 <x2@example.org>: no such user", only="x2")
        server.answer(Stage.rcpt, "550 5.7.1 Blocked", only="spam")
        server.answer(Stage.dot, DROP, only="li@")
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    with Session(campaign_engine) as session:
        report = report_campaign(session, number, campaign_workspace)
    groups = {group.reason: (group.state.value, group.number, group.dead_address) for group in report.reasons}
    assert groups["550 5.1.1 <…>: no such user"] == ("rejected", 2, True)
    assert groups["550 5.7.1 Blocked"] == ("rejected", 1, False)
    (doubt,) = report.in_doubt
    assert doubt.email == "li@example.org"
    kept = next(mail for mail in server.received if mail.recipient == "li@example.org")
    assert doubt.message_id == str(parse(kept.content)["Message-ID"])
    written = to_json(report)
    assert written["campaign"]["in_doubt"] == 1
    assert written["in_doubt"] == [
        {"email": doubt.email, "message_id": doubt.message_id, "reason": doubt.reason}
    ]
    assert written["equation"] == (
        "7 = 3 sent + 3 rejected + 0 failed + 0 suppressed + 1 in doubt + 0 still to do"
    )


def test_a_summary_has_the_shape_that_scripts_rely_on(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    number = start(campaign_workspace, campaign_engine, now)
    with Session(campaign_engine) as session:
        shown = to_json(summarise_campaign(session, number))
        assert summarise_campaign(session, number).counts == Counts(audience=4, queued=4)
    names = (
        "id",
        "state",
        "audience",
        "sent",
        "rejected",
        "failed",
        "suppressed",
        "in_doubt",
        "deferred",
        "queued",
    )
    assert {name: shown[name] for name in names} == {
        **dict.fromkeys(names, 0),
        "id": number,
        "state": "sending",
        "audience": 4,
        "queued": 4,
    }
    assert json.loads(json.dumps(shown)) == shown


def test_campaigns_are_listed_the_newest_first(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    first = start(campaign_workspace, campaign_engine, now, "country:MN")
    second = start(campaign_workspace, campaign_engine, now, "country:CN")
    with Session(campaign_engine) as session:
        assert [summary.id for summary in list_campaigns(session)] == [second, first]


def test_the_outbox_has_each_variant_and_what_was_asked_for(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    outbox = write_outbox(campaign_workspace, campaign_engine, plan, addresses=["KIM@example.org"], now=now)
    assert [path.name for path in outbox] == [
        f"{SLUG}.en.eml",
        f"{SLUG}.zh.eml",
        f"{SLUG}.kim@example.org.eml",
    ]
    english, chinese, asked = (parse(path.read_bytes()) for path in outbox)
    assert (english["To"].addresses[0].addr_spec, english["Subject"]) == (
        "bat@example.org",
        "News from the field",
    )
    assert (chinese["To"].addresses[0].addr_spec, chinese["Subject"]) == ("li@example.org", "来自现场的消息")
    assert asked["To"].addresses[0].addr_spec == "kim@example.org"
    pages = [path.with_suffix(".html") for path in outbox]
    assert all(page.read_text(encoding="utf-8").lstrip().startswith("<") for page in pages)
    assert all(file.parent == campaign_workspace.outbox for file in (*outbox, *pages))


def test_a_variant_without_readers_is_not_written(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now, "country:MN")
    outbox = write_outbox(campaign_workspace, campaign_engine, plan, addresses=[], now=now)
    assert [path.name for path in outbox] == [f"{SLUG}.en.eml"]


def test_the_preview_is_the_message_that_is_sent_but_for_the_campaign(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now, "country:MN")
    (path,) = write_outbox(campaign_workspace, campaign_engine, plan, addresses=[], now=now)
    number = launch(campaign_engine, campaign_workspace, plan, now=now)
    with MisbehavingServer() as server:
        send_campaign(with_smtp(campaign_workspace, server.url), number)
    preview, sent = parse(path.read_bytes()), parse(server.received[0].content)
    assert preview.keys() == sent.keys()
    domain, signer = campaign_workspace.settings.sender.domain, campaign_workspace.keys.tokens
    assert sent["Message-ID"] == message_id(number, 1, domain, signer)
    assert preview["Message-ID"] != sent["Message-ID"]
    for kind in ("plain", "html"):
        texts = [mail.get_body((kind,)).get_content() for mail in (preview, sent)]  # type: ignore[union-attr]
        assert len(texts[0]) == len(texts[1])


@pytest.mark.parametrize("address", ["gone@example.org", "quiet@example.org"])
def test_a_message_without_a_recipient_is_not_written(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime, address: str
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    with pytest.raises(NotInAudienceError, match=f"{address} would not get {SLUG}"):
        write_outbox(campaign_workspace, campaign_engine, plan, addresses=[address], now=now)


def test_an_address_that_is_not_on_the_list_is_refused(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, now)
    with pytest.raises(SubscriberError):
        write_outbox(campaign_workspace, campaign_engine, plan, addresses=["stranger@example.org"], now=now)


def test_preview_mode_moves_nothing(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    write_outbox(
        campaign_workspace,
        campaign_engine,
        make_plan(campaign_workspace, campaign_engine, now),
        addresses=[],
        now=now,
    )
    with Session(campaign_engine) as session:
        assert list_campaigns(session) == []
    assert read_states(campaign_engine) == {}
