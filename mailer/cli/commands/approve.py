"""The command `campaigns approve`, and how other commands show an approval."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.activity_log import note_act
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say
from mailer.cli.plan_output import tell_plan
from mailer.cli.send_options import count_clicks_option

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.approvals.approval import Approval
    from mailer.campaigns.report import CampaignSummary
    from mailer.workspace import Workspace


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
    from mailer.campaigns.report import summarise_campaign
    from mailer.database.engine import open_session

    workspace, now = context.open_workspace(), datetime.now(UTC)
    with context.open_database(workspace) as engine:
        with open_session(engine, read_only=True) as session:
            segment = read_segment(workspace.settings, query, session)
        plan = plan_campaign(
            workspace, engine, edition, segment, again=again, count_clicks=count_clicks, now=now
        )
        approval = approve_plan(engine, workspace, plan, by=name, now=now)
        note_act(subject=str(approval.campaign_id))
        with open_session(engine, read_only=True) as session:
            summary = with_checks(session, workspace, summarise_campaign(session, approval.campaign_id))
    if as_json:
        emit_json(summary.as_dict())
        return
    tell_plan(plan)
    emit(f"Campaign {approval.campaign_id}: {approval}")
    if summary.state == "approved":
        options = [*(["--again"] if again else []), *_name_click_option(count_clicks)]
        words = ("send", edition, "--segment", query, *options, "--confirm")
        say(f"To send it: {context.command_line(*words)}")


def _name_click_option(count_clicks: bool | None) -> list[str]:
    if count_clicks is None:
        return []
    return ["--count-clicks" if count_clicks else "--no-count-clicks"]


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
