"""The columns that tell who left: found by titles and cells, read, and counted by what values were taken for.

A value that is not understood makes nobody active: its row is put aside, and at the end of the file the
import stops and asks.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from re import Pattern
from types import MappingProxyType

from locales.phrase import gettext_noop
from subscribers.errors import SubscriberError
from subscribers.imports.columns.column_titles import KnownFormat
from subscribers.imports.columns.status_titles import (
    StatusKind,
    StatusTitle,
    classify_title,
    declines,
    is_other_channel,
    is_remark,
    may_be_status,
    mentions_mail,
    names_refusal,
    suggests_leaving,
    tells_how_often,
)
from subscribers.imports.columns.status_words import (
    STRICTNESS,
    StatusMeaning,
    find_left_stem,
    fold,
    is_above_zero,
    is_date,
    is_empty_value,
    is_number,
    is_refusal,
    read_boolean,
    read_status_word,
    strong_words,
)

EMPTY, DATE, ANY_TEXT, OTHERS, EVERY_ROW = "(empty)", "a date", "any text", "other values", "every row"
SOME = "a number above 0"
DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        EMPTY: gettext_noop("(empty)"),
        DATE: gettext_noop("(a date)"),
        ANY_TEXT: gettext_noop("(any text)"),
        OTHERS: gettext_noop("(other values)"),
        EVERY_ROW: gettext_noop("(every row)"),
        SOME: gettext_noop("(a number above 0)"),
    }
)
"""What the report says of many cells at once, and the words for it on a page."""
_MAX_CACHED = 20_000
_MAX_SHOWN = 1_000
_ASKING = frozenset({StatusKind.consent, StatusKind.confirmation, StatusKind.confirmation_date})
STRICTER_THAN_ACTIVE = frozenset(
    meaning for meaning in StatusMeaning if STRICTNESS[meaning] < STRICTNESS[StatusMeaning.active]
)
# Words for people who are on a list, which mean nothing else in an address book.
_ON_THE_LIST = frozenset(
    map(fold, ("active", "subscribed", "unconfirmed", "aktiv", "actif", "activo", "активен"))
)
_MOST_ANSWERS = 5
_LONGEST_WORD = 30
_CODE = re.compile(r"\s*[^\W\d_]{2,12}\s*")
_ASKS = frozenset({StatusKind.consent, StatusKind.confirmation})


@dataclass(frozen=True, kw_only=True)
class StatusColumn:
    """A column that tells who left.

    ``meaning`` is what its title says of those who left, None if that is asked. ``values`` are what a person
    said some cells mean, by their folded text, or by one of :data:`DESCRIPTIONS` for all such cells;
    ``any_value`` is for all other cells with something in them, ``empty`` for those without. ``unknown`` is
    what a cell says that is not understood, None if it must be asked about.
    """

    title: str
    place: int
    kind: StatusKind
    meaning: StatusMeaning | None = StatusMeaning.unsubscribed
    values: Mapping[str, StatusMeaning] = field(default_factory=dict)
    any_value: StatusMeaning | None = None
    empty: StatusMeaning = StatusMeaning.nothing
    unknown: StatusMeaning | None = None

    def read(self, cell: str) -> StatusMeaning | None:
        if self.kind is StatusKind.everybody:
            return self.meaning
        if cell.strip() and (said := self.values.get(fold(cell))):
            return said
        if self.values and (said := self.values.get(self.describe(cell))):
            return said
        if self.any_value is not None and cell.strip():
            return self.any_value
        if is_empty_value(cell):
            # A person who writes "none" under "Consent" did not give it.
            wrote = any(char.isalpha() for char in cell) and self.kind in _ASKING
            return StatusMeaning.unconfirmed if wrote and self.empty is StatusMeaning.nothing else self.empty
        if self.kind is StatusKind.number and is_number(cell):
            return self.meaning if is_above_zero(cell) else StatusMeaning.nothing
        return self._read_words(cell) or self.unknown

    def _read_words(self, cell: str) -> StatusMeaning | None:
        word = read_status_word(cell)
        if word is None and declines(cell):
            word = StatusMeaning.unsubscribed
        if self.kind is StatusKind.status:
            return word
        said = read_boolean(cell)
        if said is not None:
            return self._read_boolean(said)
        if self.kind is StatusKind.reason:
            return word if word in STRICTER_THAN_ACTIVE else self.meaning
        if word is not None:
            return word
        if self.kind in _ASKING and is_refusal(cell):
            return self._read_boolean(False)
        if is_date(cell):
            return self.meaning if self.kind is StatusKind.left else StatusMeaning.active
        return None

    def _read_boolean(self, said: bool) -> StatusMeaning | None:
        if self.kind in _ASKING:
            no = StatusMeaning.unsubscribed if self.kind is StatusKind.consent else StatusMeaning.unconfirmed
            return StatusMeaning.active if said else no
        return self.meaning if said else StatusMeaning.nothing

    def describe(self, cell: str) -> str:
        """Return ``cell`` as the report shows it: dates and reasons, which differ by row, by one word."""
        if self.kind is StatusKind.everybody:
            return EVERY_ROW
        if self.kind is StatusKind.reason and not is_empty_value(cell) and read_boolean(cell) is None:
            return ANY_TEXT
        if not cell.strip():
            return EMPTY
        if self.kind is StatusKind.number and is_number(cell) and is_above_zero(cell):
            return SOME
        return DATE if is_date(cell) and fold(cell) not in self.values else cell.strip()


@dataclass(kw_only=True)
class StatusValueCount:
    """In how many rows a value occurs, and what it was taken for; ``meaning`` is None if unclear."""

    value: str
    rows: int = 0
    meaning: StatusMeaning | None


@dataclass(frozen=True, kw_only=True)
class StatusColumnCount:
    """The values of one column, the most frequent first."""

    column: str
    values: list[StatusValueCount]

    @property
    def unknown(self) -> list[StatusValueCount]:
        return [value for value in self.values if value.meaning is None]


class UnknownStatusError(SubscriberError):
    """A row has a value that is not understood in a column that tells who left."""


class StatusReader:
    """Reads what a row says, and counts.

    ``ignored`` columns count only where a cell mentions leaving. Where one of the others at the places
    ``watched`` says in so many words that a person left, that counts too, or is asked about if the reader
    ``asks``; some have several values, by a separator.
    """

    def __init__(
        self,
        columns: Sequence[StatusColumn],
        *,
        titles: Sequence[str],
        watched: Mapping[int, Pattern[str] | None] = MappingProxyType({}),
        ignored: Sequence[int] = (),
        asks: bool = False,
    ) -> None:
        self._asks = asks
        self._ignored = tuple(ignored)
        self._titles = titles
        self._tallies = [_ColumnTally(column=column) for column in columns]
        self._single = tuple(place for place, separator in watched.items() if separator is None)
        self._several = tuple((place, separator) for place, separator in watched.items() if separator)
        self._strong = strong_words()
        self._seen: dict[int, _ColumnTally] = {}

    def read(self, cells: Sequence[str]) -> StatusMeaning:
        """Return the strictest meaning of the columns about status in a row; raise if one is unclear."""
        found = StatusMeaning.nothing
        is_unknown = False
        for tally in self._tallies:
            meaning = tally.count(cells[tally.column.place])
            if meaning is None:
                is_unknown = True
            elif STRICTNESS[meaning] < STRICTNESS[found]:
                found = meaning
        if is_unknown:
            raise UnknownStatusError("its status is not understood.")
        return self._watch(cells, found)

    def counts(self) -> tuple[StatusColumnCount, ...]:
        return tuple(tally.result() for tally in (*self._tallies, *self._seen.values()) if tally.shown)

    def _watch(self, cells: Sequence[str], found: StatusMeaning) -> StatusMeaning:
        words = [cells[place].strip().casefold() for place in self._single]
        places: list[tuple[int, str]] = []
        if not self._strong.keys().isdisjoint(words):
            places += zip(self._single, words, strict=True)
        for place, separator in self._several:
            if cells[place]:
                words = [word.strip().casefold() for word in separator.split(cells[place])]
                self._require_clear(place, words)
                places += [(place, word) for word in words]
        mentions = [
            (place, cells[place], find_left_stem(cells[place])) for place in self._ignored if cells[place]
        ]
        for place, word, meaning in (
            *((place, word, self._strong.get(word)) for place, word in places),
            *mentions,
        ):
            if meaning:
                self._note(place, word, meaning)
                found = min(found, meaning, key=STRICTNESS.__getitem__)
        return found

    def _require_clear(self, place: int, words: Sequence[str]) -> None:
        unclear = [
            word for word in words if (self._asks or word not in self._strong) and suggests_leaving(word)
        ]
        for word in unclear:
            self._note(place, word, None)
        if unclear:
            raise UnknownStatusError("a tag of it may say that the person left.")

    def _note(self, place: int, word: str, meaning: StatusMeaning | None) -> None:
        tally = self._seen.get(place)
        if tally is None:
            column = StatusColumn(title=self._titles[place], place=place, kind=StatusKind.status)
            tally = self._seen[place] = _ColumnTally(column=column)
        tally.add(word, meaning)


@dataclass(kw_only=True)
class _ColumnTally:
    """Counts the values of a column. A cell is understood once, and looked up afterwards."""

    column: StatusColumn
    cells: dict[str, StatusValueCount] = field(default_factory=dict)
    shown: dict[tuple[str, StatusMeaning | None], StatusValueCount] = field(default_factory=dict)

    def count(self, cell: str) -> StatusMeaning | None:
        tally = self.cells.get(cell)
        if tally is None:
            tally = self._find(self.column.describe(cell), self.column.read(cell))
            if len(self.cells) >= _MAX_CACHED:
                self.cells.clear()
            self.cells[cell] = tally
        tally.rows += 1
        return tally.meaning

    def add(self, value: str, meaning: StatusMeaning | None) -> None:
        self._find(value, meaning).rows += 1

    def result(self) -> StatusColumnCount:
        ordered = sorted(self.shown.values(), key=lambda tally: -tally.rows)
        return StatusColumnCount(column=self.column.title, values=list(map(replace, ordered)))

    def _find(self, shown: str, meaning: StatusMeaning | None) -> StatusValueCount:
        key = (fold(shown), meaning)
        if key not in self.shown and len(self.shown) >= _MAX_SHOWN:
            shown, key = OTHERS, (OTHERS, meaning)
        return self.shown.setdefault(key, StatusValueCount(value=shown, meaning=meaning))


def are_understood(column: StatusColumn, cells: Sequence[str]) -> tuple[int, int]:
    """Return how many of the cells with something in them are understood, and how many are not.

    Plain numbers other than 0 and 1 count as not understood.
    """
    filled = [cell for cell in cells if not is_empty_value(cell)]
    known = sum(
        column.read(cell) is not None and (read_boolean(cell) is not None or not is_number(cell))
        for cell in filled
    )
    return known, len(filled) - known


def guess_statuses(
    titles: Sequence[str],
    sample: Sequence[Sequence[str]],
    *,
    taken: Collection[int] = (),
    known: KnownFormat | None = None,
    has_titles: bool = True,
) -> tuple[tuple[StatusColumn, ...], tuple[int, ...]]:
    """Find the columns that tell who left, except for those that are ``taken``, and the places of columns
    that may, but do not say how. ``sample`` are the cells of the first rows, one sequence for each column.
    What ``known`` says counts first.
    """
    columns: list[StatusColumn] = []
    doubtful: list[int] = []
    for place, title in enumerate(titles):
        if place in taken:
            continue
        cells = sample[place]
        said = known.status.get(fold(title)) if known else None
        if said is not None:
            columns.append(_take_known(place, title, said))
        elif (known and fold(title) in known.ignored) or is_other_channel(title):
            continue
        elif column := _guess_column(place, title, cells, has_titles=has_titles):
            columns.append(column)
        elif _is_doubtful(title, cells, has_titles=has_titles):
            doubtful.append(place)
    return ease_dates_of_change(_drop_postal(columns), sample), tuple(doubtful)


def make_status_column(title: str, place: int, cells: Sequence[str] = ()) -> StatusColumn:
    """Return how to read a column that is known to tell who left; ``cells`` are its first."""
    if guessed := _guess_column(place, title, cells, has_titles=True):
        return guessed
    found = classify_title(title) or StatusTitle(kind=StatusKind.status)
    return StatusColumn(title=title, place=place, kind=found.kind, meaning=found.meaning)


def _take_known(place: int, title: str, said: StatusKind | Mapping[str, StatusMeaning]) -> StatusColumn:
    column = make_status_column(title, place)
    return replace(column, kind=said) if isinstance(said, StatusKind) else replace(column, values=said)


def _guess_column(place: int, title: str, cells: Sequence[str], *, has_titles: bool) -> StatusColumn | None:
    if has_titles and tells_how_often(title):
        kind = StatusKind.consent
        return StatusColumn(title=title, place=place, kind=kind, unknown=StatusMeaning.nothing)
    found = classify_title(title) if has_titles else None
    if found is None:
        if not _speaks_of_status(title, cells):
            return None
        return StatusColumn(title=title, place=place, kind=StatusKind.status)
    column = StatusColumn(title=title, place=place, kind=found.kind, meaning=found.meaning)
    if found.kind is StatusKind.left and names_refusal(title):
        # A survey repeats the answer in the cells of its column.
        return replace(column, values={fold(title.rpartition(": ")[2]): found.meaning})
    if found.kind is StatusKind.confirmation_date:
        has_dates = any(is_date(cell) and not is_empty_value(cell) for cell in cells)
        return replace(column, empty=StatusMeaning.unconfirmed) if has_dates else None
    if found.kind is StatusKind.confirmation and _has_only_dates(cells):
        return replace(column, kind=StatusKind.confirmation_date, empty=StatusMeaning.unconfirmed)
    if found.kind is StatusKind.number:
        return _guess_count(column, cells, is_final=found.is_certain)
    known, unknown = are_understood(column, cells)
    if not found.is_certain and unknown and not known:
        if found.kind not in _ASKS:
            return None
        # A few values may be answers we do not know, and are asked about. Many are names or remarks; a "no"
        # further down still counts.
        is_choice = len({fold(cell) for cell in cells if not is_empty_value(cell)}) <= _MOST_ANSWERS
        return column if is_choice else replace(column, unknown=StatusMeaning.nothing)
    return replace(column, empty=StatusMeaning.unconfirmed) if _is_tick_box(column, cells) else column


def _guess_count(column: StatusColumn, cells: Sequence[str], *, is_final: bool) -> StatusColumn | None:
    filled = [cell for cell in cells if not is_empty_value(cell)]
    if not filled or not all(map(is_number, filled)):
        return None
    return replace(column, meaning=column.meaning if is_final else None, unknown=StatusMeaning.nothing)


def _is_tick_box(column: StatusColumn, cells: Sequence[str]) -> bool:
    """Return whether a column about consent is ticked, dated or empty, never no: then empty is no consent."""
    if column.kind is not StatusKind.consent or not any(map(is_empty_value, cells)):
        return False
    filled = [cell for cell in cells if not is_empty_value(cell)]
    return bool(filled) and all(read_boolean(cell) is True or is_date(cell) for cell in filled)


def _has_only_dates(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if not is_empty_value(cell)]
    return bool(filled) and all(map(is_date, filled))


def _speaks_of_status(title: str, cells: Sequence[str]) -> bool:
    """Return whether the cells of a column under another title are words for a status, and nothing else."""
    if any(len(cell) > _LONGEST_WORD for cell in cells):
        return False
    # A code such as 5.1.1 is no longer one when folded.
    meanings = {fold(cell): read_status_word(cell) for cell in cells if not is_empty_value(cell)}
    filled = meanings.keys()
    is_about_list = not _ON_THE_LIST.isdisjoint(filled) or not STRICTER_THAN_ACTIVE.isdisjoint(
        meaning for meaning in meanings.values() if meaning
    )
    if may_be_status(title):
        return is_about_list
    # Most of them are enough, and the others are asked about: "active", "inactive" and "on leave". Among a
    # few short codes in every row, one is: "Act", "Unsub", "Bnc".
    understood = sum(meaning is not None for meaning in meanings.values())
    is_code = len(filled) <= _MOST_ANSWERS and all(map(_CODE.fullmatch, cells))
    if is_remark(title):
        return is_about_list and understood == len(filled)
    return is_about_list and (understood > len(filled) / 2 or is_code)


def _is_doubtful(title: str, cells: Sequence[str], *, has_titles: bool) -> bool:
    filled = [cell for cell in cells if not is_empty_value(cell)]
    if not filled or not all(read_boolean(cell) is not None for cell in filled):
        return False
    return mentions_mail(title) if has_titles else True


def ease_dates_of_change(
    columns: Sequence[StatusColumn], sample: Sequence[Sequence[str]]
) -> tuple[StatusColumn, ...]:
    """Let days on which a status changed raise no question where another column has the status itself. A
    word for leaving among those days still counts."""
    dates = [
        column
        for column in columns
        if column.kind is StatusKind.status and not column.values and _has_only_dates(sample[column.place])
    ]
    has_words = any(column.kind is StatusKind.status and column not in dates for column in columns)
    return tuple(
        replace(column, unknown=StatusMeaning.nothing) if has_words and column in dates else column
        for column in columns
    )


def _drop_postal(columns: Sequence[StatusColumn]) -> tuple[StatusColumn, ...]:
    """Drop "Do not mail", which is about post where there is "Do not email" too."""
    folded = {fold(column.title) for column in columns}
    if "donotemail" not in folded:
        return tuple(columns)
    return tuple(column for column in columns if fold(column.title) != "donotmail")
