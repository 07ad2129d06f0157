"""Replacing a text file of an edition: whole or not at all, and never over what somebody else wrote."""

import os
import secrets
import stat
from pathlib import Path

from editions.source.folder import leads_outside
from mailer.atomic_write import atomic_file, remove_left_behind, sync_folder
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError

NEW_FILE_MODE = 0o644
_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class FileChangedError(Exception):
    """The file is not what it was a moment ago, so it was left alone."""


class FileNotWrittenError(EditionFileError):
    """The file could not be written, and is as it was; ``why`` is the system's reason."""

    def __init__(self, name: str, why: str) -> None:
        self.why = why
        super().__init__(gettext_noop("%(name)s could not be written (%(why)s)."), name=name, why=why)


def replace_file(folder: Path, name: str, data: bytes, *, expected: bytes | None) -> None:
    """Write ``data`` to the file ``name`` of the edition in ``folder``, if it still has the bytes
    ``expected``; None if it must not exist. Its permissions stay.

    Raises:
        FileChangedError: it has other bytes, exists although it must not, or is gone.
        FileNotWrittenError: it cannot be written.
    """
    try:
        if leads_outside(folder, name):
            raise FileNotWrittenError(name, "a link that leads out of the edition")
        path = (folder / name).resolve()
        remove_left_behind(path)
        if expected is None:
            _create(path, data)
        else:
            _replace(path, data, expected)
        sync_folder(path.parent)
    except PermissionError as error:
        raise FileNotWrittenError(name, error.strerror or "no permission") from error
    except (OSError, RuntimeError) as error:
        raise FileNotWrittenError(name, getattr(error, "strerror", None) or str(error)) from error


def _replace(path: Path, data: bytes, expected: bytes) -> None:
    try:
        mode = path.stat().st_mode
        # Renaming asks for no permission on the file itself, which somebody has taken away on purpose.
        if not mode & _ANY_WRITE:
            raise PermissionError(0, "the file is read-only")
        with atomic_file(path, mode=stat.S_IMODE(mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # Here and not before: writing takes much longer than comparing.
            if path.read_bytes() != expected:
                raise FileChangedError
    except FileNotFoundError as error:
        raise FileChangedError from error


def _create(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    # A link, unlike a rename, never replaces a file that has appeared meanwhile.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with atomic_file(draft, mode=NEW_FILE_MODE) as file:
            file.write(data)
        os.link(draft, path)
    except FileExistsError as error:
        raise FileChangedError from error
    finally:
        draft.unlink(missing_ok=True)
