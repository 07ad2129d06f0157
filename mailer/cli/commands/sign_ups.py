"""The ``subscribers`` commands for sign-ups that wait for a person of the team."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from mailer.cli.activity_log import note_no_change
from mailer.cli.commands.one_subscriber import by_option
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

_MOST = 10_000


@click.command(name="sign-ups")
@json_option
@pass_context
def sign_ups(context: CliContext, as_json: bool) -> None:
    """List the people who signed up, confirmed it, and wait to be admitted (`[web] sign_up = "reviewed"`)."""
    from subscribers.consent.sign_ups import list_waiting_sign_ups

    workspace = context.open_workspace()
    with context.read_session(workspace) as session:
        waiting = list_waiting_sign_ups(session, limit=_MOST)
    if as_json:
        emit_json(
            [
                {
                    "email": one.email,
                    "name": one.name,
                    "language": one.language,
                    "status": one.status.value,
                    "confirmed_at": one.confirmed_at.astimezone(UTC).isoformat(),
                }
                for one in waiting
            ]
        )
        return
    rows = [(one.email, f"{one.confirmed_at:%Y-%m-%d %H:%M}", one.language, one.status) for one in waiting]
    emit(columns(rows, head=("email", "confirmed (UTC)", "language", "status")))
    say(f"{len(waiting)} sign-up{'' if len(waiting) == 1 else 's'} to admit or decline.")


@click.command()
@click.argument("address")
@by_option
@pass_context
def admit(context: CliContext, address: str, by: str) -> None:
    """Put a person on the list who signed up and confirmed it."""
    from subscribers.consent.sign_ups import admit_sign_up
    from subscribers.queries import find_subscriber

    workspace = context.open_workspace()
    with context.write_session(workspace) as session:
        person = find_subscriber(session, address)
        change = admit_sign_up(
            session,
            person.id or 0,
            key=workspace.keys.suppression,
            by=by,
            method="command line",
            now=datetime.now(UTC),
        )
        email = person.email
    if not change.changed:
        note_no_change()
    already = "" if change.changed else " already. Nothing has changed"
    say(f"{email} is on the list{already}.")


@click.command()
@click.argument("address")
@by_option
@pass_context
def decline(context: CliContext, address: str, by: str) -> None:  # noqa: ARG001 - for the log
    """Decline a person who signed up. They get no mail, and can sign up again."""
    from subscribers.consent.sign_ups import decline_sign_up
    from subscribers.queries import find_subscriber

    workspace = context.open_workspace()
    with context.write_session(workspace) as session:
        person = find_subscriber(session, address)
        declined, email = decline_sign_up(session, person.id or 0, now=datetime.now(UTC)), person.email
    if not declined:
        note_no_change()
    say(f"{email} is declined." if declined else f"No sign-up of {email} waits. Nothing has changed.")
