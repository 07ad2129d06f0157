"""The bytes of a file or of a member of an archive, which can be read from the beginning more than once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from subscribers.errors import ImportFileError


@dataclass(frozen=True, kw_only=True)
class Material:
    """``name`` is for people, ``size`` in bytes; ``open`` gives the bytes from the beginning."""

    name: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)

    def begins(self, length: int) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(length)


def read_material(path: Path) -> Material:
    """The file at ``path``.

    Raises:
        ImportFileError: it cannot be read, or is no file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
    except OSError as error:
        raise ImportFileError(path.name, f"it cannot be read: {error.strerror}.") from error
    return Material(name=path.name, size=size, open=lambda: path.open("rb"))
