"""One setting as people fill it in: a field, and its place in ``mailer.toml``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mailer.fields import Field, FieldKind, find_kind, is_list, list_parts
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.mailer_toml import Settings


@dataclass(frozen=True, kw_only=True)
class Setting(Field):
    """A key of ``mailer.toml``. Its ``name`` is its path with full stops between, as commands and forms write
    it."""

    path: TomlPath
    description: str = ""


def make_setting(path: TomlPath, kind: FieldKind = FieldKind.text, **values: Any) -> Setting:
    return Setting(name=".".join(map(str, path)), path=path, kind=kind, **values)


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
        inner, is_plain = _find_model(field.annotation), not is_list(field.annotation)
        if inner is not None and is_plain:
            yield from _walk((*path, key), inner, is_optional=True)
        elif inner is None:
            yield _describe((*path, key), field, is_optional=is_optional)


def _describe(path: TomlPath, field: FieldInfo, *, is_optional: bool = False) -> Setting:
    kind, choices, _ = find_kind(field.annotation)
    has_default = field.default is not PydanticUndefined or field.default_factory is not None
    return make_setting(
        path,
        kind,
        choices=choices,
        default=field.get_default(call_default_factory=True) if has_default else None,
        is_required=not has_default and not is_optional,
        description=field.description or "",
    )


def _find_model(annotation: Any) -> type[BaseModel] | None:
    for part in list_parts(annotation):
        inner = get_args(part)[0] if is_list(part) else part
        if isinstance(inner, type) and not issubclass(inner, Path) and issubclass(inner, BaseModel):
            return inner
    return None
