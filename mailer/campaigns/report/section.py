"""A section of a report in words and tables, for the terminal, for CSV and for the mail to the team."""

from dataclasses import dataclass
from datetime import datetime

from editions.unsafe_characters import remove_unsafe_characters
from mailer.campaigns.report.disclosure import HIDDEN
from mailer.utc import format_utc

Cell = str | int | None
"""A cell of a table. None is a figure that is hidden or not known."""


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of a report; ``name`` chooses it on the command line. ``note`` belongs below it. Cells in the
    columns ``right`` are numbers. One that ``is_wide`` does not fit a phone: there, each row is a paragraph
    that begins with its first cell. Cells in the columns ``titled`` say nothing without their title."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()
    titled: frozenset[int] = frozenset()
    note: str = ""
    is_wide: bool = False

    @property
    def hides(self) -> bool:
        """Whether a figure is hidden or not known."""
        return any(cell is None for row in self.rows for cell in row)


@dataclass(frozen=True, kw_only=True)
class ReportSection:
    """A section of a report: its ``title``, sentences and tables. ``counted_at`` is the moment of its figures
    if they are not of this one."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    counted_at: datetime | None = None


def format_cell(cell: Cell) -> str:
    """A cell as shown to people."""
    return HIDDEN if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def tidy_words(words: str) -> str:
    """Words of others on one line, without control characters."""
    return " ".join(remove_unsafe_characters(words.replace("\n", " ").replace("\t", " ")).split())


def format_share(number: int | None, of: int) -> str:
    """``number`` in per cent: ``98.3 %``; a dash if it is not known."""
    return HIDDEN if number is None or not of else f"{100 * number / of:.1f} %"


def describe_moment(section: ReportSection) -> str:
    """When the figures of a section were counted, "" if they are of this moment."""
    return "" if section.counted_at is None else f"Counted at {format_utc(section.counted_at)}."
