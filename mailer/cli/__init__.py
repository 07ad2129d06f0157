"""The command line: parse, call one function, print. Heavy rooms are imported inside the commands that
need them, so that ``mailer --help`` answers without the web or the database."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from editions.errors import EditionError
from mailer import __version__
from mailer.cli import campaigns, editions, keys, operations, segments, sending, subscribers
from mailer.cli.home import Home
from mailer.errors import ConfigurationError, MailerError
from subscribers.errors import SubscriberError

if TYPE_CHECKING:
    from click import Context, HelpFormatter

_GROUPS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("Write", ("new", "import", "check", "render", "preview")),
    ("Send", ("send", "campaigns")),
    ("People", ("subscribers", "segments")),
    ("Run", ("init", "demo", "serve", "work", "doctor", "keys", "db")),
)


class Boundary(click.Group):
    """The one place where our errors become exit code 1 and words on stderr; ``--debug`` traces."""

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            words = _explain(error)
            if words is None or ctx.params.get("debug"):
                raise
            raise click.ClickException(words) from error

    def format_commands(self, _: Context, formatter: HelpFormatter) -> None:
        """List the commands by what a person wants to do."""
        for title, names in _GROUPS:
            commands = [(name, self.commands[name]) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in commands])


def _explain(error: Exception) -> str | None:
    """What to tell a person, or None for a fault of ours, which deserves its trace."""
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has enough of it, as `head` has: Click ends quietly.
        return None
    if isinstance(error, (EditionError, SubscriberError, MailerError, ConfigurationError, OSError)):
        return str(error)
    # Not imported: if the database has failed, its library is loaded already.
    library = sys.modules.get("sqlalchemy.exc")
    if library is not None and isinstance(error, library.OperationalError):
        return (
            f"The database cannot be used: {error.orig}. Is the disk full, or its server down? "
            "Nothing that was recorded is lost; mend it and give the command again."
        )
    return None


@click.group(cls=Boundary, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="partner-mailer", message="partner-mailer %(version)s")
@click.option(
    "-C",
    "--workspace",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MAILER_HOME",
    default=Path(),
    show_default="the current folder",
    help="The workspace to work in. Also MAILER_HOME.",
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="MAILER_DEBUG",
    help="Show the whole trace of an error. Also MAILER_DEBUG.",
)
@click.pass_context
def mailer(ctx: Context, folder: Path, debug: bool) -> None:  # noqa: ARG001 - read by Boundary
    """Write, check, preview and send newsletters to partners, one accounted message each.

    Nothing is ever sent without --confirm.
    """
    ctx.obj = Home(folder)


for _command in (
    editions.new,
    editions.import_,
    editions.check,
    editions.render,
    editions.preview,
    sending.send,
    campaigns.campaigns,
    subscribers.subscribers,
    segments.segments,
    operations.init,
    operations.demo,
    operations.serve,
    operations.work,
    operations.doctor,
    keys.keys,
    operations.db,
):
    mailer.add_command(_command)
