"""The fields of a table of settings as a form: shown, read, checked, compared and saved."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlmodel import Session, col, select
from starlette.responses import Response

from locales.phrase import gettext_noop
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.team_models import ActivityRecord
from mailer.dispatch.dispatcher import check_usable
from mailer.errors import ConfigurationError
from mailer.fields import FieldKind, FieldTextError
from mailer.settings import SETTINGS_FILE, InvalidSettingsError, Settings, find_overrides
from mailer.settings.changes.setting import Setting
from mailer.settings.changes.settings_file import (
    OvertakenError,
    SettingsFile,
    change_settings,
    read_settings_file,
)
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.changes.toml_splicer import TomlChanges, find_value
from mailer.settings.changes.toml_writer import TomlValue, write_keys
from mailer.web.forms import Form
from mailer.web.studio.notices import Notice
from mailer.web.studio.overtaken_field import describe_overtaken_field
from mailer.web.studio.page import StudioPage
from mailer.web.studio.settings.words import describe_fault
from mailer.web.studio.text_save import announced_session, make_line
from mailer.workspace import Workspace

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
            case FieldKind.texts | FieldKind.table:
                return "lines"
            case FieldKind.choices:
                return "boxes"
            case FieldKind.switch:
                return "box"
            case FieldKind.choice:
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
        except FieldTextError as error:
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
        return date.fromisoformat(value) if setting.kind is FieldKind.day and value else value
    except (ValueError, TypeError):
        return None


_LOOKED_BACK = 100
_WRITING_TIME = timedelta(seconds=30)
"""How long after its line in the log a change may have reached the file."""


def list_own_changes(page: StudioPage, paths: Collection[TomlPath]) -> set[TomlPath]:
    """Those of the settings ``paths`` that the member of ``page`` has changed last."""
    with page.state.read_session() as session:
        lines = _list_lines(session)
    try:
        written = (page.state.workspace.root / SETTINGS_FILE).stat().st_mtime
    except OSError:
        return set()
    # Whoever changes the file by hand leaves no line.
    if not lines or datetime.fromtimestamp(written, UTC) > lines[0].at + _WRITING_TIME:
        return set()
    return {path for path in paths if _find_author(lines, write_keys(path)) == page.member.id}


def _list_lines(session: Session) -> list[ActivityRecord]:
    query = select(ActivityRecord).where(ActivityRecord.act == Act.changed_settings)
    return list(session.exec(query.order_by(col(ActivityRecord.id).desc()).limit(_LOOKED_BACK)))


def _find_author(lines: Collection[ActivityRecord], key: str) -> int | None:
    for line in lines:
        if key in line.subject.split(", "):
            return line.member_id
        if line.subject.endswith("…"):
            # It was shortened, and may have named the key.
            return None
    return None


def save_changes(
    page: StudioPage,
    changes: TomlChanges,
    *,
    was: Mapping[TomlPath, Any],
    orders: Mapping[TomlPath, Sequence[str]] | None = None,
) -> Settings:
    """Change settings; the log names the keys, and never a value.

    Raises:
        ConfigurationError: they could not be changed, as :func:`change_settings` says.
    """
    workspace = page.state.workspace
    keys = ", ".join(map(write_keys, dict.fromkeys((*changes, *(orders or {})))))
    line = make_line(page, Act.changed_settings, subject=keys)
    with announced_session(page, [line], workspace.root / SETTINGS_FILE) as session:
        record_line(session, line)
        # The line first: if it cannot be written, neither are the settings.
        session.flush()
        settings = change_settings(
            workspace.root,
            changes,
            was=was,
            environ=workspace.environ,
            orders=orders,
            check=lambda found: _check(found, workspace.settings),
        )
    page.state.live.refresh()
    return settings


def find_workspace(page: StudioPage) -> Workspace:
    """The workspace with its settings as they are on the disk now, or with the last that could be used."""
    page.state.live.refresh()
    return page.state.live.current


def find_fault(page: StudioPage) -> str:
    """Why mailer.toml cannot be used as it is now; empty if it can."""
    page.state.live.refresh()
    return page.state.live.fault


def _check(settings: Settings, former: Settings) -> None:
    if settings.database != former.database:
        raise ConfigurationError(
            gettext_noop(
                "mailer.toml names another database now, which the running programs do not have open. Start "
                "them again first."
            )
        )
    check_usable(settings)


NOTHING = gettext_noop("nothing")
# What the fields were is in the form.
_EMPTY_FILE = SettingsFile(path=Path(SETTINGS_FILE), data=b"")

Errors: TypeAlias = Sequence[tuple[str, str]]
"""The fields that are wrong, each with its words; "" for what is about no field."""


def check_nothing(_: Sequence[Field]) -> Errors:
    """The check of a form that has none of its own."""
    return []


@dataclass(frozen=True, kw_only=True)
class FieldForm:
    """The form of some settings. ``show`` renders its page with the fields, the errors and a status, and
    ``path`` is where it leads when it is saved. ``check`` finds more errors in what was sent, and ``was``
    are values that must still be there."""

    page: StudioPage
    settings: Sequence[Setting]
    show: Callable[[Sequence[Field], Errors, int], Response]
    path: str
    check: Callable[[Sequence[Field]], Errors] = check_nothing
    was: Mapping[TomlPath, Any] = field(default_factory=dict)

    def open(self) -> Response:
        """Show the settings as they are in the file."""
        try:
            file = read_settings_file(find_workspace(self.page).root)
        except ConfigurationError as error:
            return self.show([], [("", str(error))], 409)
        return self.show(self._list_fields(file), [], 200)

    def read(self) -> list[Field]:
        """The fields as they are in the file; none if that cannot be read."""
        try:
            return self._list_fields(read_settings_file(find_workspace(self.page).root))
        except ConfigurationError:
            return []

    def save(self, form: Form) -> Response:
        """Save what was changed."""
        sent = read_form(self._list_fields(_EMPTY_FILE), form)
        asked = find_changes(sent)
        errors = [(name, describe_fault(self.page.translator, kind)) for name, kind in asked.faults.items()]
        errors += self.check(sent)
        if errors:
            return self.show(sent, errors, 422)
        if not asked.changes:
            return self.page.redirect(self.path, Notice.settings_unchanged)
        try:
            save_changes(self.page, asked.changes, was={**asked.was, **self.was})
        except OvertakenError as error:
            return self._show_both(sent, error)
        except InvalidSettingsError as error:
            return self.show(sent, self._list_faults(error), 422)
        except ConfigurationError as error:
            return self.show(sent, [("", str(error))], 409)
        return self.page.redirect(self.path, Notice.settings_saved)

    def _list_fields(self, file: SettingsFile) -> list[Field]:
        workspace = find_workspace(self.page)
        return read_fields(self.settings, file, workspace.settings, workspace.environ)

    def _list_faults(self, error: InvalidSettingsError) -> Errors:
        """What is wrong, each beside its field if the page has it."""
        errors = []
        for fault in error.faults:
            holders = (one.name for one in self.settings if fault.place[: len(one.path)] == one.path)
            name = next(holders, "")
            words = describe_fault(self.page.translator, fault.kind, fault.message, fault.limits)
            errors.append((name, words if name else f"{'.'.join(map(str, fault.place))}: {words}"))
        return errors

    def _show_both(self, sent: Sequence[Field], error: OvertakenError) -> Response:
        """Show what was entered beside what was saved meanwhile. The page then knows that, so that saving
        again is a choice."""
        errors, known = [], []
        translator = self.page.translator
        own = list_own_changes(self.page, error.current)
        for one in sent:
            if one.setting.path not in error.current:
                known.append(one)
                continue
            theirs = error.current[one.setting.path]
            text = (one.setting.format(theirs) or translator.translate(NOTHING)).replace("\n", ", ")
            words = describe_overtaken_field(translator, text, is_own=one.setting.path in own)
            errors.append((one.name, words))
            known.append(replace(one, was=write_json(theirs)))
        return self.show(known, errors or [("", str(error))], 409)
