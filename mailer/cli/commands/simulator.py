"""The command ``simulator``: a mail server for rehearsals, until one presses Ctrl-C."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, say

if TYPE_CHECKING:
    from mailer.feedback.simulator.simulation import Simulation

_WHAT_HAPPENS = {
    "accept": "takes the mail; nothing comes back. So does every other name",
    "reject": "is refused at once: there is no such user",
    "bounce": "takes the mail and returns it: there is no such user",
    "full": "takes the mail and returns it: the mailbox is full",
    "defer": "is refused for now the first time (greylisting), and accepted the next",
    "silent": "takes the mail and hangs up without a word: in doubt, until a reply proves it",
    "complain": "reports the mail as spam",
    "answer": "replies, as a person does",
    "away": "is out of office for good, and names a successor",
    "leave": "leaves the list by mail, without a subject",
}


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=2525, show_default=True, help="The port of the server."
)
@click.option(
    "--rehearsal",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Rehearse in this folder: a copy of the settings, the same editions, and simulated readers instead "
    "of your list. It is made if there is none.",
)
@click.option(
    "--everyone", is_flag=True, help="Take mail for other addresses, too. Nothing comes back from them."
)
@pass_context
def simulator(context: CliContext, port: int, folder: Path | None, everyone: bool) -> None:
    """Run a mail server on this machine whose readers bounce, complain, reply and leave.

    It shows what your edition and your settings do with what comes back, without a network. What its readers
    write is read at once, and each line says what followed. See docs/feedback.md.
    """
    from mailer.campaigns.send import stop_on_signals
    from mailer.database.schema import ensure_current
    from mailer.feedback.simulator.rehearsal import open_rehearsal
    from mailer.feedback.simulator.simulation import simulate

    workspace = context.workspace
    if folder is not None:
        workspace = open_rehearsal(workspace, folder, port=port, now=datetime.now(UTC))
        context = CliContext(folder)
    # Not that of the context: the environment does not count in a rehearsal.
    with workspace.use_database() as engine:
        ensure_current(engine)
    with (
        stop_on_signals() as stopping,
        simulate(workspace, port=port, takes_everyone=everyone, report=_report) as simulation,
    ):
        _introduce(context, simulation, is_rehearsal=folder is not None)
        stopping.wait()


def _report(line: str) -> None:
    say(f"{datetime.now():%H:%M:%S}  {line}")  # noqa: DTZ005 - the time on the user's own clock


def _introduce(context: CliContext, simulation: Simulation, *, is_rehearsal: bool) -> None:
    from mailer.feedback.simulator.returned_mails import SimulatedRecipient

    rows = [(recipient.address, _WHAT_HAPPENS[recipient]) for recipient in SimulatedRecipient]
    command = context.command_line("send", "EDITION", "--segment", "all" if is_rehearsal else "tag:simulator")
    variables = "" if is_rehearsal else " ".join(simulation.variables) + " "
    say(f"The simulator takes mail at {simulation.url}.")
    say()
    say(columns(rows))
    say()
    say("NAME+bounce@… and so on are further people of the same kind. To send to them, in another terminal:")
    say()
    say(f"  {variables}{command} --confirm")
    say()
    say(simulation.reading)
    say("Press Ctrl-C to stop.")
    say()
