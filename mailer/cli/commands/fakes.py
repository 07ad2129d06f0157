"""``mailer fakes``: mails that claimed to be from us, as people submitted them at /verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten
from mailer.utc import format_utc

if TYPE_CHECKING:
    from mailer.database.feedback_models import FakeMail

_SENDER_WIDTH = 40
_SUBJECT_WIDTH = 40
_HOSTS_WIDTH = 50
_MEANINGS = {
    "altered": "one of our mails, changed",
    "copied": "another mail with a code or link of ours",
    "foreign": "a mail that has nothing of ours",
}


@click.group()
def fakes() -> None:
    """Mails that claimed to be from you and were not, as people submitted them at /verify."""


@fakes.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List the fakes, the last submitted first.

    The same fake is one line, however many people submitted it. Nothing says who they were.
    """
    from mailer.verification.fakes import describe_fake, list_fakes

    with context.read_session() as session:
        found = list_fakes(session)
    if as_json:
        emit_json({"fakes": [describe_fake(fake) for fake in found]})
        return
    if not found:
        say(f"Nobody has submitted a fake at {context.workspace.settings.web.base_url}/verify.")
        return
    rows = [
        (
            fake.id,
            fake.times,
            format_utc(fake.last_at),
            fake.verdict,
            shorten(fake.sender, _SENDER_WIDTH),
            shorten(fake.subject, _SUBJECT_WIDTH),
            shorten(fake.hosts, _HOSTS_WIDTH),
        )
        for fake in found
    ]
    head = ("no.", "times", "last", "what", "from", "subject", "leads to")
    emit(columns(rows, head=head, right=(0, 1)))
    say(f"One of them with its headers: {context.command_line('fakes', 'show', 'NO')}")


@fakes.command()
@click.argument("number", type=int, metavar="NO")
@json_option
@pass_context
def show(context: CliContext, number: int, as_json: bool) -> None:
    """Show a fake with its headers, from which a provider can tell where it came from."""
    from mailer.verification.fakes import describe_fake, find_fake

    with context.read_session() as session:
        fake = find_fake(session, number)
    if as_json:
        emit_json(describe_fake(fake))
        return
    emit(_describe(fake))


def _describe(fake: FakeMail) -> str:
    times = "once" if fake.times == 1 else f"{fake.times} times"
    facts = [
        ("what", _MEANINGS.get(fake.verdict, fake.verdict)),
        ("from", fake.sender or "–"),
        ("subject", fake.subject or "–"),
        ("leads to", ", ".join(fake.hosts.split()) or "no link"),
        ("edition", fake.campaign or "–"),
        ("submitted", f"{times}, first {format_utc(fake.first_at)}, last {format_utc(fake.last_at)}"),
    ]
    return f"{columns(facts)}\n\n{fake.headers}"
