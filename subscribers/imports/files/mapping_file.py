"""A TOML file that maps the columns of someone's own file to ours."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subscribers.csv_format import COLUMNS, SEPARATOR
from subscribers.errors import ImportFileError, quote_for_message
from subscribers.imports.files.raw_row import RawRow
from subscribers.models import ConsentEvent

_KEYS = ("columns", "separators", "values", "status")
_SUPPRESS_REASONS = {
    event.value: event
    for event in (
        ConsentEvent.unsubscribed,
        ConsentEvent.bounced,
        ConsentEvent.complained,
        ConsentEvent.suppressed,
    )
}
_EXAMPLE = '[columns]\nemail = "E-Mail"\nname = ["Vorname", "Nachname"]'


@dataclass(frozen=True, kw_only=True)
class ColumnsFile:
    """``columns`` maps ours to titles in the file, several if a name is spread over several cells.

    ``separators`` are used between sectors or tags, ``values`` says what a cell means (case-folded), and
    ``suppress_reasons`` maps values of ``status_column`` (case-folded) to why the person must not get mail.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    separators: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    status_column: str | None
    suppress_reasons: Mapping[str, ConsentEvent]

    def translate(self, row: RawRow) -> RawRow:
        """``row`` with our separators and values."""
        changes: dict[str, Any] = {}
        for column in self.separators.keys() | self.values.keys():
            cells = [getattr(row, column)]
            if column in {"sectors", "tags"}:
                cells = cells[0].split(self.separators.get(column, SEPARATOR))
            known = self.values.get(column, {})
            changes[column] = SEPARATOR.join(known.get(cell.strip().casefold(), cell) for cell in cells)
        return row._replace(**changes) if changes else row


def read_columns_file(path: Path) -> ColumnsFile:
    """Read the file at ``path``.

    Raises:
        ImportFileError: it cannot be read, or is invalid.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ImportFileError(path.name, f"it cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportFileError(
            path.name, f"it is not valid TOML: {error}. Write it like this:\n{_EXAMPLE}"
        ) from error
    for key in written:
        _require_known(path.name, key, _KEYS)
    columns = _read_columns(path.name, written.get("columns", {}))
    status = dict(_read_texts(path.name, "status", written.get("status", {})))
    return ColumnsFile(
        name=path.name,
        columns=columns,
        separators=_read_separators(path.name, written.get("separators", {})),
        values=_read_values(path.name, written.get("values", {})),
        status_column=_take_status_column(path.name, status),
        suppress_reasons={
            said.casefold(): _SUPPRESS_REASONS[_require_known(path.name, word, tuple(_SUPPRESS_REASONS))]
            for word, several in status.items()
            for said in several
        },
    )


def _read_columns(name: str, written: Any) -> dict[str, tuple[str, ...]]:
    columns = dict(_read_texts(name, "columns", written))
    for column, titles in columns.items():
        _require_known(name, column, COLUMNS)
        if len(titles) > 1 and column != "name":
            raise ImportFileError(
                name, f"[columns] {column}: only the name can be spread over several columns."
            )
    if "email" not in columns:
        raise ImportFileError(
            name, f"[columns] does not say which column is email. Write it like this:\n{_EXAMPLE}"
        )
    return columns


def _read_separators(name: str, written: Any) -> dict[str, str]:
    separators = {column: texts[0] for column, texts in _read_texts(name, "separators", written)}
    for column in separators:
        _require_known(name, column, ("sectors", "tags"))
    return separators


def _read_values(name: str, written: Any) -> dict[str, dict[str, str]]:
    if not isinstance(written, dict):
        raise ImportFileError(
            name, '[values] must contain tables, such as [values.country] with "Deutschl." = "DE".'
        )
    return {
        _require_known(name, column, COLUMNS[2:]): {
            said.strip().casefold(): texts[0]
            for said, texts in _read_texts(name, f"values.{column}", meaning)
        }
        for column, meaning in written.items()
    }


def _take_status_column(name: str, status: dict[str, tuple[str, ...]]) -> str | None:
    if not status:
        return None
    if "column" not in status:
        raise ImportFileError(name, '[status] does not name its column. Add, for example: column = "Status"')
    return status.pop("column")[0]


def _read_texts(name: str, table: str, written: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Return the entries of a table, each with one or more texts."""
    if not isinstance(written, dict):
        raise ImportFileError(name, f"[{table}] is not a table. Write it like this:\n{_EXAMPLE}")
    lines = []
    for key, value in written.items():
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise ImportFileError(
                name, f"[{table}] {key}: write a text in quotation marks, or a list of them."
            )
        lines.append((key, tuple(texts)))
    return lines


def _require_known(name: str, word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        raise ImportFileError(
            name, f"{quote_for_message(word)} is not known here. Choose from: {', '.join(known)}."
        )
    return word
