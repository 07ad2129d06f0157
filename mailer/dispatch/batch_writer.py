"""The ledger's hot path: one transaction for everything that happened in one turn of the loop.

It uses the bare driver. Two rows are written for every message, and SQLAlchemy takes longer to prepare a
statement than SQLite to run it. The statements here must allow exactly what
:mod:`mailer.dispatch.deliveries` allows; a test compares them.

A reply may come after its delivery was taken from the dispatcher that sent the message. That happens to a
dispatcher that another machine took for dead, and when the reader is erased. The delivery is then in doubt
without an owner, or queued to be sent again. The reply still says what became of the message, so it settles
the delivery where it can be no other message's reply:

- A message that was accepted is with the reader, whoever else may be trying: the delivery is sent.
- Anything else counts only if no other attempt has started since. ``attempts`` tells.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

from mailer.database.models import DeliveryState
from mailer.dispatch.deliveries import DELIVERY_TRANSITIONS

_IN_DOUBT: Final = DeliveryState.in_doubt
_MAY_BE_SENT: Final = "(state = 'in_doubt' OR (state = 'queued' AND doubted))"
_HELD_STATES: Final = (DeliveryState.claimed, DeliveryState.in_doubt)
_MAY_GET_MAIL = "(s.status = 'active' OR (s.status = 'paused' AND s.paused_until <= {today}))"
_TIME_COLUMNS: Final = frozenset({"not_before", "deferred_since"})
_TIME_TYPE = SQLModel.metadata.tables["delivery"].columns.updated_at.type
# An earlier attempt that may have arrived counts too; one that was refused does not. What an earlier version
# of the program did not record stays unknown.
_STORIES = "CASE WHEN doubted THEN delivery.stories || ' ' || {stories} ELSE {stories} END"
# Another machine that takes us for dead removes our row in the dispatcher table. Until we have registered
# again we start nothing: it would be taken over once more, and be in doubt or be sent twice. Ends need no
# row, because a delivery that was taken over has another owner or none.
_START_SQL: Final = f"""
    UPDATE delivery SET attempts = attempts + (state = 'claimed'), state = 'in_doubt', updated_at = ?,
        stories = {_STORIES.format(stories="?")}
    WHERE id = ? AND owner = ? AND (state = 'claimed' OR (? AND state = 'in_doubt'))
        AND EXISTS (SELECT 1 FROM campaign WHERE id = ? AND state = 'sending')
        AND EXISTS (SELECT 1 FROM dispatcher WHERE id = ?)
        AND EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber_id
            AND {_MAY_GET_MAIL.format(today="?")})
"""  # noqa: S608 - constants
_STARTED_ID: Final = 3
"""Which parameter of :data:`_START_SQL` is the delivery's id."""
_SENT_SQL: Final = """
    UPDATE delivery SET state = 'sent', owner = NULL, updated_at = ?, code = ?, reason = ?
    WHERE id = ? AND owner = ? AND state = 'in_doubt'
"""
_COMMON_SQL: Final = f"""
    WITH ended AS (
        UPDATE delivery SET state = 'sent', owner = NULL, updated_at = %(now)s, code = u.code,
            reason = u.reason
        FROM unnest(%(ends)s::int[], %(codes)s::int[], %(reasons)s::text[]) AS u (number, code, reason)
        WHERE delivery.id = u.number AND owner = %(owner)s AND state = 'in_doubt'
        RETURNING delivery.id
    ), begun AS (
        UPDATE delivery SET attempts = attempts + (delivery.state = 'claimed')::int, state = 'in_doubt',
            updated_at = %(now)s, stories = {_STORIES.format(stories="u.stories")}
        FROM unnest(%(begins)s::int[], %(stories)s::text[]) AS u (number, stories), subscriber AS s
        WHERE delivery.id = u.number AND owner = %(owner)s
            AND (delivery.state = 'claimed' OR (%(again)s AND delivery.state = 'in_doubt'))
            AND s.id = delivery.subscriber_id AND {_MAY_GET_MAIL.format(today="%(today)s")}
            AND EXISTS (SELECT 1 FROM campaign WHERE id = %(campaign)s AND state = 'sending')
            AND EXISTS (SELECT 1 FROM dispatcher WHERE id = %(owner)s)
        RETURNING delivery.id
    )
    SELECT true, id FROM ended UNION ALL SELECT false, id FROM begun
"""  # noqa: S608 - constants


class LateReply(NamedTuple):
    """The state a reply leads to, the columns to set with their values as the driver takes them, and the
    number of the attempt it answers, None if no body was begun."""

    delivery_id: int
    state: DeliveryState
    attempt: int | None
    columns: Sequence[str]
    values: Sequence[Any]


def record_late_reply(
    execute: Callable[..., Any], reply: LateReply, now: Any, *, mark: str, lock: str = ""
) -> bool:
    """Record ``reply`` if it settles its delivery; return whether it did. ``mark`` is how the driver writes a
    parameter, and ``lock`` keeps the reader from being erased before the end of the caller's transaction."""
    if reply.state is DeliveryState.sent:
        sources, numbers = _MAY_BE_SENT, []
    elif reply.attempt is not None and reply.state in DELIVERY_TRANSITIONS[_IN_DOUBT]:
        sources, numbers = f"state = 'in_doubt' AND attempts = {mark}", [reply.attempt]
    else:
        return False
    values = dict(zip(reply.columns, reply.values, strict=True))
    # The server's words often quote the address, and nobody would erase them a second time.
    if "reason" in values and _is_erased(execute, reply.delivery_id, mark, lock):
        values["reason"] = ""
    columns = "".join(f", {name} = {mark}" for name in values)
    statement = (
        f"UPDATE delivery SET state = {mark}, updated_at = {mark}{columns} "  # noqa: S608 - names are ours
        f"WHERE id = {mark} AND owner IS NULL AND {sources}"
    )
    row = (reply.state.value, now, *values.values(), reply.delivery_id, *numbers)
    return bool(execute(statement, row).rowcount == 1)


def _is_erased(execute: Callable[..., Any], delivery_id: int, mark: str, lock: str) -> bool:
    statement = (
        "SELECT s.status FROM subscriber s JOIN delivery d ON d.subscriber_id = s.id "  # noqa: S608 - constants
        f"WHERE d.id = {mark} {lock}"
    )
    row = execute(statement, (delivery_id,)).fetchone()
    return row is not None and row[0] == "erased"


class Transition(NamedTuple):
    """The end of one delivery, or its way back. ``is_attempt`` says whether that counts as an attempt if none
    was counted when it started. ``attempt`` is the number of the attempt if its body was begun, else None:
    the transition is about no other."""

    delivery_id: int
    state: DeliveryState
    is_attempt: bool = False
    columns: Sequence[tuple[str, Any]] = ()
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The changes that one transaction records. Each of ``sent``, which are nearly all, has the delivery, the
    server's code and its text; ``stories`` has the encoded stories of the messages that start, where they
    differ from reader to reader."""

    sent: Sequence[tuple[int, int | None, str]] = ()
    transitions: Sequence[Transition] = ()
    starting: Sequence[int] = ()
    stories: Mapping[int, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class BatchResult:
    """The outcome of a batch: the deliveries that may start, and those that are no longer ours. ``late`` are
    nobody else's either, so that the reply settled them."""

    started: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)

    def add_missed(self, delivery_id: int, *, is_late: bool) -> None:
        (self.late if is_late else self.lost).add(delivery_id)


class BatchWriter(Protocol):
    """Writes batches for one dispatcher of one campaign, each in one durable transaction."""

    def write(self, batch: Batch, now: datetime, *, again: bool = False) -> BatchResult:
        """Write ``batch``; it is on the disk when this returns. Raise sqlite3.Error or psycopg.Error if it
        is not known whether it was written.

        ``again`` says that the same batch may have been written already, when the database failed: what it
        began then, and was not sent, may still begin.
        """

    def close(self) -> None:
        """Release the connection."""


def open_batch_writer(engine: Engine, campaign_id: int, owner: str) -> BatchWriter:
    kind = SqliteBatchWriter if engine.dialect.name == "sqlite" else PostgresBatchWriter
    return kind(engine, campaign_id, owner)


@lru_cache(maxsize=64)
def _transition_sql(state: DeliveryState, names: tuple[str, ...], mark: str, *, is_reply: bool) -> str:
    """Return the UPDATE that moves a delivery in hand to ``state`` and sets ``names``. With ``is_reply`` only
    if the attempt is still the one that the reply answers."""
    # What never began cannot have arrived: claimed becomes in doubt only by beginning.
    held = _HELD_STATES[1:] if state is DeliveryState.in_doubt else _HELD_STATES
    sources = ", ".join(f"'{source}'" for source in held if state in DELIVERY_TRANSITIONS[source])
    columns = "".join(f", {name} = {mark}" for name in names)
    # Taken for dead and alive again, we may have claimed what we are still sending, and started it once more.
    attempt = f" AND attempts = {mark}" if is_reply else ""
    return (
        f"UPDATE delivery SET state = {mark}, owner = NULL, updated_at = {mark}, "  # noqa: S608 - names are ours
        f"attempts = attempts + CASE WHEN state = 'claimed' THEN {mark} ELSE 0 END{columns} "
        f"WHERE id = {mark} AND owner = {mark} AND state IN ({sources}){attempt}"
    )


class SqliteBatchWriter:
    """On SQLite: the usual group in two statements, each run for all its rows by one call. Where one of them
    finds a row that is not as expected, all is taken back and written row by row, which tells the row."""

    def __init__(self, engine: Engine, campaign_id: int, owner: str) -> None:
        self._pooled = engine.raw_connection()
        driver = self._pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect was looked at
        self._cursor = driver.cursor()
        self._campaign_id = campaign_id
        self._owner = owner
        write = _TIME_TYPE.dialect_impl(engine.dialect).bind_processor(engine.dialect)
        assert write is not None  # noqa: S101 - SQLite has no type for a time
        self._encode_time = write

    def write(self, batch: Batch, now: datetime, *, again: bool = False) -> BatchResult:
        if not again and not batch.transitions:
            with self._transaction() as run:
                if self._write_common(batch, now):
                    run("COMMIT")
                    return BatchResult(started=set(batch.starting))
        result = BatchResult()
        with self._transaction() as run:
            self._write_transitions([*map(_sent_transition, batch.sent), *batch.transitions], now, result)
            for row in self._start_parameters(batch, now, again=again):
                if run(_START_SQL, row).rowcount == 1:
                    result.started.add(row[_STARTED_ID])
            run("COMMIT")
        return result

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Open a transaction, which is taken back unless it is committed inside."""
        run = self._cursor.execute
        run("BEGIN IMMEDIATE")
        try:
            yield run
        finally:
            if self._cursor.connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    run("ROLLBACK")

    def _write_common(self, group: Batch, now: datetime) -> bool:
        """Write messages that were sent and others that begin; whether every row was as expected."""
        at, owner, run = self._encode_time(now), self._owner, self._cursor.executemany
        sent = [(at, code, words, number, owner) for number, code, words in group.sent]
        if sent and run(_SENT_SQL, sent).rowcount != len(sent):
            return False
        begins = self._start_parameters(group, now, again=False)
        return not begins or run(_START_SQL, begins).rowcount == len(begins)

    def _start_parameters(self, group: Batch, now: datetime, *, again: bool) -> list[tuple[Any, ...]]:
        """Return what :data:`_START_SQL` is run with for each delivery that is about to begin."""
        at, today = self._encode_time(now), now.date().isoformat()
        owner, campaign = self._owner, self._campaign_id
        stories = group.stories.get
        return [
            (at, stories(number), stories(number), number, owner, again, campaign, owner, today)
            for number in group.starting
        ]

    def _write_transitions(self, ends: Sequence[Transition], now: datetime, result: BatchResult) -> None:
        at = self._encode_time(now)
        for entry in ends:
            names = tuple(name for name, _ in entry.columns)
            values = [
                self._encode_time(value) if name in _TIME_COLUMNS and value is not None else value
                for name, value in entry.columns
            ]
            row = (entry.state.value, at, entry.is_attempt, *values, entry.delivery_id, self._owner)
            is_reply = entry.attempt is not None
            statement = _transition_sql(entry.state, names, "?", is_reply=is_reply)
            if self._cursor.execute(statement, (*row, entry.attempt) if is_reply else row).rowcount != 1:
                reply = LateReply(entry.delivery_id, entry.state, entry.attempt, names, values)
                is_late = record_late_reply(self._cursor.execute, reply, at, mark="?")
                result.add_missed(entry.delivery_id, is_late=is_late)

    def close(self) -> None:
        self._cursor.close()
        self._pooled.close()


class PostgresBatchWriter:
    """On PostgreSQL: one statement for the usual, so that a group costs one round trip."""

    def __init__(self, engine: Engine, campaign_id: int, owner: str) -> None:
        self._engine = engine
        self._campaign_id = campaign_id
        self._owner = owner
        self._connection: Connection | None = None

    def write(self, batch: Batch, now: datetime, *, again: bool = False) -> BatchResult:
        result = BatchResult()
        with (
            self._driver_connection() as driver,
            driver.transaction() if batch.transitions else contextlib.nullcontext(),
        ):
            for entry in batch.transitions:
                self._write_transition(driver, entry, now, result)
            self._write_common(driver, batch, now, result, again=again)
        return result

    def _write_transition(self, driver: Any, entry: Transition, now: datetime, result: BatchResult) -> None:
        names = tuple(name for name, _ in entry.columns)
        values = [value for _, value in entry.columns]
        row = (entry.state.value, now, int(entry.is_attempt), *values, entry.delivery_id, self._owner)
        is_reply = entry.attempt is not None
        statement = _transition_sql(entry.state, names, "%s", is_reply=is_reply)
        if driver.execute(statement, (*row, entry.attempt) if is_reply else row).rowcount != 1:
            self._write_missed(driver, entry, now, result)

    def _write_missed(self, driver: Any, entry: Transition, now: datetime, result: BatchResult) -> None:
        names = tuple(name for name, _ in entry.columns)
        values = [value for _, value in entry.columns]
        reply = LateReply(entry.delivery_id, entry.state, entry.attempt, names, values)
        with driver.transaction():
            is_late = record_late_reply(driver.execute, reply, now, mark="%s", lock="FOR SHARE OF s")
        result.add_missed(entry.delivery_id, is_late=is_late)

    def _write_common(
        self, driver: Any, group: Batch, now: datetime, result: BatchResult, *, again: bool
    ) -> None:
        if not group.sent and not group.starting:
            return
        sent = [number for number, _, _ in group.sent]
        words = {
            "ends": sent,
            "codes": [code for _, code, _ in group.sent],
            "reasons": [reason for _, _, reason in group.sent],
            "begins": list(group.starting),
            "stories": [group.stories.get(number) for number in group.starting],
            "now": now,
            "today": now.date(),
            "owner": self._owner,
            "campaign": self._campaign_id,
            "again": again,
        }
        rows = driver.execute(_COMMON_SQL, words, prepare=True).fetchall()
        ended = {number for is_end, number in rows if is_end}
        result.started.update(number for is_end, number in rows if not is_end)
        for entry in group.sent:
            if entry[0] not in ended:
                self._write_missed(driver, _sent_transition(entry), now, result)

    @contextlib.contextmanager
    def _driver_connection(self) -> Iterator[Any]:
        """Open the driver's connection; a new one where the last one failed, for the server may be back."""
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


def _sent_transition(sent: tuple[int, int | None, str]) -> Transition:
    number, code, words = sent
    return Transition(number, DeliveryState.sent, False, (("code", code), ("reason", words)))
