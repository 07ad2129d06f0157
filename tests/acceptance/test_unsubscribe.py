"""Readers who unsubscribe during a campaign: a POST to `mailer serve`, timed against their mail."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from sqlmodel import Session, select

from mailer.rendering.mail_merge import reader_for
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from tests.acceptance.campaign_driver import CampaignDriver, addresses
from tests.servers.forked_programs import ForkTemplate
from tests.servers.process import free_port, wait_until
from tests.servers.scripted_smtp import ScriptedServer

Figure = Callable[[str], None]
ALLOWED_SECONDS = 1.0


@pytest.fixture
def driver(either_workspace: Workspace, template: ForkTemplate) -> Iterator[CampaignDriver]:
    engine = either_workspace.open_database(durable=True)
    yield CampaignDriver(
        workspace=either_workspace, engine=engine, url="", smtp={"connections": 3}, template=template
    )
    engine.dispose()


@contextmanager
def serving(driver: CampaignDriver) -> Iterator[int]:
    """Run `mailer serve` in a separate process; yields its port."""
    port = free_port()
    process = driver.start("serve", "--port", str(port))

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[1]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except OSError:
                return False
        return True

    try:
        wait_until(answers, what="mailer serve", seconds=60)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=30)


def read_links(driver: CampaignDriver) -> dict[str, str]:
    """The path of every reader's one-click link."""
    settings, signer = driver.workspace.settings, driver.workspace.keys.tokens
    with Session(driver.engine) as session:
        readers = [reader_for(person, 1, settings, signer) for person in session.exec(select(Subscriber))]
    return {reader.email: urlsplit(reader.unsubscribe_url).path for reader in readers}


def unsubscribe(port: int, path: str) -> float:
    """Unsubscribe with one click, as a mail client does; return the time at which the 200 had arrived."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, body="List-Unsubscribe=One-Click", headers=head)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        return time.time()


class UnsubscribingReaders:
    """Readers who unsubscribe at random moments, most of them just before their turn."""

    def __init__(self, server: ScriptedServer, port: int, links: dict[str, str]) -> None:
        self._server = server
        self._port = port
        self._links = links
        self._staying = list(links)
        self._lock = threading.Lock()
        self.left: dict[str, float] = {}
        """When each of them received the 200."""

    def unsubscribe(self, number: int, seconds: float) -> None:
        """Let ``number`` of them unsubscribe within ``seconds``."""
        start = time.monotonic()
        moments = sorted(random.uniform(0, seconds) for _ in range(number))
        shares = [moments[n::4] for n in range(4)]
        threads = [threading.Thread(target=self._leave, args=(start, share)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _leave(self, start: float, moments: list[float]) -> None:
        for moment in moments:
            time.sleep(max(0.0, start + moment - time.monotonic()))
            address = self._choose()
            self.left[address] = unsubscribe(self._port, self._links[address])

    def _choose(self) -> str:
        # The ledger claims readers in the order of their numbers.
        with self._lock:
            mailed = {mail.recipient for mail in self._server.mails}
            coming = [address for address in self._staying if address not in mailed]
            pool = coming[:25] if coming and random.random() < 0.8 else self._staying
            chosen = random.choice(pool)
            self._staying.remove(chosen)
            return chosen


def show_unsubscribing(
    driver: CampaignDriver, figure: Figure, *, readers: int, leaving: int, seconds: float
) -> None:
    driver.launch(addresses(readers), rate=readers / seconds)
    links = read_links(driver)
    with ScriptedServer(delay=0.01) as server, serving(driver) as port:
        driver.url = server.url
        process = driver.start("campaigns", "resume", "1")
        wait_until(lambda: len(server.mails) > 0, what="the first message", seconds=60)
        readers_leaving = UnsubscribingReaders(server, port, links)
        readers_leaving.unsubscribe(leaving, seconds * 0.7)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    judge(driver, figure, server, readers_leaving.left)


def judge(driver: CampaignDriver, figure: Figure, server: ScriptedServer, left: dict[str, float]) -> None:
    after = [mail.began_at - left[mail.recipient] for mail in server.mails if mail.recipient in left]
    late = [seconds for seconds in after if seconds > ALLOWED_SECONDS]
    spared = set(left) - {mail.recipient for mail in server.mails}
    counts = driver.count()
    assert late == []
    assert counts.balances
    assert counts.sent == len(server.kept)
    assert counts.suppressed == len(spared)
    assert len(spared) > len(left) // 10, "nearly every reader had it before: this proves nothing"
    largest = max((seconds for seconds in after if seconds > 0), default=0.0)
    figure(
        f"{len(left)} left during a campaign of {counts.audience:,} on {driver.engine.dialect.name}: "
        f"0 hand-overs begun more than 1 s after the 200, {len(spared)} spared; the latest began "
        f"{largest * 1000:.0f} ms after it"
    )


def test_nothing_is_sent_a_second_after_a_reader_unsubscribes(driver: CampaignDriver, figure: Figure) -> None:
    show_unsubscribing(driver, figure, readers=240, leaving=60, seconds=6)


@pytest.mark.soak
def test_five_hundred_unsubscribe_and_nothing_is_sent_a_second_later(
    driver: CampaignDriver, figure: Figure
) -> None:
    show_unsubscribing(driver, figure, readers=1500, leaving=500, seconds=25)
