"""The worker that counts the costly figures of reports, and mails reports to the team.

A report is due some hours after its campaign has finished. One transaction notes that it is mailed and puts
a row for each address in a queue, so it is queued once, however many workers there are. A worker claims a
row by postponing its next attempt. If it dies while sending, the mail is sent at most once more, under the
same Message-ID. The mail is in English, as the command line is: it goes to those who send, not to readers.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from quopri import encodestring
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, Engine, exists, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mailer.background import OBSTACLES, repeat_work
from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.report.campaign_report import CampaignReport, report_campaign
from mailer.campaigns.report.parts import count_outdated_parts
from mailer.campaigns.report.sections import (
    ReportTable,
    describe_moment,
    describe_report,
    format_cell,
    tidy_words,
)
from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.models import Campaign, CampaignState
from mailer.database.report_models import CampaignReportPart, QueuedReportMail, ReportPart
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun, sign_and_send_mail
from mailer.errors import MailerError
from mailer.rendering.headers import format_mailbox, format_text, write_header
from mailer.rendering.message import sender_address
from mailer.settings import Settings
from mailer.smtp.reply_classifier import Verdict
from mailer.utc import format_utc
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.errors import SubscriberError
from subscribers.segments.description import Vocabulary
from templates import ROOT

_MAX_ROWS: Final = 15
_POLL_SECONDS: Final = 15.0
_TRIED_FOR: Final = timedelta(days=2)
_NOT_OLDER_THAN: Final = timedelta(days=7)
"""A report that was due longer ago is not mailed: the setting is new, or no worker ran."""
_log = logging.getLogger(__name__)


def build_report_mail(
    report: CampaignReport,
    *,
    envelope: str,
    settings: Settings,
    vocabulary: Vocabulary,
    queued_at: datetime,
    now: datetime,
) -> bytes:
    """Build the mail of a report to ``envelope``: text and HTML, with CRLF line ends, not signed. The
    Message-ID follows from the campaign, the address and when the mail was asked for, so that one that is
    sent again after a crash can be recognised."""
    summary, sender = report.summary, settings.sender
    title = tidy_words(summary.title) or tidy_words(summary.edition_label)
    own = sender_address(sender.address)
    identity = f"{summary.id} {envelope} {queued_at.isoformat()}"
    boundary = f"=_{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
    headers = (
        ("From", format_mailbox(sender.name, own)),
        ("Subject", format_text(f"Report: {title}")),
        ("Date", format_datetime(now.replace(microsecond=0))),
        ("Message-ID", f"<r{summary.id}.{boundary[2:14]}@{own.rpartition('@')[2]}>"),
        ("MIME-Version", "1.0"),
        # RFC 3834: no out-of-office notice should answer.
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", "en"),
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
    )
    head = "".join(write_header(name, value) for name, value in headers)
    values = {
        "subject": f"Report: {title}",
        "title": title,
        "about": _describe_campaign(report),
        "sender_name": sender.name,
        "sections": tuple(describe_report(report, vocabulary)),
        "most_rows": _MAX_ROWS,
        "why": f"You get this because it was asked for with [campaigns] report_to or `mailer campaigns "
        f"report {summary.id} --mail`, which shows more than fits a mail.",
    }
    parts = [
        _write_part(boundary, subtype, _jinja_env(subtype).get_template(f"mail.{ending}").render(values))
        for subtype, ending in (("plain", "txt"), ("html", "html"))
    ]
    to = f"To: {envelope}\r\n"
    return (head + to + "\r\n" + "".join(parts) + f"--{boundary}--\r\n").encode()


def _describe_campaign(report: CampaignReport) -> str:
    summary = report.summary
    launched = f", launched {format_utc(summary.launched_at)}" if summary.launched_at else ""
    return f"Campaign {summary.id}, {tidy_words(summary.edition_label)}{launched}: {summary.state.value}."


def _write_paragraphs(table: ReportTable) -> Iterator[tuple[str, str]]:
    """Yield each row without columns: ``Mongolia``, ``sent 1,200, not sent 3``. Most need no heading."""
    for row in table.rows[:_MAX_ROWS]:
        first, *others = map(format_cell, row)
        words = (_title_value(table, place, value) for place, value in enumerate(others, start=1) if value)
        yield first, ", ".join(words)


def _title_value(table: ReportTable, place: int, value: str) -> str:
    if place in table.titled:
        return f"{table.head[place]}: {value}"
    return f"{table.head[place]} {value}" if place in table.right else value


def _write_part(boundary: str, subtype: str, text: str) -> str:
    encoded = encodestring(text.strip().encode(), quotetabs=False).decode("ascii").replace("\n", "\r\n")
    kind = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n'
    return f"--{boundary}\r\n{kind}\r\n{encoded}\r\n"


@cache
def _jinja_env(subtype: str) -> Environment:
    env = Environment(
        loader=FileSystemLoader(ROOT / "report"),
        autoescape=subtype == "html",  # noqa: S701 - the other is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(cell=format_cell, moment=describe_moment, paragraphs=_write_paragraphs)
    return env


class ReportMailError(MailerError):
    """A report could not be mailed to everybody it was for."""


def run_report_worker(
    workspace: Workspace,
    *,
    stop: threading.Event,
    report: Callable[[str], None],
    clock: Clock = read_clock,
) -> None:
    """Count figures and mail reports until ``stop`` is set. While the database is unavailable, wait."""
    with workspace.use_database() as engine:
        run = QueueRun(workspace=workspace, engine=engine, clock=clock, is_stopped=stop.is_set)

        def work() -> None:
            count_outdated_parts(workspace, engine, stop=stop, clock=clock)
            queue_due_reports(workspace, engine, clock=clock)
            REPORT_MAILS.send_due(run)

        repeat_work(
            work,
            stop=stop,
            seconds=_POLL_SECONDS,
            trouble="Reports cannot be counted or mailed at the moment",
            report=report,
            log=_log,
            obstacles=(*OBSTACLES, SubscriberError),
        )


def queue_due_reports(workspace: Workspace, engine: Engine, *, clock: Clock = read_clock) -> int:
    """Queue the reports that are due for each address of ``[campaigns] report_to``; return their number."""
    settings = workspace.settings.campaigns
    if not settings.report_to:
        return 0
    with engine.connect().execution_options(read_only=True) as connection:
        now = clock(connection)
        due = _list_due(connection, now - timedelta(hours=settings.report_after_hours))
    return sum(_queue(engine, number, settings.report_to, now) for number in due)


def _list_due(connection: Connection, finished_before: datetime) -> list[int]:
    mailed = exists().where(
        col(CampaignReportPart.campaign_id) == col(Campaign.id),
        col(CampaignReportPart.part) == ReportPart.mailed,
    )
    statement = select(col(Campaign.id)).where(
        col(Campaign.state) == CampaignState.finished,
        col(Campaign.finished_at) <= finished_before,
        col(Campaign.finished_at) > finished_before - _NOT_OLDER_THAN,
        ~mailed,
    )
    return [number for number in connection.scalars(statement.order_by(col(Campaign.id))) if number]


def _queue(engine: Engine, campaign_id: int, addresses: Sequence[str], now: datetime) -> bool:
    note = {"campaign_id": campaign_id, "part": ReportPart.mailed, "body": str(len(addresses))}
    note_row = {**note, "counted_at": now, "fingerprint": "", "cost": 0.0}
    rows = [
        {
            "campaign_id": campaign_id,
            "address": normalise_address(address).email,
            "queued_at": now,
            "not_before": now,
            "attempts": 0,
            "reason": "",
        }
        for address in dict.fromkeys(addresses)
    ]
    try:
        with engine.begin() as connection:
            connection.execute(insert(CampaignReportPart).values(note_row))
            connection.execute(insert(QueuedReportMail), rows)
    except IntegrityError:
        # Another worker has queued it at this moment.
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class ReportMail:
    """The report of a campaign to one address of the team. A ``fresh`` one counts what is counted rarely."""

    campaign_id: int
    address: str
    queued_at: datetime
    fresh: bool = False

    @property
    def envelope(self) -> str:
        return normalise_address(self.address).envelope

    def build(self, run: QueueRun, number: int, now: datetime) -> bytes:  # noqa: ARG002
        settings = run.workspace.settings
        if not self.fresh:
            count_outdated_parts(run.workspace, run.engine, only=self.campaign_id, clock=run.clock)
        with open_session(run.engine, read_only=True) as session:
            report = report_campaign(session, self.campaign_id, run.workspace, fresh=self.fresh)
        return build_report_mail(
            report,
            envelope=self.envelope,
            settings=settings,
            vocabulary=vocabulary_of(settings),
            queued_at=self.queued_at,
            now=now,
        )


def _describe(_: QueueRun, __: Session, row: QueuedReportMail, now: datetime) -> ReportMail | None:
    if now - row.queued_at > _TRIED_FOR:
        return None
    return ReportMail(campaign_id=row.campaign_id, address=row.address, queued_at=row.queued_at)


REPORT_MAILS = MailKind(
    table=QueuedReportMail,
    number=col(QueuedReportMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=30), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
    ),
    describe=_describe,
)


def mail_report(
    workspace: Workspace,
    engine: Engine,
    campaign_id: int,
    addresses: Sequence[str],
    *,
    clock: Clock = read_clock,
) -> Iterator[str]:
    """Mail a report of this moment to each of ``addresses`` now, and yield a sentence for each that the relay
    accepted. Raise AddressError if an address is not valid, and UnknownCampaignError if there is no such
    campaign, before anything is sent; ReportMailError if a relay did not accept a mail, and
    ConfigurationError if a relay, a key or the sender's address cannot be used: the rest is then not sent.
    """
    valid = [normalise_address(address).email for address in dict.fromkeys(addresses)]
    with open_session(engine, read_only=True) as session:
        find_campaign(session, campaign_id)
        now = clock(session.connection())
    run = QueueRun(workspace=workspace, engine=engine, clock=clock)
    for address in valid:
        mail = ReportMail(campaign_id=campaign_id, address=address, queued_at=now, fresh=True)
        outcome = sign_and_send_mail(
            *(workspace.settings, workspace.root),
            recipient=mail.envelope,
            message=mail.build(run, 0, now),
            now=now,
        )
        if outcome.verdict is not Verdict.sent:
            raise ReportMailError(
                f"The relay did not accept the report for {address} ({outcome.verdict.value}): "
                f"{outcome.reason or 'no reason given'}"
            )
        yield f"Sent the report of campaign {campaign_id} to {address}."
