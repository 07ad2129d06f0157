"""Judges the clicks of visitors who have gone quiet, adds them to the counts, and deletes old ones.

Each campaign is one transaction: what is counted is marked as counted, so that a process may die at any
moment and the next one loses nothing and counts nothing twice. Any number of processes may call this; they
take turns.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlmodel import col

from mailer.database.engine import Clock, read_clock
from mailer.database.models import Delivery, DeliveryState
from mailer.database.report_models import (
    ANY_LINK,
    CampaignLink,
    Click,
    ClickCount,
    Clicker,
    ClickKey,
    ReaderClick,
)
from mailer.feedback.clicks.recogniser import (
    ClickVerdict,
    SeenClick,
    find_visit_ends,
    judge_clicks,
)
from mailer.feedback.clicks.request_signs import Sign
from mailer.feedback.context import FeedbackContext
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import Subscriber

_HANDED_OVER: Final = (DeliveryState.sent, DeliveryState.in_doubt)
_LONG_BEFORE: Final = timedelta(minutes=1)
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
_LOOK_SECONDS: Final = 30.0


class FirstDeliveries:
    """Answers from the ledger, once for each country. ``earliest`` is the first click of each. A filter
    follows links while it receives a mail, before it is known to have it; so mails in doubt count.
    """

    def __init__(self, connection: Connection, campaign_id: int, earliest: Mapping[str, datetime]) -> None:
        self._connection = connection
        self._campaign_id = campaign_id
        self._earliest = earliest
        self._found: dict[str, datetime | None] = {}

    def find(self, country: str) -> datetime | None:
        """Return the time of the first, or of any that was long before the country's first click; None if
        there is none."""
        if country not in self._found:
            self._found[country] = self._find(country)
        return self._found[country]

    def _find(self, country: str) -> datetime | None:
        # Of a million deliveries, one that is old enough is found at once, and the first is not needed.
        if (earliest := self._earliest.get(country)) is not None:
            long_before = col(Delivery.updated_at) < earliest - _LONG_BEFORE
            some = self._select(col(Delivery.updated_at), country).where(long_before).limit(1)
            found: datetime | None = self._connection.execute(some).scalar()
            if found is not None:
                return found
        first = self._connection.execute(self._select(func.min(col(Delivery.updated_at)), country)).scalar()
        return first if isinstance(first, datetime) else None

    def _select(self, what: Any, country: str) -> Any:
        theirs = col(Subscriber.country) == country if country else col(Subscriber.country).is_(None)
        return (
            select(what)
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(
                col(Delivery.campaign_id) == self._campaign_id,
                col(Delivery.state).in_(_HANDED_OVER),
                theirs,
            )
        )


def record_reader_clicks(connection: Connection, campaign_id: int, clicks: Sequence[Any]) -> None:
    """Record the first click on each link of each reader who still agrees. ``clicks`` are rows in the order
    of time. The caller commits.
    """
    named = {row.subscriber_id for row in clicks if row.subscriber_id is not None}
    if not named:
        return
    # Locked, so that somebody who withdraws or is erased at this moment does so before or after, and not
    # between the question and the answer.
    agreed = set(
        connection.scalars(
            select(col(Subscriber.id))
            .where(
                col(Subscriber.id).in_(named),
                col(Subscriber.click_consent),
                col(Subscriber.status).not_in(GONE_STATUSES),
            )
            .order_by(col(Subscriber.id))
            .with_for_update()
        )
    )
    known = {
        (row.subscriber_id, row.link_number)
        for row in connection.execute(
            select(col(ReaderClick.subscriber_id), col(ReaderClick.link_number)).where(
                col(ReaderClick.campaign_id) == campaign_id, col(ReaderClick.subscriber_id).in_(agreed)
            )
        )
    }
    for row in clicks:
        place = (row.subscriber_id, row.link_number)
        if row.subscriber_id in agreed and place not in known:
            known.add(place)
            connection.execute(
                insert(ReaderClick).values(
                    campaign_id=campaign_id,
                    subscriber_id=row.subscriber_id,
                    link_number=row.link_number,
                    clicked_at=row.clicked_at,
                )
            )


def count_clicks(engine: Engine, *, now: datetime) -> int:
    """Judge and count the clicks of visits that were over five minutes ago; return how many requests. Raise
    SQLAlchemyError if the database failed; what is not counted yet is counted by the next call.
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
    return how many clicks. Raise SQLAlchemyError if nothing was deleted.
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
    links = select(func.count()).where(col(CampaignLink.campaign_id) == campaign_id)
    earliest: dict[str, datetime] = {}
    for row in ready:
        earliest.setdefault(row.country, row.clicked_at)
    first = FirstDeliveries(connection, campaign_id, earliest)
    verdicts = judge_clicks(clicks, links=connection.execute(links).scalar_one(), find_first_sent=first.find)
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
    """Return the clicks that are not counted, and those just before them."""
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


def _load_counted(connection: Connection, campaign_id: int, ready: Sequence[Any]) -> set[_Key]:
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
    """Return what a click counts as: for its link, and for any. Readers of another country or with other
    sectors behind the same address are others."""
    visitor, group = bytes(row.visitor), (row.country, row.sectors, clicker)
    return (visitor, row.link_number, *group), (visitor, ANY_LINK, *group)


def _count_new(
    ready: Sequence[Any], verdicts: Mapping[int, ClickVerdict], counted: set[_Key]
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


def watch_clicks(context: FeedbackContext, stop: threading.Event, *, clock: Clock = read_clock) -> None:
    """Do as :func:`count_due_clicks` every half a minute, until ``stop`` is set."""
    while not stop.is_set():
        with context.engine.connect().execution_options(read_only=True) as connection:
            now = clock(connection)
        count_due_clicks(context, now=now)
        stop.wait(_LOOK_SECONDS)


def count_due_clicks(context: FeedbackContext, *, now: datetime) -> None:
    """Count what is due ``now`` and delete what is too old. Raise SQLAlchemyError if the database failed;
    nothing is lost by calling this again.
    """
    count_clicks(context.engine, now=now)
    keep = timedelta(hours=context.workspace.settings.retention.click_hours)
    delete_old_clicks(context.engine, before=now - keep)
