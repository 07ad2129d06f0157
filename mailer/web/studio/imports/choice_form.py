"""What an import takes each column for, as a form, and the words about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, ImportChoices
from mailer.web.forms import Form
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_columns import DESCRIPTIONS, EVERY_ROW, OTHERS, StatusValueCount
from subscribers.imports.columns.status_words import StatusMeaning, fold
from subscribers.imports.file_parts import InspectedColumn, shorten_cell

MEANINGS: Mapping[StatusMeaning, str] = MappingProxyType(
    {
        StatusMeaning.active: gettext_noop("Gets mail"),
        StatusMeaning.unsubscribed: gettext_noop("Unsubscribed: gets no mail"),
        StatusMeaning.bounced: gettext_noop("Address does not work: gets no mail"),
        StatusMeaning.complained: gettext_noop("Reported mail as spam: gets no mail"),
        StatusMeaning.suppressed: gettext_noop("Must not get mail"),
        StatusMeaning.unconfirmed: gettext_noop("Never confirmed: is refused"),
        StatusMeaning.nothing: gettext_noop("Says nothing about leaving"),
    }
)
ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "utf-8": "UTF-8",
        "utf-16": "UTF-16",
        "gb18030": gettext_noop("Chinese, simplified (GB18030)"),
        "big5hkscs": gettext_noop("Chinese, traditional (Big5)"),
        "cp932": gettext_noop("Japanese (Windows-932)"),
        "cp949": gettext_noop("Korean (Windows-949)"),
        "cp1251": gettext_noop("Cyrillic (Windows-1251)"),
        "cp1252": gettext_noop("Western European (Windows-1252)"),
        "cp1250": gettext_noop("Central European (Windows-1250)"),
        "cp1253": gettext_noop("Greek (Windows-1253)"),
        "cp1254": gettext_noop("Turkish (Windows-1254)"),
        "cp1256": gettext_noop("Arabic (Windows-1256)"),
    }
)
"""The encodings that can be chosen, by Python's name."""
DELIMITERS: Mapping[str, str] = MappingProxyType(
    {
        ",": gettext_noop("Comma"),
        ";": gettext_noop("Semicolon"),
        "\t": gettext_noop("Tab"),
        "|": gettext_noop("Vertical bar"),
    }
)
MOST_COLUMNS = 100
MOST_VALUES = 60
_LONGEST_BASIS = 300
_NARROW = 20
_TABLES = ("CSV", "Excel", "OpenDocument", "LibreOffice")


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
    columns = checked.inspected.columns if checked.inspected is not None else ()
    is_narrow = len(columns) <= _NARROW
    shown = [one for one in columns if one.is_filled or (is_narrow and one.use is not ColumnUse.unused)]
    return shown[:MOST_COLUMNS]


def list_shown_statuses(checked: CheckedFile) -> Iterator[ShownStatus]:
    """Yield the columns that tell who left. At most :data:`MOST_VALUES` values are shown in all, and those
    that are not understood come first."""
    is_single = checked.inspected is None or not checked.inspected.members
    room = MOST_VALUES
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


def list_header_rows(checked: CheckedFile) -> Mapping[int, Sequence[str]]:
    """Return the first rows of a table, of which one may name its columns, by their number."""
    file = checked.inspected
    return dict(file.top) if file and file.form.startswith(_TABLES) and not file.members else {}


def read_choices_form(form: Form, before: ImportChoices, checked: CheckedFile) -> ImportChoices:
    """Return the choices that the form makes, for a page that showed ``before`` and ``checked``.

    A field that is missing, or has a value that is not offered, changes nothing.
    """
    sent, said = dict(form.fields), before.corrections

    def choose(name: str, offered: Mapping[str, Any], now: Any) -> Any:
        return {"": None, **offered}.get(sent.get(name, name), now)

    def choose_name(name: str, offered: Sequence[str], now: str | None) -> str | None:
        return choose(name, {one: one for one in offered}, now)  # type: ignore[no-any-return]

    top = checked.inspected.top if checked.inspected else ()
    header = choose("header", {"0": 0, **{str(number): number for number, _ in top}}, said.header)
    reading = replace(
        before,
        encoding=choose_name("encoding", list(ENCODINGS), before.encoding),
        delimiter=choose_name("delimiter", list(DELIMITERS), before.delimiter),
        sheet=choose_name("sheet", checked.inspected.sheets if checked.inspected else (), before.sheet),
        corrections=replace(said, header=header),
    )
    basis = " ".join(sent.get("basis", before.basis).split())[:_LONGEST_BASIS]
    if reading != before:
        # The columns are others now, so nothing that was said of them counts.
        return replace(reading, corrections=ColumnCorrections(header=header), basis=basis)
    uses = dict(said.uses) | dict(_read_uses(sent, checked))
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
    columns = checked.inspected.columns if checked.inspected is not None else ()
    # The titles of the columns are shortened.
    same = [one for one in columns if one.title and one.title == shorten_cell(title)]
    told = [one for one in same if one.use is ColumnUse.status]
    return next((one.place for one in (*told, *same)), None)


def _read_uses(sent: Mapping[str, str], checked: CheckedFile) -> Iterator[tuple[int, ColumnUse]]:
    for column in list_shown_columns(checked):
        use = sent.get(f"use-{column.place}", "")
        if use in list(ColumnUse) and use != column.use:
            yield column.place, ColumnUse(use)


def _read_meanings(
    sent: Mapping[str, str], checked: CheckedFile
) -> Iterator[tuple[int | None, str, StatusMeaning]]:
    for status in list_shown_statuses(checked):
        for field, value in status.values:
            said = StatusMeaning.__members__.get(sent.get(field, "") if field else "")
            if said is not None and said is not value.meaning:
                is_file_name = value.value == EVERY_ROW and status.is_file_name
                yield None if is_file_name else status.place, value.value, said
