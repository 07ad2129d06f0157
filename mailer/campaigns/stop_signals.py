"""Stop cleanly on SIGTERM and Ctrl-C: messages being sent are finished first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event that is set on SIGTERM and SIGINT. A second signal ends the process as usual.

    If ``stop`` is given, or outside the main thread, signal handlers are not changed.
    """
    if stop is not None or threading.current_thread() is not threading.main_thread():
        yield stop or threading.Event()
        return
    stopping = threading.Event()

    def ask_to_stop(number: int, _: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, former[signal.Signals(number)])

    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in former:
        signal.signal(number, ask_to_stop)
    try:
        yield stopping
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
