"""The tables of the job queue that wakes the workers (procrastinate), on PostgreSQL only.

They are created from the SQL file of the installed package, which is not imported here. Without the extra
``postgres`` there are none. The ledger does not need them.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

_PACKAGE = "procrastinate"
_TYPE = "procrastinate_job_to_defer_v1"
# An arbitrary number of our own: only one process at a time creates the tables.
_ADVISORY_LOCK = 0x70_6D_74_6B


def has_job_tables(connection: Connection) -> bool:
    """Whether the tables exist, so that a launch can wake the workers."""
    if connection.dialect.name != "postgresql":
        return False
    found = connection.execute(text("SELECT to_regtype(:name)"), {"name": _TYPE}).scalar()
    return found is not None


def create_job_tables(connection: Connection) -> bool:
    """Create the tables in the caller's transaction if they are missing; return whether they exist now.

    Any number of processes may call this at the same time. False on SQLite, and if the package is not
    installed.
    """
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    if has_job_tables(connection):
        return True
    script = _find_sql_script()
    if script is None:
        return False
    # Without parameters, because the script contains several statements and percent signs.
    connection.exec_driver_sql(script.read_text(encoding="utf-8"), execution_options={"no_parameters": True})
    return True


def is_own_table(name: str | None, kind: str, _: Any) -> bool:
    """Whether Alembic should compare a table (its ``include_name``): the job queue's tables are not in our
    models.
    """
    return not (kind == "table" and (name or "").startswith(f"{_PACKAGE}_"))


def _find_sql_script() -> Path | None:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "sql" / "schema.sql"
