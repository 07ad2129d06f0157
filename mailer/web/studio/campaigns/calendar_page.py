"""The calendar of all campaigns: what was sent, what is scheduled, and what the team wishes to send when."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names
from sqlalchemy import and_, or_, select
from sqlmodel import Session, col
from starlette.responses import Response

from mailer.campaigns.preparation.preparation import PREPARED_STATES
from mailer.database.models import Campaign, CampaignState
from mailer.database.preparation_models import CampaignPreparation
from mailer.i18n import Translator
from mailer.web.studio.campaigns.campaign_words import name_zone
from mailer.web.studio.campaigns.sending_hours import describe_hours, is_sending_day
from mailer.web.studio.campaigns.team_zone import find_team_zone
from mailer.web.studio.ledger_words import CAMPAIGN_WORDS
from mailer.web.studio.page import PageDep

_FIRST, _LAST = date(2000, 1, 1), date(2199, 12, 1)
_MAX_SHOWN = 400


@dataclass(frozen=True, kw_only=True)
class CalendarEntry:
    """A campaign at the moment that counts for it, on the clocks of the calendar: its start, or the one that
    is wished for."""

    number: int
    title: str
    at: datetime
    words: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class CalendarDay:
    """A day of the calendar. ``is_other`` is one of the months beside it; on one that is not ``is_open`` no
    mail goes out."""

    day: date
    entries: Sequence[CalendarEntry]
    is_other: bool
    is_today: bool
    is_open: bool


def show_calendar(page: PageDep) -> Response:
    """Show the campaigns of a month."""
    settings, translator = page.settings, page.translator
    zone = find_team_zone(settings)
    now = page.state.clock()
    today = now.astimezone(zone).date()
    month = _read_month(page.request.query_params.get("month", ""), today)
    days = _list_days(month)
    with page.state.read_session() as session:
        entries = _list_entries(session, days[0], days[-1], zone)
    weeks = [
        [
            CalendarDay(
                day=day,
                entries=[one for one in entries if one.at.date() == day],
                is_other=day.month != month.month,
                is_today=day == today,
                is_open=is_sending_day(day.weekday(), settings),
            )
            for day in days[start : start + 7]
        ]
        for start in range(0, len(days), 7)
    ]
    locale = translator.tag.replace("-", "_")
    return page.render(
        "campaign_calendar.html",
        section="campaigns",
        weeks=weeks,
        name=format_date(month, "LLLL y", locale=locale),
        weekdays=_name_weekdays(translator),
        before=_write_month(month - timedelta(days=1)) if month > _FIRST else "",
        after=_write_month(month + timedelta(days=32)) if month < _LAST else "",
        zone=name_zone(zone, now),
        hours=describe_hours(translator, settings),
    )


def _read_month(text: str, today: date) -> date:
    """The first day of the month that ``text`` (2026-03) names; of this one if it names none."""
    try:
        found = datetime.strptime(text, "%Y-%m").date() if len(text) == 7 else today  # noqa: DTZ007 - a month
    except ValueError:
        found = today
    return min(max(found.replace(day=1), _FIRST), _LAST)


def _write_month(day: date) -> str:
    return f"{day:%Y-%m}"


def _list_days(month: date) -> list[date]:
    """The days of whole weeks, from Monday on, in which the month lies."""
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    return [day for week in weeks for day in week]


def _name_weekdays(translator: Translator) -> list[tuple[str, str]]:
    """The names of the days, Monday first, short and whole."""
    locale = translator.tag.replace("-", "_")
    short = get_day_names("abbreviated", "stand-alone", locale=locale)
    whole = get_day_names("wide", "stand-alone", locale=locale)
    return [(short[day], whole[day]) for day in range(7)]


def _list_entries(session: Session, first: date, last: date, zone: ZoneInfo) -> list[CalendarEntry]:
    start = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=zone).astimezone(UTC) + timedelta(days=1, hours=3)
    launched, scheduled = col(Campaign.launched_at), col(Campaign.scheduled_at)
    wished = col(CampaignPreparation.start_at)
    is_scheduled = col(Campaign.state) == CampaignState.scheduled
    is_wished = col(Campaign.state).in_(PREPARED_STATES)
    found = (
        select(
            *(col(Campaign.id), col(Campaign.title), col(Campaign.state), col(Campaign.launched_at)),
            *(col(Campaign.scheduled_at), col(CampaignPreparation.start_at)),
        )
        .outerjoin(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(
            or_(
                launched.between(start, end),
                and_(is_scheduled, scheduled.between(start, end)),
                and_(is_wished, wished.between(start, end)),
            )
        )
        .order_by(col(Campaign.id))
        .limit(_MAX_SHOWN)
    )
    entries = []
    for number, title, state, launched_at, scheduled_at, start_at in session.execute(found):
        at = launched_at or (scheduled_at if state is CampaignState.scheduled else start_at)
        words, tone = CAMPAIGN_WORDS[CampaignState(state)]
        entries.append(
            CalendarEntry(number=number or 0, title=title, at=at.astimezone(zone), words=words, tone=tone)
        )
    return sorted(entries, key=lambda entry: (entry.at, entry.number))
