"""``make bench-reports``: the page of a report on a million deliveries, on both databases.

The worker has counted the costly parts before, as it does while a campaign is being sent; the page reads them
and what is cheap. The time is that of the application: from the request to the last byte, on one connection.
"""

import argparse
import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine, case, insert, literal, select
from sqlmodel import Session, col

from bench.measurement import Bound, Measurement, print_table
from bench.synthetic_readers import add_readers
from mailer.campaigns.report.parts import count_outdated_parts
from mailer.database.engine import open_engine
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.schema import upgrade
from mailer.settings import DatabaseSettings
from mailer.web.access import LocalAccess
from mailer.web.report import create_report_app
from mailer.web.server import start_in_thread
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from subscribers.models import Subscriber
from tests.servers.postgres import find_postgres, running_postgres

READERS = 1_000_000
_VISITS = 100
_LAST = int(0.95 * _VISITS)
_BAR = 150
_LAUNCHED = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
_REASON = "5.1.1 <reader@example.org>: Recipient address rejected: User unknown"


def main() -> None:
    """Measure, and print each figure beside its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=READERS, help="how many deliveries")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_table(measure_databases(Path(folder), options.readers))


def measure_databases(folder: Path, readers: int) -> Iterator[Measurement]:
    """Measure the pages on SQLite, and on PostgreSQL if it is installed."""
    now = datetime.now(UTC)
    workspace = open_workspace(create_workspace(folder / "w", sample=False, now=now).root, environ={})
    yield from measure_pages(workspace, readers, "SQLite")
    programs = find_postgres()
    if programs is None:
        yield Measurement(what="the same on PostgreSQL", note="PostgreSQL is not installed")
        return
    with running_postgres(programs) as url:
        database = DatabaseSettings(url=url)
        settings = workspace.settings.model_copy(update={"database": database})
        yield from measure_pages(replace(workspace, settings=settings), readers, "PostgreSQL")


def measure_pages(workspace: Workspace, readers: int, database: str) -> Iterator[Measurement]:
    """Measure the page of one campaign to ``readers``, and the page of all campaigns."""
    empty = open_engine(workspace.settings.database.url, root=workspace.root)
    upgrade(empty)
    empty.dispose()
    engine = workspace.open_database()
    add_readers(engine, readers, sectors=("education", "culture", "natural-sciences"), now=_LAUNCHED)
    campaign = _add_campaign(engine, readers)
    started = time.perf_counter()
    count_outdated_parts(workspace, engine)
    counted = time.perf_counter() - started
    with serving(workspace) as visit:
        for what, path in (("a report", f"/campaigns/{campaign}"), ("all campaigns", "/")):
            visits = [visit(path) for _ in range(_VISITS)]
            times = sorted(visit.elapsed for visit in visits)
            busy = sorted(visit.busy for visit in visits)
            yield Measurement(
                what=f"page of {what}, {readers:,} deliveries, {database}, p95",
                measured=times[_LAST],
                unit="ms",
                bound=Bound.at_most,
                bar=_BAR,
                note=(
                    f"p50 {times[_VISITS // 2]:.0f} ms; of its own processor p95 {busy[_LAST]:.0f} ms; the "
                    f"worker counted for {counted:.0f} s beforehand"
                ),
            )
    engine.dispose()


def _add_campaign(engine: Engine, readers: int) -> int:
    """A finished campaign to everybody: one of 40 was refused, one of 100,000 is in doubt."""
    with Session(engine) as session:
        campaign = Campaign(
            edition="2026-2",
            title="What we did this autumn",
            segment="all",
            state=CampaignState.finished,
            digest="d",
            audience=readers,
            created_at=_LAUNCHED,
            launched_at=_LAUNCHED,
            finished_at=_LAUNCHED + timedelta(hours=1),
        )
        session.add(campaign)
        session.commit()
        number = campaign.id or 0
    person = col(Subscriber.id)
    columns = Delivery.__table__.columns  # type: ignore[attr-defined]
    refused, doubted = person % 40 == 0, person % 100_000 == 1
    state = case(
        (doubted, literal(DeliveryState.in_doubt.value)),
        (refused, literal(DeliveryState.rejected.value)),
        else_=literal(DeliveryState.sent.value),
    )
    moment = case(
        *(
            (person % 12 == turn, literal(_LAUNCHED + timedelta(minutes=5 * turn), columns.updated_at.type))
            for turn in range(12)
        )
    )
    row = {
        "campaign_id": literal(number),
        "subscriber_id": person,
        "state": state,
        "attempts": literal(1),
        "deferrals": literal(0),
        "doubted": doubted,
        "code": case((refused, literal(550))),
        "reason": case((refused, literal(_REASON)), else_=literal("")),
        "updated_at": moment,
    }
    with engine.begin() as connection:
        connection.execute(insert(Delivery).from_select(list(row), select(*row.values())))
    return number


@dataclass(frozen=True, kw_only=True)
class Visit:
    """How long a page took, and how long this process was busy with it, both in milliseconds. The server is
    in this process, the database PostgreSQL is not."""

    elapsed: float
    busy: float


@contextmanager
def serving(workspace: Workspace):  # type: ignore[no-untyped-def]  # a function of a path
    """Serve the reports; yields a function that visits a path."""
    access = LocalAccess()
    running = start_in_thread(create_report_app(workspace, access=access))
    parts = urlsplit(running.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def visit(path: str) -> Visit:
        started, busy = time.perf_counter(), time.process_time()
        connection.request("GET", path, headers={"cookie": f"{access.cookie_name}={access.token}"})
        answer = connection.getresponse()
        page = answer.read()
        if answer.status != 200 or b"<h1>" not in page:
            raise RuntimeError(f"{path} answered {answer.status}")
        elapsed, busy = time.perf_counter() - started, time.process_time() - busy
        return Visit(elapsed=1000 * elapsed, busy=1000 * busy)

    try:
        yield visit
    finally:
        connection.close()
        running.stop()


if __name__ == "__main__":
    main()
