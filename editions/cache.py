"""Caches of limited size, by the content results were made from, and stamps that tell of a changed file."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")
_SETTLED = 2_000_000_000
"""Nanoseconds since a file's last change before its stamp is trusted."""
_MAX_DIGESTS = 10_000


class BoundedCache(Generic[V]):
    """A thread-safe cache; the least recently used values are removed when ``max_size`` is reached.
    ``measure`` gives the size of a value; without it, each counts as one."""

    def __init__(self, max_size: int, measure: Callable[[V], int] | None = None) -> None:
        self._max_size = max_size
        self._measure = measure
        # The values with their sizes, those used last at the end.
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get_or_create(self, key: Hashable, create: Callable[[], V]) -> V:
        """Return the value of ``key``, else that of ``create``. What ``create`` raises is not cached."""
        found = self.get(key)
        if found is not None:
            return found
        made = create()
        self.put(key, made)
        return made

    def get(self, key: Hashable) -> V | None:
        # Not cachetools.LRUCache, in which this takes three times as long: compiling an edition needs some
        # three hundred values.
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep ``value``; one larger than the whole cache is not kept."""
        size = self._measure(value) if self._measure else 1
        with self._lock:
            self._discard(key)
            if size > self._max_size:
                return
            self._kept[key] = value, size
            self._size += size
            while self._size > self._max_size:
                self._discard(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _discard(self, key: Hashable) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._size -= size


class LatestCache(Generic[V]):
    """The latest value for each slot, with its inputs; for inputs that are too large to be a key. Inputs are
    compared with ``==`` and must not be changed. ``max_size`` is the number of slots."""

    def __init__(self, max_size: int) -> None:
        self._made: BoundedCache[tuple[tuple[object, ...], V]] = BoundedCache(max_size)

    def get_or_create(self, slot: Hashable, inputs: tuple[object, ...], create: Callable[[], V]) -> V:
        """Return the value for ``slot``, from ``create`` unless the latest one has the same ``inputs``."""
        last = self._made.get(slot)
        # Tuples treat identical objects as equal, without comparing their contents.
        if last is not None and last[0] == inputs:
            return last[1]
        made = create()
        self._made.put(slot, (inputs, made))
        return made

    def clear(self) -> None:
        self._made.clear()


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
    """Return the stamp of the file at ``path``; take it before reading the content. Raise OSError if the file
    does not exist or is not accessible."""
    return stamp_from_stat(os.stat(path))  # noqa: PTH116 - quicker than Path.stat, and called for every file


def stamp_from_stat(found: os.stat_result) -> FileStamp:
    return FileStamp(
        found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


def is_settled(stamp: FileStamp) -> bool:
    """Return whether any later change of the file will change its ``stamp``."""
    return time.time_ns() - max(stamp.modified, stamp.changed) > _SETTLED


def known_digest(stamp: FileStamp) -> bytes | None:
    """Return the SHA-256 of the file with ``stamp``, if it was read before and cannot have changed since."""
    return _digests.get(stamp)


def digest_content(content: bytes, stamp: FileStamp) -> bytes:
    """Return the SHA-256 of ``content``, just read from the file with ``stamp``."""
    digest = hashlib.sha256(content).digest()
    if is_settled(stamp):
        _digests.put(stamp, digest)
    return digest
