"""PostgreSQL restarted repeatedly while a campaign runs; the campaign resumes each time."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from mailer.database import schema
from mailer.settings import DatabaseSettings
from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import CampaignDriver, addresses
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.postgres import Cluster, find_postgres, postgres_cluster
from tests.servers.process import wait_until
from tests.servers.smtp_sink import smtp_sink

Figure = Callable[[str], None]
CONNECTIONS = 4


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    programs = find_postgres()  # postgres_url skips the test if it is not installed
    if programs is None:
        pytest.skip("MAILER_TEST_PG names a server that is not ours to restart")
    with postgres_cluster(programs) as running:
        yield running


@pytest.fixture
def driver(workspace: Workspace, cluster: Cluster, template: ForkTemplate) -> Iterator[CampaignDriver]:
    settings = workspace.settings.model_copy(update={"database": DatabaseSettings(url=cluster.url)})
    workspace = replace(workspace, settings=settings)
    engine = workspace.open_database(durable=True)
    schema.upgrade(engine)
    smtp = {"connections": CONNECTIONS}
    yield CampaignDriver(workspace=workspace, engine=engine, url="", smtp=smtp, template=template)
    engine.dispose()


class Worker:
    """Restarts `mailer campaigns resume` whenever it ends, as a service manager would."""

    def __init__(self, driver: CampaignDriver) -> None:
        self.driver = driver
        self.process = self._start()
        self.starts = 1

    def _start(self) -> "subprocess.Popen[str] | ForkedProgram":
        return self.driver.start("campaigns", "resume", "1")

    def has_sent(self, number: int) -> bool:
        if self.process.poll() is not None:
            self.process.communicate()
            self.process = self._start()
            self.starts += 1
        try:
            return self.driver.count().sent >= number
        except OperationalError:
            return False


def show_restarts(
    driver: CampaignDriver, cluster: Cluster, figure: Figure, *, readers: int, restarts: int
) -> None:
    driver.launch(addresses(readers), rate=200)
    with smtp_sink() as sink:
        driver.url = sink.url
        worker = Worker(driver)
        try:
            for turn in range(restarts):
                goal = (turn + 1) * readers // (restarts + 2)
                wait_until(lambda: worker.has_sent(goal), what=f"{goal} sent", seconds=120)  # noqa: B023
                time.sleep(random.uniform(0, 0.05))
                assert driver.count().still_to_do, "it was over before the server was restarted"
                cluster.stop(signal.SIGINT if turn % 2 else signal.SIGQUIT)
                cluster.start()
                driver.engine.dispose()
        finally:
            worker.process.communicate(timeout=300)
        driver.await_quiet()
        while driver.count().still_to_do:
            assert driver.run("campaigns", "resume", "1").returncode == 0
        driver.note_doubts()
        received = sink.message_ids()
        driver.check(received)
        assert len(set(received)) == len(received), "a reader got it twice without a request to resend"
        assert len(driver.doubted) <= restarts * CONNECTIONS
        if driver.doubted:
            assert driver.run("campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        twice = driver.check_end(sink.message_ids())
    figure(
        f"{readers:,} readers, {restarts} restarts of PostgreSQL, {worker.starts} runs: 0 lost, "
        f"{len(driver.doubted)} in doubt, {twice} duplicates, all named"
    )


def test_restarts_of_postgresql_lose_no_reader(
    driver: CampaignDriver, cluster: Cluster, figure: Figure
) -> None:
    show_restarts(driver, cluster, figure, readers=600, restarts=3)


@pytest.mark.soak
def test_twenty_restarts_of_postgresql_lose_no_reader(
    driver: CampaignDriver, cluster: Cluster, figure: Figure
) -> None:
    show_restarts(driver, cluster, figure, readers=6000, restarts=20)
