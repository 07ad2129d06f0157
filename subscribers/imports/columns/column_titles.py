"""Which row names the columns, and what its titles stand for: in the languages of our partners, or by format.

The row may be below others, or nowhere if the first row is a person already. Files of programs we know are
told by several of their columns; those of Outlook by their number, since their titles are translated, but
there are always 92 in the same order.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from html import unescape
from itertools import zip_longest
from pathlib import Path
from typing import Any

from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.columns.status_titles import (
    StatusKind,
    classify_title,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
    fold,
    fold_words,
    is_date,
    is_number,
    may_be_joined,
    read_boolean,
    split_words,
)

_TITLES_FILE = Path(__file__).with_name("column_titles.toml")
FIELDS = (
    *("email", "email_other", "given", "middle", "family", "name"),
    *("organisation", "country", "sectors", "language", "tags"),
)
"""What a column can hold: our columns, the parts of a name, and further addresses."""
_FORMATS_FILE = Path(__file__).with_name("known_formats.toml")
_DEEPEST = 20
# What SurveyMonkey writes below a question that is not divided.
_ANSWERS = frozenset({"response", "openendedresponse"})
# Alone, after mailto:, in angle brackets behind a name, or several of them as Google writes them.
_ADDRESS = re.compile(r"(?:[^<>@]*<)?[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+>?(?:\s*:::.*)?", re.DOTALL)
_ANY_ADDRESS = re.compile(r"[^\s@<>:]+@[^\s@<>]+")
_WIDTH = 92
_PLACES: Mapping[str, tuple[int, ...]] = {
    "given": (1,),
    "middle": (2,),
    "family": (3,),
    "organisation": (5,),
    "country": (14, 21, 28),
    "tags": (54,),
    "email": (57, 60, 63),
    "language": (73,),
}
_KINDS = frozenset({"SMTP", "EX", "X400", "FAX", "MAPIPDL", ""})
_EXCHANGE_PREFIX = "/o="


@lru_cache(4096)
def find_field(title: str) -> str | None:
    """Return which of :data:`FIELDS` a title stands for, None if we do not know it."""
    fields = _fields()
    if found := fields.get(fold(title)):
        return found
    words = _lists()
    kept = [word for word in map(fold, split_words(title)) if word not in words["noise"]]
    return fields.get("".join(kept)) if kept else None


@lru_cache(4096)
def is_email_question(title: str) -> bool:
    """Return whether a title of several words asks for an address: "Where can we write to you (email)?"."""
    words = _lists()
    folded, tokens = fold(title), fold_words(title)
    return (
        any(stem in folded for stem in words["email_stems"])
        and tokens.isdisjoint(words["others"])
        and classify_title(title) is None
    )


def find_mentioned_field(title: str) -> str | None:
    """Return which of our columns a longer title mentions, such as a question in a form; None if it does not.

    Nothing but the cells can confirm it.
    """
    folded, tokens = fold(title), fold_words(title)
    details = _mentions()["details"]
    if not details.isdisjoint(tokens) or any(may_be_joined(word) and word in folded for word in details):
        return None
    for field, words in _mentions().items():
        if any(word in tokens or (may_be_joined(word) and word in folded) for word in words):
            return field
    return None


def is_about_others(title: str) -> bool:
    """Return whether a title is about anyone or anything but the person in the row."""
    folded = fold(title)
    others = _lists()["others"]
    return not others.isdisjoint(fold_words(title)) or any(
        may_be_joined(word) and word in folded for word in others
    )


@cache
def _fields() -> Mapping[str, str]:
    data = _data()
    return {fold(title): field for field in reversed(FIELDS) for title in data[field]}


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    data = _data()
    return {name: frozenset(map(fold, data[name])) for name in ("noise", "others", "email_stems")}


@cache
def _mentions() -> Mapping[str, frozenset[str]]:
    return {field: frozenset(map(fold, words)) for field, words in _data()["mentions"].items()}


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(_TITLES_FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class KnownFormat:
    """What a program writes, with all titles folded.

    ``requires`` are the columns that tell it, ``first`` the titles of which the first column must be one.
    ``fields`` are titles in the order of preference; ``tag_separator`` is between tags. ``ignored`` columns
    look as if they told who left, and do not. ``status`` says how the cells of a column are read, or what its
    values mean.
    """

    name: str
    requires: frozenset[str]
    first: frozenset[str]
    fields: Mapping[str, tuple[str, ...]]
    tag_separator: str | None
    ignored: frozenset[str]
    status: Mapping[str, StatusKind | Mapping[str, StatusMeaning]]

    def fits(self, titles: Sequence[str]) -> bool:
        return self.requires <= set(titles) and (not self.first or titles[0] in self.first)


def find_known_format(titles: Sequence[str]) -> KnownFormat | None:
    """Return the format of a file with these titles, the one told by most columns; None if we know none."""
    folded = [fold(title) for title in titles]
    fitting = [known for known in known_formats() if known.fits(folded)]
    return max(fitting, key=lambda known: len(known.requires), default=None)


@cache
def known_formats() -> tuple[KnownFormat, ...]:
    data = tomllib.loads(_FORMATS_FILE.read_text(encoding="utf-8"))
    return tuple(_read_format(record) for record in data["format"])


def _read_format(record: Mapping[str, Any]) -> KnownFormat:
    return KnownFormat(
        name=record["name"],
        requires=frozenset(map(fold, record["requires"])),
        first=frozenset(map(fold, record.get("first", ()))),
        fields={field: _fold_all(record[field]) for field in FIELDS if field in record},
        tag_separator=record.get("tag_separator"),
        ignored=frozenset(map(fold, record.get("ignored", ()))),
        status={fold(title): _read_status(said) for title, said in record.get("status", {}).items()},
    )


def _read_status(said: str | Mapping[str, str]) -> StatusKind | Mapping[str, StatusMeaning]:
    if isinstance(said, str):
        return StatusKind(said)
    return {fold(value): StatusMeaning(meaning) for value, meaning in said.items()}


def _fold_all(titles: str | list[str]) -> tuple[str, ...]:
    return tuple(map(fold, [titles] if isinstance(titles, str) else titles))


@dataclass(frozen=True, kw_only=True)
class HeaderRow:
    """``number`` is that of the row with the titles, 0 if no row has any; ``first`` is the index of the first
    row of people in the rows that were looked at. ``skipped`` are the numbers of rows above with text in
    them.
    """

    number: int
    titles: tuple[str, ...]
    first: int
    skipped: tuple[int, ...] = ()

    def by_column(self, rows: Sequence[Sequence[str]]) -> list[list[str]]:
        return [[row[place] for row in rows if place < len(row)] for place in range(len(self.titles))]


def find_header(rows: Sequence[SheetRow], name: str, *, wanted: int | None = None) -> HeaderRow:
    """Find the header among the first ``rows`` of the file called ``name``; ``wanted`` is its number if it
    is known, 0 for none."""
    found = _find_row(rows, name, wanted)
    return _add_row_below(_add_row_above(found, rows), rows) if found.number else found


def _find_row(rows: Sequence[SheetRow], name: str, wanted: int | None) -> HeaderRow:
    filled = [(index, row) for index, row in enumerate(rows) if not row.is_empty]
    if wanted is not None and wanted > 0:
        return _take_wanted(rows, name, wanted)
    if not filled:
        raise ImportFileError(name, f"the first row must name the columns: {', '.join(COLUMNS)}.", 1)
    if wanted == 0:
        return _without_header(filled)
    above: list[SheetRow] = []
    for index, row in filled:
        if row.number > _DEEPEST:
            break
        if _is_header(row, is_narrow=max(_count_filled(other) for _, other in filled) == 1):
            _refuse_people_above(above, row, name)
            return _with_header(index, row, above)
        above.append(row)
    return _find_by_people(filled)


def has_address(cell: str) -> bool:
    return _ANY_ADDRESS.search(cell) is not None


def _add_row_above(header: HeaderRow, rows: Sequence[SheetRow]) -> HeaderRow:
    """Add what the row above says of columns that ``header`` does not name, or names by an answer alone."""
    above = next((row for row in reversed(rows[: header.first - 1]) if not row.is_empty), None)
    if above is None or _count_filled(above) < 2 or any(map(has_address, above.cells)):
        return header
    joined = []
    group = ""
    for title, part in zip_longest(_clean(above.cells), header.titles, fillvalue=""):
        group = title or group
        joined.append(f"{group}: {part}" if group and read_boolean(part) is not None else part or title)
    return replace(header, titles=tuple(joined))


def _add_row_below(header: HeaderRow, rows: Sequence[SheetRow]) -> HeaderRow:
    """Add the titles of the row below, if it divides some columns: "Name" into "First name" and "Last
    name", or a question of a survey into its answers."""
    later = [index for index in range(header.first, len(rows)) if not rows[index].is_empty]
    if len(later) < 2:
        return header
    second = _clean(rows[later[0]].cells)
    width = max(len(header.titles), len(second))
    titles = (*header.titles, *("",) * (width - len(header.titles)))
    below = (*second, *("",) * (width - len(second)))
    divides = any(below[place] and not titles[place] for place in range(1, width))
    # A person without an address may be in the first row, with a remark in a column that has no title.
    if not divides or not any(find_field(part) or fold(part) in _ANSWERS for part in below):
        return header
    joined = []
    group = ""
    for place, (title, part) in enumerate(zip(titles, below, strict=True)):
        group = title or group
        begins_group = place + 1 < width and not titles[place + 1] and below[place + 1]
        if not part or fold(part) in _ANSWERS or fold(part) == fold(title):
            joined.append(title)
        elif _is_title(part) and group and (not title or begins_group):
            joined.append(part if find_field(part) else f"{group}: {part}")
        else:
            return header
    return replace(header, titles=tuple(joined), first=later[0] + 1)


def _is_title(cell: str) -> bool:
    return "@" not in cell and not is_number(cell) and not is_date(cell)


def _find_by_people(filled: Sequence[tuple[int, SheetRow]]) -> HeaderRow:
    """Return the row above the first with an address, if it is as wide; none if the first has one."""
    above: list[SheetRow] = []
    for position, (_, row) in enumerate(filled):
        if row.number > _DEEPEST + 1:
            break
        if any(map(_is_address, row.cells)):
            if position == 0:
                return _without_header(filled)
            before, header = filled[position - 1]
            if _count_filled(header) >= min(2, _count_filled(row)):
                return _with_header(before, header, above[:-1])
            return _with_header(*filled[0], ())
        above.append(row)
    if any(map(has_address, filled[0][1].cells)):
        return _without_header(filled)
    return _with_header(*filled[0], ())


def _is_header(row: SheetRow, *, is_narrow: bool) -> bool:
    if any(map(_is_address, row.cells)):
        return False
    titles = [cell for cell in row.cells if cell.strip()]
    if len(titles) < 2 and not is_narrow:
        # A line such as "E-mail list of 2024" above the list.
        return False
    if any(find_field(title) == "email" for title in titles) or find_known_format(_clean(row.cells)):
        return True
    return len(titles) > 1 and any(map(is_email_question, titles)) and not any(map(has_address, titles))


def _refuse_people_above(above: Sequence[SheetRow], header: SheetRow, name: str) -> None:
    for row in above:
        if any(map(_is_address, row.cells)) and _count_filled(row) > 1:
            raise ImportFileError(
                name,
                f"there is an address in this row, but row {header.number} looks as if it named the columns.",
                row.number,
                advice="Say which row names them in a file for --columns, as header = "
                f"{header.number}, or as header = 0 if none does.",
            )


def _take_wanted(rows: Sequence[SheetRow], name: str, wanted: int) -> HeaderRow:
    for index, row in enumerate(rows):
        if row.number == wanted and not row.is_empty:
            return HeaderRow(number=wanted, titles=_clean(row.cells), first=index + 1)
    raise ImportFileError(
        name,
        f"row {wanted} names no columns.",
        advice="Correct header in the file for --columns.",
    )


def _with_header(index: int, row: SheetRow, above: Sequence[SheetRow]) -> HeaderRow:
    return HeaderRow(
        number=row.number,
        titles=_clean(row.cells),
        first=index + 1,
        skipped=tuple(skipped.number for skipped in above),
    )


def _without_header(filled: Sequence[tuple[int, SheetRow]]) -> HeaderRow:
    width = max(len(_clean(row.cells)) for _, row in filled)
    titles = tuple(f"column {number}" for number in range(1, width + 1))
    return HeaderRow(number=0, titles=titles, first=filled[0][0])


def _is_address(cell: str) -> bool:
    return _ADDRESS.fullmatch(cell.strip().removeprefix("\ufeff")) is not None


def _clean(cells: Sequence[str]) -> tuple[str, ...]:
    # A program that shows its titles on a page may write "Opt&nbsp;out" into a file.
    titles = [" ".join(unescape(cell).split()).removeprefix("\ufeff") for cell in cells]
    while titles and titles[-1] == "":  # spreadsheets leave empty columns at the end
        titles.pop()
    return tuple(titles)


def _count_filled(row: SheetRow) -> int:
    return sum(bool(cell.strip()) for cell in row.cells)


def find_outlook_places(
    titles: Sequence[str], columns: Sequence[Sequence[str]]
) -> dict[str, tuple[int, ...]]:
    """Return what the columns of Outlook's contacts hold, nothing if these are not Outlook's."""
    if len(titles) != _WIDTH or "" in titles:
        return {}
    emails, kinds = columns[57], columns[58]
    if not {kind.strip().upper() for kind in kinds} <= _KINDS:
        return {}
    if not any(has_address(cell) or is_exchange_name(cell) for cell in emails):
        return {}
    # Some languages put the family name first.
    named = {
        field: (place,) for place in range(6) if (field := find_field(titles[place])) in ("given", "family")
    }
    if len(named) < 2:
        named = {}
    return dict(_PLACES) | {str(field): place for field, place in named.items()}


def is_exchange_name(cell: str) -> bool:
    """Return whether a cell names a mailbox inside Exchange instead of an address."""
    return cell.strip().lower().startswith(_EXCHANGE_PREFIX)
