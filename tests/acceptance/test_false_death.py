"""A live dispatcher that another machine takes for dead: what it sends twice, and what it leaves in doubt."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event

from mailer.database.engine import open_engine, read_clock
from mailer.database.models import (
    Campaign,
    CampaignState,
    Delivery,
    DeliveryState,
    Dispatcher,
    InDoubtPolicy,
)
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.dispatch.relays import open_relays
from mailer.settings import SenderSettings, Settings, SmtpSettings
from subscribers.models import Subscriber
from tests.factories.deliveries import add_campaign, build_plain, read_campaign, read_deliveries
from tests.servers.process import wait_until
from tests.servers.scripted_smtp import ScriptedServer

Figure = Callable[[str], None]
S = DeliveryState
CONNECTIONS = 4
READERS = 60
SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)


class SteppedClock:
    """The database's clock, which somebody sets while campaigns are being sent."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self, connection: Connection) -> datetime:
        return read_clock(connection) + self.offset


class Machine:
    """A dispatcher of campaign 1 on a machine of its own: its folder shares no locks with others."""

    def __init__(self, url: str, root: Path, server: str, clock: SteppedClock, connections: int) -> None:
        root.mkdir(exist_ok=True)
        self.root, self.server, self.clock, self.connections = root, server, clock, connections
        self.engine = open_engine(url, root=root, durable=True)
        self.results: list[RunResult] = []
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        settings = Settings(sender=SENDER, smtp=SmtpSettings(url=self.server, connections=self.connections))
        self.results.append(
            dispatch(
                self.engine,
                1,
                relays=open_relays(settings, self.root),
                settings=settings,
                root=self.root,
                build_message=build_plain,
                clock=self.clock,
            )
        )

    def close(self) -> None:
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.engine.dispose()


@contextlib.contextmanager
def watching_rescues(engine: Engine) -> Iterator[list[object]]:
    """Count the dispatchers that were removed as dead through ``engine``."""
    removed: list[object] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM dispatcher") and " IN " in statement:
            removed.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield removed
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for dead dispatchers all the time: twenty times between two heartbeats at least."""
    monkeypatch.setattr("mailer.dispatch.dispatcher._RESCUE_SECONDS", 0.05)
    monkeypatch.setattr("mailer.dispatch.dispatcher._POLL_SECONDS", 0.02)


def clear(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (Delivery, Campaign, Subscriber, Dispatcher):
            connection.execute(delete(table))


def step_clock(engine: Engine, url: str, root: Path, policy: InDoubtPolicy, step: timedelta) -> list[int]:
    """Set the clock at some moment while two machines send; return the rescues, duplicates and doubts."""
    clear(engine)
    add_campaign(engine, READERS, in_doubt_policy=policy, id=1)
    clock = SteppedClock()
    with ScriptedServer(delay=0.01) as server:
        machines = [
            Machine(url, root / "one", server.url, clock, CONNECTIONS),
            Machine(url, root / "two", server.url, clock, 1),
        ]
        with watching_rescues(machines[1].engine) as rescues:
            for machine in machines:
                machine.thread.start()
            at = random.randrange(2, READERS // 2)
            wait_until(lambda: len(server.mails) >= at, what="some messages", seconds=30)
            clock.offset += step
            for machine in machines:
                machine.close()
            number_of_rescues = len(rescues)
        assert {result.outcome for machine in machines for result in machine.results} <= {
            RunOutcome.finished,
            RunOutcome.stopped,
        }
        check_end(engine, server)
        times = Counter(server.recipients)
    deliveries = read_deliveries(engine)
    doubted = {address for address, delivery in deliveries.items() if delivery.doubted}
    assert {address for address, n in times.items() if n > 1} <= doubted, "twice, and never named"
    assert len(set(server.message_ids())) == READERS
    return [number_of_rescues, sum(n - 1 for n in times.values()), len(doubted)]


def check_end(engine: Engine, server: ScriptedServer) -> None:
    """Nobody is lost, and what was in doubt by mistake is sent: the replies came after all."""
    assert Counter(delivery.state for delivery in read_deliveries(engine).values()) == {S.sent: READERS}
    assert set(server.recipients) == set(read_deliveries(engine))
    assert read_campaign(engine, 1).state is CampaignState.finished


@pytest.mark.parametrize("policy", InDoubtPolicy)
def test_a_clock_set_forward_costs_one_doubt_a_connection_at_most(
    engine: Engine, database: str, tmp_path: Path, policy: InDoubtPolicy
) -> None:
    rescues, duplicates, doubted = step_clock(engine, database, tmp_path, policy, timedelta(seconds=61))
    # None if the campaign ended, or the other registered again, before this one looked.
    assert rescues <= 1
    # Both machines took each other for dead.
    assert max(duplicates, doubted) <= CONNECTIONS + 1
    assert policy is InDoubtPolicy.resend or duplicates == 0


def test_a_clock_set_back_costs_nothing(engine: Engine, database: str, tmp_path: Path) -> None:
    step = timedelta(days=-1)
    assert step_clock(engine, database, tmp_path, InDoubtPolicy.hold, step) == [0, 0, 0]


def test_the_clock_of_this_machine_may_be_set_too(
    engine: Engine, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has no other clock, so that is the test before; PostgreSQL has, and nothing follows ours."""
    offset = timedelta()

    class AnyTime(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, datetime)

    class SetClock(datetime, metaclass=AnyTime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + offset

    monkeypatch.setattr("mailer.database.engine.datetime", SetClock)
    add_campaign(engine, READERS)
    with ScriptedServer(delay=0.01) as server:
        machines = [
            Machine(database, tmp_path / name, server.url, SteppedClock(), CONNECTIONS)
            for name in ("one", "two")
        ]
        with watching_rescues(machines[1].engine) as rescues:
            for machine in machines:
                machine.thread.start()
            wait_until(lambda: len(server.mails) >= 10, what="some messages", seconds=30)
            offset = timedelta(days=1)
            wait_until(lambda: len(server.mails) >= 20, what="more messages", seconds=30)
            offset = timedelta(days=-1)
            for machine in machines:
                machine.close()
        assert len(rescues) <= (1 if engine.dialect.name == "sqlite" else 0)
        check_end(engine, server)
    doubted = [delivery for delivery in read_deliveries(engine).values() if delivery.doubted]
    assert len(doubted) <= (2 * CONNECTIONS if engine.dialect.name == "sqlite" else 0)


PROGRAM = """
import sys
from pathlib import Path
from mailer.database.engine import open_engine
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.relays import open_relays
from mailer.settings import Settings, SmtpSettings
from tests.acceptance.test_false_death import CONNECTIONS, SENDER
from tests.factories.deliveries import build_plain
url, root, server = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
settings = Settings(sender=SENDER, smtp=SmtpSettings(url=server, connections=CONNECTIONS))
result = dispatch(open_engine(url, root=root, durable=True), 1, relays=open_relays(settings, root),
                  settings=settings, root=root, build_message=build_plain)
print(result.outcome.value)
"""


def test_a_suspended_machine_settles_what_it_had_in_hand_when_it_wakes(
    engine: Engine, database: str, tmp_path: Path
) -> None:
    add_campaign(engine, READERS)
    (tmp_path / "one").mkdir()
    clock = SteppedClock()
    with ScriptedServer(delay=0.02) as server:
        command = [sys.executable, "-c", PROGRAM, database, str(tmp_path / "one"), server.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: len(server.mails) >= 10, what="some messages", seconds=60)
        process.send_signal(signal.SIGSTOP)
        # It may hold the lock of SQLite, and then nobody else gets anywhere until it wakes.
        awaken_until_free(engine, process)
        other = Machine(database, tmp_path / "two", server.url, clock, 1)
        with watching_rescues(other.engine) as rescues:
            clock.offset = timedelta(seconds=61)
            other.thread.start()
            wait_until(lambda: bool(rescues), what="it to be taken for dead", seconds=30)
            # A minute passes for both of them, in the database that both ask.
            clock.offset = timedelta()
            process.send_signal(signal.SIGCONT)
            assert process.communicate(timeout=60)[0].strip() in {"finished", "stopped"}
            other.close()
        assert len(rescues) == 1
        check_end(engine, server)
        times = Counter(server.recipients)
    assert max(times.values()) == 1
    assert sum(found.doubted for found in read_deliveries(engine).values()) <= CONNECTIONS


def awaken_until_free(engine: Engine, process: "subprocess.Popen[str]") -> None:
    """Suspend ``process`` outside a transaction."""
    if engine.dialect.name != "sqlite":
        return
    while True:
        try:
            with engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA busy_timeout=50")
                driver.execute("BEGIN IMMEDIATE")
                driver.execute("ROLLBACK")
                driver.execute("PRAGMA busy_timeout=30000")
            return
        except Exception:
            process.send_signal(signal.SIGCONT)
            threading.Event().wait(0.01)
            process.send_signal(signal.SIGSTOP)


@pytest.mark.soak
def test_fifty_clocks_set_forward_cost_one_doubt_a_connection_at_most(
    engine: Engine, database: str, tmp_path: Path, figure: Figure
) -> None:
    # Twenty-five times on each kind of database.
    runs = []
    for turn in range(25):
        policy = list(InDoubtPolicy)[turn % 2]
        runs.append(step_clock(engine, database, tmp_path, policy, timedelta(seconds=61)))
        rescues, duplicates, doubted = runs[-1]
        assert rescues <= 1
        assert max(duplicates, doubted) <= CONNECTIONS + 1
        assert policy is InDoubtPolicy.resend or duplicates == 0
    figure(
        f"{len(runs)} times two live dispatchers took each other for dead ({engine.dialect.name}): 0 lost, "
        f"{sum(run[1] for run in runs)} duplicates and {sum(run[2] for run in runs)} doubts, which replies "
        f"settled; at most {max(max(run[1:]) for run in runs)} in a run, of {CONNECTIONS + 1} connections"
    )
