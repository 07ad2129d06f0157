"""What a judge says against a mail, and what it means when it cannot judge at all."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Complaint:
    """One fault: the file of the mail it is in, the line there, and the judge's words."""

    file: Path
    line: int
    message: str


class JudgeError(Exception):
    """A judge broke down before it had a verdict. The text has its last words."""


def run_judge(
    command: Sequence[str | Path], *, accepted: Sequence[int] = (0,), cwd: Path | None = None
) -> str:
    """What ``command`` prints, its errors last.

    Raises:
        JudgeError: it ended with another code than the ``accepted`` ones.
    """
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    if done.returncode not in accepted:
        raise JudgeError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout + done.stderr
