"""Read the columns that tell who left, and count what each of their values was taken for.

A value that is not understood makes nobody active: its row is put aside, and at the end of the file the
import stops and asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from re import Pattern
from types import MappingProxyType

from subscribers.errors import SubscriberError
from subscribers.imports.columns.status_titles import StatusKind
from subscribers.imports.columns.status_words import (
    STRICTNESS,
    StatusMeaning,
    find_left_stem,
    fold,
    is_date,
    is_empty_value,
    is_number,
    is_refusal,
    read_boolean,
    read_status_word,
    strong_words,
)

EMPTY, DATE, ANY_TEXT, OTHERS, EVERY_ROW = "(empty)", "a date", "any text", "other values", "every row"
DESCRIPTIONS = frozenset({EMPTY, DATE, ANY_TEXT, OTHERS, EVERY_ROW})
"""What the report says of many cells at once."""
_MAX_CACHED = 20_000
_MAX_SHOWN = 1_000


@dataclass(frozen=True, kw_only=True)
class StatusColumn:
    """A column that tells who left.

    ``meaning`` is what its title says of those who left. ``values`` are what a person said some cells mean,
    by their folded text, or by one of :data:`DESCRIPTIONS` for all such cells; ``any_value`` is for all other
    cells with something in them, ``empty`` for those without. ``unknown`` is what a cell says that is not
    understood, None if it must be asked about.
    """

    title: str
    place: int
    kind: StatusKind
    meaning: StatusMeaning = StatusMeaning.unsubscribed
    values: Mapping[str, StatusMeaning] = field(default_factory=dict)
    any_value: StatusMeaning | None = None
    empty: StatusMeaning = StatusMeaning.nothing
    unknown: StatusMeaning | None = None

    def read(self, cell: str) -> StatusMeaning | None:
        """Return what ``cell`` says, None if it is not understood."""
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
        return self._read_words(cell) or self.unknown

    def _read_words(self, cell: str) -> StatusMeaning | None:
        word = read_status_word(cell)
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

    def _read_boolean(self, said: bool) -> StatusMeaning:
        if self.kind in _ASKING:
            no = StatusMeaning.unsubscribed if self.kind is StatusKind.consent else StatusMeaning.unconfirmed
            return StatusMeaning.active if said else no
        return self.meaning if said else StatusMeaning.nothing

    def describe(self, cell: str) -> str:
        """``cell`` as the report shows it: dates and reasons, which differ in every row, by a word for
        all.
        """
        if self.kind is StatusKind.everybody:
            return EVERY_ROW
        if self.kind is StatusKind.reason and not is_empty_value(cell) and read_boolean(cell) is None:
            return ANY_TEXT
        if not cell.strip():
            return EMPTY
        return DATE if is_date(cell) and fold(cell) not in self.values else cell.strip()


_ASKING = frozenset({StatusKind.consent, StatusKind.confirmation, StatusKind.confirmation_date})
STRICTER_THAN_ACTIVE = frozenset(
    meaning for meaning in StatusMeaning if STRICTNESS[meaning] < STRICTNESS[StatusMeaning.active]
)


@dataclass(frozen=True, kw_only=True)
class StatusValueCount:
    """How often a value occurs, and what it was taken for; ``meaning`` is None if it was not understood."""

    value: str
    count: int
    meaning: StatusMeaning | None


@dataclass(frozen=True, kw_only=True)
class StatusColumnCount:
    """The values of one column, the most frequent first."""

    title: str
    values: tuple[StatusValueCount, ...]

    @property
    def unknown(self) -> tuple[StatusValueCount, ...]:
        return tuple(value for value in self.values if value.meaning is None)


class UnknownStatusError(SubscriberError):
    """A row has a value that is not understood in a column that tells who left."""


class StatusReader:
    """Reads what a row says, and counts.

    ``ignored`` columns count only where a cell mentions leaving. ``watched`` are the places of all other
    columns, each with its separator if it has several values: where one of them says in so many words
    that a person left, that counts too.
    """

    def __init__(
        self,
        columns: Sequence[StatusColumn],
        *,
        titles: Sequence[str],
        watched: Mapping[int, Pattern[str] | None] = MappingProxyType({}),
        ignored: Sequence[int] = (),
    ) -> None:
        self._ignored = tuple(ignored)
        self.columns = tuple(columns)
        self._titles = titles
        self._tallies = [_ColumnTally(column=column) for column in self.columns]
        self._single = tuple(place for place, separator in watched.items() if separator is None)
        self._several = tuple((place, separator) for place, separator in watched.items() if separator)
        self._strong = strong_words()
        self._seen: dict[int, _ColumnTally] = {}

    def read(self, cells: Sequence[str]) -> StatusMeaning:
        """Return the strictest meaning of the columns about status in a row.

        Raises:
            UnknownStatusError: a value is not understood.
        """
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
        """Return the values of each column that has been read so far, with what they were taken for."""
        return tuple(tally.result() for tally in (*self._tallies, *self._seen.values()) if tally.has_values)

    def _watch(self, cells: Sequence[str], found: StatusMeaning) -> StatusMeaning:
        words = [cells[place].strip().casefold() for place in self._single]
        places: list[tuple[int, str]] = []
        if not self._strong.keys().isdisjoint(words):
            places += zip(self._single, words, strict=True)
        for place, separator in self._several:
            if cells[place]:
                places += [(place, word.strip().casefold()) for word in separator.split(cells[place])]
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

    def _note(self, place: int, word: str, meaning: StatusMeaning) -> None:
        tally = self._seen.get(place)
        if tally is None:
            column = StatusColumn(title=self._titles[place], place=place, kind=StatusKind.status)
            tally = self._seen[place] = _ColumnTally(column=column)
        tally.add(word, meaning)


@dataclass(kw_only=True)
class _ValueTally:
    value: str
    meaning: StatusMeaning | None
    count: int = 0


@dataclass(kw_only=True)
class _ColumnTally:
    """Counts the values of a column. A cell is understood once, and looked up afterwards."""

    column: StatusColumn
    cells: dict[str, _ValueTally] = field(default_factory=dict)
    shown: dict[tuple[str, StatusMeaning | None], _ValueTally] = field(default_factory=dict)

    @property
    def has_values(self) -> bool:
        return bool(self.shown)

    def count(self, cell: str) -> StatusMeaning | None:
        tally = self.cells.get(cell)
        if tally is None:
            tally = self._find(self.column.describe(cell), self.column.read(cell))
            if len(self.cells) >= _MAX_CACHED:
                self.cells.clear()
            self.cells[cell] = tally
        tally.count += 1
        return tally.meaning

    def add(self, value: str, meaning: StatusMeaning) -> None:
        self._find(value, meaning).count += 1

    def result(self) -> StatusColumnCount:
        ordered = sorted(self.shown.values(), key=lambda tally: -tally.count)
        return StatusColumnCount(
            title=self.column.title,
            values=tuple(
                StatusValueCount(value=tally.value, count=tally.count, meaning=tally.meaning)
                for tally in ordered
            ),
        )

    def _find(self, shown: str, meaning: StatusMeaning | None) -> _ValueTally:
        key = (fold(shown), meaning)
        if key not in self.shown and len(self.shown) >= _MAX_SHOWN:
            shown, key = OTHERS, (OTHERS, meaning)
        return self.shown.setdefault(key, _ValueTally(value=shown, meaning=meaning))


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
