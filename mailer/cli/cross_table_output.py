"""Print an audience by country and sector, as a table on the terminal or as JSON."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from locales.countries import country_name
from subscribers.cross_table import CrossTable, CrossTableRow
from subscribers.segments.description import Vocabulary

# Output that does not go to a terminal is never wrapped.
_UNLIMITED_WIDTH = 1000


def print_table(table: CrossTable, vocabulary: Vocabulary) -> None:
    """Print the table to stdout: one line for each country, with the number of people in the last column."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED_WIDTH
    console.print(_build_table(table, vocabulary))


def as_dict(table: CrossTable, vocabulary: Vocabulary) -> dict[str, Any]:
    """The table in the form of the JSON output."""
    return {
        "countries": [
            {"country": code, "name": _name(code, vocabulary), **_numbers(table, counts)}
            for code, counts in table.countries.items()
        ],
        "total": _numbers(table, table.total),
    }


def _build_table(table: CrossTable, vocabulary: Vocabulary) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = table.total
    drawn.add_column("country", footer="all")
    for slug, number in zip(table.sectors, total.by_sector, strict=True):
        drawn.add_column(vocabulary.sector(slug), footer=f"{number:,}", justify="right", overflow="fold")
    if total.other:
        drawn.add_column("other sectors", footer=f"{total.other:,}", justify="right")
    drawn.add_column("no sector", footer=f"{total.none:,}", justify="right")
    drawn.add_column("people", footer=f"{total.people:,}", justify="right", style="bold", no_wrap=True)
    for code, counts in table.countries.items():
        numbers = [*counts.by_sector, *([counts.other] if total.other else []), counts.none, counts.people]
        drawn.add_row(_name(code, vocabulary), *(f"{number:,}" if number else "·" for number in numbers))
    return drawn


def _numbers(table: CrossTable, counts: CrossTableRow) -> dict[str, Any]:
    return {
        "sectors": dict(zip(table.sectors, counts.by_sector, strict=True)),
        "other": counts.other,
        "none": counts.none,
        "people": counts.people,
    }


def _name(code: str | None, vocabulary: Vocabulary) -> str:
    return "unknown" if code is None else country_name(code, "en", vocabulary.countries)
