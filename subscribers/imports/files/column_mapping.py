"""Map the columns of a file to ours: by its header for known formats, otherwise by a columns file."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow, unescape_formula
from subscribers.errors import DetailError, ImportFileError, quote_for_message
from subscribers.imports.files.mapping_file import ColumnsFile
from subscribers.imports.files.raw_row import RawRow
from subscribers.models import ConsentEvent


class Maker(StrEnum):
    """The program that wrote the file."""

    ours = "partner-mailer"
    """Our own columns."""

    mailchimp = "Mailchimp"
    """An audience exported from Mailchimp, or one of its files."""

    listmonk = "listmonk"
    """Subscribers exported from listmonk."""

    other = "your table of columns"
    """Any other file, described by a columns file."""


class MailchimpFile(StrEnum):
    """The files in Mailchimp's archive, which differ only in name."""

    subscribed = "subscribed"
    """Active subscribers."""

    unsubscribed = "unsubscribed"
    """People who unsubscribed."""

    cleaned = "cleaned"
    """Addresses that bounced."""

    nonsubscribed = "nonsubscribed"
    """People who never signed up."""


_MAILCHIMP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "email": ("email address",),
        "name": ("first name", "last name"),
        "organisation": ("organisation", "organization", "company", "company name"),
        "country": ("country", "cc"),
        "sectors": ("sectors", "sector"),
        "language": ("language",),
        "tags": ("tags",),
    }
)
_LISTMONK_STATUSES: Mapping[str, ConsentEvent | None] = MappingProxyType(
    {"": None, "enabled": None, "disabled": ConsentEvent.unsubscribed, "blocklisted": ConsentEvent.suppressed}
)
_SUPPRESS_REASONS: Mapping[MailchimpFile, ConsentEvent] = MappingProxyType(
    {MailchimpFile.unsubscribed: ConsentEvent.unsubscribed, MailchimpFile.cleaned: ConsentEvent.bounced}
)


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How to convert rows. ``meaning`` maps our columns to the file's, for display; ``unused`` are the file's
    other columns. ``may_suppress`` says whether a row can suppress an address.

    ``read_row`` raises :class:`subscribers.errors.DetailError` for a row that is refused.
    """

    maker: Maker
    meaning: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    may_suppress: bool
    read_row: Callable[[SheetRow], RawRow]


def find_mapping(
    header: SheetRow | None,
    name: str,
    *,
    columns_file: ColumnsFile | None = None,
    mailchimp_file: MailchimpFile | None = None,
) -> ColumnMapping:
    """Return the mapping for ``header``, or the one that ``columns_file`` describes.

    Raises:
        ImportFileError: the first row is missing or has columns we do not know.
    """
    if header is None or header.is_empty:
        raise ImportFileError(name, f"the first row must name the columns: {', '.join(COLUMNS)}.", 1)
    titles = [cell.strip().removeprefix("\ufeff") for cell in header.cells]
    while titles[-1] == "":  # spreadsheets leave empty columns at the end
        titles.pop()
    known = {title.casefold() for title in titles}
    if columns_file is not None:
        return _map_by_columns_file(titles, name, columns_file)
    if "email address" in known:
        return _map_mailchimp(titles, mailchimp_file)
    if {"email", "attributes"} <= known:
        return _map_listmonk(titles)
    return _map_own(titles, name)


def _map_own(titles: list[str], name: str) -> ColumnMapping:
    columns = [title.casefold() for title in titles]
    for column in columns:
        if column not in COLUMNS:
            raise ImportFileError(name, _describe_unknown_column(column), 1)
        if columns.count(column) > 1:
            raise ImportFileError(name, f'the column "{column}" appears twice. Remove one of them.', 1)
    if "email" not in columns:
        raise ImportFileError(name, "there is no email column, and it is required.", 1)
    places = {column: (columns.index(column),) for column in COLUMNS if column in columns}
    return _make_mapping(Maker.ours, titles, places, _make_reader(len(titles), places))


def _map_mailchimp(titles: list[str], mailchimp_file: MailchimpFile | None) -> ColumnMapping:
    folded = [title.casefold() for title in titles]
    places = {
        column: tuple(folded.index(title) for title in names if title in folded)[
            : 2 if column == "name" else 1
        ]
        for column, names in _MAILCHIMP.items()
    }
    read = _make_reader(len(titles), places, tags=_convert_mailchimp_tags)
    reason = _SUPPRESS_REASONS.get(mailchimp_file) if mailchimp_file else None
    if reason is None:
        reason = (
            ConsentEvent.bounced
            if "clean_time" in folded
            else ConsentEvent.unsubscribed
            if "unsub_time" in folded
            else None
        )
    if mailchimp_file is MailchimpFile.nonsubscribed:
        read = _refuse_nonsubscribed
    return _make_mapping(
        Maker.mailchimp,
        titles,
        places,
        _with_suppress_reason(read, reason) if reason else read,
        may_suppress=reason is not None,
    )


def _map_listmonk(titles: list[str]) -> ColumnMapping:
    folded = [title.casefold() for title in titles]
    places = {"email": (folded.index("email"),)} | (
        {"name": (folded.index("name"),)} if "name" in folded else {}
    )
    plain = _make_reader(len(titles), places)
    attributes = folded.index("attributes")
    status = folded.index("status") if "status" in folded else None

    def read(row: SheetRow) -> RawRow:
        raw = plain(row)
        said = _get_cell(row, status).strip().casefold() if status is not None else ""
        if said not in _LISTMONK_STATUSES:
            raise DetailError("status", f"{quote_for_message(said)} is not a listmonk status.")
        return _apply_attributes(raw, unescape_formula(_get_cell(row, attributes)))._replace(
            suppress_reason=_LISTMONK_STATUSES[said]
        )

    shown = places | dict.fromkeys(COLUMNS[2:], (attributes,))
    return _make_mapping(Maker.listmonk, titles, shown, read, may_suppress=status is not None, used=(status,))


def _map_by_columns_file(titles: list[str], name: str, columns_file: ColumnsFile) -> ColumnMapping:
    folded = [title.casefold() for title in titles]
    places: dict[str, tuple[int, ...]] = {}
    for column, wanted in columns_file.columns.items():
        for title in wanted:
            if title.casefold() not in folded:
                raise ImportFileError(
                    name,
                    f"there is no column {quote_for_message(title)}, although {columns_file.name} names it.",
                    1,
                )
        places[column] = tuple(folded.index(title.casefold()) for title in wanted)
    status = None
    if columns_file.status_column:
        if columns_file.status_column.casefold() not in folded:
            raise ImportFileError(
                name,
                f"there is no column {quote_for_message(columns_file.status_column)}, although "
                f"{columns_file.name} names it.",
                1,
            )
        status = folded.index(columns_file.status_column.casefold())
    plain = _make_reader(len(titles), places)

    def read(row: SheetRow) -> RawRow:
        raw = columns_file.translate(plain(row))
        if status is None:
            return raw
        said = _get_cell(row, status).strip().casefold()
        return raw._replace(suppress_reason=columns_file.suppress_reasons.get(said))

    return _make_mapping(Maker.other, titles, places, read, may_suppress=status is not None, used=(status,))


def _make_mapping(
    maker: Maker,
    titles: list[str],
    places: Mapping[str, tuple[int, ...]],
    read: Callable[[SheetRow], RawRow],
    *,
    may_suppress: bool = False,
    used: tuple[int | None, ...] = (),
) -> ColumnMapping:
    taken = {place for several in places.values() for place in several} | set(used)
    return ColumnMapping(
        maker=maker,
        meaning={
            column: tuple(titles[place] for place in several) for column, several in places.items() if several
        },
        unused=tuple(title for place, title in enumerate(titles) if place not in taken and title),
        may_suppress=may_suppress,
        read_row=read,
    )


def _make_reader(
    width: int, places: Mapping[str, tuple[int, ...]], *, tags: Callable[[str], str] | None = None
) -> Callable[[SheetRow], RawRow]:
    """Return a function that converts a row; it is called a million times, so it does little."""
    single = all(len(places.get(column, ())) <= 1 for column in COLUMNS)
    # A missing column is read from one past the last, where an empty cell is added.
    order = [(places.get(column) or (width,))[0] for column in COLUMNS]
    email, name, organisation, country, sectors, language, tag = order
    names = places.get("name", ())

    def read(row: SheetRow) -> RawRow:
        cells = row.cells
        if len(cells) != width:
            cells = _fit_width(cells, width)
        cells = (*cells, "")
        if "'" in "".join(cells):
            cells = tuple(map(unescape_formula, cells))
        return RawRow(
            cells[email],
            cells[name] if single else " ".join(filter(None, (cells[place].strip() for place in names))),
            cells[organisation],
            cells[country],
            cells[sectors],
            cells[language],
            tags(cells[tag]) if tags else cells[tag],
        )

    return read


def _fit_width(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    if any(cell.strip() for cell in cells[width:]):
        raise DetailError(
            "row",
            f"it has {len(cells)} cells but the header has {width}. "
            "Put a cell that contains the delimiter in quotation marks.",
        )
    # A row may be shorter than the header: spreadsheets omit empty cells at the end.
    return (*cells[:width], *("",) * (width - len(cells)))


def _get_cell(row: SheetRow, place: int) -> str:
    return row.cells[place] if place < len(row.cells) else ""


def _with_suppress_reason(
    read: Callable[[SheetRow], RawRow], reason: ConsentEvent
) -> Callable[[SheetRow], RawRow]:
    return lambda row: read(row)._replace(suppress_reason=reason)


def _refuse_nonsubscribed(row: SheetRow) -> RawRow:  # noqa: ARG001 - refused whatever it contains
    raise DetailError("row", "Mailchimp lists this address as never subscribed.")


def _convert_mailchimp_tags(cell: str) -> str:
    """Convert Mailchimp's tags, ``"press","Beijing, China"``, to ours."""
    if "," not in cell and '"' not in cell:
        return cell
    return SEPARATOR.join(tag for tags in csv.reader([cell], skipinitialspace=True) for tag in tags)


def _apply_attributes(row: RawRow, attributes: str) -> RawRow:
    """``row`` with the attributes listmonk stores as JSON."""
    if not attributes.strip():
        return row
    try:
        known: Any = json.loads(attributes)
    except (ValueError, RecursionError) as error:
        raise DetailError(
            "attributes", "this is not JSON. listmonk writes an object here, such as {}."
        ) from error
    if not isinstance(known, dict):
        raise DetailError("attributes", "this is not a JSON object, such as {}.")
    folded = {str(key).casefold(): value for key, value in known.items()}
    changes: dict[str, Any] = {column: _join_values(folded.get(column)) for column in COLUMNS[2:]}
    return row._replace(**changes)


def _join_values(value: Any) -> str:
    if isinstance(value, list):
        return SEPARATOR.join(map(_join_values, value))
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict) else str(value)


def _describe_unknown_column(column: str) -> str:
    near = get_close_matches(column, COLUMNS, n=1, cutoff=0.6)
    question = f' Did you mean "{near[0]}"?' if near else ""
    return (
        f"{quote_for_message(column)} is not a column we know.{question} The first row must name the "
        f"columns: {', '.join(COLUMNS)}; only email is required. Rename the column, remove it, or describe "
        "your columns in a file (--columns)."
    )
