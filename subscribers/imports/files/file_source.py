"""The bytes of a file, or of a file in an archive, which can be read from the start more than once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """``name`` is for display, ``size`` is in bytes; ``open`` returns a stream from the start."""

    name: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)

    def read_start(self, length: int) -> bytes:
        """Return the first ``length`` bytes."""
        with self.open() as stream:
            return stream.read(length)


def make_file_source(path: Path, name: str = "") -> FileSource:
    """Return the source for the file at ``path``, called ``name``, by default as on the disk.

    Raises:
        ImportFileError: it cannot be read, or is not a file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
    except OSError as error:
        raise ImportFileError(
            name or path.name, gettext_noop("it cannot be read: %(error)s.") % {"error": error.strerror}
        ) from error
    return FileSource(name=name or path.name, size=size, open=lambda: path.open("rb"))
