"""listmonk keeps a subscriber's details as JSON in one column, ``attributes``."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from locales.phrase import Phrase, gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow, unescape_formula
from subscribers.errors import DetailError
from subscribers.imports.columns.layout_reader import LayoutReader
from subscribers.imports.columns.raw_row import RawRow
from subscribers.imports.columns.status_words import fold


@dataclass(frozen=True, kw_only=True)
class ListmonkColumns:
    """The places of listmonk's columns; ``status`` is None in what listmonk itself would import."""

    places: Mapping[str, tuple[int, ...]]
    attributes: int
    status: int | None


def map_listmonk_columns(titles: Sequence[str]) -> ListmonkColumns:
    """Return where listmonk's columns are."""
    folded = [fold(title) for title in titles]
    return ListmonkColumns(
        places={column: (folded.index(column),) for column in ("email", "name") if column in folded},
        attributes=folded.index("attributes"),
        status=folded.index("status") if "status" in folded else None,
    )


def make_listmonk_reader(reader: LayoutReader, attributes: int) -> Callable[[SheetRow], RawRow]:
    """Return a function that reads a row with the attributes in it."""

    def read(row: SheetRow) -> RawRow:
        raw = reader.read(row)
        if raw.suppress_reason is not None:
            # Nothing else about somebody who left is kept, so nothing else can be wrong.
            return raw
        cell = row.cells[attributes] if attributes < len(row.cells) else ""
        return _apply_attributes(raw, unescape_formula(cell))

    return read


def _apply_attributes(row: RawRow, attributes: str) -> RawRow:
    """``row`` with the attributes listmonk stores as JSON."""
    if not attributes.strip():
        return row
    try:
        known: Any = json.loads(attributes)
    except (ValueError, RecursionError) as error:
        words = gettext_noop("this is not JSON. listmonk writes an object here, such as {}.")
        raise DetailError("attributes", Phrase(words)) from error
    if not isinstance(known, dict):
        raise DetailError("attributes", Phrase(gettext_noop("this is not a JSON object, such as {}.")))
    folded = {str(key).casefold(): value for key, value in known.items()}
    changes: dict[str, Any] = {column: _join_values(folded.get(column)) for column in COLUMNS[2:]}
    return row._replace(**changes)


def _join_values(value: Any) -> str:
    if isinstance(value, list):
        return SEPARATOR.join(map(_join_values, value))
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict) else str(value)
