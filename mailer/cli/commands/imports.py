"""The commands ``subscribers import``, ``imports`` and ``rollback``: the format found, a progress bar, the
result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import record_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from subscribers.imports.file_parts import ReadOptions
    from subscribers.imports.import_report import ImportReport, PartReport

_OUTCOMES = ("added", "updated", "unchanged", "suppressed", "refused")
_MAX_CELL_WIDTH = 28
_MAX_VALUES = 12


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing anything.")
@click.option("--encoding", metavar="NAME", help="The character encoding of the file, such as gb18030.")
@click.option("--delimiter", metavar="SIGN", help="The character between columns, such as ';' or 'tab'.")
@click.option(
    "--columns",
    "table",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file that says what each column holds, for files in an unknown format.",
)
@click.option(
    "--write-columns",
    "written",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what the columns are taken for to a new TOML file to edit, and import nothing.",
)
@click.option(
    "--sheet", metavar="NAME", help="The sheet of a workbook to read; by default the first with addresses."
)
@click.option(
    "--basis",
    metavar="TEXT",
    default="",
    help="Why you may write to these people. Recorded with the import.",
)
@json_option
@pass_context
def import_(
    context: CliContext,
    file: Path,
    dry_run: bool,
    encoding: str | None,
    delimiter: str | None,
    table: Path | None,
    written: Path | None,
    sheet: str | None,
    basis: str,
    as_json: bool,
) -> None:
    """Import subscribers from CSV, Excel (.xlsx), LibreOffice (.ods), vCard, or another program's export.

    Rows with errors are refused, with their number and the reason; all other rows are imported. People who
    unsubscribed here stay unsubscribed, and people marked as unsubscribed in the file get no mail. If it is
    not clear what a column holds or who left, nothing is imported and you are asked. Start with --dry-run.
    See docs/import.md.
    """
    from subscribers.imports.columns.columns_file import read_columns_file
    from subscribers.imports.file_parts import ReadOptions
    from subscribers.imports.importer import import_file

    options = ReadOptions(
        encoding=encoding,
        delimiter=_read_delimiter(delimiter),
        columns=None if table is None else read_columns_file(table),
        sheet=sheet,
        # A guess about the file counts only where a person sees it before anything changes.
        accepts_likely_encoding=dry_run,
    )
    workspace = context.workspace
    if written is not None:
        write_columns(
            file, written, replace(options, accepts_likely_encoding=True), workspace.settings.sectors
        )
        return
    open_list = context.read_session if dry_run else context.write_session
    with open_list() as session, show_row_progress(file) as on_progress:
        report = import_file(
            session,
            file,
            sectors=workspace.settings.sectors,
            key=workspace.keys.suppression,
            now=datetime.now(UTC),
            dry_run=dry_run,
            basis=basis,
            options=options,
            on_progress=on_progress,
        )
        if not dry_run:
            record_deed(session, deeds.imported_subscribers(file.name, report))
    if as_json:
        emit_json(report)
    else:
        print_parts(report.parts, shows_columns_file=dry_run)
        print_report(report, file, context.command_line("subscribers", "rollback"), dry_run=dry_run)


def _read_delimiter(text: str | None) -> str | None:
    sign = {"tab": "\t", "\\t": "\t"}.get(text or "", text)
    if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in '"\r\n'):
        raise click.BadParameter("give a single character, such as ';', or 'tab'.", param_hint="--delimiter")
    return sign


@click.command()
@json_option
@pass_context
def imports(context: CliContext, as_json: bool) -> None:
    """List past imports and their results, newest first."""
    from subscribers.imports.importer import list_imports

    with context.read_session() as session:
        known = [batch.model_dump() for batch in list_imports(session)]
    if as_json:
        emit_json([{**batch, "at": str(batch["at"])} for batch in known])
        return
    rows = [
        (
            batch["id"],
            f"{batch['at']:%Y-%m-%d %H:%M}",
            shorten(batch["source"], 32),
            *(batch[name] for name in _OUTCOMES),
            "rolled back" if batch["rolled_back_at"] else "",
        )
        for batch in known
    ]
    emit(columns(rows, head=("id", "when (UTC)", "file", *_OUTCOMES, ""), right=(0, 3, 4, 5, 6, 7)))


@click.command()
@click.argument("import_id", metavar="ID", type=int)
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing anything.")
@json_option
@pass_context
def rollback(context: CliContext, import_id: int, dry_run: bool, as_json: bool) -> None:
    """Undo an import: remove the people it added and restore what it overwrote.

    Only possible while none of the people it added has been sent mail. People who have since unsubscribed,
    changed their choices or been edited are kept as they are, and so are suppressed addresses.
    """
    from mailer.campaigns.subscriber_history import roll_back_import

    with context.open_database() as engine:
        report = roll_back_import(
            engine,
            import_id,
            now=datetime.now(UTC),
            dry_run=dry_run,
            record=lambda session, done: record_deed(session, deeds.rolled_back_import(done)),
        )
    if as_json:
        emit_json(report)
        return
    verb = "Would be" if dry_run else "Done:"
    say(f"{verb} {report.removed} removed, {report.restored} restored, {report.kept} kept as they are.")


def write_columns(file: Path, written: Path, options: ReadOptions, sectors: Collection[str]) -> None:
    """Write what the columns of ``file`` are taken for to ``written``, which must not exist yet."""
    from subscribers.imports.file_parts import propose_columns

    if written.exists():
        raise click.BadParameter(
            f"{written} exists already. Choose another name.", param_hint="--write-columns"
        )
    written.write_text(propose_columns(file, options, sectors=sectors), encoding="utf-8")
    say(f"Wrote {written}. Check it, then import with --columns {written}.")


def print_parts(parts: Sequence[PartReport], *, shows_columns_file: bool) -> None:
    """Print the format found in each part of the file, what its values were taken for, and the first rows as
    they were read.
    """
    from subscribers.imports.columns.column_mapping import GUESS

    for part in parts:
        say(f"{part.file + ': ' if part.file else ''}{part.form}. Column layout: {part.maker}.")
        meaning = ", ".join(f"{ours} from {' + '.join(theirs)}" for ours, theirs in part.meaning.items())
        say(f"  Columns: {meaning}." + (f" Not used: {', '.join(part.unused)}." if part.unused else ""))
        print_statuses(part)
        if not part.certain:
            say(
                "  The encoding is a guess. If the names below look wrong, give the right one with "
                "--encoding."
            )
        if part.samples:
            head = list(dict.fromkeys(column for sample in part.samples for column in sample))
            rows = [
                [shorten(sample.get(column, ""), _MAX_CELL_WIDTH) for column in head]
                for sample in part.samples
            ]
            say("\n".join(f"  {line}" for line in columns(rows, head=head).splitlines()))
        if shows_columns_file and part.maker == GUESS:
            say(
                "  If a column was taken for something else, save this, correct it, and import with "
                "--columns:"
            )
            say("\n".join(f"    {line}".rstrip() for line in part.columns_file.splitlines()))


def print_statuses(part: PartReport) -> None:
    """Print what each value about leaving was taken for, which values were left out, and the notes."""
    for status in part.statuses:
        values = status.values
        shown = [
            f"{quote_value(value.value)} ×{value.rows:,} {value.meaning}" for value in values[:_MAX_VALUES]
        ]
        more = f" and {len(values) - _MAX_VALUES:,} other values" if len(values) > _MAX_VALUES else ""
        say(f"  {status.column}: {', '.join(shown)}{more}.")
    for column in dict.fromkeys(unused["column"] for unused in part.unused_values):
        left_out = [unused for unused in part.unused_values if unused["column"] == column]
        shown = [f"{quote_value(unused['value'])} ×{unused['rows']:,}" for unused in left_out[:_MAX_VALUES]]
        more = f" and {len(left_out) - _MAX_VALUES:,} others" if len(left_out) > _MAX_VALUES else ""
        say(f"  Values not used from {column}: {', '.join(shown)}{more}.")
    for note in part.notes:
        say(f"  {note}")


def quote_value(value: str) -> str:
    """``value`` in quotation marks, unless it is our own word for many cells."""
    from subscribers.errors import quote_for_message
    from subscribers.imports.columns.status_columns import DESCRIPTIONS

    return value if value in DESCRIPTIONS else quote_for_message(value, _MAX_CELL_WIDTH)


def print_report(report: ImportReport, file: Path, again: str, *, dry_run: bool) -> None:
    """Print every note and every refused row, then the totals."""
    for note in report.notes:
        place = f"{file}/{note.file}" if note.file else str(file)
        emit(f"{place}:{'' if note.row is None else f'{note.row}:'} note: {note.text}")
    for refusal in report.refused:
        place = f"{file}/{refusal.file}" if refusal.file else str(file)
        emit(f"{place}:{refusal.row}: refused: {refusal.reason}")
    verb = "Would be" if dry_run else "Done:"
    say(
        f"{verb} {report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.suppressed} suppressed, {len(report.refused)} refused."
    )
    if not dry_run:
        say(f"This is import {report.import_id}. To undo it: {again} {report.import_id}")


@contextmanager
def show_row_progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A callback that shows the number of rows read: a progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        redirect_stdout=False,
        transient=True,
    ) as progress:
        task = progress.add_task(file.name, total=_count_lines(file))
        yield lambda rows: progress.update(task, completed=rows)


def _count_lines(file: Path) -> int | None:
    """Return the approximate number of rows of a text file; None for a ZIP file, which cannot be counted."""
    with file.open("rb") as stream:
        if stream.read(2) == b"PK":
            return None
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
