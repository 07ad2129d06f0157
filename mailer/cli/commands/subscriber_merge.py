"""The command ``subscribers merge``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.commands.one_subscriber import by_option, make_record, reason_option
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.campaigns.subscriber_history import SubscriberMerge
    from subscribers.consent.merge import MergeSide


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

    workspace = context.open_workspace()
    key, details = workspace.keys.suppression, None if take is None else read_merge_details(take)
    if confirm:
        record = make_record(by, reason=reason)
        with context.write_session(workspace) as session:
            merged = apply_merge(session, keep, other, key=key, take=details, **record)
    else:
        with context.read_session(workspace) as session:
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
    waiting = merged.deliveries
    for numbers, words in (
        (waiting.moved, "go to the one who is kept"),
        (waiting.dropped, "are not sent, because the person has the edition or gets it by the other address"),
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
