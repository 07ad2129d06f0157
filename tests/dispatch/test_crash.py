"""Sending processes killed with SIGKILL, again and again, and what the server received."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlmodel import Session, col

from mailer.campaigns.lifecycle import reopen_for_doubts
from mailer.database.models import Delivery, DeliveryState, InDoubtPolicy
from tests.factories.deliveries import add_campaign, read_deliveries, read_states
from tests.paths import ROOT
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.process import wait_until
from tests.servers.smtp_sink import Sink, smtp_sink

S = DeliveryState


class Killer:
    """Starts dispatchers on a campaign, kills them, and keeps the addresses that were ever in doubt."""

    def __init__(
        self, engine: Engine, url: str, root: Path, sink: Sink, template: ForkTemplate | None = None
    ) -> None:
        self.engine = engine
        self.sink = sink
        self.template = template
        self.words = [url, str(root), sink.url]
        self.doubted: set[str] = set()

    def start(self, how: str = "hold") -> "subprocess.Popen[str] | ForkedProgram":
        words = [*self.words, how]
        if self.template is not None:
            return self.template.start(words, os.environ)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.dispatch.killed_dispatcher", *words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def count_sent(self) -> int:
        with self.engine.connect().execution_options(read_only=True) as connection:
            counted = select(func.count()).select_from(Delivery).where(col(Delivery.state) == S.sent)
            return connection.execute(counted).scalar_one()

    def kill_in_the_middle(self, at_least: int) -> None:
        """Start one and kill it at some moment after the ledger knows of ``at_least`` sent."""
        process = self.start()
        wait_until(lambda: self.count_sent() >= at_least, what=f"{at_least} sent", seconds=120)
        time.sleep(random.uniform(0, 0.02))  # at a random moment
        process.kill()
        process.communicate()
        assert process.returncode == -9, "it ended before it was killed"
        self.await_its_backends()
        self.note_in_doubt()

    def await_its_backends(self) -> None:
        """PostgreSQL still commits what a killed client asked for; then the ledger is what it left."""
        if self.engine.dialect.name == "postgresql":
            self.engine.dispose()
            wait_until(lambda: self.count_other_backends() == 0, what="the killed one's backends to end")

    def count_other_backends(self) -> int:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        with self.engine.connect() as connection:
            return connection.execute(text(others)).scalar_one()

    def note_in_doubt(self) -> None:
        """What a report would name now."""
        states = read_states(self.engine)
        in_doubt = {address for address, state in states.items() if state is S.in_doubt}
        # One per open connection, by construction.
        assert len(in_doubt - self.doubted) <= 4
        self.doubted |= in_doubt

    def finish(self, how: str = "hold") -> None:
        process = self.start(how)
        assert process.communicate()[0].strip() == "finished"

    @property
    def received(self) -> Counter[str]:
        return Counter(self.sink.recipients())


def crash(
    engine: Engine,
    url: str,
    root: Path,
    *,
    readers: int,
    kills: int,
    policy: InDoubtPolicy,
    template: ForkTemplate | None = None,
) -> None:
    add_campaign(engine, readers, in_doubt_policy=policy)
    with smtp_sink() as sink:
        killer = Killer(engine, url, root, sink, template)
        for turn in range(kills):
            killer.kill_in_the_middle(at_least=(turn + 1) * readers // (kills + 2))
        killer.finish()
        deliveries = read_deliveries(engine)
        states = Counter(delivery.state for delivery in deliveries.values())
        received = killer.received
        sent = {address for address, found in deliveries.items() if found.state is S.sent}
        twice = {address for address, times in received.items() if times > 1}

        assert set(states) <= {S.sent, S.in_doubt}
        assert sent <= set(received), "the ledger says sent and the server has never seen it"
        assert set(deliveries) - set(received) <= killer.doubted, "somebody is lost and not named"
        assert twice <= killer.doubted, "somebody got it twice and was never named as in doubt"
        assert all(deliveries[address].doubted for address in killer.doubted)
        if policy is InDoubtPolicy.hold:
            assert twice == set()
            resend_what_is_in_doubt(killer)
        assert Counter(read_states(killer.engine).values()) == {S.sent: readers}
        assert set(killer.received) == set(deliveries)
        ids = Counter(sink.message_ids())
        assert len(ids) == readers, "a second try had another Message-ID"
        assert {address for address, times in killer.received.items() if times > 1} <= killer.doubted


def resend_what_is_in_doubt(killer: Killer) -> None:
    """What `mailer campaigns resume --resend-in-doubt` does to a finished campaign."""
    if S.in_doubt in read_states(killer.engine).values():
        with Session(killer.engine) as session:
            assert reopen_for_doubts(session, 1)
            session.commit()
        killer.finish("resend")


def test_kills_of_a_campaign_that_resends_lose_nobody_and_every_duplicate_was_in_doubt(
    engine: Engine, database: str, tmp_path: Path
) -> None:
    crash(engine, database, tmp_path, readers=400, kills=5, policy=InDoubtPolicy.resend)


@pytest.mark.soak
@pytest.mark.parametrize("policy", InDoubtPolicy)
def test_fifty_kills_lose_nobody_and_every_duplicate_was_in_doubt(
    engine: Engine, database: str, tmp_path: Path, policy: InDoubtPolicy
) -> None:
    with ForkTemplate("tests.dispatch.killed_dispatcher:main") as template:
        crash(engine, database, tmp_path, readers=10_000, kills=50, policy=policy, template=template)


def test_when_one_of_several_processes_is_killed_nobody_gets_two_copies(
    engine: Engine, database: str, tmp_path: Path
) -> None:
    add_campaign(engine, 600)
    with smtp_sink() as sink:
        killer = Killer(engine, database, tmp_path, sink)
        processes = [killer.start() for _ in range(3)]
        wait_until(lambda: killer.count_sent() >= 100, what="some messages", seconds=60)
        processes[0].kill()
        # The others find the dead one's deliveries by themselves, without a restart.
        assert [process.communicate()[0].strip() for process in processes] == ["", "finished", "finished"]
        killer.note_in_doubt()
        states = Counter(read_states(engine).values())
        assert states[S.sent] + states[S.in_doubt] == 600
        assert max(killer.received.values()) == 1
        missing = set(read_states(engine)) - set(killer.received)
        assert missing <= killer.doubted
