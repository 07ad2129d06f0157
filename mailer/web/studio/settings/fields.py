"""Settings as the fields of a form, and back.

A form has the value in the file of each of its fields, as JSON, beside what people see: so it is known what
they began from, whatever the file says by the time they save.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from mailer.settings import Settings, find_overrides
from mailer.settings.changes.setting import Setting, SettingKind, SettingTextError
from mailer.settings.changes.settings_file import SettingsFile
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.changes.toml_splicer import find_value
from mailer.settings.changes.toml_writer import TomlValue
from mailer.web.forms import Form

WAS = "was-"
_RADIO = 4
"""So many choices are shown at once."""

_NAME_TABLES = frozenset({"sector_names", "country_names"})
"""Tables whose keys are on the pages of several sectors and countries."""

_LONG = frozenset({"sender.postal_address"})
"""Texts on one line that are longer than a field is wide."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A setting in a form. ``text`` is what it says, and ``was`` what the file said when the page was opened,
    as JSON. ``variable`` overrides it, empty if none does; it is then shown and not sent."""

    setting: Setting
    text: str
    was: str
    variable: str = ""

    @property
    def name(self) -> str:
        return self.setting.name

    @property
    def shape(self) -> str:
        """How it is shown: a line, several lines, a box to tick, or a choice."""
        match self.setting.kind:
            case SettingKind.texts | SettingKind.table:
                return "lines"
            case SettingKind.choices:
                return "boxes"
            case SettingKind.switch:
                return "box"
            case SettingKind.choice:
                return "radio" if len(self.setting.choices) <= _RADIO else "select"
            case _:
                return "lines" if self.setting.name in _LONG else "line"

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True, kw_only=True)
class SentFields:
    """What a form asks for: the new values, and those that they are to replace. ``faults`` are pydantic's
    names of what is wrong with a text, by the name of its field."""

    changes: Mapping[TomlPath, TomlValue | None]
    was: Mapping[TomlPath, Any]
    faults: Mapping[str, str]


def read_fields(
    settings: Sequence[Setting], file: SettingsFile, current: Settings, environ: Mapping[str, str]
) -> list[Field]:
    """The fields for ``settings`` as they are in the file; ``current`` are those in use."""
    overrides = find_overrides(environ)
    values = current.model_dump(mode="json")
    fields = []
    for setting in settings:
        section, key = (*map(str, setting.path), "")[:2]
        variable = overrides.get((section, key), "")
        raw = file.find(setting.path)
        shown = find_value(values, setting.path) if variable else raw if raw is not None else setting.default
        fields.append(
            Field(setting=setting, text=setting.format(shown), was=write_json(raw), variable=variable)
        )
    return fields


def read_form(fields: Sequence[Field], form: Form) -> list[Field]:
    """The fields as they were sent. Those that the page did not have stay as they are."""
    sent: list[Field] = []
    for one in fields:
        if one.variable or not any(name == f"{WAS}{one.name}" for name, _ in form.fields):
            sent.append(one)
            continue
        values = [value for name, value in form.fields if name == one.name]
        text = "\n".join(values) if one.shape == "boxes" else (values or [""])[-1]
        if one.shape == "box":
            text = "true" if values else "false"
        clean = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        sent.append(replace(one, text=clean, was=form.get(f"{WAS}{one.name}")))
    return sent


def find_changes(sent: Iterable[Field]) -> SentFields:
    """What is asked for by fields that were sent."""
    changes: dict[TomlPath, TomlValue | None] = {}
    was: dict[TomlPath, Any] = {}
    faults: dict[str, str] = {}
    for one in sent:
        setting = one.setting
        before = read_json(one.was, setting)
        if one.variable or setting.format(before if before is not None else setting.default) == one.text:
            continue
        try:
            value = setting.parse(one.text)
        except SettingTextError as error:
            faults[one.name] = error.kind
            continue
        if value is None and setting.is_required:
            faults[one.name] = "missing"
        elif value != before:
            changes[setting.path], was[setting.path] = value, before
    return SentFields(changes=_drop_empty_tables(changes, sent), was=was, faults=faults)


def _drop_empty_tables(
    changes: Mapping[TomlPath, TomlValue | None], sent: Iterable[Field]
) -> dict[TomlPath, TomlValue | None]:
    """``changes`` in which a table inside a section goes when all of its fields are empty."""
    inner: dict[TomlPath, bool] = {}
    for one in sent:
        if len(one.setting.path) > 2 and one.setting.path[0] not in _NAME_TABLES:
            table = one.setting.path[:-1]
            inner[table] = inner.get(table, True) and (not one.text or one.text == _default_text(one.setting))
    kept = dict(changes)
    for table, is_empty in inner.items():
        touched = [path for path in kept if path[: len(table)] == table]
        if is_empty and touched:
            for path in touched:
                del kept[path]
            kept[table] = None
    return kept


def _default_text(setting: Setting) -> str:
    return setting.format(setting.default)


def write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda one: one.isoformat())


def read_json(text: str, setting: Setting) -> Any:
    """The value of the file that :func:`write_json` wrote; None for anything else."""
    try:
        value = json.loads(text)
        return date.fromisoformat(value) if setting.kind is SettingKind.day and value else value
    except (ValueError, TypeError):
        return None
