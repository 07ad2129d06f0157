"""The command ``campaigns resolve``: settle deliveries that are in doubt."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.campaigns.doubt_resolution import Resolution

_MAX_CHANGES = 20


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
    workspace, now = context.open_workspace(), datetime.now(UTC)
    with context.open_database(workspace) as engine:
        if logs:
            found = resolve_by_log(
                workspace,
                engine,
                campaign_id,
                logs,
                resend_missing=not_found_resend,
                zone=log_zone,
                dry_run=dry_run,
                now=now,
                standard_input=sys.stdin.buffer,
            )
        else:
            found = resolve_by_hand(
                workspace, engine, campaign_id, address, arrived=arrived, dry_run=dry_run, now=now
            )
    if as_json:
        emit_json({**found.as_dict(), "dry_run": dry_run})
    else:
        _print_resolution(context, found, dry_run=dry_run)


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
