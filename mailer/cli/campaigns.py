"""Commands that send and watch: send, and the group campaigns."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say
from mailer.cli.subscribers import read_segment
from mailer.errors import MailerError

if TYPE_CHECKING:
    from mailer.campaigns.outbox import Outbox
    from mailer.campaigns.planning import Plan
    from mailer.dispatch.dispatcher import Ending
    from mailer.workspace import Workspace

_LATER_DETACH = "--detach comes with a later version; without it the command sends in the foreground."

_MOST_NAMED = 3


@click.command()
@click.argument("edition")
@click.option(
    "--segment",
    "query",
    required=True,
    metavar="QUERY",
    help="Who gets it, such as 'country:MN'; 'all' for everybody.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Messages per second at most.")
@click.option("--confirm", is_flag=True, help="Really send. Without it this is preview mode: nothing leaves.")
@click.option(
    "--for",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="In preview mode, also write this reader's message.",
)
@click.option(
    "--open", "open_browser", is_flag=True, help="In preview mode, open the written messages in the browser."
)
@click.option("--again", is_flag=True, help="Include readers who already have this edition.")
@click.option(
    "--in-doubt", type=click.Choice(["hold", "resend"]), help="What a resume does with deliveries in doubt."
)
@click.option("--wait", is_flag=True, help="Stay until deferred readers have been tried again.")
@click.option("--detach", is_flag=True, help="Leave the sending to `mailer work`.")
@json_option
@pass_home
def send(
    home: Home,
    edition: str,
    query: str,
    rate: float | None,
    confirm: bool,
    addresses: tuple[str, ...],
    open_browser: bool,
    again: bool,
    in_doubt: str | None,
    wait: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Send an edition to a segment, or preview what would go to whom.

    Example: mailer send 2021-2 --segment 'country:MN,CN sector:education'
    """
    from mailer.campaigns.planning import plan_campaign

    if detach:
        raise MailerError(_LATER_DETACH)
    workspace = home.open()
    segment = read_segment(workspace.settings, query)
    with home.database(workspace) as engine:
        plan = plan_campaign(workspace, engine, edition, segment, again=again, now=datetime.now(UTC))
    if confirm:
        _send(workspace, plan, rate=rate, in_doubt=in_doubt, wait=wait, as_json=as_json)
    else:
        _preview(workspace, plan, addresses=addresses, open_browser=open_browser, as_json=as_json)


def _preview(
    workspace: Workspace, plan: Plan, *, addresses: tuple[str, ...], open_browser: bool, as_json: bool
) -> None:
    from mailer.campaigns.outbox import write_outbox

    engine = workspace.open_database()
    try:
        outbox = write_outbox(workspace, engine, plan, addresses=addresses, now=datetime.now(UTC))
    finally:
        engine.dispose()
    if as_json:
        emit_json({**plan.as_dict(), "preview": True, "outbox": [str(path) for path in outbox.files]})
    else:
        _tell_plan(plan)
        _tell_outbox(outbox)
    if open_browser:
        for page in outbox.pages:
            click.launch(page.as_uri())


def _tell_plan(plan: Plan) -> None:
    emit(f"{plan.title}: {plan.subject}")
    emit(f"To {plan.segment_words}: {plan.audience} readers.")
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
        emit(f"  as {len(plan.variants)} different newsletters, by what readers follow")
    for reason, number in plan.left_out.items():
        emit(f"  left out: {number} {reason}")
    for problem in plan.problems:
        say(f"{problem.level}: {problem}")
    for off in plan.switched_off:
        say(f"Switched off: {off}")


def _tell_outbox(outbox: Outbox) -> None:
    """Name what was written; of many newsletters the first and the last."""
    first, last = outbox.samples[:_MOST_NAMED], outbox.samples[_MOST_NAMED:]
    for path in first:
        emit(f"  wrote {path}")
    if last:
        emit(f"  wrote {len(last)} more, to {last[-1]}")
    for path in outbox.files[len(outbox.samples) :]:
        emit(f"  wrote {path}")
    say("Preview: nothing left this machine. Add --confirm to send.")


def _send(
    workspace: Workspace, plan: Plan, *, rate: float | None, in_doubt: str | None, wait: bool, as_json: bool
) -> None:
    from mailer.campaigns.launching import launch_or_continue

    engine = workspace.open_database(durable=True)
    try:
        launched = launch_or_continue(
            engine, workspace, plan, rate=rate, in_doubt=in_doubt, now=datetime.now(UTC)
        )
    finally:
        engine.dispose()
    if launched.continued:
        say(
            f"Campaign {launched.campaign_id} sends this edition to this segment and was not finished: "
            "going on with it."
        )
    _run(workspace, launched.campaign_id, wait=wait, as_json=as_json)


def _run(
    workspace: Workspace, campaign_id: int, *, wait: bool, as_json: bool, resend_in_doubt: bool = False
) -> None:
    """Dispatch in the foreground, print where the campaign stands, and exit 1 if it stopped."""
    from mailer.campaigns.sending import send_campaign
    from mailer.cli.progress import show_progress

    with show_progress(f"Campaign {campaign_id}") as on_progress:
        ending = send_campaign(
            workspace, campaign_id, on_progress=on_progress, wait=wait, resend_in_doubt=resend_in_doubt
        )
    if as_json:
        emit_json(
            {
                **ending.counts.as_dict(),
                "id": campaign_id,
                "state": str(ending.state),
                "reason": ending.reason,
            }
        )
    else:
        _tell_ending(campaign_id, ending)
    if ending.needs_attention:
        sys.exit(1)


def _tell_ending(campaign_id: int, ending: Ending) -> None:
    emit(ending.counts.equation())
    if ending.reason:
        say(f"Campaign {campaign_id} is {ending.state}: {ending.reason}")
    if ending.counts.in_doubt:
        say(
            f"{ending.counts.in_doubt} in doubt: they may or may not have it. "
            f"`mailer campaigns report {campaign_id}` names them; "
            f"`mailer campaigns resume {campaign_id} --resend-in-doubt` sends to them again."
        )
    if ending.next_try is not None:
        say(
            f"{ending.counts.deferred} deferred; the next try is due at "
            f"{ending.next_try:%Y-%m-%d %H:%M} UTC: `mailer campaigns resume {campaign_id}`."
        )


@click.group()
def campaigns() -> None:
    """List, watch, stop and continue campaigns."""


@campaigns.command(name="list")
@json_option
@pass_home
def list_(home: Home, as_json: bool) -> None:
    """List every campaign with its state and counts."""
    from mailer.campaigns.reporting import list_campaigns

    workspace = home.open()
    with home.reading(workspace) as opened:
        summaries = list_campaigns(opened)
    if as_json:
        emit_json([summary.as_dict() for summary in summaries])
        return
    rows = [
        (
            summary.id,
            summary.edition,
            summary.segment or "all",
            summary.state,
            summary.counts.sent,
            summary.counts.audience,
        )
        for summary in summaries
    ]
    emit(columns(rows, head=("id", "edition", "segment", "state", "sent", "audience"), right=(0, 4, 5)))


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@json_option
@pass_home
def show(home: Home, campaign_id: int, as_json: bool) -> None:
    """Show where a campaign stands."""
    from mailer.campaigns.reporting import summarise

    workspace = home.open()
    with home.reading(workspace) as opened:
        summary = summarise(opened, campaign_id)
    if as_json:
        emit_json(summary.as_dict())
        return
    emit(f"Campaign {summary.id}: {summary.title}")
    emit(
        columns(
            [("edition", summary.edition), ("segment", summary.segment or "all"), ("state", summary.state)]
        )
    )
    if summary.reason:
        emit(f"reason   {summary.reason}")
    emit(summary.counts.equation())
    if summary.counts.still_to_do and summary.state in {"sending", "paused"}:
        say(f"Go on with `mailer campaigns resume {campaign_id}`.")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@json_option
@pass_home
def report(home: Home, campaign_id: int, as_json: bool) -> None:
    """Show who did not get it and why, and who is in doubt."""
    from mailer.campaigns.reporting import report_campaign

    workspace = home.open()
    with home.reading(workspace) as opened:
        found = report_campaign(opened, campaign_id, workspace)
    if as_json:
        emit_json(found.as_dict())
        return
    emit(f"Campaign {campaign_id}: {found.summary.title}, {found.summary.state}")
    if found.reasons:
        emit(columns([(group.state, group.number, group.reason) for group in found.reasons], right=(1,)))
    for delivery in found.in_doubt:
        emit(f"in doubt  {delivery.email}  {delivery.message_id}")
    for code, reason in found.switched_off.items():
        emit(f"sent without the check {code}: {reason}")
    emit(found.summary.counts.equation())


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@pass_home
def pause(home: Home, campaign_id: int) -> None:
    """Pause a campaign; what is in hand is finished, the rest waits."""
    _move(home, campaign_id, "pause_campaign", "paused")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@pass_home
def cancel(home: Home, campaign_id: int) -> None:
    """Stop a campaign for good; what was not sent stays unsent."""
    _move(home, campaign_id, "cancel_campaign", "cancelled")


def _move(home: Home, campaign_id: int, verb: str, word: str) -> None:
    from mailer.campaigns import lifecycle

    workspace = home.open()
    with home.writing(workspace) as opened:
        getattr(lifecycle, verb)(opened, campaign_id, now=datetime.now(UTC))
    say(f"Campaign {campaign_id} is {word}.")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option(
    "--resend-in-doubt", is_flag=True, help="Send again to those in doubt, under the same Message-ID."
)
@click.option("--wait", is_flag=True, help="Stay until deferred readers have been tried again.")
@click.option("--detach", is_flag=True, help="Leave the sending to `mailer work`.")
@json_option
@pass_home
def resume(
    home: Home, campaign_id: int, resend_in_doubt: bool, wait: bool, detach: bool, as_json: bool
) -> None:
    """Go on with a campaign that was paused, killed or has readers to try again."""
    from mailer.campaigns.lifecycle import resume_campaign

    if detach:
        raise MailerError(_LATER_DETACH)
    workspace = home.open()
    with home.writing(workspace) as opened:
        resume_campaign(opened, campaign_id, now=datetime.now(UTC))
    _run(workspace, campaign_id, wait=wait, as_json=as_json, resend_in_doubt=resend_in_doubt)
