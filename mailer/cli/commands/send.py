"""The commands that send: ``send``, also to test readers, and ``campaigns resume``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_deed, record_campaign_deed
from mailer.cli.campaign_run import (
    launch_and_send,
    leave_to_workers,
    schedule_plan,
    send_in_foreground,
)
from mailer.cli.commands.approve import tell_plan, tell_problems
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say
from mailer.cli.send_options import (
    RunOptions,
    SendArguments,
    detach_option,
    fill_decisions,
    send_arguments,
    wait_option,
)

if TYPE_CHECKING:
    from mailer.campaigns.approvals.approval import Approval
    from mailer.campaigns.content_versions import ContentTest
    from mailer.campaigns.mail_to_test_readers import SentTests
    from mailer.campaigns.plan import Plan
    from mailer.workspace import Workspace

_MAX_FILES_NAMED = 3
_MAX_VARIANTS_LISTED = 12


def check_test_options(given: SendArguments) -> None:
    """Refuse options that are only for tests without --test, and with it those that it has no use for."""
    is_test = given.is_test
    for_tests = {
        "An address": given.test_readers,
        "--as": given.shown_address,
        "--variant": given.variant,
    }
    not_for_tests = {
        "--confirm": given.confirm,
        "--at": given.at,
        "--for": given.addresses,
        "--open": given.open_browser,
        "--canary": given.canary,
        "--canary-minutes": given.canary_minutes,
        "--rate": given.rate,
        "--wait": given.wait,
        "--detach": given.detach,
        "--in-doubt": given.in_doubt,
        "--archive": given.archived,
        "--count-clicks": given.count_clicks,
    }
    wrong = [name for name, value in (not_for_tests if is_test else for_tests).items() if value]
    if wrong and is_test:
        raise click.UsageError(
            f"{wrong[0]} has no meaning with --test, which sends at once and starts no campaign."
        )
    if wrong:
        raise click.UsageError(f"{wrong[0]} is for a test: add --test.")
    if is_test and for_tests["--as"] and for_tests["--variant"]:
        raise click.UsageError("Give --as or --variant, not both: a reader has one version.")


def send_test(context: CliContext, given: SendArguments) -> None:
    """Send a test, print what became of it, and exit with 1 if a relay did not accept it for everybody."""
    from mailer.campaigns.mail_to_test_readers import read_test_readers
    from mailer.campaigns.mail_to_test_readers import send_test as send
    from mailer.campaigns.plan import plan_campaign
    from mailer.campaigns.preparation.preparation_store import find_preparation
    from mailer.database.engine import open_session

    workspace, now = context.workspace, datetime.now(UTC)
    readers = read_test_readers(workspace.settings, given.test_readers)
    with context.open_database() as engine:
        with open_session(engine, read_only=True) as session:
            # The versions are numbered as the preview lists them, which shows what the team has prepared.
            prepared = find_preparation(session, given.edition) if given.query is None else None
            decided = prepared.decisions.segment if prepared is not None else given.query
            segment = read_segment(workspace.settings, decided or "", session)
        plan = plan_campaign(workspace, engine, given.edition, segment, again=given.again, now=now)
        tests = send(
            engine,
            workspace,
            plan,
            readers,
            shown_address=given.shown_address,
            variant=given.variant,
            by=given.by,
            now=now,
        )
    log_deed(context, deeds.sent_test(given.edition, None, len(tests.results)))
    if given.as_json:
        told = {"edition": given.edition, "as": given.shown_address or None, "variant": given.variant}
        emit_json({**told, **tests.as_dict()})
    else:
        tell_problems(plan)
        _print_results(tests, given.shown_address, given.variant)
        _print_next_step(context, given.edition, tests)
    if tests.number_sent < len(tests.results):
        sys.exit(1)


def _print_results(tests: SentTests, shown_address: str, variant: int | None) -> None:
    stories = f"{tests.stories} {'story' if tests.stories == 1 else 'stories'}"
    reader = f"as {shown_address} gets it" if shown_address else "as an unnamed reader gets it"
    version = reader if variant is None else f"version {variant}"
    emit(f"{tests.subject} ({tests.language}, {stories}; {version})")
    rows = [
        (f"  {result.address}", result.outcome, f"relay {result.relay}", result.reply)
        for result in tests.results
    ]
    emit(columns(rows))
    emit(f"{tests.number_sent} of {len(tests.results)} sent.")


def _print_next_step(context: CliContext, edition: str, tests: SentTests) -> None:
    web = context.workspace.settings.web
    if tests.is_deferred:
        say("A deferred test is not tried again by itself: give the command again in a few minutes.")
    if not tests.number_sent:
        say(f"Nobody got the test. To find out why: {context.command_line('doctor')}")
        return
    if web.is_loopback:
        say(
            f"Its pictures and links lead to {web.base_url}, which works on this machine only, while `mailer "
            "serve` runs. Elsewhere the pictures are missing. Set [web] base_url to your public address."
        )
    send = context.command_line("send", edition, "--segment", "QUERY")
    say(f"This was a test: it counts nowhere, and its links change nothing. To see who would get it: {send}")


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

    workspace = context.workspace
    decided = given.read_decisions()
    if given.canary_minutes is not None and not (given.canary or workspace.settings.campaigns.canary):
        raise click.UsageError("--canary-minutes is the wait after a canary: add --canary N.")
    with context.open_database() as engine:
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
        preview_plan(context, plan, given, more={"prepared": prepared})
    elif decided.start_at is None:
        launch_and_send(context, plan, decided, given)
    else:
        schedule_plan(context, plan, decided.start_at, decided, as_json=given.as_json)


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
    from mailer.campaigns.lifecycle import find_campaign, resume_campaign
    from mailer.campaigns.worker import requeue_in_doubt

    with context.write_session() as session:
        reason = find_campaign(session, campaign_id).state_reason
        resume_campaign(session, campaign_id, now=datetime.now(UTC))
        record_campaign_deed(
            session, campaign_id, deeds.resumed_campaign, reason, sends_again=resend_in_doubt
        )
    if detach:
        if resend_in_doubt:
            with context.workspace.use_database() as engine:
                requeue_in_doubt(engine, campaign_id)
        leave_to_workers(context, campaign_id, as_json=as_json)
        return
    send_in_foreground(context, campaign_id, wait=wait, as_json=as_json, resend_in_doubt=resend_in_doubt)


def preview_plan(
    context: CliContext,
    plan: Plan,
    run: RunOptions,
    *,
    more: Mapping[str, Any],
) -> None:
    """Write the messages of a plan to the outbox and print what it comes to; ``more`` is for the JSON."""
    from mailer.campaigns.approvals.approval import find_approval
    from mailer.campaigns.content_versions import find_test
    from mailer.campaigns.outbox import write_outbox
    from mailer.campaigns.readiness import check_readiness
    from mailer.campaigns.trial import describe_way_out

    workspace = context.workspace
    with workspace.use_database() as engine:
        written = write_outbox(workspace, engine, plan, addresses=run.addresses, now=datetime.now(UTC))
        with engine.connect().execution_options(read_only=True) as connection:
            approval = find_approval(connection, workspace, plan)
            test = find_test(connection, plan.edition, plan.content_digest)
            now = datetime.now(UTC)
            trial = check_readiness(connection, workspace, plan, launched_by=run.by, now=now).trial_fault
    if run.as_json:
        known = {"approval": approval, "test": test, "trial": trial}
        files = [str(path) for path in written]
        emit_json({**plan.as_dict(), **more, **known, "preview": True, "outbox": files})
    else:
        tell_plan(plan)
        _print_variants(plan)
        _print_test(context, plan, test)
        _print_approval(workspace, plan, approval)
        if trial:
            say(f"Before you can send it: {trial} {describe_way_out(plan.edition)}")
        _print_outbox(written, plan, is_trial=bool(trial))
    if run.open_browser:
        for path in written:
            click.launch(path.with_suffix(".html").as_uri())


def _print_variants(plan: Plan) -> None:
    """Print the versions of a plan with the numbers that ``--variant`` takes, if there are several."""
    if len(plan.variants) < 2:
        return
    for number, (variant, cohort) in enumerate(plan.variants.items(), start=1):
        if number > _MAX_VARIANTS_LISTED:
            emit(f"  … {len(plan.variants) - _MAX_VARIANTS_LISTED} more versions")
            break
        stories = f"{len(variant.stories)} {'story' if len(variant.stories) == 1 else 'stories'}"
        readers = f"{cohort.size:,} {'reader' if cohort.size == 1 else 'readers'}"
        emit(f"  version {number:<3} {variant.language}, {stories}: {readers}")


def _print_test(context: CliContext, plan: Plan, test: ContentTest | None) -> None:
    """Print whether the content of ``plan`` was tested, and how to test it. Corrections are not tested."""
    if test is not None:
        emit(f"  {test}")
    elif not plan.errors and plan.correction is None:
        emit("  not tested yet")
        command = context.command_line("send", plan.edition, "--test", "ADDRESS")
        say(f"To send it to a colleague first: {command}")


def _print_approval(workspace: Workspace, plan: Plan, approval: Approval | None) -> None:
    from mailer.campaigns.approvals.approval import approve_command

    if approval is not None:
        emit(f"  {approval}")
    is_required = workspace.settings.campaigns.approval == "required"
    if is_required and approval is None:
        emit("  not approved")
    if is_required and (approval is None or not approval.holds):
        command = approve_command(plan, workspace.settings)
        say(f"It must be approved before it can be sent: `{command}`.")


def _print_outbox(written: list[Path], plan: Plan, *, is_trial: bool) -> None:
    """Print the files written; if there are many versions, the first few and the last. ``is_trial`` says that
    trial mode keeps the plan from being sent."""
    samples, requested = written[: len(plan.variants)], written[len(plan.variants) :]
    first, last = samples[:_MAX_FILES_NAMED], samples[_MAX_FILES_NAMED:]
    for path in first:
        emit(f"  wrote {path}")
    if last:
        emit(f"  wrote {len(last)} more, to {last[-1]}")
    for path in requested:
        emit(f"  wrote {path}")
    ready = "" if plan.errors or plan.launch_problems or is_trial else " Add --confirm to send."
    say(f"This was a preview: nothing left this machine.{ready}")
