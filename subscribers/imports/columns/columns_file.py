"""The columns file: a TOML file that maps the columns of someone's own file to ours, read and written."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subscribers.csv_format import COLUMNS, SEPARATOR
from subscribers.errors import ImportFileError, quote_for_message, write_on_one_line
from subscribers.imports.columns.layouts import ColumnLayout, RawRow, is_east_asian
from subscribers.imports.columns.status_columns import (
    DESCRIPTIONS,
    EVERY_ROW,
    StatusColumnCount,
    StatusValueCount,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
    fold,
)

_KEYS = ("header", "sheet", "columns", "separators", "values", "status")
# The words of [status]; "nothing" is for values that are not about leaving.
_MEANINGS = {meaning.name: meaning for meaning in StatusMeaning}
_ANY_VALUE = "*"
_EXAMPLE = '[columns]\nemail = "E-Mail"\nname = ["Vorname", "Nachname"]'
_MOST_VALUES = 20


StatusValues = Mapping[str | None, StatusMeaning]
"""What cells mean in a column about status, by their folded text; None stands for all others with something
in them."""


@dataclass(frozen=True, kw_only=True)
class ColumnsFile:
    """``columns`` maps ours to titles in the file, several if a name is spread over several cells.

    ``separators`` are used between sectors or tags, and ``values`` says what a cell means (case-folded).
    ``status_columns`` tell who left, each with what its values mean; ``status_ignored`` do not, whatever
    their titles say. ``header`` is the number of the row that names the columns, 0 if none does, None if it
    is to be found.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    separators: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    status_columns: Mapping[str, StatusValues]
    status_ignored: tuple[str, ...] = ()
    header: int | None = None
    sheet: str | None = None

    def translate(self, row: RawRow) -> RawRow:
        changes: dict[str, Any] = {}
        for column in self.separators.keys() | self.values.keys():
            cells = [getattr(row, column)]
            if column in {"sectors", "tags"}:
                cells = cells[0].split(self.separators.get(column, SEPARATOR))
            known = self.values.get(column, {})
            changes[column] = SEPARATOR.join(known.get(cell.strip().casefold(), cell) for cell in cells)
        return row._replace(**changes) if changes else row


def read_columns_file(path: Path) -> ColumnsFile:
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
    status_columns, status_ignored = _read_status(path.name, written.get("status", {}))
    return ColumnsFile(
        name=path.name,
        columns=_read_columns(path.name, written.get("columns", {})),
        separators=_read_separators(path.name, written.get("separators", {})),
        values=_read_values(path.name, written.get("values", {})),
        status_columns=status_columns,
        status_ignored=status_ignored,
        header=_read_header(path.name, written.get("header")),
        sheet=_read_sheet(path.name, written.get("sheet")),
    )


def _read_header(name: str, written: Any) -> int | None:
    if written is None or (isinstance(written, int) and not isinstance(written, bool) and written >= 0):
        return written
    raise ImportFileError(
        name,
        "header must be the number of the row that names the columns, such as header = 3, or header = 0 if "
        "there is none.",
    )


def _read_sheet(name: str, written: Any) -> str | None:
    if written is None or (isinstance(written, str) and written.strip()):
        return written
    raise ImportFileError(name, 'sheet must be the name of a sheet, such as sheet = "Partners".')


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


def _read_status(name: str, written: Any) -> tuple[dict[str, StatusValues], tuple[str, ...]]:
    if not isinstance(written, dict):
        raise ImportFileError(
            name, '[status] is not a table. Write it like this:\n[status]\ncolumn = "Status"'
        )
    tables = {title: table for title, table in written.items() if isinstance(table, dict)}
    texts = dict(
        _read_texts(
            name,
            "status",
            {key: said for key, said in written.items() if key not in tables},
            may_be_empty=True,
        )
    )
    titles = texts.pop("column", ())
    ignored = texts.pop("ignored", ())
    if not titles and texts:
        raise ImportFileError(name, '[status] does not name its column. Add, for example: column = "Status"')
    shared = _read_meanings(name, texts.items())
    columns: dict[str, StatusValues] = dict.fromkeys(titles, shared)
    for title, table in tables.items():
        own = _read_meanings(name, _read_texts(name, f"status.{title}", table, may_be_empty=True))
        columns[title] = {**columns.get(title, {}), **own}
    return columns, ignored


def _read_meanings(name: str, lines: Iterable[tuple[str, tuple[str, ...]]]) -> StatusValues:
    meanings: dict[str | None, StatusMeaning] = {}
    for word, several in lines:
        meaning = _MEANINGS[_require_known(name, word, tuple(_MEANINGS))]
        meanings |= {None if said == _ANY_VALUE else fold(said): meaning for said in several}
    return meanings


def _read_texts(
    name: str, table: str, written: Any, *, may_be_empty: bool = False
) -> list[tuple[str, tuple[str, ...]]]:
    if not isinstance(written, dict):
        raise ImportFileError(name, f"[{table}] is not a table. Write it like this:\n{_EXAMPLE}")
    lines = []
    for key, value in written.items():
        texts = value if isinstance(value, list) else [value]
        if not (texts or may_be_empty) or not all(isinstance(text, str) and text for text in texts):
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


def write_columns_text(
    layout: ColumnLayout, counts: Sequence[StatusColumnCount] = (), *, sheet: str | None = None
) -> str:
    lines = []
    if layout.header_row != 1:
        lines.append(f"header = {layout.header_row}")
    if sheet:
        lines.append(f"sheet = {_quote(sheet)}")
    lines += ["[columns]                # ours = theirs", *_column_lines(layout)]
    if layout.unused:
        lines.append(f"# Not used: {', '.join(map(write_on_one_line, layout.unused))}")
    if layout.tag_separator and layout.places.get("tags"):
        lines += ["", "[separators]", f"tags = {_quote(layout.tag_separator)}"]
    named = [column.title for column in layout.statuses if column.title in layout.titles]
    ignored = [layout.titles[place] for place in layout.ignored]
    if named or ignored:
        lines += ["", "[status]                 # who must not get mail"]
    if named:
        lines.append(f"column = {_quote_all(named)}")
    if ignored:
        lines.append(f"ignored = {_quote_all(ignored, is_list=True)}   # not about leaving")
    for count in counts:
        if count.column not in {column.title for column in layout.statuses}.union(layout.titles):
            continue
        lines += ["", f"[status.{_quote(count.column)}]", *_status_lines(count)]
        if (
            count.column in layout.titles and count.column not in named
        ):  # it was only searched for words about leaving
            lines.append('nothing = ["*"]')
    return "\n".join(lines) + "\n"


def _column_lines(layout: ColumnLayout) -> Iterable[str]:
    if "email" not in layout.places:
        yield 'email = ""               # the title of the column with the addresses'
    for ours, titles in layout.meaning.items():
        if ours == "name" and len(titles) > 1:
            # The whole name is only for rows without its parts.
            parts = titles[: -len(layout.places["name"])] if "name" in layout.places else titles
            ordered = tuple(reversed(parts)) if all(map(is_east_asian, parts)) else parts
            yield f"name = {_quote_all(ordered)}"
        else:
            yield f"{ours} = {_quote(titles[0])}"


def _status_lines(count: StatusColumnCount) -> Iterable[str]:
    for meaning in StatusMeaning:
        values = [
            value.value
            for value in count.values
            if value.meaning is meaning and value.value not in DESCRIPTIONS.keys() - {EVERY_ROW}
        ]
        if values or (count.unknown and meaning is not StatusMeaning.nothing):
            yield f"{meaning.name} = {_quote_all(values[:_MOST_VALUES], is_list=True)}"
    if unknown := count.unknown[:_MOST_VALUES]:
        yield "# Enter each of these on the line above that says what it means:"
        yield f"#   {', '.join(map(_describe, unknown))}"
        if len(count.unknown) > _MOST_VALUES:
            yield f"#   and {len(count.unknown) - _MOST_VALUES:,} more"


def _describe(value: StatusValueCount) -> str:
    return f"{write_on_one_line(_quote(value.value))} ({value.rows:,} {'row' if value.rows == 1 else 'rows'})"


def _quote_all(texts: Iterable[str], *, is_list: bool = False) -> str:
    quoted = list(map(_quote, texts))
    return quoted[0] if len(quoted) == 1 and not is_list else f"[{', '.join(quoted)}]"


def _quote(text: str) -> str:
    escaped = "".join(
        {'"': '\\"', "\\": "\\\\"}.get(char, char if char.isprintable() else f"\\U{ord(char):08x}")
        for char in text
    )
    return f'"{escaped}"'
