"""Lists of mailboxes, as list servers write them: one a line, ``"Lee, Ann" <ann@example.org>``.

Quotation marks are those of RFC 5322 and not those of a table, which would have to enclose a whole cell.
"""

import io
import re
from collections.abc import Iterator

from subscribers.csv_format import SheetRow
from subscribers.imports.files.file_source import FileSource

_SAMPLE_LENGTH = 1 << 16
_ADDRESS = r"[^\s@<>\",;]+@[^\s@<>\",;]+"
_MAILBOX = re.compile(rf"(?:\"[^\"]*\"|[^\"<>@,;\t|]*)\s*<{_ADDRESS}>|{_ADDRESS}(?:\s*\([^()]*\))?")


def has_address_lines(source: FileSource, encoding: str) -> bool:
    """Whether every line at the beginning of a file is one mailbox, and one of them has a quoted name.

    Without quoted names such a file is read as a table of one column.
    """
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        sample = stream.read(_SAMPLE_LENGTH)
    lines = sample.splitlines()
    # The last may be cut off.
    whole = lines[:-1] if len(sample) == _SAMPLE_LENGTH else lines
    filled = [line for line in map(_clean, whole) if line]
    return any(line.startswith('"') for line in filled) and all(map(_MAILBOX.fullmatch, filled))


def read_address_lines(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Every line of ``source`` as a row of one cell."""
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for number, line in enumerate(stream, start=1):
            yield SheetRow(number, (_clean(line),))


def _clean(line: str) -> str:
    return line.strip().strip("\ufeff,;").strip()
