"""The time zone in which the team plans, and those that a start can be given in."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailer.dispatch.rate.sending_windows import SendingWindows
from mailer.settings import Settings


def find_team_zone(settings: Settings) -> ZoneInfo:
    """The zone in ``[studio] time_zone``, or else that of readers without a country, or else UTC.

    Raises:
        ConfigurationError: a zone in ``[time_zones]`` is invalid.
    """
    if settings.studio.time_zone:
        return ZoneInfo(settings.studio.time_zone)
    return SendingWindows(settings).zone_of(None)


def list_zones(settings: Settings, *others: str) -> list[ZoneInfo]:
    """The zones to choose from: the team's own first, those of the countries that the newsletter is for, UTC,
    and ``others``, each once.

    Raises:
        ConfigurationError: a zone in ``[time_zones]`` is invalid.
    """
    windows = SendingWindows(settings)
    own = find_team_zone(settings)
    countries = [windows.zone_of(code) for code in settings.countries]
    chosen = [zone for name in others if (zone := find_zone(name)) is not None]
    found = {zone.key: zone for zone in (*countries, ZoneInfo("UTC"), *chosen)}
    return [own, *(found[name] for name in sorted(found) if name != own.key)]


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of this name; None if there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
