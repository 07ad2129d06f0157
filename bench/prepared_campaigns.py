"""Launch campaigns once and keep them, so that each round sends the same one from the start."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path

from sqlmodel import select

from bench.database_snapshots import PostgresDatabase, RestorableDatabase, SqliteDatabase
from bench.newsletters import NewsletterSize, create_newsletter
from bench.runs import Run
from bench.send_worker import SendJob
from bench.synthetic_readers import add_readers
from bench.worker_process import WorkerProcess, run_together
from mailer.campaigns.launch import launch
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.engine import open_session
from mailer.database.models import CampaignContent
from mailer.database.schema import upgrade
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import MessageBuilder
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment

_SAMPLE_SIZE = 50
# smtp-source never renews a connection, so neither do we.
_UNLIMITED = str(10**9)


@dataclass(frozen=True, kw_only=True)
class PreparedAudience:
    """A newsletter and its readers before a launch."""

    workspace: Workspace
    edition: str
    readers: int
    database: RestorableDatabase

    def plan(self) -> Plan:
        engine = self.workspace.open_database()
        plan = plan_campaign(
            self.workspace, engine, self.edition, parse_segment("all"), now=datetime.now(UTC)
        )
        engine.dispose()
        return plan


@dataclass(frozen=True)
class PreparedCampaign:
    """A campaign that has been launched, with a copy of its database as it was then."""

    audience: PreparedAudience
    campaign_id: int

    @property
    def readers(self) -> int:
        return self.audience.readers

    @cached_property
    def message_bytes(self) -> int:
        """The length of a message: the median over some readers."""
        return int(statistics.median(len(message) for message in islice(self.messages(), _SAMPLE_SIZE)))

    def messages(self) -> Iterator[bytes]:
        """Yield the message of each reader."""
        workspace, engine = self.audience.workspace, self.audience.workspace.open_database()
        with open_session(engine, read_only=True) as rows:
            contents = [CompiledEdition.from_bytes(row.body) for row in rows.exec(select(CampaignContent))]
            builder = MessageBuilder(contents, workspace.settings)
            for subscriber in rows.exec(select(Subscriber).limit(_SAMPLE_SIZE)):
                reader = reader_for(subscriber, self.campaign_id, workspace.settings, workspace.keys.tokens)
                yield builder.build(reader, now=datetime.now(UTC))
        engine.dispose()

    def send(
        self,
        port: int,
        *,
        connections: int = 10,
        processes: int = 1,
        stop_after: int | None = None,
        profiled: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Run:
        """Send it from the start to ``port`` on this machine, with several concurrent processes."""
        self.audience.database.restore()
        job = SendJob(
            root=self.audience.workspace.root,
            campaign_id=self.campaign_id,
            stop_after=stop_after,
            profiled=profiled,
            environ={
                "MAILER_DATABASE__URL": self.audience.database.url,
                "MAILER_SMTP__URL": f"smtp://127.0.0.1:{port}",
                "MAILER_SMTP__CONNECTIONS": str(connections),
                "MAILER_SMTP__MESSAGES_PER_CONNECTION": _UNLIMITED,
                **(environ or {}),
            },
        )
        return run_together([WorkerProcess("bench.send_worker", job) for _ in range(processes)])


class CampaignFactory:
    """Creates audiences and campaigns below ``folder``, each at most once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, PreparedCampaign] = {}

    def prepare(
        self, size: NewsletterSize, readers: int, *, server: str | None = None, domains: int = 50
    ) -> PreparedCampaign:
        """Return a launched campaign, in SQLite or on the PostgreSQL at ``server``."""
        name = f"{size}_{readers}_{domains}{'_postgres' if server else ''}"
        if name not in self._made:
            audience = self.make_audience(f"campaign_{name}", size, readers, server=server, domains=domains)
            engine = audience.workspace.open_database()
            number = launch(engine, audience.workspace, audience.plan(), now=datetime.now(UTC))
            engine.dispose()
            audience.database.save()
            self._made[name] = PreparedCampaign(audience, number)
        return self._made[name]

    def make_audience(
        self,
        name: str,
        size: NewsletterSize,
        readers: int,
        *,
        server: str | None = None,
        domains: int = 50,
    ) -> PreparedAudience:
        """Create a workspace ``name`` with this many readers. Its database is not saved yet."""
        now = datetime.now(UTC)
        founded, edition = create_newsletter(self.folder / name, size, now=now)
        store = _make_database(founded, name, server)
        workspace = open_workspace(founded.root, environ={"MAILER_DATABASE__URL": store.url})
        engine = workspace.open_database()
        upgrade(engine)
        sectors = tuple(workspace.settings.sectors)
        add_readers(engine, readers, sectors=sectors, now=now, domains=domains)
        engine.dispose()
        return PreparedAudience(workspace=workspace, edition=edition, readers=readers, database=store)


def _make_database(workspace: Workspace, name: str, server: str | None) -> RestorableDatabase:
    if server is None:
        return SqliteDatabase(workspace.root / "mailer.db")
    store = PostgresDatabase(server, name.replace("-", "_"))
    store.create()
    return store
