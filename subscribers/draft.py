"""A row of somebody's file, understood: what it says about one subscriber, before anything is stored."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from subscribers.address import Address, normalise_address
from subscribers.country import resolve_country
from subscribers.details import clean_language, clean_line, clean_sectors, clean_tags
from subscribers.errors import CountryError, DetailError, ImportFileError, reprinted
from subscribers.sheet import COLUMNS, SEPARATOR, Row, restore


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A good row. ``details`` maps columns of the subscriber's table to values.

    What the row does not say is not in ``details``, and leaves ``sectors`` and ``tags`` empty.
    """

    row: int
    address: Address
    details: dict[str, str]
    sectors: frozenset[str]
    tags: frozenset[str]


def read_header(header: Row | None, name: str) -> tuple[str, ...]:
    """The columns of a file, in its own order.

    Raises:
        ImportFileError: the first row is missing, names a column we do not have, or lacks ``email``.
    """
    if header is None or header.is_empty:
        raise ImportFileError(name, f"the first row must name the columns: {', '.join(COLUMNS)}.", 1)
    columns = tuple(cell.strip().casefold() for cell in header.cells)
    while columns[-1] == "":  # spreadsheets leave empty columns at the end
        columns = columns[:-1]
    for column in columns:
        if column not in COLUMNS:
            raise ImportFileError(name, _unknown_column(column), 1)
        if columns.count(column) > 1:
            raise ImportFileError(name, f'the column "{column}" is there twice. Keep one of them.', 1)
    if "email" not in columns:
        raise ImportFileError(name, "there is no column email, and it is the one that is needed.", 1)
    return columns


def read_draft(row: Row, columns: tuple[str, ...], sectors: Collection[str]) -> Draft:
    """What ``row`` says.

    Raises:
        SubscriberError: it cannot be used; the message is the reason to give.
    """
    if any(cell.strip() for cell in row.cells[len(columns) :]):
        raise DetailError(
            "row",
            f"it has {len(row.cells)} cells, and the header names {len(columns)}. "
            "A cell that holds the delimiter stands in quotation marks.",
        )
    # A row may be shorter than the header: spreadsheets leave empty cells at its end away.
    cells = {column: restore(cell) for column, cell in zip(columns, row.cells, strict=False)}
    return Draft(
        row=row.number,
        address=normalise_address(cells.get("email", "")),
        details={name: value for name, value in _read_details(cells).items() if value},
        sectors=clean_sectors(cells.get("sectors", "").split(SEPARATOR), sectors),
        tags=clean_tags(cells.get("tags", "").split(SEPARATOR)),
    )


def _read_details(cells: dict[str, str]) -> dict[str, str | None]:
    return {
        "name": clean_line(cells.get("name", ""), "name"),
        "organisation": clean_line(cells.get("organisation", ""), "organisation"),
        "country": _read_country(cells.get("country", "")),
        "language": clean_language(cells.get("language", "")),
    }


def _read_country(cell: str) -> str | None:
    if not cell.strip():
        return None
    try:
        return resolve_country(cell)
    except CountryError as error:
        raise DetailError("country", str(error)) from error


def _unknown_column(column: str) -> str:
    near = get_close_matches(column, COLUMNS, n=1, cutoff=0.6)
    question = f' Did you mean "{near[0]}"?' if near else ""
    return (
        f"there is no column {reprinted(column)}.{question} The first row names the columns: "
        f"{', '.join(COLUMNS)}; only email is needed. Rename it, or take it out of the file."
    )
