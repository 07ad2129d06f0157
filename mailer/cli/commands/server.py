"""The commands that serve and work: `serve`, `work` and `studio`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, say

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from sqlmodel import Session

    from mailer.live_workspace import LiveWorkspace
    from mailer.workspace import Workspace


_POLL_SECONDS = 1.0
_PORT = 8028
_ROLES = ("guest", "author", "approver", "manager")
_METRICS_CONNECTIONS = 8


@contextlib.contextmanager
def work_beside(workspace: Workspace, live: LiveWorkspace) -> Iterator[None]:
    """Run a worker in a thread of this process; at the end it finishes the messages it has begun."""
    from mailer.background import run_beside
    from mailer.campaigns.worker import run_worker as work_on

    def work(stop: threading.Event) -> None:
        work_on(workspace, stop=stop, say=say, use_jobs=False, live=live)

    with run_beside("mailer-work", work), serve_readers_beside(live):
        yield


@contextlib.contextmanager
def serve_readers_beside(live: LiveWorkspace) -> Iterator[None]:
    """Send the transactional mails that readers request on the pages, read what comes back, and work on the
    reports."""
    from mailer.campaigns.report.report_worker import run_report_worker
    from mailer.feedback.worker import run_feedback_worker
    from mailer.selfservice.mail_worker import run_mail_worker

    with (
        _live_thread(live, "mailer-mails", run_mail_worker),
        _live_thread(live, "mailer-feedback", run_feedback_worker),
        _live_thread(live, "mailer-reports", run_report_worker),
    ):
        yield


def _live_thread(
    live: LiveWorkspace, name: str, work_on: Callable[..., None]
) -> contextlib.AbstractContextManager[None]:
    """Work in a thread of this process, with the settings as they are on disk."""
    from mailer.background import run_beside
    from mailer.live_workspace import ChangeStop

    def work(stop: threading.Event) -> None:
        while not stop.is_set():
            workspace = live.refresh()
            if workspace is None:
                stop.wait(_POLL_SECONDS)
            else:
                work_on(workspace, stop=ChangeStop(stop, live, workspace), report=say)

    return run_beside(name, work)


@click.group(invoke_without_command=True)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="The port to listen on."
)
@click.option("--no-work", is_flag=True, help="Only serve pages; leave campaigns to `mailer work`.")
@click.pass_context
def studio(click_context: click.Context, port: int, no_work: bool) -> None:
    """Serve Studio, the team's own pages, on this machine until you press Ctrl-C.

    Like `mailer serve`, it also sends the campaigns that are launched there. While nobody belongs to the
    team, it prints the link that makes you its manager.
    """
    if click_context.invoked_subcommand is not None:
        return
    from mailer.campaigns.send import stop_on_signals
    from mailer.live_workspace import LiveWorkspace
    from mailer.team.sign_in_links import create_first_link
    from mailer.web.live_app import LiveApp
    from mailer.web.server import serve as serve_app
    from mailer.web.site import create_local_studio

    context = click_context.find_object(CliContext)
    assert context is not None  # noqa: S101 - set by the main command
    workspace = context.workspace
    # Browsers take passkeys for the name of a host alone, so not for 127.0.0.1.
    address = f"http://localhost:{port}/studio"
    with context.write_session() as session:
        secret = create_first_link(session, now=_read_now(session))

    def announce(_: str) -> None:
        if secret:
            say("Nobody belongs to the team yet. Open this link within an hour; it works once:")
            say(f"{address}/first/{secret}")
        else:
            say(f"Open {address} in your browser.")
        say("Press Ctrl-C to stop.")

    live = LiveWorkspace(workspace, say=say)
    beside = contextlib.nullcontext() if no_work else work_beside(workspace, live)
    app = LiveApp(live, lambda current: create_local_studio(current, address=address, live=live))
    # The server shuts down cleanly and then raises the signal again, which must not interrupt messages that
    # are being sent.
    with stop_on_signals(), beside:
        serve_app(app, host="127.0.0.1", port=port, announce=announce)


@studio.command()
@click.argument("address")
@click.option("--name", default="", help="The person's name, as the others will see it.")
@click.option(
    "--role", type=click.Choice(_ROLES), default="author", show_default=True, help="What they may do."
)
@pass_context
def invite(context: CliContext, address: str, name: str, role: str) -> None:
    """Let a person into the team, and print a link that signs them in.

    Pass the link on to them yourself: nothing is mailed. It works once, within seven days. For who belongs to
    the team already, it prints another link and changes nothing else, which also helps a manager who cannot
    sign in any more.
    """
    from mailer.database.team_models import Role
    from mailer.team.invitations import admit_member

    with context.write_session() as session:
        secret, member, is_new = admit_member(session, address, name, Role(role), now=_read_now(session))
        record_deed(session, deeds.invited_member(member.email, member.role, again=not is_new))
    settings = context.workspace.settings
    # Where people open Studio: at the public address if it is served there, else on this machine.
    place = settings.web.base_url if settings.studio.enabled else f"http://localhost:{_PORT}"
    said = "now belongs to the team" if is_new else "belongs to the team already"
    say(f"{member.name} {said}, as {member.role}. This link signs them in, once, within seven days:")
    emit(f"{place}/studio/link/{secret}")


@studio.command()
@click.argument("address")
@pass_context
def erase(context: CliContext, address: str) -> None:
    """Erase the name and address of a person who has left the team.

    What they wrote and did stays, done by somebody without a name. `mailer subscribers erase` is for readers:
    who is both is erased by both.
    """
    from mailer.database.engine import open_session
    from mailer.privacy.erasure import overwrite_freed_pages
    from mailer.team.member_data import erase_member

    with context.open_database() as engine:
        with open_session(engine) as session:
            erase_member(session, address)
            record_deed(session, deeds.erased_person())
            session.commit()
        overwrite_freed_pages(engine)
    say("Erased. Backups still have the name until they are deleted.")


def say_how_to_begin(context: CliContext, workspace: Workspace) -> None:
    """Say how to make the first account, if Studio is served and has none."""
    from mailer.team.members import list_members

    if not workspace.settings.studio.enabled:
        return
    with context.read_session() as session:
        if list_members(session):
            return
    command = context.command_line("studio", "invite", "YOUR-ADDRESS", "--role", "manager")
    say(f"Nobody belongs to Studio's team yet. To let yourself in, run: {command}")


def _read_now(session: Session) -> datetime:
    from mailer.database.engine import read_clock

    return read_clock(session.connection())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of [web] base_url, or 8025.")
@click.option("--no-work", is_flag=True, help="Only serve pages; leave campaigns to `mailer work`.")
@pass_context
def serve(context: CliContext, host: str, port: int | None, no_work: bool) -> None:
    """Serve the web pages for readers: unsubscribe, preferences and archive.

    Like `mailer work`, it also starts scheduled campaigns, sends unfinished ones and mails the links that
    readers request. It needs a proxy with https in front of it: see docs/serving.md.
    """
    from mailer.campaigns.send import stop_on_signals
    from mailer.live_workspace import LiveWorkspace
    from mailer.web.connections import raise_descriptor_limit
    from mailer.web.live_app import LiveApp
    from mailer.web.server import serve as serve_app
    from mailer.web.site import create_site

    workspace = context.workspace
    with context.open_database():
        pass
    say_how_to_begin(context, workspace)
    chosen = urlsplit(workspace.settings.web.base_url).port or 8025 if port is None else port
    raise_descriptor_limit()
    live = LiveWorkspace(workspace, say=say)
    beside = contextlib.nullcontext() if no_work else work_beside(workspace, live)
    # The server shuts down cleanly and then raises the signal again, which must not interrupt messages that
    # are being sent.
    with stop_on_signals(), _metrics_server(workspace), beside:
        serve_app(
            LiveApp(live, lambda current: create_site(current, live=live)),
            host=host,
            port=chosen,
            announce=lambda url: say(f"Serving {url}. Press Ctrl-C to stop."),
        )


@contextlib.contextmanager
def _metrics_server(workspace: Workspace) -> Iterator[None]:
    """Answer /metrics where [web] metrics says, if it says anything."""
    from mailer.network import parse_listen_address
    from mailer.web.connections import ConnectionLimits
    from mailer.web.metrics import create_metrics_app
    from mailer.web.server import start_beside

    if not workspace.settings.web.metrics:
        yield
        return
    address = parse_listen_address(workspace.settings.web.metrics)
    if address.path is not None:
        address = replace(address, path=workspace.root / address.path)
    limits = ConnectionLimits(connections=_METRICS_CONNECTIONS, backlog=_METRICS_CONNECTIONS)
    running = start_beside(create_metrics_app(workspace, address), address, limits=limits)
    say(f"Metrics at {running.url}{'' if address.path else '/metrics'}.")
    try:
        yield
    finally:
        running.stop()


@click.command()
@click.option(
    "--no-listen",
    is_flag=True,
    help="Poll the database instead of waiting for notifications; needed behind PgBouncer in transaction "
    "mode.",
)
@pass_context
def work(context: CliContext, no_listen: bool) -> None:
    """Start scheduled campaigns and send unfinished ones, until you press Ctrl-C.

    With PostgreSQL, run it on as many machines as you like. If one of them dies, the others take over its
    work.
    """
    from mailer.campaigns.send import stop_on_signals
    from mailer.campaigns.worker import run_worker as work_on
    from mailer.live_workspace import LiveWorkspace

    with context.open_database():
        pass
    with stop_on_signals() as stop:
        say("Waiting for campaigns to send. Press Ctrl-C to stop.")
        live = LiveWorkspace(context.workspace, say=say)
        with serve_readers_beside(live):
            work_on(context.workspace, stop=stop, say=say, listen=not no_listen, live=live)
    say("Stopped. No message was interrupted.")
