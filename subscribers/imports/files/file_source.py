"""The bytes of a file or of a member of an archive, which can be read from the beginning more than once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from subscribers.errors import ImportFileError


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """``name`` is for people, ``size`` in bytes; ``open`` gives the bytes from the beginning."""

    name: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)

    def read_start(self, length: int) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(length)


def make_file_source(path: Path) -> FileSource:
    """The file at ``path``.

    Raises:
        ImportFileError: it cannot be read, or is no file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
    except OSError as error:
        raise ImportFileError(path.name, f"it cannot be read: {error.strerror}.") from error
    return FileSource(name=path.name, size=size, open=lambda: path.open("rb"))
