"""Guess which column holds what: by format, titles in ten languages and cells; and let people correct it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from locales.countries import find_countries
from locales.languages import find_language
from locales.phrase import WordedEnum, gettext_noop
from subscribers.errors import quote_for_message
from subscribers.imports.columns.column_titles import (
    HeaderRow,
    KnownFormat,
    find_field,
    find_mentioned_field,
    find_outlook_places,
    has_address,
    is_about_others,
    is_email_question,
)
from subscribers.imports.columns.layouts import ColumnLayout
from subscribers.imports.columns.status_columns import (
    StatusColumn,
    StatusReader,
    UnknownStatusError,
    guess_statuses,
    make_status_column,
)
from subscribers.imports.columns.status_titles import (
    StatusKind,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
    fold,
    fold_words,
    is_empty_value,
    may_be_joined,
)

_MOST = 0.6
_SOME = 0.5
_LIKELY_NAME = 40

CellTest = Callable[[str], bool]


def describe_doubt(title: str) -> str:
    return gettext_noop("The column %(text)s says yes or no, and may say who wants mail.") % {
        "text": quote_for_message(title)
    }


def doubtful_columns(titles: Sequence[str], places: Sequence[int]) -> tuple[StatusColumn, ...]:
    return tuple(StatusColumn(title=titles[place], place=place, kind=StatusKind.status) for place in places)


class LayoutGuess:
    """A layout, and what must be asked before it is used: ``doubts`` about the addresses as sentences, the
    places of columns that may tell who left (``doubtful``), and ``counts`` of values that are not understood.
    """

    def __init__(
        self, header: HeaderRow, rows: Sequence[Sequence[str]], known: KnownFormat | None = None
    ) -> None:
        self._titles = header.titles
        self._rows = rows
        self._known = known
        self._columns = header.by_column(rows)
        self._has_titles = header.number > 0
        self._places = find_outlook_places(self._titles, self._columns)
        self.doubts: list[str] = []
        statuses = self._find_columns()
        doubtful = doubtful_columns(self._titles, self.doubtful)
        self.layout = ColumnLayout(
            titles=self._titles,
            header_row=header.number,
            places=self._places,
            statuses=(*statuses, *doubtful),
            ignored=tuple(
                place for place, title in enumerate(self._titles) if known and fold(title) in known.ignored
            ),
            tag_separator=known.tag_separator if known else None,
        )
        unknown = StatusReader(doubtful, titles=self._titles)
        for row in rows:
            with suppress(UnknownStatusError):
                unknown.read([*row, *[""] * (len(self._titles) - len(row))])
        self.counts = unknown.counts()

    def _find_columns(self) -> tuple[StatusColumn, ...]:
        # The 92 titles of Outlook are the same in every language, and none tells who left.
        everything = range(len(self._titles)) if self._places else ()
        if self._known:
            self._take_known(self._known)
        self._find_titles()
        self._find_email()
        statuses, self.doubtful = guess_statuses(
            self._titles,
            self._columns,
            taken={*self._taken(), *everything},
            known=self._known,
            has_titles=self._has_titles,
        )
        self._find_mentions({column.place for column in statuses} | set(self.doubtful))
        self._mend_names()
        self._check_country()
        return statuses

    def _taken(self) -> set[int]:
        return {place for places in self._places.values() for place in places}

    def _free(self) -> list[int]:
        taken = self._taken()
        return [place for place in range(len(self._titles)) if place not in taken]

    def _take_known(self, known: KnownFormat) -> None:
        folded = [fold(title) for title in self._titles]
        for name, titles in known.fields.items():
            if places := tuple(folded.index(title) for title in titles if title in folded):
                self._places[name] = places

    def _find_titles(self) -> None:
        if not self._has_titles:
            return
        set_aside = {fold(title) for title in self._titles} & (
            self._known.ignored | self._known.status.keys() if self._known else set()
        )
        for place in self._free():
            field = find_field(self._titles[place])
            if field is None or fold(self._titles[place]) in set_aside:
                continue
            if field in {"email", "email_other"}:
                continue
            if field not in self._places or self._is_better(place, field):
                self._places[field] = (place,)

    def _find_email(self) -> None:
        if "email" in self._places:
            return
        named = [place for place in range(len(self._titles)) if self._is_email_title(place)]
        # A title such as "Email Opt In" is about something else, and so is one above cells without addresses.
        usable = [place for place in named if self._share(place, has_address) in (None, 1.0)] or [
            place for place in named if (self._share(place, has_address) or 0) >= _SOME
        ]
        if not usable:
            usable = self._find_email_by_content()
        if not usable:
            return
        usual = {"email", "emailaddress"}
        best = min(
            usable, key=lambda place: (not self._filled(place), fold(self._titles[place]) not in usual, place)
        )
        others = [place for place in usable if place != best]
        others += [
            place
            for place in self._free()
            if find_field(self._titles[place]) == "email_other" and place != best
        ]
        self._places["email"] = (best, *dict.fromkeys(others))

    def _is_email_title(self, place: int) -> bool:
        title = self._titles[place]
        return self._has_titles and place not in self._taken() and find_field(title) == "email"

    def _find_email_by_content(self) -> list[int]:
        found = [place for place in self._free() if (self._share(place, has_address) or 0) >= _MOST]
        asked = [place for place in found if self._has_titles and is_email_question(self._titles[place])]
        if asked:
            return asked
        second = [place for place in found if find_field(self._titles[place]) == "email_other"]
        about = [place for place in found if is_about_others(self._titles[place]) and place not in second]
        if second and not set(found) - set(second) - set(about):
            return second
        if len(found) == 1 and not about:
            return found
        if found:
            titles = ", ".join(quote_for_message(self._titles[place]) for place in found)
            self.doubts.append(
                gettext_noop("There are addresses under %(titles)s, and it is not certain whose.")
                % {"titles": titles}
            )
            self._places["email"] = (found[0],)
        return []

    def _find_mentions(self, set_aside: set[int]) -> None:
        """Find further columns by a word in their titles, or by their cells alone."""
        # A column of countries looks like one of names, so names are found last.
        for is_name in (False, True):
            for place in self._free():
                field = self._find_by_cells(place, set_aside) if place not in set_aside else None
                if field is None or (field == "name") is not is_name:
                    continue
                if field not in self._places or self._is_better(place, field):
                    self._places[field] = (place,)

    def _is_better(self, place: int, field: str) -> bool:
        """Return whether a column has something in it and those found before have nothing: a form has an
        empty "Name" and asks for "Your name".
        """
        return bool(self._filled(place)) and not any(map(self._filled, self._places[field]))

    def _find_by_cells(self, place: int, set_aside: set[int]) -> str | None:
        title = self._titles[place]
        mentioned = find_mentioned_field(title) if self._has_titles else None
        if is_about_others(title):
            return None
        if mentioned == "name":
            return None if self._named else "name"
        if mentioned == "organisation":
            return "organisation" if (self._share(place, _has_letters) or 0) >= _MOST else None
        is_open = mentioned is None or mentioned in {"country", "language"}
        cells = self._filled(place)
        if len(cells) < 1 or not is_open:
            return None
        is_long = sum(map(len, cells)) / len(cells) > 3
        if (is_long or mentioned == "country") and (self._share(place, is_country) or 0) >= 0.8:
            return "country"
        if (is_long or mentioned == "language") and (self._share(place, is_language) or 0) >= 0.8:
            return "language"
        if not self._has_titles and not self._named and self._is_only_text(place, set_aside):
            return "name"
        return None

    @property
    def _named(self) -> bool:
        return any(part in self._places for part in ("given", "family", "name"))

    def _is_only_text(self, place: int, set_aside: set[int]) -> bool:
        free = [other for other in self._free() if other not in set_aside]
        texts = [other for other in free if (self._share(other, _looks_like_name) or 0) >= 0.8]
        return texts == [place]

    def _mend_names(self) -> None:
        """Take "Name" beside "First name" alone for the family's, beside "Last name" alone for one's own;
        unless it is the whole name, which has the other in it."""
        has = self._places.keys()
        for part in ("given", "family"):
            if "name" in has and part in has and self._repeats(part):
                del self._places[part]
        if "name" in has and "given" in has and "family" not in has:
            self._places["family"] = self._places.pop("name")
        elif "name" in has and "family" in has and "given" not in has:
            self._places["given"] = self._places.pop("name")

    def _repeats(self, part: str) -> bool:
        whole, own = self._places["name"][0], self._places[part][0]
        pairs = [
            (fold_words(row[whole]), fold(row[own]))
            for row in self._rows
            if max(whole, own) < len(row) and row[whole].strip() and row[own].strip()
        ]
        repeated = [word for words, word in pairs if word in words or _is_joined(word, words)]
        return len(repeated) > len(pairs) / 2

    def _check_country(self) -> None:
        """Leave out a column of countries none of which is one, such as dialling codes."""
        for place in self._places.get("country", ())[:1]:
            if self._filled(place) and not self._share(place, is_country) and not self._known:
                other = [cell for cell in self._filled(place) if any(char.isalpha() for char in cell)]
                if not other:
                    del self._places["country"]

    def _filled(self, place: int) -> list[str]:
        return [cell for cell in self._columns[place] if not is_empty_value(cell)]

    def _share(self, place: int, test: CellTest) -> float | None:
        cells = self._filled(place)
        return sum(map(test, cells)) / len(cells) if cells else None


def is_country(cell: str) -> bool:
    return bool(find_countries(cell))


def is_language(cell: str) -> bool:
    return find_language(cell) is not None


def _is_joined(part: str, words: frozenset[str]) -> bool:
    """Return whether a part of a name is in the whole name, in a script that has no spaces between them."""
    return may_be_joined(part) and any(part in word and part != word for word in words)


def _has_letters(cell: str) -> bool:
    return any(char.isalpha() for char in cell) and "://" not in cell and "@" not in cell


def _looks_like_name(cell: str) -> bool:
    text = cell.strip()
    return (
        len(text) <= _LIKELY_NAME
        and any(char.isalpha() for char in text)
        and not any(char.isdigit() or char in "@/:;_" for char in text)
    )


class ColumnUse(WordedEnum):
    """What a column of a file is used for."""

    unused = ("unused", gettext_noop("Not used"))
    email = ("email", gettext_noop("Email address"))
    given = ("given", gettext_noop("First name"))
    middle = ("middle", gettext_noop("Middle name"))
    family = ("family", gettext_noop("Last name"))
    name = ("name", gettext_noop("Whole name"))  # type: ignore[assignment]
    organisation = ("organisation", gettext_noop("Organisation"))
    country = ("country", gettext_noop("Country"))
    sectors = ("sectors", gettext_noop("Sectors"))
    language = ("language", gettext_noop("Language"))
    tags = ("tags", gettext_noop("Tags"))
    status = ("status", gettext_noop("Tells who left"))


@dataclass(frozen=True, kw_only=True)
class ColumnCorrections:
    """``header`` is the number of the row that names the columns, 0 for none, None if it is to be found.

    ``uses`` are what single columns are used for, by their place from 0; all others as they were guessed.
    ``meanings`` say what the values of a column about status mean, by its place and by the folded value, or
    by one of :data:`~subscribers.imports.columns.status_columns.DESCRIPTIONS` for all such cells.
    ``file_meaning`` is what the name of the file says of everybody in it, None for what it was taken for.
    """

    header: int | None = None
    uses: Mapping[int, ColumnUse] = field(default_factory=dict)
    meanings: Mapping[int, Mapping[str, StatusMeaning]] = field(default_factory=dict)
    file_meaning: StatusMeaning | None = None

    def settles(self, place: int) -> bool:
        return place in self.uses or place in self.meanings

    @property
    def names_email(self) -> bool:
        return ColumnUse.email in self.uses.values()

    @property
    def unwatched(self) -> frozenset[int]:
        return frozenset(place for place, use in self.uses.items() if use is ColumnUse.unused)


def correct_layout(
    layout: ColumnLayout, corrections: ColumnCorrections, sample: Sequence[Sequence[str]]
) -> ColumnLayout:
    """Return ``layout`` as a person corrected it; ``sample`` are the first cells of each column.

    Places that the file does not have are passed over: it may be another sheet than before.
    """
    uses = {place: use for place, use in sorted(corrections.uses.items()) if place < len(layout.titles)}
    chosen: dict[str, tuple[int, ...]] = {}
    for place, use in uses.items():
        if use not in {ColumnUse.unused, ColumnUse.status}:
            chosen[use.value] = (*chosen.get(use.value, ()), place)
    kept = {name: tuple(place for place in held if place not in uses) for name, held in layout.places.items()}
    # What a person chose counts before what was guessed.
    places = {name: chosen.get(name, ()) + kept.get(name, ()) for name in {**kept, **chosen}}
    known = {column.place: column for column in layout.statuses}
    told = [
        known.get(place) or make_status_column(layout.titles[place], place, sample[place])
        for place, use in uses.items()
        if use is ColumnUse.status
    ]
    statuses = [column for column in layout.statuses if column.place not in uses]
    return correct_statuses(
        replace(
            layout,
            places={name: held for name, held in places.items() if held},
            statuses=(*statuses, *told),
            ignored=tuple(place for place in layout.ignored if place not in uses),
        ),
        corrections,
    )


def correct_statuses(layout: ColumnLayout, corrections: ColumnCorrections) -> ColumnLayout:
    known = {column.place for column in layout.statuses}
    named = [
        StatusColumn(
            title=layout.titles[place],
            place=place,
            kind=StatusKind.status,
            values=dict(values),
            # Only some of its words count: it was searched for them, and is about something else.
            unknown=StatusMeaning.nothing,
        )
        for place, values in corrections.meanings.items()
        if place < len(layout.titles) and place not in known and place not in corrections.uses
    ]
    changed = [
        column
        if column.kind is StatusKind.everybody
        else replace(column, values={**column.values, **corrections.meanings.get(column.place, {})})
        for column in layout.statuses
    ]
    return replace(layout, statuses=(*changed, *named))
