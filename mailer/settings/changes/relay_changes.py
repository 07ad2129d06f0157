"""Relays as changes of the settings: another one beside those that are there, and one less."""

from collections.abc import Mapping
from typing import Any

from mailer.settings.changes.toml_nodes import TomlPath, TomlValue
from mailer.settings.changes.toml_splicer import find_value
from mailer.settings.smtp import MAIN_RELAY

_SMTP: TomlPath = ("smtp",)
_LIST: TomlPath = ("smtp", "relays")
# What a relay does not share with others once there are several.
_OWN = ("url", "password_file", "token_file", "oauth", "auth", "starttls", "warm_up", "sending_addresses")

RelayChanges = dict[TomlPath, TomlValue | None]


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
    path = find_relay_path(file, name)
    assert path is not None  # noqa: S101 - asked before
    return {path: None}, {_LIST: find_value(file, _LIST)}


def _list_names(file: Mapping[str, Any]) -> list[str]:
    return [str(one.get("name", "")) for one in find_value(file, _LIST) or [] if isinstance(one, dict)]
