"""Compare the cost of a launch with the bare statement that writes the same rows."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from bench.bench_context import BenchContext
from bench.measurement import Bound, Measurement
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import PreparedAudience
from bench.runs import Run, time_each
from bench.worker_process import FailedRunError
from mailer.campaigns.launch import launch
from mailer.campaigns.plan import Plan
from mailer.database.engine import open_session
from mailer.database.models import Campaign
from tests.servers.postgres import find_postgres, running_postgres

_READERS = 1_000_000
_ROWS = """\
INSERT INTO delivery (campaign_id, subscriber_id, state, attempts, deferrals, doubted, reason, updated_at)
SELECT 1, id, 'queued', 0, 0, false, '', :now FROM subscriber ORDER BY id
"""


def measure_launch(context: BenchContext) -> Iterator[Measurement]:
    """Measure a launch to 1,000,000 readers on SQLite; the figure for PostgreSQL has no bar."""
    readers = context.scaled(_READERS)
    what = f"launch to {readers:,} against a bare INSERT … SELECT"
    yield _measure(
        context,
        context.campaigns.make_audience("launch", NewsletterSize.small, readers),
        f"{what}, SQLite",
        bar=1.5,
    )
    if (programs := find_postgres()) is not None:
        with running_postgres(programs, durable=True) as server:
            audience = context.campaigns.make_audience(
                "launch_postgres", NewsletterSize.small, readers, server=server
            )
            yield _measure(context, audience, "    the same, PostgreSQL", bar=None)


def _measure(
    context: BenchContext, audience: PreparedAudience, what: str, *, bar: float | None
) -> Measurement:
    audience.database.save()
    plan = audience.plan()
    works = {"launch": lambda: _launch(audience, plan), "bare": lambda: _insert(audience)}
    turns = context.compare(works)
    ratio, million = turns.ratio("launch", "bare", time_each), audience.readers / 1e6
    seconds = [turns.median(name, time_each) * million for name in works]
    return Measurement(
        what=what,
        measured=ratio.median,
        bound=Bound.at_most,
        bar=bar,
        note=f"{seconds[0]:.2f} s against {seconds[1]:.2f} s; {ratio}; same table, indexes and pragmas",
    )


def _launch(audience: PreparedAudience, plan: Plan) -> Run:
    """Run the whole launch: checks, images, frozen content, deliveries."""
    audience.database.restore()
    engine = audience.workspace.open_database(durable=True)
    began = time.monotonic()
    launch(engine, audience.workspace, plan, now=datetime.now(UTC))
    return _conclude(audience, engine, began)


def _insert(audience: PreparedAudience) -> Run:
    """Run the statement alone, for an existing campaign."""
    audience.database.restore()
    engine = audience.workspace.open_database(durable=True)
    now = datetime.now(UTC)
    with open_session(engine) as rows:
        rows.add(Campaign(id=1, edition="", title="", segment="", digest="", created_at=now))
        rows.commit()
    began = time.monotonic()
    with engine.begin() as connection:
        connection.execute(text(_ROWS), {"now": now.isoformat(" ")})
    return _conclude(audience, engine, began)


def _conclude(audience: PreparedAudience, engine: Engine, began: float) -> Run:
    ended = time.monotonic()
    with engine.connect() as connection:
        written = connection.scalar(text("SELECT count(*) FROM delivery"))
    engine.dispose()
    if written != audience.readers:
        raise FailedRunError(f"{written} deliveries were written for {audience.readers} readers")
    return Run(messages=audience.readers, began=began, ended=ended, cpu=0)
