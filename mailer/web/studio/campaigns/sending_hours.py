"""The hours and days in which mail is sent, in words."""

from babel.dates import get_day_names

from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = gettext_noop("Mail goes out from %(start)s to %(end)s on the partner’s own clock.")
_DAYS_ONLY = gettext_noop("Mail goes out on these days, on the partner’s own calendar: %(days)s.")
_BOTH = gettext_noop(
    "Mail goes out from %(start)s to %(end)s on the partner’s own clock, on these days: %(days)s."
)


def describe_hours(translator: Translator, settings: Settings) -> str:
    """In which hours and on which days mail is sent; "" if it always is."""
    campaigns = settings.campaigns
    start, _, end = campaigns.window.partition("-")
    days = ""
    if len(set(campaigns.window_days)) < len(_DAYS):
        days = ", ".join(list_days(translator, settings))
    words = _BOTH if start and days else _HOURS if start else _DAYS_ONLY if days else ""
    return translator.translate(words, start=start, end=end, days=days) if words else ""


def list_days(translator: Translator, settings: Settings) -> list[str]:
    """The days on which mail is sent, by name, Monday first."""
    names = get_day_names("abbreviated", "stand-alone", locale=translator.tag.replace("-", "_"))
    return [names[_DAYS.index(day)] for day in _DAYS if day in settings.campaigns.window_days]


def is_sending_day(weekday: int, settings: Settings) -> bool:
    """Whether mail is sent on this day of the week, 0 for Monday."""
    return _DAYS[weekday] in settings.campaigns.window_days
