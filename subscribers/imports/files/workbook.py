"""A workbook of Excel or LibreOffice: its sheets, and which of them to read."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError, quote_for_message

MAX_SHEETS = 1000
_LOOKED_AT = 100
_ADDRESS = re.compile(r"[^\s@<>]@[^\s@<>]+\.")
_MAX_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """``read_rows`` returns the rows that are not empty, from the start each time."""

    name: str
    hidden: bool
    has_rows: Callable[[], bool] = field(repr=False)
    read_rows: Callable[[], Iterator[SheetRow]] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Workbook:
    """``file`` is its name for errors, ``form`` the kind of file in words."""

    file: str
    form: str
    sheets: tuple[Sheet, ...]


@dataclass(frozen=True, kw_only=True)
class ChosenSheet:
    """The sheet to read. ``rows`` yields its rows, once; ``unread`` names the other sheets with rows."""

    name: str
    rows: Iterator[SheetRow] = field(repr=False)
    unread: tuple[str, ...]


def choose_sheet(workbook: Workbook, wanted: str | None) -> ChosenSheet:
    """Return the sheet called ``wanted``, otherwise the first with addresses, or with rows if none has any; a
    hidden one only if no other has rows.

    Raises:
        ImportFileError: there is no such sheet, or no sheet has rows.
    """
    if wanted is not None:
        sheet = _find_sheet(workbook, wanted)
        return ChosenSheet(name=sheet.name, rows=sheet.read_rows(), unread=())
    filled = [sheet for sheet in workbook.sheets if sheet.has_rows()]
    if not filled:
        raise ImportFileError(workbook.file, gettext_noop("none of its sheets has any rows."))
    shown = [sheet for sheet in filled if not sheet.hidden] or filled
    # A first sheet may explain the others.
    with_addresses = (sheet for sheet in shown if len(shown) > 1 and _has_addresses(sheet))
    chosen = next(with_addresses, shown[0])
    return ChosenSheet(
        name=chosen.name,
        rows=chosen.read_rows(),
        unread=tuple(sheet.name for sheet in filled if sheet is not chosen),
    )


def _has_addresses(sheet: Sheet) -> bool:
    return any(_ADDRESS.search(cell) for row in islice(sheet.read_rows(), _LOOKED_AT) for cell in row.cells)


def describe_unread(names: tuple[str, ...]) -> str:
    """Return a sentence that names the sheets that were not read."""
    words = (
        gettext_noop(
            "1 further sheet was not read: %(names)s. To import one of them, choose it with --sheet NAME."
        )
        if len(names) == 1
        else gettext_noop(
            "%(number)s further sheets were not read: %(names)s. To import one of them, choose it with "
            "--sheet NAME."
        )
    )
    return words % {"number": f"{len(names):,}", "names": _list_names(names)}


def _find_sheet(workbook: Workbook, wanted: str) -> Sheet:
    folded = wanted.strip().casefold()
    exact = (sheet for sheet in workbook.sheets if sheet.name == wanted)
    similar = (sheet for sheet in workbook.sheets if sheet.name.strip().casefold() == folded)
    if (found := next(chain(exact, similar), None)) is None:
        names = _list_names(tuple(sheet.name for sheet in workbook.sheets))
        raise ImportFileError(
            workbook.file,
            gettext_noop("there is no sheet %(text)s. Its sheets are: %(names)s.")
            % {"text": quote_for_message(wanted), "names": names},
        )
    return found


def _list_names(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(quote_for_message, names[:_MAX_NAMED]))
    return f"{shown} and {len(names) - _MAX_NAMED:,} more" if len(names) > _MAX_NAMED else shown
