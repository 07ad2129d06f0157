"""Judges the clicks of visitors who have gone quiet, adds them to the counts, and deletes old ones.

Each campaign is one transaction: what is counted is marked as counted, so that a process may die at any
moment and the next one loses nothing and counts nothing twice. Any number of processes may call this; they
take turns.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlmodel import col

from mailer.database.click_models import ANY_LINK, CampaignLink, Click, ClickCount, Clicker, ClickKey
from mailer.feedback.clicks.first_deliveries import FirstDeliveries
from mailer.feedback.clicks.reader_clicks import record_reader_clicks
from mailer.feedback.clicks.recogniser import (
    MailFacts,
    SeenClick,
    Verdict,
    find_visit_ends,
    judge_clicks,
)
from mailer.feedback.clicks.request_signs import Sign

QUIET: Final = timedelta(minutes=5)
"""How long a visitor is quiet before a visit is judged."""

_LONGEST_VISIT: Final = timedelta(hours=1)
"""A visitor who never goes quiet is judged all the same."""

_CONTEXT: Final = timedelta(hours=2)
"""How much of what was judged before is looked at again, to know its visitor by."""

_ADVISORY_LOCK: Final = 0x70_6D_63_6C
"""The number of a PostgreSQL advisory lock that whoever counts holds. SQLite has one writer at a time."""

_CHUNK: Final = 500
_Key = tuple[bytes, int, str, str, Clicker]


def count_clicks(engine: Engine, *, now: datetime) -> int:
    """Judge and count the clicks of visits that were over five minutes ago; return how many requests.

    Raises:
        SQLAlchemyError: the database failed; what is not counted yet is counted by the next call.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        due = select(col(Click.campaign_id)).where(
            col(Click.clicker).is_(None), col(Click.clicked_at) <= now - QUIET
        )
        campaigns = sorted(set(connection.scalars(due)))
    number = 0
    for campaign_id in campaigns:
        with engine.begin() as connection:
            _take_lock(connection)
            number += _count_campaign(connection, campaign_id, now)
    return number


def delete_old_clicks(engine: Engine, *, before: datetime) -> int:
    """Delete what was counted and came ``before`` a time, with the keys of the days that are over by then;
    return how many clicks.

    Raises:
        SQLAlchemyError: nothing was deleted.
    """
    with engine.begin() as connection:
        _take_lock(connection)
        old = delete(Click).where(col(Click.clicker).is_not(None), col(Click.clicked_at) < before)
        number = connection.execute(old).rowcount
        # A click of the day that is not counted yet keeps its key.
        first = connection.execute(select(func.min(col(Click.clicked_at)))).scalar()
        day = min(before, first or before).astimezone(UTC).date()
        connection.execute(delete(ClickKey).where(col(ClickKey.day) < day))
    return number


def _take_lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})


def _count_campaign(connection: Connection, campaign_id: int, now: datetime) -> int:
    rows = _load_rows(connection, campaign_id)
    clicks = [_see(row) for row in rows]
    ends = find_visit_ends(clicks)
    ready = [
        row
        for row in rows
        if row.clicker is None
        and (ends[row.id] <= now - QUIET or row.clicked_at <= now - QUIET - _LONGEST_VISIT)
    ]
    if not ready:
        return 0
    verdicts = judge_clicks(clicks, _read_facts(connection, campaign_id, ready))
    counts = _count_new(ready, verdicts, _load_counted(connection, campaign_id, ready))
    _add_counts(connection, campaign_id, counts)
    for clicker in Clicker:
        numbers = [row.id for row in ready if verdicts[row.id].clicker is clicker]
        for some in _chunk(numbers):
            connection.execute(update(Click).where(col(Click.id).in_(some)).values(clicker=clicker))
    people = [row for row in ready if verdicts[row.id].clicker is Clicker.person]
    record_reader_clicks(connection, campaign_id, people)
    return len(ready)


def _load_rows(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """The clicks that are not counted, and those just before them."""
    of_campaign = col(Click.campaign_id) == campaign_id
    first = select(func.min(col(Click.clicked_at))).where(of_campaign, col(Click.clicker).is_(None))
    since = connection.execute(first).scalar()
    if since is None:
        return ()
    recent = select(Click.__table__).where(  # type: ignore[attr-defined]
        of_campaign, col(Click.clicked_at) >= since - _CONTEXT
    )
    return connection.execute(recent.order_by(col(Click.clicked_at), col(Click.id))).all()


def _see(row: Any) -> SeenClick:
    known = {sign.value for sign in Sign}
    return SeenClick(
        id=row.id,
        link_number=row.link_number,
        country=row.country,
        sectors=row.sectors,
        at=row.clicked_at,
        visitor=bytes(row.visitor),
        # A sign of a newer version of the program is left out.
        signs=frozenset(Sign(word) for word in row.signs.split(",") if word in known),
    )


def _read_facts(connection: Connection, campaign_id: int, ready: Sequence[Any]) -> MailFacts:
    links = select(func.count()).where(col(CampaignLink.campaign_id) == campaign_id)
    earliest: dict[str, datetime] = {}
    for row in ready:
        earliest.setdefault(row.country, row.clicked_at)
    first = FirstDeliveries(connection, campaign_id, earliest)
    return MailFacts(links=connection.execute(links).scalar_one(), find_first_sent=first.find)


def _load_counted(connection: Connection, campaign_id: int, ready: Sequence[Any]) -> set[_Key]:
    """What the same visitors have been counted for already."""
    found: set[_Key] = set()
    for some in _chunk(sorted({bytes(row.visitor) for row in ready})):
        counted = select(Click.__table__).where(  # type: ignore[attr-defined]
            col(Click.campaign_id) == campaign_id,
            col(Click.clicker).is_not(None),
            col(Click.visitor).in_(some),
        )
        for row in connection.execute(counted):
            found.update(_make_keys(row, Clicker(row.clicker)))
    return found


def _make_keys(row: Any, clicker: Clicker) -> tuple[_Key, _Key]:
    """What a click counts as: for its link, and for any. Readers of another country or with other sectors
    behind the same address are others."""
    visitor = bytes(row.visitor)
    return (
        (visitor, row.link_number, row.country, row.sectors, clicker),
        (visitor, ANY_LINK, row.country, row.sectors, clicker),
    )


def _count_new(
    ready: Sequence[Any], verdicts: Mapping[int, Verdict], counted: set[_Key]
) -> Counter[tuple[int, str, str, Clicker]]:
    counts: Counter[tuple[int, str, str, Clicker]] = Counter()
    for row in ready:
        for key in _make_keys(row, verdicts[row.id].clicker):
            if key not in counted:
                counted.add(key)
                counts[key[1:]] += 1
    return counts


def _add_counts(
    connection: Connection, campaign_id: int, counts: Counter[tuple[int, str, str, Clicker]]
) -> None:
    for (link_number, country, sectors, clicker), number in sorted(counts.items()):
        cell = {
            "campaign_id": campaign_id,
            "link_number": link_number,
            "country": country,
            "sectors": sectors,
            "clicker": clicker,
        }
        same = [getattr(ClickCount, name) == value for name, value in cell.items()]
        more = update(ClickCount).where(*same).values(clicks=col(ClickCount.clicks) + number)
        # Whoever counts holds the lock, so nobody else inserts it meanwhile.
        if not connection.execute(more).rowcount:
            connection.execute(insert(ClickCount).values(**cell, clicks=number))


def _chunk(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
