"""Checks of the database: its tables, its disk and its clock."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.clock import read_clock
from mailer.database.commit_latency import measure_commit_latency
from mailer.database.schema import ensure_current
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError
from mailer.workspace import Workspace

_SLOW_COMMIT_SECONDS = 0.02
_CLOCK_TOLERANCE = timedelta(seconds=2)
_MEGABYTE = 1_000_000
_LITTLE_SPACE = 1000 * _MEGABYTE
_NO_SPACE = 100 * _MEGABYTE
"""A campaign to 100,000 readers adds about 50 MB to the database, and a backup needs its size again."""


def check_database(workspace: Workspace) -> Iterator[Diagnosis]:
    """Open the database, write to it, and compare its clock with this machine's."""
    engine = workspace.open_database(durable=True)
    try:
        ensure_current(engine)
        yield find_good("database", f"{engine.dialect.name}, tables up to date")
        yield _check_disk(engine)
        yield _check_clock(engine)
    except ConfigurationError as error:
        yield find_bad("database", "database-unusable", str(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield find_bad("database", "database-unusable", f"cannot read the database: {words}")
    finally:
        engine.dispose()


def _check_disk(engine: Engine) -> Diagnosis:
    try:
        seconds = measure_commit_latency(engine)
    except (OSError, sqlite3.Error) as error:
        return find_bad("disk", "disk-unwritable", f"cannot write to the database: {error}")
    message = f"saving a change safely to disk takes {seconds * 1000:.1f} ms"
    if seconds < _SLOW_COMMIT_SECONDS:
        return find_good("disk", message)
    advice = (
        "That is slow, and every group of messages waits for it. Use a local disk, or more [smtp] "
        "connections."
    )
    return find_doubtful("disk", "disk-slow", f"{message}. {advice}")


def _check_clock(engine: Engine) -> Diagnosis:
    """Compare the database's clock, which schedules and rates follow, with this machine's."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_TOLERANCE:
        return find_good("clock", "the database's clock agrees with this machine's")
    seconds = difference.total_seconds()
    message = (
        f"the database's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this "
        "machine's. Schedules follow the database's clock. Set both clocks by NTP."
    )
    return find_doubtful("clock", "clock-differs", message)


def check_space(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say how much space is left where the workspace writes."""
    yield judge_space(workspace.root, shutil.disk_usage(workspace.root).free)


def judge_space(folder: Path, free: int) -> Diagnosis:
    """Judge ``free`` bytes on the disk of ``folder``."""
    if free >= _LITTLE_SPACE:
        return find_good("space", f"{free / 1e9:,.0f} GB are free on the disk of the workspace")
    message = (
        f"only {free // _MEGABYTE:,} MB are free on the disk of {folder}. Delete what you no longer need, "
        "such as old backups and messages in outbox/, or use a larger disk."
    )
    if free < _NO_SPACE:
        return find_bad("space", "disk-full", f"{message} A campaign would stop in the middle.")
    return find_doubtful("space", "disk-full", message)
