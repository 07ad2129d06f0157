"""An output of the demo that shows nothing."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from mailer.dispatch.deliveries import Counts


class SilentOutput:
    """For whoever plays the demo for what it leaves behind."""

    def step(self, title: str) -> None: ...

    def line(self, text: str) -> None: ...

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None: ...

    def progress(self, _: str) -> AbstractContextManager[Callable[[Counts], None]]:
        return nullcontext(lambda _: None)
