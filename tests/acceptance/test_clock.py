"""Clocks that jump back and forth by a day, around a scheduled start and daylight-saving changes."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, text
from sqlmodel import Session

from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.schedule import ScheduleError, parse_start_time, schedule_campaign, start_due_campaigns
from mailer.database.models import CampaignState
from mailer.workspace import Workspace
from subscribers.segments.segment import parse_segment
from tests.acceptance.campaign_driver import addresses
from tests.factories.deliveries import FakeClock, add_subscribers, read_campaign, read_states
from tests.factories.small_edition import SLUG, write_edition

Figure = Callable[[str], None]
WORKERS = 3
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai")
WALL_TIMES = (
    "2026-03-08T02:30",
    "2026-03-29T03:30",
    "2026-10-25T02:30",
    "2026-11-01T02:30",
    "2026-04-05T03:00",
)


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database(durable=True)
    write_edition(either_workspace.editions)
    add_subscribers(engine, addresses(3), country="MN")
    yield engine
    engine.dispose()


class JumpingClock(FakeClock):
    """A clock that advances by minutes and is wrong by an hour or a day one time in four."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.off = timedelta()

    def __call__(self, _: Connection) -> datetime:
        return self.now + self.off

    def step(self, random_: random.Random) -> None:
        self.now += timedelta(minutes=random_.choice([1, 5, 30]))
        jumps = [timedelta(days=1), timedelta(days=-1), timedelta(hours=1), timedelta(hours=-1)]
        self.off = random_.choice(jumps) if random_.random() < 0.25 else timedelta()


def start_concurrently(engine: Engine, workspace: Workspace, clock: JumpingClock) -> list[int]:
    """Return the campaigns started by several workers that check at the same moment."""
    found: list[int] = []

    def start() -> None:
        found.extend(started.campaign_id for started in start_due_campaigns(engine, workspace, clock=clock))

    threads = [threading.Thread(target=start) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def start_one(engine: Engine, workspace: Workspace, at: datetime, random_: random.Random) -> int:
    """Schedule a campaign for ``at`` and run the clock past it; return how often the clock jumped."""
    clock = JumpingClock(at.astimezone(UTC) - timedelta(hours=3))
    plan = plan_campaign(workspace, engine, SLUG, parse_segment("all"), now=clock.now)
    number = schedule_campaign(engine, workspace, plan, at=at, clock=clock).campaign_id
    starts, jumps = [], 0
    while clock.now <= at + timedelta(days=1, hours=1):
        clock.step(random_)
        jumps += clock.off != timedelta()
        told = clock.now + clock.off
        found = start_concurrently(engine, workspace, clock) if not starts or random_.random() < 0.2 else []
        assert not found or told >= at, "started early"
        assert found or starts or told < at, "missed"
        starts += found
    assert starts == [number]
    assert read_campaign(engine, number).state is CampaignState.sending
    assert len(read_states(engine)) == 3
    return jumps


def clear(engine: Engine) -> None:
    with Session(engine) as session:
        for table in ("delivery", "campaign_content", "campaign"):
            session.execute(text(f"DELETE FROM {table}"))
        session.commit()


def test_no_start_is_early_missed_or_double_however_the_clock_jumps(
    either_workspace: Workspace, engine: Engine, figure: Figure
) -> None:
    random_ = random.Random(20261124)
    starts = jumps = refused = 0
    for zone in ZONES:
        for words in WALL_TIMES:
            try:
                at = parse_start_time(words, ZoneInfo(zone))
            except ScheduleError:
                refused += 1
                continue
            jumps += start_one(engine, either_workspace, at, random_)
            starts += 1
            clear(engine)
    assert refused
    figure(
        f"{starts} starts by {WORKERS} workers on {engine.dialect.name}, {jumps} jumps of an hour or a day, "
        f"around the changes of summer time of {len(ZONES)} zones: 0 early, 0 missed, 0 double; "
        f"{refused} times that do not exist or come twice were refused"
    )
