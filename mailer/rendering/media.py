"""The pictures of a compiled edition, put where the pages serve them from."""

import os
import tempfile
from pathlib import Path

from mailer.rendering.compiled import CompiledEdition


def write_media(compiled: CompiledEdition, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of ``compiled`` into ``folder``, each whole or not at all; returns their paths.

    A picture's name is made from its content, so one that is there already is the same and stays untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for image in compiled.images:
        path = folder / image.name
        if not path.exists():
            _write_atomically(path, image.data)
        paths.append(path)
    return tuple(paths)


def _write_atomically(path: Path, data: bytes) -> None:
    """Write beside ``path`` and rename: a reader's mail program never gets half a picture."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's 0600 would keep a web server of another user from reading it.
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
