"""Work in threads: repeated, woken, and ended."""

import logging
import threading

from mailer.background import RepeatedWork, repeat_work


def ignore(message: str) -> None:
    """Take a message for nobody."""


def test_an_end_just_before_the_work_begins_is_not_slept_through() -> None:
    pauses: list[bool] = []

    class EndedAfterTheLook(threading.Event):
        def is_set(self) -> bool:
            was = super().is_set()
            # As close() does it, between the look at it and whatever comes next.
            self.set()
            woken.set()
            return was

    class Noting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as threading has it
            pauses.append(self.is_set())
            return True

    stop, woken = EndedAfterTheLook(), Noting()
    log = logging.getLogger("test")
    repeat_work(lambda: None, stop=stop, seconds=60, trouble="", report=ignore, log=log, woken=woken)
    assert pauses == [True]


def test_a_fault_in_one_piece_of_work_does_not_hold_up_the_next() -> None:
    done: list[int] = []
    twice = threading.Event()

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise ZeroDivisionError
        twice.set()

    log = logging.getLogger("test")
    worker = RepeatedWork(work, name="test", seconds=0.001, trouble="Not counted", log=log)
    worker.start()
    assert twice.wait(30)
    worker.close()


def test_work_that_is_woken_is_done_at_once() -> None:
    done = threading.Semaphore(0)
    worker = RepeatedWork(done.release, name="test", seconds=3600, trouble="", log=logging.getLogger("test"))
    worker.start()
    assert done.acquire(timeout=30)
    worker.wake()
    assert done.acquire(timeout=30)
    worker.close()


def test_a_trouble_is_reported_once_while_it_stays_the_same() -> None:
    reported: list[str] = []
    troubles = iter(["away", "away", "full"])
    stop = threading.Event()

    def work() -> None:
        try:
            raise OSError(next(troubles))
        except StopIteration:
            stop.set()

    log = logging.getLogger("test")
    repeat_work(
        work, stop=stop, seconds=0, trouble="Not sent", report=reported.append, log=log, obstacles=(OSError,)
    )
    assert reported == ["Not sent: away", "Not sent: full"]
