"""A value as people fill it in: what it takes, how it is written as text and read again, and what is wrong.

A model says once how each of its fields is asked for, by :func:`ask`; :func:`list_fields` reads that.
"""

import dataclasses
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from locales.phrase import gettext_noop

FAULTS: Mapping[str, str] = types.MappingProxyType(
    {
        "missing": gettext_noop("Fill this in."),
        "string_too_short": gettext_noop("This is too short, or empty."),
        "string_too_long": gettext_noop("Write at most %(max_length)s letters."),
        "string_pattern_mismatch": gettext_noop("This is not written as it has to be. See the example."),
        "int_parsing": gettext_noop("Write a whole number."),
        "int_from_float": gettext_noop("Write a whole number."),
        "float_parsing": gettext_noop("Write a number."),
        "greater_than": gettext_noop("Write a number above %(gt)s."),
        "greater_than_equal": gettext_noop("Write a number of at least %(ge)s."),
        "less_than_equal": gettext_noop("Write a number of at most %(le)s."),
        "literal_error": gettext_noop("Choose one of these."),
        "bool_parsing": gettext_noop("Choose one of these."),
        "date_from_datetime_parsing": gettext_noop("Write the date as year-month-day, such as 2026-03-31."),
        "table_line": gettext_noop("Write one on each line, with a sign = between."),
        "ip_any_address": gettext_noop("Write an IP address on each line, such as 192.0.2.7."),
    }
)
"""What is wrong with a value, by pydantic's name of the error."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_ALMOST_NUMBER = re.compile(r"[+-]?[0-9][0-9_.,]*")
_FULL_WIDTH_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
"""As Chinese and Japanese keyboards write them."""


class FieldKind(StrEnum):
    """What a field takes."""

    text = "text"
    note = "note"
    """A text on several lines."""

    whole_number = "whole_number"
    number = "number"
    switch = "switch"
    choice = "choice"
    day = "day"
    texts = "texts"
    choices = "choices"
    table = "table"
    """Any number of keys, each with a text or a number."""


class FieldTextError(ValueError):
    """A text is not a value of the field; ``kind`` is a key of :data:`FAULTS`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Something that people fill in. ``choices`` are the words it takes, if it takes only some. ``default``
    is None if it has none; ``is_required`` says that it must be there.

    The words are messages to be translated: ``choice_words`` have a label and a hint for each choice, and
    ``fault`` is said of every text that is no value. ``empty`` is what nothing means. A number is above
    ``above``, and at least or most so much; a text has at most ``max_length`` characters.
    """

    name: str
    kind: FieldKind
    choices: tuple[str, ...] = ()
    default: Any = None
    is_required: bool = False
    label: str = ""
    hint: str = ""
    choice_words: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    fault: str = ""
    empty: Any = None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    max_length: int = 300
    enum: type[StrEnum] | None = None

    def format(self, value: Any) -> str:
        """Write ``value`` as people do: an item of a list, or a key of a table, on each line."""
        match value:
            case None:
                return ""
            case bool():
                return "true" if value else "false"
            case dict():
                return "\n".join(f"{key} = {item}" for key, item in value.items())
            case list() | tuple():
                return "\n".join(map(str, value))
            case _ if value == self.empty:
                return ""
            case float() if value.is_integer():
                return str(int(value))
            case _:
                return str(value)

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` says; for none, ``empty``. Raise FieldTextError if it is not a value
        of this kind.
        """
        if self.kind is FieldKind.note:
            if len(text) > self.max_length:
                raise FieldTextError("string_too_long")
            return text
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        match self.kind:
            case FieldKind.texts | FieldKind.choices:
                return lines or (None if not self.default else [])
            case FieldKind.table:
                return dict(map(_parse_table_line, lines)) or None
            case _:
                line = " ".join(lines)
                return self._parse_line(line) if line else self.empty

    def say(self, text: str) -> str:
        """Return the words for what a field says, such as the label of a choice; they may be a message."""
        return self.choice_words.get(text, (text, ""))[0] or "–"

    def _parse_line(self, line: str) -> Any:
        match self.kind:
            case FieldKind.switch:
                if line not in {"true", "false"}:
                    raise FieldTextError("bool_parsing")
                return line == "true"
            case FieldKind.whole_number:
                return self._check_limits(_parse_whole_number(line))
            case FieldKind.number:
                return self._check_limits(_parse_number(line))
            case FieldKind.day:
                return _parse_day(line)
            case FieldKind.choice if line in {"true", "false"} and line in self.choices:
                return line == "true"
            case FieldKind.choice if self.enum is not None:
                if line not in self.choices:
                    raise FieldTextError("literal_error")
                return self.enum(line)
            case _:
                return line

    def _check_limits(self, number: float) -> float:
        if self.above is not None and number <= self.above:
            raise FieldTextError("greater_than")
        if self.least is not None and number < self.least:
            raise FieldTextError("greater_than_equal")
        if self.most is not None and number > self.most:
            raise FieldTextError("less_than_equal")
        return number


def ask(label: str, hint: str = "", *, default: Any = None, **more: Any) -> Any:
    """Declare a field of a dataclass that people fill in. ``more`` are further values of :class:`Field`;
    ``choices`` are given with their words."""
    if "choices" in more:
        more["choice_words"] = more.pop("choices")
    return dataclasses.field(default=default, metadata={"label": label, "hint": hint, **more})


def list_fields(model: type[Any]) -> tuple[Field, ...]:
    """Return the fields of a dataclass that people fill in, in order."""
    hints = get_type_hints(model)
    found = []
    for one in dataclasses.fields(model):
        if one.metadata:
            kind, choices, enum = find_kind(hints[one.name])
            values = {"kind": kind, "choices": choices, "enum": enum, **one.metadata}
            found.append(Field(name=one.name, default=one.default, **values))
    return tuple(found)


def find_kind(annotation: Any) -> tuple[FieldKind, tuple[str, ...], type[StrEnum] | None]:
    """Return what a field with this annotation takes, and which words if only some; their enumeration too."""
    parts = [part for part in list_parts(annotation) if part is not type(None)]
    if len(parts) > 1:
        words = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
        # Some settings that were true or false have come to have more to say.
        is_choice = bool in parts
        return (
            (FieldKind.choice, ("false", "true", *words), None) if is_choice else (FieldKind.text, (), None)
        )
    (part,) = parts
    if is_list(part):
        kind, choices, enum = find_kind(get_args(part)[0])
        return FieldKind.choices if kind is FieldKind.choice else FieldKind.texts, choices, enum
    if get_origin(part) is Literal:
        return FieldKind.choice, tuple(get_args(part)), None
    if get_origin(part) is dict:
        return FieldKind.table, (), None
    if isinstance(part, type) and issubclass(part, StrEnum):
        return FieldKind.choice, tuple(one.value for one in part), part
    kinds = {bool: FieldKind.switch, int: FieldKind.whole_number, float: FieldKind.number}
    kinds[date] = FieldKind.day
    return kinds.get(part, FieldKind.text), (), None


def list_parts(annotation: Any) -> Sequence[Any]:
    """Return the members of a union; of any other annotation, itself."""
    is_union = get_origin(annotation) in {Union, types.UnionType}
    return get_args(annotation) if is_union else (annotation,)


def is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _parse_whole_number(line: str) -> int:
    text = line.translate(_FULL_WIDTH_DIGITS)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise FieldTextError("int_parsing")
    try:
        return int(text)
    except ValueError as error:
        raise FieldTextError("int_parsing") from error


def _parse_number(line: str) -> float:
    """Return a number; half of the world writes a decimal comma."""
    text = line.replace(",", ".") if line.count(",") == 1 and "." not in line else line
    try:
        value = float(text)
    except ValueError as error:
        raise FieldTextError("float_parsing") from error
    # "+60" and "6_0" are numbers for Python, and slips for people.
    if value - value != 0 or text.startswith("+") or "_" in text:
        raise FieldTextError("float_parsing")
    return int(value) if value.is_integer() and abs(value) < 10**15 else value


def _parse_day(line: str) -> date:
    try:
        return date.fromisoformat(line)
    except ValueError as error:
        raise FieldTextError("date_from_datetime_parsing") from error


def _parse_table_line(line: str) -> tuple[str, str | float]:
    key, sign, value = line.partition("=")
    key, value = key.strip().strip("\"'"), value.strip().strip("\"'")
    if not (sign and key and value):
        raise FieldTextError("table_line")
    try:
        return key, _parse_number(value)
    except FieldTextError:
        # As a text it would be a number again: pydantic reads "6_0" as Python does.
        if _ALMOST_NUMBER.fullmatch(value):
            raise
        return key, value
