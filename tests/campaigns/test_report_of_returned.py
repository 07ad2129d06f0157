"""The part of a report that says what came back, and where nobody is left, on both databases."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import update
from sqlmodel import Session, col

from mailer.campaigns.report.campaign_report import CampaignReport, report_campaign
from mailer.campaigns.report.csv_export import write_deliveries
from mailer.campaigns.report.departures import LostOrganisation
from mailer.cli import mailer
from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import IncomingMessage
from mailer.reasons.reason import Reason
from mailer.workspace import Workspace
from subscribers.consent.status_changes import erase
from subscribers.models import Status, Subscriber
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import (
    BOUNCE_ADDRESS,
    add_sent_campaign,
    bring,
    make_bounce,
    make_complaint,
    make_leave,
    set_feedback,
    sign,
)
from tests.factories.json_output import to_json


@pytest.fixture
def context(either_workspace: Workspace) -> Iterator[FeedbackContext]:
    workspace = set_feedback(either_workspace, bounce_address=BOUNCE_ADDRESS)
    engine = workspace.open_database(durable=False)
    yield FeedbackContext(workspace=workspace, engine=engine)
    engine.dispose()


@pytest.fixture
def campaign(context: FeedbackContext, now: datetime) -> int:
    """A campaign that 12 readers were sent, of whose mails something came back."""
    number = add_sent_campaign(context.engine, 12, at=now - timedelta(days=1))

    def come_back(message: IncomingMessage, hours: int = 0) -> None:
        bring(context, message, now=now + timedelta(hours=hours))

    def token(person: int, purpose: LinkPurpose = LinkPurpose.bounce) -> str:
        return sign(context.workspace, person, number, purpose)

    full = {"reason": Reason.full, "code": "552", "status": "5.2.2", "words": "552 5.2.2 mailbox full"}
    come_back(make_bounce(token(1), **full))
    come_back(make_bounce(token(2), **full))
    come_back(make_bounce(token(2), **full, address="elsewhere@example.org"))
    come_back(make_bounce(token(3)))
    come_back(make_bounce(token(4), reason=Reason.greylisted, action="delayed"))
    for person in (5, 6):
        words = f"550 5.7.1 <reader{person}@example.org>: blocked, see 98e67ed59e1d{person}-2a3b"
        come_back(make_bounce(token(person), reason=Reason.blocked, words=words), hours=person)
    come_back(make_complaint(token=token(7)))
    come_back(make_leave(token(8, LinkPurpose.leave)))
    come_back(IncomingMessage(kind=FeedbackKind.auto_reply, delivered_to=(f"b+{token(9)}@x.example",)))
    return number


def read_report(context: FeedbackContext, campaign: int) -> CampaignReport:
    with Session(context.engine) as session:
        return report_campaign(session, campaign, context.workspace)


def run(context: FeedbackContext, *words: str) -> str:
    environ = {"MAILER_DATABASE__URL": context.workspace.settings.database.url}
    result = CliRunner().invoke(
        mailer, ["-C", str(context.workspace.root), "campaigns", "report", *words], env=environ
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_report_counts_the_readers_of_what_came_back_and_names_who_left_by_mail(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    returned = read_report(context, campaign).returned
    assert [(group.label, group.readers) for group in returned.groups] == [
        ("bounce: blocked", 2),
        ("bounce: full", 2),
        ("bounce: no such user", 1),
        ("complaint", 1),
        ("auto-reply", 1),
        ("leave", 1),
    ]
    assert (returned.left_by_mail, returned.left_by_mail_count) == (("reader7@example.org",), 1)
    # What differs from reader to reader is left out, so the same words are told once.
    (alarm,) = returned.alarms
    assert (alarm.reason, alarm.readers) == (Reason.blocked, 2)
    assert alarm.words == "550 5.7.1 <…>: blocked, see …"
    assert alarm.last_at == now + timedelta(hours=6)
    told = json.loads(run(context, str(campaign), "--json"))["returned"]
    assert told["groups"][1] == {"kind": "bounce", "reason": "full", "readers": 2}
    assert told["alarms"][0]["readers"] == 2
    assert told["left_by_mail"] == ["reader7@example.org"]


def test_the_printed_report_says_the_same(context: FeedbackContext, campaign: int) -> None:
    lines = [" ".join(line.split()) for line in run(context, str(campaign)).splitlines()]
    for line in (
        "what came back readers",
        "bounce: full 2",
        "blocked 2 550 5.7.1 <…>: blocked, see …",
        "left by mail reader7@example.org",
    ):
        assert line in lines, line


def test_a_campaign_of_which_nothing_came_back_says_nothing_of_it(
    context: FeedbackContext, now: datetime
) -> None:
    number = add_sent_campaign(context.engine, 2, at=now)
    report = read_report(context, number)
    assert to_json(report.returned) == {
        "groups": [], "alarms": [], "left_by_mail": [], "left_by_mail_count": 0
    }  # fmt: skip
    assert "came back" not in run(context, str(number))


def test_the_csv_says_what_came_back_last_of_each_delivery(context: FeedbackContext, campaign: int) -> None:
    stream = io.StringIO(newline="")
    with Session(context.engine) as session:
        assert write_deliveries(session, campaign, context.workspace, stream) == 12
    rows = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert [(row["returned"], row["returned_reason"]) for row in rows[:8]] == [
        ("bounce", "full"),
        ("bounce", "full"),
        ("bounce", "no_such_user"),
        # It was only late.
        ("", ""),
        ("bounce", "blocked"),
        ("bounce", "blocked"),
        ("complaint", "complaint"),
        ("leave", ""),
    ]


def set_organisations(context: FeedbackContext, names: dict[int, str]) -> None:
    with context.engine.begin() as connection:
        for person, name in names.items():
            whose = col(Subscriber.id) == person
            connection.execute(update(Subscriber).where(whose).values(organisation=name))


def test_an_organisation_is_lost_with_its_last_reader_and_not_before(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    # 3 has bounced, 7 complained, 8 left; 10 to 12 still read, and 1 has a full mailbox.
    names = {3: "Museum of Ulaanbaatar", 7: " museum of Ulaanbaatar", 8: "Radio", 10: "radio ", 1: "School"}
    set_organisations(context, names)
    assert read_report(context, campaign).lost_organisations == (
        LostOrganisation(name="Museum of Ulaanbaatar", readers=2),
    )
    with Session(context.engine) as session:
        theirs = col(Subscriber.id) == 10
        session.connection().execute(update(Subscriber).where(theirs).values(status=Status.paused))
        session.commit()
    assert len(read_report(context, campaign).lost_organisations) == 1
    key = context.workspace.keys.suppression
    with Session(context.engine) as session:
        erase(session, "reader9@example.org", key=key, method="command", source="", now=now)
        session.commit()
    assert [lost.name for lost in read_report(context, campaign).lost_organisations] == [
        "Museum of Ulaanbaatar",
        "Radio",
    ]
    assert re.search(r"Radio +1\n", run(context, str(campaign)).replace(" \n", "\n"))
