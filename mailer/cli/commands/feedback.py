"""The commands of `mailer feedback`: what came back, and what a person decides about it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.commands import feedback_mail, feedback_review
from mailer.cli.commands.one_subscriber import detail_options, read_changes
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten, user_option
from mailer.utc import format_iso, format_utc

if TYPE_CHECKING:
    from enum import StrEnum

    from mailer.feedback.dmarc_reports import SenderOverview
    from mailer.feedback.overview import FeedbackGroup, ReportedEvent
    from mailer.feedback.successors import SuccessorProposal


_WORDS_WIDTH = 90
_MAX_EVENTS = 50
_MAX_LINES = 20
_as_option = user_option("Who decides. Recorded. Default: the user running the command.", "--as", "by")


@click.group()
def feedback() -> None:
    """What comes back: bounces, complaints, automatic replies, replies, and leaving by mail."""


@click.command(name="list")
@click.option("--reason", metavar="REASON", help="Only this reason, such as no_such_user, full or blocked.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only this kind: bounce, complaint, auto-reply, reply, leave, dmarc or other.",
)
@click.option("--campaign", type=int, help="Only what came back from this campaign.")
@json_option
@pass_context
def list_(
    context: CliContext, reason: str | None, kind: str | None, campaign: int | None, as_json: bool
) -> None:
    """List what came back, by kind and reason, with the servers' words and what was done.

    With an option, the messages follow one by one, newest first; --json lists them all.
    """
    from mailer.database.feedback_models import FeedbackKind
    from mailer.feedback import overview
    from mailer.feedback.reply_forwarder import list_waiting_replies
    from mailer.reasons.reason import Reason

    wanted = [
        *overview.make_event_conditions(
            kind=FeedbackKind(_choose(FeedbackKind, kind, "--kind")) if kind else None,
            reason=Reason(_choose(Reason, reason, "--reason")) if reason else None,
            campaign_id=campaign,
        )
    ]
    now = datetime.now(UTC)
    with context.read_session() as session:
        groups = overview.group_feedback(session, *wanted)
        held = overview.count_held(session)
        alarms = overview.list_alarms(session, now=now)
        waiting = list_waiting_replies(session)
        limit = None if as_json else _MAX_EVENTS if reason or kind or campaign else 0
        events = list(overview.list_events(session, *wanted, limit=limit))
    if as_json:
        emit_json(
            {
                "groups": groups,
                "held": held,
                "alarms": len(alarms),
                "waiting_replies": [
                    {
                        **reply._mapping,
                        "received_at": format_iso(reply.received_at),
                        "next_at": format_iso(reply.next_at),
                    }
                    for reply in waiting
                ],
                "events": events,
            }
        )
        return
    _print_groups(groups)
    if events:
        emit("")
        emit(_tabulate(events))
    for reply in waiting:
        say(
            f"A reply of {reply.sender or 'somebody'} ({reply.subject or 'no subject'}) has not gone on "
            f"after {reply.attempts} {'attempt' if reply.attempts == 1 else 'attempts'}: "
            f"{shorten(reply.reason, _WORDS_WIDTH)}. It is tried again at {format_utc(reply.next_at)}."
        )
    _print_notices(held, alarms, context.command_line("feedback", "review"), overview.ALARM_DAYS)


def _choose(choices: type[StrEnum], word: str, option: str) -> str:
    known = [choice.value for choice in choices]
    if word not in known:
        raise click.UsageError(f"{option} {word} does not exist. Choose from: {', '.join(known)}.")
    return word


def _print_groups(groups: list[FeedbackGroup]) -> None:
    if not groups:
        say("Nothing has come back.")
    rows = [
        (
            group.number,
            group.kind.value,
            group.reason.replace("_", " ") or "–",
            group.people,
            ", ".join(f"{number} {what}" for what, number in group.consequences.items()),
            format_utc(group.last_at),
        )
        for group in groups
    ]
    head = ("number", "kind", "reason", "readers", "what was done", "last")
    table = columns(rows, head=head, right=(0, 3)).splitlines()
    for at, line in enumerate(table):
        emit(line)
        if at:
            for words, number in groups[at - 1].words:
                emit(f"        {number} × {shorten(words, _WORDS_WIDTH)}")


def _tabulate(events: list[ReportedEvent]) -> str:
    rows = [
        (
            event.number,
            format_utc(event.at),
            event.subscriber or event.address or "nobody found",
            event.reason.replace("_", " ") or event.kind,
            event.consequence,
            shorten(event.words, _WORDS_WIDTH),
        )
        for event in events
    ]
    return columns(rows, head=("no.", "when", "who", "reason", "done", "words"), right=(0,))


def _print_notices(held: int, alarms: list[ReportedEvent], command: str, days: int) -> None:
    if alarms:
        say(
            f"In the last {days} days, servers said {len(alarms)} {'time' if len(alarms) == 1 else 'times'} "
            "something about you, not about your readers. The latest: "
            f"{shorten(alarms[0].words, _WORDS_WIDTH)}"
        )
    if held:
        say(f"{held} {'message waits' if held == 1 else 'messages wait'} for a person: {command}")


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 396), default=30, show_default=True, help="The days to look back."
)
@json_option
@pass_context
def senders(context: CliContext, days: int, as_json: bool) -> None:
    """Show who sends mail in your name, by the reports that receivers send (DMARC).

    The reports arrive in the mailbox of what comes back, if the DMARC record of your domain names its
    address (rua). Anybody can write a report, so they are a hint and no proof.
    """
    from mailer.feedback.dmarc_reports import read_senders

    with context.read_session() as session:
        found = read_senders(session.connection(), since=datetime.now(UTC) - timedelta(days=days))
    if as_json:
        emit_json(found)
    elif not found.reports:
        say(
            f"No report has come in {days} days. Have them sent to the mailbox of what comes back: `mailer "
            "doctor dmarc` shows the record for it."
        )
    else:
        _print_senders(found, days)


def _print_senders(found: SenderOverview, days: int) -> None:
    share = 100 * found.passed / found.messages if found.messages else 0
    emit(
        f"{found.reports:,} {'report' if found.reports == 1 else 'reports'} of {days} days, from "
        f"{shorten(', '.join(found.receivers), 60)}: {found.messages:,} messages, {share:.1f} % passed."
    )
    rows = [
        (
            *(sender.source_ip, sender.kind.value),
            *(f"{number:,}" for number in (sender.messages, sender.passed, sender.refused)),
            sender.domains[0] if sender.domains else "",
        )
        for sender in found.senders[:_MAX_LINES]
    ]
    head = ("address", "who", "messages", "passed", "refused", "as")
    emit(columns(rows, head=head, right=(2, 3, 4)))
    if len(found.senders) > _MAX_LINES:
        emit(f"… {len(found.senders) - _MAX_LINES:,} more; --json has them all.")
    if found.unknown:
        say(
            "Unknown: a program of yours that does not sign (bring it under SPF or DKIM), or somebody who "
            "writes in your name. With p=quarantine or p=reject in your DMARC record, their mail is refused."
        )


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def successors(ctx: click.Context, as_json: bool) -> None:
    """Show who may follow readers that have left, with the words of their automatic replies.

    Nothing is added by itself: accept or refuse each by its number.
    """
    if ctx.invoked_subcommand is None:
        _show(ctx.ensure_object(CliContext), as_json=as_json)


def _show(context: CliContext, *, as_json: bool) -> None:
    from mailer.feedback.successors import list_proposals

    with context.read_session() as session:
        proposals = list_proposals(session)
    if as_json:
        emit_json(proposals)
        return
    for proposal in proposals:
        _print_successors(proposal)
    if proposals:
        command = context.command_line("feedback", "successors", "accept")
        say(f"Add one with {command} NUMBER --as NAME --basis TEXT, or refuse it.")
    elif context.workspace.settings.feedback.successors:
        say("No automatic reply has named a successor that waits for you.")
    else:
        say(
            "Automatic replies are not read for successors. To have them read, set successors = true under "
            "[feedback] in mailer.toml."
        )


@successors.command()
@click.argument("number", type=int)
@_as_option
@click.option("--basis", metavar="TEXT", help="Why you may write to the new person. Recorded.")
@click.option("--left", is_flag=True, help="The predecessor has left: send them no more mail.")
@detail_options
@json_option
@pass_context
def accept(
    context: CliContext,
    /,
    number: int,
    by: str | None,
    basis: str | None,
    left: bool,
    as_json: bool,
    **details: str | None,
) -> None:
    """Add a successor to the list, with the predecessor's organisation, country and sectors.

    Options change what is proposed. The predecessor stays on the list unless you say --left. Example: mailer
    feedback successors accept 3 --as 'Mei Lin' --basis 'took over the office' --left
    """
    from mailer.feedback.successors import accept_successor

    if basis is None and sys.stdin.isatty():
        basis = click.prompt("Why may you write to this person?", err=True)
    if not (basis or "").strip():
        raise click.UsageError("Say why you may write to this person: --basis TEXT. It is kept on record.")
    with context.write_session() as session:
        subscriber_id, proposal = accept_successor(
            session,
            context.workspace,
            number,
            by=by or "",
            basis=basis or "",
            changes=read_changes(details),
            has_left=left,
            now=datetime.now(UTC),
        )
        record_deed(session, deeds.accepted_successor(number), by=by or "")
    if as_json:
        emit_json(
            {
                "number": number,
                "subscriber_id": subscriber_id,
                "email": proposal.email,
                "predecessor": proposal.predecessor,
                "has_left": left,
            }
        )
        return
    kept = "gets no more mail" if left else "stays on the list (--left ends the mail to them)"
    say(f"Added {proposal.email}. {proposal.predecessor} {kept}.")


@successors.command()
@click.argument("number", type=int)
@_as_option
@json_option
@pass_context
def refuse(context: CliContext, number: int, by: str | None, as_json: bool) -> None:
    """Refuse a successor. They are not proposed for the same reader again."""
    from mailer.feedback.successors import refuse_successor

    with context.write_session() as session:
        proposal = refuse_successor(session, number, by=by or "", now=datetime.now(UTC))
        record_deed(session, deeds.refused_successor(number), by=by or "")
    if as_json:
        emit_json({"number": proposal.number, "email": proposal.email, "predecessor": proposal.predecessor})
        return
    say(f"{proposal.email} is not added, and not proposed for {proposal.predecessor} again.")


def _print_successors(proposal: SuccessorProposal) -> None:
    person = f"{proposal.name} <{proposal.email}>" if proposal.name else proposal.email
    predecessor = proposal.predecessor_name or proposal.predecessor
    place = ", ".join(filter(None, (proposal.organisation, proposal.country, ", ".join(proposal.sectors))))
    emit(f"{proposal.number}  {person}")
    emit(f"    follows {predecessor} <{proposal.predecessor}>, {proposal.predecessor_status}")
    if place:
        emit(f"    would get: {place}")
    emit(f"    {format_utc(proposal.at)}: “{proposal.words}”")
    emit("")


for _command in (
    list_,
    feedback_review.review,
    successors,
    senders,
    feedback_mail.read,
    feedback_mail.receive,
):
    feedback.add_command(_command)
