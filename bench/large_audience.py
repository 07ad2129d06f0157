"""What a great audience costs: each message, and the memory of the process that sends."""

from collections.abc import Iterator
from functools import partial

from bench.bench_context import Ground
from bench.measurement import Bar, Figure
from bench.newsletters import Size
from bench.relays import running_sink
from bench.runs import each, peak

_SOME, _MANY, _FIRST = 100_000, 1_000_000, 60_000
# What two runs of the same campaign differ by.
_STEADY = 5


def measure_growth(ground: Ground) -> Iterator[Figure]:
    """5 kB over 10 connections from SQLite, to 100,000 and to 1,000,000 readers."""
    some, many = ground.prepare(Size.small, _SOME), ground.prepare(Size.small, _MANY)
    enough = None if ground.full else min(ground.many(_FIRST), some.readers)
    with running_sink() as port:
        works = {
            "some": partial(some.send, port, enough=enough),
            "many": partial(many.send, port, enough=enough),
        }
        turns = ground.compare(works)
    ratio = turns.ratio("many", "some", each)
    clock = f"{turns.median('many', each):,.0f} µs against {turns.median('some', each):,.0f} µs by the clock"
    extent = "all of both sent" if enough is None else f"the first {enough:,} of each; --full sends all"
    yield Figure(
        what=f"a message of {many.readers:,} beside one of {some.readers:,}, SQLite",
        measured=ratio.median,
        side=Bar.most,
        bar=1.15,
        note=f"{clock}; {ratio}; {extent}",
    )
    highest = turns.most("many", peak)
    yield Figure(
        what=f"    peak memory of the process that sends to {many.readers:,}",
        measured=highest,
        unit="MB",
        side=Bar.most,
        bar=150,
    )
    yield Figure(
        what=f"    and above that for {some.readers:,}",
        measured=turns.median("many", peak) - turns.median("some", peak),
        unit="MB",
        side=Bar.most,
        bar=_STEADY,
        note=f"medians of {turns.median('many', peak):.1f} MB and {turns.median('some', peak):.1f} MB",
    )
