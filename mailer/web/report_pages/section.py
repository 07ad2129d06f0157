"""What a page of reports is made of: sections, each with its sentence, its charts and its tables."""

from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

from mailer.i18n import gettext_noop

COUNTED_LATE = gettext_noop(
    "Not counted yet: with so many partners this takes a while, so `mailer work` counts it beside its other "
    "work. Open this page again in some minutes."
)
"""What a section says in place of its figures."""

_NO_SAMPLE = Markup("")


class CellKind(StrEnum):
    """How a cell of a table is set."""

    words = "words"
    """A word, a name or a sentence."""

    number = "number"
    """A number, to the right, so that numbers below each other can be compared."""

    server = "server"
    """Words of a server or a program, letter for letter."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table and its heading."""

    title: str
    kind: CellKind = CellKind.words


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: its text, the ``sample`` of a chart that stands before it, and where its ``link`` leads."""

    text: str
    sample: Markup = _NO_SAMPLE
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table. The first cell of a row names it; ``total`` is the last row, if the rows add up to one.

    ``caption`` is read out and not shown where the heading above says the same. A ``broad`` table has more
    columns than a phone has room for, where it puts the name of a row above its figures.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    broad: bool = False


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a shape or a line in a chart stands for."""

    sample: Markup
    words: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart, and the key to it where the table beside it is none."""

    chart: Markup
    key: tuple[Key, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page: a heading, and below it what there is to say.

    ``name`` is its anchor. ``lead`` is a sentence that says the most important of it. ``counted`` says when
    its figures were counted, if they are not of this moment. ``tables`` stand beside the charts, ``below``
    are those that need the whole width, and ``folded`` those that can be opened: they repeat a chart or are
    long. ``notes`` are sentences at the end. The charts of a ``wide`` section are as wide as the page.
    """

    name: str
    title: str
    lead: str = ""
    counted: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    below: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    wide: bool = False


def make_cells(*texts: str) -> tuple[Cell, ...]:
    """Make a row of plain cells."""
    return tuple(Cell(text=text) for text in texts)


def name_columns(*titles: str, numbers_from: int = 1) -> tuple[Column, ...]:
    """Make columns of numbers, with the first ``numbers_from`` for words."""
    return tuple(
        Column(title=title, kind=CellKind.number if index >= numbers_from else CellKind.words)
        for index, title in enumerate(titles)
    )
