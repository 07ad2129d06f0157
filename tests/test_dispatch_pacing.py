"""The pace: a rate shared by all, and a brake."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mailer.dispatch.pacing import Brake, Pacer
from tests.ledgers import FakeClock, add_campaign, read_campaign


class Watch:
    """A clock of this process that stands still until moved."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_pacer(engine: Engine, rate: float | None, clock: FakeClock, watch: Watch) -> Pacer:
    return Pacer(engine, 1, rate, clock=clock, monotonic=watch)


def test_without_a_rate_nobody_waits_and_the_database_is_not_asked(
    engine: Engine, clock: FakeClock, watch: Watch
) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, None, clock, watch)
    assert [pacer.take_turn() for _ in range(100)] == [0] * 100
    assert read_campaign(engine, 1).next_slot_at is None


def test_turns_are_as_far_apart_as_the_rate_says(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, 4, clock, watch)
    assert [pacer.take_turn() for _ in range(5)] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_two_machines_share_one_rate(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    one, two = make_pacer(engine, 4, clock, watch), make_pacer(engine, 4, clock, watch)
    turns = [pacer.take_turn() for _ in range(4) for pacer in (one, two)]
    assert turns == pytest.approx([n * 0.25 for n in range(8)])


def test_turns_that_nobody_took_are_not_made_up_for(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, 4, clock, watch)
    pacer.take_turn()
    clock.advance(seconds=60)
    watch.now += 60
    assert [pacer.take_turn() for _ in range(3)] == pytest.approx([0, 0.25, 0.5])


def test_a_high_rate_takes_turns_in_blocks(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, 500, clock, watch)
    assert [pacer.take_turn() for _ in range(50)] == pytest.approx([n / 500 for n in range(50)])
    assert read_campaign(engine, 1).next_slot_at == clock.now + timedelta(seconds=0.1)


def test_many_threads_take_each_turn_once(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, 100, clock, watch)
    turns: list[float] = []
    threads = [
        threading.Thread(target=lambda: turns.extend(pacer.take_turn() for _ in range(20))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([n / 100 for n in range(100)])


def test_waiting_ends_at_once_when_the_work_is_over(engine: Engine, clock: FakeClock, watch: Watch) -> None:
    add_campaign(engine, 1)
    pacer = make_pacer(engine, 0.001, clock, watch)
    halted = threading.Event()
    assert pacer.wait(halted)
    halted.set()
    assert not pacer.wait(halted)


def test_each_complaint_doubles_the_distance(watch: Watch) -> None:
    brake = Brake(watch)
    distances = []
    for _ in range(3):
        brake.tighten()
        brake.take_turn()
        distances.append(brake.take_turn())
        watch.now += 5
        brake.take_turn()
        watch.now += 5
    assert distances[0] == pytest.approx(0.05)
    assert distances[1] == pytest.approx(0.1, rel=0.1)
    assert distances[2] == pytest.approx(0.2, rel=0.1)


def test_complaints_that_come_together_are_one(watch: Watch) -> None:
    brake = Brake(watch)
    for _ in range(50):
        brake.tighten()
    brake.take_turn()
    assert brake.take_turn() == pytest.approx(0.05)


def test_the_brake_loosens_with_time_and_lets_go(watch: Watch) -> None:
    brake = Brake(watch)
    brake.tighten()
    watch.now += 60
    brake.take_turn()
    assert brake.take_turn() == pytest.approx(0.05 * 0.9)
    watch.now += 3600
    brake.take_turn()
    assert brake.take_turn() == 0


def test_the_distance_never_exceeds_ten_seconds(watch: Watch) -> None:
    brake = Brake(watch)
    for _ in range(30):
        brake.tighten()
        watch.now += 5
    brake.take_turn()
    assert brake.take_turn() <= 10
