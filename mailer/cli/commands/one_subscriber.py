"""The commands about one subscriber, and two who are one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import find_user, record_deed
from mailer.cli.context import CliContext, add_parameters, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.campaigns.subscriber_history import SubscriberMerge
    from subscribers.consent.merge import MergeSide
    from subscribers.consent.status_changes import ConsentContext
    from subscribers.consent.team_changes import DetailChanges


by_option = click.option(
    "--by",
    metavar="NAME",
    default=find_user,
    show_default="the user running the command",
    help="Who makes the change. Recorded.",
)
reason_option = click.option("--reason", metavar="TEXT", default="", help="Why. Recorded.")
detail_options = add_parameters(
    click.option("--name", metavar="TEXT", help="Their name."),
    click.option("--organisation", metavar="TEXT", help="Their organisation."),
    click.option("--country", metavar="COUNTRY", help="Their country, by code or name, such as MN."),
    click.option("--language", metavar="TAG", help="The language of their mails, such as zh-Hans."),
    click.option("--sectors", metavar="LIST", help="The sectors they follow, such as 'education, culture'."),
    click.option("--tags", metavar="LIST", help="Their tags, such as 'press, board'."),
)


@click.command()
@click.argument("address")
@detail_options
@click.option("--basis", metavar="TEXT", default="", help="Why you may write to this person. Recorded.")
@by_option
@json_option
@pass_context
def add(
    context: CliContext, /, address: str, basis: str, by: str, as_json: bool, **details: str | None
) -> None:
    """Add one person to the list.

    An address that must not get mail, or is on the list already, is refused. Example: mailer subscribers add
    mei@example.org --name 'Mei Lin' --country CN --basis 'asked at the forum'
    """
    from subscribers.consent.team_changes import add_subscriber

    with context.write_session() as session:
        added = add_subscriber(
            session,
            address,
            read_changes(details),
            sectors=context.workspace.settings.sectors,
            key=context.workspace.keys.suppression,
            **make_record(by, basis=basis),
        )
        email = added.email
        record_deed(session, deeds.added_subscriber(email), by=by)
        _print_person(session, email, as_json=as_json)
    say(f"Added {email}." + ("" if basis else " No basis is recorded; some countries require one (--basis)."))


@click.command()
@click.argument("address")
@detail_options
@reason_option
@by_option
@json_option
@pass_context
def edit(
    context: CliContext, /, address: str, reason: str, by: str, as_json: bool, **details: str | None
) -> None:
    """Change details of one person. An empty text removes a detail; --sectors and --tags replace them all.

    Example: mailer subscribers edit mei@example.org --country JP --organisation ''
    """
    if all(value is None for value in details.values()):
        raise click.UsageError("Give at least one detail to change, such as --name 'Mei Lin'.")
    _edit(context, address, read_changes(details), reason=reason, by=by, as_json=as_json)


class _TagCommand(click.Command):
    """Read ``+press -old`` as ``--add press --remove old``: a word with one hyphen is not an option here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_read_sign(word) for word in args])


def _read_sign(word: str) -> str:
    if word.startswith("+") and len(word) > 1:
        return f"--add={word[1:]}"
    if word.startswith("-") and not word.startswith("--") and word not in {"-", "-h"}:
        return f"--remove={word[1:]}"
    return word


@click.command(cls=_TagCommand, options_metavar="[+TAG] [-TAG] [OPTIONS]")
@click.argument("address")
@click.option("--add", "added", multiple=True, metavar="TAG", help="Add this tag; the same as +TAG.")
@click.option("--remove", "removed", multiple=True, metavar="TAG", help="Remove this tag; the same as -TAG.")
@reason_option
@by_option
@json_option
@pass_context
def tag(
    context: CliContext,
    address: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Add tags to one person, and remove others.

    Example: mailer subscribers tag mei@example.org +press -old
    """
    from subscribers.consent.team_changes import DetailChanges

    if not (added or removed):
        raise click.UsageError("Give tags to add or remove, such as +press or -old.")
    changes = DetailChanges(add_tags=added, remove_tags=removed)
    _edit(context, address, changes, reason=reason, by=by, as_json=as_json)


@click.command()
@click.argument("address")
@click.option(
    "--until",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day on which mail resumes, such as 2026-12-01.",
)
@click.option("--end", is_flag=True, help="End the pause now.")
@reason_option
@by_option
@json_option
@pass_context
def pause(
    context: CliContext, address: str, until: datetime | None, end: bool, reason: str, by: str, as_json: bool
) -> None:
    """Pause mail to one person until a day, or end the pause.

    Example: mailer subscribers pause mei@example.org --until 2026-12-01
    """
    from subscribers.consent.team_changes import pause_subscriber

    if (until is None) is not end:
        raise click.UsageError("Give the day on which mail resumes with --until, or --end to end the pause.")
    day = None if until is None else until.date()
    with context.write_session() as session:
        changed = pause_subscriber(session, address, day, **make_record(by, reason=reason))
        if changed:
            record_deed(session, deeds.paused_subscriber(address, day), by=by)
        _print_person(session, address, as_json=as_json)
    now = "gets mail" if day is None else f"gets no mail until {day}"
    say(f"{address} {now}." if changed else f"{address} {now} already. Nothing has changed.")


@click.command()
@click.argument("address")
@reason_option
@by_option
@json_option
@pass_context
def unsubscribe(context: CliContext, address: str, reason: str, by: str, as_json: bool) -> None:
    """Unsubscribe one person who asked you for it. No import brings them back; they can come back themselves.

    Example: mailer subscribers unsubscribe mei@example.org --reason 'by telephone'
    """
    from subscribers.consent.team_changes import unsubscribe_address
    from subscribers.queries import find_kept_subscriber, find_subscriber

    with context.write_session() as session:
        changed = unsubscribe_address(session, address, **make_record(by, reason=reason))
        if changed:
            record_deed(session, deeds.unsubscribed_subscriber(address), by=by)
        status = find_kept_subscriber(session, find_subscriber(session, address)).status
        _print_person(session, address, as_json=as_json)
    if changed:
        say(f"{address} is unsubscribed and gets no more mail, not even of a campaign that is being sent.")
    else:
        say(f"{address} is {status} already. Nothing has changed.")


def _edit(
    context: CliContext, address: str, changes: DetailChanges, *, reason: str, by: str, as_json: bool
) -> None:
    from subscribers.consent.team_changes import edit_subscriber

    sectors, record = context.workspace.settings.sectors, make_record(by, reason=reason)
    with context.write_session() as session:
        changed = edit_subscriber(session, address, changes, sectors=sectors, **record)
        if changed:
            tags = {"added": changes.add_tags, "removed": changes.remove_tags}
            record_deed(session, deeds.edited_subscriber(address, changed, **tags), by=by)
        _print_person(session, address, as_json=as_json)
    say(f"Changed: {', '.join(sorted(changed))}." if changed else "Nothing has changed.")


def read_changes(details: dict[str, str | None]) -> DetailChanges:
    """Return the changes that the options of :func:`detail_options` ask for."""
    from subscribers.consent.team_changes import DetailChanges

    return DetailChanges(
        name=details["name"],
        organisation=details["organisation"],
        country=details["country"],
        language=details["language"],
        sectors=_split_list(details["sectors"]),
        tags=_split_list(details["tags"]),
    )


def _split_list(text: str | None) -> list[str] | None:
    return None if text is None else text.replace(";", ",").split(",")


def make_record(by: str, *, reason: str = "", basis: str = "") -> ConsentContext:
    """Return how the change happened, for the consent record; who makes it must have a name."""
    from subscribers.errors import DetailError
    from subscribers.validation import clean_line

    name = clean_line(by, "by")
    if not name:
        raise DetailError("by", "give the name of whoever makes the change; it is kept on record.")
    why = clean_line(reason, "reason")
    return {
        "method": "command line",
        "now": datetime.now(UTC),
        "source": f"by {name}",
        "evidence": why,
        "basis": clean_line(basis, "basis"),
    }


def _print_person(session: Session, address: str, *, as_json: bool) -> None:
    """With ``--json``, print everything stored about the person, before the session commits."""
    from subscribers.queries import read_subscriber_details

    if as_json:
        emit_json(read_subscriber_details(session, address))


@click.command()
@click.argument("keep")
@click.argument("other")
@click.option(
    "--take",
    metavar="LIST",
    help="What to take from OTHER: name, organisation, country, language, choices. Default: what KEEP lacks.",
)
@reason_option
@by_option
@click.option("--apply", "confirm", is_flag=True, help="Merge them. Without it, the command only shows how.")
@json_option
@pass_context
def merge(
    context: CliContext,
    keep: str,
    other: str,
    take: str | None,
    reason: str,
    by: str,
    confirm: bool,
    as_json: bool,
) -> None:
    """Merge OTHER into KEEP: two addresses of one person, who gets mail at KEEP from then on.

    Records and deliveries of both stay. Whoever unsubscribed, complained or was suppressed with either
    address gets no more mail. Links in mail to either address work for the one who is kept.
    Example: mailer subscribers merge mei@example.org m.lin@example.com --apply
    """
    from mailer.campaigns.subscriber_history import apply_merge, preview_merge
    from subscribers.consent.merge import read_merge_details

    key, details = context.workspace.keys.suppression, None if take is None else read_merge_details(take)
    if confirm:
        record = make_record(by, reason=reason)
        with context.write_session() as session:
            merged = apply_merge(session, keep, other, key=key, take=details, **record)
            people = merged.people
            record_deed(session, deeds.merged_subscribers(people.kept.email, people.other.email), by=by)
    else:
        with context.read_session() as session:
            merged = preview_merge(session, keep, other, key=key, take=details)
    if as_json:
        emit_json({"done": confirm, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **merged.as_dict()})
        return
    _print_merge(merged)
    kept, gone = merged.people.kept.email, merged.people.other.email
    if confirm:
        say(f"Merged {gone} into {kept}. An import of either address changes nothing about this.")
    else:
        say(f"Would merge {gone} into {kept}. This cannot be undone. Add --apply to do it.")


def _print_merge(merged: SubscriberMerge) -> None:
    sides = (merged.people.kept, merged.people.other, merged.people.result)
    rows = zip(*map(_describe_side, sides), strict=True)
    names = ("email", "name", "organisation", "country", "language", "sectors", "countries", "tags", "status")
    table = [(name, *row) for name, row in zip(names, rows, strict=True)]
    emit(columns(table, head=("", "keep", "other", "result")))
    for numbers, words in (
        (merged.moved, "go to the one who is kept"),
        (merged.dropped, "are not sent, because the person has the edition or gets it by the other address"),
    ):
        if numbers:
            say(f"{len(numbers)} of the deliveries that wait {words}.")


def _describe_side(side: MergeSide) -> tuple[str, ...]:
    until = f" until {side.paused_until}" if side.paused_until else ""
    suppressed = f", suppressed ({side.suppressed_for})" if side.suppressed_for else ""
    return (
        *(side.email, side.name or "–", side.organisation or "–", side.country or "–", side.language or "–"),
        *(", ".join(sorted(some)) or "–" for some in (side.sectors, side.countries, side.tags)),
        f"{side.status}{until}{suppressed}",
    )
