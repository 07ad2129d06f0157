"""Measure whether two processes sending from one PostgreSQL database are twice as fast as one."""

from collections.abc import Iterator
from functools import partial

from bench.bench_context import BenchContext
from bench.measurement import Measurement
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import PreparedCampaign
from bench.relays import running_slow_sink
from bench.runs import rate
from tests.servers.postgres import find_postgres, running_postgres

# Long enough for two processes: in the last half second one may hold work the other could do.
_READERS, _CONNECTIONS, _MILLISECONDS = 12_000, 10, 10


def measure_worker_scaling(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages from a durable PostgreSQL to two relays that reply after 10 ms, with one and two
    processes."""
    what = "PostgreSQL, 2 processes against 1, two sinks of 10 ms"
    programs = find_postgres()
    if programs is None:
        yield Measurement(what=what, note="PostgreSQL is not installed.")
        return
    with (
        running_postgres(programs, durable=True) as server,
        running_slow_sink(_MILLISECONDS) as first,
        running_slow_sink(_MILLISECONDS) as second,
    ):
        campaign = context.campaigns.prepare(NewsletterSize.large, context.scaled(_READERS), server=server)
        _name_relays(campaign, first, second)
        works = {
            str(count): partial(campaign.send, first, connections=_CONNECTIONS, processes=count)
            for count in (1, 2)
        }
        turns = context.compare(works)
    ratio = turns.ratio("2", "1", rate)
    yield Measurement(
        what=what,
        measured=ratio.median,
        bar=1.8,
        note=f"{turns.median('2', rate):,.0f}/s against {turns.median('1', rate):,.0f}/s; {ratio}; "
        f"{_CONNECTIONS} connections per process, fsync and synchronous_commit on",
    )


def _name_relays(campaign: PreparedCampaign, *ports: int) -> None:
    """Add two relays of equal weight to the settings of the campaign's workspace."""
    tables = [
        f'\n[[smtp.relays]]\nname = "sink-{number}"\nurl = "smtp://127.0.0.1:{port}"\n'
        for number, port in enumerate(ports, start=1)
    ]
    with (campaign.audience.workspace.root / "mailer.toml").open("a", encoding="utf-8") as settings:
        settings.writelines(tables)
