"""Compare how long a command takes from start to end with the import of the database library it needs.

Run with ``python -m bench.command_start``. It needs bytecode, as `scripts/setup` compiles it; without it a
command takes more than twice as long, and so does the import.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.measurement import Bound, Measurement, print_table
from bench.timed_rounds import TimedCall, TimedRounds, time_call
from mailer.workspace_init import create_workspace


def measure_start(workspace: Path, rounds: int) -> Iterator[Measurement]:
    """Measure whole processes, in alternating rounds, in a workspace with the sample's list."""
    words = {
        "count": ("-m", "mailer", "-C", str(workspace), "subscribers", "count"),
        "import": ("-c", "import sqlmodel"),
        "help": ("-m", "mailer", "--help"),
        "version": ("-m", "mailer", "--version"),
    }
    works: dict[str, TimedCall] = {name: time_call(_make_process(line)) for name, line in words.items()}
    taken = TimedRounds(works, rounds=rounds, warmup=1)
    yield Measurement(
        what="mailer subscribers count, against python -c 'import sqlmodel'",
        measured=taken.ratio("count", "import"),
        bound=Bound.at_most,
        bar=1.5,
        note=f"{taken.median('count'):.0f} ms against {taken.median('import'):.0f} ms",
    )
    for name in ("help", "version"):
        yield Measurement(
            what=f"mailer --{name}",
            measured=taken.median(name) / 1000,
            unit="s",
            bound=Bound.at_most,
            bar=0.25,
        )


def _make_process(line: Sequence[str]) -> Callable[[], object]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    return lambda: subprocess.run(
        [sys.executable, *line], check=True, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.command_start", description="Measure the start.")
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (default: 9)")
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory() as folder:
        workspace = create_workspace(Path(folder) / "workspace", sample=True, now=datetime.now(UTC)).root
        print_table(measure_start(workspace, rounds))


if __name__ == "__main__":
    main()
