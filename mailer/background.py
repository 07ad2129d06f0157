"""Threads: work beside other work, work that is repeated, and work that has a time limit."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from mailer.errors import ConfigurationError, MailerError

_ResultT = TypeVar("_ResultT")

OBSTACLES: tuple[type[Exception], ...] = (SQLAlchemyError, MailerError, ConfigurationError)
"""What passes by itself, or until a person mends it."""


class TooSlowError(Exception):
    """Work has not ended within its time, and goes on with nobody waiting for it."""


@contextlib.contextmanager
def run_beside(name: str, *works: Callable[[threading.Event], object]) -> Iterator[None]:
    """Do each of ``works`` in a thread of its own beside the block. At its end, the event that each got is
    set, and the block waits for all: none is interrupted."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,), name=name) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def run_within(seconds: float, work: Callable[[], _ResultT], *, name: str) -> _ResultT:
    """Return what ``work`` returns, or raise TooSlowError if it has not ended within ``seconds``. For what
    has no time limit of its own: looking up a name, and a server that drips bytes."""
    results: list[_ResultT] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if failures:
        raise failures[0]
    if not results:
        raise TooSlowError
    return results[0]


def repeat_work(
    work: Callable[[], object],
    *,
    stop: threading.Event,
    seconds: float,
    trouble: str,
    report: Callable[[str], None],
    log: logging.Logger,
    obstacles: tuple[type[Exception], ...] = OBSTACLES,
    woken: threading.Event | None = None,
) -> None:
    """Do ``work`` until ``stop`` is set, with a pause of ``seconds`` each time, which ``woken`` ends early.

    When one of the ``obstacles`` is in its way, ``report`` gets ``trouble`` and the error as one line, and
    not again while they stay the same; a statement's values are never told. Any other exception is a fault in
    one piece of the work: it goes to ``log``, and must not hold up the others.
    """
    last_message = ""
    while not stop.is_set():
        message = ""
        try:
            work()
        except obstacles as error:
            message = f"{trouble}: {_explain(error)}"
        except Exception:
            log.exception("%s, for a fault of the program.", trouble)
        if message and message != last_message:
            report(message)
        last_message = message
        (woken or stop).wait(seconds)
        if woken is not None:
            # Before the next look at ``stop``, which is set before the worker is woken for its end.
            woken.clear()


def _explain(error: Exception) -> str:
    """Return what is wrong. SQLAlchemy adds the statement and its values, which may be people's addresses,
    and the database may repeat them in its own words, except where it does not work at all."""
    if not isinstance(error, SQLAlchemyError):
        return str(error)
    words = str(error.orig).strip() if isinstance(error, OperationalError) else ""
    return words.partition("\n")[0] or type(error).__name__


class RepeatedWork:
    """Work that a thread of this process repeats; see :func:`repeat_work`. Thread-safe."""

    def __init__(
        self,
        work: Callable[[], object],
        *,
        name: str,
        seconds: float,
        trouble: str,
        log: logging.Logger,
        obstacles: tuple[type[Exception], ...] = OBSTACLES,
    ) -> None:
        self.stopped = threading.Event()
        self._woken = threading.Event()
        options = {"seconds": seconds, "trouble": trouble, "report": log.warning, "log": log}
        self._thread = threading.Thread(
            target=repeat_work,
            args=(work,),
            kwargs={**options, "obstacles": obstacles, "stop": self.stopped, "woken": self._woken},
            name=name,
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Do the work at once; called after the commit of something to do."""
        self._woken.set()

    def close(self) -> None:
        """Finish what is being done, and end the thread."""
        self.stopped.set()
        self._woken.set()
        self._thread.join()
