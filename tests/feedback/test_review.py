"""What a person sees of what came back, and what follows from their judgement."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.cli import mailer
from mailer.database.feedback_models import Consequence, Evidence, FeedbackKind, FeedbackState, QueuedReply
from mailer.database.team_models import ActivityRecord
from mailer.doctor import diagnose_workspace
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import IncomingMessage
from mailer.feedback.overview import group_feedback, list_alarms, list_held, make_event_conditions
from mailer.feedback.review import ReviewError, judge
from mailer.reasons.reason import Reason
from mailer.workspace import Workspace
from subscribers.errors import UnknownSubscriberError
from tests.factories.feedback import (
    add_sent_campaign,
    bring,
    make_bounce,
    make_complaint,
    make_leave,
    read_events,
    read_messages,
    read_records,
    read_statuses,
    sign,
)

ADDRESS = "reader0@example.org"
UNCLEAR = IncomingMessage(kind=FeedbackKind.other, sender="daemon@example.com", subject="Hm")


def test_a_person_says_whom_a_message_is_about_and_that_is_recorded(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    number = bring(context, UNCLEAR, now=now).number
    with pytest.raises(ReviewError, match="--subscriber"):
        judge(context, number, "dead", by="Kim", now=now)
    with pytest.raises(UnknownSubscriberError):
        judge(context, number, "dead", by="Kim", subscriber="nobody@example.org", now=now)
    assert read_messages(context.engine)[0].state is FeedbackState.held
    outcomes = judge(context, number, "dead", by="Kim", subscriber=ADDRESS.upper(), now=now)
    assert outcomes == ((ADDRESS, Consequence.bounced),)
    assert read_statuses(context.engine)[1] == "bounced"
    assert read_records(context.engine) == [(1, "bounced", "bounce", "no_such_user; judged by Kim")]
    (message,) = read_messages(context.engine)
    assert (message.state, message.judgement, message.judged_by) == (FeedbackState.judged, "dead", "Kim")
    assert message.raw is None
    (event,) = read_events(context.engine)
    assert (event.subscriber_id, event.evidence) == (1, Evidence.person)
    with pytest.raises(ReviewError, match="judged by Kim: dead"):
        judge(context, number, "ignore", by="Lee", now=now)


def test_what_was_held_for_want_of_a_token_can_be_confirmed_or_ignored(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    for at, word in enumerate(("dead", "ignore", "full", "complaint", "leave")):
        bounce = make_bounce(address=f"reader{at}@example.org")
        judge(context, bring(context, bounce, now=now).number, word, by="Kim", now=now)
    statuses = ["bounced", "active", "active", "complained", "unsubscribed"]
    assert list(read_statuses(context.engine).values()) == statuses
    assert [event.reason for event in read_events(context.engine)][2] is Reason.full


def test_a_leaving_mail_without_a_valid_token_leaves_once_a_person_says_for_whom(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    number = bring(context, make_leave("0" * 50), now=now).number
    judge(context, number, "leave", by="Kim", subscriber=ADDRESS, now=now)
    assert read_records(context.engine) == [(1, "unsubscribed", "mail", "judged by Kim")]


def test_a_reply_that_was_not_recognised_goes_on_whole_or_not_at_all(
    context: FeedbackContext, now: datetime
) -> None:
    small, large = (bring(context, UNCLEAR, now=now, key=str(n), raw=b"x" * n).number for n in (9, 300_000))
    assert judge(context, small, "reply", by="Kim", now=now) == ()
    with pytest.raises(ReviewError, match="quarantine folder"):
        judge(context, large, "reply", by="Kim", now=now)
    assert [one.state.value for one in read_messages(context.engine)] == ["forwarding", "held"]
    assert read_messages(context.engine)[0].raw == b"x" * 9
    with Session(context.engine) as session:
        assert session.exec(select(QueuedReply.message_id)).all() == [small]


def test_everything_held_of_one_campaign_can_be_judged_and_nothing_else_is(
    context: FeedbackContext, now: datetime
) -> None:
    campaign = add_sent_campaign(context.engine, 24, at=now - timedelta(days=1))
    for person in range(1, 25):
        bring(context, make_bounce(sign(context.workspace, person, campaign)), now=now)
    bring(context, UNCLEAR, now=now)
    with Session(context.engine) as session:
        held = [message.id or 0 for message in list_held(session, campaign_id=campaign)]
    # Half of a small campaign is believed.
    assert len(held) == 12
    for number in held:
        judge(context, number, "dead", by="Kim", now=now)
    assert set(read_statuses(context.engine).values()) == {"bounced"}
    assert read_messages(context.engine)[-1].state is FeedbackState.held


def test_what_came_back_is_grouped_by_reason_with_the_servers_words(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    for person in (1, 2, 3):
        token = sign(context.workspace, person, campaign)
        address = f"reader{person - 1}@example.org"
        bring(context, make_bounce(token, address=address, reason=Reason.full), now=now)
    blocked = make_bounce(sign(context.workspace, 4, campaign), reason=Reason.blocked, words="550 5.7.1 no")
    bring(context, blocked, now=now)
    bring(context, make_complaint(token=sign(context.workspace, 5, campaign)), now=now)
    with Session(context.engine) as session:
        groups = group_feedback(session)
        found = [(group.kind.value, group.reason, group.number, group.people) for group in groups]
        assert found == [
            ("bounce", "full", 3, 3),
            ("bounce", "blocked", 1, 1),
            ("complaint", "complaint", 1, 1),
        ]
        assert groups[0].words == (("550 5.1.1 <…>: no such user", 3),)
        assert groups[1].consequences == {"alarm": 1}
        wanted = make_event_conditions(reason=Reason.blocked, campaign_id=campaign)
        (only,) = group_feedback(session, *wanted)
        assert only.number == 1
        assert [alarm.words for alarm in list_alarms(session, now=now)] == ["550 5.7.1 no"]
        assert list_alarms(session, now=now + timedelta(days=15)) == []


@pytest.fixture
def desk(workspace: Workspace, now: datetime) -> Iterator[FeedbackContext]:
    """A workspace with a campaign that was sent, in SQLite alone."""
    engine = workspace.open_database()
    add_sent_campaign(engine, 5, at=now - timedelta(days=1))
    yield FeedbackContext(workspace=workspace, engine=engine)
    engine.dispose()


def test_the_doctor_names_what_servers_said_about_us_and_what_waits(
    desk: FeedbackContext,
) -> None:
    def examine() -> list[str]:
        return [one.message for one in diagnose_workspace(desk.workspace) if one.subject == "feedback"]

    assert examine() == []
    blocked = make_bounce(sign(desk.workspace, 1, 1), reason=Reason.blocked, words="554 5.7.1 listed")
    bring(desk, blocked, now=datetime.now(UTC))
    bring(desk, UNCLEAR, now=datetime.now(UTC))
    about_us, waiting = examine()
    assert "1 × blocked. The latest: 554 5.7.1 listed" in about_us
    assert "1 message that came back waits" in waiting


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), "feedback", *words], env={"LOGNAME": "kim"})


def test_the_commands_show_what_came_and_take_a_judgement(desk: FeedbackContext, now: datetime) -> None:
    root = desk.workspace.root
    assert "Nothing has come back" in run(root, "list").stderr
    assert "Nothing waits" in run(root, "review").stderr
    token = sign(desk.workspace, 1, 1)
    bring(desk, make_bounce(token, address=ADDRESS), now=now)
    raw = b"From: a\r\nContent-Type: text/plain\r\n\r\nI am\x1b[31m no longer here\r\n"
    number = bring(desk, replace(UNCLEAR, subject="Gone"), now=now, raw=raw).number
    shown = run(root, "list")
    assert "no such user" in shown.stdout
    assert "1 bounced" in shown.stdout
    assert "1 held" in shown.stdout
    assert "1 message waits" in shown.stderr
    assert ADDRESS in run(root, "list", "--reason", "no_such_user").stdout
    assert "Choose from" in run(root, "list", "--reason", "dead").stderr
    document = json.loads(run(root, "list", "--json").stdout)
    assert [event["subscriber"] for event in document["events"]] == ["", ADDRESS]
    assert (document["held"], document["alarms"]) == (1, 0)
    waiting = run(root, "review")
    assert "| I am[31m no longer here" in waiting.stdout
    assert "Gone" in waiting.stdout
    assert [one["number"] for one in json.loads(run(root, "review", "--json").stdout)] == [number]
    assert run(root, "review", "--as", "dead").exit_code == 2
    assert "Choose from" in run(root, "review", str(number), "--as", "deceased").stderr
    done = run(root, "review", str(number), "--as", "dead", "--subscriber", "reader1@example.org", "--json")
    (verdict,) = json.loads(done.stdout)
    assert verdict["outcomes"] == [{"subscriber": "reader1@example.org", "consequence": "bounced"}]
    assert read_messages(desk.engine)[-1].judged_by == "kim"
    assert run(root, "review", str(number), "--as", "dead").exit_code == 1


def test_each_judgement_has_a_line_of_its_own_and_one_that_fails_has_none(
    desk: FeedbackContext, now: datetime
) -> None:
    first, second = (bring(desk, replace(UNCLEAR, subject=word), now=now).number for word in ("A", "B"))
    done = run(desk.workspace.root, "review", str(first), str(second), "999", "--as", "ignore")
    assert done.exit_code == 1
    with Session(desk.engine) as session:
        lines = session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id))).all()
        told = [(line.act, line.subject, line.detail.partition(";")[0]) for line in lines]
    judged = Act.judged_feedback.value
    assert told == [(judged, str(one), f"{one} as ignore") for one in (first, second)]
