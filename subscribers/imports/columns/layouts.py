"""Which column of a file holds what, and rows read by it: an address, a whole name, what they say of leaving.

Files in our own format have our columns, in any order, with or without the optional ones. listmonk keeps the
details as JSON in one column, ``attributes``.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from re import Pattern
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from unicodedata import name as character_name

from locales.languages import find_language
from locales.phrase import Phrase, gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow, unescape_formula, unescape_formulas
from subscribers.errors import DetailError, ImportFileError, SubscriberError, quote_for_message
from subscribers.imports.columns.column_titles import is_exchange_name
from subscribers.imports.columns.status_columns import StatusColumn, StatusReader
from subscribers.imports.columns.status_titles import (
    is_other_channel,
)
from subscribers.imports.columns.status_words import (
    SUPPRESS_REASONS,
    StatusMeaning,
)
from subscribers.models import ConsentEvent
from subscribers.validation import clean_sectors, clean_tag

_SEVERAL = re.compile(r"[;,|、，；\n]|:::")
_SECTORS = re.compile(r"[;,|/、，；\n]|:::")
_ADDRESSES = " ::: "
# "Dupont, José" and "de la Cruz, María José", but not "ACME SA, Paris".
_TURNED = re.compile(
    r"((?:[a-z][\w'’]* ){0,3}[^\W\d_][\w'’-]*), ([^\W\d_][\w'’-]*\.?(?: [^\W\d_][\w'’-]*\.?){0,2})"
)
_MAX_UNUSED = 1_000
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class ColumnLayout:
    """``header_row`` is the number of the row with the ``titles`` of the file, 0 if there is none.

    ``places`` are the columns, counted from 0, for each of
    :data:`subscribers.imports.columns.column_titles.FIELDS`, in the order of preference. ``statuses`` tell
    who left, ``ignored`` columns do not although they look like it. ``tag_separator`` is between tags, if it
    is known.
    """

    titles: tuple[str, ...]
    header_row: int
    places: Mapping[str, tuple[int, ...]]
    statuses: tuple[StatusColumn, ...] = ()
    tag_separator: str | None = None
    ignored: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[int, ...]:
        """The columns of the name, in the order in which they are read."""
        parts = tuple(place for part in ("given", "middle", "family") for place in self.places.get(part, ()))
        return parts + self.places.get("name", ())

    @property
    def used(self) -> frozenset[int]:
        held = {place for places in self.places.values() for place in places}
        return frozenset(held | {column.place for column in self.statuses})

    @property
    def meaning(self) -> Mapping[str, tuple[str, ...]]:
        shown = {
            "email": self.places.get("email", ()),
            "name": self.names,
            **{
                field: self.places.get(field, ())
                for field in ("organisation", "country", "sectors", "language", "tags")
            },
        }
        return MappingProxyType(
            {ours: tuple(self.titles[place] for place in places) for ours, places in shown.items() if places}
        )

    @property
    def unused(self) -> tuple[str, ...]:
        used = self.used
        return tuple(title for place, title in enumerate(self.titles) if place not in used and title)


class RawRow(NamedTuple):
    """Cells as written, several sectors or tags separated by semicolons; and why this address must not get
    mail, if so.
    """

    email: str
    name: str
    organisation: str
    country: str
    sectors: str
    language: str
    tags: str
    suppress_reason: ConsentEvent | None = None


class LayoutReader:
    """Reads rows of a file by ``layout``.

    ``sectors`` are those of the workspace, with their names if they have any. Other sectors, and unusable
    tags and languages, are left out and noted; if ``is_strict``, they are kept, and their rows refused later.
    ``divided`` are those of our columns whose cells are divided as in any other list all the same.
    ``unwatched`` columns are not searched for words about leaving. If the names are ``turned``, those
    such as "Dupont, José" are turned back.
    """

    def __init__(
        self,
        layout: ColumnLayout,
        *,
        sectors: Collection[str],
        is_strict: bool = False,
        divided: Collection[str] = (),
        unwatched: Collection[int] = (),
        turned: bool = False,
    ) -> None:
        self.layout = layout
        self._turned = turned
        self._is_strict = is_strict
        self._divided = frozenset(divided)
        self._width = len(layout.titles)
        self._sectors = sectors
        self._sector_names: dict[str, str] = (
            {name.strip().casefold(): slug for slug, name in sectors.items()}
            if isinstance(sectors, Mapping)
            else {}
        )
        self.unused_values: Counter[tuple[str, str]] = Counter()
        """The rows with each value that was left out, by the title of its column."""
        tags = layout.places.get("tags", ())[:1]
        self._tag_separator = (
            re.compile(re.escape(layout.tag_separator)) if layout.tag_separator else _SEVERAL
        )
        watched: dict[int, Pattern[str] | None] = {
            place: None
            for place, title in enumerate(layout.titles)
            if place not in layout.used and place not in unwatched and not is_other_channel(title)
        }
        self.statuses = StatusReader(
            layout.statuses,
            titles=layout.titles,
            watched=watched | dict.fromkeys(tags, self._tag_separator),
            ignored=[place for place in layout.ignored if place in watched],
        )

    def read(self, row: SheetRow) -> RawRow:
        cells = unescape_formulas(fit_width(row.cells, self._width))
        if row.is_empty:
            raise DetailError("row", Phrase("it is empty."))
        meaning = self.statuses.read(cells)
        if meaning is StatusMeaning.unconfirmed:
            words = gettext_noop(
                "this person never subscribed, or never confirmed the address, so nobody may write to it."
            )
            raise DetailError("status", Phrase(words))
        email = self._read_email(cells)
        if reason := SUPPRESS_REASONS.get(meaning):
            return RawRow(email, self._read_name(cells), "", "", "", "", "", reason)
        return RawRow(
            email,
            self._read_name(cells),
            self._first(cells, "organisation"),
            self._first(cells, "country"),
            self._read_sectors(self._first(cells, "sectors")),
            self._read_language(self._first(cells, "language")),
            self._read_tags(self._first(cells, "tags")),
        )

    def _read_email(self, cells: tuple[str, ...]) -> str:
        places = self.layout.places["email"]
        filled = [place for place in places if cells[place].strip()]
        usable = [place for place in filled if not is_exchange_name(cells[place])]
        if not usable:
            if filled:
                words = gettext_noop(
                    "%(text)s names a mailbox inside Exchange (E-mail Type EX) and is no address. Look up "
                    "the "
                    "address in Outlook and enter it."
                )
                raise DetailError("email", Phrase(words, text=quote_for_message(cells[filled[0]], 40)))
            return ""
        # The first is imported, and the report names the others, as in a cell with several addresses.
        return cells[usable[0]] if len(usable) == 1 else _ADDRESSES.join(cells[place] for place in usable)

    def _read_name(self, cells: tuple[str, ...]) -> str:
        given, middle, family = (self._first(cells, part) for part in ("given", "middle", "family"))
        if parts := join_name(given, middle, family):
            return parts
        names = tuple(cells[place].strip() for place in self.layout.places.get("name", ()))
        filled = tuple(filter(None, names))
        # A columns file may spread the name over several columns.
        name = join_parts(filled if self._is_strict else filled[:1])
        return turn_name(name) if self._turned else name

    def _first(self, cells: tuple[str, ...], field_name: str) -> str:
        for place in self.layout.places.get(field_name, ()):
            if text := cells[place].strip():
                return text
        return ""

    def _read_sectors(self, cell: str) -> str:
        if not cell or (self._is_strict and "sectors" not in self._divided):
            return cell
        whole = self._find_sector(cell)
        pieces = [cell] if whole else [piece.strip() for piece in _SECTORS.split(cell)]
        found = []
        for piece in filter(None, pieces):
            if slug := self._find_sector(piece):
                found.append(slug)
            elif self._is_strict:
                found.append(piece)
            else:
                self._leave_out("sectors", piece)
        return SEPARATOR.join(found)

    def _find_sector(self, text: str) -> str | None:
        if slug := self._sector_names.get(text.strip().casefold()):
            return slug
        try:
            return next(iter(clean_sectors([text], tuple(self._sectors))), None)
        except SubscriberError:
            return None

    def _read_language(self, cell: str) -> str:
        if not cell:
            return ""
        if tag := _find_language(cell):
            return tag
        if self._is_strict:
            return cell
        self._leave_out("language", cell)
        return ""

    def _read_tags(self, cell: str) -> str:
        is_as_written = self._is_strict and not self.layout.tag_separator and "tags" not in self._divided
        if not cell or is_as_written:
            return cell
        found = []
        for piece in self._split_tags(cell):
            # Google marks its own groups, such as "* myContacts", by a star.
            if not piece or (self.layout.tag_separator == ":::" and piece.startswith("*")):
                continue
            try:
                found.append(clean_tag(piece))
            except SubscriberError:
                if self._is_strict:
                    raise
                self._leave_out("tags", piece)
        return SEPARATOR.join(found)

    def _split_tags(self, cell: str) -> list[str]:
        if (listed := _read_array(cell)) is not None:
            return listed
        if '"' in cell:  # "press","Beijing, China", as Mailchimp writes them
            return [tag.strip() for tags in csv.reader([cell], skipinitialspace=True) for tag in tags]
        return [tag.strip() for tag in self._tag_separator.split(cell)]

    def _leave_out(self, field_name: str, value: str) -> None:
        left_out = self.layout.titles[self.layout.places[field_name][0]], value
        if left_out in self.unused_values or len(self.unused_values) < _MAX_UNUSED:
            self.unused_values[left_out] += 1


def _read_array(cell: str) -> list[str] | None:
    if not cell.startswith("["):
        return None
    try:
        known: Any = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return [str(text).strip() for text in known if text is not None] if isinstance(known, list) else None


def fit_width(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Return as many ``cells`` as the header has; refuse a row with something in those beyond."""
    if len(cells) == width:
        return cells
    if any(cell.strip() for cell in cells[width:]):
        words = gettext_noop(
            "it has %(number)s cells but the header has %(width)s. Put a cell that contains the delimiter in "
            "quotation marks."
        )
        raise DetailError("row", Phrase(words, number=len(cells), width=width))
    # A row may be shorter than the header: spreadsheets omit empty cells at the end.
    return (*cells[:width], *("",) * (width - len(cells)))


def join_name(given: str, middle: str, family: str) -> str:
    """Join the parts of a name: with the family's first, and no space, if it is written in Chinese,
    Japanese or Korean characters."""
    parts = tuple(filter(None, (given, middle, family)))
    if len(parts) > 1 and all(map(is_east_asian, parts)):
        return join_parts(tuple(filter(None, (family, middle, given))))
    return " ".join(parts)


def join_parts(parts: tuple[str, ...]) -> str:
    """Join the parts of a name in this order, without spaces if all are written in East Asian characters."""
    return ("" if all(map(is_east_asian, parts)) else " ").join(parts)


def are_turned(names: Sequence[str]) -> bool:
    """Return whether most of a column's names have the family's first and a comma, as a directory writes
    them. One such name among others may be an organisation or a title."""
    filled = [name for name in map(str.strip, names) if name]
    return sum(_TURNED.fullmatch(name) is not None for name in filled) > len(filled) / 2


def turn_name(name: str) -> str:
    found = _TURNED.fullmatch(name)
    return join_name(found[2], "", found[1]) if found else name


@lru_cache(4096)
def is_east_asian(text: str) -> bool:
    """Return whether every letter of ``text`` is a Chinese character, kana or Hangul."""
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and all(
        character_name(char, "").startswith(("CJK ", "HANGUL ", "HIRAGANA ", "KATAKANA ")) for char in letters
    )


@lru_cache(4096)
def _find_language(cell: str) -> str | None:
    return find_language(cell)


@dataclass(frozen=True, kw_only=True)
class OwnColumns:
    """``places`` says which of the ``titles`` each of our columns is. Cells come in the order of our columns
    and as written; those of a missing column are empty.
    """

    titles: tuple[str, ...]
    places: Mapping[str, int] = field(repr=False)

    def pick_cells(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        return self._pick(fit_width(cells, len(self.titles)), "")

    def pick_columns(self, rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """Return the cells of many rows, all as wide as the header, by column."""
        return self._pick(tuple(zip(*rows, strict=True)), ("",) * len(rows))

    def _pick(self, items: tuple[Item, ...], missing: Item) -> tuple[Item, ...]:
        return tuple(items[self.places[column]] if column in self.places else missing for column in COLUMNS)


def find_own_columns(row: SheetRow, name: str) -> OwnColumns | None:
    """Return the columns of a first row that has ours and no other, None for other files."""
    titles = [cell.strip().removeprefix("\ufeff") for cell in row.cells]
    while titles and titles[-1] == "":  # spreadsheets leave empty columns at the end
        titles.pop()
    columns = [title.casefold() for title in titles]
    if not titles or not set(columns) <= set(COLUMNS):
        return None
    for column in columns:
        if columns.count(column) > 1:
            raise ImportFileError(
                name,
                gettext_noop('the column "%(column)s" appears twice. Remove one of them.')
                % {"column": column},
                row.number,
            )
    if "email" not in columns:
        raise ImportFileError(name, gettext_noop("there is no email column, and it is required."), row.number)
    places = {column: columns.index(column) for column in COLUMNS if column in columns}
    return OwnColumns(titles=tuple(titles), places=places)


def make_listmonk_reader(reader: LayoutReader, attributes: int) -> Callable[[SheetRow], RawRow]:
    def read(row: SheetRow) -> RawRow:
        raw = reader.read(row)
        if raw.suppress_reason is not None:
            # Nothing else about people who left is kept, so nothing else can be wrong.
            return raw
        cell = row.cells[attributes] if attributes < len(row.cells) else ""
        return _apply_attributes(raw, unescape_formula(cell))

    return read


def _apply_attributes(row: RawRow, attributes: str) -> RawRow:
    if not attributes.strip():
        return row
    try:
        known: Any = json.loads(attributes)
    except (ValueError, RecursionError) as error:
        words = gettext_noop("this is not JSON. listmonk writes an object here, such as {}.")
        raise DetailError("attributes", Phrase(words)) from error
    if not isinstance(known, dict):
        raise DetailError("attributes", Phrase("this is not a JSON object, such as {}."))
    folded = {str(key).casefold(): value for key, value in known.items()}
    changes: dict[str, Any] = {column: _join_values(folded.get(column)) for column in COLUMNS[2:]}
    return row._replace(**changes)


def _join_values(value: Any) -> str:
    if isinstance(value, list):
        return SEPARATOR.join(map(_join_values, value))
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict) else str(value)
