"""Parse rows of our own columns by the column: one call for hundreds of cells.

Most rows of most lists need nothing. One regular expression over five hundred addresses, or one question
whether five hundred names are printable, takes a third of the time of five hundred. In a column with an odd
cell, cells are parsed one by one. A row that is refused, or takes more than this, is named and left alone.
"""

import re
from collections.abc import Sequence
from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES

from subscribers.csv_format import unescape_formula
from subscribers.errors import DetailError, SubscriberError
from subscribers.imports.columns.layouts import OwnColumns, fit_width
from subscribers.imports.row_parser import ORDINARY_LOCAL, CellCache, RowParser
from subscribers.validation import are_clean_lines, clean_line

# Of each line, the last label of an address whose only change is small letters in its local part, or "". The
# domain has no capitals, no double hyphen, which may indicate Punycode, and no room for too long a label.
_LAST_LABELS = re.compile(
    rf"^(?:(?=[^@\n]{{1,64}}@){ORDINARY_LOCAL}@(?=.{{1,63}}$)"
    r"(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)+([a-z]{2,63})$|.*)",
    re.ASCII | re.MULTILINE,
)
_OTHER_LABELS = frozenset(["", *SPECIAL_USE_DOMAIN_NAMES])


class OrdinaryRowParser:
    """Parses rows of our own columns exactly as ``parser`` would."""

    def __init__(self, parser: RowParser) -> None:
        self._parser = parser
        # These are by cells as written, so that nobody needs to look for those that are escaped.
        self._organisation = _unescape_first(parser.organisation)
        self._others = [
            _unescape_first(cache) for cache in (parser.country, parser.sectors, parser.language, parser.tags)
        ]

    def parse(self, columns: OwnColumns, rows: Sequence[Sequence[str]]) -> tuple[list[list[Any]], list[int]]:
        """Return the details of all rows, by column in the order of
        :data:`subscribers.imports.row_parser.SubscriberDetails`, and the places of rows that have to be
        parsed otherwise, whose details mean nothing.
        """
        odd: set[int] = set()
        emails, names, organisations, *others = columns.pick_columns(
            _fit_width(rows, len(columns.titles), odd)
        )
        email, envelope = self._parse_addresses(emails, odd)
        name = _clean_names(names, odd)
        organisation = self._clean_organisations(organisations, odd)
        country, sectors, language, tags = (
            _look_up(cache, cells, odd) for cache, cells in zip(self._others, others, strict=True)
        )
        return [email, envelope, name, organisation, country, language, sectors, tags], sorted(odd)

    def _parse_addresses(self, cells: Sequence[str], odd: set[int]) -> tuple[list[str], list[str]]:
        joined = "\n".join(cells)
        small = joined.lower()
        envelopes = list(cells)
        emails = envelopes.copy() if small == joined else small.split("\n")
        labels = _LAST_LABELS.findall(joined)
        if len(labels) != len(cells):  # a cell has several lines
            emails, labels = envelopes.copy(), [""] * len(cells)
        if _OTHER_LABELS.isdisjoint(labels):
            return emails, envelopes
        for place, label in enumerate(labels):
            if label not in _OTHER_LABELS:
                continue
            if address := self._parser.parse_ordinary_address(cells[place]):
                emails[place], envelopes[place] = address
            else:
                odd.add(place)
        return emails, envelopes

    def _clean_organisations(self, cells: Sequence[str], odd: set[int]) -> list[str]:
        # Thousands of them do not stay in the processor's cache, so looking them up takes longer.
        if "'" not in "".join(cells) and are_clean_lines(cells):
            return list(cells)
        return _look_up(self._organisation, cells, odd)


def _unescape_first(cache: CellCache[Any]) -> CellCache[Any]:
    return CellCache(lambda cell: cache[unescape_formula(cell)])


def _fit_width(rows: Sequence[Sequence[str]], width: int, odd: set[int]) -> Sequence[Sequence[str]]:
    if set(map(len, rows)) == {width}:
        return rows
    fitting: list[Sequence[str]] = []
    for place, cells in enumerate(rows):
        try:
            fitting.append(fit_width(tuple(cells), width))
        except DetailError:
            odd.add(place)
            fitting.append(("",) * width)
    return fitting


def _clean_names(cells: Sequence[str], odd: set[int]) -> list[str]:
    names = list(cells)
    if "'" in "".join(names):
        names = [unescape_formula(cell) if "'" in cell else cell for cell in names]
    if are_clean_lines(names):
        return names
    for place, name in enumerate(names):
        try:
            names[place] = clean_line(name, "name")
        except DetailError:
            odd.add(place)
    return names


def _look_up(cache: CellCache[Any], cells: Sequence[str], odd: set[int]) -> list[Any]:
    try:
        return list(map(cache.__getitem__, cells))
    except SubscriberError:
        pass
    found: list[Any] = []
    for place, cell in enumerate(cells):
        try:
            found.append(cache[cell])
        except SubscriberError:
            odd.add(place)
            found.append(None)
    return found
