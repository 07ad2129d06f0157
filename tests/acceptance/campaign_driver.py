"""Drive a campaign from outside, as an operator would, and check it against what a server received.

Nothing here reaches into the dispatcher: a run is `mailer campaigns resume` or ``send_campaign``, and the
result is read from the ledger and the server's mails.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text, update
from sqlmodel import Session, col, select

from mailer.campaigns.launch import launch
from mailer.campaigns.lifecycle import CampaignStateError, resume_campaign
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.send import send_campaign
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.dispatch.deliveries import Counts, count_deliveries
from mailer.dispatch.event_log import RunResult
from mailer.dispatch.relays import BackoffPolicy
from mailer.rendering.mail_merge import message_id
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment
from tests.factories.deliveries import add_subscribers
from tests.factories.small_edition import SLUG, write_edition
from tests.paths import ROOT
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.process import wait_until

PROJECT = ROOT
SHORT = BackoffPolicy(max_failures=3, initial_delay=0.01, max_delay=0.02)
"""Short delays, for servers that are meant to fail."""

S = DeliveryState


@dataclass(frozen=True, kw_only=True)
class DeliveryRow:
    """A delivery, as a report would show it."""

    email: str
    message_id: str
    state: DeliveryState
    doubted: bool
    code: int | None
    reason: str


@dataclass(kw_only=True)
class CampaignDriver:
    """One campaign (number 1) of a workspace, whose messages go to ``url``."""

    workspace: Workspace
    engine: Engine
    url: str
    smtp: Mapping[str, Any] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    """The Message-IDs that were ever reported in doubt."""

    template: ForkTemplate | None = None
    """What `mailer` is forked from, where it is started so often that the start of Python would count."""

    def launch(self, addresses: Iterable[str], *, edition: str = SLUG, rate: float | None = None) -> None:
        """Put ``addresses`` on the list and launch ``edition`` to all of them, without sending yet."""
        if edition == SLUG:
            write_edition(self.workspace.editions)
        add_subscribers(self.engine, list(addresses), country="MN")
        now = datetime.now(UTC)
        plan = plan_campaign(self.workspace, self.engine, edition, parse_segment("all"), now=now)
        assert launch(self.engine, self.workspace, plan, now=now) == 1
        with self.engine.begin() as connection:
            connection.execute(update(Campaign).values(rate=rate))

    @property
    def environ(self) -> dict[str, str]:
        """The environment for a process that works on the campaign."""
        smtp = {f"MAILER_SMTP__{key.upper()}": str(value) for key, value in self.smtp.items()}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAILER_")},
            "MAILER_SMTP__URL": self.url,
            "MAILER_DATABASE__URL": self.workspace.settings.database.url,
            "PYTHONPATH": str(PROJECT),
            **smtp,
        }

    def start(self, *words: str, **environ: str) -> "subprocess.Popen[str] | ForkedProgram":
        """Start `mailer` with ``words`` in a separate process."""
        words = ("-C", str(self.workspace.root), *words)
        if self.template is not None:
            return self.template.start(words, self.environ | environ)
        return subprocess.Popen(
            [sys.executable, "-m", "mailer", *words],
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=600)
        assert process.returncode is not None
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def send_here(self, *, resend_in_doubt: bool = False) -> RunResult:
        """Send the due deliveries in this process."""
        smtp = SmtpSettings(url=self.url, **self.smtp)
        workspace = replace(
            self.workspace, settings=self.workspace.settings.model_copy(update={"smtp": smtp})
        )
        return send_campaign(workspace, 1, backoff=SHORT, resend_in_doubt=resend_in_doubt)

    def resume_here(self, *, resend_in_doubt: bool = False) -> RunResult:
        """Do what an operator does once the fault is over: make every reader due, resume, send."""
        self.make_due()
        with Session(self.engine) as session:
            try:
                resume_campaign(session, 1, now=datetime.now(UTC))
                session.commit()
            except CampaignStateError:
                session.rollback()  # finished: only deliveries in doubt are left
        return self.send_here(resend_in_doubt=resend_in_doubt)

    def make_due(self) -> None:
        """Make every deferred delivery due now."""
        past = datetime.now(UTC) - timedelta(minutes=1)
        with self.engine.begin() as connection:
            deferred = col(Delivery.state) == S.deferred
            connection.execute(update(Delivery).where(deferred).values(not_before=past))

    def read(self) -> list[DeliveryRow]:
        """Read every delivery."""
        signer, domain = self.workspace.keys.tokens, self.workspace.settings.sender.domain
        both = col(Delivery.subscriber_id) == col(Subscriber.id)
        columns = (
            col(Subscriber.email),
            col(Subscriber.id),
            *(col(getattr(Delivery, name)) for name in ("state", "doubted", "code", "reason")),
        )
        with Session(self.engine.execution_options(read_only=True)) as session:
            rows = session.execute(select(*columns).join(Delivery, both)).all()  # type: ignore[call-overload]
        return [
            DeliveryRow(email=email, message_id=message_id(1, number, domain, signer), state=S(state), **rest)
            for email, number, state, *others in rows
            for rest in [dict(zip(("doubted", "code", "reason"), others, strict=True))]
        ]

    def count(self) -> Counts:
        with self.engine.connect().execution_options(read_only=True) as connection:
            return count_deliveries(connection, 1)

    def note_doubts(self) -> set[str]:
        """Return the Message-IDs that are in doubt now and were not before."""
        now = {line.message_id for line in self.read() if line.state is S.in_doubt}
        new = now - self.doubted
        self.doubted |= now
        return new

    def await_quiet(self) -> None:
        """Wait until PostgreSQL has committed what a killed client requested, and the ledger is final."""
        if self.engine.dialect.name == "postgresql":
            self.engine.dispose()
            wait_until(lambda: self._count_other_backends() == 0, what="the killed backends to end")

    def _count_other_backends(self) -> int:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        with self.engine.connect() as connection:
            return int(connection.execute(text(others)).scalar_one())

    def check(self, received: Collection[str]) -> None:
        """Check what must hold whenever no dispatcher runs: the sum is right, and what is sent has arrived.

        ``received`` are the Message-IDs of the mails the server kept, repeated as often as it kept them.
        """
        lines, times = self.read(), Counter(received)
        named = {line.message_id for line in lines if line.doubted or line.state is S.in_doubt}
        sent = {line.message_id for line in lines if line.state is S.sent}
        assert self.count().balances, self.count()
        assert sent <= set(times), "the ledger says sent and the server has never seen it"
        assert set(times) <= sent | named | self._refused(lines), "handed over without a row that says so"
        assert {ident for ident, n in times.items() if n > 1} <= named, "twice, and never named as in doubt"

    @staticmethod
    def _refused(lines: list[DeliveryRow]) -> set[str]:
        return {line.message_id for line in lines if line.state in {S.rejected, S.failed, S.deferred}}

    def check_end(self, received: Collection[str]) -> int:
        """Check, after a last resume with doubts resent, that every reader has the mail; count duplicates."""
        self.check(received)
        times, lines = Counter(received), self.read()
        assert {line.state for line in lines} == {S.sent}, self.count()
        assert set(times) == {line.message_id for line in lines}, "ledger and server differ"
        twice = {ident for ident, n in times.items() if n > 1}
        assert twice <= self.doubted, "twice, and not named when it was in doubt"
        return sum(n - 1 for n in times.values())


def addresses(number: int) -> list[str]:
    return [f"reader{n}@example.org" for n in range(number)]
