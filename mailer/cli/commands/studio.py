"""Serving Studio on this machine: ``studio``."""

from __future__ import annotations

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import say

_PORT = 8028


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="The port to listen on."
)
@pass_context
def studio(context: CliContext, port: int) -> None:
    """Serve Studio, the team's own pages, on this machine until you press Ctrl-C."""
    from mailer.web.server import serve as serve_app
    from mailer.web.site import create_local_studio

    workspace = context.open_workspace()
    with context.open_database(workspace):
        pass
    # Browsers take passkeys for the name of a host alone, so not for 127.0.0.1.
    address = f"http://localhost:{port}/studio"
    serve_app(
        create_local_studio(workspace, address=address),
        host="127.0.0.1",
        port=port,
        announce=lambda _: say(f"Open {address} in your browser. Press Ctrl-C to stop."),
    )
