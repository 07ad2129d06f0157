"""Commands about the list: bringing people in, looking at them, keeping addresses out, forgetting people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from mailer.feedback.erasing import Erasure
    from mailer.settings import Settings
    from mailer.workspace import Workspace
    from subscribers.lifting import Suppressed
    from subscribers.segment import Segment


_OUTCOMES = ("added", "updated", "unchanged", "suppressed", "refused")


def segment_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--segment``: who is meant."""
    return click.option(
        "--segment",
        "query",
        metavar="QUERY",
        default="",
        help="Such as 'country:MN,CN sector:education -tag:press'.",
    )(command)


def read_segment(settings: Settings, query: str, opened: Session | None = None) -> Segment:
    """The query as a segment, its sectors those of the workspace.

    ``opened`` answers what is asked about campaigns and saved segments.

    Raises:
        SegmentError: the query is wrong; the message shows the place.
    """
    if opened is None:
        from subscribers.segment import parse_segment

        return parse_segment(query, sectors=settings.sectors)
    from mailer.campaigns.answering import read_segment as read

    return read(query, settings, opened)


@click.group()
def subscribers() -> None:
    """Import, find, export and remove the people and desks who get the newsletter."""


@subscribers.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--encoding", metavar="NAME", help="What it was saved in, such as gb18030.")
@click.option("--delimiter", metavar="SIGN", help="What stands between cells, such as ';' or tab.")
@click.option(
    "--columns",
    "table",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A table (TOML) of which column is which of ours, for files that nobody knows.",
)
@click.option(
    "--basis", metavar="TEXT", default="", help="Why these people may be written to; kept with the import."
)
@json_option
@pass_home
def import_(
    home: Home,
    file: Path,
    dry_run: bool,
    encoding: str | None,
    delimiter: str | None,
    table: Path | None,
    basis: str,
    as_json: bool,
) -> None:
    """Bring in a list: CSV, Excel (.xlsx), vCard, or an export of Mailchimp or listmonk.

    Bad rows are refused by number and reason, the good ones go in. Nobody who left comes back this way, and
    people who left there will get no mail from here. Begin with --dry-run. docs/import.md explains it all.
    """
    from mailer.cli.importing import show_rows, tell_parts, tell_report
    from subscribers.files.columns import read_columns
    from subscribers.files.opening import Reading
    from subscribers.importing import import_file

    reading = Reading(
        encoding=encoding,
        delimiter=_read_delimiter(delimiter),
        columns=None if table is None else read_columns(table),
        # What a person has not seen is not believed.
        believes=dry_run,
    )
    workspace = home.open()
    with home.writing(workspace) as opened, show_rows(file) as on_progress:
        report = import_file(
            opened,
            file,
            sectors=workspace.settings.sectors,
            key=workspace.keys.suppression,
            now=datetime.now(UTC),
            dry_run=dry_run,
            basis=basis,
            reading=reading,
            on_progress=on_progress,
        )
    if as_json:
        emit_json(report.as_dict())
    else:
        tell_parts(report.parts)
        tell_report(report, file, home.again("subscribers", "rollback"), dry_run=dry_run)


def _read_delimiter(text: str | None) -> str | None:
    sign = {"tab": "\t", "\\t": "\t"}.get(text or "", text)
    if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in '"\r\n'):
        raise click.BadParameter("write one sign, such as ';', or 'tab'.", param_hint="--delimiter")
    return sign


@subscribers.command()
@json_option
@pass_home
def imports(home: Home, as_json: bool) -> None:
    """List the imports, the newest first, with what each came to."""
    from subscribers.importing import list_imports

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = [batch.model_dump() for batch in list_imports(opened)]
    if as_json:
        emit_json(known)
        return
    rows = [
        (
            batch["id"],
            f"{batch['at']:%Y-%m-%d %H:%M}",
            shorten(batch["source"], 32),
            *(batch[name] for name in _OUTCOMES),
            "taken back" if batch["rolled_back_at"] else "",
        )
        for batch in known
    ]
    emit(columns(rows, head=("id", "when (UTC)", "file", *_OUTCOMES, ""), right=(0, 3, 4, 5, 6, 7)))


@subscribers.command()
@click.argument("import_id", metavar="ID", type=int)
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@json_option
@pass_home
def rollback(home: Home, import_id: int, dry_run: bool, as_json: bool) -> None:
    """Take an import back: who came with it goes, what it overwrote is put back.

    As long as nobody it added was written to. Whoever has left, chosen or been changed since is kept as they
    are, and so are suppressions.
    """
    from mailer.feedback.rolling_back import roll_back_import

    workspace = home.open()
    with home.database(workspace) as engine:
        report = roll_back_import(engine, import_id, now=datetime.now(UTC), dry_run=dry_run)
    if as_json:
        emit_json(report.as_dict())
        return
    verb = "Would be" if dry_run else "Done:"
    say(f"{verb} {report.removed} removed, {report.restored} restored, {report.kept} kept as they are.")


@subscribers.command(name="list")
@segment_option
@json_option
@pass_home
def list_(home: Home, query: str, as_json: bool) -> None:
    """List subscribers, those of a segment or all."""
    from subscribers.listing import list_facts

    workspace = home.open()
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
        people = list(list_facts(opened, segment))
    if as_json:
        emit_json(people)
        return
    rows = [
        (
            person["email"],
            shorten(person["name"], 32),
            person["country"] or "",
            shorten(", ".join(person["sectors"]), 40),
            person["status"],
        )
        for person in people
    ]
    emit(columns(rows, head=("email", "name", "country", "sectors", "status")))
    say(f"{len(people)} subscriber{'' if len(people) == 1 else 's'}{_explained(workspace, segment)}.")


@subscribers.command()
@segment_option
@json_option
@pass_home
def count(home: Home, query: str, as_json: bool) -> None:
    """Count subscribers, those of a segment or all."""
    from subscribers.listing import count as count_subscribers

    workspace = home.open()
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
        number = count_subscribers(opened, segment)
    if as_json:
        emit_json({"segment": query, "count": number})
        return
    emit(str(number))
    if segment.terms:
        say(f"subscriber{'' if number == 1 else 's'}{_explained(workspace, segment)}.")


def _explained(workspace: Workspace, segment: Segment) -> str:
    """Who they are, in words, after a colon; empty for everybody."""
    from mailer.campaigns.answering import vocabulary_of
    from subscribers.explaining import explain

    return f": {explain(segment, vocabulary_of(workspace.settings))}" if segment.terms else ""


@subscribers.command()
@segment_option
@json_option
@pass_home
def audience(home: Home, query: str, as_json: bool) -> None:
    """Count those who get mail by country and sector, of a segment or all.

    Whoever would get mail today is counted; a segment that asks about status decides that itself.
    """
    from mailer.campaigns.answering import vocabulary_of
    from mailer.cli.crosstable import as_dict, print_table
    from subscribers.crosstable import count_table
    from subscribers.terms import Key

    workspace = home.open()
    settings, vocabulary = workspace.settings, vocabulary_of(workspace.settings)
    with home.reading(workspace) as opened:
        segment = read_segment(settings, query, opened)
        today = None if segment.asks_about(Key.status) else datetime.now(UTC).date()
        table = count_table(opened, segment, tuple(settings.sectors), today=today)
    if as_json:
        emit_json({"segment": segment.text, **as_dict(table, vocabulary)})
        return
    print_table(table, vocabulary)
    who = "Counted" if today is None else "Those who get mail today"
    say(f"{who}{_explained(workspace, segment)}. Whoever follows several sectors counts in each of them.")


@subscribers.command()
@segment_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "xlsx", "mailchimp", "listmonk"]),
    default="csv",
    show_default=True,
    help="Whose format to write.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_home
def export(home: Home, query: str, form: str, output: Path | None) -> None:
    """Write subscribers as a file that can be imported again."""
    import codecs
    import sys

    from mailer.cli.output import writing_file
    from subscribers.exporting import Format, export_people

    wanted = Format(form)
    if output is None and wanted is Format.xlsx:
        raise click.UsageError("A workbook is no text. Name a file: -o partners.xlsx")
    workspace = home.open()
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
        if output is None:
            export_people(opened, segment, wanted, sys.stdout.buffer)
            return
        with writing_file(output) as file:
            if wanted is Format.csv:
                # Without this mark Excel takes UTF-8 for the system's own encoding.
                file.write(codecs.BOM_UTF8)
            number = export_people(opened, segment, wanted, file)
    say(f"Wrote {output}: {number} subscriber{'' if number == 1 else 's'}.")


@subscribers.command()
@click.argument("address")
@json_option
@pass_home
def show(home: Home, address: str, as_json: bool) -> None:
    """Show everything known about one subscriber."""
    from subscribers.listing import facts

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = facts(opened, address)
    if as_json:
        emit_json(known)
        return
    records = known.pop("consent")
    emit(
        columns(
            [
                (name, ", ".join(value) if isinstance(value, list) else value or "–")
                for name, value in known.items()
            ]
        )
    )
    for record in records:
        emit(f"{record['at']}  {record['event']}  {record['method']}  {record['source']}".rstrip())


@subscribers.command()
@click.argument("address")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_home
def data(home: Home, address: str, output: Path | None) -> None:
    """Write everything known about one subscriber as JSON, for them to have."""
    import json

    from mailer.cli.output import write_file
    from mailer.feedback.knowing import know

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = know(opened, address, key=workspace.keys.suppression, now=datetime.now(UTC))
    if output is None:
        emit_json(known)
        return
    write_file(output, json.dumps(known, ensure_ascii=False, indent=2).encode(), private=True)
    say(f"Wrote {output}. It belongs to nobody else; erasing them deletes it where it is in the workspace.")


@subscribers.command()
@click.argument("address")
@pass_home
def suppress(home: Home, address: str) -> None:
    """Make sure an address never gets mail again, whether it is on the list or not."""
    from subscribers.consent import suppress as suppress_address

    workspace = home.open()
    with home.writing(workspace) as opened:
        suppress_address(
            opened, address, key=workspace.keys.suppression, method="command line", now=datetime.now(UTC)
        )
    say(f"{address} is suppressed. No import brings it back.")


@subscribers.command()
@click.argument("address")
@click.option("--reason", "why", metavar="TEXT", required=True, help="Why it may get mail again; kept.")
@click.option(
    "--by",
    metavar="NAME",
    envvar=["LOGNAME", "USER"],
    required=True,
    help="Who decided it; whoever gives the command, unless said. Kept too.",
)
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@pass_home
def unsuppress(home: Home, address: str, why: str, by: str, confirm: bool) -> None:
    """Take an address off the list of those that must never get mail.

    Whom the team put there, whose mail came back, and who was erased. Whoever left or reported a mail as spam
    stays on it until they come back by their own hand. Nobody is made active by it.
    """
    from subscribers.lifting import look_at_suppression
    from subscribers.lifting import unsuppress as unsuppress_address

    workspace, now = home.open(), datetime.now(UTC)
    key = workspace.keys.suppression
    if not confirm:
        with home.reading(workspace) as opened:
            _tell_suppressed(look_at_suppression(opened, address, key=key))
        say(f"Would take {address} off the list. Add --confirm to do it.")
        return
    with home.writing(workspace) as opened:
        found = unsuppress_address(opened, address, key=key, by=by, why=why, method="command line", now=now)
    _tell_suppressed(found)
    say(f"{address} is off the list of suppressed addresses; kept with it: {by}, {why}")


@subscribers.command()
@click.argument("address")
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@pass_home
def erase(home: Home, address: str, confirm: bool) -> None:
    """Forget a person: their data goes, a keyed hash stays so that no import brings them back.

    In the database, its log and freed pages, and in what the workspace wrote: previews, rehearsals, lists,
    the log. If it is cut off, the same command finishes it. What it cannot reach is named.
    """
    from mailer.feedback.erasing import erase_person, plan_erasure

    workspace = home.open()
    with home.database(workspace) as engine:
        if not confirm:
            planned = plan_erasure(workspace, engine, address)
            _tell_traces(planned, done=False)
            known = (
                "was erased before; what is left would be finished" if planned.resumed else "is on the list"
            )
            say(f"Would erase {address}, who {known}. This cannot be undone. Add --confirm to do it.")
            return
        erasure = erase_person(workspace, engine, address, method="command line", now=datetime.now(UTC))
    _tell_traces(erasure, done=True)
    say(f"{address} is erased. Out of this program's reach are: {'; '.join(erasure.out_of_reach)}.")
    if erasure.left:
        say("These files still name them: " + ", ".join(str(trace.path) for trace in erasure.left))
        sys.exit(1)


@subscribers.command()
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen and change nothing, as without --confirm."
)
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@json_option
@pass_home
def prune(home: Home, dry_run: bool, confirm: bool, as_json: bool) -> None:
    """Let go what [retention] keeps no longer: unconfirmed sign-ups, people long gone, old words."""
    from dataclasses import asdict

    from mailer.feedback.pruning import plan_pruning
    from mailer.feedback.pruning import prune as prune_list

    workspace, now = home.open(), datetime.now(UTC)
    really = confirm and not dry_run
    with home.database(workspace) as engine:
        if really:
            found = prune_list(workspace, engine, now=now)
        else:
            found = plan_pruning(engine, workspace.settings.retention, now=now)
    if as_json:
        emit_json({"done": really, "rules": [asdict(rule) for rule in found]})
        return
    for rule in found:
        emit(str(rule))
    say("Done." if really else "Nothing was changed. Add --confirm to do it.")


def _tell_suppressed(found: Suppressed) -> None:
    """What it is, and what comes of taking it off the list."""
    from subscribers.models import Event

    stories = {
        Event.suppressed: "put on the list by the team",
        Event.bounced: "mail to it came back",
        Event.erased: "its owner was erased",
    }
    emit(f"{found.email}: suppressed since {found.since:%Y-%m-%d}, {stories[found.reason]}")
    if found.status is None:
        say("It is nobody's on the list: from then on an import or a sign-up can bring it in.")
        return
    say(f"Its subscriber stays {found.status}, and comes back by their own hand: by their link or a sign-up.")


def _tell_traces(erasure: Erasure, *, done: bool) -> None:
    from mailer.feedback.traces import Treatment

    verbs = {
        Treatment.delete: ("would delete", "deleted"),
        Treatment.shorten: ("would take their rows out of", "took their rows out of"),
        Treatment.mask: ("would mask them in", "masked them in"),
        Treatment.leave: ("cannot clean", "could not clean"),
    }
    for trace in erasure.traces:
        emit(f"{verbs[trace.treatment][done]} {trace.path}: {trace.reason}")
