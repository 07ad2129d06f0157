"""`mailer` killed repeatedly with kill -9 while it sends, checked by the server's mails and its report."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import CampaignDriver, S, addresses
from tests.servers.forked_programs import ForkTemplate
from tests.servers.process import wait_until
from tests.servers.smtp_sink import Sink, smtp_sink

Figure = Callable[[str], None]
CONNECTIONS = 4


@pytest.fixture
def driver(either_workspace: Workspace, template: ForkTemplate) -> Iterator[CampaignDriver]:
    engine = either_workspace.open_database(durable=True)
    smtp = {"connections": CONNECTIONS}
    yield CampaignDriver(workspace=either_workspace, engine=engine, url="", smtp=smtp, template=template)
    engine.dispose()


def kill_repeatedly(driver: CampaignDriver, *, readers: int, kills: int, workers: int) -> None:
    """Keep ``workers`` processes sending, and kill the oldest at ``kills`` moments of the campaign."""
    processes = [driver.start("campaigns", "resume", "1") for _ in range(workers)]
    try:
        for turn in range(kills):
            goal = (turn + 1) * readers // (kills + 2)
            wait_until(lambda: driver.count().sent >= goal, what=f"{goal} sent", seconds=120)  # noqa: B023
            time.sleep(random.uniform(0, 0.02))  # a random moment
            oldest = processes.pop(0)
            oldest.kill()
            oldest.communicate()
            assert oldest.returncode == -9, "it ended before it was killed"
            processes.append(driver.start("campaigns", "resume", "1"))
    finally:
        for process in processes:
            process.communicate(timeout=300)
    driver.await_quiet()


def run_to_the_end(driver: CampaignDriver) -> set[str]:
    """Send what is left; return the Message-IDs that the report then names as in doubt."""
    while driver.count().still_to_do:
        assert driver.run("campaigns", "resume", "1").returncode == 0
    report = json.loads(driver.run("campaigns", "report", "1", "--json").stdout)
    return {delivery["message_id"] for delivery in report["in_doubt"]}


def show_kills(
    driver: CampaignDriver, figure: Figure, *, readers: int, kills: int, workers: int, rate: float | None
) -> None:
    driver.launch(addresses(readers), rate=rate)
    with smtp_sink() as sink:
        driver.url = sink.url
        kill_repeatedly(driver, readers=readers, kills=kills, workers=workers)
        driver.doubted = run_to_the_end(driver)
        check_before_resending(driver, sink, kills)
        if driver.doubted:
            assert driver.run("campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        twice = driver.check_end(sink.message_ids())
    kind = driver.engine.dialect.name
    figure(
        f"{readers:,} readers, {kills} kills of {workers} worker{'s' if workers > 1 else ''} on {kind}: "
        f"0 lost, {len(driver.doubted)} in doubt, {twice} duplicates, all named"
    )


def check_before_resending(driver: CampaignDriver, sink: Sink, kills: int) -> None:
    """Check that no mail arrived twice, every missing one is named, and no more are named than were open."""
    lines, times = driver.read(), Counter(sink.message_ids())
    driver.check(list(times.elements()))
    assert max(times.values()) == 1, "a reader got it twice without a request to resend"
    assert {line.message_id for line in lines} - set(times) <= driver.doubted, "lost, and not named"
    assert {line.message_id for line in lines if line.state is S.in_doubt} == driver.doubted
    assert len(driver.doubted) <= kills * CONNECTIONS


@pytest.mark.parametrize("workers", [1, 3])
def test_kills_lose_no_reader_and_name_every_duplicate(
    driver: CampaignDriver, figure: Figure, workers: int
) -> None:
    # A single worker is not slowed down, and needs more to do so as not to end before it is killed.
    readers, rate = (1_000, None) if workers == 1 else (200, 100)
    show_kills(driver, figure, readers=readers, kills=2, workers=workers, rate=rate)


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 3])
def test_fifty_kills_among_ten_thousand_lose_no_reader_and_name_every_duplicate(
    driver: CampaignDriver, figure: Figure, workers: int
) -> None:
    rate = 600 if workers > 1 else None
    show_kills(driver, figure, readers=10_000, kills=50, workers=workers, rate=rate)
