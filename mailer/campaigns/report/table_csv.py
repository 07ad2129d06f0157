"""One table of a report as CSV."""

import csv
from collections.abc import Iterable
from typing import TextIO

from mailer.campaigns.report.section import ReportSection, ReportTable
from mailer.errors import MailerError
from subscribers.csv_format import escape_formula


class UnknownTableError(MailerError):
    """The report has no table of this name."""


def find_table(sections: Iterable[ReportSection], name: str) -> ReportTable:
    """Find a table by its name.

    Raises:
        UnknownTableError: there is none; the message names those there are.
    """
    tables = {table.name: table for section in sections for table in section.tables}
    if name not in tables:
        raise UnknownTableError(f"This report has no table {name!r}. It has: {', '.join(tables) or 'none'}.")
    return tables[name]


def write_table(table: ReportTable, stream: TextIO) -> int:
    """Write a table with a header, and return the number of rows. A hidden figure is an empty cell."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.head)
    for row in table.rows:
        writer.writerow("" if cell is None else escape_formula(str(cell)) for cell in row)
    return len(table.rows)
