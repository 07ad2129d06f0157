"""``mailer feedback list``: what came back, by kind and reason, with the servers' words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten
from mailer.utc import format_utc

if TYPE_CHECKING:
    from enum import StrEnum

    from mailer.feedback.overview import FeedbackGroup, ReportedEvent

_WORDS_WIDTH = 90
_MAX_EVENTS = 50


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

    wanted = overview.FeedbackFilter(
        kind=FeedbackKind(_choose(FeedbackKind, kind, "--kind")) if kind else None,
        reason=Reason(_choose(Reason, reason, "--reason")) if reason else None,
        campaign_id=campaign,
    )
    workspace, now = context.open_workspace(), datetime.now(UTC)
    with context.read_session(workspace) as session:
        groups = overview.group_feedback(session, wanted)
        held = overview.count_held(session)
        alarms = overview.list_alarms(session, now=now)
        waiting = list_waiting_replies(session)
        limit = None if as_json else _MAX_EVENTS if reason or kind or campaign else 0
        events = list(overview.list_events(session, wanted, limit=limit))
    if as_json:
        emit_json(
            {
                "groups": [group.as_dict() for group in groups],
                "held": held,
                "alarms": len(alarms),
                "waiting_replies": [reply.as_dict() for reply in waiting],
                "events": [event.as_dict() for event in events],
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
