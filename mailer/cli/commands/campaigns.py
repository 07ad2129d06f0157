"""The commands of ``mailer campaigns``; some of them are in modules of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_campaign_deed
from mailer.cli.commands import approve, campaign_clicks, report, send
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten
from mailer.cli.send_options import describe_decisions
from mailer.utc import format_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mailer.activity.deeds import Deed
    from mailer.campaigns.doubt_resolution import Resolution
    from mailer.campaigns.preparation.preparation import Preparation
    from mailer.campaigns.report.summary import CampaignSummary


_MAX_SUBJECT = 40
_MAX_SEGMENT = 32
_MAX_CHANGES = 20
_DRAFT_STATES = frozenset({"draft", "tested"})


@click.group()
def campaigns() -> None:
    """List, approve, follow, pause, resume and cancel campaigns."""


@campaigns.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List all campaigns, newest first: when, with which subject, to whom, and how far they are."""
    from mailer.campaigns.report.summary import list_campaigns

    with context.read_session() as session:
        summaries = [
            approve.with_checks(session, context.workspace, found) for found in list_campaigns(session)
        ]
    if as_json:
        emit_json(summaries)
        return
    rows = [
        (
            summary.id,
            _describe_date(summary),
            summary.edition_label,
            shorten(summary.subject or summary.title, _MAX_SUBJECT),
            shorten(_describe_segment(summary), _MAX_SEGMENT),
            f"{summary.counts.audience:,}" if summary.launched_at else "",
            f"{summary.counts.sent:,}",
            summary.state,
            _describe_test(summary),
            approve.describe_approval(summary.approval),
        )
        for summary in summaries
    ]
    numbers = ("people", "sent")
    head = (
        "id",
        "date (UTC)",
        "edition",
        "subject",
        "segment",
        *numbers,
        "state",
        "tested by",
        "approved by",
    )
    emit(columns(rows, head=head, right=(0, 5, 6)))


def _describe_date(summary: CampaignSummary) -> str:
    """Return when a campaign was launched, or else when it will be; if neither is known, when it was made."""
    moment = summary.launched_at or summary.scheduled_at or summary.created_at
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _describe_segment(summary: CampaignSummary) -> str:
    if not summary.planned_segment and summary.state in _DRAFT_STATES:
        return "not chosen yet"
    return summary.planned_segment or "all"


def _describe_test(summary: CampaignSummary) -> str:
    if summary.test is None or not summary.test.holds:
        return "not tested yet" if summary.test_ahead else ""
    return summary.test.by or "somebody"


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--off", is_flag=True, help="Remove it from the archive.")
@pass_context
def archive(context: CliContext, campaign_id: int, off: bool) -> None:
    """Add a campaign's edition to the public archive.

    Readers who have the mail can open it in the browser either way.
    """
    from sqlmodel import Session

    from mailer.campaigns.lifecycle import find_campaign, set_archived

    with context.open_database() as engine, Session(engine) as session:
        if find_campaign(session, campaign_id).archived is off:
            set_archived(session, campaign_id, archived=not off)
            record_campaign_deed(session, campaign_id, deeds.archived_campaign, is_in=not off)
        session.commit()
    say(f"Campaign {campaign_id} is {'no longer' if off else 'now'} in the archive.")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@json_option
@pass_context
def show(context: CliContext, campaign_id: int, as_json: bool) -> None:
    """Show the state of a campaign and its numbers."""
    from mailer.campaigns.report.summary import describe_counts, summarise_campaign

    with context.read_session() as session:
        summary = approve.with_checks(session, context.workspace, summarise_campaign(session, campaign_id))
    if as_json:
        emit_json(summary)
        return
    emit(f"Campaign {summary.id}: {summary.title}")
    emit(
        columns(
            [
                ("edition", summary.edition_label),
                ("subject", summary.subject),
                ("segment", _describe_segment(summary)),
                ("state", summary.state),
            ]
        )
    )
    if summary.counts_clicks:
        emit("clicks   are counted")
    if summary.reason:
        emit(f"reason   {summary.reason}")
    if summary.test:
        to = f" (to {', '.join(summary.test.addresses)})" if summary.test.addresses else ""
        emit(f"{summary.test}{to}")
    if summary.test_ahead:
        emit(f"not tested yet: {context.command_line('send', summary.edition, '--test')}")
    if summary.approval:
        emit(str(summary.approval))
    if summary.preparation and summary.is_prepared:
        _print_preparation(context, summary.preparation)
        return
    if not summary.segment and summary.state in _DRAFT_STATES:
        say(f"To choose who gets it: {context.command_line('send', summary.edition, '--segment', 'QUERY')}")
        return
    for words in _describe_timing(summary):
        emit(words)
    for notice in summary.notices:
        emit(f"notice   {notice.text} ({notice.host})")
    emit(describe_counts(summary.counts))
    emit(summary.counts.equation())
    if summary.counts.still_to_do and summary.state in {"sending", "paused"}:
        say(f"To send the rest: {context.command_line('campaigns', 'resume', str(campaign_id))}")
    elif summary.counts.settled:
        say(f"For the details: {context.command_line('campaigns', 'report', str(campaign_id))}")


def _print_preparation(context: CliContext, prepared: Preparation) -> None:
    by = f" by {prepared.changed_by}" if prepared.changed_by else ""
    emit(f"prepared in Studio, last changed{by}, {format_utc(prepared.changed_at)}")
    rows = [(f"  {name}", words) for name, words in describe_decisions(prepared.decisions)]
    if rows:
        emit(columns(rows))
    if prepared.decisions.segment is not None:
        say(f"To see who would get it: {context.command_line('send', prepared.edition)}")


def _describe_timing(summary: CampaignSummary) -> Iterator[str]:
    if summary.rate is not None:
        yield f"rate     at most {summary.rate:g} messages per second"
    if summary.scheduled_at is not None and summary.state in {"approved", "scheduled"}:
        yield f"starts   {format_utc(summary.scheduled_at)}"
    if summary.canary is not None:
        resumed = summary.canary_until
        until = "you resume the campaign" if resumed is None else format_utc(resumed)
        yield f"canary   {summary.canary:,} readers first; the rest wait until {until}"
    if summary.next_try is not None:
        yield f"next try {format_utc(summary.next_try)}"


@campaigns.command()
@pass_context
def metrics(context: CliContext) -> None:
    """Print metrics for Prometheus: the same figures that `mailer serve` gives under /metrics on the socket
    of [web] metrics.

    Example: mailer campaigns metrics > /var/lib/node_exporter/mailer.prom
    """
    from mailer.campaigns.metrics import export_metrics

    with context.open_database() as engine:
        click.echo(export_metrics(engine), nl=False)


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@pass_context
def pause(context: CliContext, campaign_id: int) -> None:
    """Pause a campaign. Messages already being sent are finished; the rest wait."""
    from mailer.campaigns.lifecycle import pause_campaign

    _change_state(context, campaign_id, pause_campaign, deeds.paused_campaign, "paused")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@pass_context
def cancel(context: CliContext, campaign_id: int) -> None:
    """Stop a campaign for good. Messages not yet sent are never sent."""
    from mailer.campaigns.lifecycle import cancel_campaign

    _change_state(context, campaign_id, cancel_campaign, deeds.cancelled_campaign, "cancelled")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.argument("time", metavar="TIME")
@pass_context
def reschedule(context: CliContext, campaign_id: int, time: str) -> None:
    """Let a scheduled campaign start at another TIME, such as 2026-12-01T09:00+08:00.

    Without an offset, the time is in this machine's time zone. What is sent and its approval stay as they
    are.
    """
    from mailer.campaigns.lifecycle import reschedule_campaign
    from mailer.campaigns.schedule import parse_start_time
    from mailer.database.engine import read_clock

    at = parse_start_time(time)
    with context.write_session() as session:
        done = reschedule_campaign(
            session,
            campaign_id,
            at=at,
            settings=context.workspace.settings.campaigns,
            now=read_clock(session.connection()),
        )
        if done.is_moved:
            record_campaign_deed(session, campaign_id, deeds.rescheduled_campaign, done)
    if not done.is_moved:
        say(f"Campaign {campaign_id} starts at {format_utc(done.at)} already.")
        return
    say(
        f"Campaign {campaign_id} now starts at {format_utc(done.at)} ({at:%Y-%m-%d %H:%M} {at.tzname()}), "
        f"and not at {format_utc(done.before)}."
    )


def _change_state(
    context: CliContext,
    campaign_id: int,
    change: Callable[..., None],
    make: Callable[[str, int], Deed],
    new_state: str,
) -> None:
    from mailer.campaigns.lifecycle import find_campaign

    with context.write_session() as session:
        row = find_campaign(session, campaign_id)
        before = (row.state, row.state_reason)
        change(session, campaign_id, now=datetime.now(UTC))
        row = find_campaign(session, campaign_id)
        if (row.state, row.state_reason) != before:
            record_campaign_deed(session, campaign_id, make)
    say(f"Campaign {campaign_id} is {new_state}.")


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.argument("address", required=False)
@click.option("--all", "everybody", is_flag=True, help="All deliveries in doubt, instead of one ADDRESS.")
@click.option("--arrived", is_flag=True, help="The message arrived: mark it as sent.")
@click.option("--send-again", is_flag=True, help="Queue the message again, with the same Message-ID.")
@click.option(
    "--postfix-log",
    "logs",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="Mark as sent what this log of a Postfix relay contains. Repeat for rotated files (.gz too); - "
    "for stdin.",
)
@click.option(
    "--not-found-resend",
    is_flag=True,
    help="Also queue again what the relay never received, as far as the log covers that time.",
)
@click.option(
    "--log-zone",
    metavar="ZONE",
    callback=lambda _, __, value: _read_zone(value),
    help="The time zone of a log without zones, such as Asia/Shanghai. Default: this machine's.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing anything.")
@json_option
@pass_context
def resolve(
    context: CliContext,
    campaign_id: int,
    address: str | None,
    everybody: bool,
    arrived: bool,
    send_again: bool,
    logs: tuple[Path, ...],
    not_found_resend: bool,
    log_zone: tzinfo | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Settle deliveries in doubt, from a relay's log or from what you know. Sends nothing.

    \b
    Examples:
      mailer campaigns resolve 7 --postfix-log /var/log/mail.log --postfix-log /var/log/mail.log.1
      mailer campaigns resolve 7 mei@example.org --arrived
      mailer campaigns resolve 7 --all --send-again
    """
    from mailer.campaigns.doubt_resolution import resolve_by_hand, resolve_by_log

    _check_choice(address, everybody, arrived, send_again, logs, not_found_resend)
    now = datetime.now(UTC)
    with context.open_database() as engine:
        if logs:
            found = resolve_by_log(
                context.workspace,
                engine,
                campaign_id,
                logs,
                resend_missing=not_found_resend,
                zone=log_zone,
                dry_run=dry_run,
                now=now,
                standard_input=sys.stdin.buffer,
                record=partial(_record_resolution, campaign_id, None),
            )
        else:
            found = resolve_by_hand(
                context.workspace,
                engine,
                campaign_id,
                address,
                arrived=arrived,
                dry_run=dry_run,
                now=now,
                record=partial(_record_resolution, campaign_id, arrived),
            )
    if as_json:
        emit_json({**found.as_dict(), "dry_run": dry_run})
    else:
        _print_resolution(context, found, dry_run=dry_run)


def _record_resolution(
    campaign_id: int, arrived: bool | None, connection: Connection, sent: int, queued: int
) -> None:
    from sqlmodel import Session

    if not (sent or queued):
        return
    with Session(connection) as session:
        record_campaign_deed(session, campaign_id, deeds.resolved_doubts, sent + queued, arrived=arrived)
        session.flush()


def _check_choice(
    address: str | None,
    everybody: bool,
    arrived: bool,
    send_again: bool,
    logs: tuple[Path, ...],
    not_found_resend: bool,
) -> None:
    """Reject options that do not go together: either a log decides, or the user does."""
    if logs:
        if address is not None or everybody or arrived or send_again:
            raise click.UsageError(
                "With --postfix-log the log decides: leave out ADDRESS, --all, --arrived and --send-again."
            )
        return
    if not_found_resend:
        raise click.UsageError("--not-found-resend only works together with --postfix-log FILE.")
    if (address is not None) == everybody:
        raise click.UsageError("Give one ADDRESS, or --all, or a log with --postfix-log FILE.")
    if arrived == send_again:
        raise click.UsageError("Give either --arrived or --send-again.")


def _read_zone(name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(
            f"unknown time zone {name}. Use a name such as Asia/Shanghai or Europe/Paris."
        ) from error


def _print_resolution(context: CliContext, found: Resolution, *, dry_run: bool) -> None:
    for change in found.changes[:_MAX_CHANGES]:
        emit(f"{change.state:<7} {change.email}  {change.reason}")
    if (more := found.sent + found.queued - _MAX_CHANGES) > 0:
        emit(f"… and {more:,} more")
    would = "would be " if dry_run else ""
    emit(
        f"{found.sent:,} {would}sent, {found.queued:,} {would}queued again, {found.still_in_doubt:,} in doubt"
    )
    if found.not_covered:
        say(
            f"{found.not_covered:,} could not be decided. They are not in the log, but the log does not "
            "cover the whole time from before the campaign until every connection had ended. Add the older "
            "and newer log files, or try again later."
        )
    if found.missing > found.queued:
        say(
            f"The log shows that the relay never received {found.missing:,}. Add --not-found-resend to queue "
            "them again."
        )
    if found.queued and not dry_run:
        say(f"To send them: {context.command_line('campaigns', 'resume', str(found.campaign_id))}")


for _command in (approve.approve, campaign_clicks.clicks, report.report, resolve, send.resume):
    campaigns.add_command(_command)
