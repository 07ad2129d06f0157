"""The ledger's hot path: one transaction for everything that happened in a moment, through the bare driver.

Two rows are written for every message, and SQLAlchemy takes longer to prepare a statement than SQLite to run
it. What is written here may be no other than what :mod:`mailer.dispatch.deliveries.transition_updates` allows; a test compares.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

from mailer.database.models import DeliveryState
from mailer.dispatch.deliveries.transitions import DELIVERY_MOVES

_HELD: Final = (DeliveryState.claimed, DeliveryState.in_doubt)
_MAIL_WANTED = "(s.status = 'active' OR (s.status = 'paused' AND s.paused_until <= {today}))"
_TIMES: Final = frozenset({"not_before", "deferred_since"})
_UPDATED_AT = SQLModel.metadata.tables["delivery"].columns.updated_at.type


class Entry(NamedTuple):
    """How one delivery ended, or that it goes back: the state it moves to and the columns that are set.

    ``tried`` says whether that counts as an attempt where none was counted when it began.
    """

    delivery_id: int
    state: DeliveryState
    tried: bool = False
    values: Sequence[tuple[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """What one transaction carries: the deliveries that were sent, how others ended, and those that are about
    to begin.

    Of what was ``sent``, nearly everything, there is the delivery, the server's code and its words.
    """

    sent: Sequence[tuple[int, int | None, str]] = ()
    ends: Sequence[Entry] = ()
    begins: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of a group: the deliveries that may begin, and those whose end found them no longer ours."""

    begun: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()


@dataclass(kw_only=True)
class _Draft:
    begun: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)


class Journal(Protocol):
    """Writes groups for one dispatcher of one campaign, each in a durable transaction of its own."""

    def write(self, group: Group, now: datetime, *, again: bool = False) -> Written:
        """Write ``group``; it is on the disk when this returns.

        ``again`` says that the same group may have been written already, when the database failed: what it
        began then, and was not sent, may still begin.

        Raises:
            sqlite3.Error, psycopg.Error: it is not known whether it was written.
        """

    def close(self) -> None:
        """Give the connection back."""


def open_journal(engine: Engine, campaign_id: int, owner: str) -> Journal:
    """The journal for the kind of database ``engine`` is on."""
    kind = SqliteJournal if engine.dialect.name == "sqlite" else PostgresJournal
    return kind(engine, campaign_id, owner)


@lru_cache(maxsize=64)
def _write_end(state: DeliveryState, names: tuple[str, ...], mark: str) -> str:
    """The UPDATE that moves a delivery in hand to ``state`` and sets ``names``; ``mark`` is how the driver
    writes a parameter."""
    # What never began cannot have arrived: claimed becomes in doubt only by beginning.
    held = _HELD[1:] if state is DeliveryState.in_doubt else _HELD
    sources = ", ".join(f"'{source}'" for source in held if state in DELIVERY_MOVES[source])
    columns = "".join(f", {name} = {mark}" for name in names)
    return (
        f"UPDATE delivery SET state = {mark}, owner = NULL, updated_at = {mark}, "  # noqa: S608 - names are ours
        f"attempts = attempts + CASE WHEN state = 'claimed' THEN {mark} ELSE 0 END{columns} "
        f"WHERE id = {mark} AND owner = {mark} AND state IN ({sources})"
    )


_BEGIN: Final = f"""
    UPDATE delivery SET attempts = attempts + (state = 'claimed'), state = 'in_doubt', updated_at = ?
    WHERE id = ? AND owner = ? AND (state = 'claimed' OR (? AND state = 'in_doubt'))
        AND EXISTS (SELECT 1 FROM campaign WHERE id = ? AND state = 'sending')
        AND EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber_id
            AND {_MAIL_WANTED.format(today="?")})
"""  # noqa: S608 - constants
_SEND: Final = """
    UPDATE delivery SET state = 'sent', owner = NULL, updated_at = ?, code = ?, reason = ?
    WHERE id = ? AND owner = ? AND state = 'in_doubt'
"""


class SqliteJournal:
    """On SQLite: the usual group in two statements, each run for all its rows by one call.

    Where one of them finds a row that is not as expected, all is taken back and written row by row, which
    tells the row.
    """

    def __init__(self, engine: Engine, campaign_id: int, owner: str) -> None:
        self._pooled = engine.raw_connection()
        driver = self._pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect was looked at
        self._cursor = driver.cursor()
        self._campaign_id = campaign_id
        self._owner = owner
        write = _UPDATED_AT.dialect_impl(engine.dialect).bind_processor(engine.dialect)
        assert write is not None  # noqa: S101 - SQLite has no type for a time
        self._write_time = write

    def write(self, group: Group, now: datetime, *, again: bool = False) -> Written:
        if not again and not group.ends:
            with self._transaction() as run:
                if self._write_usual(group, now):
                    run("COMMIT")
                    return Written(begun=frozenset(group.begins))
        draft = _Draft()
        with self._transaction() as run:
            self._end([*map(_write_out, group.sent), *group.ends], now, draft)
            for row in self._list_begins(group, now, again=again):
                if run(_BEGIN, row).rowcount == 1:
                    draft.begun.add(row[1])
            run("COMMIT")
        return Written(begun=frozenset(draft.begun), lost=frozenset(draft.lost))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A transaction, which is taken back unless it is committed inside."""
        run = self._cursor.execute
        run("BEGIN IMMEDIATE")
        try:
            yield run
        finally:
            if self._cursor.connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    run("ROLLBACK")

    def _write_usual(self, group: Group, now: datetime) -> bool:
        """Write messages that were sent and others that begin; whether every row was as expected."""
        at, owner, run = self._write_time(now), self._owner, self._cursor.executemany
        sent = [(at, code, words, number, owner) for number, code, words in group.sent]
        if sent and run(_SEND, sent).rowcount != len(sent):
            return False
        begins = self._list_begins(group, now, again=False)
        return not begins or run(_BEGIN, begins).rowcount == len(begins)

    def _list_begins(self, group: Group, now: datetime, *, again: bool) -> list[tuple[Any, ...]]:
        """What :data:`_BEGIN` is run with for each delivery that is about to begin."""
        at, today = self._write_time(now), now.date().isoformat()
        owner, campaign = self._owner, self._campaign_id
        return [(at, number, owner, again, campaign, today) for number in group.begins]

    def _end(self, ends: Sequence[Entry], now: datetime, draft: _Draft) -> None:
        at = self._write_time(now)
        for entry in ends:
            names = tuple(name for name, _ in entry.values)
            values = [
                self._write_time(value) if name in _TIMES and value is not None else value
                for name, value in entry.values
            ]
            row = (entry.state.value, at, entry.tried, *values, entry.delivery_id, self._owner)
            if self._cursor.execute(_write_end(entry.state, names, "?"), row).rowcount != 1:
                draft.lost.add(entry.delivery_id)

    def close(self) -> None:
        self._cursor.close()
        self._pooled.close()


_WRITE: Final = f"""
    WITH ended AS (
        UPDATE delivery SET state = 'sent', owner = NULL, updated_at = %(now)s, code = u.code,
            reason = u.reason
        FROM unnest(%(ends)s::int[], %(codes)s::int[], %(reasons)s::text[]) AS u (number, code, reason)
        WHERE delivery.id = u.number AND owner = %(owner)s AND state = 'in_doubt'
        RETURNING delivery.id
    ), begun AS (
        UPDATE delivery SET attempts = attempts + (delivery.state = 'claimed')::int, state = 'in_doubt',
            updated_at = %(now)s
        FROM unnest(%(begins)s::int[]) AS u (number), subscriber AS s
        WHERE delivery.id = u.number AND owner = %(owner)s
            AND (delivery.state = 'claimed' OR (%(again)s AND delivery.state = 'in_doubt'))
            AND s.id = delivery.subscriber_id AND {_MAIL_WANTED.format(today="%(today)s")}
            AND EXISTS (SELECT 1 FROM campaign WHERE id = %(campaign)s AND state = 'sending')
        RETURNING delivery.id
    )
    SELECT true, id FROM ended UNION ALL SELECT false, id FROM begun
"""  # noqa: S608 - constants


class PostgresJournal:
    """On PostgreSQL: one statement for the usual, so that a group costs one round trip."""

    def __init__(self, engine: Engine, campaign_id: int, owner: str) -> None:
        self._engine = engine
        self._campaign_id = campaign_id
        self._owner = owner
        self._connection: Connection | None = None

    def write(self, group: Group, now: datetime, *, again: bool = False) -> Written:
        draft = _Draft()
        with self._driver() as driver, driver.transaction() if group.ends else contextlib.nullcontext():
            for entry in group.ends:
                self._end(driver, entry, now, draft)
            self._write_usual(driver, group, now, draft, again=again)
        return Written(begun=frozenset(draft.begun), lost=frozenset(draft.lost))

    def _end(self, driver: Any, entry: Entry, now: datetime, draft: _Draft) -> None:
        names = tuple(name for name, _ in entry.values)
        values = [value for _, value in entry.values]
        row = (entry.state.value, now, int(entry.tried), *values, entry.delivery_id, self._owner)
        if driver.execute(_write_end(entry.state, names, "%s"), row).rowcount != 1:
            draft.lost.add(entry.delivery_id)

    def _write_usual(self, driver: Any, group: Group, now: datetime, draft: _Draft, *, again: bool) -> None:
        if not group.sent and not group.begins:
            return
        sent = [number for number, _, _ in group.sent]
        words = {
            "ends": sent,
            "codes": [code for _, code, _ in group.sent],
            "reasons": [reason for _, _, reason in group.sent],
            "begins": list(group.begins),
            "now": now,
            "today": now.date(),
            "owner": self._owner,
            "campaign": self._campaign_id,
            "again": again,
        }
        rows = driver.execute(_WRITE, words, prepare=True).fetchall()
        ended = {number for is_end, number in rows if is_end}
        draft.begun.update(number for is_end, number in rows if not is_end)
        draft.lost.update(number for number in sent if number not in ended)

    @contextlib.contextmanager
    def _driver(self) -> Iterator[Any]:
        """The driver's connection; a new one where the last one failed, for the server may be back."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield self._connection.connection.driver_connection
        except BaseException:
            self._connection.invalidate()
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _write_out(sent: tuple[int, int | None, str]) -> Entry:
    number, code, words = sent
    return Entry(number, DeliveryState.sent, False, (("code", code), ("reason", words)))
