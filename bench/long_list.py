"""A list of ten million: its import against COPY, and the plan of a campaign to all of it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text

from bench.import_worker import ImportJob
from bench.list_import import SECTORS, ImportBench
from bench.measurement import Bound, Measurement
from bench.plan_worker import PlanJob
from bench.runs import Run
from bench.worker_process import FailedRunError, run_worker
from mailer.database.engine import open_engine
from mailer.database.schema import upgrade
from mailer.workspace import Workspace

_IMPORT_BAR = 12
_PLAN_SECONDS = 60
_PLAN_GROWTH = 50
"""How many MB a plan for everybody may take more than one for nobody."""

_TABLE = """\
CREATE TABLE people (email text, name text, organisation text, country text, sectors text, language text,
tags text)"""


def measure_import_against_copy(folder: Path, server: str, rows: int) -> Iterator[Measurement]:
    """Import a file of ``rows`` people into a new database, and COPY the same file into a bare table."""
    bench = ImportBench(folder=folder, rows=rows, rounds=1)
    bench.write()
    copied = _copy(server, bench)
    imported = _import(server, bench)
    bench.file.unlink()
    yield Measurement(
        what=f"import of {rows:,} rows against COPY, PostgreSQL",
        measured=(imported.ended - imported.began) / copied,
        bound=Bound.at_most,
        bar=_IMPORT_BAR,
        note=f"{imported.ended - imported.began:.0f} s against {copied:.1f} s; {imported.cpu:.0f} s CPU",
    )
    yield Measurement(what="    peak memory of the process", measured=imported.peak, unit="MB")


def _copy(server: str, bench: ImportBench) -> float:
    """The seconds that COPY takes."""
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
        return time.monotonic() - began


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
