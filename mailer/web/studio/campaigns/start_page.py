"""Choosing when a campaign starts: at its launch, or at a time that the clocks of a place show once."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response

from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.schedule import ScheduleError, StartTimeFault, parse_start_time
from mailer.i18n import gettext_noop
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaigns.campaign_words import name_zone, say_moment
from mailer.web.studio.campaigns.decision_form import DecisionsRefusedError, save_decisions
from mailer.web.studio.campaigns.place import CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.campaigns.sending_hours import describe_hours
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone, list_zones
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage

_AT_LAUNCH, _AT_TIME = "launch", "time"
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


@dataclass(frozen=True, kw_only=True)
class StartForm:
    """What the form says: ``when`` is "launch" or "time", ``start`` the day and time as typed."""

    when: str
    start: str
    zone: str


def show_start(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show when the campaign is to start."""
    return _render(page, place, _fill_form(page, preparation.decisions), preparation.decisions)


def save_start(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save when the campaign is to start."""
    was = _read_was(form, preparation.decisions)
    sent = StartForm(
        when=_AT_TIME if form.get("when") == _AT_TIME else _AT_LAUNCH,
        start=form.get("start").strip()[:40],
        zone=form.get("zone").strip()[:64],
    )
    if sent.when == _AT_LAUNCH:
        wanted = replace(was, start_at=None, start_zone="")
    else:
        zone = find_zone(sent.zone)
        if zone is None:
            errors = [("zone", page.translator.translate(_NO_ZONE))]
            return _render(page, place, sent, was, errors, status=422)
        try:
            wanted = replace(was, start_at=_read_start(page, sent.start, zone), start_zone=zone.key)
        except ScheduleError as error:
            errors = [("start", _explain(page, error.fault, zone))]
            return _render(page, place, sent, was, errors, status=422)
    try:
        save_decisions(page, preparation, was, wanted)
    except DecisionsRefusedError as error:
        theirs = error.theirs.decisions
        return _render(page, place, sent, theirs, [("when", error.words)], status=409, theirs=theirs)
    return page.redirect(place.path, Notice.decisions_saved)


def _fill_form(page: StudioPage, decided: Decisions) -> StartForm:
    zone = find_zone(decided.start_zone) or find_team_zone(page.settings)
    if decided.start_at is None:
        return StartForm(when=_AT_LAUNCH, start="", zone=zone.key)
    local = decided.start_at.astimezone(zone)
    return StartForm(when=_AT_TIME, start=f"{local:%Y-%m-%dT%H:%M}", zone=zone.key)


def _read_was(form: Form, now: Decisions) -> Decisions:
    """What the form began from; a form without it began from what is decided now."""
    names = dict(form.fields)
    if "was-start" not in names:
        return now
    try:
        at = datetime.fromisoformat(names["was-start"]).astimezone(UTC) if names["was-start"] else None
    except (ValueError, OverflowError):
        return now
    return replace(now, start_at=at, start_zone=names.get("was-zone", "") if at else "")


def _read_start(page: StudioPage, text: str, zone: ZoneInfo) -> datetime:
    try:
        at = parse_start_time(text, zone).astimezone(UTC)
    except OverflowError as error:
        raise ScheduleError(text, StartTimeFault.unreadable) from error
    if at <= page.state.clock():
        raise ScheduleError(text, StartTimeFault.past)
    return at


def _explain(page: StudioPage, fault: StartTimeFault, zone: ZoneInfo) -> str:
    now = say_moment(page.state.clock(), zone, page.translator)
    return page.translator.translate(_FAULTS[fault], now=now)


def _render(
    page: StudioPage,
    place: CampaignPlaceDep,
    sent: StartForm,
    was: Decisions,
    errors: list[tuple[str, str]] | None = None,
    *,
    status: int = 200,
    theirs: Decisions | None = None,
) -> Response:
    now, settings = page.state.clock(), page.settings
    zones = list_zones(settings, sent.zone)
    theirs_words = ""
    if theirs is not None and theirs.start_at is not None:
        zone = find_zone(theirs.start_zone) or find_team_zone(settings)
        theirs_words = say_moment(theirs.start_at, zone, page.translator)
    return page.render(
        "campaign_start.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        sent=sent,
        was=was,
        zones=[(zone.key, name_zone(zone, now)) for zone in zones],
        hours=describe_hours(page.translator, settings),
        theirs=theirs,
        theirs_words=theirs_words,
        errors=errors or [],
    )
