"""Measure what limits by provider cost: a large audience over many domains, with them and without."""

from collections.abc import Iterator
from functools import partial

from bench.bench_context import BenchContext
from bench.measurement import Measurement
from bench.newsletters import NewsletterSize
from bench.relays import running_sink
from bench.runs import cpu_each, rate

_READERS, _DOMAINS, _FIRST = 1_000_000, 40_000, 60_000
# Every limit has its full cost and holds nobody up: so many a second are never sent.
_HIGH = {
    f"MAILER_PROVIDER_RATES__{key.upper()}": "100000"
    for key in ("qq", "netease", "orange", "alibaba", "sina", "yahoo_japan", "google", "microsoft_365")
}
_NONE = {
    "MAILER_DNS__LOOK_UP_PROVIDERS": "false",
    **{
        f"MAILER_PROVIDER_RATES__{key.upper()}": "unlimited"
        for key in ("qq", "netease", "orange", "alibaba", "sina", "yahoo_japan")
    },
}


def measure_provider_limits(context: BenchContext) -> Iterator[Measurement]:
    """Send 5 kB messages over 10 connections from SQLite to 1,000,000 readers over 40,000 domains."""
    readers = context.scaled(_READERS)
    campaign = context.campaigns.prepare(NewsletterSize.small, readers, domains=_DOMAINS)
    enough = None if context.full else min(_FIRST, readers)
    with running_sink() as port:
        works = {
            "limited": partial(campaign.send, port, stop_after=enough, environ=_HIGH),
            "free": partial(campaign.send, port, stop_after=enough, environ=_NONE),
        }
        turns = context.compare(works)
    ratio = turns.ratio("limited", "free", rate)
    extent = "all sent" if enough is None else f"the first {enough:,}; --full sends all"
    cpu = turns.median("limited", cpu_each) - turns.median("free", cpu_each)
    yield Measurement(
        what=f"{readers:,} readers over {_DOMAINS:,} domains, limits by provider: messages/s against none",
        measured=ratio.median,
        bar=0.95,
        note=f"{turns.median('limited', rate):,.0f}/s against {turns.median('free', rate):,.0f}/s; {ratio}; "
        f"{cpu:,.0f} µs CPU more each; {extent}",
    )
