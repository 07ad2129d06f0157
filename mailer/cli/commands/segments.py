"""The commands of ``mailer segments``: save and describe segments, and compare two audiences."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.commands.subscribers import read_segment
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row
    from sqlmodel import Session

    from mailer.campaigns.audience_comparison import AudienceChange, Difference
    from mailer.workspace import Workspace
    from subscribers.segments.segment import Segment

_WIDE_HYPHEN = "－"


class Query(click.ParamType[str]):
    """A segment given as an argument; see :class:`QueryCommand`."""

    name = "query"

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> str:
        text = str(value)
        return f"-{text[1:]}" if text.startswith(_WIDE_HYPHEN) else text


class QueryCommand(click.Command):
    """A command whose arguments are segments, which may start with a hyphen: ``-tag:press``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Click would read them as options, and "-tag:ethics" as --help. The full-width hyphen means the same
        # in a segment and nothing to Click.
        return super().parse_args(
            ctx, [_WIDE_HYPHEN + arg[1:] if re.match(r"-\s*[(（]|-\w+[:：]", arg) else arg for arg in args]
        )


@click.group()
def segments() -> None:
    """Save segments under a name, describe them in words, and compare audiences."""


@segments.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List the saved segments and how many subscribers each has now."""
    from subscribers.segments.saved_segments import list_saved_segments

    with context.read_session() as session:
        rows = [
            {
                "name": saved.name,
                "segment": saved.text,
                **_describe_saved(context.workspace, session, saved.text),
            }
            for saved in list_saved_segments(session.connection())
        ]
    if as_json:
        emit_json(rows)
    elif rows:
        cells = [
            (row["name"], shorten(row["segment"], 60), "–" if row["count"] is None else row["count"])
            for row in rows
        ]
        emit(columns(cells, head=("name", "segment", "subscribers"), right=(2,)))
        for row in rows:
            if row["fault"]:
                say(f"{row['name']}: {row['fault']}")
    else:
        say("There are no saved segments yet. Save one with `mailer segments save NAME QUERY`.")


@segments.command(cls=QueryCommand)
@click.argument("name")
@click.argument("query", type=Query())
@pass_context
def save(context: CliContext, name: str, query: str) -> None:
    """Save a segment under a name, to use as segment:NAME. Save it again to change it.

    Campaigns keep the meaning the name had when they were created.
    """
    from mailer.campaigns.uses import make_lookups
    from subscribers.segments.saved_segments import find_saved_segment, save_segment

    with context.write_session() as session:
        known = make_lookups(session.connection(), context.workspace.settings)
        before = save_segment(session.connection(), name, query, known, now=datetime.now(UTC))
        saved = find_saved_segment(session.connection(), name)
        if before is None or before.text != saved.text:
            was = "" if before is None else before.text
            record_deed(session, deeds.saved_segment(saved.name, saved.text, was))
        meaning = _describe_saved(context.workspace, session, saved.text)
    if before is not None and before.text != saved.text:
        say(f"Before, {saved.name} was: {before.text}")
    say(f"Saved segment:{saved.name}: {meaning['in_words']}. Subscribers now: {meaning['count']}.")


@segments.command()
@click.argument("name")
@json_option
@pass_context
def show(context: CliContext, name: str, as_json: bool) -> None:
    """Show a saved segment: as written, expanded, in words, and with its number of subscribers."""
    from mailer.campaigns.uses import find_segment_uses
    from subscribers.segments.saved_segments import find_saved_segment, list_saved_segments

    with context.read_session() as session:
        connection = session.connection()
        saved, among = find_saved_segment(connection, name), list_saved_segments(connection)
        meaning = _describe_saved(context.workspace, session, saved.text)
        uses = find_segment_uses(connection, context.workspace.settings, [saved], among)[saved.name]
    facts = {"name": saved.name, "segment": saved.text, **meaning}
    facts |= {
        "created_at": _format_instant(saved.created_at),
        "updated_at": _format_instant(saved.updated_at),
    }
    if as_json:
        campaigns = [
            {
                "id": use.campaign_id,
                "edition": use.edition,
                "state": use.state.value,
                "at": use.at and _format_instant(use.at),
            }
            for use in (*uses.drafts, *uses.campaigns)
        ]
        emit_json(facts | {"segments": list(uses.segments), "campaigns": campaigns})
        return
    facts |= {"used in": ", ".join(uses.segments), "prepared for": _name_campaigns(uses.drafts)}
    facts |= {"sent to": _name_campaigns(uses.campaigns)}
    if facts["fault"]:
        say(facts["fault"])
    emit(columns([(key.replace("_", " "), value) for key, value in facts.items() if value not in (None, "")]))


@segments.command()
@click.argument("name")
@click.argument("new_name")
@pass_context
def rename(context: CliContext, name: str, new_name: str) -> None:
    """Give a saved segment another name, also where other saved segments use it."""
    from mailer.campaigns.uses import rename_saved_segment
    from subscribers.segments.saved_segments import find_saved_segment

    settings, now = context.workspace.settings, datetime.now(UTC)
    with context.write_session() as session:
        before = find_saved_segment(session.connection(), name)
        renamed = rename_saved_segment(session.connection(), settings, before, new_name, now=now)
        if renamed.name != before.name:
            record_deed(session, deeds.renamed_segment(before.name, renamed.name))
    say(f"{before.name} is now called {renamed.name}: {renamed.text}")


@segments.command()
@click.argument("name")
@pass_context
def delete(context: CliContext, name: str) -> None:
    """Delete a saved segment. No subscriber is removed, and campaigns keep what it meant."""
    from mailer.campaigns.uses import delete_saved_segment
    from subscribers.segments.saved_segments import find_saved_segment

    with context.write_session() as session:
        saved = find_saved_segment(session.connection(), name)
        delete_saved_segment(session.connection(), context.workspace.settings, saved)
        record_deed(session, deeds.deleted_segment(saved.name, saved.text))
    say(f"Deleted {saved.name}. It was: {saved.text}")


@segments.command(cls=QueryCommand)
@click.argument("query", type=Query())
@json_option
@pass_context
def explain(context: CliContext, query: str, as_json: bool) -> None:
    """Describe in words who is in a segment, and count them.

    Example: mailer segments explain 'country:MN,CN sector:education -tag:press'
    """
    with context.read_session() as session:
        segment = read_segment(context.workspace.settings, query, session)
        meaning = _describe(context.workspace, session, segment)
    if as_json:
        emit_json({"segment": query, **meaning})
    else:
        emit(str(meaning["in_words"]))
        say(f"{meaning['count']} on the list; {meaning['get_mail']} of them would get mail today.")


@segments.command(cls=QueryCommand)
@click.argument("before", type=Query())
@click.argument("after", type=Query())
@click.option("--csv", "as_csv", is_flag=True, help="Print the people who are new or gone as CSV.")
@json_option
@pass_context
def compare(context: CliContext, before: str, after: str, as_csv: bool, as_json: bool) -> None:
    """Compare two audiences: who is new, who is gone, and why.

    Each audience is a segment as it is today, or the people who got campaign:ID or edition:SLUG.

    Example: mailer segments compare edition:2021-1 'country:MN,CN sector:education'
    """
    from mailer.campaigns.audience_comparison import compare_audiences

    if as_csv and as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    with context.read_session() as session:
        comparison = compare_audiences(
            session, context.workspace.settings, before, after, today=datetime.now(UTC).date()
        )
        if as_csv:
            _write_changes_csv(comparison.list_changes(session))
            return
        difference = comparison.count(session)
        if as_json:
            emit_json({**difference.as_dict(), "people": [*comparison.list_changes(session)]})
            return
    _print_difference(difference)


def _write_changes_csv(people: Iterator[AudienceChange]) -> None:
    """Write the people who are new or gone as CSV, with formulas disarmed for spreadsheets."""
    import csv
    import sys

    from subscribers.csv_format import escape_formula

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("change", "reason", "email", "name", "organisation", "country"))
    for moved in people:
        writer.writerow([escape_formula(str(cell or "")) for cell in vars(moved).values()])


def _print_difference(difference: Difference) -> None:
    rows: list[tuple[str, str]] = [
        (f"before: {difference.before.text}", f"{difference.before_count:,}"),
        (f"after:  {difference.after.text}", f"{difference.after_count:,}"),
        ("in both", f"{difference.both:,}"),
    ]
    for title, reasons in (("new", difference.new), ("gone", difference.gone)):
        rows.append((title, f"{sum(reasons.values()):,}"))
        rows += [(f"  {reason}", f"{number:,}") for reason, number in reasons.items()]
    emit(columns(rows, right=(1,)))
    say(f"Before: {difference.before.in_words}. After: {difference.after.in_words}.")
    if difference.new or difference.gone:
        say("Each person is counted once, under the first reason that applies. Add --csv to list them.")


def _describe(workspace: Workspace, session: Session, segment: Segment) -> dict[str, Any]:
    from mailer.campaigns.delivery_history import vocabulary_of
    from subscribers.queries import count_subscribers
    from subscribers.segments.description import describe_segment as explain_segment

    return {
        "written_out": segment.canonical,
        "in_words": explain_segment(segment, vocabulary_of(workspace.settings)),
        "count": count_subscribers(session, segment),
        "get_mail": count_subscribers(session, segment, today=datetime.now(UTC).date()),
    }


def _describe_saved(workspace: Workspace, session: Session, text: str) -> dict[str, Any]:
    """Return what a saved segment means now; if it can no longer be read, the reason in ``fault``."""
    from subscribers.errors import SegmentError

    try:
        return _describe(workspace, session, read_segment(workspace.settings, text, session)) | {"fault": ""}
    except SegmentError as error:
        nothing = dict.fromkeys(("written_out", "in_words", "count", "get_mail"))
        return nothing | {"fault": str(error)}


def _name_campaigns(uses: Sequence[Row[Any]]) -> str:
    return ", ".join(f"{use.edition} (campaign {use.campaign_id}, {use.state.value})" for use in uses)


def _format_instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
