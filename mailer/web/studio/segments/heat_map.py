"""The country × sector table of a segment as a heat map: numbers on grounds that are the darker the more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.counts.counters import CountedNumber, read_cross_table
from mailer.i18n import gettext_noop
from mailer.web.form_options import list_sectors, own_country_names
from mailer.web.studio.page import StudioPage
from mailer.web.studio.segment_query import SegmentQuery
from subscribers.cross_table import CrossTable, CrossTableRow

STEPS = 5
"""How many grounds there are, besides none at all."""

_UNKNOWN_COUNTRY = gettext_noop("Unknown")
_MAILABLE = "status:active"


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """A number, the ``step`` of its ground, and where its partners are listed, "" if they cannot be."""

    number: int
    step: int
    path: str = ""

    @property
    def text(self) -> str:
        return f"{self.number:,}"


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """A country, or all: its cells in the order of the columns, and its people."""

    name: str
    code: str
    cells: Sequence[HeatCell]
    people: HeatCell


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A table of countries and sectors. ``columns`` are pairs of a sector's slug and its name. If some follow
    other sectors, or none, there is a column for each."""

    columns: Sequence[tuple[str, str]]
    has_others: bool
    has_none: bool
    rows: Sequence[HeatRow]
    total: HeatRow
    mailable_only: bool


def make_heat_map(page: StudioPage, query: SegmentQuery, table: CountedNumber) -> HeatMap | None:
    """Make the map of a table that was counted; None if it was not yet, or there is nobody in it."""
    if table.value is None:
        return None
    counted, mailable_only = read_cross_table(table.value), bool(table.value["mailable_only"])
    if not counted.total.people:
        return None
    writer = _HeatMapWriter(page=page, query=query, table=counted, mailable_only=mailable_only)
    return writer.write()


@dataclass(frozen=True, kw_only=True)
class _HeatMapWriter:
    page: StudioPage
    query: SegmentQuery
    table: CrossTable
    mailable_only: bool

    def write(self) -> HeatMap:
        names = dict(list_sectors(self.page.translator, self.page.settings))
        return HeatMap(
            columns=[(slug, names.get(slug, slug)) for slug in self.table.sectors],
            has_others=self._has_others,
            has_none=self._has_none,
            rows=[self._write_row(code, row) for code, row in self.table.countries.items()],
            total=self._write_row("", self.table.total, is_total=True),
            mailable_only=self.mailable_only,
        )

    @property
    def _has_others(self) -> bool:
        return self.table.total.other > 0

    @property
    def _has_none(self) -> bool:
        return self.table.total.none > 0

    def _write_row(self, code: str | None, row: CrossTableRow, *, is_total: bool = False) -> HeatRow:
        place = "" if is_total else f"country:{code}" if code else None
        cells = [
            self._write_cell(number, place, f"sector:{slug}", is_total=is_total)
            for slug, number in zip(self.table.sectors, row.by_sector, strict=True)
        ]
        # No query asks for those who follow nothing, or something that is no sector of ours any more.
        cells += [self._write_cell(row.other, None, is_total=is_total)] if self._has_others else []
        cells += [self._write_cell(row.none, None, is_total=is_total)] if self._has_none else []
        return HeatRow(
            name=self._name_country(code),
            code=code or "none",
            cells=cells,
            people=HeatCell(number=row.people, step=0, path=self._make_path(row.people, place)),
        )

    def _name_country(self, code: str | None) -> str:
        if not code:
            return self.page.translator.translate(_UNKNOWN_COUNTRY)
        return self.page.translator.name_country(code, own_country_names(self.page.settings))

    def _write_cell(self, number: int, place: str | None, sector: str = "", *, is_total: bool) -> HeatCell:
        largest = 0 if is_total else self._largest
        return HeatCell(
            number=number, step=choose_step(number, largest), path=self._make_path(number, place, sector)
        )

    @property
    def _largest(self) -> int:
        return max(max((*row.by_sector, row.other, row.none)) for row in self.table.countries.values())

    def _make_path(self, number: int, place: str | None, sector: str = "") -> str:
        if not number or place is None or not self.page.leads_to("/partners"):
            return ""
        conditions = [place, sector, _MAILABLE if self.mailable_only else ""]
        narrowed = self.query.narrow(" ".join(condition for condition in conditions if condition))
        return self.page.make_path("/partners", None, query=narrowed.strip())


def choose_step(number: int, largest: int) -> int:
    """The ground of a number: 0 for none, and up to :data:`STEPS` for the largest.

    By the square root, so that one large country does not make all others look empty.
    """
    if number <= 0 or largest <= 0:
        return 0
    return max(1, min(STEPS, math.ceil(STEPS * math.sqrt(number / largest))))
