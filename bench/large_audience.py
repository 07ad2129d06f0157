"""Measure the cost of a large audience: each message, and the memory of the sending process."""

from collections.abc import Iterator
from functools import partial

from bench.bench_context import BenchContext
from bench.measurement import Bound, Measurement
from bench.newsletters import NewsletterSize
from bench.relays import running_sink
from bench.runs import peak, time_each

_SOME, _MANY, _FIRST = 100_000, 1_000_000, 60_000
# How much two runs of the same campaign differ, in MB.
_MAX_DIFFERENCE = 5


def measure_large_audience(context: BenchContext) -> Iterator[Measurement]:
    """Send 5 kB messages over 10 connections from SQLite, to 100,000 and to 1,000,000 readers."""
    some, many = context.prepare(NewsletterSize.small, _SOME), context.prepare(NewsletterSize.small, _MANY)
    enough = None if context.full else min(context.scaled(_FIRST), some.readers)
    with running_sink() as port:
        works = {
            "some": partial(some.send, port, stop_after=enough),
            "many": partial(many.send, port, stop_after=enough),
        }
        turns = context.compare(works)
    ratio = turns.ratio("many", "some", time_each)
    longer, shorter = turns.median("many", time_each), turns.median("some", time_each)
    clock = f"{longer:,.0f} µs against {shorter:,.0f} µs of wall-clock time"
    extent = "all of both sent" if enough is None else f"the first {enough:,} of each; --full sends all"
    yield Measurement(
        what=f"a message to {many.readers:,} readers against {some.readers:,}, SQLite",
        measured=ratio.median,
        bound=Bound.at_most,
        bar=1.15,
        note=f"{clock}; {ratio}; {extent}",
    )
    highest = turns.highest("many", peak)
    yield Measurement(
        what=f"    peak memory of the process sending to {many.readers:,}",
        measured=highest,
        unit="MB",
        bound=Bound.at_most,
        bar=150,
    )
    yield Measurement(
        what=f"    in excess of that for {some.readers:,}",
        measured=turns.median("many", peak) - turns.median("some", peak),
        unit="MB",
        bound=Bound.at_most,
        bar=_MAX_DIFFERENCE,
        note=f"medians of {turns.median('many', peak):.1f} MB and {turns.median('some', peak):.1f} MB",
    )
