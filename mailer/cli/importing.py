"""How an import is shown: what the file was found to be, a bar while it is read, and what it came to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli.output import columns, emit, say, shorten

if TYPE_CHECKING:
    from subscribers.importing import ImportReport, PartAccount

_WIDEST = 28


def tell_parts(parts: Sequence[PartAccount]) -> None:
    """Say what was found, and show the first rows as they were understood."""
    for part in parts:
        say(f"{part.file + ': ' if part.file else ''}{part.form}; made by {part.maker}.")
        meaning = ", ".join(f"{ours} from {' + '.join(theirs)}" for ours, theirs in part.meaning.items())
        say(f"  Columns: {meaning}." + (f" Not used: {', '.join(part.unused)}." if part.unused else ""))
        if not part.certain:
            say("  The encoding is only likely. If the names below are wrong, name another with --encoding.")
        if part.samples:
            head = list(dict.fromkeys(column for sample in part.samples for column in sample))
            rows = [[shorten(sample.get(column, ""), _WIDEST) for column in head] for sample in part.samples]
            say("\n".join(f"  {line}" for line in columns(rows, head=head).splitlines()))


def tell_report(report: ImportReport, file: Path, again: str, *, dry_run: bool) -> None:
    """Print every refused row, and say what it came to."""
    for refusal in report.refused:
        place = f"{file}/{refusal.file}" if refusal.file else str(file)
        emit(f"{place}:{refusal.row}: refused: {refusal.reason}")
    verb = "Would be" if dry_run else "Done:"
    say(
        f"{verb} {report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.suppressed} suppressed, {len(report.refused)} refused."
    )
    if not dry_run:
        say(f"This is import {report.import_id}. To take it back: {again} {report.import_id}")


@contextmanager
def show_rows(file: Path) -> Iterator[Callable[[int], None]]:
    """Show the number of rows it is called with, as a bar on a terminal and not at all elsewhere."""
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
    """About how many rows a text has; None for what is packed, and shows no lines before it is read."""
    with file.open("rb") as stream:
        if stream.read(2) == b"PK":
            return None
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
