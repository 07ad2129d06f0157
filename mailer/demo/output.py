"""What the demo writes to: a terminal, or a test."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from mailer.dispatch.deliveries import Counts


class DemoOutput(Protocol):
    """Shows the steps of the demo: on a terminal, or to a test."""

    def step(self, title: str) -> None: ...

    def line(self, text: str) -> None: ...

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None: ...

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]: ...
