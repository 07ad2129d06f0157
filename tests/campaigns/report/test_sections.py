"""The report as people see it: on the terminal, as CSV and in a mail, whatever others wrote."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, update
from sqlmodel import Session, col

from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.draft import CheckWarning
from mailer.campaigns.report.acceptance_times import format_duration
from mailer.campaigns.report.campaign_report import report_campaign
from mailer.campaigns.report.csv_export import write_table
from mailer.campaigns.report.report_worker import build_report_mail
from mailer.campaigns.report.sections import ReportTable, describe_report
from mailer.cli import mailer
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.workspace import Workspace
from subscribers.models import Status, Subscriber
from tests.factories.deliveries import START, add_campaign
from tests.factories.json_output import to_json

VECTORS = (
    "[red]bold[/red] :skull:",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "{{ 7 * 7 }}",
    "{% for x in () %}",
    "${alert(1)}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    '=HYPERLINK("http://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "＝1+1",
    "a;=1+1",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202egnp.exe",
    "\r\nBcc: x@y",
)
"""What servers, organisations and files may say: markup, templates, formulas and terminal commands."""


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A finished campaign in which everybody says something else that is harmful."""
    number = add_campaign(
        engine, len(VECTORS), state=CampaignState.finished, launched_at=START, finished_at=START,
        title=VECTORS[1], edition="2026-1",
    )  # fmt: skip
    with engine.begin() as connection:
        for place, words in enumerate(VECTORS, start=1):
            this = col(Delivery.id) == place
            said = {"state": DeliveryState.rejected, "code": 550, "reason": words}
            connection.execute(update(Delivery).where(this).values(said))
            gone = {"organisation": words, "status": Status.unsubscribed}
            connection.execute(update(Subscriber).where(col(Subscriber.id) == place).values(gone))
        warnings = [to_json(CheckWarning(code="a", path=words, line=1, message=words)) for words in VECTORS]
        kept = {"campaign_id": number, "part": ReportPart.warnings, "body": json.dumps(warnings)}
        connection.execute(
            insert(CampaignReportPart).values({**kept, "counted_at": START, "fingerprint": "", "cost": 0.0})
        )
    return number


def run(workspace: Workspace, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(
        mailer, ["-C", str(workspace.root), "campaigns", "report", *words], env={**environ}
    )


def describe_tables(workspace: Workspace, engine: Engine, campaign: int) -> list[ReportTable]:
    with Session(engine) as session:
        found = report_campaign(session, campaign, workspace)
    sections = describe_report(found, vocabulary_of(workspace.settings))
    return [table for section in sections for table in section.tables]


def test_no_words_of_others_command_the_terminal(workspace: Workspace, engine: Engine, campaign: int) -> None:
    done = run(workspace, str(campaign))
    assert done.exit_code == 0, done.output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.stdout)
    assert "[red]bold[/red] :skull:" in done.stdout


def test_no_cell_of_any_table_is_a_formula(workspace: Workspace, engine: Engine, campaign: int) -> None:
    tables = describe_tables(workspace, engine, campaign)
    assert {"reasons", "warnings", "organisations"} <= {table.name for table in tables}
    for table in tables:
        stream = io.StringIO(newline="")
        write_table(table, stream)
        for row in csv.reader(io.StringIO(stream.getvalue(), newline="")):
            for piece in (piece for cell in row for piece in cell.split(";")):
                assert not piece.startswith(("=", "+", "-", "@", "\t", "\r", "＝")), (table.name, piece)


class _Markup(HTMLParser):
    """Collects what a mail program would make of the HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_in_the_mail_the_words_of_others_are_text(
    workspace: Workspace, engine: Engine, campaign: int
) -> None:
    with Session(engine) as session:
        found = report_campaign(session, campaign, workspace)
    mail: Any = message_from_bytes(
        build_report_mail(
            found,
            envelope="team@office.example",
            settings=workspace.settings,
            vocabulary=vocabulary_of(workspace.settings),
            queued_at=START,
            now=START,
        ),
        policy=policy.default,
    )
    assert "Bcc" not in mail
    markup = _Markup()
    markup.feed(mail.get_body(("html",)).get_content())
    assert not markup.tags & {"script", "img", "svg", "a", "iframe", "input", "details"}
    assert not any(name.startswith("on") for name in markup.attributes)
    assert "<script>alert(1)</script>" in markup.text
    assert "{{ 7 * 7 }}" in markup.text


def test_a_table_is_written_by_its_name_with_empty_cells_for_hidden_figures(
    workspace: Workspace, engine: Engine, tmp_path: Path
) -> None:
    add_campaign(engine, 20, state=CampaignState.finished, launched_at=START, finished_at=START)
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.sent))
        first = col(Subscriber.id) <= 10
        connection.execute(update(Subscriber).where(first).values(country="MN"))
        connection.execute(update(Subscriber).where(~first).values(country="CN"))
        connection.execute(
            update(Delivery).where(col(Delivery.id).in_([1, 2, 11])).values(state=DeliveryState.failed)
        )
    file = tmp_path / "countries.csv"
    done = run(workspace, "1", "--csv", str(file), "--table", "countries")
    assert (done.exit_code, done.stderr) == (0, f"Wrote {file}: 3 rows.\n")
    assert file.read_text(encoding="utf-8-sig").splitlines() == [
        "country,sent,not sent,left since",
        "China,9,,0",
        "Mongolia,8,,0",
        "all,17,3,0",
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "Give the ID of a campaign, or --over-time"),
        (["1", "--over-time"], "Give the ID of a campaign, or --over-time"),
        (["1", "--table", "countries"], "--table only works together with --csv FILE"),
        (["1", "--last", "3"], "--last only works together with --over-time"),
        (["--over-time", "--csv", "-"], "--csv needs --table campaigns or --table months"),
        (["--over-time", "--mail", "a@example.org"], "--mail needs the ID of a campaign"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    workspace: Workspace, words: list[str], complaint: str
) -> None:
    done = run(workspace, *words)
    assert done.exit_code == 2
    assert complaint in done.output


def test_a_table_that_is_not_there_is_named_with_those_that_are(
    workspace: Workspace, engine: Engine, campaign: int
) -> None:
    done = run(workspace, str(campaign), "--csv", "-", "--table", "colours")
    assert done.exit_code == 1
    assert "has no table 'colours'. It has: numbers, reasons," in done.stderr


def test_all_campaigns_are_shown_over_time_with_the_growth_of_the_list(
    workspace: Workspace, engine: Engine
) -> None:
    for month in range(3):
        at = START + timedelta(days=31 * month)
        add_campaign(
            engine, [f"m{month}n{number}@example.org" for number in range(4)], edition=f"2026-{month + 1}",
            state=CampaignState.finished, launched_at=at, finished_at=at,
        )  # fmt: skip
    done = run(workspace, "--over-time", "--last", "2")
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith(" 2026")] == [
        "2026-3",
        "2026-2",
    ]
    told = json.loads(run(workspace, "--over-time", "--json").stdout)
    assert [one["edition_label"] for one in told["campaigns"]] == ["2026-3", "2026-2", "2026-1"]
    assert told["months"] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.42, "0.4 s"),
        (42.4, "42 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words
