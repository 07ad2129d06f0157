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
from mailer.cli.commands.send_to_test_readers import check_test_options, send_test
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit_json, json_option, say
from mailer.cli.plan_output import print_approval, print_outbox, print_test, print_variants, tell_plan
from mailer.cli.prepared_send import AT_ONCE, SendOptions, fill_options
from mailer.cli.send_options import (
    addresses_option,
    confirm_option,
    count_clicks_option,
    detach_option,
    in_doubt_option,
    open_option,
    rate_option,
    wait_option,
)

if TYPE_CHECKING:
    from mailer.campaigns.plan import Plan
    from mailer.workspace import Workspace


@click.command()
@click.argument("edition")
@click.argument("test_readers", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--segment",
    "query",
    metavar="QUERY",
    help="Who gets it, such as 'country:MN'; 'all' for all subscribers. By default, whom the team has chosen "
    "in Studio, with all else that they have decided.",
)
@click.option(
    "--test",
    "is_test",
    is_flag=True,
    help="Send a test to each ADDRESS, or to [campaigns] test_readers. It needs no --confirm.",
)
@click.option(
    "--as",
    "shown_address",
    default="",
    metavar="ADDRESS",
    help="In a test, the mail that this subscriber gets.",
)
@click.option(
    "--variant",
    type=click.IntRange(min=1),
    metavar="N",
    help="In a test, version N of those that the preview of the segment lists.",
)
@rate_option
@confirm_option
@addresses_option
@open_option
@click.option("--again", is_flag=True, help="Also send to readers who already have this edition.")
@in_doubt_option
@wait_option
@click.option(
    "--at",
    metavar="TIME",
    help="Start at this time, such as 2026-12-01T09:00+08:00. Without an offset: this machine's time zone. "
    "now to start at the launch, whatever was prepared.",
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    metavar="N",
    help="Send to N readers first, as a canary; the rest wait. 0 for no canary.",
)
@click.option(
    "--canary-minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="Send to the rest M minutes after the canary. By default they wait for `campaigns resume`.",
)
@detach_option
@click.option(
    "--by",
    metavar="NAME",
    envvar=["LOGNAME", "USER"],
    default="",
    help="Who sends it or tests it, for the record. Default: the user running the command.",
)
@click.option(
    "--archive/--no-archive",
    "archived",
    default=None,
    help="Whether to show it in the public archive. Default: as set in [campaigns] archive.",
)
@count_clicks_option
@json_option
@pass_context
def send(
    context: CliContext,
    edition: str,
    test_readers: tuple[str, ...],
    query: str | None,
    is_test: bool,
    shown_address: str,
    variant: int | None,
    rate: float | None,
    confirm: bool,
    addresses: tuple[str, ...],
    open_browser: bool,
    again: bool,
    in_doubt: str | None,
    wait: bool,
    at: str | None,
    canary: int | None,
    canary_minutes: float | None,
    detach: bool,
    by: str,
    archived: bool | None,
    count_clicks: bool | None,
    as_json: bool,
) -> None:
    """Send an edition to a segment. Without --confirm, preview who would get what.

    With --test, send it to colleagues, on the list or not, with "[Test]" before the subject. A test counts
    nowhere, and its links change nothing.

    \b
    Examples:
      mailer send 2021-2 --segment 'country:MN,CN sector:education'
      mailer send 2021-2 --test me@example.org boss@example.org
    """
    check_test_options(
        is_test=is_test,
        for_tests={"An address": test_readers, "--as": shown_address, "--variant": variant},
        not_for_tests={
            **{"--confirm": confirm, "--at": at, "--for": addresses, "--open": open_browser},
            **{"--canary": canary, "--canary-minutes": canary_minutes, "--rate": rate, "--wait": wait},
            **{"--detach": detach, "--in-doubt": in_doubt, "--archive": archived},
            "--count-clicks": count_clicks,
        },
    )
    if is_test:
        send_test(
            context,
            edition,
            query,
            test_readers,
            shown_address=shown_address,
            variant=variant,
            by=by,
            again=again,
            as_json=as_json,
        )
        return
    from mailer.campaigns.launch import LaunchOptions
    from mailer.campaigns.plan import plan_campaign
    from mailer.campaigns.schedule import parse_start_time
    from mailer.database.engine import open_session

    workspace = context.open_workspace()
    start = None if at in {None, AT_ONCE} else parse_start_time(at or "")
    if canary_minutes is not None and not (canary or workspace.settings.campaigns.canary):
        raise click.UsageError("--canary-minutes is the wait after a canary: add --canary N.")
    given = SendOptions(
        query=query,
        again=again,
        count_clicks=count_clicks,
        start=start,
        is_start_given=at is not None,
        canary=canary,
        canary_minutes=canary_minutes,
        archived=archived,
        in_doubt=in_doubt,
    )
    with context.open_database(workspace) as engine:
        with open_session(engine, read_only=True) as session:
            chosen = fill_options(session, edition, given)
            segment = read_segment(workspace.settings, chosen.query or "", session)
        plan = plan_campaign(
            workspace,
            engine,
            edition,
            segment,
            again=chosen.again,
            count_clicks=chosen.count_clicks,
            now=datetime.now(UTC),
        )
    terms = LaunchOptions(
        rate=rate,
        in_doubt=chosen.in_doubt,
        canary=chosen.canary,
        canary_minutes=chosen.canary_minutes,
        archived=chosen.archived,
        by=by,
    )
    if confirm and chosen.start is not None:
        schedule_plan(context, workspace, plan, chosen.start, terms, as_json=as_json)
    elif confirm:
        launch_and_send(context, workspace, plan, terms, wait=wait, detach=detach, as_json=as_json)
    else:
        preview_plan(
            context,
            workspace,
            plan,
            addresses=addresses,
            open_browser=open_browser,
            as_json=as_json,
            more={"prepared": chosen.preparation and chosen.preparation.as_dict()},
        )


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
    *,
    addresses: tuple[str, ...],
    open_browser: bool,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write the messages of a plan to the outbox and print what it comes to; ``more`` is for the JSON."""
    from mailer.campaigns.approvals.approval import find_approval
    from mailer.campaigns.outbox import write_outbox
    from mailer.campaigns.tested_content import find_test
    from mailer.campaigns.trial import find_trial_fault

    with workspace.use_database() as engine:
        outbox = write_outbox(workspace, engine, plan, addresses=addresses, now=datetime.now(UTC))
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
    if as_json:
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
    if open_browser:
        for page in outbox.pages:
            click.launch(page.as_uri())
