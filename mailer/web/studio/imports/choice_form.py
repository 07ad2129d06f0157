"""What an import takes each column for, as a form, and the words about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, ImportChoices
from mailer.list_imports.import_files import KnownFile
from mailer.web.forms import Form
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnUse
from subscribers.imports.columns.status_columns import ANY_TEXT, DATE, DESCRIPTIONS, EMPTY, EVERY_ROW, OTHERS
from subscribers.imports.columns.status_words import StatusMeaning, fold
from subscribers.imports.file_parts import InspectedColumn, shorten_cell

USE_WORDS: Mapping[ColumnUse, str] = MappingProxyType(
    {
        ColumnUse.unused: gettext_noop("Not used"),
        ColumnUse.email: gettext_noop("Email address"),
        ColumnUse.given: gettext_noop("First name"),
        ColumnUse.middle: gettext_noop("Middle name"),
        ColumnUse.family: gettext_noop("Last name"),
        ColumnUse.name: gettext_noop("Whole name"),
        ColumnUse.organisation: gettext_noop("Organisation"),
        ColumnUse.country: gettext_noop("Country"),
        ColumnUse.sectors: gettext_noop("Sectors"),
        ColumnUse.language: gettext_noop("Language"),
        ColumnUse.tags: gettext_noop("Tags"),
        ColumnUse.status: gettext_noop("Tells who left"),
    }
)

MEANING_WORDS: Mapping[StatusMeaning, str] = MappingProxyType(
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

DESCRIPTION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        EMPTY: gettext_noop("(empty)"),
        DATE: gettext_noop("(a date)"),
        ANY_TEXT: gettext_noop("(any text)"),
        OTHERS: gettext_noop("(other values)"),
        EVERY_ROW: gettext_noop("(every row)"),
        FILE_NAME: gettext_noop("The name of the file"),
    }
)
"""Our own words in place of a cell or a title."""

ENCODINGS: tuple[tuple[str, str], ...] = (
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("gb18030", gettext_noop("Chinese, simplified (GB18030)")),
    ("big5hkscs", gettext_noop("Chinese, traditional (Big5)")),
    ("cp932", gettext_noop("Japanese (Windows-932)")),
    ("cp949", gettext_noop("Korean (Windows-949)")),
    ("cp1251", gettext_noop("Cyrillic (Windows-1251)")),
    ("cp1252", gettext_noop("Western European (Windows-1252)")),
    ("cp1250", gettext_noop("Central European (Windows-1250)")),
    ("cp1253", gettext_noop("Greek (Windows-1253)")),
    ("cp1254", gettext_noop("Turkish (Windows-1254)")),
    ("cp1256", gettext_noop("Arabic (Windows-1256)")),
)
"""The encodings that can be chosen, by Python's name."""

DELIMITERS: tuple[tuple[str, str], ...] = (
    (",", gettext_noop("Comma")),
    (";", gettext_noop("Semicolon")),
    ("\t", gettext_noop("Tab")),
    ("|", gettext_noop("Vertical bar")),
)

MOST_COLUMNS = 100
MOST_VALUES = 60
_LONGEST_BASIS = 300
_NARROW = 20
_TABLES = ("CSV", "Excel", "OpenDocument", "LibreOffice")


@dataclass(frozen=True, kw_only=True)
class ShownValue:
    """A value of a column about leaving: the name of its field, "" if it cannot be corrected, and what it was
    taken for, "" if that is not known."""

    field: str
    value: str
    rows: int
    meaning: str
    is_ours: bool


@dataclass(frozen=True, kw_only=True)
class ShownStatus:
    """A column about leaving with its values; ``hidden`` is how many are not shown. ``place`` is the column's
    from 0, None for the name of the file and for columns of one file of several."""

    title: str
    place: int | None
    values: tuple[ShownValue, ...]
    hidden: int
    is_ours: bool


def list_shown_columns(checked: CheckedFile) -> Sequence[InspectedColumn]:
    """The columns that can be corrected: those with something in them; of a narrow file all."""
    columns = checked.inspected.columns if checked.inspected is not None else ()
    is_narrow = len(columns) <= _NARROW
    shown = [one for one in columns if one.is_filled or (is_narrow and one.use is not ColumnUse.unused)]
    return shown[:MOST_COLUMNS]


def list_shown_statuses(checked: CheckedFile) -> Sequence[ShownStatus]:
    """The columns that tell who left. At most :data:`MOST_VALUES` values are shown in all, and those that are
    not understood come first."""
    is_single = checked.inspected is None or not checked.inspected.members
    shown, room = [], MOST_VALUES
    for index, status in enumerate(_list_statuses(checked)):
        place = _find_place(checked, status["column"]) if is_single else None
        may_correct = is_single and (place is not None or status["column"] == FILE_NAME)
        ordered = sorted(enumerate(status["values"]), key=lambda one: one[1]["meaning"] is not None)
        values = [
            ShownValue(
                field=f"meaning-{index}-{number}" if may_correct and value["value"] != OTHERS else "",
                value=value["value"],
                rows=value["rows"],
                meaning=_find_meaning_name(value["meaning"]),
                is_ours=value["value"] in DESCRIPTIONS,
            )
            for number, value in ordered[:room]
        ]
        room -= len(values)
        shown.append(
            ShownStatus(
                title=status["column"],
                place=place,
                values=tuple(values),
                hidden=len(ordered) - len(values),
                is_ours=status["column"] == FILE_NAME,
            )
        )
    return shown


def read_choices_form(form: Form, file: KnownFile) -> ImportChoices:
    """Return the choices that the form makes, for a page that showed ``file`` as it is now.

    A field that is missing, or has a value that is not offered, changes nothing.
    """
    before, checked = file.choices, file.checked
    reading = replace(
        before,
        encoding=_read_offered(form, "encoding", [name for name, _ in ENCODINGS], before.encoding),
        delimiter=_read_offered(form, "delimiter", [sign for sign, _ in DELIMITERS], before.delimiter),
        sheet=_read_offered(form, "sheet", list_sheets(checked), before.sheet),
        header=_read_header(form, checked, before.header),
        basis=read_basis(form, before.basis),
    )
    if replace(reading, basis=before.basis) != before:
        # The columns are others now, so nothing that was said of them counts.
        return replace(reading, uses={}, meanings={}, file_meaning=None)
    uses = dict(before.uses) | dict(_read_uses(form, checked))
    meanings: dict[int, dict[str, StatusMeaning]] = {
        place: dict(values) for place, values in before.meanings.items()
    }
    file_meaning = before.file_meaning
    for place, value, meaning in _read_meanings(form, checked):
        if place is None:
            file_meaning = meaning
        else:
            meanings.setdefault(place, {})[value if value in DESCRIPTIONS else fold(value)] = meaning
    return replace(reading, uses=uses, meanings=meanings, file_meaning=file_meaning)


def read_basis(form: Form, before: str) -> str:
    """Why one may write to these people, on one line."""
    if not any(name == "basis" for name, _ in form.fields):
        return before
    return " ".join(form.get("basis").split())[:_LONGEST_BASIS]


def list_sheets(checked: CheckedFile) -> Sequence[str]:
    """The names of the sheets of a workbook."""
    return checked.inspected.sheets if checked.inspected is not None else ()


def may_choose_header(checked: CheckedFile) -> bool:
    """Whether the file is a table, in which a row names the columns."""
    form = checked.inspected.form if checked.inspected is not None else ""
    return form.startswith(_TABLES) and checked.inspected is not None and not checked.inspected.members


def _list_statuses(checked: CheckedFile) -> Sequence[Mapping[str, Any]]:
    if checked.report is None:
        return checked.statuses
    return [status for part in checked.report.parts for status in part.statuses]


def _find_meaning_name(value: str | None) -> str:
    return StatusMeaning(value).name if value else ""


def _find_place(checked: CheckedFile, title: str) -> int | None:
    columns = checked.inspected.columns if checked.inspected is not None else ()
    # The titles of the columns are shortened.
    same = [one for one in columns if one.title and one.title == shorten_cell(title)]
    told = [one for one in same if one.use is ColumnUse.status]
    return next((one.place for one in (*told, *same)), None)


def _read_offered(form: Form, name: str, offered: Sequence[str], before: str) -> str:
    if not any(field == name for field, _ in form.fields):
        return before
    value = form.get(name)
    return value if value in offered or not value else before


def _read_header(form: Form, checked: CheckedFile, before: int | None) -> int | None:
    known = {str(number): number for number, _ in checked.inspected.top} if checked.inspected else {}
    wanted = form.get("header")
    if not any(field == "header" for field, _ in form.fields):
        return before
    return {"": None, "0": 0, **known}.get(wanted, before)


def _read_uses(form: Form, checked: CheckedFile) -> Iterator[tuple[int, ColumnUse]]:
    sent = dict(form.fields)
    for column in list_shown_columns(checked):
        use = sent.get(f"use-{column.place}", "")
        if use in list(ColumnUse) and use != column.use:
            yield column.place, ColumnUse(use)


def _read_meanings(form: Form, checked: CheckedFile) -> Iterator[tuple[int | None, str, StatusMeaning]]:
    sent = dict(form.fields)
    for status in list_shown_statuses(checked):
        for value in status.values:
            said = sent.get(value.field, "") if value.field else ""
            if said in StatusMeaning.__members__ and said != value.meaning:
                is_file_name = value.value == EVERY_ROW and status.is_ours
                yield None if is_file_name else status.place, value.value, StatusMeaning[said]
