"""Writes the pictures of a compiled edition to the folder they are served from."""

import os
import tempfile
from pathlib import Path

from mailer.rendering.compiled import CompiledEdition


def write_media(compiled: CompiledEdition, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of ``compiled`` to ``folder``, each atomically; return their paths.

    A picture's name is derived from its content, so an existing file is the same and stays untouched.
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
        # With mkstemp's 0600, a web server that runs as another user could not read it.
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
