"""Rates for the domains of recipients: a slow domain must not make the others wait.

Each claimed batch is divided once. What a domain accepts within the next seconds is sent now, in slots; the
rest is postponed, spread over the time that the domain needs for it. So a million subscribers at one provider
get their mail slowly, and all others' mail passes them by.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, delete, select
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.rate.buckets import BucketState, lock_buckets, save_buckets
from mailer.errors import ConfigurationError

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
    then (UTC) and asks again.
    """

    seconds: float = 0.0
    not_before: datetime | None = None


_NO_DELAY = Slot()


def domain_bucket(domain: str) -> str:
    """Return the name of the bucket of a domain's rate."""
    return f"{_PREFIX}{domain}"


def domain_of(address: str) -> str:
    """Return the domain of an address, after the last @, in lower case and as in DNS (A-labels)."""
    domain = address.rpartition("@")[2].casefold()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


class DomainRateLimiter:
    """Spreads deliveries over the time that their recipients' domains need.

    ``rates`` are messages per second over all machines by domain; ``"*"`` applies to each other domain
    separately. ``monotonic`` is this process's own clock, in seconds. Slots are shared by all machines; what
    is postponed is planned by each on its own, and asks again when its time has come.

    Raises:
        ConfigurationError: a rate is not above 0.
    """

    def __init__(
        self,
        engine: Engine,
        rates: Mapping[str, float],
        *,
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
        self._clock = clock
        self._monotonic = monotonic
        # By our own clock: until when each domain is busy with what was put off.
        self._busy_until: dict[str, float] = {}
        self._has_removed_unused = False

    @property
    def is_unlimited(self) -> bool:
        """Whether no domain has a rate."""
        return not self._rates and self._default_rate is None

    def reserve(self, addresses: Sequence[str]) -> list[Slot]:
        """When each of ``addresses`` may get its message, in the same order; at most one transaction."""
        slots = [_NO_DELAY] * len(addresses)
        waiting = {} if self.is_unlimited else self._group_by_domain(addresses)
        if not waiting:
            return slots
        self._remove_unused()
        with lock_buckets(self._engine, [domain_bucket(d) for d in waiting]) as (connection, buckets):
            now = self._clock(connection)
            taken = []
            for domain, places in waiting.items():
                found, bucket = self._assign_slots(domain, len(places), buckets[domain_bucket(domain)], now)
                taken.append(bucket)
                for place, slot in zip(places, found, strict=True):
                    slots[place] = slot
            save_buckets(connection, taken)
        return slots

    def _group_by_domain(self, addresses: Sequence[str]) -> dict[str, list[int]]:
        """The places of the addresses by domain, of domains that have a rate."""
        waiting: defaultdict[str, list[int]] = defaultdict(list)
        for place, address in enumerate(addresses):
            domain = domain_of(address)
            if self._rate(domain) is not None:
                waiting[domain].append(place)
        return waiting

    def _rate(self, domain: str) -> float | None:
        return self._rates.get(domain, self._default_rate)

    def _assign_slots(
        self, domain: str, count: int, bucket: BucketState, now: datetime
    ) -> tuple[list[Slot], BucketState]:
        """Return slots for ``count`` deliveries to one domain, and the state of its bucket after them."""
        rate = self._rate(domain)
        assert rate is not None  # noqa: S101 - only domains with a rate come here
        interval = timedelta(seconds=1 / rate)
        # Slots are taken as far as the horizon and never beyond it.
        first = bucket.first_slot(now, _HORIZON + interval + _CLOCK_SLACK)
        count_now = (
            max(0, min(count, int((now + _HORIZON - first) / interval) + 1)) if first - now <= _HORIZON else 0
        )
        start = (first - now).total_seconds()
        slots = [Slot(seconds=start + number / rate) for number in range(count_now)]
        free = first + count_now * interval
        slots += self._postpone(domain, count - count_now, free, now)
        return slots, replace(bucket, next_at=free)

    def _postpone(self, domain: str, count: int, free: datetime, now: datetime) -> list[Slot]:
        """Return slots after everything that is already planned for this domain."""
        if count == 0:
            return []
        ours, interval = self._monotonic(), 1 / (self._rate(domain) or 1)
        furthest = _MAX_DELAY.total_seconds()
        start = max((free - now).total_seconds(), self._busy_until.get(domain, ours) - ours)
        self._busy_until[domain] = ours + min(start + count * interval, furthest)
        waits = (min(start + number * interval, furthest) for number in range(count))
        return [Slot(seconds=wait, not_before=now + timedelta(seconds=wait)) for wait in waits]

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
