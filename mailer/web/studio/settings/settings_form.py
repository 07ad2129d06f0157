"""A page of the settings, and the form of some of them: shown, read, checked, compared and saved."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self

from fastapi import Depends
from starlette.responses import Response

from locales.phrase import gettext_noop
from mailer.activity import deeds
from mailer.activity.log import find_settings_authors
from mailer.activity.record import record_line
from mailer.dispatch.dispatcher import check_usable
from mailer.errors import ConfigurationError
from mailer.fields import FAULTS, FieldKind, FieldTextError
from mailer.i18n import Translator
from mailer.settings import SETTINGS_FILE, InvalidSettingsError, Settings, find_overrides
from mailer.settings.changes.setting import Setting
from mailer.settings.changes.settings_file import OvertakenError, change_settings, read_settings_file
from mailer.settings.changes.toml_nodes import TomlPath, TomlValue, write_keys
from mailer.settings.changes.toml_splicer import TomlChanges, find_value
from mailer.web.forms import Form
from mailer.web.studio.model_form import ModelForm, describe_overtaken_field, explain_fault
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.workspace import Workspace

_RADIO = 4
"""So many choices are shown at once."""

_NAME_TABLES = frozenset({"sector_names", "country_names"})
"""Tables whose keys are on the pages of several sectors and countries."""

_LONG = frozenset({"sender.postal_address"})
"""Texts on one line that are longer than a field is wide."""

_NOTHING = gettext_noop("nothing")


@dataclass(frozen=True, kw_only=True)
class SettingsForm(ModelForm):
    """A form of settings. The page has what the file said of each as JSON. ``variables`` are those of the
    environment that override a setting, by its name: it is then shown and not sent. ``changes`` is what the
    form asks for, ``before`` are the values that it began from, and ``notice`` says that it was saved."""

    fields: Mapping[str, Setting]
    variables: Mapping[str, str]
    changes: TomlChanges = field(default_factory=dict)
    before: Mapping[TomlPath, Any] = field(default_factory=dict)
    notice: Notice | None = None

    def find_shape(self, name: str) -> str:
        """Return how a field is shown: a line, several lines, a box to tick, or a choice."""
        one = self.fields[name]
        match one.kind:
            case FieldKind.texts | FieldKind.table:
                return "lines"
            case FieldKind.choices:
                return "boxes"
            case FieldKind.switch:
                return "box"
            case FieldKind.choice:
                return "radio" if len(one.choices) <= _RADIO else "select"
            case _:
                return "lines" if name in _LONG else "line"

    def read(self, sent: Form, translator: Translator) -> Self:
        """Return the form as it was sent. Fields that the page did not have stay as they are."""
        texts, was = dict(self.texts), dict(self.was)
        names = {name for name, _ in sent.fields}
        for name in self.fields:
            if name not in self.variables and f"was-{name}" in names:
                texts[name], was[name] = self._read_text(name, sent), sent.get(f"was-{name}")
        return replace(self, texts=texts, was=was)._find_changes(translator)

    def _read_text(self, name: str, sent: Form) -> str:
        values = [value for key, value in sent.fields if key == name]
        match self.find_shape(name):
            case "box":
                return "true" if values else "false"
            case "boxes":
                text = "\n".join(values)
            case _:
                text = (values or [""])[-1]
        return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")

    def _find_changes(self, translator: Translator) -> Self:
        form = self
        changes: dict[TomlPath, TomlValue | None] = {}
        before: dict[TomlPath, Any] = {}
        for name, one in self.fields.items():
            was = _read_json(self.was[name], one)
            if name in self.variables or one.format(one.default if was is None else was) == self.texts[name]:
                continue
            try:
                value = one.parse(self.texts[name])
                if value is None and one.is_required:
                    raise FieldTextError("missing")
            except FieldTextError as error:
                form = form.refuse(name, explain_fault(translator, one, error))
            else:
                if value != was:
                    changes[one.path], before[one.path] = value, was
        for table in self._list_empty_tables():
            # A table inside a section goes when all of its fields are empty.
            if touched := [path for path in changes if path[: len(table)] == table]:
                for path in touched:
                    del changes[path]
                changes[table] = None
        return replace(form, changes=changes, before=before)

    def _list_empty_tables(self) -> Iterator[TomlPath]:
        empty: dict[TomlPath, bool] = {}
        for name, one in self.fields.items():
            if len(one.path) > 2 and one.path[0] not in _NAME_TABLES:
                is_empty = self.texts[name] in {"", one.format(one.default)}
                empty[one.path[:-1]] = empty.get(one.path[:-1], True) and is_empty
        return (table for table, is_empty in empty.items() if is_empty)

    def explain(self, error: InvalidSettingsError, translator: Translator) -> Self:
        """Return the form with what is wrong, each beside its field if the page has it."""
        form = self
        for fault in error.faults:
            words = fault.message
            if fault.kind in FAULTS:
                limits = {name: str(value) for name, value in fault.limits.items()}
                words = translator.translate(FAULTS[fault.kind], **limits)
            holders = (name for name, one in self.fields.items() if fault.place[: len(one.path)] == one.path)
            name = next(holders, "")
            form = form.refuse(name, words if name else f"{'.'.join(map(str, fault.place))}: {words}")
        return form


NO_FORM = SettingsForm(fields={}, texts={}, was={}, variables={})
"""That of settings which cannot be read."""


def _write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda one: one.isoformat())


def _read_json(text: str, setting: Setting) -> Any:
    """The value of the file that :func:`_write_json` wrote; None for anything else."""
    try:
        value = json.loads(text)
        return date.fromisoformat(value) if setting.kind is FieldKind.day and value else value
    except (ValueError, TypeError):
        return None


class SettingsPage(StudioPage):
    @property
    def workspace(self) -> Workspace:
        """The workspace with its settings as they are on the disk now, or the last that could be used."""
        self.state.live.refresh()
        return self.state.live.current

    def find(self, *path: str | int) -> Any:
        """Return the value at ``path`` of the file; None if it has none. Raise ConfigurationError if the file
        cannot be read.
        """
        return find_value(read_settings_file(self.workspace.root), path)

    def render(self, template: str, *, status: int = 0, **values: Any) -> Response:
        """Render a page of the settings, with what is wrong: ``errors``, or those of ``form``."""
        self.state.live.refresh()
        if (form := values.get("form")) is not None:
            values["errors"], status = form.errors, form.status
        return super().render(template, status=status, fault=self.state.live.fault, **values)

    def open_form(self, settings: Sequence[Setting]) -> SettingsForm:
        """Return the form of settings as they are in the file; one without fields if it cannot be read."""
        try:
            file = read_settings_file(self.workspace.root)
        except ConfigurationError as error:
            return NO_FORM.refuse("", str(error), 409)
        return self._make_form(settings, {one.name: find_value(file, one.path) for one in settings})

    def read_form(self, settings: Sequence[Setting], sent: Form) -> SettingsForm:
        """Return the form as it was sent; it has with it what the file said."""
        return self._make_form(settings, {}).read(sent, self.translator)

    def _make_form(self, settings: Sequence[Setting], said: Mapping[str, Any]) -> SettingsForm:
        workspace = self.workspace
        overrides = find_overrides(workspace.environ)
        used = workspace.settings.model_dump(mode="json")
        texts, was, variables = {}, {}, {}
        for one in settings:
            value = said.get(one.name)
            shown, was[one.name] = one.default if value is None else value, _write_json(value)
            section, key = (*map(str, one.path), "")[:2]
            if variable := overrides.get((section, key)):
                variables[one.name], shown = variable, find_value(used, one.path)
            texts[one.name] = one.format(shown)
        fields = {one.name: one for one in settings}
        return SettingsForm(fields=fields, texts=texts, was=was, variables=variables)

    def save_form(self, form: SettingsForm, was: Mapping[TomlPath, Any] | None = None) -> SettingsForm:
        """Save what a form asks for; return it with a notice, or with what stands in the way. ``was`` are
        further values that must still be there."""
        if form.errors:
            return form
        if not form.changes:
            return replace(form, notice=Notice.settings_unchanged)
        try:
            self.save(form.changes, was={**form.before, **(was or {})})
        except OvertakenError as error:
            return self._show_both(form, error)
        except InvalidSettingsError as error:
            return form.explain(error, self.translator)
        except ConfigurationError as error:
            return form.refuse("", str(error), 409)
        return replace(form, notice=Notice.settings_saved)

    def save(
        self,
        changes: TomlChanges,
        *,
        was: Mapping[TomlPath, Any],
        orders: Mapping[TomlPath, Sequence[str]] | None = None,
    ) -> None:
        """Change settings; the log names the keys, and never a value. Raise ConfigurationError if they could
        not be changed, as :func:`change_settings` says.
        """
        self.end_reading()
        workspace = self.state.workspace
        keys = ", ".join(map(write_keys, dict.fromkeys((*changes, *(orders or {})))))
        line = self.make_line(deeds.changed_settings(keys))
        with self.announcing(line, workspace.root / SETTINGS_FILE) as session:
            record_line(session, line)
            # The line first: if it cannot be written, neither are the settings.
            session.flush()
            change_settings(
                workspace.root,
                changes,
                was=was,
                environ=workspace.environ,
                orders=orders,
                check=lambda found: _check(found, workspace.settings),
            )
        self.state.live.refresh()

    def _show_both(self, form: SettingsForm, error: OvertakenError) -> SettingsForm:
        """Show what was entered beside what was saved meanwhile. The page then knows that, so that saving
        again is a choice."""
        own, was, told = self._list_own_changes(error.current), dict(form.was), form
        for name, one in form.fields.items():
            if one.path in error.current:
                theirs = error.current[one.path]
                text = (one.format(theirs) or self.translate(_NOTHING)).replace("\n", ", ")
                words = describe_overtaken_field(self.translator, text, is_own=one.path in own)
                told, was[name] = told.refuse(name, words, 409), _write_json(theirs)
        return replace(told, was=was) if told.errors else form.refuse("", str(error), 409)

    def _list_own_changes(self, paths: Collection[TomlPath]) -> set[TomlPath]:
        """Those of the settings ``paths`` that the member has changed last."""
        try:
            written = (self.workspace.root / SETTINGS_FILE).stat().st_mtime
        except OSError:
            return set()
        authors = find_settings_authors(self.session, datetime.fromtimestamp(written, UTC))
        return {path for path in paths if authors(write_keys(path)) == self.member.id}


def _check(settings: Settings, former: Settings) -> None:
    if settings.database != former.database:
        raise ConfigurationError(
            gettext_noop(
                "mailer.toml names another database now, which the running programs do not have open. Start "
                "them again first."
            )
        )
    check_usable(settings)


def _open_settings(page: PageDep) -> SettingsPage:
    return page.about(SettingsPage)


SettingsPageDep = Annotated[SettingsPage, Depends(_open_settings)]
