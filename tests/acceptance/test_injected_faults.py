"""A fault at the 1st, 2nd, … n-th database write and SMTP step, until a run meets none; then recovery.

Random kills find likely failures. These tests find all possible ones: they cover every moment of a small
campaign.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailer.database.models import DeliveryState
from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import CampaignDriver, addresses
from tests.servers.fault_injection import DatabaseFault, ForkServer, PostgresProxy, postgres_socket
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.scripted_smtp import Fault, ScriptedServer
from tests.servers.smtp_sink import smtp_sink

Figure = Callable[[str], None]
S = DeliveryState
READERS = 4
QUICK = {"timeout": 0.5, "final_timeout": 0.5, "connections": 1, "messages_per_connection": 3}


@pytest.fixture
def driver(either_workspace: Workspace) -> Iterator[CampaignDriver]:
    engine = either_workspace.open_database(durable=True)
    yield CampaignDriver(workspace=either_workspace, engine=engine, url="", smtp=QUICK)
    engine.dispose()


class RepeatableCampaign:
    """A small campaign that can be reset for every run."""

    def __init__(self, driver: CampaignDriver, readers: int = READERS) -> None:
        self.driver = driver
        driver.launch(addresses(readers))

    def reset(self, url: str) -> CampaignDriver:
        self.driver.url = url
        self.driver.doubted = set()
        with self.driver.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE delivery SET state = 'queued', attempts = 0, deferrals = 0, deferred_since = NULL, "
                "doubted = false, owner = NULL, not_before = NULL, code = NULL, reason = ''"
            )
            connection.exec_driver_sql("UPDATE campaign SET state = 'sending', state_reason = ''")
            connection.exec_driver_sql("DELETE FROM dispatcher")
        return self.driver


def recover(driver: CampaignDriver, server: ScriptedServer) -> int:
    """Check the state after a fault, resume without faults, check again; return the number of duplicates."""
    driver.await_quiet()
    driver.note_doubts()
    driver.check(server.message_ids())
    driver.resume_here()
    driver.note_doubts()
    driver.check(server.message_ids())
    if driver.count().sent < driver.count().audience:
        driver.resume_here(resend_in_doubt=True)
    return driver.check_end(server.message_ids())


# --- the database


def inject_everywhere(
    campaign: RepeatableCampaign,
    fork_server: ForkServer,
    fault: DatabaseFault,
    stride: int,
    proxy: PostgresProxy | None,
) -> tuple[int, int, int]:
    """Inject ``fault`` at every ``stride``-th place until a run meets none.

    Returns how many faults were injected, how many duplicates there are and how many places.
    """
    at, injected, twice = 1, 0, 0
    while True:
        with ScriptedServer() as server:
            driver = campaign.reset(server.url)
            environ = driver.environ
            if proxy is None:
                ending, seen = fork_server.send(driver.workspace.root, environ, fault, at)
            else:
                environ |= {"MAILER_DATABASE__URL": _through(environ["MAILER_DATABASE__URL"], proxy)}
                proxy.arm(fault, at)
                ending, _ = fork_server.send(
                    driver.workspace.root, environ, fault, at, lambda pid: setattr(proxy, "victim", pid)
                )
                seen = proxy.seen
            twice += recover(driver, server)
        if ending == "finished" and seen < at:
            return injected, twice, seen
        injected += 1
        at += stride
        assert injected < 2000, "every run met a fault"


def _through(url: str, proxy: PostgresProxy) -> str:
    host = str(postgres_socket(url).parent)
    return url.replace(host.replace("/", "%2F"), host).replace(host, str(proxy.folder))


@pytest.fixture
def proxy(driver: CampaignDriver) -> Iterator[PostgresProxy | None]:
    url = driver.workspace.settings.database.url
    if url.startswith("sqlite"):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="mailer-px-"))
    with PostgresProxy(folder, postgres_socket(url)) as running:
        yield running
    shutil.rmtree(folder)


def show_database_faults(
    driver: CampaignDriver, proxy: PostgresProxy | None, figure: Figure, stride: int
) -> None:
    # These are the two extremes of a round trip: nothing of it done, and all of it done but not known.
    faults = (
        (DatabaseFault.kill_before, DatabaseFault.kill_after, DatabaseFault.fail)
        if proxy is None
        else (DatabaseFault.kill_before, DatabaseFault.cut_after)
    )
    campaign = RepeatableCampaign(driver, readers=2)
    with ForkServer() as fork_server:
        found = [inject_everywhere(campaign, fork_server, fault, stride, proxy) for fault in faults]
    injected, twice = sum(one[0] for one in found), sum(one[1] for one in found)
    places = max(one[2] for one in found)
    where = "writes to SQLite" if proxy is None else "round trips to PostgreSQL"
    every = "each" if stride == 1 else f"every {stride}th"
    figure(
        f"{injected} database faults ({', '.join(faults)}), at {every} of {places} "
        f"{where}: 0 lost, {twice} duplicates, all named"
    )
    assert injected >= (10 if stride == 1 else 1) * len(faults)


def test_a_database_fault_at_any_place_loses_no_reader(
    driver: CampaignDriver, proxy: PostgresProxy | None, figure: Figure
) -> None:
    show_database_faults(driver, proxy, figure, stride=7 if proxy is None else 19)


@pytest.mark.soak
def test_a_database_fault_at_every_place_loses_no_reader(
    driver: CampaignDriver, proxy: PostgresProxy | None, figure: Figure
) -> None:
    show_database_faults(driver, proxy, figure, stride=1)


# --- SMTP

HARMLESS = {Fault.lines, Fault.drip}


def fault_everywhere(campaign: RepeatableCampaign, fault: Fault) -> tuple[int, int, int]:
    """Inject ``fault`` at every step until a run meets none; count the faults, doubts and duplicates."""
    at, doubts, twice = 1, 0, 0
    while True:
        with ScriptedServer(fault=fault, at=at) as server:
            driver = campaign.reset(server.url)
            driver.send_here()
            seen = server.steps
            if fault in HARMLESS:
                assert driver.count().sent == READERS
            doubts += len(driver.note_doubts())
            refused = [line for line in driver.read() if line.state in {S.rejected, S.failed}]
            assert all(line.code and line.reason for line in refused)
            if refused:
                driver.check(server.message_ids())
                assert len(refused) == 1
                assert fault is Fault.never
            else:
                twice += recover(driver, server)
        if seen < at:
            return at - 1, doubts, twice
        at += 1
        assert at < 200, "every run met a fault"


def show_smtp_faults(driver: CampaignDriver, figure: Figure, faults: list[Fault]) -> None:
    campaign = RepeatableCampaign(driver)
    found = [fault_everywhere(campaign, fault) for fault in faults]
    injected, doubts, twice = (sum(column) for column in zip(*found, strict=True))
    kind = driver.engine.dialect.name
    figure(
        f"{injected} SMTP faults on {kind} ({', '.join(faults)}), each at every step of a campaign: "
        f"0 lost, {doubts} in doubt, {twice} duplicates, all named"
    )
    assert injected >= 12 * len(faults)


def test_an_smtp_fault_at_any_step_loses_no_reader(driver: CampaignDriver, figure: Figure) -> None:
    show_smtp_faults(driver, figure, [Fault.drop, Fault.later])


@pytest.mark.soak
def test_every_smtp_fault_at_every_step_loses_no_reader(driver: CampaignDriver, figure: Figure) -> None:
    show_smtp_faults(driver, figure, list(Fault))


def test_a_connection_lost_within_a_body_leaves_no_reader_in_doubt_who_cannot_have_it(
    driver: CampaignDriver, figure: Figure
) -> None:
    campaign = RepeatableCampaign(driver)
    cuts = [1, 2, 100, 5000, 1, 100]
    with ScriptedServer() as server:
        campaign.reset(server.url).send_here()
        size = len(server.kept[0].raw)
    cuts += [size - 3, size - 2, size - 1]
    doubts = 0
    for turn, cut in enumerate(cuts):
        with ScriptedServer(at=turn % READERS + 1, cut_body_after=min(cut, size - 1)) as server:
            driver = campaign.reset(server.url)
            driver.send_here()
            doubts += len(driver.note_doubts())
            assert recover(driver, server) == 0
    kind = driver.engine.dialect.name
    figure(f"{len(cuts)} bodies cut off on {kind}: 0 lost, {doubts} in doubt, 0 duplicates")


# --- the matrix: twelve faults, for every reader, on each kind of database

MATRIX: dict[str, tuple[Callable[[], object], set[DeliveryState]]] = {
    "drop at connect": (lambda: _told(Stage.connect, DROP), {S.queued}),
    "421 at EHLO": (lambda: _told(Stage.ehlo, "421 4.3.2 Going down"), {S.queued}),
    "silence at EHLO": (lambda: _told(Stage.ehlo, HANG), {S.queued}),
    "5xx at MAIL": (lambda: _told(Stage.mail, "550 5.7.1 Not from you"), {S.queued}),
    "4xx at MAIL": (lambda: _told(Stage.mail, "452 4.4.5 Too many"), {S.queued}),
    "4xx at RCPT": (lambda: _told(Stage.rcpt, "450 4.2.0 Greylisted"), {S.deferred}),
    "dead addresses": (lambda: _told(Stage.rcpt, "550 5.1.1 No such user"), {S.rejected}),
    "5xx at DATA": (lambda: _told(Stage.data, "554 5.5.1 No"), {S.queued}),
    "drop within the body": (lambda: _told(Stage.body, DROP), {S.queued, S.in_doubt}),
    "drop after the dot": (lambda: smtp_sink("-q", "."), {S.in_doubt}),
    "4xx after the dot": (lambda: _told(Stage.dot, "454 4.7.0 Throttled"), {S.deferred, S.queued}),
    "5xx after the dot": (lambda: _told(Stage.dot, "554 5.7.1 Spam"), {S.queued}),
}


def _told(stage: Stage, answer: str) -> MisbehavingServer:
    server = MisbehavingServer()
    server.answer(stage, answer)
    return server


def test_twelve_faults_for_every_reader_end_in_a_defined_state(
    driver: CampaignDriver, figure: Figure
) -> None:
    campaign = RepeatableCampaign(driver, readers=6)
    ended: Counter[str] = Counter()
    for name, (make, allowed) in MATRIX.items():
        with make() as server:  # type: ignore[attr-defined]
            driver = campaign.reset(server.url)
            driver.send_here()
        states = Counter(line.state for line in driver.read())
        assert set(states) <= allowed, (name, states)
        assert states.total() == 6
        assert driver.count().balances
        ended[name] = max(states.values())
    kind = driver.engine.dialect.name
    figure(f"12 SMTP faults on {kind}, for every reader: each of 72 in a defined state, the equation holds")


def test_a_failing_starttls_affects_no_reader(driver: CampaignDriver) -> None:
    campaign = RepeatableCampaign(driver)
    driver.smtp = {**QUICK, "starttls": "require"}
    with ScriptedServer() as server:  # does not offer STARTTLS
        driver = campaign.reset(server.url)
        driver.send_here()
        assert driver.count().queued == READERS
        assert server.mails == []
