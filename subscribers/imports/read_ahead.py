"""An iterator that works in its own thread while this one waits for the database."""

import sys
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_SWITCH_INTERVAL = 0.0001
"""Seconds after which Python switches threads; the default is 0.005."""


class _End:
    """Marks the end of the items."""


_END: Final = _End()


class ReadAhead(Generic[Item]):
    """The items of an iterator, each made on request, or one ahead after :meth:`prefetch`.

    Python runs one thread at a time and switches every five milliseconds. Code that calls into C for every
    row, as a database driver does, waits that long each time. So the iterator pauses after each item until
    the caller says that the long statements begin.
    """

    def __init__(self, items: Iterator[Item], thread: ThreadPoolExecutor) -> None:
        self._items = items
        self._thread = thread
        self._next: Future[Item | _End] | None = None

    def prefetch(self) -> None:
        """Start making the next item while the caller works on the last."""
        if self._next is None:
            self._next = self._thread.submit(next, self._items, _END)

    def __iter__(self) -> Iterator[Item]:
        while True:
            self.prefetch()
            assert self._next is not None  # noqa: S101 - prefetch has just set it
            item = self._next.result()
            self._next = None
            if isinstance(item, _End):
                return
            yield item


@contextmanager
def read_ahead(items: Generator[Item, None, None]) -> Iterator[ReadAhead[Item]]:
    """Iterate over a generator with read-ahead; the generator is closed at the end of the block."""
    usual = sys.getswitchinterval()
    # Each statement ends by waiting for the reader to release the interpreter; a few hundred waits take a
    # second.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="reading ahead") as thread:
            yield ReadAhead(items, thread)
    finally:
        sys.setswitchinterval(usual)
        items.close()
