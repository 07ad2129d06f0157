"""``mailer feedback review``: what waits for a person, and their judgement."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say, user_option
from mailer.utc import format_iso, format_utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.database.feedback_models import Consequence, FeedbackMessage
    from mailer.feedback.context import FeedbackContext
    from mailer.feedback.overview import ReportedEvent

    Held = tuple[FeedbackMessage, list[ReportedEvent]]

_LATER = "later"
_FORWARDED = "reply"
"""The judgement after which a message goes on to the address for replies."""


@click.command()
@click.argument("numbers", metavar="[NUMBER]...", type=int, nargs=-1)
@click.option("--campaign", type=int, help="All messages that wait and are about this campaign.")
@click.option(
    "--as",
    "word",
    metavar="WORD",
    help="What they are: dead, full or another reason, complaint, leave, reply, auto-reply, or ignore.",
)
@user_option("Who judges. Recorded. Default: the user running the command.")
@click.option("--subscriber", metavar="ADDRESS", default="", help="Whom it is about, if that was not found.")
@json_option
@pass_context
def review(
    context: CliContext,
    numbers: tuple[int, ...],
    campaign: int | None,
    word: str | None,
    by: str | None,
    subscriber: str,
    as_json: bool,
) -> None:
    """Show the messages that wait for a person, and judge them.

    On a terminal, it shows one after the other and asks. In a script, give the numbers and --as.
    """
    from mailer.feedback.context import FeedbackContext
    from mailer.feedback.overview import list_held, list_message_events
    from mailer.feedback.review import JUDGEMENTS

    if word is not None and word not in JUDGEMENTS:
        raise click.UsageError(f"--as {word} does not exist. Choose from: {', '.join(JUDGEMENTS)}.")
    with context.read_session() as session:
        waiting = [
            (message, list(list_message_events(session, message.id)))
            for message in list_held(session, campaign_id=campaign)
        ]
    if numbers:
        waiting = [held for held in waiting if held[0].id in numbers]
    if word is not None:
        if not numbers and campaign is None:
            raise click.UsageError("Say which messages: their numbers, or --campaign.")
        chosen = numbers or tuple(message.id or 0 for message, _ in waiting)
        with context.open_database() as engine:
            room = FeedbackContext(workspace=context.workspace, engine=engine)
            _judge_all(room, chosen, word, by or "", subscriber, as_json)
        return
    if as_json:
        emit_json([_describe_message(*held) for held in waiting])
        return
    if not waiting:
        say("Nothing waits for a person.")
        return
    if not sys.stdin.isatty():
        for held in waiting:
            _print_message(*held)
        say(f"Judge one with: {context.command_line('feedback', 'review', 'NUMBER', '--as', 'WORD')}")
        return
    with context.open_database() as engine:
        _ask_about_all(FeedbackContext(workspace=context.workspace, engine=engine), waiting, by or "")


def _judge_all(
    room: FeedbackContext, numbers: tuple[int, ...], word: str, by: str, subscriber: str, as_json: bool
) -> None:
    verdicts = []
    for number in numbers:
        outcomes = _judge(room, number, word, by, subscriber)
        verdicts.append(
            {
                "number": number,
                "forwarded": word == _FORWARDED,
                "outcomes": [
                    {"subscriber": email, "consequence": consequence.value} for email, consequence in outcomes
                ],
            }
        )
        if not as_json:
            _print_verdict(number, word, outcomes)
    if as_json:
        emit_json(verdicts)


def _ask_about_all(room: FeedbackContext, waiting: list[Held], by: str) -> None:
    from mailer.errors import MailerError
    from mailer.feedback.review import JUDGEMENTS
    from subscribers.errors import SubscriberError

    for message, events in waiting:
        _print_message(message, events)
        number = message.id or 0
        while True:
            word = click.prompt(
                "What is it", type=click.Choice([*JUDGEMENTS, _LATER]), default=_LATER, err=True
            )
            if word == _LATER:
                break
            subscriber = ""
            if JUDGEMENTS[word].needs_person and not any(event.subscriber for event in events):
                subscriber = click.prompt("Whom is it about (address)", err=True)
            try:
                outcomes = _judge(room, number, word, by, subscriber)
            except (MailerError, SubscriberError) as error:
                say(str(error))
                continue
            _print_verdict(number, word, outcomes)
            break


def _judge(
    room: FeedbackContext, number: int, word: str, by: str, subscriber: str
) -> Sequence[tuple[str, Consequence]]:
    from mailer.feedback.review import judge

    return judge(
        room,
        number,
        word,
        by=by,
        subscriber=subscriber,
        now=datetime.now(UTC),
        record=lambda session: record_deed(session, deeds.judged_feedback(number, word), by=by),
    )


def _describe_message(message: FeedbackMessage, events: list[ReportedEvent]) -> dict[str, object]:
    from mailer.feedback.overview import read_excerpt

    return {
        "number": message.id,
        "received_at": format_iso(message.received_at),
        "kind": message.kind,
        "sender": message.sender,
        "subject": message.subject,
        "size": message.size,
        "note": message.note,
        "excerpt": read_excerpt(message.raw),
        "events": events,
    }


def _print_message(message: FeedbackMessage, events: list[ReportedEvent]) -> None:
    from mailer.feedback.overview import read_excerpt

    emit(f"{message.id}  {message.kind}  {format_utc(message.received_at)}  {message.size} bytes")
    emit(f"    from     {message.sender or '–'}")
    emit(f"    subject  {message.subject or '–'}")
    emit(f"    waits    {message.note}")
    for event in events:
        who = event.subscriber or "nobody on the list"
        about = f" ({event.address})" if event.address and event.address != event.subscriber else ""
        emit(f"    about    {who}{about}: {event.reason.replace('_', ' ') or 'no reason'}")
        if event.words:
            emit(f"             {event.words}")
    for line in read_excerpt(message.raw).splitlines():
        emit(f"    | {line}")
    emit("")


def _print_verdict(number: int, word: str, outcomes: Sequence[tuple[str, Consequence]]) -> None:
    if word == _FORWARDED:
        say(f"{number}: goes on to the address for replies.")
    elif not outcomes:
        say(f"{number}: judged; nothing follows from it.")
    for email, consequence in outcomes:
        say(f"{number}: {email}: {consequence.value}.")
