"""Reading ahead: an iterator that works in a thread of its own while the database works in this one."""

import queue
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")

_DEPTH = 2
_SWITCH = 0.0005
"""Seconds after which Python lets the other thread go on; 0.005 if nobody says so."""
_PATIENCE = 0.05
"""Seconds after which a reader whose items nobody takes looks whether it should end."""


class _End:
    """What stands behind the last item; ``error`` is what ended it, if anything did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Ahead(Generic[Item]):
    """The items of an iterator, a few ahead. ``turn`` is held while one is made.

    Python runs one thread at a time and hands over every five milliseconds. Whoever calls into C for every
    one of many rows, as a driver does, waits so long each time; holding ``turn``, it does not.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self.turn = threading.Lock()
        self._items = items
        self._made: queue.Queue[Item | _End] = queue.Queue(_DEPTH)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._make, name="reading ahead", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        """Take no more items; the thread has ended when this returns."""
        self._left.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._made.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return

    def _make(self) -> None:
        error: BaseException | None = None
        try:
            while not self._left.is_set():
                with self.turn:
                    item = next(self._items)
                self._hand_over(item)
        except StopIteration:
            pass
        except BaseException as raised:  # handed to the thread that waits, which raises it
            error = raised
        self._hand_over(_End(error))

    def _hand_over(self, item: Item | _End) -> None:
        while not self._left.is_set():
            try:
                self._made.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return


@contextmanager
def reading_ahead(items: Generator[Item, None, None]) -> Iterator[Ahead[Item]]:
    """The items of a generator, read ahead while the block runs; the generator is closed at its end."""
    ahead = Ahead(items)
    usual = sys.getswitchinterval()
    # Every statement ends with a wait for the reader to let go: some thousands of them take seconds.
    sys.setswitchinterval(_SWITCH)
    ahead.start()
    try:
        yield ahead
    finally:
        ahead.leave()
        sys.setswitchinterval(usual)
        items.close()
