"""``make bench-list``: compare an import of a million rows with the SQLite shell.

The shell's ``.import`` loads the same file into a bare table of seven text columns: no validation, no index,
no consent records. Ours validates every cell and stores addresses, sectors, tags and a consent record for
each row.
"""

import argparse
import csv
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.import_worker import ImportJob
from bench.measurement import Bound, Measurement, print_table
from bench.runs import Run, RunComparison, cpu_each, peak, time_each
from bench.worker_process import FailedRunError, run_worker
from mailer.database.engine import open_engine
from mailer.database.schema import upgrade
from subscribers.csv_format import COLUMNS

_ROWS = 1_000_000
SECTORS = ("education", "culture", "natural-sciences", "social-and-human-sciences", "communication")
_FIRST = ("Ann", "Bat", "Chen", "Dorj", "Fang", "José", "陈晓", "Батсүх", "健一", "철수")
_LAST = ("Li", "Wang", "Ganbold", "Kim", "Sato", "Martin", "Tuya", "Nguyen", "Müller", "Ganbaatar")
_COUNTRIES = ("MN", "CN", "JP", "KR", "KP", "Mongolia", "China", "République de Corée")
_ABOUT = """\
Ratios are medians over alternating rounds, after one that does not count; times are specific to this machine.
Ours: from opening the database to closing it, without starting Python. The shell: its whole process.
"""


@dataclass(frozen=True, kw_only=True)
class ImportBench:
    """A file of ``rows`` people in a temporary folder, and the number of rounds."""

    folder: Path
    rows: int
    rounds: int

    @property
    def file(self) -> Path:
        return self.folder / "people.csv"

    def write(self) -> None:
        """Write the file: 115 bytes per row, one or two sectors, a tag in every other row, ten thousand
        domains."""
        chance = random.Random(5)
        with self.file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for number in range(self.rows):
                writer.writerow(
                    [
                        f"p{chance.getrandbits(40):x}.{number}@dept{number % 9973}.example.org",
                        f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
                        f"Institute {number % 5000} of Learning",
                        chance.choice(_COUNTRIES),
                        ";".join(chance.sample(SECTORS, chance.choice([1, 1, 2]))),
                        chance.choice(["en", "mn", "zh-Hans", "ko"]),
                        chance.choice(["", "press"]),
                    ]
                )


def measure_import(bench: ImportBench) -> Iterator[Measurement]:
    """Compare the time with the shell's, and measure memory."""
    name, yardstick = _find_reference()
    turns = RunComparison(
        {"ours": lambda: _import(bench), "bare": lambda: yardstick(bench)}, rounds=bench.rounds
    )
    million = bench.rows / 1e6
    ratio = turns.ratio("ours", "bare", time_each)
    seconds = [turns.median(work, time_each) * million for work in ("ours", "bare")]
    cpu = turns.median("ours", cpu_each) * million
    yield Measurement(
        what=f"import of {bench.rows:,} rows against {name}, SQLite",
        measured=ratio.median,
        bound=Bound.at_most,
        bar=8,
        note=f"{seconds[0]:.1f} s against {seconds[1]:.2f} s; {cpu:.1f} s CPU; {ratio}",
    )
    yield Measurement(
        what="    peak memory of the process",
        measured=turns.highest("ours", peak),
        unit="MB",
        bound=Bound.at_most,
        bar=200,
    )


def _import(bench: ImportBench) -> Run:
    url = "sqlite:///list.db"
    for path in bench.folder.glob("list.db*"):
        path.unlink()
    engine = open_engine(url, root=bench.folder)
    upgrade(engine)
    engine.dispose()
    run = run_worker("bench.import_worker", ImportJob(url=url, file=bench.file, sectors=SECTORS))
    if run.messages != bench.rows:
        raise FailedRunError(f"{run.messages:,} of {bench.rows:,} people were imported")
    return run


def _find_reference():  # type: ignore[no-untyped-def] # bench is not typed
    if shutil.which("sqlite3"):
        return "sqlite3's .import", _run_shell
    return "Python's csv and executemany (no sqlite3 shell here)", _run_driver


def _run_shell(bench: ImportBench) -> Run:
    database = _bare(bench)
    began = time.monotonic()
    subprocess.run(
        ["sqlite3", database, _TABLE, f".import --csv --skip 1 {bench.file} people"],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return Run(messages=bench.rows, began=began, ended=time.monotonic(), cpu=0)


def _run_driver(bench: ImportBench) -> Run:
    database = _bare(bench)
    began = time.monotonic()
    connection = sqlite3.connect(database)
    connection.execute(_TABLE)
    with bench.file.open(encoding="utf-8", newline="") as stream, connection:
        rows = csv.reader(stream)
        next(rows)
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    return Run(messages=bench.rows, began=began, ended=time.monotonic(), cpu=0)


_TABLE = "CREATE TABLE people (email, name, organisation, country, sectors, language, tags)"


def _bare(bench: ImportBench) -> Path:
    database = bench.folder / "bare.db"
    database.unlink(missing_ok=True)
    return database


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.list_import", description="Measure importing a list."
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default: 3)")
    parser.add_argument("--rows", type=int, default=_ROWS, help="rows in the file (default: 1,000,000)")
    parser.add_argument("--dir", type=Path, help="folder for the databases; the speed of its disk matters")
    options = parser.parse_args(arguments)
    print(_ABOUT)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-", dir=options.dir) as folder:
        ground = ImportBench(folder=Path(folder), rows=options.rows, rounds=options.rounds)
        ground.write()
        print_table(measure_import(ground))


if __name__ == "__main__":
    main()
