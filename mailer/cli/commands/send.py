"""The commands that send: ``send`` and ``campaigns resume``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mailer.activity.acts import Act
from mailer.cli.activity_log import log_act
from mailer.cli.campaign_run import (
    launch_and_send,
    leave_to_workers,
    schedule_plan,
    send_in_foreground,
)
from mailer.cli.commands.approve import print_approval, print_outbox, print_test, print_variants, tell_plan
from mailer.cli.commands.send_to_test_readers import check_test_options, send_test
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit_json, json_option, say
from mailer.cli.send_options import (
    RunOptions,
    SendArguments,
    detach_option,
    fill_decisions,
    send_arguments,
    wait_option,
)

if TYPE_CHECKING:
    from mailer.campaigns.plan import Plan
    from mailer.workspace import Workspace


@click.command()
@send_arguments
@pass_context
def send(context: CliContext, given: SendArguments) -> None:
    """Send an edition to a segment. Without --confirm, preview who would get what.

    With --test, send it to colleagues, on the list or not, with "[Test]" before the subject. A test counts
    nowhere, and its links change nothing.

    \b
    Examples:
      mailer send 2021-2 --segment 'country:MN,CN sector:education'
      mailer send 2021-2 --test me@example.org boss@example.org
    """
    check_test_options(given)
    if given.is_test:
        send_test(context, given)
    else:
        _send_campaign(context, given)


def _send_campaign(context: CliContext, given: SendArguments) -> None:
    from mailer.campaigns.plan import plan_campaign
    from mailer.database.engine import open_session

    workspace = context.open_workspace()
    decided = given.read_decisions()
    if given.canary_minutes is not None and not (given.canary or workspace.settings.campaigns.canary):
        raise click.UsageError("--canary-minutes is the wait after a canary: add --canary N.")
    with context.open_database(workspace) as engine:
        with open_session(engine, read_only=True) as session:
            decided, prepared = fill_decisions(
                session, given.edition, decided, starts_as_given=given.at is not None
            )
            segment = read_segment(workspace.settings, decided.segment or "", session)
        plan = plan_campaign(
            workspace,
            engine,
            given.edition,
            segment,
            again=decided.again,
            count_clicks=decided.count_clicks,
            now=datetime.now(UTC),
        )
    if not given.confirm:
        more = {"prepared": prepared and prepared.as_dict()}
        preview_plan(context, workspace, plan, given, more=more)
    elif decided.start_at is None:
        launch_and_send(context, workspace, plan, decided, given)
    else:
        schedule_plan(context, workspace, plan, decided.start_at, decided, as_json=given.as_json)


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option(
    "--resend-in-doubt",
    is_flag=True,
    help="Also send again to readers in doubt, with the same Message-ID.",
)
@wait_option
@detach_option
@json_option
@pass_context
def resume(
    context: CliContext, campaign_id: int, resend_in_doubt: bool, wait: bool, detach: bool, as_json: bool
) -> None:
    """Continue a campaign that was paused or interrupted, or that has deferred messages to try again."""
    from mailer.campaigns.lifecycle import resume_campaign
    from mailer.campaigns.worker import requeue_in_doubt

    workspace = context.open_workspace()
    with context.write_session(workspace) as session:
        resume_campaign(session, campaign_id, now=datetime.now(UTC))
    again = "sending again to readers in doubt" if resend_in_doubt else ""
    log_act(context, Act.resumed_campaign, campaign_id=campaign_id, detail=again)
    if detach:
        if resend_in_doubt:
            with workspace.use_database() as engine:
                requeue_in_doubt(engine, campaign_id)
        leave_to_workers(context, workspace, campaign_id, as_json=as_json)
        return
    send_in_foreground(
        context, workspace, campaign_id, wait=wait, as_json=as_json, resend_in_doubt=resend_in_doubt
    )


def preview_plan(
    context: CliContext,
    workspace: Workspace,
    plan: Plan,
    run: RunOptions,
    *,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write the messages of a plan to the outbox and print what it comes to; ``more`` is for the JSON."""
    from mailer.campaigns.approvals.approval import find_approval
    from mailer.campaigns.content_versions import find_test
    from mailer.campaigns.outbox import write_outbox
    from mailer.campaigns.trial import find_trial_fault

    with workspace.use_database() as engine:
        outbox = write_outbox(workspace, engine, plan, addresses=run.addresses, now=datetime.now(UTC))
        with engine.connect().execution_options(read_only=True) as connection:
            approval = find_approval(connection, workspace, plan)
            test = find_test(connection, plan.edition, plan.content_digest)
            trial = find_trial_fault(
                connection,
                workspace.settings,
                plan.segment,
                plan.edition,
                today=datetime.now(UTC).date(),
                again=plan.again,
            )
    if run.as_json:
        known = {"approval": approval and approval.as_dict(), "test": test and test.as_dict(), "trial": trial}
        files = [str(path) for path in outbox.files]
        emit_json({**plan.as_dict(), **(more or {}), **known, "preview": True, "outbox": files})
    else:
        tell_plan(plan)
        print_variants(plan)
        print_test(context, plan, test)
        print_approval(workspace, plan, approval)
        if trial:
            say(f"Before you can send it: {trial}")
        print_outbox(outbox, plan, is_trial=bool(trial))
    if run.open_browser:
        for page in outbox.pages:
            click.launch(page.as_uri())
