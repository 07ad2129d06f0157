"""Renaming files of an edition so that a kill in the middle loses none and can be finished.

What is to be renamed is written into a hidden file first, which the list of an edition's files leaves out.
Whoever changes the edition next finishes it.
"""

import errno
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

JOURNAL = ".moves.json"
"""The file in an edition's folder that says which renames have begun."""

_MAX_JOURNAL_BYTES = 1_000_000


class FileMove(NamedTuple):
    """A file gets another name; both are relative to the edition's folder."""

    old: str
    new: str


def apply_moves(folder: Path, moves: Sequence[FileMove]) -> None:
    """Rename files of the edition in ``folder``, one after the other. No file is ever overwritten.

    Call it under a lock of the edition, after :func:`finish_moves`.

    Raises:
        FileExistsError: there is a file at one of the new names; nothing is renamed.
        OSError: a file cannot be renamed; nothing is.
    """
    if len(moves) > 1:
        _write_journal(folder, moves)
    done: list[FileMove] = []
    try:
        for move in moves:
            _rename(folder, move)
            done.append(move)
    except OSError:
        for move in reversed(done):
            _rename(folder, FileMove(old=move.new, new=move.old))
        raise
    finally:
        (folder / JOURNAL).unlink(missing_ok=True)
    for parent in {(folder / move.new).parent for move in moves}:
        _sync_folder(parent)


def finish_moves(folder: Path) -> bool:
    """Finish renames that a kill has interrupted, and return whether there were any.

    A name that does not lie in the edition is left alone, as is a file that is missing or in the way.
    """
    journal = folder / JOURNAL
    try:
        with journal.open("rb") as file:
            moves = _parse_journal(file.read(_MAX_JOURNAL_BYTES))
    except FileNotFoundError:
        return False
    for move in moves:
        if os.path.lexists(folder / move.old) and not os.path.lexists(folder / move.new):
            _rename(folder, move)
    journal.unlink(missing_ok=True)
    return True


def _rename(folder: Path, move: FileMove) -> None:
    if os.path.lexists(folder / move.new):
        raise FileExistsError(errno.EEXIST, f"there is a file {move.new} already", str(folder / move.new))
    (folder / move.old).rename(folder / move.new)


def _write_journal(folder: Path, moves: Sequence[FileMove]) -> None:
    data = json.dumps([list(move) for move in moves]).encode()
    descriptor, name = tempfile.mkstemp(prefix=f"{JOURNAL}.", dir=folder)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / JOURNAL)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse_journal(data: bytes) -> list[FileMove]:
    """The renames in a journal; none if it is not one of ours."""
    try:
        pairs = json.loads(data)
        moves = [FileMove(old=old, new=new) for old, new in pairs]
    except (ValueError, TypeError):
        return []
    return [move for move in moves if _is_inside(move.old) and _is_inside(move.new)]


def _is_inside(name: object) -> bool:
    return (
        isinstance(name, str)
        and not name.startswith("/")
        and ".." not in name.split("/")
        and "\0" not in name
    )
