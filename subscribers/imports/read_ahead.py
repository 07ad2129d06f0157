"""Reading ahead: an iterator that works in a thread of its own while the database works in this one."""

import sys
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_SWITCH_INTERVAL = 0.0001
"""Seconds after which Python lets the other thread go on; 0.005 if nobody says so."""


class _End:
    """Stands behind the last item."""


_END: Final = _End()


class ReadAhead(Generic[Item]):
    """The items of an iterator, each made when it is asked for, or one ahead after :meth:`prefetch`.

    Python runs one thread at a time and hands over every five milliseconds. Whoever calls into C for every
    one of many rows, as a driver does, waits so long each time. So the iterator rests from the moment its
    item is taken to the moment somebody says that the long statements begin.
    """

    def __init__(self, items: Iterator[Item], thread: ThreadPoolExecutor) -> None:
        self._items = items
        self._thread = thread
        self._next: Future[Item | _End] | None = None

    def prefetch(self) -> None:
        """Have the next item made while the caller goes on with the last."""
        if self._next is None:
            self._next = self._thread.submit(next, self._items, _END)

    def __iter__(self) -> Iterator[Item]:
        while True:
            self.prefetch()
            assert self._next is not None  # noqa: S101 - it has just been asked for
            item = self._next.result()
            self._next = None
            if isinstance(item, _End):
                return
            yield item


@contextmanager
def read_ahead(items: Generator[Item, None, None]) -> Iterator[ReadAhead[Item]]:
    """The items of a generator, read ahead while the block runs; the generator is closed at its end."""
    usual = sys.getswitchinterval()
    # Every statement ends with a wait for the reader to let go: some hundreds of them take a second.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="reading ahead") as thread:
            yield ReadAhead(items, thread)
    finally:
        sys.setswitchinterval(usual)
        items.close()
