"""What people do on the command line, for the team's log.

A command that changes the database records its deed in the same transaction (:func:`record_deed`). One that
changes files, takes people's data away, or has had a transaction of its own says it as soon as it is done
(:func:`log_deed`), not at its end: sending may take hours, and may be killed. A test demands that every
command does one of these, or is among the others that it lists.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from mailer.activity.deeds import Deed
from mailer.cli.context import CliContext
from mailer.cli.output import say

if TYPE_CHECKING:
    from sqlmodel import Session

_Facts = ParamSpec("_Facts")


def find_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"


def record_deed(session: Session, deed: Deed, *, by: str = "") -> None:
    """Write down what the user of this machine does; ``by`` is who makes the change, if they name somebody
    else. The caller commits, together with the change."""
    from mailer.activity.record import Actor, record_activity

    record_activity(session, Actor.from_command_line(find_user(), by), deed, now=datetime.now(UTC))


def log_deed(context: CliContext, deed: Deed, *, by: str = "") -> None:
    """Write down what the user of this machine has done. A line that cannot be written is told on stderr,
    with what it would have said; the command's own result stands."""
    try:
        _require_database(context)
        with context.write_session() as session:
            record_deed(session, deed, by=by)
    except Exception as error:
        _say_lost(deed, error)


def log_campaign_deed(
    context: CliContext,
    campaign_id: int,
    make: Callable[Concatenate[str, int, _Facts], Deed],
    *args: _Facts.args,
    **facts: _Facts.kwargs,
) -> None:
    """Write down, as :func:`log_deed` does, what was done to a campaign, whose edition is looked up: ``make``
    is a function of :mod:`mailer.activity.deeds` about campaigns, the rest what else it takes."""
    try:
        with context.write_session() as session:
            record_campaign_deed(session, campaign_id, make, *args, **facts)
    except Exception as error:
        _say_lost(make("", campaign_id, *args, **facts), error)


def record_campaign_deed(
    session: Session,
    campaign_id: int,
    make: Callable[Concatenate[str, int, _Facts], Deed],
    *args: _Facts.args,
    **facts: _Facts.kwargs,
) -> None:
    """Write down, as :func:`record_deed` does, what is done to a campaign, whose edition is looked up."""
    from mailer.campaigns.lifecycle import find_campaign

    edition = find_campaign(session, campaign_id).edition
    record_deed(session, make(edition, campaign_id, *args, **facts))


def _require_database(context: CliContext) -> None:
    from mailer.database.secure_delete import list_database_files
    from mailer.errors import StaleSchemaError

    engine = context.workspace.open_database()
    if engine.dialect.name == "sqlite" and not list_database_files(engine):
        # Opening it would make an empty file, in which the next command finds no tables.
        raise StaleSchemaError("there is no database yet: run `mailer db upgrade`")


def _say_lost(deed: Deed, error: Exception) -> None:
    lost = " ".join(part for part in (deed.act.value, deed.edition, deed.subject) if part)
    say(
        f"It is done, but the team's log could not be written ({error}). Keep this line for it: "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {find_user()}, {lost}"
    )
