"""Which columns of a file tell who left, by their titles and by what is in them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from subscribers.imports.columns.known_formats import KnownFormat
from subscribers.imports.columns.status_columns import STRICTER_THAN_ACTIVE, StatusColumn, are_understood
from subscribers.imports.columns.status_titles import (
    StatusKind,
    StatusTitle,
    classify_title,
    is_other_channel,
    is_remark,
    may_be_status,
    mentions_mail,
    tells_how_often,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
    fold,
    is_date,
    is_empty_value,
    read_boolean,
    read_status_word,
)

# Words for somebody who is on a list, which mean nothing else in an address book.
_ON_THE_LIST = frozenset(
    map(fold, ("active", "subscribed", "unconfirmed", "aktiv", "actif", "activo", "активен"))
)

_MOST_ANSWERS = 5
_LONGEST_WORD = 30
_CODE = re.compile(r"\s*[^\W\d_]{2,12}\s*")
_ASKS = frozenset({StatusKind.consent, StatusKind.confirmation})


@dataclass(frozen=True, kw_only=True)
class StatusGuess:
    """``columns`` tell who left; ``doubtful`` are the places of columns that may, but do not say how."""

    columns: tuple[StatusColumn, ...]
    doubtful: tuple[int, ...] = ()


def guess_statuses(
    titles: Sequence[str],
    sample: Sequence[Sequence[str]],
    *,
    taken: Collection[int] = (),
    known: KnownFormat | None = None,
    has_titles: bool = True,
) -> StatusGuess:
    """Find the columns that tell who left, except for those that are ``taken``.

    ``sample`` are the cells of the first rows, one sequence for each column. What ``known`` says counts
    first.
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
    kept = ease_dates_of_change(_drop_postal(columns), sample)
    return StatusGuess(columns=kept, doubtful=tuple(doubtful))


def make_status_column(title: str, place: int, cells: Sequence[str] = ()) -> StatusColumn:
    """Return how to read a column of which somebody said that it tells who left; ``cells`` are its first."""
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
    if found.kind is StatusKind.confirmation_date:
        has_dates = any(is_date(cell) and not is_empty_value(cell) for cell in cells)
        return replace(column, empty=StatusMeaning.unconfirmed) if has_dates else None
    if found.kind is StatusKind.confirmation and _has_only_dates(cells):
        return replace(column, kind=StatusKind.confirmation_date, empty=StatusMeaning.unconfirmed)
    known, unknown = are_understood(column, cells)
    if not found.is_certain and unknown and not known:
        if found.kind not in _ASKS:
            return None
        # A few values may be answers we do not know, and are asked about. Many are names or remarks; a "no"
        # further down still counts.
        is_choice = len({fold(cell) for cell in cells if not is_empty_value(cell)}) <= _MOST_ANSWERS
        return column if is_choice else replace(column, unknown=StatusMeaning.nothing)
    return replace(column, empty=StatusMeaning.unconfirmed) if _is_tick_box(column, cells) else column


def _is_tick_box(column: StatusColumn, cells: Sequence[str]) -> bool:
    """Whether a column about consent is ticked, dated or empty, and never says no: then empty is no
    consent.
    """
    if column.kind is not StatusKind.consent or not any(map(is_empty_value, cells)):
        return False
    filled = [cell for cell in cells if not is_empty_value(cell)]
    return bool(filled) and all(read_boolean(cell) is True or is_date(cell) for cell in filled)


def _has_only_dates(cells: Sequence[str]) -> bool:
    """Whether every cell with something in it is a date, and there is one."""
    filled = [cell for cell in cells if not is_empty_value(cell)]
    return bool(filled) and all(map(is_date, filled))


def _speaks_of_status(title: str, cells: Sequence[str]) -> bool:
    """Whether the cells of a column under another title are words for a status, and for nothing else."""
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
    """Whether a column says yes and no, and may mean mail."""
    filled = [cell for cell in cells if not is_empty_value(cell)]
    if not filled or not all(read_boolean(cell) is not None for cell in filled):
        return False
    return mentions_mail(title) if has_titles else True


def ease_dates_of_change(
    columns: Sequence[StatusColumn], sample: Sequence[Sequence[str]]
) -> tuple[StatusColumn, ...]:
    """``columns`` without a question about the days on which a status changed, where another column has the
    status itself. A word for leaving among those days still counts.
    """
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
    """Without "Do not mail", which is about post where there is "Do not email" too."""
    folded = {fold(column.title) for column in columns}
    if "donotemail" not in folded:
        return tuple(columns)
    return tuple(column for column in columns if fold(column.title) != "donotmail")
