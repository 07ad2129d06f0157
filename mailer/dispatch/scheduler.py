"""When each message of a run may be sent, by the rates of its campaign, relay and domain, and by local time.

A sending window is a range of local times on some days of the week. The clock on the subscriber's wall
counts: the window is open when that clock shows a time in the range, also on the days when it jumps. A
window over midnight belongs to the day on which it opens.

A country has one time zone here, from CLDR (through Babel). For a country with several it is the one of most
of its people, unless ``[time_zones]`` names another. Subscribers without a known country have the zone of
``"*"`` in ``[time_zones]``, or UTC.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

from locales.phrase import gettext_noop
from mailer.dispatch.buckets import NO_DELAY
from mailer.dispatch.deliveries import Claim
from mailer.dispatch.domain_limiter import DomainRateLimiter
from mailer.dispatch.rate_limiter import RateLimiter
from mailer.dispatch.relays import Relay
from mailer.errors import ConfigurationError
from mailer.settings import Settings

# The capital's, which everywhere is that of most people (AQ and UM have neither). The settings can name
# another: a list with many subscribers in California needs America/Los_Angeles.
MAIN_ZONES: Final = {
    "AQ": "Antarctica/McMurdo",
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "FM": "Pacific/Pohnpei",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MH": "Pacific/Majuro",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UM": "Pacific/Wake",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}
"""The zone of each country that has several."""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY: Final = 24 * 60
_ANY_COUNTRY: Final = "*"
# No zone changes its offset twice within this time.
_SEARCH_STEP: Final = timedelta(hours=6)
_SECOND: Final = timedelta(seconds=1)
# A window of one day of the week opens within eight days, or fifteen where a calendar skips that one.
_MAX_DAYS: Final = 30
_PAUSE_SECONDS = 60.0
"""A day ends by the database's clock, which may be changed, so it is asked again."""
_WINDOW_CLOSED_REASON = gettext_noop("It is outside the sending hours where the subscriber lives.")


class _Interval(NamedTuple):
    start: datetime
    end: datetime
    is_open: bool


class SendingWindows:
    """Says when the sending window of a country opens. Raise ConfigurationError if the settings are
    invalid."""

    def __init__(self, settings: Settings) -> None:
        self._start, self._end = _parse_window(settings.campaigns.window)
        self._days = frozenset(_DAYS.index(day) for day in settings.campaigns.window_days)
        if not self._days:
            raise ConfigurationError(
                "[campaigns] window_days is empty, so nothing could ever be sent. "
                "List at least one day, or remove the line."
            )
        self._zones = {
            country.upper(): _load_zone(country, zone) for country, zone in settings.time_zones.items()
        }
        self._intervals: dict[ZoneInfo, _Interval] = {}

    @property
    def is_always_open(self) -> bool:
        return self._end - self._start == _WHOLE_DAY and len(self._days) == len(_DAYS)

    def zone_of(self, country: str | None) -> ZoneInfo:
        """Return the time zone of a country (ISO 3166-1 alpha-2)."""
        key = (country or _ANY_COUNTRY).upper()
        if key not in self._zones:
            name = MAIN_ZONES.get(key) or next(iter(get_global("territory_zones").get(key, ())), None)
            elsewhere = self._zones.get(_ANY_COUNTRY) or ZoneInfo("UTC")
            self._zones[key] = ZoneInfo(name) if name else elsewhere
        return self._zones[key]

    def opens_at(self, country: str | None, now: datetime) -> datetime | None:
        """Return when the window of this country opens (UTC); None if it is open ``now``."""
        if self.is_always_open:
            return None
        zone = self.zone_of(country)
        span = self._intervals.get(zone)
        if span is None or not span.start <= now < span.end:
            span = self._intervals[zone] = self._find_interval(zone, now)
        return None if span.is_open else span.end

    def is_open_at(self, zone: ZoneInfo, moment: datetime) -> bool:
        local = moment.astimezone(zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self._start < self._end:
            return self._start <= minute < self._end and day in self._days
        yesterday = (day - 1) % len(_DAYS)
        return (minute >= self._start and day in self._days) or (
            minute < self._end and yesterday in self._days
        )

    def _find_interval(self, zone: ZoneInfo, now: datetime) -> _Interval:
        """Return the period around ``now``, from ``now`` on."""
        is_open = self.is_open_at(zone, now)
        for moment in self._possible_changes(zone, now):
            if self.is_open_at(zone, moment) is not is_open:
                return _Interval(now, moment, is_open)
        # A range of minutes that the clocks skip on each of its days, so they never show it.
        return _Interval(now, now + timedelta(days=_MAX_DAYS), is_open)

    def _possible_changes(self, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
        """Yield every moment after ``now`` at which the window may open or close, in order."""
        since = now
        for _ in range(_MAX_DAYS):
            until = since + timedelta(days=1)
            local = since.astimezone(zone).date()
            # 24 hours touch three local days where a calendar skips one.
            days = [local + timedelta(days=number) for number in range(4)]
            points = {moment for day in days for moment in self._window_edges(zone, day)}
            points |= set(_find_offset_changes(zone, since, until))
            yield from sorted(point for point in points if since < point <= until)
            since = until

    def _window_edges(self, zone: ZoneInfo, day: date) -> Iterator[datetime]:
        """Yield each time the clocks of ``zone`` show midnight or the window's times on ``day``."""
        for minute in {0, self._start % _WHOLE_DAY, self._end % _WHOLE_DAY}:
            for fold in (0, 1):
                shown = time_of_day(minute // 60, minute % 60, fold=fold)
                yield datetime.combine(day, shown, zone).astimezone(UTC)


def _find_offset_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the moments in ``(start, end]`` at which the UTC offset of ``zone`` changes."""

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(zone).utcoffset()

    while start < end:
        later = min(start + _SEARCH_STEP, end)
        if offset(start) != offset(later):
            yield _bisect(start, later, offset)
        start = later


def _bisect(start: datetime, end: datetime, offset: Callable[[datetime], timedelta | None]) -> datetime:
    """Return the first whole second of ``(start, end]`` with the offset of ``end``, not of ``start``."""
    low = start.replace(microsecond=0)
    steps_low, steps_high = 0, -((low - end) // _SECOND)
    while steps_high - steps_low > 1:
        middle = (steps_low + steps_high) // 2
        if offset(low + middle * _SECOND) == offset(end):
            steps_high = middle
        else:
            steps_low = middle
    return low + steps_high * _SECOND


def _parse_window(text: str) -> tuple[int, int]:
    """Return the first minute of the day inside the window and the first outside; all day if ``text`` is
    empty."""
    if not text:
        return 0, _WHOLE_DAY
    opening, closing = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    hours_are_right = all(int(part[3:]) < 60 for part in text.split("-"))
    if not hours_are_right or opening >= _WHOLE_DAY or closing > _WHOLE_DAY or opening == closing:
        raise ConfigurationError(
            f'[campaigns] window = "{text}": not a valid range of times. Write it like "08:00-18:00" or '
            '"20:00-06:00", or leave it empty to send at any hour.'
        )
    return opening, closing


def _load_zone(country: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f'[time_zones] {country} = "{name}": no such time zone. Use a name from the IANA list, such as '
            "Asia/Shanghai."
        ) from error


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Claimed deliveries by when they may be sent: ``now``, in so many seconds, or not before a time, by the
    reason why they are postponed."""

    now: Sequence[Claim] = ()
    soon: Sequence[tuple[Claim, float]] = ()
    later: Mapping[str, Sequence[tuple[Claim, datetime]]] = field(default_factory=dict)


class SendScheduler:
    """Applies every rate and window of one run. For the thread of its event loop."""

    def __init__(
        self,
        campaign: RateLimiter,
        relays: Mapping[str, RateLimiter],
        domains: DomainRateLimiter,
        windows: SendingWindows | None,
    ) -> None:
        self._campaign = campaign
        self._relays = relays
        self._domains = domains
        self._windows = windows
        self._loop = asyncio.get_running_loop()
        # When the slots begin that were taken and not yet used, by bucket; "" is the campaign's.
        self._slots: dict[str, float] = {}
        self.is_unlimited = campaign.is_unlimited and all(limiter.is_unlimited for limiter in relays.values())

    def seconds_until_slot(self, relay: Relay) -> float | None:
        """Return the seconds until a message may go over ``relay``; None if it takes no more today. A slot is
        kept for the first caller after it has begun; :meth:`use_slot` says that it was used."""
        if self.is_unlimited and relay.throttle.interval == 0:
            return 0.0
        limiter = self._relays[relay.name]
        if not self._hold_slot("", self._campaign) or not self._hold_slot(relay.name, limiter):
            return None
        if (throttled := f"{relay.name} throttled") not in self._slots:
            self._slots[throttled] = self._loop.time() + relay.throttle.acquire()
        slots = (self._slots[name] for name in ("", relay.name, throttled))
        return max(0.0, max(slots) - self._loop.time())

    def use_slot(self, relay: Relay) -> None:
        if not self._slots:
            return
        for name in ("", relay.name, f"{relay.name} throttled"):
            self._slots.pop(name, None)

    def explain_pause(self, relay: Relay) -> tuple[float, str]:
        """Return for how many seconds not to use a relay that takes no more today, and why."""
        limit_reached = self._relays[relay.name].limit_reached or self._campaign.limit_reached
        assert limit_reached is not None  # noqa: S101 - seconds_until_slot said None
        return _PAUSE_SECONDS, limit_reached.reason

    def schedule(self, claims: Sequence[Claim], now: datetime) -> Schedule:
        if self._windows is None and self._domains.is_unlimited:
            return Schedule(now=claims)
        opened, closed = self._split_by_window(claims, now)
        later = {_WINDOW_CLOSED_REASON: closed} if closed else {}
        slots = self._domains.reserve([claim.subscriber.envelope for claim in opened])
        if slots.count(NO_DELAY) == len(slots):
            return Schedule(now=opened, later=later)
        ready, soon = [], []
        for claim, slot in zip(opened, slots, strict=True):
            if slot is NO_DELAY:
                ready.append(claim)
            elif slot.not_before is None:
                soon.append((claim, slot.seconds))
            else:
                reason = gettext_noop("%(held_by)s accepts no more at the moment.") % {
                    "held_by": slot.held_by
                }
                later.setdefault(reason, []).append((claim, slot.not_before))
        return Schedule(now=ready, soon=soon, later=later)

    def close(self) -> None:
        for name, limiter in {"": self._campaign, **self._relays}.items():
            if name in self._slots:
                limiter.release()
            limiter.close()

    def _split_by_window(
        self, claims: Sequence[Claim], now: datetime
    ) -> tuple[list[Claim], list[tuple[Claim, datetime]]]:
        if self._windows is None:
            return list(claims), []
        opened, closed = [], []
        for claim in claims:
            opens = self._windows.opens_at(claim.subscriber.country, now)
            if opens is None:
                opened.append(claim)
            else:
                closed.append((claim, opens))
        return opened, closed

    def _hold_slot(self, name: str, limiter: RateLimiter) -> bool:
        """Take a slot of ``limiter`` unless one is held; False if there is none today."""
        if name not in self._slots:
            wait = limiter.acquire()
            if wait is None:
                return False
            self._slots[name] = self._loop.time() + wait
        return True
