"""A list of ten million: its import against COPY, and the plan of a campaign to all of it.

``python -m bench.long_list`` measures the import alone, of a million unless told otherwise.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text

from bench.import_worker import ImportJob
from bench.list_import import SECTORS, ImportBench
from bench.measurement import Bound, Measurement, print_table
from bench.plan_worker import PlanJob
from bench.runs import Run, RunComparison, cpu_each, peak, time_each
from bench.worker_process import FailedRunError, run_worker
from mailer.database.engine import open_engine
from mailer.database.schema import upgrade
from mailer.workspace import Workspace
from tests.servers.postgres import find_postgres, running_postgres

_IMPORT_BAR = 12
_PLAN_SECONDS = 60
_PLAN_GROWTH = 50
"""How many MB a plan for everybody may take more than one for nobody."""

_TABLE = """\
CREATE TABLE people (email text, name text, organisation text, country text, sectors text, language text,
tags text)"""


def measure_import_against_copy(
    folder: Path, server: str, rows: int, rounds: int = 1
) -> Iterator[Measurement]:
    """Import a file of ``rows`` people into a new database, and COPY the same file into a bare table."""
    bench = ImportBench(folder=folder, rows=rows, rounds=rounds)
    bench.write()
    works = {"copy": lambda: _copy(server, bench), "ours": lambda: _import(server, bench)}
    turns = RunComparison(works, rounds=rounds, warmup=0)
    bench.file.unlink()
    ratio = turns.ratio("ours", "copy", time_each)
    ours, copy = (turns.median(work, time_each) * rows / 1e6 for work in ("ours", "copy"))
    cpu = turns.median("ours", cpu_each) * rows / 1e6
    yield Measurement(
        what=f"import of {rows:,} rows against COPY, PostgreSQL",
        measured=ratio.median,
        bound=Bound.at_most,
        bar=_IMPORT_BAR,
        note=f"{ours:.1f} s against {copy:.2f} s; {cpu:.1f} s CPU; {ratio}",
    )
    yield Measurement(what="    peak memory of the process", measured=turns.highest("ours", peak), unit="MB")


def _copy(server: str, bench: ImportBench) -> Run:
    with _new_database(server, "bench_copy") as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(text(_TABLE))
        began = time.monotonic()
        with engine.begin() as connection, bench.file.open("rb") as stream:
            driver = connection.connection.driver_connection
            assert driver is not None
            with driver.cursor().copy("COPY people FROM STDIN (FORMAT csv, HEADER)") as copy:
                while part := stream.read(1 << 20):
                    copy.write(part)
        engine.dispose()
        return Run(messages=bench.rows, began=began, ended=time.monotonic(), cpu=0)


def _import(server: str, bench: ImportBench) -> Run:
    with _new_database(server, "bench_import") as url:
        engine = open_engine(url, root=bench.folder)
        upgrade(engine)
        engine.dispose()
        run = run_worker("bench.import_worker", ImportJob(url=url, file=bench.file, sectors=SECTORS))
    if run.messages != bench.rows:
        raise FailedRunError(f"{run.messages:,} of {bench.rows:,} people were imported")
    return run


@contextlib.contextmanager
def _new_database(server: str, name: str) -> Iterator[str]:
    """The address of a new database on a server; it is dropped afterwards, for it may take many gigabytes."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def execute(statement: str) -> None:
        connection: Connection
        with engine.connect() as connection:
            connection.execute(text(statement))

    execute(f'CREATE DATABASE "{name}"')
    try:
        yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        engine.dispose()


def measure_plan(workspace: Workspace, edition: str, rows: int) -> Iterator[Measurement]:
    """Plan a campaign to everybody, and one to nobody, each in a process of its own."""
    url = workspace.settings.database.url
    runs = {
        segment: run_worker(
            "bench.plan_worker", PlanJob(root=workspace.root, url=url, edition=edition, segment=segment)
        )
        for segment in ("tag:nobody", "all")
    }
    everybody = runs["all"]
    yield Measurement(
        what=f"plan of a campaign to {everybody.messages:,} of {rows:,}, PostgreSQL",
        measured=everybody.ended - everybody.began,
        unit="s",
        bound=Bound.at_most,
        bar=_PLAN_SECONDS,
        note=f"{everybody.cpu:.1f} s of its own processor",
    )
    yield Measurement(
        what="    its peak memory, in excess of a plan to nobody",
        measured=everybody.peak - runs["tag:nobody"].peak,
        unit="MB",
        bound=Bound.at_most,
        bar=_PLAN_GROWTH,
        note=f"{everybody.peak:.0f} MB",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.long_list", description="Measure importing a long list into PostgreSQL."
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in the file (default: 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--dir", type=Path, help="folder for the file that is imported")
    options = parser.parse_args(arguments)
    programs = find_postgres()
    if programs is None:
        print("PostgreSQL is not installed, so an import into it is not measured.")
        return
    with (
        tempfile.TemporaryDirectory(prefix="mailer-bench-", dir=options.dir) as folder,
        running_postgres(programs) as server,
    ):
        print_table(measure_import_against_copy(Path(folder), server, options.rows, options.rounds))


if __name__ == "__main__":
    main()
