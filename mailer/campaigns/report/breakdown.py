"""A campaign by country and sector of its readers, with what is too small to be shown put together."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select
from sqlmodel import col

from mailer.campaigns.report.departures import select_departed
from mailer.campaigns.report.disclosure import SMALLEST_SHOWN, Figure, hide_groups, hide_parts, is_small
from mailer.database.models import Delivery, DeliveryState
from subscribers.models import Subscriber, SubscriberSector

Country = str | None


@dataclass(frozen=True, kw_only=True)
class BreakdownRow:
    """The readers of one country (None for unknown), or of several with too few readers to be shown apart.

    ``not_sent`` did not get the mail, or not yet. ``left`` have left since
    (:class:`mailer.campaigns.report.departures.Departures`). ``by_sector`` are those of ``sent`` who follow
    each of the breakdown's sectors; somebody who follows two is counted in both. A figure is None if it is
    hidden.
    """

    countries: tuple[str | None, ...]
    sent: Figure
    not_sent: Figure
    left: Figure
    by_sector: tuple[Figure, ...]
    no_sector: Figure


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A campaign by country × sector (slugs): ``rows`` by readers, largest first, with what was put together
    and the unknown last. They are empty if everybody is in one row, or there are too few readers to tell them
    apart."""

    sectors: tuple[str, ...]
    rows: tuple[BreakdownRow, ...]
    total: BreakdownRow

    @property
    def hides(self) -> bool:
        return any(None in (row.sent, row.not_sent, row.left, row.no_sector, *row.by_sector) for row in self)

    def __iter__(self) -> Iterator[BreakdownRow]:
        yield from (*self.rows, self.total)

    def as_dict(self) -> dict[str, Any]:
        return {"countries": [self._row(row) for row in self.rows], "total": self._row(self.total)}

    def _row(self, row: BreakdownRow) -> dict[str, Any]:
        figures: Mapping[str, Figure] = {"sent": row.sent, "not_sent": row.not_sent, "left": row.left}
        sectors = dict(zip(self.sectors, row.by_sector, strict=True))
        return {"countries": list(row.countries), **figures, "sectors": sectors, "no_sector": row.no_sector}


@dataclass(kw_only=True)
class CountryCounts:
    """The exact numbers of one country, or of several."""

    countries: tuple[Country, ...]
    sent: int = 0
    not_sent: int = 0
    left: int = 0
    no_sector: int = 0
    by_sector: Counter[str] = field(default_factory=Counter)


def count_breakdown(connection: Connection, campaign_id: int, sectors: Sequence[str]) -> Breakdown:
    """Count a campaign by country and ``sectors`` (slugs), without any figure of fewer than five people."""
    return hide_small_figures(_count_countries(connection, campaign_id).values(), sectors)


def hide_small_figures(countries: Iterable[CountryCounts], sectors: Sequence[str]) -> Breakdown:
    """Make the breakdown of exact numbers: nothing in it tells a figure of fewer than five people.

    Countries with too few readers become one row. Within a row, sectors overlap and are all among those it
    was sent to. Within a column, ``not_sent`` and ``left`` add up to the campaign's own numbers. The total of
    a sector is hidden if it would reveal a hidden figure above it.
    """
    counted = list(countries)
    whole = _add_up(counted)
    rows = _put_together(counted)
    if len(rows) < 2:
        rows = []
    not_sent, left = hide_parts([row.not_sent for row in rows]), hide_parts([row.left for row in rows])
    shown = [
        _make_row(row, sectors, not_sent=not_sent[place], left=left[place]) for place, row in enumerate(rows)
    ]
    total = _make_row(whole, sectors, not_sent=whole.not_sent, left=whole.left)
    return Breakdown(
        sectors=tuple(sectors), rows=tuple(shown), total=_hide_telling_totals(total, shown, rows, sectors)
    )


def _make_row(
    counts: CountryCounts, sectors: Sequence[str], *, not_sent: Figure, left: Figure
) -> BreakdownRow:
    groups = [*(counts.by_sector[sector] for sector in sectors), counts.no_sector]
    *by_sector, no_sector = hide_groups(counts.sent, groups)
    return BreakdownRow(
        countries=counts.countries,
        sent=counts.sent,
        not_sent=not_sent,
        left=left,
        by_sector=tuple(by_sector),
        no_sector=no_sector,
    )


def _put_together(counted: Sequence[CountryCounts]) -> list[CountryCounts]:
    """Put the countries together whose readers are too few to be shown, and with them the next smallest if
    even together they are. They come last, as do readers whose country is unknown."""
    ordered = sorted(counted, key=lambda row: (row.countries == (None,), -row.sent, str(row.countries)))
    small = [row for row in ordered if is_small(row.sent)]
    rest = [row for row in ordered if not is_small(row.sent)]
    while small and is_small(sum(row.sent for row in small)):
        larger = [row for row in rest if row.sent]
        if not larger:
            return []
        next_smallest = min(larger, key=lambda row: row.sent)
        rest.remove(next_smallest)
        small.append(next_smallest)
    return [*rest, *([_add_up(small)] if small else [])]


def _add_up(rows: Sequence[CountryCounts]) -> CountryCounts:
    by_sector: Counter[str] = Counter()
    for row in rows:
        by_sector.update(row.by_sector)
    return CountryCounts(
        countries=tuple(country for row in rows for country in row.countries),
        sent=sum(row.sent for row in rows),
        not_sent=sum(row.not_sent for row in rows),
        left=sum(row.left for row in rows),
        no_sector=sum(row.no_sector for row in rows),
        by_sector=by_sector,
    )


def _hide_telling_totals(
    total: BreakdownRow, shown: Sequence[BreakdownRow], rows: Sequence[CountryCounts], sectors: Sequence[str]
) -> BreakdownRow:
    """Hide the total of each sector that would tell a hidden figure in its column."""
    columns = [[row.by_sector[sector] for row in rows] for sector in sectors]
    columns.append([row.no_sector for row in rows])
    figures = [
        None if _tells(shown, place, column) else figure
        for place, (column, figure) in enumerate(zip(columns, _list_groups(total), strict=True))
    ]
    return replace(total, by_sector=tuple(figures[:-1]), no_sector=figures[-1])


def _list_groups(row: BreakdownRow) -> tuple[Figure, ...]:
    return (*row.by_sector, row.no_sector)


def _tells(shown: Sequence[BreakdownRow], place: int, numbers: Sequence[int]) -> bool:
    """Return whether the sum of the column at ``place`` tells that a hidden figure, or those in its row
    outside it, are fewer than five.

    By the sum, a figure is at most what is left when each other is as small as its row allows, and at least
    what is left when each other is as large. Nobody is in no group of a row, so what a row shows tells how
    many the rest of it has at least.
    """
    hidden = [index for index, row in enumerate(shown) if _list_groups(row)[place] is None]
    total = sum(numbers[index] for index in hidden)
    in_groups = {index: sum(figure or 0 for figure in _list_groups(shown[index])) for index in hidden}
    fewest = {index: max(1, (shown[index].sent or 0) - in_groups[index]) for index in hidden}
    most = {index: (shown[index].sent or 0) - _find_outside(shown[index], place) for index in hidden}
    for index in hidden:
        people = shown[index].sent or 0
        largest = min(people, total - sum(fewest[other] for other in hidden if other != index))
        smallest = max(0, total - sum(most[other] for other in hidden if other != index))
        protected = min(SMALLEST_SHOWN, people - 1)
        if largest <= smallest or largest < protected or people - smallest < protected:
            return True
    return False


def _find_outside(row: BreakdownRow, place: int) -> int:
    """Return how many of a row are known to be in no sector, if the group at ``place`` is a sector."""
    return (
        row.no_sector or 0
        if place < len(row.by_sector)
        else max((figure or 0 for figure in row.by_sector), default=0)
    )


def _count_countries(connection: Connection, campaign_id: int) -> Mapping[Country, CountryCounts]:
    found: dict[Country, CountryCounts] = {}

    def of(country: Country) -> CountryCounts:
        return found.setdefault(country, CountryCounts(countries=(country,)))

    state, sector = col(Delivery.state), col(SubscriberSector.sector)
    is_sent = state == DeliveryState.sent
    their_sector = col(SubscriberSector.subscriber_id) == col(Delivery.subscriber_id)
    for country, outcome, number in connection.execute(_count_readers(campaign_id, state)):
        if outcome is DeliveryState.sent:
            of(country).sent += number
        else:
            of(country).not_sent += number
    by_sector = _count_readers(campaign_id, sector).join(SubscriberSector, their_sector).where(is_sent)
    for country, name, number in connection.execute(by_sector):
        of(country).by_sector[name] += number
    without = _count_readers(campaign_id).where(is_sent, ~exists().where(their_sector))
    for country, number in connection.execute(without):
        of(country).no_sector += number
    gone = select_departed(campaign_id).subquery()
    left = (
        select(col(Subscriber.country), func.count())
        .select_from(gone)
        .join(Subscriber, col(Subscriber.id) == gone.c.subscriber_id)
        .group_by(col(Subscriber.country))
    )
    for country, number in connection.execute(left):
        of(country).left += number
    return found


def _count_readers(campaign_id: int, *kinds: Any) -> Select[Any]:
    """Build the query that counts the readers of a campaign by country and ``kinds``."""
    columns = (col(Subscriber.country), *kinds)
    counted: Select[Any] = select(*columns, func.count()).select_from(Delivery)
    return (
        counted.join(Subscriber, col(Delivery.subscriber_id) == col(Subscriber.id))
        .where(col(Delivery.campaign_id) == campaign_id)
        .group_by(*columns)
    )
