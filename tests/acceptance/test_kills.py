"""kill -9 of `mailer` again and again while it sends, judged by what the server got and by its own report."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import Office, S, addresses
from tests.servers.process import wait_until
from tests.servers.smtp_sink import Sink, smtp_sink

Figure = Callable[[str], None]
CONNECTIONS = 4


@pytest.fixture
def office(either_workspace: Workspace) -> Iterator[Office]:
    engine = either_workspace.open_database(durable=True)
    yield Office(workspace=either_workspace, engine=engine, url="", smtp={"connections": CONNECTIONS})
    engine.dispose()


def kill_again_and_again(office: Office, *, readers: int, kills: int, workers: int) -> None:
    """Keep ``workers`` processes sending, and kill the oldest at ``kills`` moments of the campaign."""
    crew = [office.start("campaigns", "resume", "1") for _ in range(workers)]
    try:
        for turn in range(kills):
            goal = (turn + 1) * readers // (kills + 2)
            wait_until(lambda: office.count().sent >= goal, what=f"{goal} sent", seconds=120)  # noqa: B023
            time.sleep(random.uniform(0, 0.02))  # a moment nobody chose
            oldest = crew.pop(0)
            oldest.kill()
            oldest.communicate()
            assert oldest.returncode == -9, "it ended before it was killed"
            crew.append(office.start("campaigns", "resume", "1"))
    finally:
        for process in crew:
            process.communicate(timeout=300)
    office.await_quiet()


def run_to_the_end(office: Office) -> set[str]:
    """Whatever is left; the Message-IDs that the report then names as in doubt."""
    while office.count().still_to_do:
        assert office.run("campaigns", "resume", "1").returncode == 0
    report = json.loads(office.run("campaigns", "report", "1", "--json").stdout)
    return {delivery["message_id"] for delivery in report["in_doubt"]}


def show_kills(
    office: Office, figure: Figure, *, readers: int, kills: int, workers: int, rate: float | None
) -> None:
    office.launch(addresses(readers), rate=rate)
    with smtp_sink() as sink:
        office.url = sink.url
        kill_again_and_again(office, readers=readers, kills=kills, workers=workers)
        office.doubted = run_to_the_end(office)
        judge_before_resending(office, sink, kills)
        if office.doubted:
            assert office.run("campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        twice = office.check_end(sink.message_ids())
    kind = office.engine.dialect.name
    figure(
        f"{readers:,} readers, {kills} kills of {workers} worker{'s' if workers > 1 else ''} on {kind}: "
        f"0 lost, {len(office.doubted)} in doubt, {twice} duplicates, all named"
    )


def judge_before_resending(office: Office, sink: Sink, kills: int) -> None:
    """Nobody twice, nobody missing who is not named, and no more named than messages were open."""
    lines, times = office.read(), Counter(sink.message_ids())
    office.check(list(times.elements()))
    assert max(times.values()) == 1, "somebody got it twice without anybody having asked for it"
    assert {line.message_id for line in lines} - set(times) <= office.doubted, "lost, and not named"
    assert {line.message_id for line in lines if line.state is S.in_doubt} == office.doubted
    assert len(office.doubted) <= kills * CONNECTIONS


@pytest.mark.parametrize("workers", [1, 3])
def test_kills_lose_nobody_and_name_every_duplicate(office: Office, figure: Figure, workers: int) -> None:
    show_kills(office, figure, readers=300, kills=3, workers=workers, rate=100 if workers > 1 else None)


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 3])
def test_fifty_kills_among_ten_thousand_lose_nobody_and_name_every_duplicate(
    office: Office, figure: Figure, workers: int
) -> None:
    rate = 600 if workers > 1 else None
    show_kills(office, figure, readers=10_000, kills=50, workers=workers, rate=rate)
