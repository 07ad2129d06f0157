"""One setting as people fill it in: a field, and its place in ``mailer.toml``."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from locales.phrase import gettext_noop
from mailer.fields import Field, FieldKind, find_kind, is_list, list_parts
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.mailer_toml import Settings
from mailer.settings.smtp import RelaySettings

_AS_USUAL = gettext_noop("as usual")


@dataclass(frozen=True, kw_only=True)
class Setting(Field):
    """A key of ``mailer.toml``. Its ``name`` is its path with full stops between, as commands and forms write
    it. One without a ``label`` is called as in the file, and has a ``description`` instead."""

    path: TomlPath
    description: str = ""

    @property
    def options(self) -> list[tuple[str, str]]:
        usual = [("", _AS_USUAL)] if self.kind is FieldKind.choice and self.default is None else []
        return [*usual, *((choice, self.say(choice)) for choice in self.choices)]


def make_setting(path: TomlPath, kind: FieldKind = FieldKind.text, **values: Any) -> Setting:
    return Setting(name=".".join(map(str, path)), path=path, kind=kind, **values)


def list_settings(*keys: str) -> tuple[Setting, ...]:
    """Return the settings of a section, and of the tables inside it; lists of tables are left out."""
    field = Settings.model_fields[keys[0]]
    model = _find_model(field.annotation)
    return describe_model(keys, model) if model else (_describe(keys, field),)


def describe_model(path: TomlPath, model: type[BaseModel]) -> tuple[Setting, ...]:
    return tuple(_walk(path, model))


def describe_relay(path: TomlPath) -> Iterator[Setting]:
    """Yield the settings of the relay at ``path`` in the list; what ``[smtp]`` has too is called as there."""
    shared = {one.path[1:]: one for one in list_settings("smtp")}
    for one in describe_model(path, RelaySettings):
        like = one if one.label else shared.get(one.path[len(path) :], one)
        yield replace(one, label=like.label, hint=like.hint, choice_words=like.choice_words)


def _walk(path: TomlPath, model: type[BaseModel], *, is_optional: bool = False) -> Iterator[Setting]:
    for key, field in model.model_fields.items():
        inner, is_plain = _find_model(field.annotation), not is_list(field.annotation)
        if inner is not None and is_plain:
            yield from _walk((*path, key), inner, is_optional=True)
        elif inner is None:
            yield _describe((*path, key), field, is_optional=is_optional)


def _describe(path: TomlPath, field: FieldInfo, *, is_optional: bool = False) -> Setting:
    kind, choices, _ = find_kind(field.annotation)
    words: Any = field.json_schema_extra or {}
    has_default = field.default is not PydanticUndefined or field.default_factory is not None
    return make_setting(
        path,
        kind,
        choices=choices,
        default=field.get_default(call_default_factory=True) if has_default else None,
        is_required=not has_default and not is_optional,
        description=field.description or "",
        label=field.title or "",
        hint=words.get("hint", ""),
        choice_words={choice: (said, "") for choice, said in words.get("choices", {}).items()},
    )


def _find_model(annotation: Any) -> type[BaseModel] | None:
    for part in list_parts(annotation):
        inner = get_args(part)[0] if is_list(part) else part
        if isinstance(inner, type) and not issubclass(inner, Path) and issubclass(inner, BaseModel):
            return inner
    return None
