"""Writes settings that were changed, with their line in the log, and has the running programs take them."""

from collections.abc import Mapping, Sequence
from typing import Any

from locales.phrase import gettext_noop
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.dispatch.dispatcher import check_usable
from mailer.errors import ConfigurationError
from mailer.settings import Settings
from mailer.settings.changes.settings_file import change_settings
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.changes.toml_splicer import TomlChanges
from mailer.settings.changes.toml_writer import write_keys
from mailer.settings.mailer_toml import SETTINGS_FILE
from mailer.web.studio.page import StudioPage
from mailer.web.studio.text_save import announced_session, make_line
from mailer.workspace import Workspace


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
