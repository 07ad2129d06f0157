"""Checks of the database: its tables, its disk and its clock."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import FULL_STOP, Phrase, gettext_noop, join_sentences, read_error
from mailer.database.engine import measure_commit_latency, read_clock
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
        words = gettext_noop("%(database)s, tables up to date")
        yield find_good("database", Phrase(words, database=engine.dialect.name))
        yield _check_disk(engine)
        yield _check_clock(engine)
    except ConfigurationError as error:
        yield find_bad("database", "database-unusable", read_error(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield find_bad(
            "database",
            "database-unusable",
            Phrase(gettext_noop("cannot read the database: %(words)s"), words=words),
        )
    finally:
        engine.dispose()


def _check_disk(engine: Engine) -> Diagnosis:
    try:
        seconds = measure_commit_latency(engine)
    except (OSError, sqlite3.Error) as error:
        return find_bad(
            "disk",
            "disk-unwritable",
            Phrase(gettext_noop("cannot write to the database: %(error)s"), error=error),
        )
    message = Phrase(
        gettext_noop("saving a change safely to disk takes %(seconds)s ms"), seconds=f"{seconds * 1000:.1f}"
    )
    if seconds < _SLOW_COMMIT_SECONDS:
        return find_good("disk", message)
    advice = gettext_noop(
        "That is slow, and every group of messages waits for it. Use a local disk, or more [smtp] "
        "connections."
    )
    return find_doubtful("disk", "disk-slow", join_sentences([Phrase(FULL_STOP, words=message), advice]))


def _check_clock(engine: Engine) -> Diagnosis:
    """Compare the database's clock, which schedules and rates follow, with this machine's."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_TOLERANCE:
        return find_good("clock", gettext_noop("the database's clock agrees with this machine's"))
    seconds = difference.total_seconds()
    message = Phrase(
        gettext_noop(
            "the database's clock is %(seconds)s s ahead of this machine's. Schedules follow the database's "
            "clock. Set both clocks by NTP."
        )
        if seconds > 0
        else gettext_noop(
            "the database's clock is %(seconds)s s behind this machine's. Schedules follow the database's "
            "clock. Set both clocks by NTP."
        ),
        seconds=f"{abs(seconds):.0f}",
    )
    return find_doubtful("clock", "clock-differs", message)


def check_space(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say how much space is left where the workspace writes."""
    yield judge_space(workspace.root, shutil.disk_usage(workspace.root).free)


def judge_space(folder: Path, free: int) -> Diagnosis:
    """Judge ``free`` bytes on the disk of ``folder``."""
    if free >= _LITTLE_SPACE:
        return find_good(
            "space",
            Phrase(
                gettext_noop("%(free)s GB are free on the disk of the workspace"), free=f"{free / 1e9:,.0f}"
            ),
        )
    message = Phrase(
        gettext_noop(
            "only %(free)s MB are free on the disk of %(folder)s. Delete what you no longer need, such "
            "as old backups and messages in outbox/, or use a larger disk."
        ),
        free=f"{free // _MEGABYTE:,}",
        folder=folder,
    )
    if free < _NO_SPACE:
        end = gettext_noop("A campaign would stop in the middle.")
        return find_bad("space", "disk-full", join_sentences([message, end]))
    return find_doubtful("space", "disk-full", message)
