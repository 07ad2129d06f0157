"""The report of a campaign as a mail to the team: HTML with inline styles, and text.

It is in English, as the command line is: it goes to those who send, not to readers.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from quopri import encodestring
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailer.campaigns.report.campaign_report import CampaignReport
from mailer.campaigns.report.section import (
    ReportSection,
    ReportTable,
    describe_moment,
    format_cell,
    tidy_words,
)
from mailer.campaigns.report.sections import describe_report
from mailer.rendering.headers import format_mailbox, format_text, write_header
from mailer.rendering.message import sender_address
from mailer.settings import Settings
from mailer.utc import format_utc
from subscribers.segments.term_description import Vocabulary
from templates import ROOT

_MAX_ROWS: Final = 15


@dataclass(frozen=True, kw_only=True)
class ShownTable:
    """A table as the mail shows it: its cells as text, and each row as a first cell and a line of the others.
    ``more`` says how many rows are left out."""

    head: tuple[str, ...]
    right: frozenset[int]
    rows: tuple[tuple[str, ...], ...]
    paragraphs: tuple[tuple[str, str], ...]
    is_wide: bool
    more: str
    note: str


@dataclass(frozen=True, kw_only=True)
class ShownSection:
    """A section as the mail shows it; ``moment`` says when its figures were counted, "" if now."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[ShownTable, ...]
    moment: str


def build_report_mail(
    report: CampaignReport,
    *,
    envelope: str,
    settings: Settings,
    vocabulary: Vocabulary,
    queued_at: datetime,
    now: datetime,
) -> bytes:
    """Build the mail of a report to ``envelope``: text and HTML, with CRLF line ends, not signed.

    The Message-ID follows from the campaign, the address and the time at which the mail was asked for, so
    that one that is sent again after a crash can be recognised.

    Raises:
        ConfigurationError: the sender's address cannot be used.
    """
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
        "sections": tuple(map(_show_section, describe_report(report, vocabulary))),
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


def _show_section(section: ReportSection) -> ShownSection:
    return ShownSection(
        title=section.title,
        sentences=section.sentences,
        tables=tuple(map(_show_table, section.tables)),
        moment=describe_moment(section),
    )


def _show_table(table: ReportTable) -> ShownTable:
    rows = [tuple(map(format_cell, row)) for row in table.rows[:_MAX_ROWS]]
    left_out = len(table.rows) - _MAX_ROWS
    return ShownTable(
        head=table.head,
        right=table.right,
        rows=tuple(rows),
        paragraphs=tuple(_write_paragraphs(table, rows)),
        is_wide=table.is_wide,
        more=f"… and {left_out:,} more rows." if left_out > 0 else "",
        note=table.note,
    )


def _write_paragraphs(table: ReportTable, rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Each row without columns: ``Mongolia``, ``sent 1,200, not sent 3``. Most words speak for themselves."""
    for first, *others in rows:
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
    return Environment(
        loader=FileSystemLoader(ROOT / "report"),
        autoescape=subtype == "html",  # noqa: S701 - the other is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
