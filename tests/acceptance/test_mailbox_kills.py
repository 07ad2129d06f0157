"""The reader of a mailbox killed repeatedly with kill -9: each message counts once, and none is lost."""

import multiprocessing
import os
import random
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import col

from mailer.database.feedback_models import FeedbackMessage
from mailer.feedback.worker import run_feedback_worker
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.acceptance.campaign_driver import CampaignDriver
from tests.factories.feedback import (
    add_sent_campaign,
    read_events,
    read_records,
    read_statuses,
    set_feedback,
    sign,
)
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.imap_server import ImapServer, imap_server
from tests.servers.process import wait_until

Figure = Callable[[str], None]


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with imap_server() as running:
        yield running


@pytest.fixture
def driver(either_workspace: Workspace, template: ForkTemplate) -> Iterator[CampaignDriver]:
    engine = either_workspace.open_database(durable=True)
    yield CampaignDriver(
        workspace=either_workspace, engine=engine, url="smtp://127.0.0.1:1", template=template
    )
    engine.dispose()


def count_recorded(engine: Engine) -> int:
    with engine.connect().execution_options(read_only=True) as connection:
        return connection.execute(select(func.count(col(FeedbackMessage.id)))).scalar_one()


class ForkedReader:
    """The worker in a copy of this process, which starts in no time."""

    def __init__(self, workspace: Workspace) -> None:
        def run() -> None:
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123
                run_feedback_worker(workspace, stop=threading.Event(), report=nowhere.write)

        self._process = multiprocessing.get_context("fork").Process(target=run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests
            self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> None:
        self._process.join()


def start_reading(driver: CampaignDriver, server: ImapServer) -> "subprocess.Popen[str] | ForkedProgram":
    return driver.start(
        "work", MAILER_FEEDBACK__IMAP=server.url, MAILER_FEEDBACK__PASSWORD_FILE=str(server.password_file)
    )


def end(process: "ForkedReader | subprocess.Popen[str] | ForkedProgram") -> None:
    """Kill a reader, and close what it wrote to."""
    process.kill()
    if isinstance(process, ForkedReader):
        process.wait()
    else:
        process.communicate()


def show_kills(
    driver: CampaignDriver,
    server: ImapServer,
    start: "Callable[[], ForkedReader | subprocess.Popen[str] | ForkedProgram]",
    *,
    readers: int,
    kills: int,
) -> str:
    """Have a full mailbox read by a process that is killed ``kills`` times; return what to report."""
    campaign = add_sent_campaign(driver.engine, readers, at=datetime.now(UTC))
    people = range(1, readers + 1)
    tokens = [sign(driver.workspace, person, campaign, LinkPurpose.leave) for person in people]
    server.deliver(*(f"To: leave+{token}@news.example.org\r\n\r\n".encode() for token in tokens))
    process = start()
    try:
        for turn in range(kills):
            goal = (turn + 1) * readers // (kills + 1)
            wait_until(lambda: count_recorded(driver.engine) >= goal, what=f"{goal} recorded", seconds=120)  # noqa: B023
            time.sleep(random.uniform(0, 0.03))  # a random moment
            assert process.poll() is None
            end(process)
            process = start()
        wait_until(lambda: server.count() == 0, what="an empty mailbox", seconds=120)
    finally:
        end(process)
    assert server.count("Processed") == readers
    assert count_recorded(driver.engine) == len(read_events(driver.engine)) == readers
    assert set(read_statuses(driver.engine).values()) == {"unsubscribed"}
    assert sorted(record[0] for record in read_records(driver.engine)) == list(people)
    return (
        f"{readers:,} messages in a mailbox on {driver.engine.dialect.name}, its reader killed {kills} "
        "times: each counted once, 0 lost"
    )


def test_a_reader_that_is_killed_loses_no_message_and_counts_none_twice(
    driver: CampaignDriver, server: ImapServer, figure: Figure
) -> None:
    workspace = set_feedback(driver.workspace, imap=server.url, password_file=server.password_file)
    figure(show_kills(driver, server, lambda: ForkedReader(workspace), readers=48, kills=3))


@pytest.mark.soak
def test_twenty_kills(driver: CampaignDriver, server: ImapServer, figure: Figure) -> None:
    figure(show_kills(driver, server, lambda: start_reading(driver, server), readers=1500, kills=20))


@pytest.mark.soak
def test_ten_thousand_old_messages(driver: CampaignDriver, server: ImapServer, figure: Figure) -> None:
    """They are read in order, in bounded memory, and one that arrives meanwhile is not forgotten."""
    old = 10_000
    server.deliver(*(b"Subject: note %d\r\n\r\nNothing in particular.\r\n" % n for n in range(old)))
    process = start_reading(driver, server)
    peak = 0
    began = time.monotonic()
    try:
        server.deliver(b"Subject: the latest\r\n\r\nStill there?\r\n")
        while server.count("Quarantine") <= old:
            assert process.poll() is None, process.communicate()
            peak = max(peak, read_memory(process.pid))
            time.sleep(0.5)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert count_recorded(driver.engine) == old + 1
    assert server.count() == 0
    assert "messages are waiting. They are read in the order they came." in err
    assert peak < 300
    figure(
        f"{old:,} old messages on {driver.engine.dialect.name}: {old / (time.monotonic() - began):,.0f} a "
        f"second, at most {peak} MB of memory"
    )


def read_memory(pid: int) -> int:
    """The resident memory of a process, in megabytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024
