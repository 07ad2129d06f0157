"""Stamps of files, which tell whether a file has changed without reading it again.

A file's modification time is not enough: copying keeps it, and two changes may fall within one tick of the
clock. A stamp also has the change time (``ctime``), which every change sets and no program can choose. It is
only trusted if that time was two seconds ago when the content was read, longer than the coarsest tick of any
file system. Git trusts its index by the same rule.
"""

import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from editions.cache import BoundedCache

_SETTLED = 2_000_000_000
"""Nanoseconds since a file's last change before its stamp is trusted."""

_MAX_DIGESTS = 10_000


class FileStamp(NamedTuple):
    """The state of a file as the file system describes it: its identity, kind, size and times of change."""

    mode: int
    device: int
    inode: int
    size: int
    modified: int
    changed: int


_digests: BoundedCache[bytes] = BoundedCache(_MAX_DIGESTS)


def stamp_file(path: Path | str) -> FileStamp:
    """The stamp of the file at ``path``; take it before reading the content.

    Raises:
        OSError: the file does not exist or is not accessible.
    """
    return stamp_from_stat(os.stat(path))  # noqa: PTH116 - quicker than Path.stat, and called for every file


def stamp_from_stat(found: os.stat_result) -> FileStamp:
    """The stamp from the system's description of a file."""
    return FileStamp(
        found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


def is_settled(stamp: FileStamp) -> bool:
    """Whether any later change of the file will change its ``stamp``."""
    return time.time_ns() - max(stamp.modified, stamp.changed) > _SETTLED


def known_digest(stamp: FileStamp) -> bytes | None:
    """The SHA-256 of the file with ``stamp``, if it was read before and cannot have changed since."""
    return _digests.get(stamp)


def digest_content(content: bytes, stamp: FileStamp) -> bytes:
    """The SHA-256 of ``content``, just read from the file with ``stamp``."""
    digest = hashlib.sha256(content).digest()
    if is_settled(stamp):
        _digests.put(stamp, digest)
    return digest
