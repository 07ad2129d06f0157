"""The words for what a column of a file holds, and for what a value says of a person."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.i18n import gettext_noop
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnUse
from subscribers.imports.columns.status_columns import ANY_TEXT, DATE, EMPTY, EVERY_ROW, OTHERS
from subscribers.imports.columns.status_words import StatusMeaning

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
