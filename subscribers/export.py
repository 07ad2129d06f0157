"""Export the list to a file that can be imported again: our CSV, Excel, Mailchimp or listmonk.

In every format, cells that a spreadsheet would run as formulas are escaped, and our import restores them.
Subscribers who unsubscribed, bounced or complained are left out unless the segment itself asks about status.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, BinaryIO

from sqlmodel import Session

from locales.phrase import WordedEnum, gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, escape_formula, write_pieces
from subscribers.errors import SubscriberError
from subscribers.models import Status
from subscribers.queries import count_subscribers, list_subscriber_details
from subscribers.segments.segment import Segment
from subscribers.segments.terms import Term, TermKey

_ON_THE_LIST = Term(key=TermKey.status, values=(Status.active, Status.paused), negated=False)
_IS_GONE = Term(key=TermKey.status, values=(Status.active, Status.paused), negated=True)
_IS_SOMEBODY = Term(key=TermKey.status, values=(Status.erased, Status.merged), negated=True)
_MAX_ROWS = 1_048_575
_MAILCHIMP_COLUMNS = (
    *("Email Address", "First Name", "Last Name", "Organisation"),
    *("Country", "Sectors", "Language", "TAGS"),
)
_LISTMONK_COLUMNS = ("email", "name", "attributes")
# Excel reads _x0041_ as the letter A; escaping the underscore prevents that.
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class ExportFormat(WordedEnum):
    """The format to write. Those with words are offered on a page."""

    csv = ("csv", gettext_noop("Our own columns"))
    xlsx = "xlsx"
    mailchimp = ("mailchimp", gettext_noop("For Mailchimp"))
    listmonk = ("listmonk", gettext_noop("For listmonk"))


def export_subscribers(
    session: Session, segment: Segment, export_format: ExportFormat, stream: BinaryIO
) -> int:
    """Write the subscribers of a segment to ``stream``; return how many there were.

    No format has a status column, and importing the file elsewhere makes everyone in it active. So
    subscribers who have not confirmed or are gone are only written if the segment itself asks about
    ``status``; erased ones never are. Raise SubscriberError if there are more subscribers than an Excel sheet
    has rows.
    """
    header, cells_of = _FORMATS[export_format]
    people = _list_subscribers(session, segment)
    if export_format is ExportFormat.xlsx:
        return _write_workbook(header, map(cells_of, people), stream)
    number = 0

    def list_rows() -> Iterator[Sequence[str]]:
        nonlocal number
        yield header
        for number, person in enumerate(people, start=1):  # noqa: B007 - the last is how many there were
            yield cells_of(person)

    stream.writelines(write_pieces(list_rows()))
    return number


def write_csv_pieces(
    session: Session, segment: Segment, export_format: ExportFormat, *, for_excel: bool = False
) -> Iterator[bytes]:
    """Yield the file that :func:`export_subscribers` writes, one of the CSV formats, a few hundred people
    at a time. ``for_excel`` has it begin with the mark that Excel needs."""
    header, cells_of = _FORMATS[export_format]
    rows = map(cells_of, _list_subscribers(session, segment))
    return write_pieces(chain([header], rows), for_excel=for_excel)


def count_left_out(session: Session, segment: Segment) -> int:
    """Return how many of a segment :func:`export_subscribers` leaves out, besides erased and merged ones."""
    if segment.asks_about(TermKey.status):
        return 0
    wanted = (*segment.terms, _IS_SOMEBODY, _IS_GONE)
    return count_subscribers(session, Segment(text=segment.text, terms=wanted))


def _list_subscribers(session: Session, segment: Segment) -> Iterator[dict[str, Any]]:
    guard = _IS_SOMEBODY if segment.asks_about(TermKey.status) else _ON_THE_LIST
    return list_subscriber_details(session, Segment(text=segment.text, terms=(*segment.terms, guard)))


def _write_workbook(header: Sequence[str], rows: Iterator[list[str]], stream: BinaryIO) -> int:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Subscribers")

    def write(values: Sequence[str]) -> None:
        cells = []
        for value in values:
            cell = WriteOnlyCell(sheet, _LOOKS_ESCAPED.sub("_x005F_", escape_formula(value)))
            # Otherwise a value that begins with = becomes a formula.
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)

    write(header)
    number = 0
    for number, row in enumerate(rows, start=1):
        if number > _MAX_ROWS:
            raise SubscriberError(
                f"An Excel sheet holds at most {_MAX_ROWS:,} subscribers. Export CSV, or a smaller segment."
            )
        write(row)
    workbook.save(stream)
    return number


def _format_address(person: dict[str, Any]) -> str:
    # The local part as it was written, the domain in Unicode: importing this gives the same pair again.
    local, _, _ = person["envelope"].rpartition("@")
    _, _, domain = person["email"].rpartition("@")
    return f"{local}@{domain}"


def _our_cells(person: dict[str, Any]) -> list[str]:
    return [
        _format_address(person),
        person["name"],
        person["organisation"],
        person["country"] or "",
        SEPARATOR.join(person["sectors"]),
        person["language"] or "",
        SEPARATOR.join(person["tags"]),
    ]


def _mailchimp_cells(person: dict[str, Any]) -> list[str]:
    email, name, organisation, country, sectors, language, _ = _our_cells(person)
    # Tags contain no comma or quotation mark.
    tags = ",".join(f'"{tag}"' for tag in person["tags"])
    return [email, name, "", organisation, country, sectors, language, tags]


def _listmonk_cells(person: dict[str, Any]) -> list[str]:
    attributes = {column: person[column] for column in COLUMNS[2:] if person[column]}
    return [_format_address(person), person["name"], json.dumps(attributes, ensure_ascii=False)]


_FORMATS: Mapping[ExportFormat, tuple[Sequence[str], Callable[[dict[str, Any]], list[str]]]] = (
    MappingProxyType(
        {
            ExportFormat.csv: (COLUMNS, _our_cells),
            ExportFormat.xlsx: (COLUMNS, _our_cells),
            ExportFormat.mailchimp: (_MAILCHIMP_COLUMNS, _mailchimp_cells),
            ExportFormat.listmonk: (_LISTMONK_COLUMNS, _listmonk_cells),
        }
    )
)
