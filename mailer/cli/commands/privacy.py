"""The commands about a person's rights, and about sign-ups that wait."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_deed, record_deed
from mailer.cli.commands.one_subscriber import by_option
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, user_option

if TYPE_CHECKING:
    from mailer.privacy.erasure import ErasureReport
    from subscribers.models import Subscriber, Suppression

_MOST = 10_000


@click.command()
@click.argument("address")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_context
def data(context: CliContext, address: str, output: Path | None) -> None:
    """Export everything stored about one subscriber as JSON, to give to them."""
    import json

    from mailer.atomic_write import write_atomically
    from mailer.privacy.data_export import export_personal_data

    with context.read_session() as session:
        known = export_personal_data(
            session, address, key=context.workspace.keys.suppression, now=datetime.now(UTC)
        )
    if output is None:
        emit_json(known)
        log_deed(context, deeds.exported_person(address))
        return
    write_atomically(output, json.dumps(known, ensure_ascii=False, indent=2).encode())
    log_deed(context, deeds.exported_person(address))
    say(
        f"Wrote {output}. It is for this person only. If it is inside the workspace, erasing them also "
        "deletes this file."
    )


@click.command()
@click.argument("address")
@pass_context
def suppress(context: CliContext, address: str) -> None:
    """Block an address from ever getting mail, whether or not it is on the list."""
    from subscribers.consent.status_changes import suppress as suppress_address

    with context.write_session() as session:
        suppress_address(
            session,
            address,
            key=context.workspace.keys.suppression,
            method="command line",
            now=datetime.now(UTC),
        )
        record_deed(session, deeds.suppressed_address(address))
    say(f"{address} is suppressed and will get no mail. Imports cannot bring it back.")


@click.command()
@click.argument("address")
@click.option("--reason", "why", metavar="TEXT", required=True, help="Why it may get mail again. Recorded.")
@user_option("Who decided this. Recorded. Default: the user running the command.", required=True)
@click.option("--confirm", is_flag=True, help="Make the change. Without it, the command only shows it.")
@pass_context
def unsuppress(context: CliContext, address: str, why: str, by: str, confirm: bool) -> None:
    """Remove an address from the suppression list.

    Works for addresses that the team suppressed, that bounced, or whose owner was erased. People who
    unsubscribed or reported spam stay suppressed until they subscribe again themselves. It does not subscribe
    anybody again.
    """
    from subscribers.consent.team_changes import preview_unsuppress
    from subscribers.consent.team_changes import unsuppress as unsuppress_address

    now = datetime.now(UTC)
    key = context.workspace.keys.suppression
    if not confirm:
        with context.read_session() as session:
            _print_suppressed(address, *preview_unsuppress(session, address, key=key))
        say(f"Would remove {address} from the suppression list. Add --confirm to do it.")
        return
    with context.write_session() as session:
        lifted = unsuppress_address(session, address, key=key, by=by, why=why, method="command line", now=now)
        record_deed(session, deeds.unsuppressed_address(address), by=by)
        _print_suppressed(address, *lifted)
    say(f"Removed {address} from the suppression list. Recorded: {by}, {why}")


@click.command()
@click.argument("address")
@click.option(
    "--confirm", is_flag=True, help="Erase them. Without it, the command only shows what it would do."
)
@pass_context
def erase(context: CliContext, address: str, confirm: bool) -> None:
    """Erase a person's data. Only a keyed hash stays, so that no import brings them back.

    Cleans the database with its log and freed pages, and the files the workspace wrote: previews, test
    deliveries, lists and the log. If it is interrupted, run it again to finish. It names what it cannot
    reach.
    """
    from mailer.privacy.erasure import erase_person, plan_erasure

    with context.open_database() as engine:
        if not confirm:
            planned = plan_erasure(context.workspace, engine, address)
            _print_files(planned, done=False)
            if planned.resumed:
                say(f"{address} was erased before, but not completely. Add --confirm to finish it.")
            else:
                say(f"Would erase {address}. This cannot be undone. Add --confirm to do it.")
            return
        now = datetime.now(UTC)
        erasure = erase_person(
            context.workspace,
            engine,
            address,
            method="command line",
            now=now,
            on_erased=lambda session: record_deed(session, deeds.erased_person()),
        )
    _print_files(erasure, done=True)
    say(f"{address} is erased. This program cannot reach: {'; '.join(erasure.out_of_reach)}.")
    if erasure.remaining_files:
        say(
            "These files still contain the address: "
            + ", ".join(str(trace.path) for trace in erasure.remaining_files)
        )
        sys.exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, without deleting it. The default.")
@click.option(
    "--confirm", is_flag=True, help="Delete it. Without it, the command only shows what it would do."
)
@json_option
@pass_context
def prune(context: CliContext, dry_run: bool, confirm: bool, as_json: bool) -> None:
    """Delete data past its retention period: unconfirmed sign-ups, people who left long ago, old replies.

    The periods are set in [retention].
    """
    from mailer.privacy.retention import plan_pruning
    from mailer.privacy.retention import prune as prune_list

    now = datetime.now(UTC)
    really = confirm and not dry_run
    with context.open_database() as engine:
        if really:
            try:
                found = prune_list(context.workspace, engine, now=now)
            except BaseException:
                # It is done in parts.
                log_deed(context, deeds.pruned_list(is_complete=False))
                raise
            log_deed(context, deeds.pruned_list())
        else:
            found = plan_pruning(engine, context.workspace.settings.retention, now=now)
    if as_json:
        emit_json({"done": really, "rules": found})
        return
    for rule in found:
        emit(str(rule))
    say("Done." if really else "Nothing has changed. Add --confirm to do it.")


def _print_suppressed(address: str, suppression: Suppression, subscriber: Subscriber | None) -> None:
    from subscribers.address import normalise_address
    from subscribers.models import ConsentEvent

    stories = {
        ConsentEvent.suppressed: "by the team",
        ConsentEvent.bounced: "because mail to it bounced",
        ConsentEvent.erased: "because its owner was erased",
    }
    email = normalise_address(address).email
    emit(f"{email}: suppressed since {suppression.at:%Y-%m-%d}, {stories[suppression.reason]}")
    if subscriber is None:
        say("No subscriber has this address. Once removed, it can be imported or signed up again.")
        return
    say(f"The subscriber stays {subscriber.status} until they use the link in their mail or sign up again.")


def _print_files(erasure: ErasureReport, *, done: bool) -> None:
    from mailer.privacy.address_search import FileAction

    verbs = {
        FileAction.delete: ("would delete", "deleted"),
        FileAction.shorten: ("would remove their rows from", "removed their rows from"),
        FileAction.mask: ("would mask their address in", "masked their address in"),
        FileAction.leave: ("cannot clean", "could not clean"),
    }
    for trace in erasure.files:
        emit(f"{verbs[trace.action][done]} {trace.path}: {trace.reason}")


@click.command(name="sign-ups")
@json_option
@pass_context
def sign_ups(context: CliContext, as_json: bool) -> None:
    """List the people who signed up, confirmed it, and wait to be admitted (`[web] sign_up = "reviewed"`)."""
    from subscribers.consent.sign_ups import list_waiting_sign_ups

    with context.read_session() as session:
        waiting = list_waiting_sign_ups(session, limit=_MOST)
    if as_json:
        emit_json(
            [
                {
                    "email": sign_up.email,
                    "name": sign_up.name,
                    "language": sign_up.language or "",
                    "status": sign_up.status.value,
                    "confirmed_at": sign_up.confirmed_at.astimezone(UTC).isoformat(),
                }
                for sign_up in waiting
            ]
        )
        return
    rows = [
        (sign_up.email, f"{sign_up.confirmed_at:%Y-%m-%d %H:%M}", sign_up.language or "", sign_up.status)
        for sign_up in waiting
    ]
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

    with context.write_session() as session:
        person = find_subscriber(session, address)
        admitted = admit_sign_up(
            session,
            person.id or 0,
            key=context.workspace.keys.suppression,
            by=by,
            method="command line",
            now=datetime.now(UTC),
        )
        email = person.email
        if admitted:
            record_deed(session, deeds.admitted_sign_up(email), by=by)
    already = "" if admitted else " already. Nothing has changed"
    say(f"{email} is on the list{already}.")


@click.command()
@click.argument("address")
@by_option
@pass_context
def decline(context: CliContext, address: str, by: str) -> None:
    """Decline a person who signed up. They get no mail, and can sign up again."""
    from subscribers.consent.sign_ups import decline_sign_up
    from subscribers.queries import find_subscriber

    with context.write_session() as session:
        person = find_subscriber(session, address)
        declined, email = decline_sign_up(session, person.id or 0, now=datetime.now(UTC)), person.email
        if declined:
            record_deed(session, deeds.declined_sign_up(email), by=by)
    say(f"{email} is declined." if declined else f"No sign-up of {email} waits. Nothing has changed.")
