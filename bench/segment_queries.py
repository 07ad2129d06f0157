"""Compare segment queries with handwritten SQL, over a million subscribers, on both databases.

Ours includes everything: parsing the segment, building the statement, running it, and the result in Python.
The handwritten SQL runs on the bare driver, in the fastest of several usual forms.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlmodel import Session

from bench.measurement import Bound, Measurement, print_table
from bench.synthetic_partners import SECTORS, add_partners
from bench.timed_rounds import TimedCall, TimedRounds, time_call
from mailer.database.engine import open_engine, open_session
from mailer.database.schema import upgrade
from subscribers.queries import count_subscribers, make_cross_table
from subscribers.segments.segment import parse_segment
from tests.servers.postgres import find_postgres, running_postgres

_SEGMENT = "country:MN,CN sector:education -tag:press"
_TODAY = date(2026, 3, 1)
_BY_HAND = {
    "EXISTS": """\
SELECT count(*) FROM subscriber s WHERE s.country IN ('MN', 'CN')
AND EXISTS (SELECT 1 FROM subscriber_sector f WHERE f.subscriber_id = s.id AND f.sector = 'education')
AND NOT EXISTS (SELECT 1 FROM subscriber_tag t WHERE t.subscriber_id = s.id AND t.tag = 'press')""",
    "JOIN": """\
SELECT count(*) FROM subscriber s
JOIN subscriber_sector f ON f.subscriber_id = s.id AND f.sector = 'education'
LEFT JOIN subscriber_tag t ON t.subscriber_id = s.id AND t.tag = 'press'
WHERE s.country IN ('MN', 'CN') AND t.subscriber_id IS NULL""",
    "IN": """\
SELECT count(*) FROM subscriber s WHERE s.country IN ('MN', 'CN')
AND s.id IN (SELECT subscriber_id FROM subscriber_sector WHERE sector = 'education')
AND s.id NOT IN (SELECT subscriber_id FROM subscriber_tag WHERE tag = 'press')""",
}
_JOIN = """\
SELECT count(*) FROM subscriber s LEFT JOIN subscriber_sector f ON f.subscriber_id = s.id
WHERE s.status = 'active' OR (s.status = 'paused' AND s.paused_until <= '2026-03-01')"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _read_arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        print_table(measure(Path(folder), options.subscribers, options.rounds))


def measure(folder: Path, subscribers: int, rounds: int) -> Iterator[Measurement]:
    """Yield the figures for SQLite, and for PostgreSQL if it is installed."""
    with _open_filled(f"sqlite:///{folder / 'mailer.db'}", folder, subscribers) as engine:
        yield from _measure(engine, "SQLite", subscribers, rounds)
    if (programs := find_postgres()) is None:
        yield Measurement(what="the same, PostgreSQL", note="PostgreSQL is not installed.")
        return
    with running_postgres(programs) as url, _open_filled(url, folder, subscribers) as engine:
        yield from _measure(engine, "PostgreSQL", subscribers, rounds)


@contextmanager
def _open_filled(url: str, folder: Path, subscribers: int) -> Iterator[Engine]:
    engine = open_engine(url, root=folder)
    upgrade(engine)
    add_partners(engine, subscribers)
    yield engine
    engine.dispose()


def _measure(engine: Engine, name: str, subscribers: int, rounds: int) -> Iterator[Measurement]:
    with open_session(engine, read_only=True) as reading:
        connection = reading.connection()
        _check_agreement(reading, connection)
        yield _measure_count(reading, connection, f"three terms over {subscribers:,}, {name}", rounds)
        yield _measure_table(reading, connection, f"country × sector over {subscribers:,}, {name}", rounds)


def _measure_count(reading: Session, connection: Connection, what: str, rounds: int) -> Measurement:
    works: Mapping[str, TimedCall] = {
        "ours": time_call(lambda: _count(reading)),
        **{form: time_call(_make_query(connection, statement)) for form, statement in _BY_HAND.items()},
    }
    taken = TimedRounds(works, rounds=rounds, warmup=1)
    best = min(_BY_HAND, key=taken.median)
    each = ", ".join(f"{form} {taken.median(form):.0f} ms" for form in _BY_HAND)
    return Measurement(
        what=f"{what}, against handwritten SQL",
        measured=taken.ratio("ours", best),
        bound=Bound.at_most,
        bar=1.3,
        note=f"{taken.median('ours'):.0f} ms; handwritten, the fastest of {each}: {best}",
    )


def _measure_table(reading: Session, connection: Connection, what: str, rounds: int) -> Measurement:
    works: Mapping[str, TimedCall] = {
        "ours": time_call(lambda: make_cross_table(reading, parse_segment("all"), SECTORS, today=_TODAY)),
        "join": time_call(_make_query(connection, _JOIN)),
    }
    taken = TimedRounds(works, rounds=rounds, warmup=1)
    return Measurement(
        what=f"{what}, against count(*)",
        measured=taken.ratio("ours", "join"),
        bound=Bound.at_most,
        bar=3,
        note=f"{taken.median('ours'):.0f} ms in one query; SELECT count(*) over the join "
        f"{taken.median('join'):.0f} ms",
    )


def _count(reading: Session) -> int:
    return count_subscribers(reading, parse_segment(_SEGMENT, sectors=SECTORS))


def _make_query(connection: Connection, statement: str) -> Callable[[], int]:
    return lambda: int(connection.exec_driver_sql(statement).scalar_one())


def _check_agreement(reading: Session, connection: Connection) -> None:
    """Check that all queries give the same answer before measuring."""
    answers = {_count(reading), *(_make_query(connection, statement)() for statement in _BY_HAND.values())}
    table = make_cross_table(reading, parse_segment("all"), SECTORS, today=_TODAY)
    rows = sum(table.total.by_sector) + table.total.other + table.total.none
    if len(answers) != 1 or rows != _make_query(connection, _JOIN)():
        raise AssertionError(f"our query and the handwritten ones disagree: {answers}, {rows} rows")


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.segment_queries", description="Measure segments.")
    parser.add_argument(
        "--subscribers", type=int, default=1_000_000, help="subscribers on the list (default: 1,000,000)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (default: 9)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
