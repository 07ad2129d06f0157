"""What a page of reports is made of: sections, each with its sentence, its charts and its tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from babel.dates import format_skeleton
from markupsafe import Markup

from mailer.campaigns.report import acceptance_times
from mailer.campaigns.report.disclosure import HIDDEN, is_small
from mailer.i18n import SOURCE_LANGUAGE, Translator, gettext_noop, load_translator
from subscribers.segments.description import Vocabulary

COUNTED_LATE = gettext_noop(
    "Not counted yet: with so many partners this takes a while, so `mailer work` counts it beside its other "
    "work. Open this page again in some minutes."
)
"""What a section says in place of its figures."""

_NO_SAMPLE = Markup("")
_SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, which belong on one line."""
_NOT_COUNTED: Final = gettext_noop("not counted")
_HIDDEN_NOTE: Final = gettext_noop(
    "%(mark)s stands for fewer than five people, or for a figure that would reveal fewer than five."
)


class CellKind(StrEnum):
    """How a cell of a table is set."""

    words = "words"
    """A word, a name or a sentence."""

    number = "number"
    """A number, to the right, so that numbers below each other can be compared."""

    server = "server"
    """Words of a server or a program, letter for letter."""


class Column(NamedTuple):
    title: str
    kind: CellKind = CellKind.words


class Cell(NamedTuple):
    """A cell: its text, the ``sample`` of a chart that stands before it, and where its ``link`` leads."""

    text: str
    sample: Markup = _NO_SAMPLE
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table. The first cell of a row names it; ``total`` is the last row, if the rows add up to one. A
    ``broad`` one has more columns than a phone has room for, where the name of a row is above its figures."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    broad: bool = False


class Figure(NamedTuple):
    """A chart, and the key to it where the table beside it is none: what each sample stands for."""

    chart: Markup
    key: Sequence[tuple[Markup, str]] = ()


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """A section of the page. ``name`` is its anchor, ``lead`` a sentence that says the most important of it,
    and ``counted`` says when its figures were counted, if not at this moment. ``tables`` stand beside the
    charts, ``below`` are those that need the whole width, and ``folded`` can be opened: they repeat a chart
    or are long. The charts of a ``wide`` section are as wide as the page."""

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


def make_table(
    caption: str,
    columns: Iterable[str | Column],
    rows: Iterable[Iterable[str | Cell]],
    *,
    total: Iterable[str | Cell] = (),
    broad: bool = False,
) -> Table:
    """Make a table of cells, or of their texts. Columns of which only the title is given are of numbers, but
    for the first, which is of words."""

    def make_row(cells: Iterable[str | Cell]) -> tuple[Cell, ...]:
        return tuple(Cell(cell) if isinstance(cell, str) else cell for cell in cells)

    def make_column(index: int, column: str | Column) -> Column:
        kind = CellKind.number if index else CellKind.words
        return Column(column, kind) if isinstance(column, str) else column

    return Table(
        caption=caption,
        columns=tuple(make_column(index, column) for index, column in enumerate(columns)),
        rows=tuple(map(make_row, rows)),
        total=make_row(total),
        broad=broad,
    )


def format_number(number: int) -> str:
    """``1,204``"""
    return f"{number:,}"


def format_share(number: int, whole: int) -> str:
    """``number`` as a share of ``whole``: ``97.3 %``. Only nobody is ``0 %``, and only all are ``100 %``."""
    if whole <= 0:
        return ""
    percent = 100 * number / whole
    if number == 0 or number == whole:
        return f"{percent:.0f}{_SPACE}%"
    return f"{min(max(percent, 0.1), 99.9):.1f}{_SPACE}%"


def format_duration(seconds: float) -> str:
    """Return a duration, at least 0, as the report of the command line has it, on one line."""
    return acceptance_times.format_duration(max(seconds, 0)).replace(" ", _SPACE)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks at a report, with the names of countries and sectors in their language.

    ``campaign_path`` is the path of a campaign's report, with ``{number}`` for its number. Who does not see
    people gets no names, and why so few of them did not get the mail that one could tell them is hidden. Who
    has no terminal is told of the files that the page offers, in place of commands.
    """

    translator: Translator = field(default_factory=lambda: load_translator("en"))
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    campaign_path: str = "/campaigns/{number}"
    sees_people: bool = True
    has_terminal: bool = True

    def make_path(self, campaign_id: int) -> str:
        return self.campaign_path.format(number=campaign_id)

    @property
    def hidden_note(self) -> str:
        """The sentence below a table that hides figures."""
        return self.gettext(_HIDDEN_NOTE, mark=HIDDEN)

    def gettext(self, message: str, **values: object) -> str:
        return self.translator.translate(message, **values)

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """Return one of two English messages, by ``number``, which is ``%(num)s`` in them."""
        said = self.translator.translations.ngettext(one, many, number)
        return said % {"num": format_number(number), **values}

    def count_readers(self, number: int) -> str:
        """Return the number with its noun: "1 reader", "1,200 readers"."""
        return self.ngettext("%(num)s partner", "%(num)s partners", number)

    def hides(self, number: int) -> bool:
        """Return whether a figure is of too few people for somebody who sees none of them."""
        return not self.sees_people and is_small(number)

    def format_people(self, number: int) -> str:
        """Return a number of people, or the mark of a hidden one."""
        return HIDDEN if self.hides(number) else format_number(number)

    def format_day(self, moment: datetime) -> str:
        """``1 March 2026`` in UTC."""
        return self.translator.format_day(moment.astimezone(UTC).date())

    def format_moment(self, moment: datetime) -> str:
        """``1 March 2026, 09:00 UTC``"""
        return self.translator.format_moment(moment)

    def format_month(self, moment: datetime) -> str:
        """``March 2026`` in UTC."""
        return self._format_date(moment, "%B %Y", "yMMMM")

    def shorten_month(self, moment: datetime) -> str:
        """``Mar 2026`` in UTC."""
        return self._format_date(moment, "%b %Y", "yMMM")

    def shorten_day(self, moment: datetime) -> str:
        """``1 Mar`` in UTC."""
        return self._format_date(moment, "%-d %b", "MMMd")

    def _format_date(self, moment: datetime, english: str, skeleton: str) -> str:
        """Return a moment in a form of the viewer's language: ``english`` as strftime has it, all others as
        CLDR has the ``skeleton``."""
        moment = moment.astimezone(UTC)
        if self.translator.tag == SOURCE_LANGUAGE:
            return moment.strftime(english)
        return format_skeleton(skeleton, moment, locale=self.translator.tag.replace("-", "_"))

    def format_counted(self, moment: datetime | None, now: datetime) -> str:
        """Return when figures were counted, without the day if that is today; empty if that is now."""
        if moment is None:
            return ""
        if moment.astimezone(UTC).date() == now.astimezone(UTC).date():
            return self.gettext("Counted at %(time)s", time=f"{moment.astimezone(UTC):%H:%M} UTC")
        return self.gettext("Counted on %(time)s", time=self.format_moment(moment))

    def format_known(self, number: int | None) -> str:
        """Return a number, or that nobody has counted it yet."""
        return self.gettext(_NOT_COUNTED) if number is None else format_number(number)

    def format_known_share(self, number: int | None, whole: int) -> str:
        """``number`` as a share of ``whole``, or that nobody has counted it yet; a dash without a whole."""
        return self.gettext(_NOT_COUNTED) if number is None else format_share(number, whole) or "–"


ON_OWN_MACHINE: Final = Viewer()
"""Whoever started the report on their own machine."""
