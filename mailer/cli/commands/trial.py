"""The commands for trial mode: show it, end it, begin it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say, user_option

if TYPE_CHECKING:
    from mailer.campaigns.trial import Trial

_by_option = user_option(
    "Who decides it, for the record. Default: the user running the command.", "--by", "person", default=""
)


def _print_state(state: Trial, *, as_json: bool) -> None:
    words = str(state)
    if as_json:
        emit_json(state)
    else:
        emit(f"{words[0].upper()}{words[1:]}.")


@click.group()
def trial() -> None:
    """Trial mode: campaigns go to test readers alone until the set-up is proven and a person ends it."""


@trial.command("show")
@json_option
@pass_context
def show(context: CliContext, as_json: bool) -> None:
    """Say whether the workspace is in trial mode, and who decided that."""
    from mailer.campaigns.trial import read_trial

    with context.open_database() as engine, engine.connect() as connection:
        state = read_trial(connection)
    _print_state(state, as_json=as_json)
    if state.is_on and not as_json:
        say(f"When `mailer doctor` finds nothing bad: {context.command_line('trial', 'end', '--by', 'NAME')}")


@trial.command("end")
@_by_option
@json_option
@pass_context
def end(context: CliContext, person: str, as_json: bool) -> None:
    """End trial mode, if `mailer doctor` finds nothing bad. Campaigns then go to everybody they are for."""
    from mailer.campaigns.trial import end_trial, read_trial
    from mailer.doctor import Health, diagnose_workspace

    findings = diagnose_workspace(context.workspace)
    faults = [f"{found.subject}: {found.message}" for found in findings if found.verdict is Health.bad]
    with context.write_session() as session:
        connection = session.connection()
        before = read_trial(connection)
        state = end_trial(connection, by=person, now=datetime.now(UTC), faults=faults)
        if state != before:
            record_deed(session, deeds.ended_trial(), by=person)
    _print_state(state, as_json=as_json)


@trial.command("begin")
@_by_option
@json_option
@pass_context
def begin(context: CliContext, person: str, as_json: bool) -> None:
    """Begin trial mode again. Campaigns that were launched go on; scheduled ones are cancelled at their time,
    unless all their readers are test readers."""
    from mailer.campaigns.trial import begin_trial, read_trial

    with context.write_session() as session:
        connection = session.connection()
        before = read_trial(connection)
        state = begin_trial(connection, by=person, now=datetime.now(UTC))
        if state != before:
            record_deed(session, deeds.began_trial(), by=person)
    _print_state(state, as_json=as_json)
