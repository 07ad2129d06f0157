"""The fields by which a person says how a file is read, and what its columns and their values mean."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mailer.list_imports.checked_file import CheckedFile, ImportChoices
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_columns import DESCRIPTIONS, EVERY_ROW, OTHERS, StatusValueCount
from subscribers.imports.columns.status_words import StatusMeaning, fold
from subscribers.imports.file_parts import InspectedColumn, shorten_cell
from subscribers.imports.files.delimited_text import DELIMITERS
from subscribers.imports.files.text_encoding import ENCODINGS

_MOST_COLUMNS = 100
_MOST_VALUES = 60
_LONGEST_BASIS = 300
_NARROW = 20


class ShownStatus(NamedTuple):
    """A column about leaving: its title, its place from 0, and the values that are shown of it, each with the
    name of its field, "" if it cannot be corrected. ``place`` is None for the name of the file and for
    columns of one file of several; ``hidden`` is how many values are not shown."""

    title: str
    place: int | None
    values: Sequence[tuple[str, StatusValueCount]]
    hidden: int

    @property
    def is_file_name(self) -> bool:
        return self.title == FILE_NAME


def list_shown_columns(checked: CheckedFile) -> Sequence[InspectedColumn]:
    """Return the columns that can be corrected: those with something in them; of a narrow file all."""
    columns = checked.columns
    is_narrow = len(columns) <= _NARROW
    shown = [one for one in columns if one.is_filled or (is_narrow and one.use is not ColumnUse.unused)]
    return shown[:_MOST_COLUMNS]


def list_shown_statuses(checked: CheckedFile) -> Iterator[ShownStatus]:
    """Yield the columns that tell who left. Only the first values are shown: unclear ones first."""
    is_single = checked.inspected is None or not checked.inspected.members
    room = _MOST_VALUES
    for index, status in enumerate(checked.statuses):
        place = _find_place(checked, status.column) if is_single else None
        may_correct = is_single and (place is not None or status.column == FILE_NAME)
        ordered = sorted(enumerate(status.values), key=lambda one: one[1].meaning is not None)
        values = [
            (f"meaning-{index}-{number}" if may_correct and value.value != OTHERS else "", value)
            for number, value in ordered[:room]
        ]
        room -= len(values)
        yield ShownStatus(status.column, place, values, len(ordered) - len(values))


def read_choice_fields(sent: Mapping[str, str], before: ImportChoices, checked: CheckedFile) -> ImportChoices:
    """Return the choices that were ``sent`` by a form that showed ``before`` and ``checked``. A field that is
    missing, or has a value that is not offered, changes nothing."""
    said = before.corrections

    def choose(name: str, offered: Iterable[str], now: str | None) -> str | None:
        chosen = sent.get(name)
        return chosen or None if chosen in {"", *offered} else now

    top, sheets = (checked.inspected.top, checked.inspected.sheets) if checked.inspected else ((), ())
    now = None if said.header is None else str(said.header)
    row = choose("header", ["0", *(str(number) for number, _ in top)], now)
    header = None if row is None else int(row)
    reading = replace(
        before,
        encoding=choose("encoding", ENCODINGS, before.encoding),
        delimiter=choose("delimiter", DELIMITERS, before.delimiter),
        sheet=choose("sheet", sheets, before.sheet),
        corrections=replace(said, header=header),
    )
    basis = " ".join(sent.get("basis", before.basis).split())[:_LONGEST_BASIS]
    if reading != before:
        # The columns are others now, so nothing that was said of them counts.
        return replace(reading, corrections=ColumnCorrections(header=header), basis=basis)
    uses = dict(said.uses)
    for column in list_shown_columns(checked):
        use = sent.get(f"use-{column.place}", "")
        if use in list(ColumnUse) and use != column.use:
            uses[column.place] = ColumnUse(use)
    meanings = {place: dict(values) for place, values in said.meanings.items()}
    file_meaning = said.file_meaning
    for place, value, meaning in _read_meanings(sent, checked):
        if place is None:
            file_meaning = meaning
        else:
            meanings.setdefault(place, {})[value if value in DESCRIPTIONS else fold(value)] = meaning
    told = replace(said, uses=uses, meanings=meanings, file_meaning=file_meaning)
    return replace(before, corrections=told, basis=basis)


def _find_place(checked: CheckedFile, title: str) -> int | None:
    # The titles of the columns are shortened.
    same = [one for one in checked.columns if one.title and one.title == shorten_cell(title)]
    told = [one for one in same if one.use is ColumnUse.status]
    return next((one.place for one in (*told, *same)), None)


def _read_meanings(
    sent: Mapping[str, str], checked: CheckedFile
) -> Iterator[tuple[int | None, str, StatusMeaning]]:
    for status in list_shown_statuses(checked):
        for field, value in status.values:
            said = StatusMeaning.__members__.get(sent.get(field, "") if field else "")
            if said is not None and said is not value.meaning:
                is_file_name = value.value == EVERY_ROW and status.is_file_name
                yield None if is_file_name else status.place, value.value, said
