"""Which dispatchers are alive and which are dead."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from mailer.database.engine import open_engine
from mailer.database.models import Delivery, DeliveryState, Dispatcher
from mailer.dispatch.liveness import Presence
from tests.factories.deliveries import FakeClock, add_campaign
from tests.servers.process import wait_until


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_presence(engine: Engine, tmp_path: Path, clock: FakeClock) -> Presence:
    return Presence(engine, tmp_path, 1, clock=clock)


def test_running_dispatchers_are_alive(engine: Engine, tmp_path: Path, clock: FakeClock) -> None:
    with make_presence(engine, tmp_path, clock) as one, make_presence(engine, tmp_path, clock) as two:
        # On this machine the lock decides: a process that is suspended for an hour still holds its messages.
        clock.advance(hours=1)
        assert one.find_dead() == two.find_dead() == set()


PROGRAM = """
import sys, time
from pathlib import Path
from mailer.database.engine import open_engine
from mailer.dispatch.liveness import Presence
engine = open_engine(sys.argv[1], root=Path(sys.argv[2]))
with Presence(engine, Path(sys.argv[2]), 1) as presence:
    print(presence.id, flush=True)
    time.sleep(600)
"""


def test_a_killed_dispatcher_is_dead_immediately_and_can_be_removed(
    database: str, engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    command = [sys.executable, "-c", PROGRAM, database, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    with make_presence(engine, tmp_path, clock) as presence:
        assert presence.find_dead() == set()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert presence.find_dead() == {name}
        presence.remove({name})
        assert presence.find_dead() == set()
        assert [path.stem for path in (tmp_path / "run").iterdir()] == [presence.id]


def test_on_another_machine_the_heartbeat_decides(engine: Engine, tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "elsewhere").mkdir()
    elsewhere = make_presence(engine, tmp_path / "elsewhere", clock)
    with make_presence(engine, tmp_path, clock) as here, elsewhere:
        clock.advance(seconds=60)
        assert here.find_dead() == set()
        clock.advance(seconds=1)
        assert here.find_dead() == {elsewhere.id}
        elsewhere.send_heartbeat()
        assert here.find_dead() == set()


def test_a_living_dispatcher_taken_for_dead_registers_again(
    engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "elsewhere").mkdir()
    elsewhere = make_presence(engine, tmp_path / "elsewhere", clock)
    with make_presence(engine, tmp_path, clock) as here, elsewhere:
        here.remove({elsewhere.id})
        elsewhere.send_heartbeat()
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM dispatcher")) == 2


def test_a_missing_lock_file_proves_nothing(engine: Engine, tmp_path: Path, clock: FakeClock) -> None:
    with make_presence(engine, tmp_path, clock) as one, make_presence(engine, tmp_path, clock) as two:
        (tmp_path / "run" / f"{two.id}.lock").unlink()
        assert one.find_dead() == set()
        clock.advance(seconds=61)
        assert one.find_dead() == {two.id}


def hold_first(engine: Engine, owner: str) -> None:
    """Let ``owner`` hold a delivery."""
    with engine.begin() as connection:
        first = col(Delivery.subscriber_id) == 1
        claimed = {"state": DeliveryState.claimed, "owner": owner}
        connection.execute(update(Delivery).where(first).values(claimed))


def test_an_owner_nobody_has_written_down_is_dead_once_its_deliveries_are_old(
    engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    add_campaign(engine, 2)
    hold_first(engine, "nobody")
    with make_presence(engine, tmp_path, clock) as presence:
        # It may be alive and about to register again, after a mistake like the next test's.
        clock.advance(seconds=60)
        assert presence.find_dead() == set()
        clock.advance(seconds=1)
        assert presence.find_dead() == {"nobody"}


def test_a_live_dispatcher_is_not_dead_for_having_lost_its_row(
    engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    add_campaign(engine, 2)
    with make_presence(engine, tmp_path, clock) as one, make_presence(engine, tmp_path, clock) as two:
        hold_first(engine, two.id)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM dispatcher WHERE id = :name"), {"name": two.id})
        assert one.find_dead() == set()
        # However long it takes: its lock is held.
        clock.advance(hours=1)
        assert one.find_dead() == set()
    with make_presence(engine, tmp_path, clock) as one:
        assert one.find_dead() == {two.id}


@pytest.mark.parametrize("back", [timedelta(seconds=90), timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_set_makes_nobody_alive_who_is_dead_and_the_living_dead_once_at_most(
    engine: Engine, tmp_path: Path, clock: FakeClock, back: timedelta
) -> None:
    add_campaign(engine, 2)
    seconds = 0.0
    (tmp_path / "elsewhere").mkdir()
    elsewhere = make_presence(engine, tmp_path / "elsewhere", clock)
    with Presence(engine, tmp_path, 1, clock=clock, monotonic=lambda: seconds) as here, elsewhere:
        hold_first(engine, "nobody")
        assert here.find_dead() == set()
        clock.now -= back
        is_forward = back < timedelta()
        assert here.find_dead() == ({elsewhere.id, "nobody"} if is_forward else set())
        for _ in range(6):
            seconds += 10
            clock.advance(seconds=10)
            elsewhere.send_heartbeat()
            assert here.find_dead() == ({"nobody"} if is_forward else set())
        seconds += 1
        assert here.find_dead() == {"nobody"}
        seconds += 60
        assert here.find_dead() == {elsewhere.id, "nobody"}


def test_a_dispatcher_from_before_a_reboot_is_judged_by_its_heartbeat(
    engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    with make_presence(engine, tmp_path, clock) as presence, engine.begin() as connection:
        row = {"id": "old", "host": "same earlier-boot 1:2", "started_at": clock.now}
        row |= {"heartbeat_at": clock.now - timedelta(seconds=61)}
        connection.execute(Dispatcher.__table__.insert().values(row))  # type: ignore[attr-defined]
        connection.commit()
        assert presence.find_dead() == {"old"}


def test_without_a_database_no_lock_is_left(tmp_path: Path, clock: FakeClock) -> None:
    engine = open_engine("sqlite:///empty.db", root=tmp_path)
    with pytest.raises(OperationalError), make_presence(engine, tmp_path, clock):
        pass
    engine.dispose()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_dispatcher_leaves_no_lock_and_no_row(engine: Engine, tmp_path: Path, clock: FakeClock) -> None:
    with make_presence(engine, tmp_path, clock):
        wait_until(lambda: any((tmp_path / "run").iterdir()), what="the lock file")
    assert list((tmp_path / "run").iterdir()) == []
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM dispatcher")) == 0


def test_a_dispatcher_that_ends_with_deliveries_in_hand_is_dead_immediately(
    engine: Engine, tmp_path: Path, clock: FakeClock
) -> None:
    add_campaign(engine, 2)
    with make_presence(engine, tmp_path, clock) as ended:
        hold_first(engine, ended.id)
    with make_presence(engine, tmp_path, clock) as presence:
        assert presence.find_dead() == {ended.id}
        presence.remove({ended.id})
        assert [path.stem for path in (tmp_path / "run").iterdir()] == [presence.id]
