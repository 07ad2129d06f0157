"""``mailer feedback receive``: one message from a mail server's pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.feedback.intake import Disposition

# The names of sysexits.h, which mail servers read: after EX_TEMPFAIL they keep the message and try again,
# after EX_DATAERR they return it to its sender.
_EX_DATAERR = 65
_EX_TEMPFAIL = 75


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
    context: CliContext,
    recipients: Sequence[str],
    original_recipients: Sequence[str],
    sender: str | None,
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

    workspace = context.open_workspace()
    with context.open_database(workspace) as engine:
        return make_intake(FeedbackContext(workspace=workspace, engine=engine), "pipe").take(raw)


def _end(code: int, words: str) -> NoReturn:
    say(words)
    sys.exit(code)


def _find_sender(option: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The envelope sender, "" for that of a bounce, which Postfix calls MAILER-DAEMON; None if unknown."""
    sender = environ.get("SENDER") if option is None else option
    return "" if sender is not None and sender.upper() == "MAILER-DAEMON" else sender


def _list_variable(name: str, environ: Mapping[str, str] = os.environ) -> Sequence[str]:
    return (environ[name],) if environ.get(name) else ()
