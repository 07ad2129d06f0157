"""The command line: parse the arguments, call one function, print the result.

Heavy packages are imported inside the commands that need them, so that ``mailer --help`` does not load the
web server or the database.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from editions.errors import EditionError
from mailer import __version__
from mailer.cli.commands import (
    campaigns,
    correct,
    doctor,
    editions,
    fakes,
    feedback,
    providers,
    reconfirm,
    segments,
    send,
    server,
    sign_in,
    simulator,
    subscribers,
    trial,
    workspace,
)
from mailer.cli.context import CliContext
from mailer.errors import ConfigurationError, MailerError
from subscribers.errors import SubscriberError

if TYPE_CHECKING:
    from click import Context, HelpFormatter

_TASKS: Mapping[str, Sequence[click.Command]] = {
    "Write": (editions.new, editions.import_, editions.check, editions.render, editions.preview),
    "Send": (
        *(send.send, correct.correct, correct.corrections),
        *(campaigns.campaigns, feedback.feedback, fakes.fakes),
    ),
    "People": (subscribers.subscribers, segments.segments, providers.providers),
    "Run": (
        *(workspace.init, workspace.demo, simulator.simulator, server.studio, server.serve, server.work),
        *(doctor.doctor, trial.trial, sign_in.login, sign_in.logout, workspace.keys, workspace.db),
    ),
}


class RootGroup(click.Group):
    """Turn expected errors into exit code 1 and a message on stderr; with ``--debug``, show the traceback."""

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            words = _describe_error(error)
            if words is None or ctx.params.get("debug"):
                raise
            raise click.ClickException(words) from error

    def format_commands(self, _: Context, formatter: HelpFormatter) -> None:
        """List the commands under the task they belong to."""
        for title, commands in _TASKS.items():
            with formatter.section(title):
                formatter.write_dl([(each.name or "", each.get_short_help_str(80)) for each in commands])


# SQLITE_CORRUPT and SQLITE_NOTADB (https://www.sqlite.org/rescode.html), without loading the library.
_DAMAGED = {11, 26}


def _describe_error(error: Exception) -> str | None:
    """Return the message for an expected error; None for a bug, whose traceback is shown."""
    if isinstance(error, BrokenPipeError):
        # The reader of our output has closed the pipe, as `head` does: Click exits quietly.
        return None
    if isinstance(error, (EditionError, SubscriberError, MailerError, ConfigurationError, OSError)):
        return str(error)
    # SQLite's errors, or what SQLAlchemy made of them; its codes say more than their classes.
    cause = getattr(error, "orig", None) or error
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return (
            f"The database file is damaged: {cause}. Stop every mailer program, keep the file, and restore a "
            "backup: docs/backup.md says how."
        )
    # Not imported here: if the database has failed, its library is already loaded.
    library = sys.modules.get("sqlalchemy.exc")
    if library is not None and isinstance(error, library.OperationalError):
        return (
            f"Cannot use the database: {error.orig}. Check whether the disk is full or the database server "
            "is down. Nothing already recorded is lost. Fix the problem, then run the command again."
        )
    return None


@click.group(
    cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, package_name="partner-mailer", message="partner-mailer %(version)s")
@click.option(
    "-C",
    "--workspace",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MAILER_HOME",
    default=Path(),
    show_default="the current folder",
    help="The workspace folder. You can also set MAILER_HOME.",
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="MAILER_DEBUG",
    help="Show the full traceback of an error. You can also set MAILER_DEBUG.",
)
@click.pass_context
def mailer(ctx: Context, folder: Path, debug: bool) -> None:  # noqa: ARG001 - read by RootGroup
    """Write, check, preview and send newsletters to partners, and account for every message.

    No reader is ever sent anything without --confirm.
    """
    ctx.obj = CliContext(folder)


for _command in chain.from_iterable(_TASKS.values()):
    mailer.add_command(_command)

# Here, since they send: `send` knows the group of subscribers.
for _command in (reconfirm.reconfirm, reconfirm.reconfirmations):
    subscribers.subscribers.add_command(_command)
