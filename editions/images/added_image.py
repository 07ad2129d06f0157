"""Adding a picture to an edition: checked, converted where an email needs it, and never over another."""

import os
import re
import tempfile
from pathlib import Path

from anyascii import anyascii

from editions.errors import ImageError
from editions.images.conversion import convert_image
from editions.images.prepare import decode_size
from editions.source.folder import IMAGES_FOLDER
from locales.phrase import Phrase, gettext_noop

MAX_UPLOAD_BYTES = 30_000_000
"""The largest file that is taken. What is kept of it is smaller."""
_MAX_NAME = 60
_MAX_TRIES = 1000


def add_image(folder: Path, name: str, content: bytes) -> str:
    """Save a picture in the edition in ``folder`` and return its file name.

    ``name`` is the file's name where it comes from, of which letters, digits and hyphens are kept. A picture
    that is there already, byte for byte, is not saved twice; one of the same name is never replaced.

    Raises:
        ImageError: it is no picture, is damaged, or is too large.
        OSError: it cannot be saved.
    """
    if len(content) > MAX_UPLOAD_BYTES:
        raise ImageError(
            name,
            "image-too-large",
            Phrase(
                gettext_noop("%(name)s is larger than %(most)s MB. Save a smaller copy."),
                name=name,
                most=MAX_UPLOAD_BYTES // 1_000_000,
            ),
        )
    data, ending = convert_image(name, content)
    decode_size(name, data)
    images = folder / IMAGES_FOLDER
    images.mkdir(exist_ok=True)
    for stem in _list_stems(name):
        path = images / f"{stem}{ending}"
        if path.is_file() and path.read_bytes() == data:
            return path.name
        if _write_new(path, data):
            return path.name
    raise ImageError(
        name,
        "image-name",
        Phrase(gettext_noop("%(name)s: too many pictures have this name. Rename the file."), name=name),
    )


def _list_stems(name: str) -> list[str]:
    ascii_name = anyascii(Path(name).stem).lower()
    stem = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:_MAX_NAME].strip("-") or "picture"
    return [stem, *(f"{stem}-{number}" for number in range(2, _MAX_TRIES))]


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file that does not exist yet, complete or not at all; return False if there is one."""
    if path.exists() or path.is_symlink():
        return False
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        # A link is made only if the name is free, also when two people send a picture at once.
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True
