"""Passwords and the like, each in a file of its own that only its owner can read.

The files are in the folder ``secrets`` of the workspace; the settings name them. A secret that was put
elsewhere, such as by systemd, is never overwritten or removed.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.atomic_write import sync_folder, write_atomically
from mailer.errors import ConfigurationError

SECRETS_FOLDER = "secrets"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_MAX_LENGTH = 4096
# Whoever keeps the workspace in Git must not publish them by an `add .`.
_IGNORE = b"*\n"


def write_secret(root: Path, name: str, secret: str) -> Path:
    """Keep ``secret`` in place of an older one of this name, and return its file, relative to ``root``.

    Raises:
        ConfigurationError: it is empty or more than one line, or cannot be written.
    """
    assert _NAME.fullmatch(name), name  # noqa: S101 - names are made by the program
    if not secret.strip() or len(secret) > _MAX_LENGTH or not secret.isprintable():
        raise ConfigurationError(
            gettext_noop("This is empty, too long, or has characters that cannot be typed.")
        )
    folder = root / SECRETS_FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / ".gitignore").exists():
            write_atomically(folder / ".gitignore", _IGNORE)
        write_atomically(folder / name, f"{secret}\n".encode())
        sync_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            Phrase(
                "%(path)s could not be written (%(why)s). Nothing was changed.",
                path=folder,
                why=error.strerror,
            )
        ) from error
    return Path(SECRETS_FOLDER, name)


def remove_secret(root: Path, path: Path | None) -> bool:
    """Remove the file of a secret, if it is one of ours; return whether there was one."""
    if path is None or not is_own_secret(root, path):
        return False
    place = root / path
    was_there = place.is_file()
    place.unlink(missing_ok=True)
    return was_there


def is_own_secret(root: Path, path: Path) -> bool:
    """Whether a secret's file is in the workspace's folder for them."""
    place = Path(root / path)
    return place.parent == root / SECRETS_FOLDER and _NAME.fullmatch(place.name) is not None


def find_secret_time(root: Path, path: Path | None) -> datetime | None:
    """When the file of a secret was written; None if it is not there."""
    if path is None:
        return None
    try:
        return datetime.fromtimestamp((root / path).stat().st_mtime, UTC)
    except OSError:
        return None
