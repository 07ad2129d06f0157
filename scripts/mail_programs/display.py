"""A screen that nobody sees: Xvfb, programs started on it, and pictures of it."""

import contextlib
import io
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

_SIZE = (1100, 1300)
# A program has settled when it looks the same twice in a row, so many seconds apart.
_PAUSE = 2.0
_LONGEST = 90.0


@dataclass(frozen=True)
class Display:
    """A running Xvfb, such as ``:91``."""

    name: str

    @contextlib.contextmanager
    def running(
        self, command: Sequence[str | Path], home: Path, environ: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """``command`` on this screen, with ``home`` as its home; ended with all that it started."""
        home.mkdir(parents=True, exist_ok=True)
        own = {"DISPLAY": self.name, "HOME": str(home), "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(home)}
        with (home / "log").open("wb") as log:
            program = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], **own, **(environ or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()

    def take_picture(self) -> Image.Image:
        """The screen as it is now."""
        done = subprocess.run(
            ["import", "-display", self.name, "-window", "root", "png:-"], check=True, capture_output=True
        )
        return Image.open(io.BytesIO(done.stdout)).convert("RGB")

    def await_picture(self) -> Image.Image:
        """The screen once something is on it and it does not change any more."""
        before, ends = self.take_picture(), time.monotonic() + _LONGEST
        while time.monotonic() < ends:
            time.sleep(_PAUSE)
            now = self.take_picture()
            is_still = ImageChops.difference(before, now).getbbox() is None
            if is_still and len(now.getcolors(1 << 20) or range(100)) > 50:
                return now
            before = now
        return before


@contextlib.contextmanager
def open_display() -> Iterator[Display]:
    """An Xvfb on a number that is free."""
    ready, told = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(told), "-screen", "0", f"{_SIZE[0]}x{_SIZE[1]}x24", "-nolisten", "tcp"],
        pass_fds=[told],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(told)
        with os.fdopen(ready) as numbers:
            number = numbers.readline().strip()
        try:
            yield Display(f":{number}")
        finally:
            server.terminate()
