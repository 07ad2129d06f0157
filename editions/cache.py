"""Bounded caches of results by the content they were made from.

When a writer saves one story and the edition is read again, that should take the time of one story. A cached
result depends only on its content: the outcome is the same with and without the cache, a changed file takes
effect immediately, and errors are never cached.
"""

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from cachetools import LRUCache

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """A thread-safe cache; the least recently used values are removed when ``max_size`` is reached.

    ``measure`` gives the size of a value; without it, each counts as one.
    """

    def __init__(self, max_size: int, measure: Callable[[V], int] | None = None) -> None:
        self._kept: LRUCache[Hashable, V] = LRUCache(max_size, getsizeof=measure)
        self._lock = threading.Lock()

    def get_or_create(self, key: Hashable, create: Callable[[], V]) -> V:
        """The value of ``key``, from ``create`` if it is not cached. What ``create`` raises is not cached."""
        found = self.get(key)
        if found is not None:
            return found
        made = create()
        self.put(key, made)
        return made

    def get(self, key: Hashable) -> V | None:
        # LRUCache.get() looks the key up twice, and an edition needs some two hundred values per reading.
        with self._lock, suppress(KeyError):
            return self._kept[key]
        return None

    def put(self, key: Hashable, value: V) -> None:
        # A value larger than the whole cache raises ValueError, and is created again each time.
        with self._lock, suppress(ValueError):
            self._kept[key] = value


class LatestCache(Generic[V]):
    """The latest value for each slot, with its inputs; for inputs that are too large to be a key.

    Inputs are compared with ``==`` and must not be changed. ``max_size`` is the number of slots.
    """

    def __init__(self, max_size: int) -> None:
        self._made: BoundedCache[tuple[tuple[object, ...], V]] = BoundedCache(max_size)

    def get_or_create(self, slot: Hashable, inputs: tuple[object, ...], create: Callable[[], V]) -> V:
        """The value for ``slot``, from ``create`` unless the latest one has the same ``inputs``."""
        last = self._made.get(slot)
        # Tuples treat identical objects as equal, without comparing their contents.
        if last is not None and last[0] == inputs:
            return last[1]
        made = create()
        self._made.put(slot, (inputs, made))
        return made
