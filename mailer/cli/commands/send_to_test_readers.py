"""``mailer send --test``: send a test to colleagues and say what became of it for each of them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity.acts import Act
from mailer.cli.activity_log import log_act
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext
from mailer.cli.output import columns, emit, emit_json, say

if TYPE_CHECKING:
    from mailer.campaigns.mail_to_test_readers import SentTests
    from mailer.campaigns.plan import Plan
    from mailer.cli.send_options import SendArguments
    from mailer.workspace import Workspace


def check_test_options(given: SendArguments) -> None:
    """Refuse options that are only for tests without --test, and with it those that it has no use for.

    Raises:
        UsageError: one of them was given.
    """
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
    from mailer.campaigns.mail_to_test_readers import ShownMail, read_test_readers
    from mailer.campaigns.mail_to_test_readers import send_test as send
    from mailer.campaigns.plan import plan_campaign
    from mailer.campaigns.preparation.preparation_store import find_preparation
    from mailer.database.engine import open_session

    workspace, now = context.open_workspace(), datetime.now(UTC)
    readers = read_test_readers(workspace.settings, given.test_readers)
    with context.open_database(workspace) as engine:
        with open_session(engine, read_only=True) as session:
            # The versions are numbered as the preview lists them, which shows what the team has prepared.
            prepared = find_preparation(session, given.edition) if given.query is None else None
            decided = prepared.decisions.segment if prepared is not None else given.query
            segment = read_segment(workspace.settings, decided or "", session)
        plan = plan_campaign(workspace, engine, given.edition, segment, again=given.again, now=now)
        shows = ShownMail(address=given.shown_address, variant=given.variant)
        tests = send(engine, workspace, plan, readers, shows=shows, by=given.by, now=now)
    log_act(context, Act.sent_test, edition=given.edition, detail=f"to {len(tests.results)}")
    if given.as_json:
        told = {"edition": given.edition, "as": given.shown_address or None, "variant": given.variant}
        emit_json({**told, **tests.as_dict()})
    else:
        _print_plan_problems(plan)
        _print_results(tests, given.shown_address, given.variant)
        _print_next_step(context, workspace, given.edition, tests)
    if tests.number_sent < len(tests.results):
        sys.exit(1)


def _print_plan_problems(plan: Plan) -> None:
    for problem in plan.problems:
        say(f"{problem.level}: {problem}")
    for problem in plan.launch_problems:
        say(f"Before you can send it: {problem}")


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


def _print_next_step(context: CliContext, workspace: Workspace, edition: str, tests: SentTests) -> None:
    web = workspace.settings.web
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
