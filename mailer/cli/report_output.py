"""Print a report: its sections with their tables, calm and within the width of the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailer.campaigns.report.sections import ReportSection, ReportTable, describe_moment, format_cell

# Output that does not go to a terminal is never wrapped.
_UNLIMITED_WIDTH = 1000
_MAX_WIDTH = 100
_MAX_ROWS = 20


def print_sections(sections: Sequence[ReportSection], *, all_rows: str) -> None:
    """Print sections to stdout. Of a long table the first rows; ``all_rows`` with the table's name is the
    command for all of them."""
    # Words of others must not be taken for markup ("[red]") or for names of emoji (":x:").
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, _MAX_WIDTH) if console.is_terminal else _UNLIMITED_WIDTH
    for section in sections:
        console.print()
        console.print(Text(section.title, style="bold"))
        for sentence in section.sentences:
            console.print(Text(sentence))
        for table in section.tables:
            _print_table(console, table, all_rows)
        if moment := describe_moment(section):
            console.print(Text(moment, style="dim"))


def _print_table(console: Console, table: ReportTable, all_rows: str) -> None:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(table.head):
        drawn.add_column(
            Text(title),
            justify="right" if place in table.right else "left",
            overflow="fold",
            no_wrap=place in table.right and len(title) < 12,
        )
    for row in table.rows[:_MAX_ROWS]:
        drawn.add_row(*(Text(format_cell(cell)) for cell in row))
    console.print(drawn)
    if (more := len(table.rows) - _MAX_ROWS) > 0:
        console.print(Text(f"… and {more:,} more rows. For all of them: {all_rows} {table.name}"))
    if table.note:
        console.print(Text(table.note))
