"""Read Excel workbooks (.xlsx, Office Open XML) row by row.

Every library that reads them keeps a whole sheet and all of its texts: a workbook of 7 MB took 3 GB. Here a
sheet passes by once, and the texts that cells share are kept as UTF-8 in one piece.
"""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from posixpath import dirname, join, normpath

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource, ListArchive
from subscribers.imports.files.workbook import (
    BLOCK_BYTES,
    MAX_SHEETS,
    CellText,
    MergedRange,
    Sheet,
    SheetRowBuilder,
    Workbook,
    parse_xml,
    read_xml,
)

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""The numbers of formats that every Excel knows and no file declares (ECMA-376, 18.8.30); 27 to 36 and 50 to
58 are the dates of East Asian versions."""
# Text in quotation marks, escaped characters, and brackets with a colour, a condition or a language.
_NOT_A_PLACEHOLDER = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_DATE_PLACEHOLDER = re.compile(r"[dmyhs]", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
# Not the halves of a pair (surrogates), which are no characters.
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")
_DAY_SECONDS = 86_400
_MAX_DAYS = 2_958_465
"""The 31st of December 9999."""
_MAX_FORMATS = 70_000
_MAX_MERGED = 100_000
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s[^>]{0,200}?\bref\s*=\s*["']\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?[A-Z]{1,3}\$?([0-9]{1,7})["']"""
)
_MAX_MERGED_BYTES = 300


def is_date_format(number: str, code: str | None) -> bool:
    """Return whether a format shows a date or a time; ``code`` is its declaration in the file, if any."""
    if code is None:
        return number.isdecimal() and len(number) < 4 and int(number) in _DATE_FORMATS
    section = _NOT_A_PLACEHOLDER.sub("", code[:1000]).partition(";")[0]
    return "general" not in section.lower() and _DATE_PLACEHOLDER.search(section) is not None


def format_number(text: str, *, is_date: bool, starts_1904: bool = False) -> str:
    """Return a number without a needless decimal point, or a date as ISO 8601 writes it.

    Excel has only one kind of number: a telephone number may arrive as 976000000.0 or 9.76E8.
    """
    if not is_date and _WHOLE_NUMBER.fullmatch(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or abs(number) > 1e300:
        return text
    if is_date and 0 <= number < _MAX_DAYS:
        return _format_date(number, starts_1904=starts_1904)
    return str(int(number)) if number.is_integer() else repr(number)


def unescape_text(text: str) -> str:
    """Return ``text`` with characters that XML cannot hold, which Excel writes as ``_x000D_``."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _format_date(number: float, *, starts_1904: bool) -> str:
    # For Excel 1900 was a leap year, so its days before March of that year are one less.
    first = (1904, 1, 1) if starts_1904 else (1899, 12, 31 if number < 60 else 30)
    start = datetime(*first)  # noqa: DTZ001 - a day in a spreadsheet has no time zone
    days, seconds = divmod(round(number * _DAY_SECONDS), _DAY_SECONDS)
    at = start + timedelta(days=days, seconds=seconds)
    if number < 1:
        return at.time().isoformat()
    return at.date().isoformat() if seconds == 0 else at.isoformat()


_MAX_SHARED_BYTES, _MAX_SHARED_TEXTS = 160 << 20, 8_000_000


class SharedTexts:
    """The texts that cells refer to by number: one piece of UTF-8, and where each text ends. As Python's
    strings they would take four times as much.
    """

    def __init__(self, file: str) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._file = file
        self._bytes = bytearray()
        self._ends = array("I")
        self._pieces = CellText(file)
        self._is_phonetic = False
        self._item = self._piece = self._phonetic = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002 - the interface of XmlHandler
        self.depth += 1
        if name == self._piece or name == self._item:
            self.text.clear()
        elif name == self._phonetic:
            # How a Japanese name is pronounced, written above it.
            self._is_phonetic = True
        elif not self._item:
            space = name.rpartition(" ")[0]
            self._item, self._piece, self._phonetic = f"{space} si", f"{space} t", f"{space} rPh"

    def end(self, name: str) -> None:
        self.depth -= 1
        if name == self._piece:
            if not self._is_phonetic:
                self._pieces.add("".join(self.text))
            self.text.clear()
        elif name == self._item:
            self._add(self._pieces.take())
        elif name == self._phonetic:
            self._is_phonetic = False

    def get(self, number: str) -> str:
        """Return a text by its number, as a cell writes it; empty if there is none."""
        place = int(number) if number.isdecimal() and len(number) < 9 else -1
        if not 0 <= place < len(self._ends):
            return ""
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode()

    def _add(self, text: str) -> None:
        self._bytes += unescape_text(text).encode("utf-8", "replace")
        self._ends.append(len(self._bytes))
        if len(self._bytes) > _MAX_SHARED_BYTES or len(self._ends) > _MAX_SHARED_TEXTS:
            raise ImportFileError(
                self._file,
                gettext_noop(
                    "it has more than %(most)s different texts, or %(megabytes)s MB of them. "
                    "Save the list's sheet as CSV."
                )
                % {"most": f"{_MAX_SHARED_TEXTS:,}", "megabytes": _MAX_SHARED_BYTES >> 20},
            )


class _Collector:
    """Collects the attributes of some elements, by local name; what it ignores costs no memory."""

    def __init__(self, handlers: Mapping[str, Callable[[Mapping[str, str]], None]]) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._handlers = handlers

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self.text.clear()
        if found := self._handlers.get(name.rpartition(" ")[2]):
            found(attributes)

    def end(self, name: str) -> None:  # noqa: ARG002 - the interface of XmlHandler
        self.depth -= 1
        self.text.clear()


class ExcelPackage:
    """The parts of a workbook: which sheets it has and where, which formats are dates, the shared texts."""

    def __init__(self, archive: ListArchive) -> None:
        self.file = archive.name
        self._archive = archive
        # Names of parts are compared without case (ECMA-376, part 2).
        self._names = {name.lower(): name for name in archive.names}
        parts = self._read_relationships("").values()
        mains = (target for kind, target in parts if kind.endswith("/officeDocument"))
        self.main = next(mains, "xl/workbook.xml")
        self._targets = self._read_relationships(self.main)
        self.starts_1904 = False
        self.sheets: list[tuple[str, bool, str]] = []
        self._read_main()
        self.date_styles = self._read_date_styles()
        self._shared: SharedTexts | None = None

    def get_shared_text(self, number: str) -> str:
        """Return a text that cells share; they are read when the first cell asks for one."""
        if self._shared is None:
            self._shared = SharedTexts(self.file)
            if path := self._find_target("/sharedStrings"):
                read_xml(self.part(path), self.file, self._shared)
        return self._shared.get(number)

    def part(self, path: str) -> FileSource:
        name = self._names.get(path.lower())
        if name is None:
            raise ImportFileError(
                self.file,
                gettext_noop(
                    "it is damaged: its part %(path)s is missing. Open it in Excel and save it again."
                )
                % {"path": path},
            )
        return self._archive.member(name)

    def _read_relationships(self, path: str) -> dict[str, tuple[str, str]]:
        """Return the type and the path of each part that ``path`` refers to, by ID."""
        found: dict[str, tuple[str, str]] = {}
        folder = dirname(path)
        name = join(folder, "_rels", f"{path.rpartition('/')[2]}.rels")

        def add(attributes: Mapping[str, str]) -> None:
            target = attributes.get("Target", "")
            whole = target.removeprefix("/") if target.startswith("/") else normpath(join(folder, target))
            if len(found) < MAX_SHEETS * 2:
                found[attributes.get("Id", "")] = (attributes.get("Type", ""), whole)

        if name.lower() in self._names:
            read_xml(self.part(name), self.file, _Collector({"Relationship": add}))
        return found

    def _find_target(self, kind: str) -> str | None:
        path = next((target for found, target in self._targets.values() if found.endswith(kind)), None)
        return path if path and path.lower() in self._names else None

    def _read_main(self) -> None:
        def add_sheet(attributes: Mapping[str, str]) -> None:
            number = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            kind, target = self._targets.get(number, ("", ""))
            if kind.endswith("/worksheet") and len(self.sheets) < MAX_SHEETS:
                hidden = attributes.get("state", "visible") != "visible"
                self.sheets.append((attributes.get("name", ""), hidden, target))

        def add_properties(attributes: Mapping[str, str]) -> None:
            self.starts_1904 = attributes.get("date1904", "0") in {"1", "true"}

        handlers = {"sheet": add_sheet, "workbookPr": add_properties}
        read_xml(self.part(self.main), self.file, _Collector(handlers))

    def _read_date_styles(self) -> set[str]:
        path = self._find_target("/styles")
        if path is None:
            return set()
        formats: dict[str, str] = {}
        dates: set[str] = set()
        state = {"inside": 0, "number": 0}

        def add_format(attributes: Mapping[str, str]) -> None:
            if len(formats) < _MAX_FORMATS:
                formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")

        def enter(_: Mapping[str, str]) -> None:
            state["inside"] = 1

        def leave(_: Mapping[str, str]) -> None:
            state["inside"] = 0

        def add_style(attributes: Mapping[str, str]) -> None:
            if state["inside"] and state["number"] < _MAX_FORMATS:
                if is_date_format(number := attributes.get("numFmtId", "0"), formats.get(number)):
                    dates.add(str(state["number"]))
                state["number"] += 1

        handlers = {
            "numFmt": add_format,
            "cellStyleXfs": leave,
            "cellXfs": enter,
            "cellStyles": leave,
            "dxfs": leave,
            "xf": add_style,
        }
        read_xml(self.part(path), self.file, _Collector(handlers))
        return dates


def is_excel_workbook(names: tuple[str, ...]) -> bool:
    """Return whether an archive with these files is a workbook; its main part may be ``workbook2.xml``."""
    return any(name.startswith("xl/workbook") and name.endswith(".xml") for name in names)


def open_excel_workbook(archive: ListArchive) -> Workbook:
    package = ExcelPackage(archive)
    sheets = tuple(
        Sheet(
            name=name,
            hidden=hidden,
            has_rows=partial(_has_rows, package, target),
            read_rows=partial(_read_rows, package, target),
        )
        for name, hidden, target in package.sheets
    )
    return Workbook(file=archive.name, form="Excel workbook", sheets=sheets)


def _has_rows(package: ExcelPackage, path: str) -> bool:
    return next(_read_rows(package, path), None) is not None


def _read_rows(package: ExcelPackage, path: str) -> Iterator[SheetRow]:
    part = package.part(path)
    builder = SheetRowBuilder(file=package.file, merged=_find_merged(part, package.file))
    for _ in parse_xml(part, package.file, _ExcelSheetHandler(package, builder)):
        yield from builder.take_rows()


def _find_merged(sheet: FileSource, file: str) -> list[MergedRange]:
    """Return the ranges merged across rows, last first. They are written after the rows they apply to."""
    found: set[MergedRange] = set()
    rest = b""
    with sheet.open() as stream:
        while block := stream.read(BLOCK_BYTES * 16):
            if b"\0" in block:
                raise ImportFileError(
                    file, gettext_noop("one of its sheets is not in UTF-8. Save the workbook again.")
                )
            text = rest + block
            for letters, first, last in _MERGED.findall(text) if b"mergeCell" in text else ():
                if int(last) > int(first):
                    found.add(MergedRange(int(first), _column_index(letters.decode()), int(last)))
            if len(found) > _MAX_MERGED:
                raise ImportFileError(
                    file,
                    gettext_noop("more than %(most)s of its cells are merged. Save it as CSV UTF-8.")
                    % {"most": f"{_MAX_MERGED:,}"},
                )
            rest = text[-_MAX_MERGED_BYTES:]
    return sorted(found, reverse=True)


class _ColumnIndexes(dict[str, int]):
    """The index of a column, from 0, by its letters; -1 for what are no letters of a column."""

    def __missing__(self, letters: str) -> int:
        if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
            return -1
        self[letters] = index = _column_index(letters.upper())
        return index


def _column_index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


class _ExcelSheetHandler:
    """Gives the cells of a sheet to the row builder. It is called several times for each cell."""

    def __init__(self, package: ExcelPackage, builder: SheetRowBuilder) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._package = package
        self._builder = builder
        self._add_cell, self._get_text = builder.add_cell, package.get_shared_text
        self._indexes = _ColumnIndexes()
        self._row, self._column = 0, -1
        self._reference = self._kind = self._style = ""
        self._value = ""
        self._pieces = CellText(package.file)
        self._is_phonetic = False
        self._cell_name = self._value_name = self._row_name = self._text_name = self._phonetic_name = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if name == self._cell_name:
            get = attributes.get
            self._reference = get("r", "")
            self._kind = get("t", "n")
            self._style = get("s", "")
            self._value = ""
            self._column += 1
        elif name == self._value_name or name == self._text_name:
            self.text.clear()
        elif name == self._row_name:
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 9 else self._row + 1
            self._column = -1
        elif name == self._phonetic_name:
            self._is_phonetic = True
        elif not self._cell_name:
            space = name.rpartition(" ")[0]
            self._cell_name, self._value_name, self._row_name = f"{space} c", f"{space} v", f"{space} row"
            self._text_name, self._phonetic_name = f"{space} t", f"{space} rPh"

    def end(self, name: str) -> None:
        self.depth -= 1
        if name == self._value_name:
            self._value = "".join(self.text)
            self.text.clear()
        elif name == self._cell_name:
            if self._kind == "inlineStr":
                self._value = self._pieces.take()
            if (column := self._indexes[self._reference.rstrip("0123456789")]) >= 0:
                self._column = column
            if self._value and (
                value := self._get_text(self._value) if self._kind == "s" else self._format_value()
            ):
                self._add_cell(self._column, self._row, value)
        elif name == self._row_name:
            self._builder.end_row(self._row)
        elif name == self._text_name:
            if not self._is_phonetic:
                self._pieces.add("".join(self.text))
            self.text.clear()
        elif name == self._phonetic_name:
            self._is_phonetic = False

    def _format_value(self) -> str:
        kind = self._kind
        if kind == "n":
            is_date = self._style in self._package.date_styles
            return format_number(self._value, is_date=is_date, starts_1904=self._package.starts_1904)
        if kind == "b":
            return "TRUE" if self._value in {"1", "true"} else "FALSE"
        if kind == "e":  # such as #N/A: the formula has no value
            return ""
        return unescape_text(self._value)
