"""The page of one section: its settings as a form, saved key by key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings import SETTINGS_FILE, InvalidSettingsError
from mailer.settings.changes.setting import Setting
from mailer.settings.changes.settings_file import OvertakenError, SettingsFile, read_settings_file
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import Field, find_changes, read_fields, read_form, write_json
from mailer.web.studio.settings.saving import find_fault, find_workspace, save_changes
from mailer.web.studio.settings.sections import SECTIONS, Section
from mailer.web.studio.settings.words import CHOICE_WORDS, WORDS, Words, describe_fault
from mailer.web.studio.sign_in.confirmation import require_confirmed

CHANGED = gettext_noop(
    "Somebody else has changed this meanwhile, to “%(theirs)s”. What you wrote is still here: save again to "
    "keep it."
)
NOTHING = gettext_noop("nothing")
# What the fields were is in the form.
EMPTY_FILE = SettingsFile(path=Path(SETTINGS_FILE), data=b"")


def show_section(page: PageDep, section: str) -> Response:
    """Show the settings of a section."""
    found = _find(section)
    try:
        file = read_settings_file(find_workspace(page).root)
    except ConfigurationError as error:
        return _render(page, found, [], [("", str(error))], status=409)
    return _render(page, found, _list_fields(page, found, file), [])


def save_section(page: PageDep, section: str, form: OwnFormDep) -> Response:
    """Save what was changed in a section."""
    found = _find(section)
    require_confirmed(page)
    sent = read_form(_list_fields(page, found, EMPTY_FILE), form)
    asked = find_changes(sent)
    if asked.faults:
        errors = [(name, describe_fault(page.translator, kind)) for name, kind in asked.faults.items()]
        return _render(page, found, sent, errors)
    if not asked.changes:
        return page.redirect(f"/settings/{section}", Notice.settings_unchanged)
    try:
        save_changes(page, asked.changes, was=asked.was)
    except OvertakenError as error:
        return _show_both(page, found, sent, error)
    except InvalidSettingsError as error:
        return _render(page, found, sent, list_faults(page, error, [one.setting for one in sent]))
    except ConfigurationError as error:
        return _render(page, found, sent, [("", str(error))], status=409)
    return page.redirect(f"/settings/{section}", Notice.settings_saved)


def list_faults(
    page: StudioPage, error: InvalidSettingsError, settings: Sequence[Setting]
) -> list[tuple[str, str]]:
    """What is wrong with settings, each beside its field if the page has it."""
    errors = []
    for fault in error.faults:
        field = next(
            (one.name for one in settings if fault.place[: len(one.path)] == one.path),
            "",
        )
        words = describe_fault(page.translator, fault.kind, fault.message, fault.limits)
        errors.append((field, words if field else f"{'.'.join(map(str, fault.place))}: {words}"))
    return errors


def _find(name: str) -> Section:
    section = SECTIONS.get(name)
    if section is None or section.path:
        raise HTTPException(404)
    return section


def _list_fields(page: StudioPage, section: Section, file: SettingsFile) -> list[Field]:
    workspace = find_workspace(page)
    return read_fields(section.settings, file, workspace.settings, workspace.environ)


def _show_both(page: StudioPage, section: Section, sent: Sequence[Field], error: OvertakenError) -> Response:
    """Show what was entered beside what somebody else has saved. The page then knows theirs, so that saving
    again is a choice."""
    errors, known = [], []
    for one in sent:
        if one.setting.path not in error.current:
            known.append(one)
            continue
        theirs = error.current[one.setting.path]
        text = one.setting.format(theirs) or page.translator.translate(NOTHING)
        errors.append((one.name, page.translator.translate(CHANGED, theirs=text.replace("\n", ", "))))
        known.append(replace(one, was=write_json(theirs)))
    return _render(page, section, known, errors, status=409)


def _render(
    page: StudioPage,
    section: Section,
    fields: Sequence[Field],
    errors: Sequence[tuple[str, str]],
    *,
    status: int | None = None,
) -> Response:
    return page.render(
        "settings_section.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        part=section,
        fields=fields,
        words={one.name: find_words(one.setting) for one in fields},
        choices={one.name: list_choices(one.setting) for one in fields},
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )


def find_words(setting: Setting) -> Words | None:
    """What the team calls a setting; None if it is called as in the file."""
    return WORDS.get(setting.name)


def list_choices(setting: Setting) -> list[tuple[str, str]]:
    """What a setting may be, each with its words."""
    name = "smtp.starttls" if setting.path[-1] == "starttls" else setting.name
    words: Mapping[str, str] = CHOICE_WORDS.get(name, {})
    return [(choice, words.get(choice, choice)) for choice in setting.choices]
