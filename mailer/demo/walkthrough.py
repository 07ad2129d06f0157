"""The demo, step by step: create a workspace, check an edition, send campaigns, unsubscribe a reader.

Every step runs the real code: the relay is an SMTP server in this process, the pages come from a web server
on loopback.
"""

import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from mailer.campaigns.launch import launch
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.preflight import Examination, examine
from mailer.campaigns.report import describe_counts
from mailer.campaigns.sample_message import render_specimen
from mailer.campaigns.send import send_campaign
from mailer.demo.smtp_sink import Sink, run_sink
from mailer.dispatch.deliveries.counts import Counts
from mailer.errors import MailerError
from mailer.web.app import create_app
from mailer.web.server import start_in_thread
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import found_workspace
from subscribers.segment import parse_segment

_MARKER = ".made-by-mailer-demo"
_SEGMENT = "country:MN,CN sector:education"
_PORT = 8025


class Narrator(Protocol):
    """Shows the steps of the demo: on a terminal, or to a test."""

    def step(self, title: str) -> None: ...

    def tell(self, text: str) -> None: ...

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None: ...

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]: ...


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """What every step of the demo needs."""

    workspace: Workspace
    engine: Engine
    sink: Sink
    edition: str
    narrator: Narrator


def run_journey(folder: Path, narrator: Narrator, *, command: str = "mailer") -> Path:
    """Run the demo in ``folder`` and return the path of the edition's page. An earlier demo there is
    replaced.

    ``command`` is how the user runs this program; the last step shows commands to try next.

    Raises:
        MailerError: the folder contains files that are not from a demo, or a step failed.
    """
    root = _clear(folder)
    edition = _found(root, narrator)
    web_port = _free_port(_PORT)
    with run_sink(root / "received") as sink:
        environ = {"MAILER_SMTP__URL": sink.url, "MAILER_WEB__BASE_URL": f"http://127.0.0.1:{web_port}"}
        workspace = open_workspace(root, environ=environ)
        with _database(workspace) as engine:
            stage = _Stage(workspace=workspace, engine=engine, sink=sink, edition=edition, narrator=narrator)
            _check(stage)
            _preview(stage)
            _send(stage, _SEGMENT, f"Send to the segment {_SEGMENT}")
            _send(stage, "all", "Send to all other readers")
            _leave_in_flight(stage, web_port)
        page = _write_page(workspace, edition)
    _show_where_to_look(folder, page, edition, narrator, command)
    return page


def _clear(folder: Path) -> Path:
    root = folder.absolute()
    if root.exists() and any(root.iterdir()):
        if not (root / _MARKER).is_file():
            raise MailerError(
                f"{folder} contains files that are not from a demo. Choose another folder with --dir."
            )
        shutil.rmtree(root)
    return root


def _found(root: Path, narrator: Narrator) -> str:
    narrator.step("Create a workspace with the sample edition and the sample partners")
    founded = found_workspace(root, sample=True, now=datetime.now(UTC))
    (root / _MARKER).touch()
    narrator.table(
        [("workspace", root), ("edition", founded.editions[0]), ("partners imported", founded.partners)]
    )
    return founded.editions[0]


@contextmanager
def _database(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    try:
        yield engine
    finally:
        engine.dispose()


def _check(stage: _Stage) -> None:
    stage.narrator.step("Check and render the edition")
    examination = examine(stage.workspace, stage.edition)
    if examination.has_errors or examination.edition is None:
        raise MailerError("\n".join(str(problem) for problem in examination.problems))
    stage.narrator.table(_facts(examination, len(examination.edition.stories)))


def _facts(examination: Examination, stories: int) -> list[tuple[str, object]]:
    mail = examination.compiled[0]
    size = len(mail.html.encode())
    return [
        ("subject", mail.subject),
        ("stories", stories),
        ("HTML", f"{size:,} bytes (Gmail clips mails over about 100,000)"),
        ("problems", len(examination.problems) or "none"),
    ]


def _plan(stage: _Stage, query: str, *, again: bool = False) -> Plan:
    segment = parse_segment(query, sectors=stage.workspace.settings.sectors)
    return plan_campaign(
        stage.workspace, stage.engine, stage.edition, segment, again=again, now=datetime.now(UTC)
    )


def _preview(stage: _Stage) -> None:
    stage.narrator.step(f"Preview a campaign to {_SEGMENT}")
    plan = _plan(stage, _SEGMENT)
    outbox = write_outbox(stage.workspace, stage.engine, plan, addresses=(), now=datetime.now(UTC))
    by_country = ", ".join(f"{country} {number}" for country, number in plan.by_country.items())
    stage.narrator.table(
        [("readers", plan.audience), ("by country", by_country), ("written", outbox.files[0])]
    )
    stage.narrator.tell(f"This was a preview: the SMTP server has received {len(stage.sink)} messages.")


def _send(stage: _Stage, query: str, title: str) -> None:
    stage.narrator.step(title)
    plan = _plan(stage, query)
    for reason, number in plan.left_out.items():
        stage.narrator.tell(f"Left out: {number} {reason}")
    before = len(stage.sink)
    campaign_id = launch(stage.engine, stage.workspace, plan, now=datetime.now(UTC))
    counts = _dispatch(stage, campaign_id)
    stage.narrator.tell(f"Campaign {campaign_id}, {describe_counts(counts)}")
    stage.narrator.tell(counts.equation())
    stage.narrator.tell(f"The SMTP server received {len(stage.sink) - before} messages.")


def _dispatch(stage: _Stage, campaign_id: int) -> Counts:
    with stage.narrator.progress(f"Campaign {campaign_id}") as on_progress:
        ending = send_campaign(stage.workspace, campaign_id, on_progress=on_progress)
    if ending.needs_attention:
        raise MailerError(f"Campaign {campaign_id} is {ending.state}: {ending.reason}")
    return ending.counts


def _leave_in_flight(stage: _Stage, web_port: int) -> None:
    stage.narrator.step("Send again, and unsubscribe one reader while the campaign is running")
    campaign_id = launch(
        stage.engine, stage.workspace, _plan(stage, "all", again=True), now=datetime.now(UTC)
    )
    # The same reader every time, whichever connection was served first.
    message = min(stage.sink.messages(), key=lambda arrived: str(arrived["X-Envelope-To"]))
    running = start_in_thread(create_app(stage.workspace), port=web_port)
    try:
        _one_click(stage, message)
    finally:
        running.stop()
    counts = _dispatch(stage, campaign_id)
    stage.narrator.tell(f"Campaign {campaign_id}, {describe_counts(counts)}")
    stage.narrator.tell(f"Closing equation: {counts.equation()}")


def _one_click(stage: _Stage, message: EmailMessage) -> None:
    """Unsubscribe as a mail client does (RFC 8058): one POST, without cookies."""
    url = str(message["List-Unsubscribe"]).partition("<")[2].partition(">")[0]
    request = urllib.request.Request(url, data=b"List-Unsubscribe=One-Click", method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310 - our own server
        stage.narrator.tell(f"{message['To']} opens the link (GET {page.status}): nothing changes.")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        stage.narrator.tell(f"{message['To']} clicks the button (POST {answer.status}): unsubscribed.")


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise MailerError("There is no free port on 127.0.0.1 for the demo's web pages.")


def _write_page(workspace: Workspace, edition: str) -> Path:
    """Write the edition as a page on disk."""
    page = workspace.outbox / f"{edition}.html"
    page.write_bytes(
        render_specimen(workspace, edition, form="html", address=None, language=None, local_media=True)
    )
    return page


def _show_where_to_look(folder: Path, page: Path, edition: str, narrator: Narrator, command: str) -> None:
    narrator.step("What to try next")
    narrator.table(
        [
            ("the edition as a file", page),
            ("the messages received", folder / "received" / "new"),
            ("preview in the browser", f"{command} -C {folder} preview {edition}"),
            ("the readers’ pages", f"{command} -C {folder} serve"),
            ("who got campaign 3", f"{command} -C {folder} campaigns report 3"),
        ]
    )
