"""The command campaigns approve, and how the others tell of an approval."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.commands.send import tell_plan
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.approval import Approval
    from mailer.campaigns.report import CampaignSummary
    from mailer.workspace import Workspace


@click.command()
@click.argument("edition")
@click.option(
    "--segment",
    "query",
    required=True,
    metavar="QUERY",
    help="Who is to get it, such as 'country:MN'; 'all' for everybody.",
)
@click.option("--as", "name", required=True, metavar="NAME", help="Who approves it.")
@click.option("--again", is_flag=True, help="Approve it for readers who already have this edition, too.")
@json_option
@pass_context
def approve(home: CliContext, edition: str, query: str, name: str, again: bool, as_json: bool) -> None:
    """Approve an edition for a segment, exactly as it is now.

    If the edition, its pictures, theme or translations, the segment, or a setting that changes the mail
    changes afterwards, the approval no longer counts.

    Example: mailer campaigns approve 2021-2 --segment 'country:MN' --as 'Mei Lin'
    """
    from mailer.campaigns.approve import approve as approve_plan
    from mailer.campaigns.plan import plan_campaign
    from mailer.campaigns.report import summarise_campaign
    from mailer.database.engine import open_session

    workspace, now = home.open_workspace(), datetime.now(UTC)
    with home.open_database(workspace) as engine:
        with open_session(engine, read_only=True) as opened:
            segment = read_segment(workspace.settings, query, opened)
        plan = plan_campaign(workspace, engine, edition, segment, again=again, now=now)
        approval = approve_plan(engine, workspace, plan, by=name, now=now)
        with open_session(engine, read_only=True) as opened:
            summary = summarise_campaign(opened, approval.campaign_id)
    if as_json:
        emit_json(summary.as_dict())
        return
    tell_plan(plan)
    emit(f"Campaign {approval.campaign_id}: {approval}")
    if summary.state == "approved":
        words = ("send", edition, "--segment", query, *(["--again"] if again else []), "--confirm")
        say(f"To send it: {home.command_line(*words)}")


def check(opened: Session, workspace: Workspace, summary: CampaignSummary) -> CampaignSummary:
    """``summary`` with what has changed since the campaign was approved."""
    from mailer.campaigns.approval import check_approval

    return replace(summary, approval=check_approval(opened, workspace, summary.id))


def describe(approval: Approval | None) -> str:
    """An approval in a cell of a table."""
    if approval is None:
        return ""
    return approval.by if approval.holds else f"{approval.by}; void, changed since: {approval.listed}"
