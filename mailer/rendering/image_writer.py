"""Writes the pictures of a compiled edition to the folder they are served from."""

from pathlib import Path

from mailer.atomic_write import write_atomically
from mailer.rendering.compiled_edition import CompiledEdition


def write_media(compiled: CompiledEdition, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of ``compiled`` to ``folder``, each atomically; return their paths.

    A picture's name is derived from its content, so an existing file is the same and stays untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for image in compiled.images:
        path = folder / image.name
        if not path.exists():
            # Readable by a web server that runs as another user, whatever the umask.
            write_atomically(path, image.data, mode=0o644)
        paths.append(path)
    return tuple(paths)
