"""What people do on the command line, for the team's log: one table, and one place that writes it down.

Each command that changes something, or takes people's data away, has a line in :data:`LOGGED_COMMANDS`; those
that launch or schedule write their own at that moment, since they go on for hours, and those that erase in
their transaction. A test demands that every command is in that table, or among the others that it lists.
"""

from __future__ import annotations

import functools
import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from mailer.activity.acts import Act
from mailer.cli.context import CliContext
from mailer.cli.output import say

if TYPE_CHECKING:
    from sqlmodel import Session

Parameters = Mapping[str, Any]
_NOTE = "mailer.cli.activity_log"
_DETAILS = ("name", "organisation", "country", "language", "sectors", "tags")


def find_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"


@dataclass(frozen=True, kw_only=True)
class LoggedCommand:
    """How a command is written down, once it has ended.

    ``edition``, ``subject`` and ``campaign`` name the parameters that hold them. ``detail`` makes further
    words of the parameters. ``when`` says whether these parameters change anything; with ``if_noted``, the
    command says it itself, by :func:`note_act`. With ``even_if_stopped``, it may have done part of its work
    when it fails.
    """

    act: Act
    edition: str = ""
    subject: str = ""
    campaign: str = ""
    detail: Callable[[Parameters], str] = lambda _: ""
    when: Callable[[Parameters], bool] = lambda _: True
    if_noted: bool = False
    even_if_stopped: bool = False


@dataclass
class ActNote:
    """What only the command itself knows of its act, such as the name of what it made."""

    edition: str = ""
    subject: str = ""
    details: list[str] = field(default_factory=list)
    is_void: bool = False


def note_act(*, edition: str = "", subject: str = "", detail: str = "") -> None:
    """Tell, from inside a command of :data:`LOGGED_COMMANDS`, what is to stand in the log's line."""
    note = click.get_current_context().meta.setdefault(_NOTE, ActNote())
    note.edition = edition or note.edition
    note.subject = subject or note.subject
    note.details += [detail] if detail else []


def note_no_change() -> None:
    """Tell, from inside a command of :data:`LOGGED_COMMANDS`, that it found everything as it was to be."""
    click.get_current_context().meta.setdefault(_NOTE, ActNote()).is_void = True


def log_commands(root: click.Group) -> None:
    """Let each command of :data:`LOGGED_COMMANDS` write its line when it has ended."""
    for path, logged in LOGGED_COMMANDS.items():
        command: click.Command = root
        for name in path.split():
            assert isinstance(command, click.Group)  # noqa: S101 - a test walks the table
            command = command.commands[name]
        assert command.callback is not None  # noqa: S101 - only groups have none
        command.callback = _write_line_after(command.callback, logged)


def _write_line_after(run: Callable[..., Any], logged: LoggedCommand) -> Callable[..., Any]:
    @functools.wraps(run)
    def run_and_log(*args: Any, **options: Any) -> Any:
        ctx = click.get_current_context()
        # A command takes from its parameters what it wants; the line needs them as they were given.
        given = dict(ctx.params)
        if not logged.when(given):
            return run(*args, **options)
        try:
            result = run(*args, **options)
        except SystemExit:
            # It has printed its result, which is not all that was hoped for.
            _write_line(ctx, logged, given)
            raise
        except BaseException as error:
            if logged.even_if_stopped and not isinstance(error, click.UsageError):
                if not logged.if_noted:
                    note_act(detail="stopped before its end")
                _write_line(ctx, logged, given)
            raise
        _write_line(ctx, logged, given)
        return result

    return run_and_log


def _write_line(ctx: click.Context, logged: LoggedCommand, given: Parameters) -> None:
    note = ctx.meta.get(_NOTE, ActNote(is_void=logged.if_noted))
    if note.is_void:
        return
    context = ctx.find_object(CliContext) or CliContext(Path())
    log_act(
        context,
        logged.act,
        edition=note.edition or _name(given, logged.edition),
        subject=note.subject or _name(given, logged.subject),
        campaign_id=given[logged.campaign] if logged.campaign else None,
        detail="; ".join(part for part in (logged.detail(given), *note.details, _name_author(given)) if part),
    )


def log_act(
    context: CliContext,
    act: Act,
    *,
    edition: str = "",
    subject: str = "",
    campaign_id: int | None = None,
    detail: str = "",
) -> None:
    """Write down what the user of this machine has done. With ``campaign_id``, the campaign is the subject,
    and its edition the edition. A line that cannot be written is told on stderr, with what it would have
    said; the command's own result stands."""
    try:
        _write(context, act, edition, subject, campaign_id, detail)
    except Exception as error:
        lost = " ".join(part for part in (act.value, edition, subject or str(campaign_id or "")) if part)
        say(
            f"It is done, but the team's log could not be written ({error}). Keep this line for it: "
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {find_user()}, {lost}"
        )


def record_erasure(session: Session, *, now: datetime) -> None:
    """Write down that the user of this machine erases a person, without the address: it is to be nowhere.
    The caller commits, together with the erasure."""
    from mailer.activity.record import Actor, record_activity

    record_activity(session, Actor.from_command_line(find_user()), Act.erased_person, now=now)


def _write(
    context: CliContext, act: Act, edition: str, subject: str, campaign_id: int | None, detail: str
) -> None:
    from mailer.activity.record import Actor, record_activity
    from mailer.database.secure_delete import list_database_files
    from mailer.errors import StaleSchemaError

    engine = context.workspace.open_database()
    if engine.dialect.name == "sqlite" and not list_database_files(engine):
        # Opening it would make an empty file, in which the next command finds no tables.
        raise StaleSchemaError("there is no database yet: run `mailer db upgrade`")
    with context.write_session() as session:
        if campaign_id is not None:
            from mailer.database.models import Campaign

            campaign = session.get(Campaign, campaign_id)
            edition, subject = campaign.edition if campaign is not None else "", str(campaign_id)
        record_activity(
            session,
            Actor.from_command_line(find_user()),
            act,
            edition=edition,
            subject=subject,
            detail=detail,
            now=datetime.now(UTC),
        )


def _name(given: Parameters, parameter: str) -> str:
    value = given.get(parameter) if parameter else None
    if isinstance(value, Path):
        return value.name
    return "" if value is None else str(value)


def _name_author(given: Parameters) -> str:
    """Return whom a line is for, if the user says that it is somebody else."""
    author = given.get("by") or given.get("person")
    return f"for {author}" if author and author != find_user() else ""


def _is(option: str) -> Callable[[Parameters], bool]:
    return lambda given: bool(given[option])


def _is_not(option: str) -> Callable[[Parameters], bool]:
    return lambda given: not given[option]


def _list_given(*options: str) -> Callable[[Parameters], str]:
    """Return which of the options were given, without what they say of a person."""
    return lambda given: ", ".join(option for option in options if given[option] not in (None, (), False))


LOGGED_COMMANDS: Mapping[str, LoggedCommand] = MappingProxyType(
    {
        "new": LoggedCommand(act=Act.created_edition, edition="slug"),
        "import": LoggedCommand(act=Act.imported_edition, subject="source"),
        "campaigns approve": LoggedCommand(
            act=Act.approved_campaign,
            edition="edition",
            detail=lambda given: f"for {given['query']}, as {given['name']}",
        ),
        "campaigns pause": LoggedCommand(act=Act.paused_campaign, campaign="campaign_id"),
        "campaigns cancel": LoggedCommand(act=Act.cancelled_campaign, campaign="campaign_id"),
        "campaigns reschedule": LoggedCommand(
            act=Act.rescheduled_campaign, campaign="campaign_id", if_noted=True
        ),
        "campaigns archive": LoggedCommand(
            act=Act.archived_campaign,
            campaign="campaign_id",
            detail=lambda given: "out" if given["off"] else "in",
        ),
        "campaigns resolve": LoggedCommand(
            act=Act.resolved_doubts,
            campaign="campaign_id",
            detail=_list_given("everybody", "arrived", "send_again", "logs", "not_found_resend"),
            when=_is_not("dry_run"),
        ),
        "subscribers import": LoggedCommand(
            act=Act.imported_subscribers,
            subject="file",
            when=lambda given: not given["dry_run"] and given["written"] is None,
        ),
        "subscribers rollback": LoggedCommand(
            act=Act.rolled_back_import, subject="import_id", when=_is_not("dry_run")
        ),
        "subscribers export": LoggedCommand(
            act=Act.exported_subscribers, detail=lambda given: f"{given['query']}, as {given['form']}"
        ),
        "studio invite": LoggedCommand(
            act=Act.invited_member, subject="address", detail=lambda given: f"as {given['role']}"
        ),
        "subscribers add": LoggedCommand(act=Act.added_subscriber, subject="address"),
        "subscribers edit": LoggedCommand(
            act=Act.edited_subscriber, subject="address", detail=_list_given(*_DETAILS)
        ),
        "subscribers tag": LoggedCommand(
            act=Act.edited_subscriber,
            subject="address",
            detail=lambda given: " ".join(
                [*(f"+{tag}" for tag in given["added"]), *(f"-{tag}" for tag in given["removed"])]
            ),
        ),
        "subscribers pause": LoggedCommand(
            act=Act.paused_subscriber,
            subject="address",
            detail=lambda given: f"until {given['until']:%Y-%m-%d}" if given["until"] else "ended",
        ),
        "subscribers unsubscribe": LoggedCommand(act=Act.unsubscribed_subscriber, subject="address"),
        "subscribers admit": LoggedCommand(act=Act.admitted_sign_up, subject="address"),
        "subscribers decline": LoggedCommand(act=Act.declined_sign_up, subject="address"),
        "subscribers merge": LoggedCommand(
            act=Act.merged_subscribers,
            subject="keep",
            detail=lambda given: f"with {given['other']}",
            when=_is("confirm"),
        ),
        "subscribers suppress": LoggedCommand(act=Act.suppressed_address, subject="address"),
        "subscribers unsuppress": LoggedCommand(
            act=Act.unsuppressed_address, subject="address", when=_is("confirm")
        ),
        "subscribers data": LoggedCommand(act=Act.exported_person, subject="address"),
        "subscribers prune": LoggedCommand(
            act=Act.pruned_list,
            when=lambda given: given["confirm"] and not given["dry_run"],
            even_if_stopped=True,
        ),
        "segments save": LoggedCommand(
            act=Act.saved_segment, subject="name", detail=lambda given: str(given["query"])
        ),
        "segments rename": LoggedCommand(
            act=Act.renamed_segment, subject="name", detail=lambda given: str(given["new_name"])
        ),
        "segments delete": LoggedCommand(act=Act.deleted_segment, subject="name"),
        "feedback review": LoggedCommand(act=Act.judged_feedback, if_noted=True, even_if_stopped=True),
        "feedback successors accept": LoggedCommand(act=Act.accepted_successor, subject="number"),
        "feedback successors refuse": LoggedCommand(act=Act.refused_successor, subject="number"),
        "trial end": LoggedCommand(act=Act.ended_trial),
        "trial begin": LoggedCommand(act=Act.began_trial),
        "login": LoggedCommand(act=Act.signed_in_relay, subject="name"),
        "logout": LoggedCommand(act=Act.signed_out_relay, subject="name"),
        "keys rotate": LoggedCommand(act=Act.rotated_keys),
        "keys retire": LoggedCommand(act=Act.retired_key, subject="number", when=_is("confirm")),
        "db upgrade": LoggedCommand(act=Act.upgraded_database),
        "db backup": LoggedCommand(act=Act.backed_up_database, subject="file"),
    }
)
"""The commands that write one line at their end, by their words after ``mailer``."""
