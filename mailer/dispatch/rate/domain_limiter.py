"""Rates for those who receive: a slow domain or provider must not make the others wait.

Each claimed batch is divided once. What a domain and its provider accept within the next seconds is sent now,
in slots; the rest is postponed, spread over the time that they need for it. So a million subscribers at one
provider get their mail slowly, and all others' mail passes them by.

A domain hosted at a provider counts with all others there (:mod:`mailer.providers`), and its own rate, if it
has one, counts too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import NamedTuple

from sqlalchemy import Engine, delete, select
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.rate.buckets import BucketState, lock_buckets, save_buckets
from mailer.errors import ConfigurationError
from mailer.providers.provider_directory import ProviderDirectory
from mailer.providers.provider_limits import ProviderLimit

ANY_DOMAIN = "*"
"""The key of the rate for each domain that has no rate of its own."""

# What is sent within this many seconds is held until its slot; any longer, and a pause or an unsubscribe
# would come too late.
_HORIZON = timedelta(seconds=5)
# Nothing is postponed further than this, so that a changed rate soon takes effect.
_MAX_DELAY = timedelta(hours=4)
_CLOCK_SLACK = timedelta(minutes=1)
_PREFIX = "domain:"
# A bucket that has been free for so long can be removed.
_UNUSED_AFTER = timedelta(days=1)


class Slot(NamedTuple):
    """When a delivery may be sent: ``seconds`` from now; or, if ``not_before`` is set, it is postponed until
    then (UTC) and asks again, because ``held_by``, a domain or a provider, accepts no more.
    """

    seconds: float = 0.0
    not_before: datetime | None = None
    held_by: str = ""


_NO_DELAY = Slot()


def domain_bucket(domain: str) -> str:
    """Return the name of the bucket of a domain's rate."""
    return f"{_PREFIX}{domain}"


def provider_bucket(key: str) -> str:
    """Return the name of the bucket of a provider's rate."""
    return f"provider:{key}"


def domain_of(address: str) -> str:
    """Return the domain of an address, after the last @, in lower case and as in DNS (A-labels)."""
    domain = address.rpartition("@")[2].casefold()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


@dataclass(frozen=True, kw_only=True)
class _Limit:
    """What one bucket allows: ``interval`` between two messages, ``daily`` messages per day; None for no
    limit. ``name`` is for people.
    """

    bucket: str
    name: str
    interval: timedelta | None = None
    daily: int | None = None


class _Cursor:
    """How far one bucket is taken while a batch is divided."""

    def __init__(self, limit: _Limit, bucket: BucketState, now: datetime, planned: datetime) -> None:
        self.limit = limit
        self._now = now
        self._first = now
        if limit.interval is not None:
            # Slots are taken as far as the horizon and never beyond it.
            self._first = bucket.first_slot(now, _HORIZON + limit.interval + _CLOCK_SLACK)
        day = now.date()
        # A day in the future was written by a clock that has been set back: what was used counts for today.
        self._used = bucket.used if bucket.day is not None and bucket.day >= day else 0
        self._day = day
        self._planned = planned

    @property
    def slot(self) -> datetime | None:
        """The next slot; None if it is beyond the horizon, or the day is used up."""
        is_used_up = self.limit.daily is not None and self._used >= self.limit.daily
        return None if is_used_up or self._first - self._now > _HORIZON else self._first

    def take(self) -> None:
        """Take the next slot."""
        if self.limit.interval is not None:
            self._first += self.limit.interval
        self._used += 1

    def plan(self) -> datetime:
        """Return when the next delivery that is postponed may ask again, after those planned already."""
        moment = max(self._first, self._planned)
        if self.limit.daily is not None and self._used >= self.limit.daily:
            moment = max(moment, _midnight_after(self._day))
        if self.limit.interval is not None:
            self._planned = min(moment + self.limit.interval, self._now + _MAX_DELAY)
        return min(moment, self._now + _MAX_DELAY)

    @property
    def planned(self) -> datetime:
        """Until when the bucket is busy with what was postponed."""
        return self._planned

    def state(self) -> BucketState:
        """The bucket as it is now."""
        counts = self.limit.daily is not None
        return BucketState(
            name=self.limit.bucket,
            next_at=None if self.limit.interval is None else self._first,
            day=self._day if counts else None,
            used=self._used if counts else 0,
        )


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time_of_day(), UTC)


class DomainRateLimiter:
    """Spreads deliveries over the time that their recipients' domains and providers need.

    ``rates`` are messages per second over all machines by domain; ``"*"`` applies to each other domain
    separately. ``provider_limits`` are those of the providers that ``directory`` finds. A domain with a rate
    of its own is not held to a number that the program only has from a table. ``monotonic`` is this process's
    own clock, in seconds. Slots are shared by all machines; what is postponed is planned by each on its own,
    and asks again when its time has come.

    Raises:
        ConfigurationError: a rate is not above 0.
    """

    def __init__(
        self,
        engine: Engine,
        rates: Mapping[str, float],
        *,
        provider_limits: Mapping[str, ProviderLimit] | None = None,
        directory: ProviderDirectory | None = None,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        for domain, rate in rates.items():
            if not rate > 0:
                raise ConfigurationError(
                    f"[domain_rates] {domain} = {rate:g}: a rate is in messages per second and above 0. "
                    "Correct it, or remove the line for no limit."
                )
        self._engine = engine
        self._rates = {key if key == ANY_DOMAIN else domain_of(key): rate for key, rate in rates.items()}
        self._default_rate = self._rates.pop(ANY_DOMAIN, None)
        self._provider_limits = provider_limits or {}
        self._directory = directory if self._provider_limits else None
        self._clock = clock
        self._monotonic = monotonic
        self._limits: dict[str, tuple[_Limit, ...]] = {}
        # By our own clock: until when each bucket is busy with what was put off.
        self._busy_until: dict[str, float] = {}
        self._has_removed_unused = False

    @property
    def is_unlimited(self) -> bool:
        """Whether neither a domain nor a provider has a rate."""
        return not self._rates and self._default_rate is None and self._directory is None

    def reserve(self, addresses: Sequence[str]) -> list[Slot]:
        """When each of ``addresses`` may get its message, in the same order; at most one transaction."""
        slots = [_NO_DELAY] * len(addresses)
        limited = [] if self.is_unlimited else self._find_limited(addresses)
        if not limited:
            return slots
        self._remove_unused()
        limits = {limit.bucket: limit for _, found in limited for limit in found}
        with lock_buckets(self._engine, limits) as (connection, buckets):
            now = self._clock(connection)
            ours = self._monotonic()
            cursors = {
                name: _Cursor(limit, buckets[name], now, self._planned_until(name, now, ours))
                for name, limit in limits.items()
            }
            for place, found in limited:
                slots[place] = _assign_slot([cursors[limit.bucket] for limit in found], now)
            save_buckets(connection, (cursor.state() for cursor in cursors.values()))
        for name, cursor in cursors.items():
            if cursor.planned > now:
                self._busy_until[name] = ours + (cursor.planned - now).total_seconds()
        return slots

    def _find_limited(self, addresses: Sequence[str]) -> list[tuple[int, tuple[_Limit, ...]]]:
        """The places of the addresses that are limited, with what limits them."""
        if self._directory is not None and self._directory.refresh():
            self._limits.clear()
        limited = []
        for place, address in enumerate(addresses):
            domain = domain_of(address)
            found = self._limits.get(domain)
            if found is None:
                found = self._limits[domain] = self._find_limits(domain)
            if found:
                limited.append((place, found))
        return limited

    def _find_limits(self, domain: str) -> tuple[_Limit, ...]:
        found = []
        own_rate = self._rates.get(domain)
        rate = own_rate if own_rate is not None else self._default_rate
        if rate is not None:
            found.append(
                _Limit(bucket=domain_bucket(domain), name=domain, interval=timedelta(seconds=1 / rate))
            )
        provider = self._directory.find_provider(domain) if self._directory is not None else None
        limit = self._provider_limits.get(provider.key) if provider is not None else None
        if limit is not None:
            rate = None if own_rate is not None and not limit.is_set else limit.rate
            if rate is not None or limit.daily is not None:
                found.append(
                    _Limit(
                        bucket=provider_bucket(limit.key),
                        name=limit.name,
                        interval=None if rate is None else timedelta(seconds=1 / rate),
                        daily=limit.daily,
                    )
                )
        return tuple(found)

    def _planned_until(self, bucket: str, now: datetime, ours: float) -> datetime:
        """Until when the bucket is busy with what was postponed before, by the database's clock."""
        return now + timedelta(seconds=max(0.0, self._busy_until.get(bucket, ours) - ours))

    def _remove_unused(self) -> None:
        """Once a run, remove the buckets of domains that no message went to for a day."""
        if self._has_removed_unused:
            return
        self._has_removed_unused = True
        with self._engine.begin() as connection:
            old = (
                col(RateBucket.name).startswith(_PREFIX, autoescape=True),
                col(RateBucket.next_at) < self._clock(connection) - _UNUSED_AFTER,
            )
            # Rows that another process has locked stay, and are not waited for.
            names = select(col(RateBucket.name)).where(*old).with_for_update(skip_locked=True)
            connection.execute(delete(RateBucket).where(col(RateBucket.name).in_(names)))


def _assign_slot(cursors: Sequence[_Cursor], now: datetime) -> Slot:
    """Return the slot of one delivery; it is taken from all of ``cursors``, or from none."""
    ready = [cursor.slot for cursor in cursors]
    if None not in ready:
        for cursor in cursors:
            cursor.take()
        return Slot(seconds=(max(slot for slot in ready if slot is not None) - now).total_seconds())
    # Those that would take it now plan nothing: whoever comes next may have their slot.
    planned = [
        (cursor.plan(), cursor.limit.name)
        for cursor, slot in zip(cursors, ready, strict=True)
        if slot is None
    ]
    moment, name = max(planned)
    return Slot(seconds=(moment - now).total_seconds(), not_before=moment, held_by=name)
