"""What forms were answered with, so that a second click does nothing a second time."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from editions.cache import BoundedCache

_MAX_ANSWERS = 500
T = TypeVar("T")


class FormAnswers:
    """The latest answers, by the random number of the form that was sent. Thread-safe.

    For acts that leave no row by which a second click could be told, such as a mail. They are forgotten when
    Studio ends.
    """

    def __init__(self) -> None:
        self._answers: BoundedCache[Any] = BoundedCache(_MAX_ANSWERS)
        self._locks: BoundedCache[threading.Lock] = BoundedCache(_MAX_ANSWERS)
        self._lock = threading.Lock()

    def answer_once(self, form: str, act: Callable[[], T]) -> T:
        """The result of ``act``, or what it was when the same ``form`` was sent before. Whoever comes while
        it runs waits for it. What it raises is not kept, so that the form can be sent again."""
        if not form:
            return act()
        with self._lock:
            lock = self._locks.get_or_create(form, threading.Lock)
        with lock:
            found: T | None = self._answers.get(form)
            if found is not None:
                return found
            made = act()
            self._answers.put(form, made)
            return made
