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


class Memory(Generic[V]):
    """Values by content, for all threads; what was not asked for longest goes when ``most`` is reached.

    ``weigh`` says how much of ``most`` a value takes; without it, each takes one.
    """

    def __init__(self, most: int, weigh: Callable[[V], int] | None = None) -> None:
        self._kept: LRUCache[Hashable, V] = LRUCache(most, getsizeof=weigh)
        self._lock = threading.Lock()

    def recall(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of ``key``, from ``make`` where it is not kept. What ``make`` raises is not kept."""
        found = self.find(key)
        if found is not None:
            return found
        made = make()
        self.keep(key, made)
        return made

    def find(self, key: Hashable) -> V | None:
        # Not get(), which looks twice; an edition asks some two hundred times each time it is read.
        with self._lock, suppress(KeyError):
            return self._kept[key]
        return None

    def keep(self, key: Hashable, value: V) -> None:
        # What alone is heavier than all that may be kept raises ValueError, and is made anew each time.
        with self._lock, suppress(ValueError):
            self._kept[key] = value

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    @property
    def weight(self) -> int:
        """How much of ``most`` is taken."""
        return int(self._kept.currsize)


class Latest(Generic[V]):
    """The value last made for each place, and what it was made of: where that is too much to be a key.

    What it was made of is compared with ``==`` and must not be changed by anybody. ``most`` is how many
    places are kept.
    """

    def __init__(self, most: int) -> None:
        self._made: Memory[tuple[tuple[object, ...], V]] = Memory(most)

    def recall(self, place: Hashable, content: tuple[object, ...], make: Callable[[], V]) -> V:
        """The value for ``place``, from ``make`` unless the last one was made of the same ``content``."""
        last = self._made.find(place)
        # Tuples take what is the same object for equal, and do not look into it.
        if last is not None and last[0] == content:
            return last[1]
        made = make()
        self._made.keep(place, (content, made))
        return made

    def forget(self) -> None:
        """Forget everything."""
        self._made.forget()
