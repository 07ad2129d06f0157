"""``mailer correct``: send an erratum to those who were sent a story."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.campaign_run import approve_plan, launch_and_send
from mailer.cli.commands.send import preview_plan
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say
from mailer.cli.send_options import RunOptions, in_doubt_option, run_options

if TYPE_CHECKING:
    from mailer.campaigns.correction_plan import CorrectionPlan


@click.command()
@click.argument("edition")
@click.argument("story")
@click.option(
    "--note",
    "note",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A Markdown file with `was:` and `is:` in its front matter; translations beside it.",
)
@run_options(
    "Who sends it, if another person must approve. Default: the user running the command.", in_doubt_option
)
def correct(
    context: CliContext,
    edition: str,
    story: str,
    note: Path,
    in_doubt: str | None,
    approver: str | None,
    run: RunOptions,
) -> None:
    """Correct a story after sending: a short mail to exactly those who were sent it.

    Without --confirm, preview who would get what. Nobody gets the same correction twice.

    Example: mailer correct 2021-2 youth-forum --note forum.md
    """
    from mailer.campaigns.correction_plan import plan_correction
    from mailer.campaigns.launch_options import LaunchOptions
    from mailer.database.models import InDoubtPolicy

    if run.confirm and approver:
        raise click.UsageError("--approve records an approval, and --confirm sends. Use one of them.")
    workspace = context.workspace
    with context.open_database() as engine:
        planned = plan_correction(workspace, engine, edition, story, note, now=datetime.now(UTC))
    if not run.as_json:
        _tell_audience(planned)
    if approver:
        approve_plan(context, planned.plan, approver, as_json=run.as_json)
    elif run.confirm:
        # It is shown at its story, and the archive lists editions only.
        policy = InDoubtPolicy(in_doubt) if in_doubt else None
        options = LaunchOptions(rate=run.rate, in_doubt=policy, canary=0, archived=False, by=run.by)
        launch_and_send(context, planned.plan, options, run)
    else:
        plan = planned.plan.as_dict()
        found = {name: value for name, value in planned.as_dict().items() if name not in plan}
        preview_plan(context, planned.plan, run, more=found)


def _tell_audience(planned: CorrectionPlan) -> None:
    from mailer.campaigns.report.summary import count_readers

    record = planned.record
    emit(f"Correction {record.number} of {record.edition}, to those who were sent the story {record.story}.")
    for number, count in planned.by_campaign.items():
        emit(f"  campaign {number}: {count_readers(count)}")
    if planned.in_doubt:
        emit(f"  among them {planned.in_doubt:,} in doubt: they may not have got the story")
    for number in planned.computed:
        say(
            f"Campaign {number} was sent before the stories of each message were recorded. Who got the story "
            "is computed from what they follow today, and whoever has changed that since gets the "
            "correction too."
        )
    for number in planned.unfinished:
        say(
            f"Campaign {number} is not finished. Readers who are sent the story after this correction do not "
            "get it: run the command again then."
        )


@click.command()
@click.argument("edition")
@json_option
@pass_context
def corrections(context: CliContext, edition: str, as_json: bool) -> None:
    """List the corrections of an edition that were sent, oldest first."""
    from mailer.campaigns.corrections import list_sent_corrections

    with context.read_session() as session:
        found = list_sent_corrections(session.connection(), [edition])
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"No story of {edition} has been corrected.")
    for sent in found:
        record = sent.record
        text = record.texts[record.language]
        emit(f"Correction {record.number}, {record.day.isoformat()}: {record.story}")
        emit(f"  {text.title}")
        emit(f"  was        {text.was}")
        emit(f"  is         {text.right}")
        emit(f"  languages  {', '.join(record.texts)}")
        emit(f"  campaigns  {', '.join(map(str, sent.campaigns))}")
