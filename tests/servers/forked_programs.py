"""Programs that begin in no time: each is forked from a process that has imported everything already.

What is killed hundreds of times would else spend most of its time on the start of Python. The program itself
is the same: `mailer` with its words, from the first function of the command line to the end of the process.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.paths import ROOT
from tests.servers.process import wait_until

_MODULES = (
    "mailer.campaigns.report.report_worker",
    "mailer.campaigns.send",
    "mailer.campaigns.send",
    "mailer.campaigns.worker",
    "mailer.cli",
    "mailer.dispatch.dispatcher",
    "mailer.feedback.worker",
    "structlog",
)
MAILER = "mailer.cli:mailer"


class ForkedProgram:
    """A running program, with what tests use of :class:`subprocess.Popen`."""

    def __init__(self, template: "ForkTemplate", pid: int, folder: Path) -> None:
        self._template = template
        self._folder = folder
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._template.ask({"wait": self.pid, "options": os.WNOHANG})
        return self.returncode

    def read(self) -> str:
        """What it has written to its output so far."""
        return (self._folder / "out").read_text("utf-8")

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = self._template.ask({"wait": self.pid, "options": 0})
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return what it wrote to its output and to its errors."""
        if timeout is not None:
            wait_until(lambda: self.poll() is not None, what=f"program {self.pid} to end", seconds=timeout)
        self.wait()
        return self.read(), (self._folder / "err").read_text("utf-8")


class ForkTemplate:
    """The process that programs are forked from. Use it in a ``with``.

    ``program`` is what they call with their words, ``module:function``: `mailer`, if not told otherwise.
    """

    def __init__(self, program: str = MAILER) -> None:
        self._program = program

    def __enter__(self) -> "ForkTemplate":
        self._folder = tempfile.TemporaryDirectory(prefix="mailer-forked-")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.forked_programs", self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**environ, "PYTHONPATH": str(ROOT)},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=120)
        self._folder.cleanup()

    def start(self, words: Sequence[str], environ: Mapping[str, str]) -> ForkedProgram:
        """Start the program with ``words``."""
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        for name in ("out", "err"):
            (folder / name).touch()
        order = {"words": list(words), "environ": dict(environ), "folder": str(folder)}
        return ForkedProgram(self, self.ask(order), folder)

    def ask(self, order: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        return json.loads(self._process.stdout.readline())


def main(program: str) -> None:
    """Fork for each line of input that has words, wait where it says so; a child leaves by itself."""
    for module in (*_MODULES, program.partition(":")[0]):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            ended, status = os.waitpid(order["wait"], order["options"])
            _answer(os.waitstatus_to_exitcode(status) if ended else None)
            continue
        child = os.fork()
        if child == 0:
            _become(program, **order)
        _answer(child)


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _become(program: str, words: list[str], environ: dict[str, str], folder: str) -> None:
    """Be the program from here on, and end as it does."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [os.open(f"{folder}/{name}", os.O_WRONLY) for name in ("out", "err")]
    for source, target in zip((nothing, *files), (0, 1, 2), strict=True):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(environ)
    module, _, name = program.partition(":")
    getattr(importlib.import_module(module), name)(words)
    sys.exit()


if __name__ == "__main__":
    main(sys.argv[1])
