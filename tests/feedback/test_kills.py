"""A reader dies, or its database fails, at every place: no message is lost, and none counts twice."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage, QueuedReply
from mailer.database.models import Delivery, DeliveryState
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import receive
from mailer.workspace import Workspace
from subscribers.models import ConsentRecord
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import add_sent_campaign, read_statuses, sign
from tests.feedback.test_receiver import BOUNCE
from tests.servers.fault_injection import DatabaseFault, ForkServer, PostgresProxy, postgres_socket

_READERS = 260
_PER_RUN = 4
# A kill before a write is one after the write before it, but for the last: so each place is met once.
_SQLITE_STRIDES = {DatabaseFault.kill_before: 1, DatabaseFault.kill_after: 5, DatabaseFault.fail: 5}
_POSTGRES_STRIDES = {DatabaseFault.kill_before: 7, DatabaseFault.cut_after: 11}
COMPLAINT = """\
From: feedback@isp.example.net
To: abuse@news.example.org
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: isp/1.0
Version: 1

--b
Content-Type: message/rfc822

From: news@example.org
To: redacted@isp.example.net
Subject: Spring
X-Feedback-Token: {token}

words
--b--
"""
LEAVE = "From: a@example.com\nTo: leave+{token}@news.example.org\n\n"


def read_incoming(workspace: Workspace) -> str:
    """Receive every message in the folder ``incoming``, and delete each once it is received."""
    engine = workspace.open_database(durable=False)
    context = FeedbackContext(workspace=workspace, engine=engine)
    try:
        for path in sorted((workspace.root / "incoming").iterdir()):
            receive(context, path.read_bytes(), source="folder", now=datetime.now(UTC))
            path.unlink()
    finally:
        engine.dispose()
    return "finished"


def deliver(workspace: Workspace, first: int) -> None:
    """Put a bounce, a leaving mail and a complaint of the next readers into the folder, and a late bounce."""
    folder = workspace.root / "incoming"
    folder.mkdir(exist_ok=True)
    texts = (
        BOUNCE.format(token=sign(workspace, first, 1)),
        LEAVE.format(token=sign(workspace, first + 1, 1, LinkPurpose.leave)),
        COMPLAINT.format(token=sign(workspace, first + 2, 1)),
        BOUNCE.replace("failed", "delayed").format(token=sign(workspace, first + 3, 1)),
    )
    for number, text in enumerate(texts):
        (folder / f"{number}").write_bytes(text.replace("\n", "\r\n").encode())


def check(engine: Engine, first: int) -> None:
    """Each of the four is in their right state, and counted once."""
    people = range(first, first + _PER_RUN)
    statuses = read_statuses(engine)
    expected = ["bounced", "unsubscribed", "complained", "active"]
    assert [statuses[person] for person in people] == expected
    with Session(engine) as session:
        records = Counter(
            session.exec(
                select(ConsentRecord.subscriber_id).where(col(ConsentRecord.subscriber_id).in_(people))
            )
        )
        events = Counter(
            session.exec(
                select(FeedbackEvent.subscriber_id).where(col(FeedbackEvent.subscriber_id).in_(people))
            )
        )
        assert records == dict.fromkeys(list(people)[:3], 1)
        assert events == dict.fromkeys(people, 1)
        assert len(session.exec(select(FeedbackMessage.id)).all()) == first + _PER_RUN - 1
        assert session.exec(select(QueuedReply)).all() == []
        states = session.exec(
            select(Delivery.state).where(col(Delivery.subscriber_id).in_(people)).distinct()
        ).all()
        assert states == [DeliveryState.sent]


@pytest.fixture
def engine(either_workspace: Workspace, now: datetime) -> Iterator[Engine]:
    engine = either_workspace.open_database(durable=False)
    # Nothing of it is implausible, however many are dead.
    add_sent_campaign(engine, _READERS, at=now, audience=100_000)
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.in_doubt))
    yield engine
    engine.dispose()


@pytest.fixture
def proxy(either_workspace: Workspace) -> Iterator[PostgresProxy | None]:
    url = either_workspace.settings.database.url
    if url.startswith("sqlite"):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="mailer-px-"))
    with PostgresProxy(folder, postgres_socket(url)) as running:
        yield running
    shutil.rmtree(folder)


def test_a_reader_that_dies_at_any_place_loses_no_message_and_counts_none_twice(
    either_workspace: Workspace, engine: Engine, proxy: PostgresProxy | None, figure: Callable[[str], None]
) -> None:
    workspace = either_workspace
    on_sqlite = proxy is None
    strides = _SQLITE_STRIDES if on_sqlite else _POSTGRES_STRIDES
    first, injected = 1, 0
    with ForkServer("tests.feedback.test_kills:read_incoming") as fork_server:
        for fault, stride in strides.items():
            at = 1
            while True:
                deliver(workspace, first)
                ending, seen = run(fork_server, workspace, proxy, fault, at)
                assert read_incoming(workspace) == "finished"
                check(engine, first)
                first += _PER_RUN
                if ending == "finished" and seen < at:
                    break
                injected += 1
                at += stride
    assert injected > 15
    where = "writes to SQLite" if on_sqlite else "round trips to PostgreSQL"
    figure(f"{injected} faults of a reader ({', '.join(strides)}) at {where}: 0 messages lost, 0 twice")


def run(
    fork_server: ForkServer, workspace: Workspace, proxy: PostgresProxy | None, fault: DatabaseFault, at: int
) -> tuple[str, int]:
    """Let another process read with a fault at the ``at``-th place; return how it ended, and the places."""
    url = workspace.settings.database.url
    if proxy is None:
        return fork_server.send(workspace.root, {}, fault, at)
    host = str(postgres_socket(url).parent)
    through = url.replace(host.replace("/", "%2F"), host).replace(host, str(proxy.folder))
    proxy.arm(fault, at)
    environ = {"MAILER_DATABASE__URL": through}
    victim = lambda pid: setattr(proxy, "victim", pid)  # noqa: E731
    ending, _ = fork_server.send(workspace.root, environ, fault, at, victim)
    return ending, proxy.seen
