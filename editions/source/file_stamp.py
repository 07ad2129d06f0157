"""The SHA-256 of a file's content, and when it is known without reading the file again.

A file's date alone says little: copying keeps it, and two changes may share a tick of the clock. A stamp says
more. Every change of a file sets its change time (``ctime``), which no program can choose, and a stamp is
believed only when that time lay two seconds back as the content was read, longer than the coarsest tick there
is. Git trusts its index by the same rule.
"""

import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from editions.cache import BoundedCache

_SETTLED = 2_000_000_000
"""Nanoseconds a file must have lain untouched for its stamp to be believed."""

_MAX_DIGESTS = 10_000


class FileStamp(NamedTuple):
    """What tells one state of a file from another: which file it is, of what kind, how long, and when it last
    changed."""

    mode: int
    device: int
    inode: int
    size: int
    modified: int
    changed: int


_digests: BoundedCache[str] = BoundedCache(_MAX_DIGESTS)


def stamp_file(path: Path | str) -> FileStamp:
    """The stamp of the file at ``path``, to be taken before its content is read.

    Raises:
        OSError: it cannot be looked at.
    """
    return stamp_from_stat(os.stat(path))  # noqa: PTH116 - quicker than a Path's own, and asked of every file


def stamp_from_stat(found: os.stat_result) -> FileStamp:
    """The stamp of the file that the system says this of."""
    return FileStamp(
        found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


def is_settled(stamp: FileStamp) -> bool:
    """Whether a file read now, after ``stamp`` was taken, will have another stamp as soon as it changes."""
    return time.time_ns() - max(stamp.modified, stamp.changed) > _SETTLED


def known_digest(stamp: FileStamp) -> str | None:
    """The digest of the file that has ``stamp``, if it was read before and cannot have changed since."""
    return _digests.get(stamp)


def digest_content(content: bytes, stamp: FileStamp) -> str:
    """The digest of ``content``, just read from the file that had ``stamp``."""
    digest = hashlib.sha256(content).hexdigest()
    if is_settled(stamp):
        _digests.put(stamp, digest)
    return digest
