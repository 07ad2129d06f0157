"""The indexes and foreign keys of the list, which a large import into an empty list creates at its end.

Entering each row in ten indexes, and looking up what its foreign keys refer to, takes PostgreSQL five times
as long as storing it. Sorting and checking all rows together takes a fifth of that.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, delete, exists, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import AddConstraint, DropConstraint
from sqlmodel import SQLModel

IDS_AT_ONCE = 500
"""IDs in one IN list: far below SQLite's limit on bound parameters."""
_LOCK_TIMEOUT = "500ms"
"""Shorter than PostgreSQL's deadlock_timeout: when two wait for each other, the import gives way."""
_SORTING_CACHE = 1024
"""SQLite's page cache in KiB while it sorts."""

_REFUSALS = {"55P03", "40P01", "42501"}
"""PostgreSQL's codes for a lock that others hold, a deadlock, and a table of another role."""

_subscriber: Table = SQLModel.metadata.tables["subscriber"]
_records = tuple(
    SQLModel.metadata.tables[name] for name in ("subscriber_sector", "subscriber_tag", "consent_record")
)
_by_email = next(index for index in _subscriber.indexes if index.name == "uq_subscriber_email")
_OTHER_INDEXES = tuple(
    index
    for table in (_subscriber, *_records)
    for index in sorted(table.indexes, key=lambda index: str(index.name))
    if index is not _by_email
)
_KEYS = tuple(
    key
    for table in _records
    for key in (table.primary_key, *sorted(table.foreign_key_constraints, key=lambda key: str(key.name)))
)
"""The keys of what is recorded of subscribers. Their own stays, because other tables refer to it."""
_LOCKED = "subscriber, subscriber_sector, subscriber_tag, consent_record, import_batch"
"""What is changed, and what the foreign keys refer to."""


class ListIndexes:
    """The indexes and foreign keys of the list during one import, before which ``offset`` was the highest ID
    used. While they ``are_deferred``, the ID of a new subscriber is ``offset`` and the number of their row.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self.are_deferred = False
        self.offset = self._read_last_id()

    def defer(self) -> None:
        """Drop them until :meth:`create_deferred`, if nobody is on the list.

        In PostgreSQL this locks the list until the transaction ends, so pages about it wait. If it is in use
        at this moment, or it belongs to another role, everything stays as it is. SQLite's readers see the
        list as it was before, and its foreign keys cannot be dropped.
        """
        if not self._is_empty():
            return
        try:
            with self._connection.begin_nested() as savepoint:
                if not self._is_sqlite:
                    self._lock()
                if not self._is_empty():
                    savepoint.rollback()
                    return
                self._drop()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _REFUSALS:
                raise
        else:
            self.are_deferred = True

    def create_deferred(self) -> list[tuple[int, int]]:
        """Create what was dropped. Rows with the address of an earlier row are deleted again; return each of
        them with the first.
        """
        if not self.are_deferred:
            return []
        self.are_deferred = False
        with _settings_for_sorting(self._connection):
            # First, because whatever belongs to a row that is deleted is found by them.
            for index in _OTHER_INDEXES:
                index.create(self._connection)
            if not self._is_sqlite:
                for key in _KEYS:
                    # Otherwise SQLAlchemy would leave the key out of the table from now on.
                    self._connection.execute(AddConstraint(key, isolate_from_table=False))
                self._advance_ids()
            twice = self._index_addresses()
        return [(number - self.offset, first - self.offset) for number, first in twice]

    def _is_empty(self) -> bool:
        nobody = select(~exists().select_from(_subscriber))
        return bool(self._connection.scalar(nobody)) and self._read_last_id() == self.offset

    def _lock(self) -> None:
        self._connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        self._connection.execute(text(f"LOCK TABLE {_LOCKED} IN ACCESS EXCLUSIVE MODE"))
        self._connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))

    def _drop(self) -> None:
        if not self._is_sqlite:
            for key in _KEYS:
                self._connection.execute(DropConstraint(key))
        for index in (_by_email, *_OTHER_INDEXES):
            index.drop(self._connection)

    def _index_addresses(self) -> list[tuple[int, int]]:
        try:
            with self._connection.begin_nested():
                _by_email.create(self._connection)
        except IntegrityError:
            twice = self._find_duplicates()
        else:
            return []
        for start in range(0, len(twice), IDS_AT_ONCE):
            ids = [number for number, _ in twice[start : start + IDS_AT_ONCE]]
            self._connection.execute(delete(_subscriber).where(_subscriber.c.id.in_(ids)))
        _by_email.create(self._connection)
        return twice

    def _read_last_id(self) -> int:
        """Return the highest ID that was ever used; 0 if none."""
        if self._is_sqlite:
            used = text("SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'")
            return int(self._connection.scalar(used) or 0)
        last = text("SELECT pg_sequence_last_value(pg_get_serial_sequence('subscriber', 'id')::regclass)")
        return int(self._connection.scalar(last) or 0)

    def _advance_ids(self) -> None:
        last = "SELECT id FROM subscriber ORDER BY id DESC LIMIT 1"
        advance = "SELECT setval(pg_get_serial_sequence('subscriber', 'id'), last.id)"
        self._connection.execute(text(f"{advance} FROM ({last}) AS last"))

    def _find_duplicates(self) -> list[tuple[int, int]]:
        number, email = _subscriber.c.id, _subscriber.c.email
        several = select(email).group_by(email).having(func.count() > 1)
        same = (
            select(number, func.min(number).over(partition_by=email).label("first"))
            .where(email.in_(several))
            .subquery()
        )
        later = select(same).where(same.c.id != same.c.first).order_by(same.c.id)
        return [(number, first) for number, first in self._connection.execute(later)]


@contextmanager
def sqlite_cache(connection: Connection, kibibytes: int) -> Iterator[None]:
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    # SQLite counts a negative number in KiB, a positive one in pages.
    connection.exec_driver_sql(f"PRAGMA cache_size={-kibibytes:d}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size={int(before):d}")


@contextmanager
def _settings_for_sorting(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        # Two threads sort beside this one, in portions as large as the page cache: of 1 MB, which a
        # processor's own cache holds, in 2.1 s for a million subscribers, of 24 MB in 3.4.
        with sqlite_cache(connection, _SORTING_CACHE):
            connection.exec_driver_sql("PRAGMA threads=2")
            try:
                yield
            finally:
                connection.exec_driver_sql("PRAGMA threads=0")
    else:
        # To check a foreign key, PostgreSQL would read a whole table into memory, or onto the disk if it is
        # long. Going through the indexes of both takes half the time.
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
        yield
        connection.exec_driver_sql("SET LOCAL enable_hashjoin TO DEFAULT")
