"""All campaigns: as a list, as a calendar, those that wait for somebody, and beginning another."""

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from babel.dates import format_date, get_day_names
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.log import find_launchers
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.pending_launches import find_pending_launch
from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    begin_preparation,
    list_dated_campaigns,
    list_unlaunched_campaigns,
    read_preparations,
    save_preparation,
)
from mailer.campaigns.team_clock import (
    describe_hours,
    find_team_zone,
    is_sending_day,
    name_zone,
    say_moment,
)
from mailer.campaigns.uses import find_segment_name, make_lookups
from mailer.database.engine import read_clock
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import Campaign, CampaignState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission, is_allowed, list_members
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.campaign_place import name_campaign
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import QUERY_PARAMETER, read_query, read_query_form, say_segment
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()
_CAMPAIGNS_ON_PAGE = 30
_MAX_ENTRIES = 400
_EDITIONS_ON_PAGE = 20
_CHOOSE = gettext_noop("Choose an edition.")
_GONE = gettext_noop("This edition is no longer there. Choose another one.")
_NEAR = timedelta(days=2)
_FORGOTTEN = timedelta(days=30)
_MAX_SHOWN = 20
_APPROVED = gettext_noop("Is approved, and nobody has launched it yet")
_SOON = gettext_noop("Is to start %(time)s, and nobody has launched it yet")
_PASSED = gettext_noop("Was to start %(time)s, and nobody has launched it")


@ROUTES.get_route("/campaigns", Permission.read)
def list_campaigns(page: PageDep) -> Response:
    before = read_number(page.request.query_params.get("before", ""))
    found = select(Campaign).order_by(col(Campaign.id).desc()).limit(_CAMPAIGNS_ON_PAGE + 1)
    if before:
        found = found.where(col(Campaign.id) < before)
    campaigns = page.session.exec(found).all()
    shown = campaigns[:_CAMPAIGNS_ON_PAGE]
    prepared = read_preparations(page.session, [one.id for one in shown if one.id])
    names = find_launchers(page.session, {one.edition for one in shown})
    return page.render(
        "campaigns.html",
        rows=[_make_row(page, one, prepared.get(one.id or 0), names.get(one.id or 0, "")) for one in shown],
        is_first=not before,
        older=shown[-1].id if len(campaigns) > _CAMPAIGNS_ON_PAGE else 0,
    )


def _make_row(
    page: StudioPage, campaign: Campaign, prepared: Preparation | None, launched_by: str
) -> dict[str, object]:
    decided = prepared.decisions if prepared is not None and prepared.is_open else Decisions()
    segment = decided.segment or campaign.segment
    return {
        "campaign": campaign,
        "title": name_campaign(page, campaign),
        "segment": say_segment(page, page.session, segment) if segment else "",
        "is_correction": SEPARATOR in campaign.edition,
        "starts_at": decided.start_at or campaign.scheduled_at,
        "made_at": prepared.changed_at if prepared is not None else campaign.created_at,
        "by": launched_by or (prepared.changed_by if prepared is not None else ""),
    }


_FIRST, _LAST = date(2000, 1, 1), date(2199, 12, 1)


@ROUTES.get_route("/campaigns/calendar", Permission.read)
def show_calendar(page: PageDep) -> Response:
    settings, translator, now = page.settings, page.translator, page.state.clock()
    zone = find_team_zone(settings)
    today = now.astimezone(zone).date()
    month = _read_month(page.request.query_params.get("month", ""), today)
    # Whole weeks, from Monday on, in which the month lies.
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    start = datetime.combine(weeks[0][0], time(), zone).astimezone(UTC)
    end = datetime.combine(weeks[-1][-1], time(), zone).astimezone(UTC) + timedelta(days=1, hours=3)
    found = list_dated_campaigns(page.session, start, end, limit=_MAX_ENTRIES)
    entries = sorted(((at.astimezone(zone), one) for at, one in found), key=lambda entry: entry[0])

    def describe_day(day: date) -> dict[str, object]:
        return {
            "day": day,
            "entries": [(at, one) for at, one in entries if at.date() == day],
            "is_other": day.month != month.month,
            "is_today": day == today,
            "is_open": is_sending_day(day.weekday(), settings),
        }

    locale = translator.tag.replace("-", "_")
    short = get_day_names("abbreviated", "stand-alone", locale=locale)
    whole = get_day_names("wide", "stand-alone", locale=locale)
    return page.render(
        "campaign_calendar.html",
        weeks=[[describe_day(day) for day in week] for week in weeks],
        name=format_date(month, "LLLL y", locale=locale),
        weekdays=[(short[day], whole[day]) for day in range(7)],
        before=f"{month - timedelta(days=1):%Y-%m}" if month > _FIRST else "",
        after=f"{month + timedelta(days=32):%Y-%m}" if month < _LAST else "",
        zone=name_zone(zone, now),
        hours=describe_hours(translator, settings),
    )


def _read_month(text: str, today: date) -> date:
    """Return the first day of the month that ``text`` (2026-03) names; of this one if it names none."""
    try:
        found = datetime.strptime(text, "%Y-%m").date() if len(text) == 7 else today  # noqa: DTZ007 - a month
    except ValueError:
        found = today
    return min(max(found.replace(day=1), _FIRST), _LAST)


@ROUTES.get_route("/campaigns/new", Permission.prepare)
def show_new_campaign(page: PageDep) -> Response:
    """Show the editions to choose from, the newest first, and who gets it, if the address says so."""
    given = page.request.query_params.multi_items()
    query = read_query_form(page, given)
    if query.errors:
        # Its form says what is wrong.
        return page.go_to(f"{page.make_path('/segments/query')}?{page.request.url.query}")
    return _render(page, dict(given).get("edition", ""), query.text)


@ROUTES.post_route("/campaigns/new", Permission.prepare)
def begin_campaign(page: PageDep, form: OwnFormDep) -> Response:
    edition, text = form.get("edition"), form.get(QUERY_PARAMETER).strip()
    if not edition:
        return _render(page, "", text, [("editions", page.translate(_CHOOSE))])
    try:
        find_edition_folder(page, edition)
    except HTTPException:
        return _render(page, "", text, [("editions", page.translate(_GONE))])
    title, now = page.state.summaries.read(edition).title or edition, page.state.clock()
    try:
        with page.writing() as session:
            begun = begin_preparation(session, edition, title=title, member_id=page.member.id, now=now)
            page.record(session, deeds.prepared_campaign(edition, begun.campaign_id))
            is_chosen = not text or _choose_segment(page, session, begun, text)
    except AlreadyPreparedError as error:
        return _go_on(page, error.campaign_id, text)
    if not is_chosen:
        return _go_on(page, begun.campaign_id, text)
    return page.redirect(f"/campaigns/{begun.campaign_id}", Notice.campaign_begun)


def _choose_segment(page: StudioPage, session: Session, begun: Preparation, text: str) -> bool:
    """Say who gets a campaign that was just begun; return whether the query is understood."""
    segment, now = read_query(page, text, session).segment, page.state.clock()
    if segment is None:
        return False
    name = find_segment_name(text, make_lookups(session.connection(), page.settings))
    wanted = replace(begun.decisions, segment=segment.text, segment_name=name)
    saved = save_preparation(session, begun, wanted, member_id=page.member.id, now=now)
    said = saved.decisions.describe(begun.decisions.list_changes(saved.decisions))
    page.record(session, deeds.changed_campaign(saved.edition, saved.campaign_id, said))
    return True


def _go_on(page: StudioPage, campaign: int, text: str) -> Response:
    """Go on with a campaign that somebody has begun. Who gets it is shown, and saved by whoever wants it."""
    if not text:
        return page.redirect(f"/campaigns/{campaign}")
    return page.redirect(f"/campaigns/{campaign}/segment", None, **{QUERY_PARAMETER: text})


def _render(
    page: StudioPage, chosen: str, text: str, errors: list[tuple[str, str]] | None = None
) -> Response:
    slugs = page.state.summaries.list_slugs()
    number = max(1, read_number(page.request.query_params.get("page", ""), digits=5) or 1)
    start = (number - 1) * _EDITIONS_ON_PAGE
    shown = slugs[start : start + _EDITIONS_ON_PAGE]
    if chosen in slugs and chosen not in shown:
        shown = [chosen, *shown]
    query = read_query(page, text.strip())
    name = find_segment_name(text, make_lookups(page.session.connection(), page.settings))
    return page.render(
        "campaign_new.html",
        editions=[page.state.summaries.read(slug) for slug in shown],
        chosen=chosen if chosen in slugs else (shown[0] if len(shown) == 1 else ""),
        query=query if text.strip() and query.segment is not None else None,
        segment_name=name,
        number=number,
        has_more=len(slugs) > start + _EDITIONS_ON_PAGE,
        errors=errors or [],
    )


def list_campaign_items(page: StudioPage) -> Iterator[WaitingItem]:
    now = page.state.clock()
    with page.state.read_session() as session:
        since, until = now - _FORGOTTEN, now + _NEAR
        waiting = list_unlaunched_campaigns(session, since=since, until=until, limit=_MAX_SHOWN)
        clock = read_clock(session.connection())
        asked = [find_pending_launch(session, campaign.id or 0, now=clock) for campaign, _ in waiting]
        launchers = [one.name for one in list_members(session) if is_allowed(one.role, Permission.launch)]
        session.expunge_all()
    for (campaign, prepared), pending in zip(waiting, asked, strict=True):
        if pending is not None and pending.is_active:
            # Somebody has asked for its launch, which then waits by itself.
            continue
        # One that is approved waits for whoever may launch it, any other for whoever prepares it.
        is_approved = campaign.state is CampaignState.approved
        is_for_others = is_approved and not page.may(Permission.launch)
        act, path = gettext_noop("Prepare its launch"), f"/campaigns/{campaign.id}"
        if is_for_others:
            act = gettext_noop("Open the campaign")
        elif is_approved:
            act, path = gettext_noop("Go on to the launch"), f"{path}/launch"
        words, tone = _say_what_waits(page, prepared)
        yield WaitingItem(
            title=name_campaign(page, campaign),
            words=words,
            act=page.translate(act),
            path=path,
            tone=tone,
            detail=campaign.edition,
            waits_for=", ".join(launchers) if is_for_others else "",
        )


def _say_what_waits(page: StudioPage, prepared: CampaignPreparation) -> tuple[str, str]:
    """Return the words and their tone: that its start is near or has passed, or else that it is approved."""
    now, at = page.state.clock(), prepared.start_at
    if at is None or not now - _FORGOTTEN <= at <= now + _NEAR:
        return page.translate(_APPROVED), "right"
    zone = find_team_zone(page.settings, prepared.start_zone)
    words = _SOON if at > now else _PASSED
    said = page.translate(words, time=say_moment(at, zone, page.translator))
    return said, "careful" if at > now else "wrong"
