"""CSV files as numbered rows, and cells that no spreadsheet takes for a formula.

Rows are counted as a spreadsheet counts them: the header is row 1, empty rows count, and a cell with line
breaks in quotation marks makes no new row.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from subscribers.errors import ImportFileError

COLUMNS = ("email", "name", "organisation", "country", "sectors", "language", "tags")
"""The columns of our own CSV. Only the first is required; sectors and tags may hold several values."""

SEPARATOR = ";"
_DELIMITERS = ",;\t|"
_UNDECODED = re.compile("[\udc80-\udcff]")
_CONVERT = (
    "In a spreadsheet, save it as “CSV UTF-8”; or run: iconv -f ENCODING -t UTF-8 {name} > new.csv "
    "(ENCODING is often GB18030, CP932, CP949 or WINDOWS-1252)."
)
# A spreadsheet whose list separator is the semicolon splits our cells there too, so each piece counts as a
# beginning. The wide forms are formulas to East Asian versions. Apostrophes that are there already get one
# more, so that restoring takes away exactly what was added.
_FORMULA = re.compile(r"(^|;)('*)(?=[=+\-@\t\r＝＋－＠])")
_NEUTRALISED = re.compile(r"(^|;)'('*)(?=[=+\-@\t\r＝＋－＠])")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a sheet. ``number`` counts from 1 and includes the header."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a CSV file in UTF-8, its delimiter found by counting in the header.

    Raises:
        ImportFileError: it cannot be read, is no UTF-8, or its quotation marks do not match.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            _refuse_utf_16(path)
            yield from _read(stream, path.name)
    except OSError as error:
        raise ImportFileError(path.name, f"it cannot be read: {error.strerror}.") from error


def neutralise(cell: str) -> str:
    """``cell`` with an apostrophe where a spreadsheet would see a formula; :func:`restore` takes it away."""
    return _FORMULA.sub(r"\1'\2", cell)


def restore(cell: str) -> str:
    """What :func:`neutralise` was given."""
    return _NEUTRALISED.sub(r"\1\2", cell)


def _refuse_utf_16(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(2)
    # Without a mark: a header in ASCII has a zero byte beside its first letter.
    if start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} or b"\0" in start:
        raise ImportFileError(
            path.name, f"it is UTF-16 or no text at all, not UTF-8. {_CONVERT.format(name=path.name)}"
        )


def _read(stream: TextIO, name: str) -> Iterator[Row]:
    header = stream.readline()
    reader = csv.reader(chain([header] if header else [], stream), delimiter=_delimiter(header), strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ImportFileError(name, _quotation(error), number) from error
        if _UNDECODED.search("\n".join(cells)):
            raise ImportFileError(name, f"this is not UTF-8 text. {_CONVERT.format(name=name)}", number)
        yield Row(number=number, cells=tuple(cells))


def _delimiter(header: str) -> str:
    # csv.Sniffer takes "m" for the delimiter of a file whose only column is "email".
    return max(_DELIMITERS, key=header.count)


def _quotation(error: csv.Error) -> str:
    if "expected after" in str(error):
        return 'text follows a closing quotation mark. Write quotation marks inside a cell twice: "".'
    return (
        "a quotation mark is opened in this row and never closed. Close it, or, if it belongs to the text, "
        'write it twice: "".'
    )
