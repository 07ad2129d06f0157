"""One setting as people fill it in: what it takes, and how its value is written as text and read again."""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.changes.toml_writer import TomlValue
from mailer.settings.mailer_toml import Settings


class SettingKind(StrEnum):
    """What a setting takes."""

    text = "text"
    """A text on one line."""

    whole_number = "whole_number"
    """A whole number."""

    number = "number"
    """A number, with a decimal point or without."""

    switch = "switch"
    """True or false."""

    choice = "choice"
    """One of a few words."""

    day = "day"
    """A day, such as 2026-03-02."""

    texts = "texts"
    """Any number of texts."""

    choices = "choices"
    """Any number of a few words."""

    table = "table"
    """Any number of keys, each with a text or a number."""


class SettingTextError(ValueError):
    """A text is not a value of the setting; ``kind`` is pydantic's name of the error."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A key of ``mailer.toml``. ``choices`` are the words it takes, if it takes only some. ``default`` is
    None if it has none; ``is_required`` says that it must be there, as far as its table is."""

    path: TomlPath
    kind: SettingKind
    choices: tuple[str, ...] = ()
    default: Any = None
    is_required: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """The keys with full stops between, as commands and forms write them."""
        return ".".join(map(str, self.path))

    def format(self, value: Any) -> str:
        """``value`` as people write it: an item of a list, or a key of a table, on each line."""
        match value:
            case None:
                return ""
            case bool():
                return "true" if value else "false"
            case dict():
                return "\n".join(f"{key} = {item}" for key, item in value.items())
            case list() | tuple():
                return "\n".join(map(str, value))
            case _:
                return str(value)

    def parse(self, text: str) -> TomlValue | None:
        """The value that ``text`` says; None to have the default.

        Raises:
            SettingTextError: it is not a value of this kind.
        """
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        match self.kind:
            case SettingKind.texts | SettingKind.choices:
                return lines or (None if not self.default else [])
            case SettingKind.table:
                return dict(map(_parse_line, lines)) or None
            case _:
                line = " ".join(lines)
                return self._parse_line(line) if line else None

    def _parse_line(self, line: str) -> TomlValue:
        match self.kind:
            case SettingKind.switch:
                if line not in {"true", "false"}:
                    raise SettingTextError("bool_parsing")
                return line == "true"
            case SettingKind.whole_number:
                return _parse_whole_number(line)
            case SettingKind.number:
                return _parse_number(line)
            case SettingKind.day:
                return _parse_day(line)
            case SettingKind.choice if line in {"true", "false"} and line in self.choices:
                return line == "true"
            case _:
                return line


def list_settings(*keys: str) -> tuple[Setting, ...]:
    """The settings of a section, and of the tables inside it; lists of tables are left out."""
    field = Settings.model_fields[keys[0]]
    model = _find_model(field.annotation)
    return tuple(_walk(keys, model)) if model else (_describe(keys, field),)


def find_setting(path: TomlPath) -> Setting | None:
    """The setting at ``path``; None if there is none."""
    if not path or path[0] not in Settings.model_fields:
        return None
    return next((one for one in list_settings(str(path[0])) if one.path == path), None)


def describe_model(path: TomlPath, model: type[BaseModel]) -> tuple[Setting, ...]:
    """The settings of a table at ``path`` that ``model`` describes, and of the tables inside it."""
    return tuple(_walk(path, model))


def _walk(path: TomlPath, model: type[BaseModel], *, is_optional: bool = False) -> Iterator[Setting]:
    for key, field in model.model_fields.items():
        inner, is_list = _find_model(field.annotation), _is_list(field.annotation)
        if inner is not None and not is_list:
            yield from _walk((*path, key), inner, is_optional=True)
        elif inner is None:
            yield _describe((*path, key), field, is_optional=is_optional)


def _describe(path: TomlPath, field: FieldInfo, *, is_optional: bool = False) -> Setting:
    kind, choices = _find_kind(field.annotation)
    has_default = field.default is not PydanticUndefined or field.default_factory is not None
    return Setting(
        path=path,
        kind=kind,
        choices=choices,
        default=field.get_default(call_default_factory=True) if has_default else None,
        is_required=not has_default and not is_optional,
        description=field.description or "",
    )


def _find_kind(annotation: Any) -> tuple[SettingKind, tuple[str, ...]]:
    parts = [part for part in _list_parts(annotation) if part is not type(None)]
    if len(parts) > 1:
        words = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
        # Some settings that were true or false have come to have more to say.
        return (SettingKind.choice, ("false", "true", *words)) if bool in parts else (SettingKind.text, ())
    (part,) = parts
    if _is_list(part):
        kind, choices = _find_kind(get_args(part)[0])
        return (SettingKind.choices if kind is SettingKind.choice else SettingKind.texts), choices
    if get_origin(part) is Literal:
        return SettingKind.choice, tuple(get_args(part))
    if get_origin(part) is dict:
        return SettingKind.table, ()
    kinds = {bool: SettingKind.switch, int: SettingKind.whole_number, float: SettingKind.number}
    kinds[date] = SettingKind.day
    return kinds.get(part, SettingKind.text), ()


def _list_parts(annotation: Any) -> Sequence[Any]:
    is_union = get_origin(annotation) in {Union, types.UnionType}
    return get_args(annotation) if is_union else (annotation,)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _find_model(annotation: Any) -> type[BaseModel] | None:
    for part in _list_parts(annotation):
        inner = get_args(part)[0] if _is_list(part) else part
        if isinstance(inner, type) and not issubclass(inner, Path) and issubclass(inner, BaseModel):
            return inner
    return None


def _parse_whole_number(line: str) -> int:
    try:
        return int(line)
    except ValueError as error:
        raise SettingTextError("int_parsing") from error


def _parse_number(line: str) -> float:
    """A number; half of the world writes a decimal comma."""
    text = line.replace(",", ".") if line.count(",") == 1 and "." not in line else line
    try:
        value = float(text)
    except ValueError as error:
        raise SettingTextError("float_parsing") from error
    if value - value != 0:
        raise SettingTextError("float_parsing")
    return int(value) if value.is_integer() and abs(value) < 10**15 else value


def _parse_day(line: str) -> date:
    try:
        return date.fromisoformat(line)
    except ValueError as error:
        raise SettingTextError("date_from_datetime_parsing") from error


def _parse_line(line: str) -> tuple[str, str | float]:
    key, sign, value = line.partition("=")
    key, value = key.strip().strip("\"'"), value.strip().strip("\"'")
    if not (sign and key and value):
        raise SettingTextError("table_line")
    try:
        return key, _parse_number(value)
    except SettingTextError:
        return key, value
