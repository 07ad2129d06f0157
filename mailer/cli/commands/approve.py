"""The command ``campaigns approve``, and a plan as all commands print it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_campaign_deed
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say
from mailer.cli.send_options import count_clicks_option

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.approvals.approval import Approval
    from mailer.campaigns.plan import Plan
    from mailer.campaigns.report.summary import CampaignSummary
    from mailer.workspace import Workspace


def tell_plan(plan: Plan) -> None:
    from mailer.campaigns.report.summary import count_readers

    emit(f"{plan.title}: {plan.subject}")
    emit(f"To {plan.segment_label}: {count_readers(plan.audience)}.")
    if plan.segment.terms:
        emit(f"  in words    {plan.in_words}")
    for name, counts in (
        ("country", plan.by_country),
        ("sector", plan.by_sector),
        ("language", plan.by_language),
    ):
        if counts:
            emit(
                f"  by {name:<9} "
                + ", ".join(f"{key or 'unknown'} {number}" for key, number in counts.items())
            )
    if len(plan.variants) > len(plan.languages):
        emit(f"  in {len(plan.variants)} versions, depending on what readers follow")
    if plan.counted:
        number = len(plan.counted.links)
        emit(f"  clicks are counted on {number} link{'' if number == 1 else 's'}")
    for reason, number in plan.left_out.items():
        emit(f"  left out: {number} {reason}")
    for held in plan.held_back:
        say(
            f"Held back: {held}. To send to them, they must sign up themselves or be imported with --basis. "
            "The countries are listed in [law] opt_in."
        )
    tell_problems(plan)
    for off in plan.switched_off:
        say(f"Switched off: {off}")


def tell_problems(plan: Plan) -> None:
    for problem in plan.problems:
        say(f"{problem.level}: {problem}")
    for problem in plan.launch_problems:
        say(f"Before you can send it: {problem}")


@click.command()
@click.argument("edition")
@click.option(
    "--segment",
    "query",
    required=True,
    metavar="QUERY",
    help="Who gets it, such as 'country:MN'; 'all' for all subscribers.",
)
@click.option("--as", "name", required=True, metavar="NAME", help="The name of the person who approves it.")
@click.option("--again", is_flag=True, help="Also for readers who already have this edition.")
@count_clicks_option
@json_option
@pass_context
def approve(
    context: CliContext,
    edition: str,
    query: str,
    name: str,
    again: bool,
    count_clicks: bool | None,
    as_json: bool,
) -> None:
    """Approve an edition for a segment, exactly as it is now.

    The approval no longer counts if anything changes afterwards: the text, an image, a translation, the
    theme, the segment, whether clicks are counted, or a setting that affects the mail.

    Example: mailer campaigns approve 2021-2 --segment 'country:MN' --as 'Mei Lin'
    """
    from mailer.campaigns.approvals.settlement import approve as approve_plan
    from mailer.campaigns.plan import plan_campaign
    from mailer.campaigns.report.summary import summarise_campaign
    from mailer.database.engine import open_session

    workspace, now = context.workspace, datetime.now(UTC)
    with context.open_database() as engine:
        with open_session(engine, read_only=True) as session:
            segment = read_segment(workspace.settings, query, session)
        plan = plan_campaign(
            workspace, engine, edition, segment, again=again, count_clicks=count_clicks, now=now
        )
        approval = approve_plan(engine, workspace, plan, by=name, now=now)
        log_campaign_deed(context, approval.campaign_id, deeds.approved_campaign, name=name)
        with open_session(engine, read_only=True) as session:
            summary = with_checks(session, workspace, summarise_campaign(session, approval.campaign_id))
    if as_json:
        emit_json(summary)
        return
    tell_plan(plan)
    emit(f"Campaign {approval.campaign_id}: {approval}")
    if summary.state == "approved":
        options = ["--again"] if again else []
        if count_clicks is not None:
            options.append("--count-clicks" if count_clicks else "--no-count-clicks")
        words = ("send", edition, "--segment", query, *options, "--confirm")
        say(f"To send it: {context.command_line(*words)}")


def with_checks(session: Session, workspace: Workspace, summary: CampaignSummary) -> CampaignSummary:
    """Return ``summary`` with what has changed since the campaign was approved, and whether it was tested."""
    from mailer.campaigns.approvals.approval import check_approval
    from mailer.campaigns.content_versions import check_test

    found = check_test(session, workspace, summary.id)
    return replace(
        summary,
        approval=check_approval(session, workspace, summary.id),
        state=found.state,
        test=found.test,
        test_ahead=found.test_ahead,
    )


def describe_approval(approval: Approval | None) -> str:
    """Describe an approval in a table cell."""
    if approval is None:
        return ""
    return (
        approval.by
        if approval.holds
        else f"{approval.by}; no longer valid, changed since: {approval.changes_as_text}"
    )
