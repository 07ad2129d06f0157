"""Which column means what: ours, Mailchimp's and listmonk's by their headers, any other by a table."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from subscribers.csv_format import COLUMNS, SEPARATOR, Row, restore
from subscribers.errors import DetailError, ImportFileError, reprinted
from subscribers.imports.files.columns_file import ColumnTable
from subscribers.imports.files.raw_row import Entry
from subscribers.models import Event


class Maker(StrEnum):
    """Who made the file."""

    ours = "partner-mailer"
    """Our own columns."""

    mailchimp = "Mailchimp"
    """An audience exported from Mailchimp, or one of its three files."""

    listmonk = "listmonk"
    """Subscribers exported from listmonk."""

    other = "your table of columns"
    """Anything else, explained by a person."""


class Role(StrEnum):
    """Who is in a file of an archive, which Mailchimp tells by its name alone."""

    members = "subscribed"
    """People who get the newsletter."""

    unsubscribed = "unsubscribed"
    """People who left."""

    cleaned = "cleaned"
    """Dead addresses."""

    strangers = "nonsubscribed"
    """People who never asked for the newsletter."""


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
_LISTMONK_STATUSES: Mapping[str, Event | None] = MappingProxyType(
    {"": None, "enabled": None, "disabled": Event.unsubscribed, "blocklisted": Event.suppressed}
)
_LEAVES: Mapping[Role, Event] = MappingProxyType(
    {Role.unsubscribed: Event.unsubscribed, Role.cleaned: Event.bounced}
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How rows become entries. ``meaning`` maps our columns to those of the file, for a person to look at;
    ``unused`` are the file's other columns. ``may_leave`` says whether a row can be about somebody who left.

    ``read`` raises :class:`subscribers.errors.DetailError` for a row that cannot be used.
    """

    maker: Maker
    meaning: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    may_leave: bool
    read: Callable[[Row], Entry]


def find_layout(
    header: Row | None, name: str, *, table: ColumnTable | None = None, role: Role | None = None
) -> Layout:
    """The layout that ``header`` announces, or that ``table`` explains.

    Raises:
        ImportFileError: the first row is missing or names columns that nobody knows.
    """
    if header is None or header.is_empty:
        raise ImportFileError(name, f"the first row must name the columns: {', '.join(COLUMNS)}.", 1)
    titles = [cell.strip().removeprefix("\ufeff") for cell in header.cells]
    while titles[-1] == "":  # spreadsheets leave empty columns at the end
        titles.pop()
    known = {title.casefold() for title in titles}
    if table is not None:
        return _explained(titles, name, table)
    if "email address" in known:
        return _mailchimp(titles, role)
    if {"email", "attributes"} <= known:
        return _listmonk(titles)
    return _ours(titles, name)


def _ours(titles: list[str], name: str) -> Layout:
    columns = [title.casefold() for title in titles]
    for column in columns:
        if column not in COLUMNS:
            raise ImportFileError(name, _unknown_column(column), 1)
        if columns.count(column) > 1:
            raise ImportFileError(name, f'the column "{column}" appears twice. Remove one of them.', 1)
    if "email" not in columns:
        raise ImportFileError(name, "there is no email column, and it is required.", 1)
    places = {column: (columns.index(column),) for column in COLUMNS if column in columns}
    return _layout(Maker.ours, titles, places, _reader(len(titles), places))


def _mailchimp(titles: list[str], role: Role | None) -> Layout:
    folded = [title.casefold() for title in titles]
    places = {
        column: tuple(folded.index(title) for title in names if title in folded)[
            : 2 if column == "name" else 1
        ]
        for column, names in _MAILCHIMP.items()
    }
    read = _reader(len(titles), places, tags=_comma_tags)
    leave = _LEAVES.get(role) if role else None
    if leave is None:
        leave = (
            Event.bounced
            if "clean_time" in folded
            else Event.unsubscribed
            if "unsub_time" in folded
            else None
        )
    if role is Role.strangers:
        read = _refuse_stranger
    return _layout(
        Maker.mailchimp, titles, places, _leaving(read, leave) if leave else read, may_leave=leave is not None
    )


def _listmonk(titles: list[str]) -> Layout:
    folded = [title.casefold() for title in titles]
    places = {"email": (folded.index("email"),)} | (
        {"name": (folded.index("name"),)} if "name" in folded else {}
    )
    plain = _reader(len(titles), places)
    attributes = folded.index("attributes")
    status = folded.index("status") if "status" in folded else None

    def read(row: Row) -> Entry:
        entry = plain(row)
        said = _cell(row, status).strip().casefold() if status is not None else ""
        if said not in _LISTMONK_STATUSES:
            raise DetailError("status", f"{reprinted(said)} is not a listmonk status.")
        return _attributed(entry, restore(_cell(row, attributes)))._replace(leave=_LISTMONK_STATUSES[said])

    shown = places | dict.fromkeys(COLUMNS[2:], (attributes,))
    return _layout(Maker.listmonk, titles, shown, read, may_leave=status is not None, used=(status,))


def _explained(titles: list[str], name: str, table: ColumnTable) -> Layout:
    folded = [title.casefold() for title in titles]
    places: dict[str, tuple[int, ...]] = {}
    for column, wanted in table.columns.items():
        for title in wanted:
            if title.casefold() not in folded:
                raise ImportFileError(
                    name, f"there is no column {reprinted(title)}, although {table.name} names it.", 1
                )
        places[column] = tuple(folded.index(title.casefold()) for title in wanted)
    status = None
    if table.status_column:
        if table.status_column.casefold() not in folded:
            raise ImportFileError(
                name,
                f"there is no column {reprinted(table.status_column)}, although {table.name} names it.",
                1,
            )
        status = folded.index(table.status_column.casefold())
    plain = _reader(len(titles), places)

    def read(row: Row) -> Entry:
        entry = table.translate(plain(row))
        return (
            entry
            if status is None
            else entry._replace(leave=table.leaves.get(_cell(row, status).strip().casefold()))
        )

    return _layout(Maker.other, titles, places, read, may_leave=status is not None, used=(status,))


def _layout(
    maker: Maker,
    titles: list[str],
    places: Mapping[str, tuple[int, ...]],
    read: Callable[[Row], Entry],
    *,
    may_leave: bool = False,
    used: tuple[int | None, ...] = (),
) -> Layout:
    taken = {place for several in places.values() for place in several} | set(used)
    return Layout(
        maker=maker,
        meaning={
            column: tuple(titles[place] for place in several) for column, several in places.items() if several
        },
        unused=tuple(title for place, title in enumerate(titles) if place not in taken and title),
        may_leave=may_leave,
        read=read,
    )


def _reader(
    width: int, places: Mapping[str, tuple[int, ...]], *, tags: Callable[[str], str] | None = None
) -> Callable[[Row], Entry]:
    """A function that takes a row apart; it runs a million times, so it does little."""
    single = all(len(places.get(column, ())) <= 1 for column in COLUMNS)
    # A column that is not there is read from beyond the last, where an empty cell is put.
    order = [(places.get(column) or (width,))[0] for column in COLUMNS]
    email, name, organisation, country, sectors, language, tag = order
    names = places.get("name", ())

    def read(row: Row) -> Entry:
        cells = row.cells
        if len(cells) != width:
            cells = _fitted(cells, width)
        cells = (*cells, "")
        if "'" in "".join(cells):
            cells = tuple(map(restore, cells))
        return Entry(
            cells[email],
            cells[name] if single else " ".join(filter(None, (cells[place].strip() for place in names))),
            cells[organisation],
            cells[country],
            cells[sectors],
            cells[language],
            tags(cells[tag]) if tags else cells[tag],
        )

    return read


def _fitted(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    if any(cell.strip() for cell in cells[width:]):
        raise DetailError(
            "row",
            f"it has {len(cells)} cells but the header has {width}. "
            "Put a cell that contains the delimiter in quotation marks.",
        )
    # A row may be shorter than the header: spreadsheets leave empty cells at its end away.
    return (*cells[:width], *("",) * (width - len(cells)))


def _cell(row: Row, place: int) -> str:
    return row.cells[place] if place < len(row.cells) else ""


def _leaving(read: Callable[[Row], Entry], leave: Event) -> Callable[[Row], Entry]:
    return lambda row: read(row)._replace(leave=leave)


def _refuse_stranger(row: Row) -> Entry:  # noqa: ARG001 - whoever it is
    raise DetailError("row", "Mailchimp lists this address as never subscribed.")


def _comma_tags(cell: str) -> str:
    """Mailchimp's tags, ``"press","Beijing, China"``, as ours."""
    if "," not in cell and '"' not in cell:
        return cell
    return SEPARATOR.join(tag for tags in csv.reader([cell], skipinitialspace=True) for tag in tags)


def _attributed(entry: Entry, attributes: str) -> Entry:
    """``entry`` with what listmonk keeps as JSON."""
    if not attributes.strip():
        return entry
    try:
        known: Any = json.loads(attributes)
    except (ValueError, RecursionError) as error:
        raise DetailError(
            "attributes", "this is not JSON. listmonk writes an object here, such as {}."
        ) from error
    if not isinstance(known, dict):
        raise DetailError("attributes", "this is not a JSON object, such as {}.")
    folded = {str(key).casefold(): value for key, value in known.items()}
    changes: dict[str, Any] = {column: _joined(folded.get(column)) for column in COLUMNS[2:]}
    return entry._replace(**changes)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return SEPARATOR.join(map(_joined, value))
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict) else str(value)


def _unknown_column(column: str) -> str:
    near = get_close_matches(column, COLUMNS, n=1, cutoff=0.6)
    question = f' Did you mean "{near[0]}"?' if near else ""
    return (
        f"{reprinted(column)} is not a column we know.{question} The first row must name the columns: "
        f"{', '.join(COLUMNS)}; only email is required. Rename the column, remove it, or describe your "
        "columns in a file (--columns)."
    )
