"""How long it took until the relay had accepted the messages of a campaign."""

import bisect
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, String, cast, func, literal_column, select
from sqlmodel import col

from mailer.campaigns.report.disclosure import SMALLEST_SHOWN, is_small
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.providers.domain_lookup import read_domain, read_known_providers
from mailer.providers.provider_table import load_providers
from subscribers.models import Subscriber

_MAX_PLACES: Final = 20
_MAX_MOMENTS: Final = 60
_BATCH_ROWS: Final = 5000


def format_duration(seconds: float) -> str:
    """Return a length of time as people say it: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


@dataclass(frozen=True, kw_only=True)
class PlaceHandOver:
    """The time to hand over the messages to one ``place``, a provider or another domain, in seconds since the
    launch. Places of fewer than five readers are left out."""

    place: str
    sent: int
    first: float
    median: float
    most: float
    last: float


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """The time from the launch until the relay accepted the messages, in seconds.

    It covers the ``sent`` messages whose acceptance was recorded when it happened: one that was in doubt and
    was proved later is left out. ``most`` is when 95 % of them were accepted. ``curve`` has, for up to 60
    moments until ``last``, the number accepted until then. ``places`` are the largest, largest first.
    """

    sent: int
    first: float
    median: float
    most: float
    last: float
    curve: tuple[tuple[float, int], ...] = ()
    places: tuple[PlaceHandOver, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        curve = [{"seconds": seconds, "sent": sent} for seconds, sent in self.curve]
        return {**vars(self), "curve": curve}


def measure_hand_over(connection: Connection, campaign_id: int) -> HandOver | None:
    """Measure how long a campaign took to hand over; None if nothing is sent."""
    moment = col(Delivery.updated_at)
    ours = _is_timed(campaign_id)
    first, last, launched_at = connection.execute(
        select(func.min(moment), func.max(moment), func.min(col(Campaign.launched_at)))
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(*ours)
    ).one()
    if first is None or launched_at is None:
        return None
    second = _truncate(connection)
    grouped = select(second, func.count()).where(*ours).group_by(second).order_by(second)
    seconds = _Seconds(launched_at, [(at, number) for at, number in connection.execute(grouped)])
    begin, end = (max(0.0, (at - launched_at).total_seconds()) for at in (first, last))
    return HandOver(
        sent=seconds.sent,
        first=begin,
        median=min(max(seconds.find_share(0.5), begin), end),
        most=min(max(seconds.find_share(0.95), begin), end),
        last=end,
        curve=seconds.draw_curve(end),
        places=_measure_places(connection, campaign_id, launched_at, seconds.sent),
    )


def _is_timed(campaign_id: int) -> Sequence[ColumnElement[bool]]:
    """Return the messages whose row was last written when the relay accepted them."""
    return (
        col(Delivery.campaign_id) == campaign_id,
        col(Delivery.state) == DeliveryState.sent,
        ~col(Delivery.doubted),
    )


def _truncate(connection: Connection) -> ColumnElement[str]:
    """Return the second in which a delivery was last written, as text in UTC: ``2026-03-01 09:00:00``."""
    moment = col(Delivery.updated_at)
    if connection.dialect.name == "sqlite":
        # As text, as it is stored: SQLite has no type for times.
        return func.substr(cast(moment, String), literal_column("1"), literal_column("19"))
    # Literals, because PostgreSQL compares GROUP BY with SELECT including the parameters.
    pattern: ColumnElement[str] = literal_column("'YYYY-MM-DD HH24:MI:SS'")
    return func.to_char(func.timezone(literal_column("'UTC'"), moment), pattern)


class _Seconds:
    """The messages accepted in each second, in order."""

    def __init__(self, launched_at: datetime, counted: Sequence[tuple[str, int]]) -> None:
        moments = [datetime.fromisoformat(second).replace(tzinfo=UTC) for second, _ in counted]
        self._seconds = [max(0.0, (moment - launched_at) / timedelta(seconds=1)) for moment in moments]
        self._until = list(itertools.accumulate(number for _, number in counted))
        self.sent = self._until[-1]

    def find_share(self, share: float) -> float:
        wanted = max(1, round(share * self.sent))
        return self._seconds[bisect.bisect_left(self._until, wanted)]

    def draw_curve(self, end: float) -> tuple[tuple[float, int], ...]:
        """Return how many were accepted until each of some moments from the launch to the ``end``."""
        moments = [end * step / _MAX_MOMENTS for step in range(1, _MAX_MOMENTS)]
        curve = [(round(moment, 1), self._count_until(moment)) for moment in moments] if end > 1 else []
        return (*curve, (end, self.sent))

    def _count_until(self, moment: float) -> int:
        place = bisect.bisect_right(self._seconds, moment)
        return self._until[place - 1] if place else 0


def _measure_places(
    connection: Connection, campaign_id: int, launched_at: datetime, sent: int
) -> tuple[PlaceHandOver, ...]:
    """Measure the places with the most messages. What the others had together is shown by subtraction, so it
    is not of a few people either."""
    domains = _count_domains(connection, campaign_id)
    names = _name_places(connection, domains)
    numbers: Counter[str] = Counter()
    for domain, number in domains.items():
        numbers[names[domain]] += number
    chosen = [name for name, number in numbers.most_common(_MAX_PLACES) if number >= SMALLEST_SHOWN]
    while chosen and is_small(sent - sum(numbers[name] for name in chosen)):
        chosen.pop()
    if not chosen:
        return ()
    found: dict[str, Counter[str]] = {name: Counter() for name in chosen}
    for domain, moment, number in _stream_seconds(connection, campaign_id):
        if names.get(domain) in found:
            found[names[domain]][moment] += number
    timed = {name: _Seconds(launched_at, sorted(found[name].items())) for name in chosen}
    return tuple(
        PlaceHandOver(
            place=name,
            sent=seconds.sent,
            first=seconds.find_share(0),
            median=seconds.find_share(0.5),
            most=seconds.find_share(0.95),
            last=seconds.find_share(1),
        )
        for name, seconds in timed.items()
    )


def _name_places(connection: Connection, domains: Iterable[str]) -> dict[str, str]:
    """Return the provider that receives the mail of each domain, or the domain itself if none is known."""
    table, known = load_providers(), read_known_providers(connection)
    found = {
        domain: table.find_provider_of_domain(domain) or table.by_key.get(known.get(domain, ""))
        for domain in domains
    }
    return {domain: provider.name if provider else domain for domain, provider in found.items()}


def _count_domains(connection: Connection, campaign_id: int) -> dict[str, int]:
    domain = read_domain(connection)
    statement = (
        select(domain, func.count())
        .select_from(Delivery)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(*_is_timed(campaign_id), col(Subscriber.envelope) != "")
        .group_by(domain)
        .order_by(domain)
    )
    return {name: number for name, number in connection.execute(statement) if name}


def _stream_seconds(connection: Connection, campaign_id: int) -> Iterator[Row[str, str, int]]:
    domain, second = read_domain(connection), _truncate(connection)
    statement = (
        select(domain, second, func.count())
        .select_from(Delivery)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(*_is_timed(campaign_id))
        .group_by(domain, second)
        .execution_options(yield_per=_BATCH_ROWS)
    )
    yield from connection.execute(statement)
