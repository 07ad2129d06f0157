"""Migrated PostgreSQL databases for the tests.

To copy and drop one takes longer than most tests that use it. So one that still has the schema it was made
with is emptied, and used again.
"""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import make_url

MAX_USES = 40
"""Emptied tables keep the pages of their dead rows, which every later test has to read over."""
_MAX_BYTES = 1024 * 1024
_WAIT_SECONDS = 5.0
_FIRST_OID = 16384
"""What has a lower number came with the server."""

# Whatever changes the schema writes rows of the catalogue anew, and so changes their xmin.
_CATALOGUES = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_constraint": "oid",
    "pg_trigger": "oid",
    "pg_index": "indexrelid",
    "pg_proc": "oid",
    "pg_type": "oid",
    "pg_namespace": "oid",
}
_FINGERPRINT = " UNION ALL ".join(
    [
        *(
            f"SELECT '{table}', count(*), sum(xmin::text::bigint) FROM {table} WHERE {number} >= {_FIRST_OID}"
            for table, number in _CATALOGUES.items()
        ),
        # VACUUM and ANALYZE change what the planner knows.
        f"SELECT 'sizes', sum(reltuples), sum(relpages) FROM pg_class WHERE oid >= {_FIRST_OID}",
        f"SELECT 'statistics', count(*), 0 FROM pg_statistic WHERE starelid >= {_FIRST_OID}",
        "SELECT version_num, count(*), 0 FROM alembic_version GROUP BY version_num",
    ]
)
# A table without a single page never had a row, not even one that was rolled back.
_WRITTEN = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
  AND pg_relation_size(oid) > 0
"""
_ADVANCED = """
SELECT sequencename, start_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""
_END_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass
class _Database:
    name: str
    fingerprint: frozenset[tuple[object, ...]]
    uses: int = 0


class PostgresDatabases:
    """Databases of one server, copied from that called ``template`` by a connection to ``admin``."""

    def __init__(self, admin: str, template: str) -> None:
        self._admin = make_url(admin).set(drivername="postgresql")
        self.template = template
        self._idle: list[_Database] = []

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The address of a database as the migrations leave it, which nobody else uses meanwhile."""
        database = self._idle.pop() if self._idle else self._create()
        database.uses += 1
        try:
            yield self._address(database.name)
        finally:
            if database.uses < MAX_USES and self._empty(database):
                self._idle.append(database)
            else:
                drop_database(self._admin_address, database.name)

    def close(self) -> None:
        """Drop all databases that are not lent."""
        while self._idle:
            drop_database(self._admin_address, self._idle.pop().name)

    @property
    def _admin_address(self) -> str:
        return self._admin.render_as_string(hide_password=False)

    def _address(self, name: str) -> str:
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def _create(self) -> _Database:
        name = f"mailer_test_{uuid.uuid4().hex[:12]}"
        create_database(self._admin_address, name, template=self.template)
        with psycopg.connect(self._address(name), autocommit=True) as connection:
            written = connection.execute(_WRITTEN).fetchall()
            assert not written, f"the migrations have written rows, which would be deleted: {written}"
            return _Database(name, _read_fingerprint(connection))

    def _empty(self, database: _Database) -> bool:
        """Make a database as it was when it was created; False if that takes a new one."""
        # Without the table of the schema's version, or as a user who may not be a replica, there is an error.
        with (
            contextlib.suppress(psycopg.Error),
            psycopg.connect(self._address(database.name), autocommit=True) as connection,
        ):
            if not _end_others(connection) or _read_fingerprint(connection) != database.fingerprint:
                return False
            written = connection.execute(_WRITTEN).fetchall()
            if sum(size for _, size in written) > _MAX_BYTES:
                return False
            _delete_rows(connection, [name for name, _ in written])
            return True
        return False


def create_database(admin: str, name: str, *, template: str = "template0") -> None:
    """Create a database called ``name``, a copy of ``template``."""
    with psycopg.connect(admin, autocommit=True) as connection:
        # From 15 on, PostgreSQL would write every block of the copy to its log as well.
        strategy = sql.SQL(" STRATEGY FILE_COPY" if connection.info.server_version >= 15_00_00 else "")
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)) + strategy)


def drop_database(admin: str, name: str) -> None:
    """Drop a database, and end whoever uses it."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _read_fingerprint(connection: psycopg.Connection) -> frozenset[tuple[object, ...]]:
    """What the schema is, and what the planner knows of it."""
    return frozenset(connection.execute(_FINGERPRINT).fetchall())


def _end_others(connection: psycopg.Connection) -> bool:
    """End what a test has left running in the database; False if it does not end."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while connection.execute(_END_OTHERS).fetchone() != (0,):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _delete_rows(connection: psycopg.Connection, tables: list[str]) -> None:
    """Delete all rows of ``tables``, and begin all sequences again."""
    # No trigger and no foreign key is in the way of a replica.
    words = [sql.SQL("SET session_replication_role TO replica")]
    words += [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in tables]
    for name, start in connection.execute(_ADVANCED).fetchall():
        words.append(
            sql.SQL("SELECT setval({}::regclass, {}, false)").format(
                sql.Literal(f'"{name}"'), sql.Literal(start)
            )
        )
    connection.execute(sql.SQL("; ").join(words))
