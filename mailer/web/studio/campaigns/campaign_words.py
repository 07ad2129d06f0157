"""The words of the pages on which a campaign is prepared."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from mailer.campaigns.preparation.checklist import ItemStatus
from mailer.campaigns.preparation.preparation import Decision
from mailer.i18n import Translator, gettext_noop

STATUS_WORDS: Mapping[ItemStatus, tuple[str, str]] = MappingProxyType(
    {
        ItemStatus.done: (gettext_noop("Done"), "right"),
        ItemStatus.to_do: (gettext_noop("To do"), "careful"),
        ItemStatus.blocked: (gettext_noop("In the way"), "wrong"),
        ItemStatus.waiting: (gettext_noop("Not yet"), "quiet"),
    }
)

DECISION_NAMES: Mapping[Decision, str] = MappingProxyType(
    {
        Decision.segment: gettext_noop("Who gets it"),
        Decision.again: gettext_noop("Again to those who have it"),
        Decision.clicks: gettext_noop("Counting clicks"),
        Decision.start: gettext_noop("When it starts"),
        Decision.canary: gettext_noop("The first partners"),
        Decision.archive: gettext_noop("The public archive"),
        Decision.in_doubt: gettext_noop("Deliveries in doubt"),
        Decision.note: gettext_noop("The note"),
    }
)


def say_moment(moment: datetime, zone: ZoneInfo, translator: Translator) -> str:
    """A moment on the clocks of ``zone``, with its name: "30 March 2026, 09:00 (Asia/Tokyo, UTC+9)"."""
    local = moment.astimezone(zone)
    return f"{translator.format_day(local.date())}, {local:%H:%M} ({name_zone(zone, moment)})"


def name_zone(zone: ZoneInfo, moment: datetime) -> str:
    """A time zone with its difference from UTC at a moment: "Asia/Ulaanbaatar, UTC+8"."""
    offset = moment.astimezone(zone).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    if zone.key == "UTC" or not minutes:
        return zone.key if zone.key == "UTC" else f"{zone.key}, UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"{zone.key}, UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"
