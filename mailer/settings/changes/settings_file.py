"""Reads ``mailer.toml`` and replaces it: only what was asked for is changed, only if nobody else has changed
it meanwhile, and only if the program can be run with the whole of it afterwards. Says what has to be changed
to add a relay or to take one out.
"""

import contextlib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.atomic_write import atomic_file, locked_folder, remove_left_behind, sync_folder
from mailer.errors import ConfigurationError
from mailer.settings.changes.toml_nodes import TomlPath, TomlValue, write_keys
from mailer.settings.changes.toml_splicer import TomlChanges, change_toml, find_value
from mailer.settings.mailer_toml import SETTINGS_FILE, Settings, find_overrides, parse_settings
from mailer.settings.smtp import MAIN_RELAY

_SMTP: TomlPath = ("smtp",)
_LIST: TomlPath = ("smtp", "relays")
# What a relay does not share with others once there are several.
_OWN = ("url", "password_file", "token_file", "oauth", "auth", "starttls", "warm_up", "sending_addresses")
RelayChanges = dict[TomlPath, TomlValue | None]
_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
NOT_WRITTEN = gettext_noop("%(path)s could not be written (%(why)s). Nothing was changed.")
_BAD_ADDRESS = gettext_noop(
    "Write the address as smtp://host:587, smtps://host:465, or with the user who logs in: "
    "smtp://user@host:587."
)
_PASSWORD_IN_ADDRESS = gettext_noop(
    "Leave the password out of the address. You can put it in when the relay is there."
)


class OvertakenError(ConfigurationError):
    """Somebody else has changed the same settings; ``current`` are their values, None for what is gone."""

    def __init__(self, current: Mapping[TomlPath, Any]) -> None:
        self.current = current
        names = ", ".join(sorted(map(write_keys, current)))
        super().__init__(
            gettext_noop("Somebody else has changed %(names)s meanwhile. Nothing was changed; try again.")
            % {"names": names}
        )


class OverriddenError(ConfigurationError):
    """A variable of the environment overrides the setting, so that a change would do nothing."""


class FileNotWrittenError(ConfigurationError):
    """The file could not be written, and is as it was; ``why`` is the system's reason."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(Phrase(NOT_WRITTEN, path=path, why=why))


def read_settings_file(folder: Path) -> dict[str, Any]:
    """Return what ``mailer.toml`` of the workspace in ``folder`` says at the moment. Raise ConfigurationError
    if there is none, it cannot be read, or it is not TOML.
    """
    return _read(folder / SETTINGS_FILE)[1]


def _read(path: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        data = path.read_bytes()
        return data, tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        unread = gettext_noop("%(path)s cannot be read (%(error)s).")
        raise ConfigurationError(Phrase(unread, path=path, error=error.strerror)) from error
    except ValueError as error:
        invalid = gettext_noop("%(path)s: not valid TOML: %(error)s. Fix the line and try again.")
        raise ConfigurationError(Phrase(invalid, path=path, error=error)) from error


def change_settings(
    folder: Path,
    changes: TomlChanges,
    *,
    was: Mapping[TomlPath, Any],
    environ: Mapping[str, str],
    orders: Mapping[TomlPath, Sequence[str]] | None = None,
    check: Callable[[Settings], None] = lambda _: None,
) -> Settings:
    """Change settings of the workspace in ``folder``, and return all of them as they are then.

    ``was`` are the values from which the changes began; what it leaves out may be anything. ``check`` may
    refuse the new settings with an error of its own. Raise OvertakenError if somebody else has changed one of
    them meanwhile, OverriddenError if a variable of ``environ`` overrides one, InvalidSettingsError if they
    would be invalid, FileNotWrittenError, or ConfigurationError if the file cannot be read or changed in this
    way.
    """
    _refuse_overridden(changes, environ)
    file = folder / SETTINGS_FILE
    with locked_folder(folder):
        data, values = _read(file)
        current = {path: find_value(values, path) for path in was}
        overtaken = {
            path: value
            for path, value in current.items()
            if value != was[path] and value != _as_toml(changes.get(path))
        }
        if overtaken:
            raise OvertakenError(overtaken)
        changed = change_toml(data.decode("utf-8"), changes, orders=orders).encode()
        settings = parse_settings(file, changed, environ)
        check(settings)
        if changed != data:
            _replace(file, data, changed)
    return settings


def _as_toml(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _refuse_overridden(changes: TomlChanges, environ: Mapping[str, str]) -> None:
    overrides = find_overrides(environ)
    for path in changes:
        section, key = (*path, "", "")[:2]
        if (variable := overrides.get((str(section), str(key)))) is not None:
            raise OverriddenError(
                gettext_noop(
                    "%(key)s is set by the variable %(variable)s, which overrides the file. "
                    "Change the variable where this program is started."
                )
                % {"key": write_keys(path), "variable": variable}
            )


def _replace(file: Path, before: bytes, data: bytes) -> None:
    # A link stays one: some keep the file elsewhere.
    path = Path(os.path.realpath(file))
    try:
        status = path.stat()
        # Renaming asks for no permission on the file itself, which somebody has taken away on purpose.
        if not status.st_mode & _ANY_WRITE:
            raise PermissionError(0, gettext_noop("the file is read-only"))
        remove_left_behind(path)
        with atomic_file(path, mode=stat.S_IMODE(status.st_mode)) as draft:
            with contextlib.suppress(PermissionError):
                os.fchown(draft.fileno(), status.st_uid, status.st_gid)
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
            # Whoever edits the file by hand does not ask for the lock.
            if path.read_bytes() != before:
                raise FileNotWrittenError(file, gettext_noop("it was changed at the same moment"))
        sync_folder(path.parent)
    except OSError as error:
        raise FileNotWrittenError(file, error.strerror or str(error)) from error


def find_relay_path(file: Mapping[str, Any], name: str) -> TomlPath | None:
    """Return the path of the relay ``name``: ``("smtp",)`` for the one in ``[smtp]``; None if it has none."""
    listed = _list_names(file)
    if not listed:
        return _SMTP if name == MAIN_RELAY else None
    return (*_LIST, listed.index(name)) if name in listed else None


def add_relay(file: Mapping[str, Any], name: str, url: str) -> tuple[RelayChanges, dict[TomlPath, Any]]:
    """Return the changes that add a relay, and the values from which they begin. The first one beside the
    relay of ``[smtp]`` makes that one the first of the list, with its own address, password and sign-in, so
    that neither gets what belongs to the other.
    """
    listed = _list_names(file)
    number = len(listed)
    changes: RelayChanges = {}
    was: dict[TomlPath, Any] = {_LIST: find_value(file, _LIST)}
    if not listed:
        smtp = find_value(file, _SMTP) or {}
        own = {key: smtp[key] for key in _OWN if key in smtp}
        if "url" in own:
            changes |= {(*_SMTP, key): None for key in own}
            changes[(*_LIST, 0)] = {"name": MAIN_RELAY, **own}
            number = 1
    # Behind the others, so that the list begins with what was there.
    changes[(*_LIST, number)] = {"name": name, "url": url}
    return changes, was


def remove_relay(file: Mapping[str, Any], name: str) -> tuple[RelayChanges, dict[TomlPath, Any]]:
    """Return the changes that take a relay of the list out, and the values from which they begin."""
    path = find_relay_path(file, name)
    assert path is not None  # noqa: S101 - asked before
    return {path: None}, {_LIST: find_value(file, _LIST)}


def _list_names(file: Mapping[str, Any]) -> list[str]:
    return [str(one.get("name", "")) for one in find_value(file, _LIST) or [] if isinstance(one, dict)]


def hide_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    return parts._replace(netloc=f"{parts.username or ''}@{parts.netloc.rpartition('@')[2]}").geturl()


def find_address_fault(url: str) -> str:
    """Return what is wrong with the address of a relay, in words to translate; empty if nothing is."""
    try:
        parts = urlsplit(url)
        is_server = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
    except ValueError:
        return _BAD_ADDRESS
    if parts.password:
        return _PASSWORD_IN_ADDRESS
    return "" if is_server or (parts.scheme == "maildir" and parts.path) else _BAD_ADDRESS
