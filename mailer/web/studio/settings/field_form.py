"""A form of settings, from the page that shows it to the file: what all pages with settings share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from starlette.responses import Response

from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings import SETTINGS_FILE, InvalidSettingsError
from mailer.settings.changes.setting import Setting
from mailer.settings.changes.settings_file import OvertakenError, SettingsFile, read_settings_file
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.web.forms import Form
from mailer.web.studio.notices import Notice
from mailer.web.studio.overtaken_field import describe_overtaken_field
from mailer.web.studio.page import StudioPage
from mailer.web.studio.settings.fields import Field, find_changes, read_fields, read_form, write_json
from mailer.web.studio.settings.settings_author import list_own_changes
from mailer.web.studio.settings.settings_save import find_workspace, save_changes
from mailer.web.studio.settings.words import describe_fault

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
