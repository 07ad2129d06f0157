"""`mailer feedback read` and `receive`: from the mailbox, or from a mail server on standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.feedback.incoming_message import IncomingMessage, ReportedRecipient
    from mailer.feedback.intake import Disposition

    FindSubscribers = Callable[[IncomingMessage], Sequence[int | None]]
    FoundRecipient = tuple[ReportedRecipient, int | None]
    Answer = tuple[str, str, Sequence[FoundRecipient]]

# The names of sysexits.h, which mail servers read: after EX_TEMPFAIL they keep the message and try again,
# after EX_DATAERR they return it to its sender.
_EX_DATAERR = 65
_EX_TEMPFAIL = 75


@click.command()
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True)
)
@json_option
@pass_context
def read(context: CliContext, paths: Sequence[Path], as_json: bool) -> None:
    """Say of saved messages what they are, and change nothing.

    A FILE is a message as a mail program saves it, or a mailbox (mbox); - reads one from standard input. In a
    workspace it also says which subscriber each is about.
    """
    unread: list[str] = []
    answers: list[Answer] = []
    with _open_list(context) as find_subscribers:
        for path in paths:
            try:
                raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
            except OSError as error:
                unread.append(f"Cannot read {path}: {error.strerror or error}.")
                continue
            answers.append((str(path), *_read_mails(raw, context, find_subscribers)))
    if as_json:
        emit_json(
            [
                {"file": name, "kind": kind, "recipients": [_as_json(*found) for found in recipients]}
                for name, kind, recipients in answers
            ]
        )
    else:
        _show(answers)
    for words in unread:
        say(words)
    if unread:
        raise click.exceptions.Exit(1)


@contextmanager
def _open_list(context: CliContext) -> Iterator[FindSubscribers]:
    """A function that finds the subscribers of a message; outside a workspace, it finds nobody."""
    if not (context.folder / "mailer.toml").is_file():
        yield lambda message: [None] * len(message.recipients)
        return
    from mailer.feedback.identification import identify

    with context.read_session() as session:

        def find(message: IncomingMessage) -> list[int | None]:
            findings = identify(session, context.workspace.keys, message, now=datetime.now(UTC))
            return [finding.person.subscriber_id if finding.person else None for finding in findings]

        yield find


def _read_mails(
    raw: bytes, context: CliContext, find_subscribers: FindSubscribers
) -> tuple[str, list[FoundRecipient]]:
    """Return the kind of the first message of a file, and the recipients of all."""
    from mailer.feedback.intake import read_message
    from mailer.feedback.mime_part import split_mailbox

    leave_address, delimiter = _leave_address(context)
    messages = [
        read_message(mail, leave_address=leave_address, delimiter=delimiter) for mail in split_mailbox(raw)
    ]
    recipients = [found for message in messages for found in _list_recipients(message, find_subscribers)]
    return messages[0].kind.value, recipients


def _leave_address(context: CliContext) -> tuple[str, str]:
    if not (context.folder / "mailer.toml").is_file():
        return "", "+"
    settings = context.workspace.settings.feedback
    return settings.leave_address, settings.delimiter


def _list_recipients(message: IncomingMessage, find_subscribers: FindSubscribers) -> Iterator[FoundRecipient]:
    """Yield each recipient, and one without an address where only the subscriber is known."""
    from mailer.feedback.incoming_message import ReportedRecipient

    found = find_subscribers(message)
    recipients = message.recipients or (ReportedRecipient(address="", reason=None),) * len(found)
    for recipient, subscriber in zip(recipients, found, strict=True):
        if message.recipients or subscriber is not None:
            yield recipient, subscriber


def _as_json(recipient: ReportedRecipient, subscriber: int | None) -> dict[str, Any]:
    return {
        "address": recipient.address,
        "subscriber": subscriber,
        "reason": recipient.reason.value if recipient.reason else None,
        "dead": recipient.is_dead,
        "words": recipient.words,
    }


def _show(answers: Sequence[Answer]) -> None:
    for number, (name, kind, recipients) in enumerate(answers):
        if number:
            emit("")
        emit(f"{name}: {kind}")
        rows = [
            (
                recipient.address or "(address hidden)",
                f"subscriber {subscriber}" if subscriber is not None else "",
                _describe_outcome(recipient),
                shorten(recipient.words, 70),
            )
            for recipient, subscriber in recipients
        ]
        if rows:
            emit("\n".join(f"  {line}" for line in columns(rows).split("\n")))


def _describe_outcome(recipient: ReportedRecipient) -> str:
    reason = recipient.reason.value.replace("_", " ") if recipient.reason else ""
    if recipient.action in ("delayed", "delivered", "relayed", "expanded"):
        return f"{recipient.action}: {reason}" if reason else recipient.action
    return f"{reason} (dead)" if recipient.is_dead else reason


@click.command()
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="ADDRESS",
    help="The address the message was delivered to; may be repeated. Postfix calls it ${recipient}. Default: "
    "the variable RECIPIENT, as local(8) sets it.",
)
@click.option(
    "--original-recipient",
    "original_recipients",
    multiple=True,
    metavar="ADDRESS",
    help="The address before aliases: ${original_recipient}. Default: the variable ORIGINAL_RECIPIENT.",
)
@click.option(
    "--sender",
    metavar="ADDRESS",
    help="The envelope sender: ${sender}; empty for a bounce. Default: the variable SENDER.",
)
@pass_context
def receive(
    context: CliContext, recipients: Sequence[str], original_recipients: Sequence[str], sender: str | None
) -> None:
    """Receive one message on standard input, as a mail server pipes it.

    The exit code tells the mail server what to do: 0, the message is recorded; 75, keep it and try again (the
    database is away, the disk is full, a setting is wrong); 65, it is no message, or larger than 50 MB.
    """
    from mailer.feedback.intake import MAX_MESSAGE_BYTES
    from mailer.feedback.lmtp_server import add_envelope

    content = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
    if not content.strip():
        _end(_EX_DATAERR, "There is no message on standard input.")
    if len(content) > MAX_MESSAGE_BYTES:
        _end(_EX_DATAERR, "The message is larger than 50 MB, so it is no report of a mail server.")
    raw = add_envelope(
        content,
        sender=_find_sender(sender),
        recipients=recipients or _list_variable("RECIPIENT"),
        original_recipients=original_recipients or _list_variable("ORIGINAL_RECIPIENT"),
    )
    try:
        disposition = _take(context, raw)
    except Exception as error:
        # Whatever it is, a message that is not recorded must stay with the mail server.
        _end(_EX_TEMPFAIL, f"The message was not recorded; keep it and try again. {error}")
    say("Recorded." if disposition == "settled" else "Recorded. A person should look at it.")


def _take(context: CliContext, raw: bytes) -> Disposition:
    from mailer.feedback.context import FeedbackContext
    from mailer.feedback.intake import make_intake

    with context.open_database() as engine:
        return make_intake(FeedbackContext(workspace=context.workspace, engine=engine), "pipe").take(raw)


def _end(code: int, words: str) -> NoReturn:
    say(words)
    sys.exit(code)


def _find_sender(option: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the envelope sender, "" for a bounce's, which Postfix calls MAILER-DAEMON; None if unknown."""
    sender = environ.get("SENDER") if option is None else option
    return "" if sender is not None and sender.upper() == "MAILER-DAEMON" else sender


def _list_variable(name: str, environ: Mapping[str, str] = os.environ) -> Sequence[str]:
    return (environ[name],) if environ.get(name) else ()
