"""When messages may be sent by the local time of those who get them.

A sending window is a range of local times on some days of the week. The clock on the subscriber's wall
counts: the window is open when that clock shows a time in the range, also on the days when it jumps. A
window over midnight belongs to the day on which it opens.

A country has one time zone here, from CLDR (through Babel). For a country with several it is the one of most
of its people, unless ``[time_zones]`` names another. Subscribers without a known country have the zone of
``"*"`` in ``[time_zones]``, or UTC.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

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
