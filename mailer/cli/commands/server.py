"""The commands that keep running: ``serve`` and ``work``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from mailer.cli.background_work import serve_readers_beside, work_beside
from mailer.cli.commands.studio import say_how_to_begin
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.workspace import Workspace


_METRICS_CONNECTIONS = 8


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

    workspace = context.open_workspace()
    with context.open_database(workspace):
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

    workspace = context.open_workspace()
    with context.open_database(workspace):
        pass
    with stop_on_signals() as stop:
        say("Waiting for campaigns to send. Press Ctrl-C to stop.")
        live = LiveWorkspace(workspace, say=say)
        with serve_readers_beside(live):
            work_on(workspace, stop=stop, say=say, listen=not no_listen, live=live)
    say("Stopped. No message was interrupted.")
