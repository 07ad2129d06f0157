"""Some thousands of rows on their way into the list, decided and stored by a handful of statements.

The rows of a chunk lie in a temporary table; each statement then does one thing to all of them, inside the
database, so that a million rows cost neither a million questions nor the memory for them. Nothing here looks
at a cell again: a row has been understood before (:mod:`subscribers.imports.row_parser`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import (
    ConsentEvent,
    Status,
)

_TEMPORARY = MetaData()

STAGING = Table(
    "import_stage",
    _TEMPORARY,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger),
    Column("email", String),
    Column("envelope", String),
    Column("name", String),
    Column("organisation", String),
    Column("country", String),
    Column("language", String),
    Column("sectors", Integer),
    Column("tags", Integer),
    Column("digest", String),
    Column("fate", String),
    prefixes=["TEMPORARY"],
)
"""A chunk. ``sectors`` and ``tags`` are numbers of lists (0 for none); ``fate`` is None for who is new."""

_SEEN = Table(
    "import_seen",
    _TEMPORARY,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("row", Integer),
    prefixes=["TEMPORARY"],
)
"""The subscribers that this import has met, and the row each was met in."""

_LIST = Table(
    "import_list",
    _TEMPORARY,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("value", String, primary_key=True),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)
"""What is in a list of sectors or tags; few lists serve many rows."""

_CHUNK = 500
"""Numbers in one IN list: far below SQLite's limit of bound parameters."""
_SUPPRESSED, _MATCHED, _DUPLICATE = "suppressed", "met", "twice"
_DETAILS = ("name", "organisation", "country", "language")
# The index of a million addresses takes 45 MB, and without room for it every address is a page read again.
_SQLITE_CACHE = -24 * 1024

_subscriber: Table = SQLModel.metadata.tables["subscriber"]
_by_email = next(index for index in _subscriber.indexes if index.name == "uq_subscriber_email")
_sector: Table = SQLModel.metadata.tables["subscriber_sector"]
_tag: Table = SQLModel.metadata.tables["subscriber_tag"]
_suppression: Table = SQLModel.metadata.tables["suppression"]
_consent_record: Table = SQLModel.metadata.tables["consent_record"]


@dataclass(frozen=True, kw_only=True)
class ImportOrigin:
    """Which import it is, as every row of it says."""

    import_id: int
    source: str
    basis: str
    now: datetime


@contextmanager
def staging_tables(connection: Connection) -> Iterator[None]:
    """The temporary tables, there while the block runs. What fails inside takes them away with all else."""
    _TEMPORARY.create_all(connection, checkfirst=False)
    with _larger_cache(connection):
        yield
    _TEMPORARY.drop_all(connection, checkfirst=False)


@contextmanager
def _larger_cache(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size={_SQLITE_CACHE:d}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size={int(before):d}")


class StagingTable:
    """A chunk of rows being decided. Every method does its step for all rows that are still undecided."""

    def __init__(self, connection: Connection, origin: ImportOrigin) -> None:
        self._connection = connection
        self._origin = origin
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._is_indexed = True

    def defer_index(self) -> None:
        """Put the index of addresses off until :meth:`create_deferred_index`, where the list is empty and in SQLite.

        A million addresses in their own order go each to another place of the index, which takes as long as
        all else together; sorted once at the end, they take a fifth of that.
        """
        if self._is_sqlite and self.last_used_id() == 0:
            _by_email.drop(self._connection)
            self._is_indexed = False

    def create_deferred_index(self) -> list[tuple[int, int]]:
        """Make the index that was put off. Those whose address an earlier row had are taken off again; the
        row of each, and the first.
        """
        if self._is_indexed:
            return []
        self._is_indexed = True
        try:
            _by_email.create(self._connection)
        except IntegrityError:
            twice = self._find_duplicates()
        else:
            return []
        for start in range(0, len(twice), _CHUNK):
            ids = [number for number, _, _ in twice[start : start + _CHUNK]]
            self._connection.execute(delete(_subscriber).where(_subscriber.c.id.in_(ids)))
        _by_email.create(self._connection)
        return [(row, first) for _, row, first in twice]

    def _find_duplicates(self) -> list[tuple[int, int, int]]:
        """The number and the row of everybody whose address is there before, and the row that had it."""
        number, email = _subscriber.c.id, _subscriber.c.email
        several = select(email).group_by(email).having(func.count() > 1)
        same = (
            select(number, func.min(number).over(partition_by=email).label("first"))
            .where(email.in_(several))
            .subquery()
        )
        later = select(same).where(same.c.id != same.c.first).order_by(same.c.id)
        # On an empty list a person's number is that of their row, the header not counted.
        return [(number, number + 1, first + 1) for number, first in self._connection.execute(later)]

    def last_used_id(self) -> int:
        """The number before the first that is free."""
        return int(self._connection.scalar(select(func.coalesce(func.max(_subscriber.c.id), 0))) or 0)

    def load(self, rows: Sequence[tuple[Any, ...]], lists: Sequence[tuple[int, str]]) -> None:
        """Put a chunk in place of the one before; a row has the first columns of :data:`STAGE`, in order."""
        self._connection.execute(delete(STAGING))
        self._write(STAGING, rows)
        self._write(_LIST, lists)

    def mark_suppressed(self) -> list[tuple[int, str]]:
        """Set those aside whose address must get no mail; the row and the digest of each."""
        shut = select(_suppression.c.digest)
        self._connection.execute(update(STAGING).where(STAGING.c.digest.in_(shut)).values(fate=_SUPPRESSED))
        found = (
            select(STAGING.c.row, STAGING.c.digest)
            .where(STAGING.c.fate == _SUPPRESSED)
            .order_by(STAGING.c.row)
        )
        return [(row, digest) for row, digest in self._connection.execute(found)]

    def insert_new(self, waiting: int) -> int:
        """Put the ``waiting`` undecided on the list unless they are there; how many were not.

        Those who were have the fate "met" and their own number from here on.
        """
        known = exists().where(_subscriber.c.email == STAGING.c.email)
        if not self._is_sqlite:
            # Numbers of a sequence are spent for good, so they are drawn for those alone who need one.
            waiting -= self._match(known)
            drawn = func.nextval(func.pg_get_serial_sequence("subscriber", "id"))
            self._connection.execute(update(STAGING).where(STAGING.c.fate.is_(None)).values(id=drawn))
        counted = {"preserve_rowcount": True}
        added = self._connection.execute(self._make_insert(), execution_options=counted).rowcount
        if added < waiting:
            self._match(~exists().where(_subscriber.c.id == STAGING.c.id))
        return added

    def _match(self, condition: ColumnElement[bool]) -> int:
        theirs = select(_subscriber.c.id).where(_subscriber.c.email == STAGING.c.email).scalar_subquery()
        met = update(STAGING).where(STAGING.c.fate.is_(None), condition).values(id=theirs, fate=_MATCHED)
        return self._connection.execute(met).rowcount

    def _make_insert(self) -> Insert:
        at = literal(self._origin.now, _subscriber.c.created_at.type)
        active = literal(Status.active, _subscriber.c.status.type)
        values = {
            "id": STAGING.c.id,
            "email": STAGING.c.email,
            "envelope": STAGING.c.envelope,
            "name": STAGING.c.name,
            "organisation": STAGING.c.organisation,
            "country": func.nullif(STAGING.c.country, ""),
            "language": func.nullif(STAGING.c.language, ""),
            "status": active,
            "created_at": at,
            "updated_at": at,
        }
        chosen = select(*values.values()).where(STAGING.c.fate.is_(None)).order_by(STAGING.c.row)
        if not self._is_indexed:
            return insert(_subscriber).from_select(list(values), chosen)
        into = (sqlite.insert if self._is_sqlite else postgresql.insert)(_subscriber)
        return into.from_select(list(values), chosen).on_conflict_do_nothing(index_elements=["email"])

    def mark_duplicates(self) -> list[tuple[int, int]]:
        """Set those aside whose address an earlier row had; the row of each, and the first."""
        seen = select(_SEEN.c.id)
        again = (
            update(STAGING).where(STAGING.c.fate == _MATCHED, STAGING.c.id.in_(seen)).values(fate=_DUPLICATE)
        )
        self._connection.execute(again)
        twice = (
            select(STAGING.c.row, _SEEN.c.row)
            .where(STAGING.c.fate == _DUPLICATE, STAGING.c.id == _SEEN.c.id)
            .order_by(STAGING.c.row)
        )
        return [(row, first) for row, first in self._connection.execute(twice)]

    def mark_gone(self) -> int:
        """Set those aside who left, bounced or complained; how many."""
        gone = select(_subscriber.c.id).where(_subscriber.c.status.in_(sorted(GONE_STATUSES)))
        self._remember_seen(STAGING.c.fate == _MATCHED)
        return self._connection.execute(
            update(STAGING)
            .where(STAGING.c.fate == _MATCHED, STAGING.c.id.in_(gone.where(_subscriber.c.id == STAGING.c.id)))
            .values(fate=_SUPPRESSED)
        ).rowcount

    def count_matched(self) -> int:
        counted = select(func.count()).select_from(STAGING).where(STAGING.c.fate == _MATCHED)
        return int(self._connection.scalar(counted) or 0)

    def list_changed(self) -> list[Row[Any]]:
        """The rows of those on the list that say something else than is known: all columns of the stage, the
        known details as ``old_…``, and ``other_sectors`` and ``other_tags``."""
        sectors = _lists_differ(STAGING.c.sectors, _sector, _sector.c.sector)
        tags = _lists_differ(STAGING.c.tags, _tag, _tag.c.tag)
        known = [_subscriber.c[name].label(f"old_{name}") for name in _DETAILS]
        details = [
            (STAGING.c[name] != "") & (func.coalesce(_subscriber.c[name], "") != STAGING.c[name])
            for name in _DETAILS
        ]
        return list(
            self._connection.execute(
                select(STAGING, *known, sectors.label("other_sectors"), tags.label("other_tags"))
                .join(_subscriber, _subscriber.c.id == STAGING.c.id)
                .where(STAGING.c.fate == _MATCHED, or_(*details, sectors, tags))
                .order_by(STAGING.c.row)
            )
        )

    def record_new(self) -> None:
        """Write the consent records, sectors and tags of the new ones."""
        new = STAGING.c.fate.is_(None)
        if self._is_indexed:
            self._remember_seen(new)
        values = {
            "subscriber_id": STAGING.c.id,
            "event": literal(ConsentEvent.imported, _consent_record.c.event.type),
            "at": literal(self._origin.now, _consent_record.c.at.type),
            "method": literal("import"),
            "source": literal(self._origin.source),
            "wording": literal(""),
            "wording_version": literal(""),
            "language": literal(""),
            "evidence": literal("row ") + cast(STAGING.c.row, String),
            "basis": literal(self._origin.basis),
            "import_id": literal(self._origin.import_id),
        }
        chosen = select(*values.values()).where(new).order_by(STAGING.c.row)
        self._connection.execute(insert(_consent_record).from_select(list(values), chosen))
        self._write_lists(_sector, STAGING.c.sectors, new)
        self._write_lists(_tag, STAGING.c.tags, new)

    def replace_lists(self, *, sectors: Sequence[int], tags: Sequence[int]) -> None:
        """Put the lists of the chunk in place of what these subscribers had."""
        for table, column, ids in ((_sector, STAGING.c.sectors, sectors), (_tag, STAGING.c.tags, tags)):
            for start in range(0, len(ids), _CHUNK):
                some = ids[start : start + _CHUNK]
                self._connection.execute(delete(table).where(table.c.subscriber_id.in_(some)))
                self._write_lists(table, column, STAGING.c.id.in_(some) & (STAGING.c.fate == _MATCHED))

    def _write_lists(self, table: Table, column: Column[Any], condition: ColumnElement[bool]) -> None:
        chosen = (
            select(STAGING.c.id, _LIST.c.value)
            .join(_LIST, _LIST.c.number == column)
            .where(condition)
            .order_by(STAGING.c.row)
        )
        self._connection.execute(insert(table).from_select([column.name for column in table.c], chosen))

    def _remember_seen(self, condition: ColumnElement[bool]) -> None:
        chosen = select(STAGING.c.id, STAGING.c.row).where(condition)
        self._connection.execute(insert(_SEEN).from_select(["id", "row"], chosen))

    def _write(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        names = [column.name for column in table.c][: len(rows[0])]
        if self._is_sqlite:
            # The driver takes tuples as they are; a dictionary for each of a million rows costs seconds.
            statement = insert(table).values({name: bindparam(name) for name in names})
            text = str(statement.compile(dialect=self._connection.dialect))
            self._connection.exec_driver_sql(text, list(rows))
        else:
            _copy(self._connection, table, names, rows)


def _copy(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """PostgreSQL's way for many rows: a tenth of the time of as many INSERTs."""
    from psycopg import Connection as Driver
    from psycopg import sql

    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)  # noqa: S101 - the dialect was looked at by the caller
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _lists_differ(number: Column[Any], table: Table, value: Column[Any]) -> ColumnElement[bool]:
    """Whether a list of the chunk is not empty and not what a subscriber has."""
    theirs = table.c.subscriber_id == STAGING.c.id
    missing = exists().where(
        theirs, ~exists().where(_LIST.c.number == number, _LIST.c.value == value).correlate(STAGING, table)
    )
    have = select(func.count()).select_from(table).where(theirs).correlate(STAGING).scalar_subquery()
    want = (
        select(func.count())
        .select_from(_LIST)
        .where(_LIST.c.number == number)
        .correlate(STAGING)
        .scalar_subquery()
    )
    return (number > 0) & (missing.correlate(STAGING) | (have != want))
