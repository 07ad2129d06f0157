"""Liveness of dispatchers: each shows that it is alive, and finds those that have died.

On one machine the kernel knows: every dispatcher locks its own file, and the kernel releases the lock when
the process ends, however it ends. Across machines a heartbeat in the database has to do, and clocks can be
set. A clock set forward makes everybody else's heartbeat look old, once; what that costs is bounded by
:mod:`mailer.dispatch.batch_writer`, which starts nothing for a dispatcher without a row. A clock
set back would make the dead look alive until it has caught up, so a heartbeat that stays the same for a
minute of our own time counts as old, too.
"""

import contextlib
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, exists, func, insert, select, update
from sqlmodel import col

from mailer.database.engine import Clock, read_clock
from mailer.database.models import Delivery, DeliveryState, Dispatcher

HEARTBEAT_SECONDS = 10.0
DEAD_AFTER = timedelta(seconds=60)
_COLUMNS = (col(Dispatcher.id), col(Dispatcher.host), col(Dispatcher.heartbeat_at))


class Presence:
    """This process as a dispatcher of one campaign; use it in a ``with``. ``id`` is the owner it writes into
    the ledger; it begins with ``kind``. ``monotonic`` is this machine's own time in seconds, which no setting
    of a clock changes."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        campaign_id: int,
        *,
        kind: str = "",
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = kind + uuid.uuid4().hex
        self._engine = engine
        self._folder = root / "run"
        self._campaign_id = campaign_id
        self._clock = clock
        self._monotonic = monotonic
        # The last sign of life of each of the others, and when we first saw it, by our own time.
        self._signs: dict[str, tuple[datetime, float]] = {}
        self._host = ""
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._host = identify_host(self._folder)
        self._lock = os.open(self._path_of(self.id), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            self.send_heartbeat()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_removed = False
        try:
            with contextlib.suppress(Exception), self._engine.begin() as connection:
                mine = col(Dispatcher.id) == self.id
                connection.execute(delete(Dispatcher).where(mine, ~self._holds_deliveries()))
                is_removed = connection.execute(select(col(Dispatcher.id)).where(mine)).first() is None
        finally:
            # While we hold deliveries, or if the database is gone, the row stays, and so must the file: the
            # next dispatcher finds its lock free, and takes over at once. Without a row or without the file
            # it would have to wait until what is left has grown old.
            self._unlock(forget=is_removed)

    def send_heartbeat(self) -> None:
        """Show that we are alive; register again if another machine has meanwhile taken us for dead."""
        with self._engine.begin() as connection:
            now = self._clock(connection)
            mine = update(Dispatcher).where(col(Dispatcher.id) == self.id).values(heartbeat_at=now)
            if connection.execute(mine).rowcount == 0:
                row = {"id": self.id, "host": self._host, "started_at": now, "heartbeat_at": now}
                connection.execute(insert(Dispatcher).values(row))

    def set_notice(self, notice: str) -> None:
        """Save what a person should know about our work; "" if there is nothing."""
        with self._engine.begin() as connection:
            mine = update(Dispatcher).where(col(Dispatcher.id) == self.id).values(notice=notice)
            connection.execute(mine)

    def find_dead(self) -> set[str]:
        """Return the dispatchers that are registered, or hold deliveries of this campaign, and are dead.

        One that is not registered may have been taken for dead by mistake and be about to register again, so
        it is dead only once its deliveries have not changed for :data:`DEAD_AFTER`.
        """
        with self._engine.connect().execution_options(read_only=True) as connection:
            now = self._clock(connection)
            # The order matters: a dispatcher is registered before its first claim and removed after its last
            # one is given back, so an owner seen first and not found afterwards holds nothing, or has lost
            # its row.
            owners = connection.execute(self._select_owners()).all()
            known = connection.execute(select(*_COLUMNS).where(col(Dispatcher.id) != self.id)).all()
        registered = {row.id for row in known} | {self.id}
        strangers = {name: at for name, at in owners if name and name not in registered}
        self._watch(strangers | {row.id: row.heartbeat_at for row in known})
        dead = {row.id for row in known if self._is_dead(row.id, row.host, now)}
        return dead | {name for name in strangers if self._is_lost(name, now)}

    def remove(self, dead: set[str]) -> None:
        """Remove dead dispatchers and their files, once the ledger has taken over their work."""
        with self._engine.begin() as connection:
            connection.execute(delete(Dispatcher).where(col(Dispatcher.id).in_(dead)))
        for name in dead:
            self._path_of(name).unlink(missing_ok=True)

    def _watch(self, signs: Mapping[str, datetime]) -> None:
        """Note the last sign of life of every other dispatcher; those that are gone are forgotten."""
        seen_at = self._monotonic()
        fresh = {name: (sign, seen_at) for name, sign in signs.items()}
        kept = {name: seen for name, seen in self._signs.items() if name in signs and seen[0] == signs[name]}
        self._signs = fresh | kept

    def _is_dead(self, name: str, host: str, now: datetime) -> bool:
        if host == self._host:
            with contextlib.suppress(FileNotFoundError):
                return _is_unlocked(self._path_of(name))
        return self._is_silent(name, now)

    def _is_lost(self, name: str, now: datetime) -> bool:
        """Return whether an owner without a row is dead. Its host is unknown: only a lock that is held proves
        something."""
        with contextlib.suppress(FileNotFoundError):
            if not _is_unlocked(self._path_of(name)):
                return False
        return self._is_silent(name, now)

    def _is_silent(self, name: str, now: datetime) -> bool:
        sign, seen_at = self._signs[name]
        return now - sign > DEAD_AFTER or self._monotonic() - seen_at > DEAD_AFTER.total_seconds()

    def _holds_deliveries(self) -> ColumnElement[bool]:
        """Build the condition that some of the campaign's deliveries are still ours."""
        return exists().where(
            col(Delivery.campaign_id) == self._campaign_id,
            # Said although the next says it too, so that the index of deliveries in hand is used.
            col(Delivery.owner).is_not(None),
            col(Delivery.owner) == self.id,
        )

    def _select_owners(self) -> Select[str | None, datetime]:
        """Build the query for the owners of deliveries in hand, each with its newest change."""
        in_hand = col(Delivery.state).in_([DeliveryState.claimed, DeliveryState.in_doubt])
        return (
            select(col(Delivery.owner), func.max(col(Delivery.updated_at)))
            .where(col(Delivery.campaign_id) == self._campaign_id, in_hand, col(Delivery.owner).is_not(None))
            .group_by(col(Delivery.owner))
        )

    def _unlock(self, *, forget: bool = True) -> None:
        if forget:
            self._path_of(self.id).unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _path_of(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


def _is_unlocked(path: Path) -> bool:
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def list_alive(connection: Connection, now: datetime) -> list[tuple[str, str]]:
    """Return the host name and the notice, "" for none, of each dispatcher with a recent heartbeat, whatever
    it works on, those that started first."""
    alive = col(Dispatcher.heartbeat_at) > now - DEAD_AFTER
    rows = select(col(Dispatcher.host), col(Dispatcher.notice)).where(alive)
    # The first word is the host name; the rest distinguishes folders and boots.
    found = connection.execute(rows.order_by(col(Dispatcher.started_at)))
    return [(host.partition(" ")[0], notice) for host, notice in found]


def identify_host(folder: Path) -> str:
    """Return a name for this folder under this running kernel: only there do its locks tell who is alive."""
    status = folder.stat()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot} {status.st_dev:x}:{status.st_ino:x}"[:255]
