"""PostgreSQL restarted again and again while a campaign runs, which is taken up again each time."""

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
from tests.acceptance.campaign_driver import Office, addresses
from tests.servers.postgres import Cluster, find_postgres, postgres_cluster
from tests.servers.process import wait_until
from tests.servers.smtp_sink import smtp_sink

Figure = Callable[[str], None]
CONNECTIONS = 4


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    programs = find_postgres()  # skipped by name by postgres_url where there is none
    if programs is None:
        pytest.skip("MAILER_TEST_PG names a server that is not ours to restart")
    with postgres_cluster(programs) as running:
        yield running


@pytest.fixture
def office(workspace: Workspace, cluster: Cluster) -> Iterator[Office]:
    settings = workspace.settings.model_copy(update={"database": DatabaseSettings(url=cluster.url)})
    workspace = replace(workspace, settings=settings)
    engine = workspace.open_database(durable=True)
    schema.upgrade(engine)
    yield Office(workspace=workspace, engine=engine, url="", smtp={"connections": CONNECTIONS})
    engine.dispose()


class Worker:
    """Starts `mailer campaigns resume` again whenever it has ended, as a service manager would."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.process = self._start()
        self.starts = 1

    def _start(self) -> "subprocess.Popen[str]":
        return self.office.start("campaigns", "resume", "1")

    def has_sent(self, number: int) -> bool:
        if self.process.poll() is not None:
            self.process.communicate()
            self.process = self._start()
            self.starts += 1
        try:
            return self.office.count().sent >= number
        except OperationalError:
            return False


def show_restarts(office: Office, cluster: Cluster, figure: Figure, *, readers: int, restarts: int) -> None:
    office.launch(addresses(readers), rate=200)
    with smtp_sink() as sink:
        office.url = sink.url
        worker = Worker(office)
        try:
            for turn in range(restarts):
                goal = (turn + 1) * readers // (restarts + 2)
                wait_until(lambda: worker.has_sent(goal), what=f"{goal} sent", seconds=120)  # noqa: B023
                time.sleep(random.uniform(0, 0.05))
                assert office.count().still_to_do, "it was over before the server was restarted"
                cluster.stop(signal.SIGINT if turn % 2 else signal.SIGQUIT)
                cluster.start()
                office.engine.dispose()
        finally:
            worker.process.communicate(timeout=300)
        office.await_quiet()
        while office.count().still_to_do:
            assert office.run("campaigns", "resume", "1").returncode == 0
        office.note_doubts()
        received = sink.message_ids()
        office.check(received)
        assert len(set(received)) == len(received), (
            "somebody got it twice without anybody having asked for it"
        )
        assert len(office.doubted) <= restarts * CONNECTIONS
        if office.doubted:
            assert office.run("campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        twice = office.check_end(sink.message_ids())
    figure(
        f"{readers:,} readers, {restarts} restarts of PostgreSQL, {worker.starts} runs: 0 lost, "
        f"{len(office.doubted)} in doubt, {twice} duplicates, all named"
    )


def test_restarts_of_postgresql_lose_nobody(office: Office, cluster: Cluster, figure: Figure) -> None:
    show_restarts(office, cluster, figure, readers=600, restarts=3)


@pytest.mark.soak
def test_twenty_restarts_of_postgresql_lose_nobody(office: Office, cluster: Cluster, figure: Figure) -> None:
    show_restarts(office, cluster, figure, readers=6000, restarts=20)
