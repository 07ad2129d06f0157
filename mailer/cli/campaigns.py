"""Commands that send and watch: send, and the group campaigns."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say, writing_file
from mailer.cli.subscribers import read_segment

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session

    from mailer.campaigns.launching import Terms
    from mailer.campaigns.outbox import Outbox
    from mailer.campaigns.planning import Plan
    from mailer.campaigns.reporting import Timing
    from mailer.campaigns.resolving import Resolution
    from mailer.dispatch.dispatcher import Ending
    from mailer.workspace import Workspace

_MOST_NAMED = 3
_MOST_DOUBTS = 20


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
@click.option(
    "--at",
    metavar="TIME",
    help="Start at this time, such as 2026-12-01T09:00+08:00; without an offset, this machine's zone.",
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    metavar="N",
    help="Send to N readers first, and let the rest wait. 0 for none.",
)
@click.option(
    "--canary-minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="How long the rest waits after the canary; without it, for `campaigns resume`.",
)
@click.option("--detach", is_flag=True, help="Leave the sending to `mailer work`.")
@click.option(
    "--archive/--no-archive",
    "archived",
    default=None,
    help="Whether anybody may read it in the archive; without it, as [campaigns] archive says.",
)
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
    at: str | None,
    canary: int | None,
    canary_minutes: float | None,
    detach: bool,
    archived: bool | None,
    as_json: bool,
) -> None:
    """Send an edition to a segment, or preview what would go to whom.

    Example: mailer send 2021-2 --segment 'country:MN,CN sector:education'
    """
    from mailer.campaigns.launching import Terms
    from mailer.campaigns.planning import plan_campaign
    from mailer.campaigns.scheduling import read_time
    from mailer.database.engine import session

    workspace = home.open()
    start = None if at is None else read_time(at)
    if canary_minutes is not None and not (canary or workspace.settings.campaigns.canary):
        raise click.UsageError("--canary-minutes says how long to wait after a canary; add --canary N.")
    terms = Terms(
        rate=rate, in_doubt=in_doubt, canary=canary, canary_minutes=canary_minutes, archived=archived
    )
    with home.database(workspace) as engine:
        with session(engine, read_only=True) as opened:
            segment = read_segment(workspace.settings, query, opened)
        plan = plan_campaign(workspace, engine, edition, segment, again=again, now=datetime.now(UTC))
    if confirm and start is not None:
        _schedule(home, workspace, plan, start, terms, as_json=as_json)
    elif confirm:
        _send(home, workspace, plan, terms, wait=wait, detach=detach, as_json=as_json)
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
    if plan.segment.terms:
        emit(f"  that is     {plan.in_words}")
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
    for held in plan.held_back:
        say(
            f"Held back: {held}. They get it once they sign up themselves, or are imported with a declared "
            "--basis; [law] opt_in names the countries."
        )
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
    home: Home, workspace: Workspace, plan: Plan, terms: Terms, *, wait: bool, detach: bool, as_json: bool
) -> None:
    from mailer.campaigns.launching import launch_or_continue

    with _durable(workspace) as engine:
        launched = launch_or_continue(engine, workspace, plan, terms=terms, now=datetime.now(UTC))
    if launched.continued:
        say(
            f"Campaign {launched.campaign_id} sends this edition to this segment and was not finished: "
            "going on with it."
        )
    if detach:
        _leave_to_workers(home, workspace, launched.campaign_id, as_json=as_json)
    else:
        _run(workspace, launched.campaign_id, wait=wait, as_json=as_json)


def _schedule(
    home: Home, workspace: Workspace, plan: Plan, at: datetime, terms: Terms, *, as_json: bool
) -> None:
    from mailer.campaigns.scheduling import schedule

    with _durable(workspace) as engine:
        scheduled = schedule(engine, workspace, plan, at=at, terms=terms)
    say(
        f"Campaign {scheduled.campaign_id} {'now starts' if scheduled.moved else 'starts'} at "
        f"{scheduled.at:%Y-%m-%d %H:%M} UTC ({at:%Y-%m-%d %H:%M} {at.tzname()}). What it says is "
        "frozen now; who gets it is decided then."
    )
    _leave_to_workers(home, workspace, scheduled.campaign_id, as_json=as_json, at=scheduled.at)


def _leave_to_workers(
    home: Home, workspace: Workspace, campaign_id: int, *, as_json: bool, at: datetime | None = None
) -> None:
    """Say who will send it, or that nobody does yet."""
    from mailer.campaigns.reporting import summarise
    from mailer.campaigns.working import count_workers
    from mailer.database.engine import session

    with home.database(workspace) as engine:
        workers = count_workers(workspace, engine)
        with session(engine, read_only=True) as reading:
            summary = summarise(reading, campaign_id)
    if as_json:
        start = {} if at is None else {"scheduled_at": at.isoformat()}
        emit_json({**summary.as_dict(), **start, "workers": workers})
    elif at is None:
        emit(summary.counts.equation())
    if workers:
        say(f"Campaign {campaign_id} is left to `mailer work`; {workers} of them running.")
    else:
        say(
            f"Nobody works on it yet: no `mailer work` is running. Start one with `{home.again('work')}`, or "
            f"`{home.again('serve')}`, which works too."
        )


@contextmanager
def _durable(workspace: Workspace) -> Iterator[Engine]:
    """The database, every commit of which survives a power cut."""
    engine = workspace.open_database(durable=True)
    try:
        yield engine
    finally:
        engine.dispose()


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
    until = _read_canary_end(workspace, campaign_id)
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
        _tell_ending(campaign_id, ending, until)
    if ending.needs_attention and until is None:
        sys.exit(1)


def _read_canary_end(workspace: Workspace, campaign_id: int) -> datetime | None:
    """When the campaign goes on by itself after its canary; None if it does not."""
    from mailer.campaigns.lifecycle import find_campaign
    from mailer.database.engine import session

    with _durable(workspace) as engine, session(engine, read_only=True) as reading:
        return find_campaign(reading, campaign_id).canary_until


def _tell_ending(campaign_id: int, ending: Ending, canary_until: datetime | None) -> None:
    emit(ending.counts.equation())
    if ending.reason:
        say(f"Campaign {campaign_id} is {ending.state}: {ending.reason}")
    if canary_until is not None:
        say(
            f"The rest is sent from {canary_until:%Y-%m-%d %H:%M} UTC on where `mailer work` or `mailer "
            f"serve` runs; at once by `mailer campaigns resume {campaign_id}`."
        )
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
@click.option("--off", is_flag=True, help="Take it out again.")
@pass_home
def archive(home: Home, campaign_id: int, off: bool) -> None:
    """Put the edition of a campaign into the public archive.

    Whoever has the mail can read it in the browser either way.
    """
    from sqlmodel import Session

    from mailer.campaigns.lifecycle import set_archived

    workspace = home.open()
    with home.database(workspace) as engine, Session(engine) as opened:
        set_archived(opened, campaign_id, archived=not off)
        opened.commit()
    say(f"Campaign {campaign_id} is {'no longer' if off else 'now'} in the archive.")


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
    for words in _describe_timing(summary.timing, summary.state):
        emit(words)
    for notice in summary.notices:
        emit(f"notice   {notice.text} ({notice.host})")
    emit(summary.counts.equation())
    if summary.counts.still_to_do and summary.state in {"sending", "paused"}:
        say(f"Go on with `mailer campaigns resume {campaign_id}`.")


def _describe_timing(timing: Timing, state: str) -> Iterator[str]:
    if timing.rate is not None:
        yield f"rate     {timing.rate:g} messages a second at most"
    if timing.scheduled_at is not None and state in {"approved", "scheduled"}:
        yield f"starts   {_clock(timing.scheduled_at)}"
    if timing.canary is not None:
        until = "a person resumes it" if timing.canary_until is None else _clock(timing.canary_until)
        yield f"canary   the first {timing.canary:,}; the rest waits until {until}"
    if timing.next_try is not None:
        yield f"next try {_clock(timing.next_try)}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_STATES = (
    "queued",
    "claimed",
    "in_doubt",
    "sent",
    "deferred",
    "rejected",
    "failed",
    "suppressed",
)


def _read_states(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (value or "").split(",") if name.strip())
    if unknown := [name for name in names if name not in _STATES]:
        raise click.BadParameter(f"{', '.join(unknown)}: no such state. There are: {', '.join(_STATES)}.")
    return names


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option(
    "--csv",
    "output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every delivery with its state and reason as CSV; - for stdout.",
)
@click.option(
    "--state",
    "states",
    metavar="STATES",
    callback=_read_states,
    help="With --csv, only deliveries in these states, such as in_doubt,rejected.",
)
@json_option
@pass_home
def report(home: Home, campaign_id: int, output: Path | None, states: tuple[str, ...], as_json: bool) -> None:
    """Show who did not get it and why, and who is in doubt.

    Example: mailer campaigns report 7 --csv refused.csv --state rejected,failed
    """
    from mailer.campaigns.reporting import report_campaign

    if states and output is None:
        raise click.UsageError("--state chooses lines of the CSV: give it with --csv FILE.")
    workspace = home.open()
    with home.reading(workspace) as opened:
        if output is not None:
            _write_csv(opened, campaign_id, workspace, output, states)
            return
        found = report_campaign(opened, campaign_id, workspace)
    if as_json:
        emit_json(found.as_dict())
        return
    emit(f"Campaign {campaign_id}: {found.summary.title}, {found.summary.state}")
    if found.reasons:
        emit(columns([(group.state, group.number, group.reason) for group in found.reasons], right=(1,)))
    for delivery in found.in_doubt[:_MOST_DOUBTS]:
        emit(f"in doubt  {delivery.email}  {delivery.message_id}")
    if (more := found.summary.counts.in_doubt - _MOST_DOUBTS) > 0:
        again = home.again("campaigns", "report", str(campaign_id), "--csv", "FILE", "--state", "in_doubt")
        emit(f"in doubt  … and {more:,} more: {again}")
    for code, reason in found.switched_off.items():
        emit(f"sent without the check {code}: {reason}")
    emit(found.summary.counts.equation())


def _write_csv(
    opened: Session, campaign_id: int, workspace: Workspace, output: Path, states: tuple[str, ...]
) -> None:
    """Write the CSV as it is read; a file whole or not at all."""
    from mailer.campaigns.reporting import write_deliveries
    from mailer.database.models import DeliveryState

    chosen = [DeliveryState(name) for name in states]
    if output == Path("-"):
        write_deliveries(opened, campaign_id, workspace, sys.stdout, states=chosen)
        return
    with writing_file(output) as binary:
        # With a byte order mark, or Excel takes UTF-8 for the system's own encoding.
        stream = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="", write_through=False)
        number = write_deliveries(opened, campaign_id, workspace, stream, states=chosen)
        stream.flush()
        stream.detach()
    say(f"Wrote {output}: {number:,} deliveries.")


@campaigns.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.argument("address", required=False)
@click.option("--all", "everybody", is_flag=True, help="Everybody in doubt, in place of one ADDRESS.")
@click.option("--arrived", is_flag=True, help="It arrived: call it sent.")
@click.option("--send-again", is_flag=True, help="Queue it again, under the same Message-ID.")
@click.option(
    "--postfix-log",
    "logs",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="Call sent what this log of a Postfix relay has; repeat for rotated files, .gz too, - for stdin.",
)
@click.option(
    "--not-found-resend",
    is_flag=True,
    help="Queue again what the log shows the relay has not got; only where it covers the time.",
)
@click.option(
    "--log-zone",
    metavar="ZONE",
    callback=lambda _, __, value: _read_zone(value),
    help="The time zone of a log that names none, such as Asia/Shanghai; default: this machine's.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@json_option
@pass_home
def resolve(
    home: Home,
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
    """Settle deliveries in doubt, by a relay's log or by what you know. Sends nothing.

    \b
    Examples:
      mailer campaigns resolve 7 --postfix-log /var/log/mail.log --postfix-log /var/log/mail.log.1
      mailer campaigns resolve 7 mei@example.org --arrived
      mailer campaigns resolve 7 --all --send-again
    """
    from mailer.campaigns.resolving import resolve_by_hand, resolve_by_log

    _check_choice(address, everybody, arrived, send_again, logs, not_found_resend)
    workspace, now = home.open(), datetime.now(UTC)
    with home.database(workspace) as engine:
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
        _tell_resolution(home, found, dry_run=dry_run)


def _check_choice(
    address: str | None,
    everybody: bool,
    arrived: bool,
    send_again: bool,
    logs: tuple[Path, ...],
    not_found_resend: bool,
) -> None:
    """Refuse what does not go together: a log decides by itself, a person says about whom and what."""
    if logs:
        if address is not None or everybody or arrived or send_again:
            raise click.UsageError(
                "--postfix-log decides by itself: give it without ADDRESS, --all, --arrived and --send-again."
            )
        return
    if not_found_resend:
        raise click.UsageError("--not-found-resend is about a log: give it with --postfix-log FILE.")
    if (address is not None) == everybody:
        raise click.UsageError("Say about whom: one ADDRESS, or --all; or give --postfix-log FILE.")
    if arrived == send_again:
        raise click.UsageError("Say what you know: --arrived, or else --send-again.")


def _read_zone(name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name}: no such time zone. They are named as in Asia/Shanghai.") from error


def _tell_resolution(home: Home, found: Resolution, *, dry_run: bool) -> None:
    for change in found.changes[:_MOST_DOUBTS]:
        emit(f"{change.state:<7} {change.email}  {change.reason}")
    if (more := found.sent + found.queued - _MOST_DOUBTS) > 0:
        emit(f"… and {more:,} more")
    would = "would be " if dry_run else ""
    emit(f"{found.sent:,} {would}sent, {found.queued:,} {would}queued again, {found.left:,} in doubt")
    if found.not_covered:
        say(
            f"{found.not_covered:,} are not in the log, which does not reach from before the campaign to "
            "after their hand-over, with every session of that time ended: nothing follows from that. "
            "Give the older and newer files too, or try again in a while."
        )
    if found.missing > found.queued:
        say(
            f"{found.missing:,} the relay has not got, as its log shows: "
            "--not-found-resend puts them back in the queue."
        )
    if found.queued and not dry_run:
        say(f"To send: {home.again('campaigns', 'resume', str(found.campaign_id))}")


@campaigns.command()
@pass_home
def metrics(home: Home) -> None:
    """Print figures for Prometheus, as `mailer serve` shows this machine under /metrics.

    Example: mailer campaigns metrics > /var/lib/node_exporter/mailer.prom
    """
    from mailer.campaigns.measuring import measure

    with home.database(home.open()) as engine:
        click.echo(measure(engine), nl=False)


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
    from mailer.campaigns.working import queue_doubted

    workspace = home.open()
    with home.writing(workspace) as opened:
        resume_campaign(opened, campaign_id, now=datetime.now(UTC))
    if detach:
        if resend_in_doubt:
            with _durable(workspace) as engine:
                queue_doubted(engine, campaign_id)
        _leave_to_workers(home, workspace, campaign_id, as_json=as_json)
        return
    _run(workspace, campaign_id, wait=wait, as_json=as_json, resend_in_doubt=resend_in_doubt)
