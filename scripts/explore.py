"""Throw the dice: run every property test with other examples, round after round, as long as one gives it.

`make test` draws the same examples each time. Here each round has a seed of its own, which is printed; a test
that fails is left out of the rounds after it, and is named at the end with the command that shows it again.
"""

import argparse
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PYTEST: Final = (sys.executable, "-m", "pytest", "-m", "hypothesis", "--hypothesis-profile=explore")
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_ENDS: Final = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
_SEEDS: Final = 2**32
_TO_END: Final = 60
"""How many seconds a round that is interrupted has to report what it has found."""


def explore(
    seconds: float,
    seed: int,
    words: Sequence[str],
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """Run rounds of the tests in ``root`` for so many ``seconds``, the first with ``seed``, and return those
    that failed, each with its seed. ``words`` are further words for pytest.

    Raises SystemExit if pytest cannot run the tests.
    """
    found: dict[str, int] = {}
    ends_at = clock() + seconds
    while (now := clock()) < ends_at:
        print(f"explore: seed {seed}", flush=True)
        command = [*PYTEST, f"--hypothesis-seed={seed}", *(f"--deselect={test}" for test in found), *words]
        output, code = _run(command, root, ends_at - now)
        if code not in _ENDS:
            sys.exit(code)
        found |= dict.fromkeys(_FAILED.findall(output), seed)
        seed = (seed + 1) % _SEEDS
    return found


def _run(command: Sequence[str], root: Path, seconds: float) -> tuple[str, int]:
    """Run pytest until it ends, or interrupt it; return what it printed, and its exit code."""
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=_TO_END)
            code = pytest.ExitCode.INTERRUPTED
    print(output, flush=True)
    return output, code


def main() -> None:
    """Explore, and name what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long, 10 if it is not said")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(_SEEDS), help="the seed to begin with")
    options, words = parser.parse_known_args()
    found = explore(options.minutes * 60, options.seed, words)
    for test, seed in found.items():
        print(f"explore: {test} fails with --hypothesis-profile=explore --hypothesis-seed={seed}")
    print(f"explore: {len(found) or 'no'} tests failed.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
