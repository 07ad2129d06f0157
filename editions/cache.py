"""What was made of the same content before, kept within bounds.

A writer saves one story and looks at the edition again: that should cost one story. What is kept here depends
on nothing but the content it was made of: what comes out is the same with and without it, a changed file is
seen at once, and an error is found anew each time.
"""

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from cachetools import LRUCache

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """Values by content, for all threads; what was not asked for longest goes when ``most`` is reached.

    ``weigh`` says how much of ``most`` a value takes; without it, each takes one.
    """

    def __init__(self, max_size: int, measure: Callable[[V], int] | None = None) -> None:
        self._kept: LRUCache[Hashable, V] = LRUCache(max_size, getsizeof=measure)
        self._lock = threading.Lock()

    def get_or_create(self, key: Hashable, create: Callable[[], V]) -> V:
        """The value of ``key``, from ``make`` where it is not kept. What ``make`` raises is not kept."""
        found = self.get(key)
        if found is not None:
            return found
        made = create()
        self.put(key, made)
        return made

    def get(self, key: Hashable) -> V | None:
        # Not get(), which looks twice; an edition asks some two hundred times each time it is read.
        with self._lock, suppress(KeyError):
            return self._kept[key]
        return None

    def put(self, key: Hashable, value: V) -> None:
        # What alone is heavier than all that may be kept raises ValueError, and is made anew each time.
        with self._lock, suppress(ValueError):
            self._kept[key] = value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    @property
    def size(self) -> int:
        """How much of ``most`` is taken."""
        return int(self._kept.currsize)


class LatestCache(Generic[V]):
    """The value last made for each place, and what it was made of: where that is too much to be a key.

    What it was made of is compared with ``==`` and must not be changed by anybody. ``most`` is how many
    places are kept.
    """

    def __init__(self, max_size: int) -> None:
        self._made: BoundedCache[tuple[tuple[object, ...], V]] = BoundedCache(max_size)

    def get_or_create(self, slot: Hashable, inputs: tuple[object, ...], create: Callable[[], V]) -> V:
        """The value for ``place``, from ``make`` unless the last one was made of the same ``content``."""
        last = self._made.get(slot)
        # Tuples take what is the same object for equal, and do not look into it.
        if last is not None and last[0] == inputs:
            return last[1]
        made = create()
        self._made.put(slot, (inputs, made))
        return made

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()
