"""The demo: a newsletter from start to finish, with a built-in SMTP server and web server."""

import shutil
import socket
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.atomic_write import write_atomically
from mailer.campaigns.launch import launch
from mailer.campaigns.outbox import render_sample, write_outbox
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.preflight import run_preflight
from mailer.campaigns.report.summary import describe_counts
from mailer.campaigns.send import send_campaign
from mailer.database.feedback_models import ProposedSuccessor
from mailer.database.models import Delivery, DeliveryState
from mailer.database.team_models import Role, SignInLinkPurpose
from mailer.dispatch.deliveries import Counts
from mailer.errors import MailerError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.reply_forwarder import find_destination, forward_due_replies
from mailer.feedback.simulator.rehearsal import TAG, add_simulated_readers
from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from mailer.feedback.simulator.server import Simulator, run_simulator, to_maildir
from mailer.feedback.simulator.simulation import Followed, read_returns
from mailer.team.members import add_member
from mailer.team.sign_in_links import create_link
from mailer.web.app import create_app
from mailer.web.server import serve, start_in_thread
from mailer.web.site import create_local_studio
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import Founder, create_workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment

CAMPAIGN = 3
"""The campaign that the guest sees first: it went to everybody, and somebody left in the middle."""
_GUEST = "guest@demo.example.org"
_PORT = 8028
_MARKER = ".made-by-mailer-demo"
_SEGMENT = "country:MN,CN sector:education"
_WEB_PORT = 8025


class DemoOutput(Protocol):
    """Shows the steps of the demo: on a terminal, or to a test."""

    def step(self, title: str) -> None: ...

    def line(self, text: str) -> None: ...

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None: ...

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]: ...


def show_returns(
    workspace: Workspace, engine: Engine, edition: str, maildir: Path, output: DemoOutput
) -> None:
    """Send the edition to simulated readers, and read what comes back to ``maildir``. Raise MailerError if
    the campaign stopped early."""
    output.step("What comes back from ten simulated readers")
    add_simulated_readers(workspace, engine, now=datetime.now(UTC))
    plan = plan_campaign(
        workspace, engine, edition, parse_segment(f"tag:{TAG}"), now=datetime.now(UTC), again=False
    )
    campaign_id = launch(engine, workspace, plan, now=datetime.now(UTC))
    with output.progress(f"Campaign {campaign_id}") as on_progress:
        result = send_campaign(workspace, campaign_id, on_progress=on_progress, wait=True)
    if result.needs_attention:
        raise MailerError(f"Campaign {campaign_id} is {result.state}: {result.reason}")
    followed = read_returns(workspace, engine, maildir)
    passed_on = forward_due_replies(FeedbackContext(workspace=workspace, engine=engine))
    deliveries = _read_deliveries(engine, campaign_id)
    output.table([("reader", "what came back", "what followed"), *_list_rows(deliveries, followed)])
    output.line(
        f"{passed_on} letters of people went on to {find_destination(workspace.settings)}, unchanged."
    )
    with Session(engine) as session:
        for successor in session.exec(select(ProposedSuccessor)):
            output.line(f"A successor waits for your decision: {successor.name} <{successor.email}>.")


def _list_rows(
    deliveries: Mapping[str, Delivery], followed: Sequence[Followed]
) -> list[tuple[str, str, str]]:
    by_reader: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for address, what, outcome in followed:
        by_reader[address].append((what, outcome))
    rows = []
    for recipient in SimulatedRecipient:
        address, delivery = recipient.address, deliveries[recipient.address]
        came = [what for what, _ in by_reader[address]]
        rows.append(
            (
                address,
                "; ".join([*_describe_delivery(delivery), *came]) or "nothing",
                _describe_end(delivery, [outcome for _, outcome in by_reader[address]]),
            )
        )
    return rows


def _describe_delivery(delivery: Delivery) -> list[str]:
    if delivery.state is DeliveryState.rejected:
        return ["refused at once"]
    told = ["in doubt"] if delivery.doubted else []
    return [*told, *(["refused for now, taken the next time"] if delivery.deferrals else [])]


def _describe_end(delivery: Delivery, outcomes: Sequence[str]) -> str:
    if delivery.state is DeliveryState.rejected:
        return "gets no more mail"
    return "; ".join(outcomes) or "stays on the list"


def _read_deliveries(engine: Engine, campaign_id: int) -> dict[str, Delivery]:
    with Session(engine) as session:
        rows = session.exec(
            select(Delivery, col(Subscriber.email))
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(col(Delivery.campaign_id) == campaign_id)
        ).all()
        return {email: delivery for delivery, email in rows}


def show_in_studio(root: Path, *, announce: Callable[[str], None], free_port: Callable[[int], int]) -> None:
    """Serve Studio for the demo in ``root``, on this machine alone, until Ctrl-C. ``announce`` gets the link
    that signs the guest in: once, within a quarter of an hour."""
    # Nothing of it is sent: the folder takes the place of the relay inside the demo, which has stopped.
    environ = {"MAILER_SMTP__URL": "maildir:received", "MAILER_LOG__FILE": "mailer.log"}
    workspace = open_workspace(root, environ=environ)
    port = free_port(_PORT)
    # Browsers take passkeys for the name of a host alone, so not for 127.0.0.1.
    address = f"http://localhost:{port}/studio"
    with workspace.use_database() as engine:
        secret = _let_guest_in(engine)
    serve(
        create_local_studio(workspace, address=address),
        host="127.0.0.1",
        port=port,
        announce=lambda _: announce(f"{address}/link/{secret}"),
    )


def _let_guest_in(engine: Engine) -> str:
    now = datetime.now(UTC)
    with Session(engine) as session:
        guest = add_member(session, _GUEST, "Guest", Role.guest, now=now)
        secret = create_link(
            session,
            SignInLinkPurpose.sign_in,
            now=now,
            member_id=guest.id,
            next_path=f"/campaigns/{CAMPAIGN}/report",
        )
        session.commit()
    return secret


@dataclass(frozen=True, kw_only=True)
class _DemoContext:
    workspace: Workspace
    engine: Engine
    server: Simulator
    edition: str
    output: DemoOutput


def run_walkthrough(folder: Path, output: DemoOutput, *, command: str = "mailer") -> Path:
    """Run the demo in ``folder``, where it replaces an earlier one; return the path of the edition's page.
    ``command`` is how the user runs this program; the last step shows commands to try next. Raise MailerError
    if the folder has files that are not from a demo, or a step failed."""
    root = _prepare_folder(folder)
    edition = _create_workspace(root, output)
    web_port = find_free_port(_WEB_PORT)
    came_back = root / "came-back"
    with run_simulator(
        root / "received", return_path=to_maildir(came_back), takes=lambda _: True, greylist_seconds=1
    ) as server:
        workspace = open_workspace(root, environ=_environment(server.url, web_port))
        with workspace.use_database() as engine:
            context = _DemoContext(
                workspace=workspace, engine=engine, server=server, edition=edition, output=output
            )
            _check(context)
            _preview(context)
            _send(context, _SEGMENT, f"Send to the segment {_SEGMENT}")
            _send(context, "all", "Send to all other readers")
            _unsubscribe_while_sending(context, web_port)
            show_returns(workspace, engine, edition, came_back, output)
        page = _write_page(workspace, edition)
    _show_next_steps(folder, page, edition, output, command)
    return page


def _environment(url: str, web_port: int) -> dict[str, str]:
    return {
        "MAILER_SMTP__URL": url,
        "MAILER_WEB__BASE_URL": f"http://127.0.0.1:{web_port}",
        "MAILER_FEEDBACK__BOUNCE_ADDRESS": "bounce@demo.example.org",
        "MAILER_FEEDBACK__LEAVE_ADDRESS": "leave@demo.example.org",
        "MAILER_FEEDBACK__SUCCESSORS": "true",
        # One reader's server hangs up, which the log would say in the middle of the table.
        "MAILER_LOG__FILE": "mailer.log",
    }


def _prepare_folder(folder: Path) -> Path:
    root = folder.absolute()
    if root.exists() and any(root.iterdir()):
        if not (root / _MARKER).is_file():
            raise MailerError(
                f"{folder} contains files that are not from a demo. Choose another folder with --dir."
            )
        shutil.rmtree(root)
    return root


def _create_workspace(root: Path, output: DemoOutput) -> str:
    output.step("Create a workspace with the sample edition and the sample partners")
    # The sample's own sender can send nothing, not even to the server inside the demo.
    founder = Founder(
        name="The partner-mailer demo",
        address="newsletter@demo.example.org",
        organisation="The partner-mailer demo",
        postal_address="This computer, which sends nothing to anybody else",
    )
    created = create_workspace(root, sample=True, now=datetime.now(UTC), founder=founder)
    (root / _MARKER).touch()
    output.table(
        [("workspace", root), ("edition", created.editions[0]), ("partners imported", created.partners)]
    )
    return created.editions[0]


def _check(context: _DemoContext) -> None:
    context.output.step("Check and render the edition")
    report = run_preflight(context.workspace, context.edition)
    if report.has_errors or report.edition is None:
        raise MailerError("\n".join(str(problem) for problem in report.problems))
    mail = report.compiled[0]
    size = len(mail.html.encode())
    context.output.table(
        [
            ("subject", mail.subject),
            ("stories", len(report.edition.stories)),
            ("HTML", f"{size:,} bytes (Gmail clips mails over about 100,000)"),
            ("problems", len(report.problems) or "none"),
        ]
    )


def _plan(context: _DemoContext, query: str, *, again: bool = False) -> Plan:
    segment = parse_segment(query, sectors=context.workspace.settings.sectors)
    return plan_campaign(
        context.workspace, context.engine, context.edition, segment, again=again, now=datetime.now(UTC)
    )


def _preview(context: _DemoContext) -> None:
    context.output.step(f"Preview a campaign to {_SEGMENT}")
    plan = _plan(context, _SEGMENT)
    written = write_outbox(context.workspace, context.engine, plan, addresses=(), now=datetime.now(UTC))
    by_country = ", ".join(f"{country} {number}" for country, number in plan.by_country.items())
    context.output.table([("readers", plan.audience), ("by country", by_country), ("written", written[0])])
    context.output.line(f"This was a preview: the SMTP server has received {len(context.server)} messages.")


def _send(context: _DemoContext, query: str, title: str) -> None:
    context.output.step(title)
    plan = _plan(context, query)
    for reason, number in plan.left_out.items():
        context.output.line(f"Left out: {number} {reason}")
    before = len(context.server)
    campaign_id = launch(context.engine, context.workspace, plan, now=datetime.now(UTC))
    counts = _send_campaign(context, campaign_id)
    context.output.line(f"Campaign {campaign_id}, {describe_counts(counts)}")
    context.output.line(counts.equation())
    context.output.line(f"The SMTP server received {len(context.server) - before} messages.")


def _send_campaign(context: _DemoContext, campaign_id: int) -> Counts:
    with context.output.progress(f"Campaign {campaign_id}") as on_progress:
        result = send_campaign(context.workspace, campaign_id, on_progress=on_progress)
    if result.needs_attention:
        raise MailerError(f"Campaign {campaign_id} is {result.state}: {result.reason}")
    return result.counts


def _unsubscribe_while_sending(context: _DemoContext, web_port: int) -> None:
    context.output.step("Send again, and unsubscribe one reader while the campaign is running")
    campaign_id = launch(
        context.engine, context.workspace, _plan(context, "all", again=True), now=datetime.now(UTC)
    )
    # The same reader every time, whichever connection was served first.
    message = min(context.server.messages(), key=lambda arrived: str(arrived["X-Envelope-To"]))
    running = start_in_thread(create_app(context.workspace), port=web_port)
    try:
        _one_click(context, message)
    finally:
        running.stop()
    counts = _send_campaign(context, campaign_id)
    context.output.line(f"Campaign {campaign_id}, {describe_counts(counts)}")
    context.output.line(f"Every reader is accounted for: {counts.equation()}")


def _one_click(context: _DemoContext, message: EmailMessage) -> None:
    """Unsubscribe as a mail client does (RFC 8058): one POST, without cookies."""
    url = str(message["List-Unsubscribe"]).partition("<")[2].partition(">")[0]
    request = urllib.request.Request(url, data=b"List-Unsubscribe=One-Click", method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310 - our own server
        context.output.line(f"{message['To']} opens the link (GET {page.status}): nothing changes.")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        context.output.line(f"{message['To']} clicks the button (POST {answer.status}): unsubscribed.")


def find_free_port(wanted: int) -> int:
    """Return the port ``wanted`` if it is free here, else another. Raise MailerError if there is none."""
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
    page = workspace.outbox / f"{edition}.html"
    write_atomically(
        page,
        render_sample(
            workspace, edition, output_format="html", address=None, language=None, local_media=True
        ),
    )
    return page


def _show_next_steps(folder: Path, page: Path, edition: str, output: DemoOutput, command: str) -> None:
    output.step("What to try next")
    output.table(
        [
            ("the edition as a file", page),
            ("the messages received", folder / "received" / "new"),
            ("preview in the browser", f"{command} -C {folder} preview {edition}"),
            (
                "let yourself in to Studio",
                f"{command} -C {folder} studio invite me@example.org --role manager",
            ),
            ("then open its link in Studio", f"{command} -C {folder} studio"),
            ("the readers’ pages", f"{command} -C {folder} serve"),
            ("who got campaign 3", f"{command} -C {folder} campaigns report 3"),
            ("the same with charts", f"{command} -C {folder} campaigns report 3 --page"),
            ("what came back", f"{command} -C {folder} feedback list"),
        ]
    )
