"""Reports of DMARC arrive in the mailbox, count once, and say who sends in our name."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlmodel import Session, func, select

from mailer.cli import mailer
from mailer.database.feedback_models import (
    DmarcReport,
    DmarcSource,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.doctor import Health
from mailer.doctor.feedback_checks import check_reported_senders
from mailer.feedback.context import FeedbackContext
from mailer.feedback.dmarc_reports import KEPT_FOR, SenderKind, read_senders
from mailer.feedback.intake import receive
from mailer.workspace import Workspace
from tests.factories.dmarc import FORWARDED, RECORD, STRANGER, make_report_mail, make_report_xml

ARRIVED = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
SINCE = ARRIVED - timedelta(days=30)


def bring(context: FeedbackContext, **parts: str) -> FeedbackState:
    raw = make_report_mail(make_report_xml(**parts))
    return receive(context, raw, source="imap", now=ARRIVED).state


def count(context: FeedbackContext, table: type[DmarcReport] | type[DmarcSource]) -> int:
    with Session(context.engine) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_report_is_recorded_once_whatever_mail_brings_it(context: FeedbackContext) -> None:
    assert bring(context) is FeedbackState.recorded
    raw = make_report_mail(make_report_xml(), wrapping="zip")
    receipt = receive(context, raw, source="lmtp", now=ARRIVED)
    assert (receipt.kind, receipt.state, receipt.is_new) == (
        *(FeedbackKind.dmarc, FeedbackState.recorded),
        True,
    )
    assert (count(context, DmarcReport), count(context, DmarcSource)) == (1, 2)


@pytest.mark.parametrize("domain", ["other.example", "org", "xample.org"])
def test_a_report_about_another_domain_is_for_a_person(context: FeedbackContext, domain: str) -> None:
    assert bring(context, domain=domain) is FeedbackState.held
    assert count(context, DmarcReport) == 0
    with Session(context.engine) as session:
        note = session.exec(select(FeedbackMessage.note)).one()
    assert note == f"it is a report on senders (DMARC) about {domain}, which is not the domain of your mail"


def test_senders_are_told_apart(context: FeedbackContext) -> None:
    bring(context, records=RECORD + FORWARDED + STRANGER.format(count=40))
    bring(context, records=RECORD, report_id="6", organisation="qq.com")
    with context.engine.connect() as connection:
        found = read_senders(connection, since=SINCE)
        later = read_senders(connection, since=ARRIVED + timedelta(days=1))
    assert (found.reports, found.receivers) == (2, ("google.com", "qq.com"))
    assert [(one.source_ip, one.kind, one.messages, one.passed, one.refused) for one in found.senders] == [
        ("192.0.2.1", SenderKind.ours, 240, 240, 0),
        ("198.51.100.9", SenderKind.unknown, 40, 0, 40),
        ("2001:db8::1", SenderKind.forwarder, 7, 0, 0),
    ]
    assert later.reports == 0


def test_what_is_older_than_thirteen_months_is_forgotten(context: FeedbackContext) -> None:
    bring(context)
    raw = make_report_mail(make_report_xml(report_id="next"))
    receive(context, raw, source="imap", now=ARRIVED + KEPT_FOR + timedelta(days=2))
    # Each is about the same day, so the second is gone with the next that comes.
    assert count(context, DmarcReport) == 1
    assert count(context, DmarcSource) == 2


def test_the_doctor_names_strangers_when_there_are_many(
    context: FeedbackContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(check_reported_senders(context.workspace)) == []
    recent = datetime.now(UTC) - timedelta(days=1)
    begin = str(int(recent.timestamp()))

    def report(**parts: str) -> bytes:
        xml = make_report_xml(**parts).replace(b"1795564800", begin.encode())
        return make_report_mail(xml.replace(b"1795651199", begin.encode()))

    receive(context, report(records=RECORD + STRANGER.format(count=2)), source="imap", now=recent)
    (good,) = check_reported_senders(context.workspace)
    assert (good.verdict, good.message) == (
        Health.good,
        "in 30 days, receivers reported 122 messages in your name, of which 120 passed",
    )
    more = report(records=STRANGER.format(count=30), report_id="more")
    receive(context, more, source="imap", now=recent)
    (doubtful,) = check_reported_senders(context.workspace)
    assert (doubtful.verdict, doubtful.code) == (Health.doubtful, "dmarc-unknown-senders")
    assert "32 came from 1 unknown address" in doubtful.message


def test_the_command_shows_them(workspace: Workspace) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(mailer, ["-C", str(workspace.root), "feedback", "senders", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "No report has come in 30 days" in run()
    engine = workspace.open_database(durable=True)
    try:
        context = FeedbackContext(workspace=workspace, engine=engine)
        bring(context, records=RECORD + STRANGER.format(count=40))
    finally:
        engine.dispose()
    told = run("--days", "396")
    assert "160 messages, 75.0 % passed." in told
    assert "198.51.100.9  unknown        40       0       40  example.org" in told
    assert json.loads(run("--days", "396", "--json"))["senders"][1]["kind"] == "unknown"
