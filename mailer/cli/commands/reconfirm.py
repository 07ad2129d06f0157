"""The commands that ask readers whether they still want the newsletter."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import click

from mailer.cli.campaign_run import approve_plan, launch_and_send
from mailer.cli.commands.send import preview_plan
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say
from mailer.cli.send_options import RunOptions, run_options

if TYPE_CHECKING:
    from mailer.campaigns.reconfirmation import ReconfirmationPlan


@click.command()
@click.option(
    "--segment",
    "query",
    metavar="QUERY",
    required=True,
    help="Who is asked, such as 'not got:2025-1,2025-2'; 'all' for all subscribers.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day until which they can answer, such as 2026-12-31. By default, 30 days from now.",
)
@run_options("Who asks, for the record. Default: the user running the command.")
def reconfirm(
    context: CliContext, query: str, until: datetime | None, approver: str | None, run: RunOptions
) -> None:
    """Ask readers whether they still want the newsletter, and pause those who do not answer.

    They get a letter in their language, without any tracking. Whoever presses its button, changes their
    choices or writes back keeps getting the newsletter. The others are paused at the end of the day, by
    `mailer serve` or `mailer work`. Without --confirm, preview who would get what.

    Example: mailer subscribers reconfirm --segment 'tag:old-list' --until 2026-12-31
    """
    from mailer.campaigns.launch_options import LaunchOptions
    from mailer.campaigns.reconfirmation import plan_reconfirmation, store_reconfirmation
    from mailer.database.engine import open_session

    if run.confirm and approver:
        raise click.UsageError("--approve records an approval, and --confirm sends. Use one of them.")
    workspace, now = context.workspace, datetime.now(UTC)
    end = None if until is None else datetime.combine(until.date(), time(23, 59, 59), tzinfo=UTC)
    with context.open_database() as engine:
        with open_session(engine, read_only=True) as session:
            segment = read_segment(workspace.settings, query, session)
        planned = plan_reconfirmation(workspace, engine, segment, until=end, now=now)
        if run.confirm or approver:
            store_reconfirmation(engine, planned, by=run.by, now=now)
    if approver:
        approve_plan(context, planned.plan, approver, as_json=run.as_json)
        return
    if not run.as_json:
        _tell(planned)
    if run.confirm:
        options = LaunchOptions(rate=run.rate, canary=0, archived=False, by=run.by)
        launch_and_send(context, planned.plan, options, run)
    else:
        preview_plan(context, planned.plan, run, more={"answer_by": planned.answer_by.isoformat()})


def _tell(planned: ReconfirmationPlan) -> None:
    emit(f"Readers have until {planned.answer_by:%Y-%m-%d} to say that they still want the newsletter.")
    if planned.is_known:
        say("They were asked before: it goes on, and nobody gets the letter twice.")


@click.command()
@json_option
@pass_context
def reconfirmations(context: CliContext, as_json: bool) -> None:
    """Show who was asked whether they still want the newsletter, and how many have answered."""
    from mailer.campaigns.reconfirmation import list_standings

    with context.read_session() as session:
        found = list_standings(session)
    if as_json:
        emit_json(found)
        return
    if not found:
        say("Nobody has been asked yet. To ask: mailer subscribers reconfirm --segment QUERY")
        return
    head = ("number", "segment", "until", "asked", "stay", "left", "wrote back", "paused", "no answer")
    rows = [
        (
            *(str(each.record.id), each.record.segment, f"{each.record.answer_by:%Y-%m-%d}"),
            *map(str, (each.asked, each.stay, each.left, each.replied, each.paused, each.waiting)),
        )
        for each in found
    ]
    emit(columns(rows, head=head, right=(0, 3, 4, 5, 6, 7, 8)))
    if any(each.replied for each in found):
        say("Who wrote back is not paused. Read what they say: mailer feedback list --kind reply")
