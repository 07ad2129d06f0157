"""The day and time at which a campaign is to start, as a form has them: on the clocks of a place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response

from mailer.campaigns.schedule import ScheduleError, StartTimeFault, parse_start_time
from mailer.i18n import gettext_noop
from mailer.web.forms import Form
from mailer.web.studio.campaigns.campaign_words import name_zone, say_moment
from mailer.web.studio.campaigns.place import CampaignPlace, read_title
from mailer.web.studio.campaigns.sending_hours import describe_hours
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone, list_zones
from mailer.web.studio.page import StudioPage

_FAULTS = {
    StartTimeFault.unreadable: gettext_noop("Write a day and a time, such as 2026-12-01T09:00."),
    StartTimeFault.skipped: gettext_noop(
        "On that day, the clocks are put forward over this time, so it does not exist. Choose another one."
    ),
    StartTimeFault.doubled: gettext_noop(
        "On that day, the clocks are put back over this time, so it occurs twice. Choose another one, or "
        "give it in UTC."
    ),
    StartTimeFault.past: gettext_noop("This has passed: there it is %(now)s now. Choose a later time."),
}
_NO_ZONE = gettext_noop("Choose the time zone from the list.")
_MAX_START, _MAX_ZONE = 40, 64


class WrongStartError(Exception):
    """No time can be made of what was typed. ``field`` is the one that is wrong, and ``words`` say why."""

    def __init__(self, field: str, words: str) -> None:
        self.field = field
        self.words = words
        super().__init__(words)


@dataclass(frozen=True, kw_only=True)
class TypedStart:
    """A day and time as typed, and the name of the zone on whose clocks they are."""

    start: str
    zone: str


def fill_start(at: datetime | None, zone: ZoneInfo) -> TypedStart:
    """What a form begins with."""
    return TypedStart(start=f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" if at else "", zone=zone.key)


def read_typed_start(form: Form) -> TypedStart:
    """What was typed into a form."""
    return TypedStart(start=form.get("start").strip()[:_MAX_START], zone=form.get("zone").strip()[:_MAX_ZONE])


def read_start(page: StudioPage, typed: TypedStart, now: datetime) -> tuple[datetime, ZoneInfo]:
    """The moment (UTC) that was typed, and its zone.

    Raises:
        WrongStartError: it is none, or has passed by ``now``.
    """
    zone = find_zone(typed.zone)
    if zone is None:
        raise WrongStartError("zone", page.translator.translate(_NO_ZONE))
    try:
        at = parse_start_time(typed.start, zone).astimezone(UTC)
    except ScheduleError as error:
        raise WrongStartError("start", explain_fault(page, error.fault, zone, now)) from error
    except OverflowError as error:
        words = explain_fault(page, StartTimeFault.unreadable, zone, now)
        raise WrongStartError("start", words) from error
    if at <= now:
        raise WrongStartError("start", explain_fault(page, StartTimeFault.past, zone, now))
    return at, zone


def explain_fault(page: StudioPage, fault: StartTimeFault, zone: ZoneInfo, now: datetime) -> str:
    """What is wrong with a time, for people."""
    return page.translator.translate(_FAULTS[fault], now=say_moment(now, zone, page.translator))


@dataclass(frozen=True, kw_only=True)
class StartForm:
    """A form for a day and time as it is shown: what was ``typed``, what is wrong with it by field, and the
    moment that somebody else has chosen meanwhile, if any."""

    typed: TypedStart
    errors: Sequence[tuple[str, str]] = ()
    status: int = 200
    theirs: datetime | None = None


def render_start(
    page: StudioPage, template: str, place: CampaignPlace, form: StartForm, **values: object
) -> Response:
    """Render a page with a form for a day and time. ``values`` are what its template needs besides."""
    zone = find_zone(form.typed.zone) or find_team_zone(page.settings)
    now = page.state.clock()
    return page.render(
        template,
        status=form.status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        typed=form.typed,
        zones=[(one.key, name_zone(one, now)) for one in list_zones(page.settings, form.typed.zone)],
        hours=describe_hours(page.translator, page.settings),
        theirs_words=say_moment(form.theirs, zone, page.translator) if form.theirs is not None else "",
        errors=form.errors,
        **values,
    )
