"""npm's mjml and juice, installed here and kept warm in a separate process."""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.timed_rounds import TimedCall

_FOLDER = Path(__file__).parent / "peers"


class NpmUnavailableError(Exception):
    """The npm packages cannot be used; the message says why."""


def install_peers() -> None:
    """Install the packages in ``peers/package-lock.json``, unless they are already installed.

    Raises:
        NpmUnavailableError: Node is missing, or the packages cannot be downloaded.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        raise NpmUnavailableError("Node is not installed")
    lock, done = _FOLDER / "package-lock.json", _FOLDER / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    found = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
    if found.returncode:
        raise NpmUnavailableError(
            f"npm ci failed: {found.stderr.strip().splitlines()[-1:] or found.returncode}"
        )


class NpmRenderer:
    """The warm process; it handles one request at a time."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", "renderer.mjs"],
            cwd=_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def render(self, task: str, mjml: str, css: str = "") -> tuple[float, str]:
        """Return the milliseconds it took by its own clock, and the HTML."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"task": task, "mjml": mjml, "css": css}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["milliseconds"], answer["html"]

    def timed(self, task: str, mjml: str, css: str = "") -> TimedCall:
        return lambda: self.render(task, mjml, css)[0]
