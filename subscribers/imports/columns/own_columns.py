"""The columns of a file in our own format, in any order, with or without the optional ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from locales.phrase import gettext_noop
from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.columns.layout_reader import fit_width

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class OwnColumns:
    """``titles`` are as written, and ``places`` says which of them each of our columns is.

    Cells come in the order of our columns and as written; those of a missing column are empty.
    """

    titles: tuple[str, ...]
    places: Mapping[str, int] = field(repr=False)

    def pick_cells(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        """Return the cells of one row.

        Raises:
            DetailError: there is something in those beyond the last column.
        """
        return self._pick(fit_width(cells, len(self.titles)), "")

    def pick_columns(self, rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """Return the cells of many rows, by column. Every row has to be as wide as the header."""
        return self._pick(tuple(zip(*rows, strict=True)), ("",) * len(rows))

    def _pick(self, items: tuple[Item, ...], missing: Item) -> tuple[Item, ...]:
        return tuple(items[self.places[column]] if column in self.places else missing for column in COLUMNS)


def find_own_columns(row: SheetRow, name: str) -> OwnColumns | None:
    """Return the columns of a first row that has ours and no other, None for other files.

    Raises:
        ImportFileError: one appears twice, or there is no email column.
    """
    titles = [cell.strip().removeprefix("\ufeff") for cell in row.cells]
    while titles and titles[-1] == "":  # spreadsheets leave empty columns at the end
        titles.pop()
    columns = [title.casefold() for title in titles]
    if not titles or not set(columns) <= set(COLUMNS):
        return None
    for column in columns:
        if columns.count(column) > 1:
            raise ImportFileError(
                name,
                gettext_noop('the column "%(column)s" appears twice. Remove one of them.')
                % {"column": column},
                row.number,
            )
    if "email" not in columns:
        raise ImportFileError(name, gettext_noop("there is no email column, and it is required."), row.number)
    places = {column: columns.index(column) for column in COLUMNS if column in columns}
    return OwnColumns(titles=tuple(titles), places=places)
