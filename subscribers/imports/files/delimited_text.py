"""Rows of a delimited text file, numbered as in a spreadsheet.

The header is row 1, empty rows count, and a quoted cell with line breaks is part of one row.
"""

import csv
import io
from collections.abc import Iterator

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

DELIMITERS = ",;\t|"
MAX_COLUMNS = 1000


def detect_delimiter(source: FileSource, encoding: str) -> str:
    """Detect the delimiter by how often each occurs in the first line.

    csv.Sniffer would choose "m" for a file whose only column is "email".
    """
    with io.TextIOWrapper(source.open(), encoding=encoding, newline="") as stream:
        header = stream.readline()
    return max(DELIMITERS, key=header.count)


def read_delimited(source: FileSource, *, encoding: str, delimiter: str) -> Iterator[SheetRow]:
    """Every row of ``source``, which :func:`subscribers.imports.files.text_encoding.detect_encoding` has
    verified.

    Raises:
        ImportFileError: its quotation marks do not match, or it has too many columns.
    """
    with io.TextIOWrapper(source.open(), encoding=encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        number = 0
        try:
            for number, cells in enumerate(reader, start=1):
                if len(cells) > MAX_COLUMNS:
                    raise ImportFileError(
                        source.name,
                        f"it has {len(cells):,} columns; the limit is {MAX_COLUMNS:,}.",
                        number,
                    )
                yield SheetRow(number, tuple(cells))
        except csv.Error as error:
            raise ImportFileError(source.name, _describe_quote_error(error), number + 1) from error


def _describe_quote_error(error: csv.Error) -> str:
    if "expected after" in str(error):
        return 'there is text after a closing quotation mark. Double any quotation mark inside a cell: "".'
    return (
        "a quotation mark is opened in this row and never closed. Close it or, if it is part of the text, "
        'double it: "".'
    )
