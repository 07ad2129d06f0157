"""The secret keys of a workspace, ``keys.toml``: create, read, list, rotate and retire them."""

import os
import re
import secrets
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mailer.atomic_write import locked_folder, write_atomically
from mailer.errors import ConfigurationError
from subscribers.consent.suppression import SuppressionKey
from subscribers.tokens import TokenSigner

KEYS_FILE = "keys.toml"
_KEY_BYTES = 32
_MAX_NUMBER = 255
_HEADER = (
    "# The secrets of this workspace. Keep this file private and in the backup: without it the links\n"
    "# in mails already sent stop working, and erased addresses are forgotten twice.\n"
)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The secret keys of a workspace. ``suppression`` must never change: erased addresses can only be
    recognised with it."""

    suppression: SuppressionKey
    tokens: TokenSigner


@dataclass(frozen=True, kw_only=True)
class TokenKey:
    """A key that signs links, or signed them in the past. ``made``, ``last_day`` (when a newer key replaced
    it) and ``retired`` are dates such as ``2026-11-25``, or empty if unknown or not so. One key ``signs``."""

    number: int
    made: str
    last_day: str
    retired: str
    signs: bool


def write_keys(path: Path) -> None:
    """Create new keys at ``path``, readable only by the owner. Never overwrites a file."""
    values = {
        "suppression": secrets.token_hex(_KEY_BYTES),
        "tokens": {"current": 1, "1": secrets.token_hex(_KEY_BYTES)},
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_as_toml(path, values))


def read_keys(path: Path, series: Callable[[], Sequence[tuple[int, int, bytes]]] = tuple) -> Keys:
    """Read the keys at ``path``; again if the file has changed by the time a token is verified. ``series``
    reads those of the database's numbers. Raise ConfigurationError if the file cannot be read."""
    stamp = _file_stamp(path)
    values = _read_values(path)
    try:
        tokens = values["tokens"]
        signer = TokenSigner(
            keys={int(name): bytes.fromhex(key) for name, key in tokens.items() if name != "current"},
            current=int(tokens["current"]),
            retired=frozenset(int(name) for name in values.get("retired", {})),
            last_days={
                int(name): date.fromisoformat(day) for name, day in values.get("last_day", {}).items()
            },
            series=series,
        )
        suppression = SuppressionKey(bytes.fromhex(values["suppression"]))
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise _unreadable(path, error) from error
    return Keys(suppression=suppression, tokens=replace(signer, reload=_make_reload(path, stamp, series)))


def rotate_keys(path: Path, *, now: datetime) -> int:
    """Create a new key that signs from now on and return its number. Older keys still verify, but only links
    of campaigns launched by today. Two rotations at the same time make two keys. Raise ConfigurationError
    if the file cannot be read, or all numbers are taken."""
    with locked_folder(path.parent):
        read_keys(path)
        values = _read_values(path)
        numbers = {int(name) for name in values["tokens"] if name != "current"}
        number = _choose_number(path, numbers)
        replaced, today = str(values["tokens"]["current"]), f"{now:%Y-%m-%d}"
        values["tokens"] |= {"current": number, str(number): secrets.token_hex(_KEY_BYTES)}
        values["made"] = {**values.get("made", {}), str(number): today}
        values["last_day"] = {**values.get("last_day", {}), replaced: today}
        # The number may have been another key's, which somebody has removed from the file.
        for table in (values["last_day"], values.get("retired", {})):
            table.pop(str(number), None)
        write_atomically(path, _as_toml(path, values).encode())
    return number


def retire_key(path: Path, number: int, *, now: datetime) -> bool:
    """Retire a key: no link that it signed works any more. Return whether it was not retired before. Its
    secret stays in the file, because the oldest key also makes the Message-IDs. Raises as
    :func:`find_retirable_key` does."""
    with locked_folder(path.parent):
        find_retirable_key(path, number)
        values = _read_values(path)
        retired = values.get("retired", {})
        if str(number) in retired:
            return False
        values["retired"] = {**retired, str(number): f"{now:%Y-%m-%d}"}
        write_atomically(path, _as_toml(path, values).encode())
    return True


def find_retirable_key(path: Path, number: int) -> TokenKey:
    """Return a key that may be retired. Raise ConfigurationError if the file cannot be read, there is no key
    with that number, or it is the one that signs."""
    known = {key.number: key for key in list_keys(path)}
    if number not in known:
        raise ConfigurationError(
            f"There is no key {number}. The keys are: {', '.join(map(str, known))}. See `mailer keys list`."
        )
    if known[number].signs:
        raise ConfigurationError(
            f"Key {number} signs new links and cannot be retired. Make another one first with `mailer keys "
            "rotate`."
        )
    return known[number]


def list_keys(path: Path) -> tuple[TokenKey, ...]:
    """List the token keys by number, without their secrets. Raise ConfigurationError if the file cannot be
    read."""
    signer = read_keys(path).tokens
    values = _read_values(path)

    def find_date(table: str, number: int) -> str:
        return str(values.get(table, {}).get(str(number), ""))

    return tuple(
        TokenKey(
            number=number,
            made=find_date("made", number),
            last_day=find_date("last_day", number),
            retired=find_date("retired", number),
            signs=number == signer.current,
        )
        for number in sorted(signer.keys)
    )


def _make_reload(
    path: Path, known: tuple[int, int], series: Callable[[], Sequence[tuple[int, int, bytes]]]
) -> Callable[[], TokenSigner | None]:
    """Make a function that returns the signer from the current file; None if the file has not changed since
    ``known`` or cannot be read at the moment. A changed file is read once.
    """
    latest: tuple[tuple[int, int], TokenSigner | None] = (known, None)

    def reload() -> TokenSigner | None:
        nonlocal latest
        stamp = _file_stamp(path)
        if stamp != latest[0]:
            try:
                # Read after the stamp was taken: if the file changes in between, it is read again.
                latest = (stamp, replace(read_keys(path, series).tokens, reload=None))
            except ConfigurationError:
                return None
        return latest[1]

    return reload


def _file_stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def _choose_number(path: Path, taken: set[int]) -> int:
    if max(taken) < _MAX_NUMBER:
        return max(taken) + 1
    # 0 is never used: the oldest key, which Message-IDs are derived from, must stay the lowest.
    free = [number for number in range(min(taken) + 1, _MAX_NUMBER) if number not in taken]
    if not free:
        raise ConfigurationError(
            f"{path}: all {len(taken)} key numbers are taken. Remove one whose links nobody needs any more."
        )
    return free[0]


def _read_values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: the workspace's keys are missing. Restore the file from a backup. With new keys, no "
            "link already mailed would work."
        ) from error
    except ValueError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: the workspace's keys cannot be read ({error}). Restore the file from a backup."
    )


def _as_toml(path: Path, values: Mapping[str, Any]) -> str:
    """Format the file: plain values first, then tables of plain values. It never contains anything else."""
    tables = {name: table for name, table in values.items() if isinstance(table, dict)}
    lines = [_HEADER.rstrip(), *_list_values(path, {n: v for n, v in values.items() if n not in tables})]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_list_values(path, table)]
    return "\n".join(lines) + "\n"


def _list_values(path: Path, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        is_plain = isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"[\w.:-]*", value))
        if not is_plain or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigurationError(
                f"{path}: {name} was not written by this program and would be lost. Remove it, then try "
                "again."
            )
        yield f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"'
