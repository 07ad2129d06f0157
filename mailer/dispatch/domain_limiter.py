"""Rates for those who receive: a slow domain or provider must not make the others wait.

Each claimed batch is divided once. What a domain and its provider accept within the next seconds is sent now,
in slots; the rest is postponed, spread over the time that they need for it. So a million subscribers at one
provider get their mail slowly, and all others' mail passes them by.

A domain hosted at a provider counts with all others there (:mod:`mailer.providers`), and its own rate, if it
has one, counts too.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine, delete, select
from sqlmodel import col

from mailer.database.engine import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.buckets import (
    NO_DELAY,
    BucketCursor,
    BucketLimit,
    DayCursor,
    Slot,
    SlotBlocks,
    assign_slot,
    lock_buckets,
    save_buckets,
)
from mailer.errors import ConfigurationError
from mailer.providers.provider_directory import ProviderDirectory, ProviderLimit

ANY_DOMAIN = "*"
"""The key of the rate for each domain that has no rate of its own."""

_PREFIX = "domain:"
# A bucket that has been free for so long can be removed.
_UNUSED_AFTER = timedelta(days=1)

_Limits = tuple[BucketLimit, ...]
"""All that one domain counts with; domains that count with the same have the same tuple."""


class _LimitsByDomain(dict[str, _Limits]):
    """The limits that domains count with, as addresses spell them; each is found once."""

    def __init__(self, find: Callable[[str], _Limits]) -> None:
        self._find = find

    def __missing__(self, spelling: str) -> _Limits:
        found = self[spelling] = self._find(spelling)
        return found


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
    """Spreads deliveries over the time that their recipients' domains and providers need.

    ``rates`` are messages per second over all machines by domain; ``"*"`` applies to each other domain
    separately. A domain with a rate of its own is not held to a number that the program only has from a
    table. ``monotonic`` is this process's own clock, in seconds. Slots are shared by all machines; what is
    postponed is planned by each on its own, and asks again when its time has come.
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
        check_domain_rates(rates)
        self._engine = engine
        self._rates = {key if key == ANY_DOMAIN else domain_of(key): rate for key, rate in rates.items()}
        self._default_rate = self._rates.pop(ANY_DOMAIN, None)
        self._provider_limits = provider_limits or {}
        self._directory = directory if self._provider_limits else None
        self._provider_keys = {} if self._directory is None else self._directory.keys
        self._clock = clock
        self._monotonic = monotonic
        # Made once: forty thousand domains of a list share these few.
        self._of_provider = {key: _make_limit(limit) for key, limit in self._provider_limits.items()}
        self._alone = {key: (limit,) for key, limit in self._of_provider.items()}
        self._limits = _LimitsByDomain(self._find_limits)
        self._blocks = SlotBlocks(monotonic)
        # By our own clock: until when each bucket is busy with what was put off.
        self._busy_until: dict[str, float] = {}
        self._has_removed_unused = False

    @property
    def is_unlimited(self) -> bool:
        """Whether neither a domain nor a provider has a rate."""
        return not self._rates and self._default_rate is None and self._directory is None

    def reserve(self, addresses: Sequence[str]) -> list[Slot]:
        """Return when each of ``addresses`` may get its message, in order; at most one transaction."""
        slots = [NO_DELAY] * len(addresses)
        if self.is_unlimited:
            return slots
        found = self._find_all_limits(addresses)
        groups = Counter(found)
        # Those without a limit.
        del groups[()]
        wanted = _count_by_bucket(groups)
        if not self._blocks.take(wanted):
            self._assign_slots(slots, found, groups, wanted)
        return slots

    def _assign_slots(
        self,
        slots: list[Slot],
        found: Sequence[_Limits],
        groups: Mapping[_Limits, int],
        wanted: Mapping[str, int],
    ) -> None:
        """Take slots from the buckets, and set those of ``slots`` that are not now."""
        self._remove_unused()
        # The whole limit even where only its day counts: others of the same batch keep to its rate.
        limits = {each.bucket: each.day_of or each for group in groups for each in group}
        with lock_buckets(self._engine, limits) as (connection, buckets):
            now = self._clock(connection)
            ours = self._monotonic()
            # By our own clock: for how long each is busy with what was postponed before.
            planned = {name: max(0.0, self._busy_until.get(name, ours) - ours) for name in limits}
            cursors = {
                name: BucketCursor(limit, buckets[name], now, planned[name]) for name, limit in limits.items()
            }
            if held := _take_at_once(groups, wanted, cursors):
                for place, group in enumerate(found):
                    if (of_group := held.get(group)) is not None:
                        slots[place] = assign_slot(of_group, now)
            blocks = {name: cursor.take_block(wanted[name]) for name, cursor in cursors.items()}
            save_buckets(connection, (cursor.state() for cursor in cursors.values()))
        for name, cursor in cursors.items():
            if blocks[name]:
                self._blocks.add(name, blocks[name])
            if cursor.planned > 0:
                self._busy_until[name] = ours + cursor.planned

    def _find_all_limits(self, addresses: Sequence[str]) -> list[_Limits]:
        if self._directory is not None and self._directory.refresh():
            self._reset_limits()
        limits = self._limits
        return [limits[address.rpartition("@")[2]] for address in addresses]

    def _reset_limits(self) -> None:
        """Forget what domains count with, and set it for those that count with a provider alone."""
        self._limits.clear()
        if self._default_rate is not None:
            return
        # Together: one by one, a list of many domains takes ten times as long.
        alone = self._alone
        known = self._provider_keys.items()
        self._limits.update({domain: alone[key] for domain, key in known if key in alone})
        for domain in self._rates:
            self._limits.pop(domain, None)

    def _find_limits(self, spelling: str) -> _Limits:
        domain = domain_of(spelling)
        own_rate = self._rates.get(domain)
        rate = own_rate if own_rate is not None else self._default_rate
        key = self._provider_keys.get(domain, "")
        if rate is None:
            return self._alone.get(key, ())
        limit = self._of_provider.get(key)
        own = BucketLimit(bucket=f"{_PREFIX}{domain}", name=domain, interval=_find_interval(rate))
        if limit is None:
            return (own,)
        if own_rate is None or limit.interval is None or self._provider_limits[key].is_set:
            return own, limit
        return (own,) if limit.daily is None else (own, replace(limit, day_of=limit))

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


def _make_limit(limit: ProviderLimit) -> BucketLimit:
    interval = None if limit.rate is None else _find_interval(limit.rate)
    return BucketLimit(bucket=f"provider:{limit.key}", name=limit.name, interval=interval, daily=limit.daily)


def _find_interval(rate: float) -> timedelta:
    return timedelta(seconds=1 / rate)


def _count_by_bucket(groups: Mapping[_Limits, int]) -> Mapping[str, int]:
    wanted = Counter[str]()
    for group, count in groups.items():
        for each in group:
            wanted[each.bucket] += count
    return wanted


def _take_at_once(
    groups: Mapping[_Limits, int], wanted: Mapping[str, int], cursors: Mapping[str, BucketCursor]
) -> dict[_Limits, list[BucketCursor | DayCursor]]:
    """Take the slots of all groups whose messages may go now, whatever their order; return the cursors of the
    others, whose messages take theirs one by one."""
    roomy = {name for name, cursor in cursors.items() if cursor.has_room(wanted[name])}
    others = {}
    for group, count in groups.items():
        of_group = [_choose_cursor(each, cursors) for each in group]
        if all(each.bucket in roomy for each in group):
            for cursor in of_group:
                cursor.take(count)
        else:
            others[group] = of_group
    return others


def _choose_cursor(limit: BucketLimit, cursors: Mapping[str, BucketCursor]) -> BucketCursor | DayCursor:
    cursor = cursors[limit.bucket]
    return cursor if limit.day_of is None else DayCursor(cursor)


def check_domain_rates(rates: Mapping[str, float]) -> None:
    for domain, rate in rates.items():
        if not rate > 0:
            raise ConfigurationError(
                f"[domain_rates] {domain} = {rate:g}: a rate is in messages per second and above 0. "
                "Correct it, or remove the line for no limit."
            )
