"""The clocks on which the team plans, and the hours in which mail is sent."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import get_day_names

from mailer.dispatch.sending_windows import SendingWindows
from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = gettext_noop("Mail goes out from %(start)s to %(end)s on the partner’s own clock.")
_DAYS_ONLY = gettext_noop("Mail goes out on these days, on the partner’s own calendar: %(days)s.")
_BOTH = gettext_noop(
    "Mail goes out from %(start)s to %(end)s on the partner’s own clock, on these days: %(days)s."
)


def find_team_zone(settings: Settings, wanted: str = "") -> ZoneInfo:
    """Return the zone called ``wanted``, if there is one; or else that in ``[studio] time_zone``, that of
    readers without a country, or UTC."""
    if (zone := find_zone(wanted)) is not None:
        return zone
    if settings.studio.time_zone:
        return ZoneInfo(settings.studio.time_zone)
    return SendingWindows(settings).zone_of(None)


def list_zones(settings: Settings, *others: str) -> list[ZoneInfo]:
    """Return the zones to choose from: the team's own first, those of the countries that the newsletter is
    for, UTC, and ``others``, each once."""
    windows = SendingWindows(settings)
    own = find_team_zone(settings)
    countries = [windows.zone_of(code) for code in settings.countries]
    chosen = [zone for name in others if (zone := find_zone(name)) is not None]
    found = {zone.key: zone for zone in (*countries, ZoneInfo("UTC"), *chosen)}
    return [own, *(found[name] for name in sorted(found) if name != own.key)]


def find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def describe_hours(translator: Translator, settings: Settings) -> str:
    """Return in which hours and on which days mail is sent; "" if it always is."""
    campaigns = settings.campaigns
    start, _, end = campaigns.window.partition("-")
    days = ""
    if len(set(campaigns.window_days)) < len(_DAYS):
        days = ", ".join(list_days(translator, settings))
    words = _BOTH if start and days else _HOURS if start else _DAYS_ONLY if days else ""
    return translator.translate(words, start=start, end=end, days=days) if words else ""


def list_days(translator: Translator, settings: Settings) -> list[str]:
    """Return the days on which mail is sent, by name, Monday first."""
    names = get_day_names("abbreviated", "stand-alone", locale=translator.tag.replace("-", "_"))
    return [names[_DAYS.index(day)] for day in _DAYS if day in settings.campaigns.window_days]


def is_sending_day(weekday: int, settings: Settings) -> bool:
    """Return whether mail is sent on this day of the week, 0 for Monday."""
    return _DAYS[weekday] in settings.campaigns.window_days


def say_moment(moment: datetime, zone: ZoneInfo, translator: Translator) -> str:
    """Return a moment on the clocks of ``zone``: "30 March 2026, 09:00 (Asia/Tokyo, UTC+9)"."""
    local = moment.astimezone(zone)
    return f"{translator.format_day(local.date())}, {local:%H:%M} ({name_zone(zone, moment)})"


def name_zone(zone: ZoneInfo, moment: datetime) -> str:
    """Return a time zone with its difference from UTC at a moment: "Asia/Ulaanbaatar, UTC+8"."""
    offset = moment.astimezone(zone).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    if zone.key == "UTC" or not minutes:
        return zone.key if zone.key == "UTC" else f"{zone.key}, UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"{zone.key}, UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"
