"""Launching the campaigns of the command line: sent here, or left to the workers."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailer.activity import deeds
from mailer.cli.activity_log import log_campaign_deed
from mailer.cli.context import CliContext
from mailer.cli.output import emit, emit_json, say
from mailer.utc import format_utc

if TYPE_CHECKING:
    from mailer.campaigns.launch_options import LaunchOptions
    from mailer.campaigns.plan import Plan
    from mailer.cli.send_options import RunOptions
    from mailer.dispatch.event_log import RunResult


def launch_and_send(
    context: CliContext,
    plan: Plan,
    options: LaunchOptions,
    run: RunOptions,
) -> None:
    """Launch the campaign of a plan, or continue it, and send it here or leave it to the workers."""
    from mailer.campaigns.launch import launch_or_continue

    with context.workspace.use_database() as engine:
        launched = launch_or_continue(engine, context.workspace, plan, options=options, now=datetime.now(UTC))
    # Now, not at the end: sending may take hours, and may be killed.
    audience = f"to {plan.segment_label}"
    log_campaign_deed(context, launched.campaign_id, deeds.launched_campaign, audience)
    if launched.continued:
        say(
            f"Campaign {launched.campaign_id} is already sending this edition to this segment and is not "
            "finished. Continuing it."
        )
    if run.detach:
        leave_to_workers(context, launched.campaign_id, as_json=run.as_json)
    else:
        send_in_foreground(context, launched.campaign_id, wait=run.wait, as_json=run.as_json)


def approve_plan(context: CliContext, plan: Plan, name: str, *, as_json: bool) -> None:
    from mailer.campaigns.approvals.settlement import approve

    with context.open_database() as engine:
        approval = approve(engine, context.workspace, plan, by=name, now=datetime.now(UTC))
    log_campaign_deed(context, approval.campaign_id, deeds.approved_campaign, name=name)
    if as_json:
        emit_json(approval)
    else:
        emit(f"Campaign {approval.campaign_id}: {approval}")


def schedule_plan(
    context: CliContext,
    plan: Plan,
    at: datetime,
    options: LaunchOptions,
    *,
    as_json: bool,
) -> None:
    """Schedule the campaign of a plan, and leave it to the workers."""
    from mailer.campaigns.schedule import schedule_campaign

    with context.workspace.use_database() as engine:
        scheduled = schedule_campaign(engine, context.workspace, plan, at=at, options=options)
    log_campaign_deed(context, scheduled.campaign_id, deeds.scheduled_campaign, at)
    say(
        f"Campaign {scheduled.campaign_id} {'now starts' if scheduled.continued else 'starts'} at "
        f"{format_utc(at)} ({at:%Y-%m-%d %H:%M} {at.tzname()}). Its content is fixed from "
        "now on; its readers are chosen when it starts."
    )
    leave_to_workers(context, scheduled.campaign_id, as_json=as_json, at=at.astimezone(UTC))


def leave_to_workers(
    context: CliContext, campaign_id: int, *, as_json: bool, at: datetime | None = None
) -> None:
    """Print which processes will send the campaign, or that none is running yet."""
    from mailer.campaigns.report.summary import describe_counts, summarise_campaign
    from mailer.campaigns.worker import count_workers
    from mailer.database.engine import open_session

    with context.open_database() as engine:
        workers = count_workers(context.workspace, engine)
        with open_session(engine, read_only=True) as session:
            summary = summarise_campaign(session, campaign_id)
    if as_json:
        start = {} if at is None else {"scheduled_at": at.isoformat()}
        emit_json({**summary.as_dict(), **start, "workers": workers})
    elif at is None:
        emit(describe_counts(summary.counts))
        emit(summary.counts.equation())
    if workers:
        processes = "1 process is" if workers == 1 else f"{workers} processes are"
        say(
            f"Campaign {campaign_id} is sent in the background: {processes} running (`mailer work` or "
            f"`mailer serve`). To follow it: {context.command_line('campaigns', 'show', str(campaign_id))}"
        )
    else:
        say(
            f"Campaign {campaign_id} is waiting: no process is running to send it. Start "
            f"`{context.command_line('work')}` or `{context.command_line('serve')}`."
        )


def send_in_foreground(
    context: CliContext,
    campaign_id: int,
    *,
    wait: bool,
    as_json: bool,
    resend_in_doubt: bool = False,
) -> None:
    """Send in the foreground, print the result, and exit with 1 if the campaign stopped early."""
    from mailer.campaigns.lifecycle import find_campaign
    from mailer.campaigns.send import send_campaign
    from mailer.cli.progress import show_progress
    from mailer.database.engine import open_session

    with show_progress(f"Campaign {campaign_id}") as on_progress:
        result = send_campaign(
            context.workspace,
            campaign_id,
            on_progress=on_progress,
            wait=wait,
            resend_in_doubt=resend_in_doubt,
        )
    if result.counts.rejected or result.counts.failed:
        _record_refusals(context, campaign_id)
    # Without a look at the schema: another program may have upgraded it meanwhile, and the campaign is sent.
    with context.workspace.use_database() as engine, open_session(engine, read_only=True) as session:
        until = find_campaign(session, campaign_id).canary_until
    if as_json:
        emit_json(
            {
                **vars(result.counts),
                "id": campaign_id,
                "state": str(result.state),
                "reason": result.reason,
            }
        )
    else:
        _print_result(context, campaign_id, result, until)
    if result.needs_attention and until is None:
        sys.exit(1)


def _record_refusals(context: CliContext, campaign_id: int) -> None:
    """Count refusals with what comes back, once the campaign has ended. A process that runs in the background
    does the same for its own campaigns; each refusal counts once."""
    from mailer.feedback.context import FeedbackContext
    from mailer.feedback.refusals import record_refusals

    with context.workspace.use_database() as engine:
        feedback = FeedbackContext(workspace=context.workspace, engine=engine)
        record_refusals(feedback, campaign_id, now=datetime.now(UTC))


def _print_result(
    context: CliContext, campaign_id: int, result: RunResult, canary_until: datetime | None
) -> None:
    from mailer.campaigns.report.summary import describe_counts

    resume = context.command_line("campaigns", "resume", str(campaign_id))
    emit(f"Campaign {campaign_id}, {describe_counts(result.counts)}")
    emit(result.counts.equation())
    if result.reason:
        say(f"Campaign {campaign_id} is {result.state}: {result.reason}")
    if canary_until is not None:
        say(
            f"The rest are sent from {format_utc(canary_until)}, if `mailer work` or `mailer serve` "
            f"is running then. To send to them now: {resume}"
        )
    if result.counts.in_doubt:
        say(
            f"{result.counts.in_doubt} in doubt: they may or may not have got it. To send again: {resume} "
            "--resend-in-doubt"
        )
    if result.next_try is not None:
        say(
            f"{result.counts.deferred} deferred: they can be tried again from "
            f"{format_utc(result.next_try)}, with: {resume}"
        )
    say(f"For the details: {context.command_line('campaigns', 'report', str(campaign_id))}")
