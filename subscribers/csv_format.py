"""Our own columns, a row of any sheet, and cells that no spreadsheet takes for a formula."""

import re
from typing import NamedTuple

COLUMNS = ("email", "name", "organisation", "country", "sectors", "language", "tags")
"""The columns of our own CSV. Only the first is required; sectors and tags may hold several values."""

SEPARATOR = ";"
# A spreadsheet whose list separator is the semicolon splits our cells there too, so each piece counts as a
# beginning. The wide forms are formulas to East Asian versions. Apostrophes that are there already get one
# more, so that restoring takes away exactly what was added.
_FORMULA = re.compile(r"(^|;)('*)(?=[=+\-@\t\r＝＋－＠])")
_ESCAPED_FORMULA = re.compile(r"(^|;)'('*)(?=[=+\-@\t\r＝＋－＠])")


class SheetRow(NamedTuple):
    """One row of a sheet. ``number`` counts from 1 and includes the header."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


def escape_formula(cell: str) -> str:
    """``cell`` with an apostrophe where a spreadsheet would see a formula; :func:`restore` takes it away."""
    return _FORMULA.sub(r"\1'\2", cell)


def unescape_formula(cell: str) -> str:
    """What :func:`neutralise` was given."""
    return _ESCAPED_FORMULA.sub(r"\1\2", cell)
