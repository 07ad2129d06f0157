"""A fault at the 1st, 2nd, … n-th database write and SMTP step, until a run passes untouched; then put right.

Random kills find what is likely. These find what is possible: no moment of a small campaign is left out.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailer.database.models import DeliveryState
from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import Office, addresses
from tests.servers.fault_injection import Blow, Nursery, PostgresProxy, postgres_socket
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.scripted_smtp import Fault, ScriptedServer
from tests.servers.smtp_sink import smtp_sink

Figure = Callable[[str], None]
S = DeliveryState
READERS = 4
QUICK = {"timeout": 0.5, "final_timeout": 0.5, "connections": 1, "messages_per_connection": 3}


@pytest.fixture
def office(either_workspace: Workspace) -> Iterator[Office]:
    engine = either_workspace.open_database(durable=True)
    yield Office(workspace=either_workspace, engine=engine, url="", smtp=QUICK)
    engine.dispose()


class Again:
    """The same small campaign, fresh for every run."""

    def __init__(self, office: Office, readers: int = READERS) -> None:
        self.office = office
        office.launch(addresses(readers))

    def fresh(self, url: str) -> Office:
        self.office.url = url
        self.office.doubted = set()
        with self.office.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE delivery SET state = 'queued', attempts = 0, deferrals = 0, deferred_since = NULL, "
                "doubted = false, owner = NULL, not_before = NULL, code = NULL, reason = ''"
            )
            connection.exec_driver_sql("UPDATE campaign SET state = 'sending', state_reason = ''")
            connection.exec_driver_sql("DELETE FROM dispatcher")
        return self.office


def put_right(office: Office, server: ScriptedServer) -> int:
    """Judge what a fault has left, resume without faults, judge again; how many duplicates there are."""
    office.await_quiet()
    office.note_doubts()
    office.check(server.message_ids())
    office.resume_here()
    office.note_doubts()
    office.check(server.message_ids())
    office.resume_here(resend_in_doubt=True)
    return office.check_end(server.message_ids())


# --- the database


def strike_everywhere(
    again: Again, nursery: Nursery, blow: Blow, stride: int, proxy: PostgresProxy | None
) -> tuple[int, int, int]:
    """Every ``stride``-th place until a run passes untouched; how many were struck, the duplicates, and
    how many places there are.
    """
    at, struck, twice = 1, 0, 0
    while True:
        with ScriptedServer() as server:
            office = again.fresh(server.url)
            environ = office.environ
            if proxy is None:
                ending, seen = nursery.send(office.workspace.root, environ, blow, at)
            else:
                environ |= {"MAILER_DATABASE__URL": _through(environ["MAILER_DATABASE__URL"], proxy)}
                proxy.arm(blow, at)
                ending, _ = nursery.send(
                    office.workspace.root, environ, blow, at, lambda pid: setattr(proxy, "victim", pid)
                )
                seen = proxy.seen
            twice += put_right(office, server)
        if ending == "finished" and seen < at:
            return struck, twice, seen
        struck += 1
        at += stride
        assert struck < 2000, "no run passes untouched"


def _through(url: str, proxy: PostgresProxy) -> str:
    host = str(postgres_socket(url).parent)
    return url.replace(host.replace("/", "%2F"), host).replace(host, str(proxy.folder))


@pytest.fixture
def proxy(office: Office) -> Iterator[PostgresProxy | None]:
    url = office.workspace.settings.database.url
    if url.startswith("sqlite"):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="mailer-px-"))
    with PostgresProxy(folder, postgres_socket(url)) as running:
        yield running
    shutil.rmtree(folder)


def show_database_faults(office: Office, proxy: PostgresProxy | None, figure: Figure, stride: int) -> None:
    # Of a round trip these two are the extremes: all before it known and acted upon, and done but not known.
    blows = (
        (Blow.kill_before, Blow.kill_after, Blow.fail)
        if proxy is None
        else (Blow.kill_before, Blow.cut_after)
    )
    again = Again(office, readers=2)
    with Nursery() as nursery:
        found = [strike_everywhere(again, nursery, blow, stride, proxy) for blow in blows]
    struck, twice = sum(one[0] for one in found), sum(one[1] for one in found)
    places = max(one[2] for one in found)
    where = "writes to SQLite" if proxy is None else "round trips to PostgreSQL"
    every = "each" if stride == 1 else f"every {stride}th"
    figure(
        f"{struck} database faults ({', '.join(blows)}), at {every} of {places} "
        f"{where}: 0 lost, {twice} duplicates, all named"
    )
    assert struck >= (10 if stride == 1 else 1) * len(blows)


def test_a_database_fault_at_any_place_loses_nobody(
    office: Office, proxy: PostgresProxy | None, figure: Figure
) -> None:
    show_database_faults(office, proxy, figure, stride=7 if proxy is None else 19)


@pytest.mark.soak
def test_a_database_fault_at_every_place_loses_nobody(
    office: Office, proxy: PostgresProxy | None, figure: Figure
) -> None:
    show_database_faults(office, proxy, figure, stride=1)


# --- SMTP

HARMLESS = {Fault.lines, Fault.drip}


def fault_everywhere(again: Again, fault: Fault) -> tuple[int, int, int]:
    """Every step until a run passes untouched: how many faults, doubts and duplicates."""
    at, doubts, twice = 1, 0, 0
    while True:
        with ScriptedServer(fault=fault, at=at) as server:
            office = again.fresh(server.url)
            office.send_here()
            seen = server.steps
            if fault in HARMLESS:
                assert office.count().sent == READERS
            doubts += len(office.note_doubts())
            refused = [line for line in office.read() if line.state in {S.rejected, S.failed}]
            assert all(line.code and line.reason for line in refused)
            if refused:
                office.check(server.message_ids())
                assert len(refused) == 1
                assert fault is Fault.never
            else:
                twice += put_right(office, server)
        if seen < at:
            return at - 1, doubts, twice
        at += 1
        assert at < 200, "no run passes untouched"


def show_smtp_faults(office: Office, figure: Figure, faults: list[Fault]) -> None:
    again = Again(office)
    found = [fault_everywhere(again, fault) for fault in faults]
    struck, doubts, twice = (sum(column) for column in zip(*found, strict=True))
    kind = office.engine.dialect.name
    figure(
        f"{struck} SMTP faults on {kind} ({', '.join(faults)}), each at every step of a campaign: "
        f"0 lost, {doubts} in doubt, {twice} duplicates, all named"
    )
    assert struck >= 12 * len(faults)


def test_an_smtp_fault_at_any_step_loses_nobody(office: Office, figure: Figure) -> None:
    show_smtp_faults(office, figure, [Fault.drop, Fault.later])


@pytest.mark.soak
def test_every_smtp_fault_at_every_step_loses_nobody(office: Office, figure: Figure) -> None:
    show_smtp_faults(office, figure, list(Fault))


def test_a_connection_lost_within_a_body_leaves_nobody_in_doubt_who_cannot_have_it(
    office: Office, figure: Figure
) -> None:
    again = Again(office)
    cuts = [1, 2, 100, 5000, 1, 100]
    with ScriptedServer() as server:
        again.fresh(server.url).send_here()
        size = len(server.kept[0].raw)
    cuts += [size - 3, size - 2, size - 1]
    doubts = 0
    for turn, cut in enumerate(cuts):
        with ScriptedServer(at=turn % READERS + 1, cut_body_after=min(cut, size - 1)) as server:
            office = again.fresh(server.url)
            office.send_here()
            doubts += len(office.note_doubts())
            assert put_right(office, server) == 0
    kind = office.engine.dialect.name
    figure(f"{len(cuts)} bodies cut off on {kind}: 0 lost, {doubts} in doubt, 0 duplicates")


# --- the matrix: twelve faults, for everybody, on each kind of database

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


def test_twelve_faults_that_befall_everybody_end_in_a_defined_state(office: Office, figure: Figure) -> None:
    again = Again(office, readers=6)
    ended: Counter[str] = Counter()
    for name, (make, allowed) in MATRIX.items():
        with make() as server:  # type: ignore[attr-defined]
            office = again.fresh(server.url)
            office.send_here()
        states = Counter(line.state for line in office.read())
        assert set(states) <= allowed, (name, states)
        assert states.total() == 6
        assert office.count().balances
        ended[name] = max(states.values())
    kind = office.engine.dialect.name
    figure(f"12 SMTP faults on {kind}, for every reader: each of 72 in a defined state, the equation holds")


def test_a_failing_starttls_touches_nobody(office: Office) -> None:
    again = Again(office)
    office.smtp = {**QUICK, "starttls": "require"}
    with ScriptedServer() as server:  # offers none
        office = again.fresh(server.url)
        office.send_here()
        assert office.count().queued == READERS
        assert server.mails == []
