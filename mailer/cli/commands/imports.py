"""The commands ``subscribers import``, ``imports`` and ``rollback``: the format found, a progress bar, the
result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from subscribers.imports.import_report import ImportReport, PartReport

_OUTCOMES = ("added", "updated", "unchanged", "suppressed", "refused")
_MAX_CELL_WIDTH = 28


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
    "--sheet", metavar="NAME", help="The sheet of a workbook to read; by default the first with rows."
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
    sheet: str | None,
    basis: str,
    as_json: bool,
) -> None:
    """Import subscribers from CSV, Excel (.xlsx), LibreOffice (.ods), vCard, or from Mailchimp or listmonk.

    Rows with errors are refused, with their number and the reason; all other rows are imported. People who
    unsubscribed here stay unsubscribed, and people marked as unsubscribed in the file get no mail. Start with
    --dry-run. See docs/import.md.
    """
    from subscribers.imports.files.format_detection import ReadOptions
    from subscribers.imports.files.mapping_file import read_columns_file
    from subscribers.imports.importer import import_file

    options = ReadOptions(
        encoding=encoding,
        delimiter=_read_delimiter(delimiter),
        columns=None if table is None else read_columns_file(table),
        sheet=sheet,
        # A guess about the file counts only where a person sees it before anything changes.
        accepts_likely_encoding=dry_run,
    )
    workspace = context.open_workspace()
    with context.write_session(workspace) as session, show_row_progress(file) as on_progress:
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
    if as_json:
        emit_json(report.as_dict())
    else:
        print_parts(report.parts)
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

    workspace = context.open_workspace()
    with context.read_session(workspace) as session:
        known = [batch.model_dump() for batch in list_imports(session)]
    if as_json:
        emit_json(known)
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
    from mailer.campaigns.import_rollback import roll_back_import

    workspace = context.open_workspace()
    with context.open_database(workspace) as engine:
        report = roll_back_import(engine, import_id, now=datetime.now(UTC), dry_run=dry_run)
    if as_json:
        emit_json(report.as_dict())
        return
    verb = "Would be" if dry_run else "Done:"
    say(f"{verb} {report.removed} removed, {report.restored} restored, {report.kept} kept as they are.")


def print_parts(parts: Sequence[PartReport]) -> None:
    """Print the format found in each part of the file, and the first rows as they were read."""
    for part in parts:
        say(f"{part.file + ': ' if part.file else ''}{part.form}. Column layout: {part.maker}.")
        meaning = ", ".join(f"{ours} from {' + '.join(theirs)}" for ours, theirs in part.meaning.items())
        say(f"  Columns: {meaning}." + (f" Not used: {', '.join(part.unused)}." if part.unused else ""))
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
    """The approximate number of rows of a text file; None for a ZIP file, whose rows cannot be counted."""
    with file.open("rb") as stream:
        if stream.read(2) == b"PK":
            return None
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
