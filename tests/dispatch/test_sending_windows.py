"""Sending windows in the reader's own time, also on the days when their clocks jump."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.core import get_global
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.dispatch.sending_windows import MAIN_ZONES, SendingWindows
from mailer.errors import ConfigurationError
from mailer.settings import CampaignSettings, SenderSettings, Settings

SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Us", postal_address="Street 1, Town"
)


def make_windows(window: str = "", zones: dict[str, str] | None = None, **values: Any) -> SendingWindows:
    campaigns = CampaignSettings(window=window, **values)
    return SendingWindows(Settings(sender=SENDER, campaigns=campaigns, time_zones=zones or {}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("country", "now", "opens"),
    [
        ("CN", "2026-03-02T00:00", None),
        ("CN", "2026-03-01T23:59", "2026-03-02T00:00"),
        ("CN", "2026-03-02T09:59:59", None),
        ("CN", "2026-03-02T10:00", "2026-03-03T00:00"),
        ("MN", "2026-03-02T10:00", "2026-03-03T00:00"),
        ("KP", "2026-03-01T22:00", "2026-03-01T23:00"),
        ("US", "2026-03-02T12:00", "2026-03-02T13:00"),
        ("cn", "2026-03-02T00:00", None),
        # Nobody knows where: UTC.
        (None, "2026-03-02T07:00", "2026-03-02T08:00"),
        ("", "2026-03-02T07:00", "2026-03-02T08:00"),
        ("XX", "2026-03-02T07:00", "2026-03-02T08:00"),
        # The clocks of New York go forward on 8 March, those of Berlin back on 25 October.
        ("US", "2026-03-09T11:00", "2026-03-09T12:00"),
        ("DE", "2026-10-24T05:00", "2026-10-24T06:00"),
        ("DE", "2026-10-25T06:00", "2026-10-25T07:00"),
    ],
)
def test_a_window_opens_at_the_readers_local_hour(country: str | None, now: str, opens: str | None) -> None:
    assert make_windows("08:00-18:00").opens_at(country, at(now)) == (opens and at(opens))


def test_without_a_window_sending_is_always_allowed() -> None:
    windows = make_windows()
    assert windows.is_always_open
    assert windows.opens_at("CN", at("2026-03-02T20:00")) is None


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02T19:59", "2026-03-02T20:00"),
        ("2026-03-02T20:00", None),
        ("2026-03-03T05:59", None),
        ("2026-03-03T06:00", "2026-03-03T20:00"),
        # Friday's window goes on into Saturday, Sunday's into Monday does not.
        ("2026-03-07T05:00", None),
        ("2026-03-07T20:00", "2026-03-09T20:00"),
        ("2026-03-09T05:00", "2026-03-09T20:00"),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_opens_on(now: str, opens: str | None) -> None:
    windows = make_windows("20:00-06:00", window_days=("mon", "tue", "wed", "thu", "fri"))
    assert windows.opens_at(None, at(now)) == (opens and at(opens))


def test_days_without_hours_are_whole_days() -> None:
    windows = make_windows(window_days=("mon",))
    assert windows.opens_at(None, at("2026-03-02T23:59")) is None
    assert windows.opens_at(None, at("2026-03-03T00:00")) == at("2026-03-09T00:00")


def test_a_window_may_end_at_24_hours() -> None:
    windows = make_windows("18:00-24:00", window_days=("mon",))
    assert windows.opens_at(None, at("2026-03-02T23:59")) is None
    assert windows.opens_at(None, at("2026-03-03T00:00")) == at("2026-03-09T18:00")


def test_a_window_that_the_clocks_skip_does_not_open_that_day() -> None:
    # On 29 March 2026 the clocks of Berlin go from 2:00 to 3:00.
    assert make_windows("02:00-03:00").opens_at("DE", at("2026-03-28T12:00")) == at("2026-03-30T00:00")


def test_a_window_whose_start_the_clocks_skip_opens_after_the_change() -> None:
    assert make_windows("02:30-05:00").opens_at("DE", at("2026-03-28T23:30")) == at("2026-03-29T01:00")


def test_a_window_that_the_clocks_show_twice_opens_twice() -> None:
    # On 25 October 2026 the clocks of Berlin go from 3:00 to 2:00, at 1:00 UTC.
    windows = make_windows("02:15-02:45")
    assert windows.opens_at("DE", at("2026-10-24T23:00")) == at("2026-10-25T00:15")
    assert windows.opens_at("DE", at("2026-10-25T00:45")) == at("2026-10-25T01:15")
    assert windows.opens_at("DE", at("2026-10-25T01:45")) == at("2026-10-26T01:15")


def test_a_weekday_that_a_country_skipped_opens_a_week_later() -> None:
    # Samoa had no Friday 30 December 2011.
    windows = make_windows("08:00-09:00", window_days=("fri",))
    assert windows.opens_at("WS", at("2011-12-24T00:00")) == at("2012-01-05T18:00")


def test_the_settings_can_override_a_zone() -> None:
    windows = make_windows("08:00-18:00", {"us": "America/Los_Angeles", "*": "Asia/Shanghai"})
    assert windows.zone_of("US") == ZoneInfo("America/Los_Angeles")
    assert windows.zone_of(None) == windows.zone_of("XX") == ZoneInfo("Asia/Shanghai")
    assert windows.zone_of("MN") == ZoneInfo("Asia/Ulaanbaatar")


def test_every_country_has_a_zone_and_those_with_several_a_chosen_one() -> None:
    zones = {
        code: names for code, names in get_global("territory_zones").items() if code not in {"001", "ZZ"}
    }
    assert MAIN_ZONES.keys() == {code for code, names in zones.items() if len(names) > 1}
    assert all(zone in zones[code] for code, zone in MAIN_ZONES.items())
    windows = make_windows("08:00-18:00")
    assert all(windows.zone_of(code).key in names for code, names in zones.items())


@pytest.mark.parametrize(
    "window", ["08:00-08:00", "25:00-26:00", "08:60-09:00", "24:00-08:00", "08:00-24:01"]
)
def test_impossible_hours_are_refused(window: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[campaigns\] window = .*not a valid range"):
        make_windows(window)


def test_a_window_without_days_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="window_days is empty"):
        make_windows("08:00-18:00", window_days=())


@pytest.mark.parametrize("zone", ["Asia/Peking", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[time_zones\] CN = .*no such time zone"):
        make_windows(zones={"CN": zone})


# Far from the hour (Nepal, Chatham), half an hour of summer time (Lord Howe), across the date line (Samoa,
# Kiritimati), with two changes for Ramadan (Morocco), at midnight (Lebanon, Chile), and none.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
    "Asia/Beirut",
    "America/Santiago",
    "Asia/Shanghai",
]
minutes = st.integers(0, 24 * 60 - 1)
days = st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1)
# Around the changes, and anywhere.
FIRST = at("2009-01-01T00:00")
moments = st.one_of(
    st.integers(0, 23 * 365 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds)),
    st.builds(
        lambda day, seconds: at(f"{day}T00:00") + timedelta(seconds=seconds),
        st.sampled_from(["2026-03-29", "2026-10-25", "2026-04-05", "2011-12-30"]),
        st.integers(-86_400, 2 * 86_400),
    ),
)


def shows(zone: str, moment: datetime, start: int, end: int, names: set[str]) -> bool:
    """Whether the clock on the wall shows a time inside the window, said in another way than the program."""
    local = moment.astimezone(ZoneInfo(zone))
    shown = local.hour * 60 + local.minute
    opened = local.date() if shown >= start else local.date() - timedelta(days=1)
    if start < end:
        opened = local.date()
        inside = start <= shown < end
    else:
        inside = shown >= start or shown < end
    return inside and opened.strftime("%a").lower() in names


@given(zone=st.sampled_from(ZONES), start=minutes, end=minutes, names=days, now=moments)
@example("Europe/Berlin", 30, 90, {"sun"}, at("2026-10-24T23:45"))
@example("Pacific/Apia", 480, 540, {"fri"}, at("2011-12-24T00:00"))
@settings(max_examples=300, deadline=None)
def test_the_opening_is_the_first_moment_inside_a_window(
    zone: str, start: int, end: int, names: set[str], now: datetime
) -> None:
    if start == end:
        end = (end + 1) % (24 * 60)
    window = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    windows = make_windows(window, {"CN": zone}, window_days=tuple(names))
    opens = windows.opens_at("CN", now)
    if opens is None:
        assert shows(zone, now, start, end, names)
        return
    assert opens > now
    assert not shows(zone, now, start, end, names)
    assert shows(zone, opens, start, end, names)
    assert not shows(zone, opens - timedelta(seconds=1), start, end, names) or opens - now < timedelta(
        seconds=1
    )
    # Windows, changes of the clocks and gaps between them are whole minutes long; long waits are sampled.
    step = max(timedelta(minutes=1), (opens - now) / 2000)
    moment = opens - timedelta(seconds=30)
    while moment > now:
        assert not shows(zone, moment, start, end, names)
        moment -= step


@given(
    zone=st.sampled_from(ZONES), start=minutes, waits=st.lists(st.integers(-7_000_000, 7_000_000), max_size=8)
)
@settings(max_examples=50, deadline=None)
def test_the_answer_does_not_depend_on_earlier_questions(zone: str, start: int, waits: list[int]) -> None:
    window = f"{start // 60:02}:{start % 60:02}-{(start // 60 + 5) % 24:02}:{start % 60:02}"
    asked = make_windows(window, {"CN": zone})
    now = at("2026-03-29T00:00")
    for wait in waits:
        now += timedelta(seconds=wait)
        assert asked.opens_at("CN", now) == make_windows(window, {"CN": zone}).opens_at("CN", now)
