"""The report as a mail to the team: when, once, and what it says."""

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, func, select, update
from sqlmodel import Session, col

from mailer.campaigns.report.report_worker import REPORT_MAILS, ReportMail, queue_due_reports
from mailer.cli import mailer
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.database.report_models import CampaignReportPart, QueuedReportMail
from mailer.dispatch.waiting_mails import MailClaim, QueueRun
from mailer.privacy.erasure import erase_person
from mailer.settings import CampaignSettings
from mailer.workspace import Workspace
from tests.factories.campaigns import with_settings, with_smtp
from tests.factories.deliveries import START, FakeClock, add_campaign, add_subscribers
from tests.servers.scripted_smtp import ScriptedServer, answering

TEAM = ("team@office.example", "director@office.example")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def reporting(either_workspace: Workspace, server: ScriptedServer) -> Workspace:
    return with_smtp(with_settings(either_workspace, campaigns=CampaignSettings(report_to=TEAM)), server.url)


@pytest.fixture
def engine(reporting: Workspace) -> Iterator[Engine]:
    engine = reporting.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START + timedelta(hours=25))


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A campaign to eight readers that finished an hour after its launch."""
    number = add_campaign(
        engine, 8, state=CampaignState.finished, launched_at=START, finished_at=START + timedelta(hours=1)
    )
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.sent))
        refused = {"state": DeliveryState.rejected, "code": 550, "reason": "5.1.1 <b>No</b> such user"}
        connection.execute(update(Delivery).where(col(Delivery.id) == 1).values(refused))
    return number


def parse(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def read_part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def count_queue(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(QueuedReportMail)) or 0


def send_due(reporting: Workspace, engine: Engine, *, clock: FakeClock) -> int:
    return REPORT_MAILS.send_due(QueueRun(workspace=reporting, engine=engine, clock=clock)).sent


def claim(reporting: Workspace, engine: Engine, clock: FakeClock) -> MailClaim[ReportMail] | None:
    run = QueueRun(workspace=reporting, engine=engine, clock=clock)
    while (number := REPORT_MAILS.find_due(run)) is not None:
        if (claimed := REPORT_MAILS.claim(run, number)) is not None:
            return claimed
    return None


def test_the_report_goes_to_the_team_a_day_after_the_end_and_once(
    reporting: Workspace, engine: Engine, server: ScriptedServer, clock: FakeClock, campaign: int
) -> None:
    clock.advance(minutes=-1)
    assert queue_due_reports(reporting, engine, clock=clock) == 0
    clock.advance(minutes=1)
    assert queue_due_reports(reporting, engine, clock=clock) == 1
    assert queue_due_reports(reporting, engine, clock=clock) == 0
    assert send_due(reporting, engine, clock=clock) == 2
    assert sorted(server.recipients) == ["director@office.example", "team@office.example"]
    clock.advance(days=2)
    assert queue_due_reports(reporting, engine, clock=clock) == 0
    assert send_due(reporting, engine, clock=clock) == 0
    assert count_queue(engine) == 0


def test_the_mail_says_what_the_campaign_did_as_text_and_as_html(
    reporting: Workspace, engine: Engine, server: ScriptedServer, clock: FakeClock, campaign: int
) -> None:
    queue_due_reports(reporting, engine, clock=clock)
    send_due(reporting, engine, clock=clock)
    message = parse(server.kept[0].content)
    assert message["Subject"] == "Report: Spring"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "en")
    plain, html = read_part(message, "plain"), read_part(message, "html")
    for words in ("8 readers: 7 sent, 1 refused by their mail server; nothing is open.", "no such user"):
        assert words in plain
        assert words in html
    assert "Opens are not counted" in plain
    assert "550 5.1.1 &lt;b&gt;No&lt;/b&gt; such user" in html


def test_the_mail_says_whose_fault_a_refusal_is_with_its_title(
    reporting: Workspace, engine: Engine, server: ScriptedServer, clock: FakeClock, campaign: int
) -> None:
    with engine.begin() as connection:
        left = {"state": DeliveryState.suppressed, "reason": "unsubscribed"}
        connection.execute(update(Delivery).where(col(Delivery.id) == 2).values(left))
    queue_due_reports(reporting, engine, clock=clock)
    send_due(reporting, engine, clock=clock)
    message = parse(server.kept[0].content)
    for text in (read_part(message, "plain"), unescape(read_part(message, "html"))):
        assert "readers 1, rejected, whose fault: the reader's side, 550 5.1.1" in text
        assert "readers 1, suppressed, unsubscribed" in text


@pytest.mark.parametrize("reply", ["451 4.3.0 try later", "421 4.3.2 closing"])
def test_a_mail_that_is_not_accepted_is_tried_again_under_the_same_name(
    reporting: Workspace, engine: Engine, clock: FakeClock, campaign: int, reply: str
) -> None:
    refusing = answering(("RCPT", "", reply))
    queue_due_reports(reporting, engine, clock=clock)
    with ScriptedServer(refusing) as busy:
        assert send_due(with_smtp(reporting, busy.url), engine, clock=clock) == 0
    assert send_due(reporting, engine, clock=clock) == 0
    clock.advance(minutes=2)
    assert send_due(reporting, engine, clock=clock) == 2


def test_after_a_crash_a_mail_is_sent_once_more_and_no_more(
    engine: Engine, reporting: Workspace, clock: FakeClock, campaign: int
) -> None:
    queue_due_reports(reporting, engine, clock=clock)
    first = claim(reporting, engine, clock)
    assert first is not None
    assert claim(reporting, engine, clock) is not None
    # Both claims die. Nobody takes them up before the lease is over.
    assert claim(reporting, engine, clock) is None
    clock.advance(minutes=31)
    again = claim(reporting, engine, clock)
    assert again is not None
    assert (again.number, again.mail) == (first.number, first.mail)
    assert claim(reporting, engine, clock) is not None
    clock.advance(minutes=31)
    assert claim(reporting, engine, clock) is None
    assert count_queue(engine) == 0


def test_a_campaign_that_ended_long_before_is_not_reported_when_the_setting_is_new(
    reporting: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    clock.advance(days=8)
    assert queue_due_reports(reporting, engine, clock=clock) == 0


def test_a_reader_of_the_team_who_is_erased_gets_no_report(
    reporting: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    add_subscribers(engine, ["team@office.example"])
    queue_due_reports(reporting, engine, clock=clock)
    erase_person(reporting, engine, "team@office.example", method="page", now=clock.now)
    with Session(engine) as session:
        assert [mail.address for mail in session.scalars(select(QueuedReportMail))] == [
            "director@office.example"
        ]
        # That it was mailed stays known.
        assert session.scalars(select(CampaignReportPart.part)).all() == ["mailed"]


def run(workspace: Workspace, *words: str) -> Result:
    environ = {
        "MAILER_DATABASE__URL": workspace.settings.database.url,
        "MAILER_SMTP__URL": workspace.settings.smtp.url,
    }
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "campaigns", "report", *words], env=environ)


def test_the_command_mails_the_report_to_any_address(
    reporting: Workspace, engine: Engine, server: ScriptedServer, campaign: int
) -> None:
    done = run(reporting, str(campaign), "--mail", "a@office.example", "--mail", "b@office.example")
    assert done.exit_code == 0, done.output
    assert server.recipients == ["a@office.example", "b@office.example"]
    assert "Sent the report of campaign 1 to b@office.example." in done.stderr


def test_a_report_that_the_relay_refuses_is_a_failure_in_its_own_words(
    reporting: Workspace, engine: Engine, campaign: int
) -> None:
    with ScriptedServer(answering(("RCPT", "", "550 5.1.1 no such user"))) as refusing:
        done = run(with_smtp(reporting, refusing.url), str(campaign), "--mail", "a@office.example")
    assert done.exit_code == 1
    assert "The relay did not accept the report for a@office.example" in done.stderr
    assert "5.1.1 no such user" in done.stderr
