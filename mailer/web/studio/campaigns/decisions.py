"""What is decided about a campaign: who gets it, how it is sent and when it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from mailer.activity import deeds
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    EarlierStartError,
    OtherStartError,
    reschedule_campaign,
)
from mailer.campaigns.preparation.preparation import DECIDED_FIELDS, Decision, Decisions
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    PreparationConflictError,
    PreparationOverError,
    save_preparation,
)
from mailer.campaigns.schedule import ScheduleError, StartTimeFault, parse_start_time
from mailer.campaigns.team_clock import (
    describe_hours,
    find_team_zone,
    find_zone,
    list_zones,
    name_zone,
    say_moment,
)
from mailer.campaigns.uses import find_segment_name, make_lookups
from mailer.counts.counters import request_audience
from mailer.database.engine import read_clock
from mailer.database.models import CampaignState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaign_place import (
    CampaignPage,
    CampaignPageDep,
    PreparationClosedError,
    PreparedPage,
    PreparedPageDep,
)
from mailer.web.studio.model_form import ModelForm
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import RefusedFormError, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import (
    QUERY_PARAMETER,
    SegmentQuery,
    make_filter_form,
    read_query_form,
)
from subscribers.segments.parser import EVERYONE, MAX_LENGTH
from subscribers.segments.saved_segments import list_saved_segments

_OTHER_DECISION = gettext_noop(
    "%(name)s has changed this meanwhile: %(what)s. What you chose is still here, and theirs is shown below: "
    "save again to keep yours."
)
_SOMEBODY = gettext_noop("Somebody else")
_ELSEWHERE = gettext_noop(
    "This campaign was approved. It cannot be changed while campaign %(number)s of the same edition is being "
    "prepared. Discard that one first, or change it instead."
)
_NO_CANARY = gettext_noop("This is the wait after the first partners: say how many they are.")
_NO_SEGMENT = gettext_noop("Say who gets it. Write all for everyone on the list.")
_TOO_LONG = gettext_noop("This query is too long. Save it as a segment and write segment: and its name.")
_NOT_UNDERSTOOD = gettext_noop("This query cannot be understood.")
_NO_ZONE = gettext_noop("Choose the time zone from the list.")
_OTHER_START = gettext_noop(
    "Somebody else has changed this meanwhile. Save again to have the time that you chose."
)
_EARLIER_START = gettext_noop(
    "Two people launch a campaign here, so one alone can only put it off. Choose a later time, or discard "
    "the campaign and let two people launch it again."
)

ROUTES = Routes()


class DecisionsRefusedError(Exception):
    """What a form decides was not saved. ``words`` say why, and ``theirs`` is what is decided now."""

    def __init__(self, words: str, theirs: Decisions) -> None:
        self.words = words
        self.theirs = theirs
        super().__init__(words)


def save_decisions(page: PreparedPage, was: Decisions, wanted: Decisions) -> None:
    """Save what differs between ``was``, which the form began from, and ``wanted``, and write it down. Raise
    DecisionsRefusedError if somebody else has decided otherwise meanwhile, or it cannot be changed, and
    PreparationClosedError if nothing can be decided any more."""
    before, translate = page.preparation, page.translate
    try:
        with page.writing() as session:
            saved = save_preparation(
                session,
                replace(before, decisions=was),
                wanted,
                member_id=page.member.id,
                now=page.state.clock(),
            )
            changed = before.decisions.list_changes(saved.decisions) & was.list_changes(wanted)
            if changed:
                page.log(session, deeds.changed_campaign, saved.decisions.describe(changed))
    except PreparationOverError as error:
        raise PreparationClosedError(page.path) from error
    except PreparationConflictError as error:
        what = ", ".join(translate(one.words) for one in Decision if one in error.decisions)
        name = error.theirs.changed_by or translate(_SOMEBODY)
        words = translate(_OTHER_DECISION, name=name, what=what)
        raise DecisionsRefusedError(words, error.theirs.decisions) from error
    except AlreadyPreparedError as error:
        words = translate(_ELSEWHERE, number=error.campaign_id)
        raise DecisionsRefusedError(words, before.decisions) from error


@ROUTES.get_route("/campaigns/{campaign}/options", Permission.prepare)
def show_options(page: PreparedPageDep) -> Response:
    return page.render("campaign_options.html", form=_fill_options(page, page.preparation.decisions))


@ROUTES.post_route("/campaigns/{campaign}/options", Permission.prepare)
def save_options(page: PreparedPageDep, sent: OwnFormDep) -> Response:
    """Save how the campaign is to be sent. What was not changed in the form stays as it is, also where the
    settings decide."""
    shown = _fill_options(page, page.preparation.decisions)
    form = shown.read(sent, page.translator)
    if form.texts["canary_minutes"] and not form.texts["canary"].strip("0"):
        form = form.refuse("canary", page.translate(_NO_CANARY))
    if not form.errors:
        before, wanted = form.decide(page.preparation.decisions, shown, DECIDED_FIELDS.values())
        try:
            save_decisions(page, before, wanted)
        except DecisionsRefusedError as error:
            form = form.overtake(_fill_options(page, error.theirs), error.words)
        else:
            return page.go_back(Notice.decisions_saved)
    return page.render("campaign_options.html", status=form.status, form=form)


def _fill_options(page: StudioPage, decided: Decisions) -> ModelForm:
    """Return what holds now, be it decided here or by the settings."""
    return ModelForm.show(decided.resolve(page.settings.campaigns))


@ROUTES.get_route("/campaigns/{campaign}/segment", Permission.prepare)
def show_segment(page: PreparedPageDep) -> Response:
    """Show who gets the campaign, or would get it with the query in the address, which saves nothing. For
    htmx, what that query means and how many they are."""
    given, decided = page.request.query_params.multi_items(), page.preparation.decisions
    if not any(name == QUERY_PARAMETER for name, _ in given):
        given = [(QUERY_PARAMETER, decided.segment or "")]
        return _render_segment(page, decided, _read_query(page, given), again=decided.again)
    return _render_segment(page, decided, _read_query(page, given), again=("again", "yes") in given)


@ROUTES.post_route("/campaigns/{campaign}/segment", Permission.prepare)
def save_segment(page: PreparedPageDep, form: OwnFormDep) -> Response:
    was, again = _read_was_segment(form, page.preparation.decisions), form.get("again") == "yes"
    query = _read_query(page, form.fields)
    if not query.errors and query.segment is None:
        query = query.refuse(page.translate(_NO_SEGMENT if query.problem is None else _NOT_UNDERSTOOD))
    if query.errors or query.segment is None:
        return _render_segment(page, was, query, again=again, status=422)
    name = find_segment_name(query.text, make_lookups(page.session.connection(), page.settings))
    if not name and query.segment.text == was.segment:
        # The page shows what the saved segment meant, and not its name.
        name = was.segment_name
    wanted = replace(was, segment=query.segment.text, segment_name=name, again=again)
    try:
        save_decisions(page, was, wanted)
    except DecisionsRefusedError as error:
        return _render_segment(page, error.theirs, query.refuse(error.words), again=again, status=409)
    return page.go_back(Notice.decisions_saved)


def _read_was_segment(form: Form, now: Decisions) -> Decisions:
    """Return what the form began from; a field that it does not have counts as it is now."""
    names = dict(form.fields)
    segment = names["was-segment"] or None if "was-segment" in names else now.segment
    again = names["was-again"] == "yes" if "was-again" in names else now.again
    name = now.segment_name if segment == now.segment else ""
    return replace(now, segment=segment, segment_name=name, again=again)


def _read_query(page: StudioPage, given: Sequence[tuple[str, str]]) -> SegmentQuery:
    """Read a query. An empty one means nobody yet, with filters that let all pass."""
    text = dict(given).get(QUERY_PARAMETER, "")
    if len(text) > MAX_LENGTH:
        return SegmentQuery(text=text).refuse(page.translate(_TOO_LONG))
    query = read_query_form(page, given)
    return query if query.text.strip() else replace(query, segment=None, in_words="")


def _render_segment(
    page: PreparedPage, was: Decisions, query: SegmentQuery, *, again: bool, status: int = 200
) -> Response:
    number = None
    # A part of the page whose filters are wrong has no number: that of the line would be another one.
    if query.segment is not None and not (query.errors and page.is_fragment):
        asked = request_audience(page.campaign.edition, query.segment.text, again=again)
        number = page.state.counts.get(asked)
    return page.render(
        "segment_words.html" if page.is_fragment else "campaign_segment.html",
        status=status,
        query=query,
        form=make_filter_form(page, query),
        again=again,
        was=was,
        words_path=f"{page.path}/segment",
        number=number,
        shows_numbers=False,
        saved=list_saved_segments(page.session.connection()),
        everyone=EVERYONE,
        errors=query.errors,
    )


@ROUTES.get_route("/campaigns/{campaign}/start", Permission.prepare)
def show_start(page: PreparedPageDep) -> Response:
    decided = page.preparation.decisions
    typed = _show_time(decided.start_at, find_team_zone(page.settings, decided.start_zone))
    when = "launch" if decided.start_at is None else "time"
    return _render_time(page, "campaign_start.html", typed, when=when, was=decided)


@ROUTES.post_route("/campaigns/{campaign}/start", Permission.prepare)
def save_start(page: PreparedPageDep, form: OwnFormDep) -> Response:
    was, typed, when = _read_was_start(form, page.preparation.decisions), _read_typed(form), form.get("when")
    wanted = replace(was, start_at=None, start_zone="")
    try:
        if when == "time":
            at, zone = _read_time(page, typed, page.state.clock())
            wanted = replace(was, start_at=at, start_zone=zone.key)
        save_decisions(page, was, wanted)
    except RefusedFormError as error:
        refused = (error.field, page.translate(error.words, **error.values))
        return _render_time(page, "campaign_start.html", typed, refused, when=when, was=was)
    except DecisionsRefusedError as error:
        return _render_time(
            page,
            "campaign_start.html",
            typed,
            ("when", error.words),
            status=409,
            meanwhile=error.theirs.start_at,
            when=when,
            was=error.theirs,
        )
    return page.go_back(Notice.decisions_saved)


def _read_was_start(form: Form, now: Decisions) -> Decisions:
    """Return what the form began from; a form without it began from what is decided now."""
    names = dict(form.fields)
    if "was-start" not in names:
        return now
    try:
        at = datetime.fromisoformat(names["was-start"]).astimezone(UTC) if names["was-start"] else None
    except (ValueError, OverflowError):
        return now
    return replace(now, start_at=at, start_zone=names.get("was-zone", "") if at else "")


@ROUTES.get_route("/campaigns/{campaign}/reschedule", Permission.launch)
def show_scheduled_start(page: CampaignPageDep) -> Response:
    at = page.campaign.scheduled_at
    if page.campaign.state is not CampaignState.scheduled or at is None:
        return page.go_back()
    wanted = page.preparation.decisions.start_zone if page.preparation is not None else ""
    typed = _show_time(at, find_team_zone(page.settings, wanted))
    return _render_time(page, "campaign_reschedule.html", typed, seen=at)


@ROUTES.post_route("/campaigns/{campaign}/reschedule", Permission.launch)
def change_scheduled_start(page: CampaignPageDep, form: OwnFormDep) -> Response:
    typed, seen, settings = _read_typed(form), _read_seen(form), page.settings.campaigns
    try:
        with page.writing() as session:
            now = read_clock(session.connection())
            at, _ = _read_time(page, typed, now)
            done = reschedule_campaign(session, page.number, at=at, settings=settings, now=now, seen=seen)
            if done.is_moved:
                page.log(session, deeds.rescheduled_campaign, done)
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed)
    except RefusedFormError as error:
        refused = (error.field, page.translate(error.words, **error.values))
        return _render_time(page, "campaign_reschedule.html", typed, refused, seen=seen)
    except EarlierStartError:
        refused = ("start", page.translate(_EARLIER_START))
        return _render_time(page, "campaign_reschedule.html", typed, refused, seen=seen)
    except OtherStartError as error:
        refused, at = ("start", page.translate(_OTHER_START)), error.at
        return _render_time(
            page, "campaign_reschedule.html", typed, refused, status=409, meanwhile=at, seen=at
        )
    return page.go_back(Notice.decisions_saved)


def _read_seen(form: Form) -> datetime | None:
    try:
        return datetime.fromisoformat(form.get("seen"))
    except ValueError:
        return None


def _show_time(at: datetime | None, zone: ZoneInfo) -> Mapping[str, str]:
    return {"start": f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" if at else "", "zone": zone.key}


def _read_typed(form: Form) -> Mapping[str, str]:
    return {"start": form.get("start").strip()[:40], "zone": form.get("zone").strip()[:64]}


def _read_time(page: StudioPage, typed: Mapping[str, str], now: datetime) -> tuple[datetime, ZoneInfo]:
    """Return the moment (UTC) that a form says, and its zone. Raise RefusedFormError if it says
    none that is still to come."""
    zone = find_zone(typed["zone"])
    if zone is None:
        raise RefusedFormError("zone", _NO_ZONE)
    try:
        at = parse_start_time(typed["start"], zone).astimezone(UTC)
    except (ScheduleError, OverflowError) as error:
        fault = error.fault if isinstance(error, ScheduleError) else StartTimeFault.unreadable
    else:
        if at > now:
            return at, zone
        fault = StartTimeFault.past
    raise RefusedFormError("start", fault.words, now=say_moment(now, zone, page.translator))


def _render_time(
    page: CampaignPage,
    template: str,
    typed: Mapping[str, str],
    *errors: tuple[str, str],
    status: int = 0,
    meanwhile: datetime | None = None,
    **values: Any,
) -> Response:
    """Render a form for a day and time. With status 409, ``meanwhile`` is what somebody else has chosen."""
    zone, now = find_team_zone(page.settings, typed["zone"]), page.state.clock()
    return page.render(
        template,
        status=status,
        typed=typed,
        zones=[(one.key, name_zone(one, now)) for one in list_zones(page.settings, typed["zone"])],
        hours=describe_hours(page.translator, page.settings),
        theirs_words=say_moment(meanwhile, zone, page.translator) if meanwhile is not None else "",
        is_overtaken=status == 409,
        errors=errors,
        **values,
    )
