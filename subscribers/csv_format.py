"""The columns of our CSV format, rows of any sheet, and cells escaped against spreadsheet formulas."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

COLUMNS = ("email", "name", "organisation", "country", "sectors", "language", "tags")
"""The columns of our CSV format. Only the first is required; sectors and tags may hold several values."""

SEPARATOR = ";"
# A spreadsheet whose list separator is the semicolon splits our cells there, so each piece is escaped. East
# Asian versions also accept the full-width forms as formulas. Existing apostrophes get one more, so that
# unescaping removes exactly what was added.
_FORMULA = re.compile(r"(^|;)('*)(?=[=+\-@\t\r＝＋－＠])")
_ESCAPED_FORMULA = re.compile(r"(^|;)'('*)(?=[=+\-@\t\r＝＋－＠])")
_PIECE = 64 * 1024
"""Characters that are sent together."""


class SheetRow(NamedTuple):
    """One row of a sheet. ``number`` counts from 1 and includes the header."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


def escape_formula(cell: str) -> str:
    """Prefix an apostrophe wherever a spreadsheet would see a formula; :func:`unescape_formula` undoes it."""
    return _FORMULA.sub(r"\1'\2", cell)


def unescape_formula(cell: str) -> str:
    """Return what :func:`escape_formula` was given."""
    return _ESCAPED_FORMULA.sub(r"\1\2", cell)


def unescape_formulas(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Unescape each cell of a row; most rows have no apostrophe."""
    return tuple(map(unescape_formula, cells)) if "'" in "".join(cells) else cells


def write_pieces(rows: Iterable[Sequence[str]], *, for_excel: bool = False) -> Iterator[bytes]:
    """Yield a CSV file of ``rows`` piece by piece, with their formulas escaped. Excel reads it as UTF-8 only
    if it begins with a mark."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if for_excel:
        text.write("\ufeff")
    for row in rows:
        writer.writerow(map(escape_formula, row))
        if text.tell() > _PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
