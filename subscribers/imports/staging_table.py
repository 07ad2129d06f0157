"""A temporary table in which thousands of rows are matched and stored by a handful of statements.

Each statement does one step for all rows of a chunk inside the database, so that a million rows need neither
a million queries nor the memory for them. Cells have already been parsed
(:mod:`subscribers.imports.row_parser`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.imports.bulk_insert import (
    EncodedPeople,
    EncodedRows,
    ImportOrigin,
    change_defaults,
    encode_people,
    encode_rows,
    insert_people,
    insert_rows,
)
from subscribers.imports.list_indexes import IDS_AT_ONCE, ListIndexes, sqlite_cache
from subscribers.models import Status, searched_text

TEMPORARY = MetaData()
"""The temporary tables of an import."""

STAGING = Table(
    "import_stage",
    TEMPORARY,
    Column("row", Integer, autoincrement=False),
    Column("id", BigInteger),
    Column("email", searched_text(320)),
    Column("envelope", String),
    Column("name", searched_text(300)),
    Column("organisation", searched_text(300)),
    Column("country", String),
    Column("language", String),
    Column("sectors", Integer),
    Column("tags", Integer),
    Column("digest", String),
    Column("fate", String),
    # In SQLite this is the order of the rows; in PostgreSQL it would be an index that nobody reads.
    PrimaryKeyConstraint("row").ddl_if(dialect="sqlite"),
    prefixes=["TEMPORARY"],
)
"""A chunk. ``sectors`` and ``tags`` are list numbers (0 for none); ``fate`` is None for new subscribers."""

_SEEN = Table(
    "import_seen",
    TEMPORARY,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("row", Integer),
    prefixes=["TEMPORARY"],
)
"""The subscribers this import has come across, and the first row of each."""

_LIST = Table(
    "import_list",
    TEMPORARY,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("value", String, primary_key=True),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)
"""The values of each list of sectors or tags; many rows share a few lists."""

_WITHOUT_DIGEST = STAGING.c.keys().index("digest")
"""How many columns a chunk has if nobody is suppressed, so that no digest is needed."""
_SUPPRESSED, _MATCHED, _DUPLICATE = "suppressed", "met", "twice"
DETAILS = ("name", "organisation", "country", "language")
"""The columns of a subscriber that an import may change, beside their lists."""
# In KiB. The index of a million addresses takes 45 MB; with too small a cache, every address means another
# page read.
_CACHE = 24 * 1024

_subscriber: Table = SQLModel.metadata.tables["subscriber"]
_sector: Table = SQLModel.metadata.tables["subscriber_sector"]
_tag: Table = SQLModel.metadata.tables["subscriber_tag"]
_suppression: Table = SQLModel.metadata.tables["suppression"]
_consent_record: Table = SQLModel.metadata.tables["consent_record"]
_NEW = Table(
    "import_new",
    TEMPORARY,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("row", Integer),
    Column("email", searched_text(320)),
    prefixes=["TEMPORARY"],
)
"""Everybody who would be added."""
_SUPPRESSIONS = Table(
    "import_suppression",
    TEMPORARY,
    Column("digest", String, primary_key=True),
    prefixes=["TEMPORARY"],
)
"""Every address that would be suppressed."""


@contextmanager
def staging_tables(connection: Connection) -> Iterator[None]:
    """Create the temporary tables for the block. If it fails, the rollback removes them."""
    TEMPORARY.create_all(connection, checkfirst=False)
    is_sqlite = connection.dialect.name == "sqlite"
    with sqlite_cache(connection, _CACHE) if is_sqlite else nullcontext():
        yield
    TEMPORARY.drop_all(connection, checkfirst=False)


class StagingTable:
    """A chunk of rows being processed. Each method does one step for all rows that are not settled yet."""

    def __init__(self, connection: Connection, origin: ImportOrigin, indexes: ListIndexes) -> None:
        self._connection = connection
        self._origin = origin
        self._indexes = indexes
        self._dialect = connection.dialect.name
        self._is_sqlite = self._dialect == "sqlite"
        self._are_stored = False
        # The statements that store new people stay the same from chunk to chunk, and to build them anew takes
        # half a second in a million rows, because another thread is reading the file meanwhile.
        self._built_inserts: dict[bool, tuple[Insert, ...]] = {}

    @property
    def is_loaded_row_by_row(self) -> bool:
        """Whether Python is needed for each row that is loaded, so that a thread beside it is in the way."""
        return self._is_sqlite

    @property
    def _can_copy(self) -> bool:
        """Whether the list is locked, and has nobody on it but those of this import."""
        return self._indexes.are_deferred and not self._is_sqlite

    def defer_indexes(self) -> None:
        self._indexes.defer()
        if self._can_copy:
            change_defaults(self._connection, self._origin, are_set=True)

    def take_duplicates(self, *, is_last: bool) -> list[tuple[int, int]]:
        """Delete rows with the address of an earlier row that were stored all the same; return each of them
        with the first. This is for the end of a file; ``is_last`` says that no other follows.
        """
        were_deferred = self._indexes.are_deferred
        if self._can_copy:
            change_defaults(self._connection, self._origin, are_set=False)
        later = self._indexes.create_deferred()
        if were_deferred and not is_last:
            number, before = _subscriber.c.id, self._indexes.offset
            new = select(number, number - before).where(number > before)
            self._connection.execute(insert(_SEEN).from_select(["id", "row"], new))
        return later

    def encode(
        self, columns: Sequence[Sequence[Any]], lists: Mapping[int, Sequence[str]]
    ) -> EncodedRows | EncodedPeople:
        """Return rows as :meth:`load` takes them, given by the first columns of :data:`STAGING`, in order,
        and with the values of each list number. This does not use the connection, so another thread may do it
        while that waits.
        """
        if self._can_copy and len(columns) == _WITHOUT_DIGEST:
            return encode_people(columns, lists, self._origin)
        return encode_rows(dict(zip(STAGING.c.keys(), columns, strict=False)), dialect=self._dialect)

    def load(self, rows: EncodedRows | EncodedPeople, lists: Sequence[tuple[int, str]]) -> None:
        """Replace the chunk with the next one; ``lists`` are new list numbers, and each of their values."""
        self._are_stored = not isinstance(rows, EncodedRows)
        if not isinstance(rows, EncodedRows):
            insert_people(self._connection, rows)
            return
        # PostgreSQL keeps deleted rows until the transaction ends, and every statement would read all of
        # them again.
        self._connection.execute(delete(STAGING) if self._is_sqlite else text(f"TRUNCATE {STAGING.name}"))
        insert_rows(self._connection, STAGING, rows)
        if lists:
            numbered = dict(zip(_LIST.c.keys(), zip(*lists, strict=True), strict=True))
            insert_rows(self._connection, _LIST, encode_rows(numbered, dialect=self._dialect))

    def mark_suppressed(self) -> list[tuple[int, str]]:
        """Mark rows whose address is suppressed; return the row and digest of each."""
        self._connection.execute(update(STAGING).where(self._is_suppressed()).values(fate=_SUPPRESSED))
        found = (
            select(STAGING.c.row, STAGING.c.digest)
            .where(STAGING.c.fate == _SUPPRESSED)
            .order_by(STAGING.c.row)
        )
        return [(row, digest) for row, digest in self._connection.execute(found)]

    def _is_suppressed(self) -> ColumnElement[bool]:
        return STAGING.c.digest.in_(select(_suppression.c.digest))

    def insert_new(self, waiting: int) -> int:
        """Add the ``waiting`` unsettled rows to the list unless they are on it; return how many were new.

        The others are marked as matched and get the ID of their subscriber.
        """
        if self._are_stored:
            return waiting
        known = exists().where(_subscriber.c.email == STAGING.c.email)
        if not self._is_sqlite and not self._indexes.are_deferred:
            # Sequence values are never reused, so take them only for rows that need one.
            waiting -= self._match(known)
            drawn = func.nextval(func.pg_get_serial_sequence("subscriber", "id"))
            self._connection.execute(update(STAGING).where(STAGING.c.fate.is_(None)).values(id=drawn))
        counted = {"preserve_rowcount": True}
        added = self._connection.execute(self._inserts[0], execution_options=counted).rowcount
        if added < waiting:
            self._match(~exists().where(_subscriber.c.id == STAGING.c.id))
        return added

    def _match(self, condition: ColumnElement[bool]) -> int:
        theirs = select(_subscriber.c.id).where(_subscriber.c.email == STAGING.c.email).scalar_subquery()
        met = update(STAGING).where(STAGING.c.fate.is_(None), condition).values(id=theirs, fate=_MATCHED)
        return self._connection.execute(met).rowcount

    @property
    def _inserts(self) -> tuple[Insert, ...]:
        """Those of subscribers, of consent, of sectors and of tags."""
        are_deferred = self._indexes.are_deferred
        if are_deferred not in self._built_inserts:
            new = STAGING.c.fate.is_(None)
            self._built_inserts[are_deferred] = (
                self._insert_subscribers(new),
                self._insert_consent(new),
                self._insert_lists(_sector, STAGING.c.sectors, new),
                self._insert_lists(_tag, STAGING.c.tags, new),
            )
        return self._built_inserts[are_deferred]

    def _insert_subscribers(self, new: ColumnElement[bool]) -> Insert:
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
        chosen = self._in_order(select(*values.values()).where(new))
        if self._indexes.are_deferred:
            return insert(_subscriber).from_select(list(values), chosen)
        into = (sqlite.insert if self._is_sqlite else postgresql.insert)(_subscriber)
        return into.from_select(list(values), chosen).on_conflict_do_nothing(index_elements=["email"])

    def mark_duplicates(self) -> list[tuple[int, int]]:
        """Mark rows with the address of an earlier row; return each of them with the first."""
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
        """Mark subscribers who unsubscribed, bounced or complained; return how many."""
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
        """Return the matched rows that differ from what is stored: all columns of the table, the stored
        details as ``old_…``, and ``other_sectors`` and ``other_tags``."""
        sectors = _lists_differ(STAGING.c.sectors, _sector, _sector.c.sector)
        tags = _lists_differ(STAGING.c.tags, _tag, _tag.c.tag)
        known = [_subscriber.c[name].label(f"old_{name}") for name in DETAILS]
        details = [
            (STAGING.c[name] != "") & (func.coalesce(_subscriber.c[name], "") != STAGING.c[name])
            for name in DETAILS
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
        """Write the consent records, sectors and tags of new subscribers."""
        if self._are_stored:
            return
        if not self._indexes.are_deferred:
            self._remember_seen(STAGING.c.fate.is_(None))
        for statement in self._inserts[1:]:
            self._connection.execute(statement)

    def _insert_consent(self, new: ColumnElement[bool]) -> Insert:
        values: dict[str, ColumnElement[Any]] = {
            name: literal(value, _consent_record.c[name].type) for name, value in self._origin.consent.items()
        }
        values |= {"subscriber_id": STAGING.c.id, "evidence": literal("row ") + cast(STAGING.c.row, String)}
        chosen = self._in_order(select(*values.values()).where(new))
        return insert(_consent_record).from_select(list(values), chosen)

    def replace_lists(self, *, sectors: Sequence[int], tags: Sequence[int]) -> None:
        for table, column, ids in ((_sector, STAGING.c.sectors, sectors), (_tag, STAGING.c.tags, tags)):
            for start in range(0, len(ids), IDS_AT_ONCE):
                some = ids[start : start + IDS_AT_ONCE]
                self._connection.execute(delete(table).where(table.c.subscriber_id.in_(some)))
                known = STAGING.c.id.in_(some) & (STAGING.c.fate == _MATCHED)
                self._connection.execute(self._insert_lists(table, column, known))

    def _insert_lists(self, table: Table, column: Column[Any], condition: ColumnElement[bool]) -> Insert:
        chosen = select(STAGING.c.id, _LIST.c.value).join(_LIST, _LIST.c.number == column).where(condition)
        names = [column.name for column in table.c]
        return insert(table).from_select(names, self._in_order(chosen))

    def _in_order(self, chosen: Select[Any]) -> Select[Any]:
        """Let rows be stored in the order of the file, which keeps those of one subscriber together."""
        # PostgreSQL sorts them, a tenth of the work, although as long as none is updated they come in order.
        in_order_already = self._indexes.are_deferred and not self._is_sqlite
        return chosen if in_order_already else chosen.order_by(STAGING.c.row)

    def _remember_seen(self, condition: ColumnElement[bool]) -> None:
        chosen = select(STAGING.c.id, STAGING.c.row).where(condition)
        self._connection.execute(insert(_SEEN).from_select(["id", "row"], chosen))


def _lists_differ(number: Column[Any], table: Table, value: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a list of the chunk is not empty and differs from the subscriber's."""
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


class DryRunTable(StagingTable):
    """A chunk of rows for which everything is counted and nothing is stored. It holds no lock: those who
    unsubscribe or sign up meanwhile do not wait. What the import would have added to the list is in temporary
    tables, which no other connection sees.
    """

    def defer_indexes(self) -> None:
        """Leave the indexes alone: the list does not grow."""

    def remember_suppressed(self, digests: Iterable[str]) -> None:
        if values := [{"digest": digest} for digest in digests]:
            into = (sqlite.insert if self._is_sqlite else postgresql.insert)(_SUPPRESSIONS)
            self._connection.execute(into.on_conflict_do_nothing(index_elements=["digest"]), values)

    def insert_new(self, waiting: int) -> int:
        matched = self._match(exists().where(_subscriber.c.email == STAGING.c.email))
        new = select(STAGING.c.id, STAGING.c.row, STAGING.c.email).where(STAGING.c.fate.is_(None))
        self._connection.execute(insert(_NEW).from_select(["id", "row", "email"], new))
        return waiting - matched

    def record_new(self) -> None:
        """Record nothing of anybody."""

    def take_duplicates(self, *, is_last: bool) -> list[tuple[int, int]]:  # noqa: ARG002 - as in its base
        number, email = _NEW.c.id, _NEW.c.email
        several = select(email).group_by(email).having(func.count() > 1)
        same = (
            select(
                number,
                _NEW.c.row,
                func.first_value(_NEW.c.row).over(partition_by=email, order_by=number).label("first_row"),
                func.row_number().over(partition_by=email, order_by=number).label("place"),
            )
            .where(email.in_(several))
            .subquery()
        )
        found = self._connection.execute(select(same).where(same.c.place > 1).order_by(same.c.id)).all()
        for start in range(0, len(found), IDS_AT_ONCE):
            ids = [row.id for row in found[start : start + IDS_AT_ONCE]]
            self._connection.execute(delete(_NEW).where(_NEW.c.id.in_(ids)))
        return [(row.row, row.first_row) for row in found]

    def _is_suppressed(self) -> ColumnElement[bool]:
        return or_(super()._is_suppressed(), STAGING.c.digest.in_(select(_SUPPRESSIONS.c.digest)))
