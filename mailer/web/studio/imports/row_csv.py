"""The rows of a file that cannot be used, as CSV for a spreadsheet."""

import csv
import io
from collections.abc import Iterator

from subscribers.csv_format import escape_formula
from subscribers.imports.import_report import ImportReport

_ROWS_AT_ONCE = 500


def write_refused_rows(report: ImportReport) -> Iterator[bytes]:
    """Yield the CSV file piece by piece; the reasons are in English."""
    # Without this mark, Excel reads the file in the system's own encoding instead of UTF-8.
    yield b"\xef\xbb\xbf"
    has_files = any(row.file for row in report.refused)
    head = ["file", "row", "reason"] if has_files else ["row", "reason"]
    rows = [
        [row.file, str(row.row), row.reason] if has_files else [str(row.row), row.reason]
        for row in report.refused
    ]
    for start in range(-1, len(rows), _ROWS_AT_ONCE):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if start < 0:
            writer.writerow(head)
        some = rows[max(0, start) : start + _ROWS_AT_ONCE]
        writer.writerows([escape_formula(cell) for cell in row] for row in some)
        yield text.getvalue().encode()
