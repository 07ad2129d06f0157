"""What is decided about a campaign: who gets it, how it is sent and when it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    EarlierStartError,
    OtherStartError,
    reschedule_campaign,
)
from mailer.campaigns.preparation.preparation import MAX_NOTE_LENGTH, Decision, Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    PreparationConflictError,
    PreparationOverError,
    save_preparation,
)
from mailer.campaigns.schedule import ScheduleError, StartTimeFault, parse_start_time
from mailer.campaigns.uses import find_segment_name, make_lookups
from mailer.counts.counters import count_audience
from mailer.database.engine import read_clock
from mailer.database.models import CampaignState, InDoubtPolicy
from mailer.i18n import gettext_noop
from mailer.settings import CampaignSettings
from mailer.web.forms import Form, OwnFormDep
from mailer.web.plain_number import read_number
from mailer.web.studio.campaigns.place import (
    CampaignPlace,
    CampaignPlaceDep,
    PreparationClosedError,
    PreparationDep,
    read_title,
)
from mailer.web.studio.campaigns.team_clock import (
    DECISION_NAMES,
    describe_hours,
    find_team_zone,
    find_zone,
    list_zones,
    name_zone,
    say_moment,
)
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_query import (
    QUERY_PARAMETER,
    SegmentQuery,
    WrittenQuery,
    make_filter_form,
    read_query,
    read_query_form,
)
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.segment import EVERYONE

_OTHER_DECISION = gettext_noop(
    "%(name)s has changed this meanwhile: %(what)s. What you chose is still here, and theirs is shown below: "
    "save again to keep yours."
)
_SOMEBODY = gettext_noop("Somebody else")
_ELSEWHERE = gettext_noop(
    "This campaign was approved. It cannot be changed while campaign %(number)s of the same edition is being "
    "prepared. Discard that one first, or change it instead."
)


class DecisionsRefusedError(Exception):
    """What a form decides was not saved. ``words`` say why, for people; ``theirs`` is what is decided now,
    and ``decisions`` are those that somebody else has changed meanwhile."""

    def __init__(self, words: str, theirs: Preparation, decisions: frozenset[Decision] = frozenset()) -> None:
        self.words = words
        self.theirs = theirs
        self.decisions = decisions
        super().__init__(words)


def save_decisions(
    page: StudioPage, preparation: Preparation, was: Decisions, wanted: Decisions
) -> Preparation:
    """Save what differs between ``was``, which the form began from, and ``wanted``, and write it down.

    Raises:
        DecisionsRefusedError: somebody else has decided otherwise meanwhile, or it cannot be changed.
        PreparationClosedError: nothing can be decided any more.
    """
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            saved = save_preparation(
                session, replace(preparation, decisions=was), wanted, member_id=page.member.id, now=now
            )
            changed = preparation.decisions.list_changes(saved.decisions) & was.list_changes(wanted)
            if changed:
                record_activity(
                    session,
                    page.actor,
                    Act.changed_campaign,
                    edition=saved.edition,
                    subject=str(saved.campaign_id),
                    detail=describe_changes(saved.decisions, changed),
                    now=now,
                )
    except PreparationOverError as error:
        raise PreparationClosedError(f"/campaigns/{preparation.campaign_id}") from error
    except PreparationConflictError as error:
        raise DecisionsRefusedError(_explain_conflict(page, error), error.theirs, error.decisions) from error
    except AlreadyPreparedError as error:
        words = page.translator.translate(_ELSEWHERE, number=error.campaign_id)
        raise DecisionsRefusedError(words, preparation) from error
    return saved


def describe_changes(decided: Decisions, changed: frozenset[Decision]) -> str:
    """What the log says of ``changed`` decisions: "segment: country:MN; canary: 50"."""
    values = decided.as_dict()
    names = {Decision.clicks: "count_clicks", Decision.start: "start_at", Decision.archive: "archived"}
    parts = []
    for decision in (one for one in Decision if one in changed):
        if decision is Decision.note:
            parts.append("note")
            continue
        value = values[names.get(decision, decision.value)]
        if decision is Decision.segment and decided.segment_name:
            value = f"{value} (saved as {decided.segment_name})"
        parts.append(f"{decision.value}: {'as usual' if value is None else value}")
    return "; ".join(parts)


def _explain_conflict(page: StudioPage, error: PreparationConflictError) -> str:
    translate = page.translator.translate
    what = ", ".join(translate(DECISION_NAMES[one]) for one in Decision if one in error.decisions)
    return translate(_OTHER_DECISION, name=error.theirs.changed_by or translate(_SOMEBODY), what=what)


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


_MAX_CANARY = 1_000_000
_MAX_MINUTES = 7 * 24 * 60
_BAD_CANARY = gettext_noop("Write a number of partners, such as 50, or nothing to send to all at once.")
_BAD_MINUTES = gettext_noop("Write a number of minutes, such as 30, or nothing to wait for a person.")
_NO_CANARY = gettext_noop("This is the wait after the first partners: say how many they are.")
_LONG_NOTE = gettext_noop("Use at most %(number)s characters.")
_FIELDS = ("canary", "minutes", "clicks", "archive", "doubts", "note")


@dataclass(frozen=True, kw_only=True)
class OptionsForm:
    """The fields as they are shown: numbers as typed, "yes" or "no", ``doubts`` "hold" or "resend"."""

    canary: str
    minutes: str
    clicks: str
    archive: str
    doubts: str
    note: str


def show_options(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show how the campaign is to be sent."""
    shown = _fill_form(page.settings.campaigns, preparation.decisions)
    return _render_options(page, place, shown, shown)


def save_options(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save how the campaign is to be sent. What was not changed in the form stays as it is, also where the
    settings decide."""
    settings, now = page.settings.campaigns, preparation.decisions
    shown = _fill_form(settings, now)
    was = _read_form(form, shown, "was-")
    sent = _read_form(form, was, "")
    errors = _find_errors(page, sent)
    if errors:
        return _render_options(page, place, sent, was, errors, status=422)
    before = _apply(now, shown, was)
    wanted = _apply(before, was, sent)
    try:
        save_decisions(page, preparation, before, wanted)
    except DecisionsRefusedError as error:
        theirs = _fill_form(settings, error.theirs.decisions)
        return _render_options(page, place, sent, theirs, [("", error.words)], status=409, theirs=theirs)
    return page.redirect(place.path, Notice.decisions_saved)


def _fill_form(settings: CampaignSettings, decided: Decisions) -> OptionsForm:
    """What holds now, be it decided here or by the settings."""
    canary = settings.canary if decided.canary is None else decided.canary
    minutes = settings.canary_minutes if decided.canary_minutes is None else decided.canary_minutes
    clicks = settings.count_clicks if decided.count_clicks is None else decided.count_clicks
    archived = settings.archive if decided.archived is None else decided.archived
    return OptionsForm(
        canary=str(canary or ""),
        minutes=f"{minutes:g}" if canary and minutes else "",
        clicks=_say(clicks),
        archive=_say(archived),
        doubts=decided.in_doubt.value if decided.in_doubt else settings.in_doubt,
        note=decided.note,
    )


def _say(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _read_form(form: Form, usual: OptionsForm, prefix: str) -> OptionsForm:
    """The fields whose names begin with ``prefix``; one that was not sent is as in ``usual``."""
    given: Mapping[str, str] = dict(form.fields)
    values = {name: given.get(f"{prefix}{name}", getattr(usual, name)) for name in _FIELDS}
    note = values["note"].replace("\r\n", "\n").replace("\r", "\n").strip()
    return OptionsForm(**{name: value.strip() for name, value in (values | {"note": note}).items()})


def _find_errors(page: StudioPage, sent: OptionsForm) -> list[tuple[str, str]]:
    translate, errors = page.translator.translate, []
    if sent.canary and _read_canary(sent.canary) is None:
        errors.append(("canary", translate(_BAD_CANARY)))
    if sent.minutes and _read_minutes(sent.minutes) is None:
        errors.append(("minutes", translate(_BAD_MINUTES)))
    elif sent.minutes and not _read_canary(sent.canary):
        errors.append(("canary", translate(_NO_CANARY)))
    if len(sent.note) > MAX_NOTE_LENGTH:
        errors.append(("note", translate(_LONG_NOTE, number=MAX_NOTE_LENGTH)))
    return errors


def _read_canary(text: str) -> int | None:
    number = read_number(text)
    return number if number is not None and number <= _MAX_CANARY else None


def _read_minutes(text: str) -> float | None:
    try:
        minutes = float(text.replace(",", "."))
    except ValueError:
        return None
    return minutes if 0 < minutes <= _MAX_MINUTES else None


def _apply(decided: Decisions, before: OptionsForm, after: OptionsForm) -> Decisions:
    """``decided``, with what differs between two states of the form decided as in the second."""
    changed = {name for name in _FIELDS if getattr(before, name) != getattr(after, name)}
    if changed & {"canary", "minutes"}:
        canary = _read_canary(after.canary) or 0
        minutes = _read_minutes(after.minutes) if canary and after.minutes else None
        decided = replace(decided, canary=canary, canary_minutes=minutes)
    if "clicks" in changed:
        decided = replace(decided, count_clicks=after.clicks == "yes")
    if "archive" in changed:
        decided = replace(decided, archived=after.archive == "yes")
    if "doubts" in changed:
        is_known = after.doubts in list(InDoubtPolicy)
        decided = replace(decided, in_doubt=InDoubtPolicy(after.doubts) if is_known else decided.in_doubt)
    if "note" in changed:
        decided = replace(decided, note=after.note)
    return decided


def _render_options(
    page: StudioPage,
    place: CampaignPlace,
    sent: OptionsForm,
    was: OptionsForm,
    errors: list[tuple[str, str]] | None = None,
    *,
    status: int = 200,
    theirs: OptionsForm | None = None,
) -> Response:
    return page.render(
        "campaign_options.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        sent=sent,
        was={name: getattr(was, name) for name in _FIELDS},
        theirs=theirs,
        max_note=MAX_NOTE_LENGTH,
        errors=errors or [],
    )


_NO_SEGMENT = gettext_noop("Say who gets it. Write all for everyone on the list.")
_TOO_LONG = gettext_noop("This query is too long. Save it as a segment and write segment: and its name.")
_NOT_UNDERSTOOD = gettext_noop("This query cannot be understood.")
Errors = Sequence[tuple[str, str]]


def show_segment(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show who gets the campaign, or would get it with the query in the address, which saves nothing. For
    htmx, what that query means and how many they are."""
    given = page.request.query_params.multi_items()
    decided = preparation.decisions
    written = WrittenQuery(text=decided.segment or "")
    again = decided.again
    with page.state.read_session() as session:
        if any(name == QUERY_PARAMETER for name, _ in given):
            written = _read_written(page, session, given)
            again = ("again", "yes") in given
        return _render_segment(page, place, session, preparation, written, again=again, errors=written.errors)


def save_segment(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save who gets the campaign."""
    was = _read_was_segment(form, preparation.decisions)
    again = form.get("again") == "yes"
    with page.state.read_session() as session:
        written = _read_written(page, session, form.fields)
        query = _understand(page, session, written)
        errors = list(written.errors)
        if not errors and query.problem is not None:
            errors = [(QUERY_PARAMETER, page.translator.translate(_NOT_UNDERSTOOD))]
        elif not errors and not written.text.strip():
            errors = [(QUERY_PARAMETER, page.translator.translate(_NO_SEGMENT))]
        name = find_segment_name(written.text, make_lookups(session.connection(), page.settings))
        if errors or query.segment is None:
            return _render_segment(
                page, place, session, preparation, written, again=again, was=was, errors=errors, status=422
            )
    if not name and query.segment.text == was.segment:
        # The page shows what the saved segment meant, and not its name.
        name = was.segment_name
    wanted = replace(was, segment=query.segment.text, segment_name=name, again=again)
    try:
        save_decisions(page, preparation, was, wanted)
    except DecisionsRefusedError as error:
        errors = [(QUERY_PARAMETER, error.words)]
        with page.state.read_session() as session:
            return _render_segment(
                page, place, session, error.theirs, written, again=again, errors=errors, status=409
            )
    return page.redirect(place.path, Notice.decisions_saved)


def _read_was_segment(form: Form, now: Decisions) -> Decisions:
    """What the form began from; a field that it does not have counts as it is now."""
    names = dict(form.fields)
    segment = names["was-segment"] or None if "was-segment" in names else now.segment
    again = names["was-again"] == "yes" if "was-again" in names else now.again
    name = now.segment_name if segment == now.segment else ""
    return replace(now, segment=segment, segment_name=name, again=again)


def _read_written(page: StudioPage, session: Session, given: Sequence[tuple[str, str]]) -> WrittenQuery:
    if len(dict(given).get(QUERY_PARAMETER, "")) > MAX_LENGTH:
        words = page.translator.translate(_TOO_LONG)
        return WrittenQuery(text=dict(given)[QUERY_PARAMETER], errors=((QUERY_PARAMETER, words),))
    return read_query_form(page, session, given)


def _understand(page: StudioPage, session: Session, written: WrittenQuery) -> SegmentQuery:
    """What a query means. An empty one means nobody yet, with filters that let all pass."""
    if len(written.text) > MAX_LENGTH:
        return SegmentQuery(text=written.text)
    query = read_query(page, session, written.text)
    return query if written.text.strip() else replace(query, segment=None, in_words="")


def _render_segment(
    page: StudioPage,
    place: CampaignPlace,
    session: Session,
    preparation: Preparation,
    written: WrittenQuery,
    *,
    again: bool,
    was: Decisions | None = None,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    query, number = _understand(page, session, written), None
    # A part of the page whose filters are wrong has no number: that of the line would be another one.
    if query.segment is not None and not (errors and page.is_fragment):
        asked = count_audience(preparation.edition, query.segment.text, again=again)
        number = page.state.counts.get(asked)
    return page.render(
        "segment_words.html" if page.is_fragment else "campaign_segment.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        query=query,
        from_filters=written.from_filters,
        form=make_filter_form(page, session, query.filters) if query.filters is not None else None,
        again=again,
        was=was if was is not None else preparation.decisions,
        words_path=f"{place.path}/segment",
        number=number,
        shows_numbers=False,
        saved=list_saved_segments(session.connection()),
        everyone=EVERYONE,
        errors=errors,
        wrong=dict(errors),
    )


_AT_LAUNCH, _AT_TIME = "launch", "time"


def show_start(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show when the campaign is to start."""
    decided = preparation.decisions
    zone = find_zone(decided.start_zone) or find_team_zone(page.settings)
    when = _AT_LAUNCH if decided.start_at is None else _AT_TIME
    return _render_start(page, place, when, StartForm(typed=fill_start(decided.start_at, zone)), was=decided)


def save_start(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save when the campaign is to start."""
    was = _read_was_start(form, preparation.decisions)
    when = _AT_TIME if form.get("when") == _AT_TIME else _AT_LAUNCH
    typed = read_typed_start(form)
    if when == _AT_LAUNCH:
        wanted = replace(was, start_at=None, start_zone="")
    else:
        try:
            at, zone = read_start(page, typed, page.state.clock())
        except WrongStartError as error:
            refused = StartForm(typed=typed, errors=[(error.field, error.words)], status=422)
            return _render_start(page, place, when, refused, was=was)
        wanted = replace(was, start_at=at, start_zone=zone.key)
    try:
        save_decisions(page, preparation, was, wanted)
    except DecisionsRefusedError as error:
        theirs = error.theirs.decisions
        refused = StartForm(typed=typed, errors=[("when", error.words)], status=409, theirs=theirs.start_at)
        return _render_start(page, place, when, refused, was=theirs, theirs=theirs)
    return page.redirect(place.path, Notice.decisions_saved)


def _read_was_start(form: Form, now: Decisions) -> Decisions:
    """What the form began from; a form without it began from what is decided now."""
    names = dict(form.fields)
    if "was-start" not in names:
        return now
    try:
        at = datetime.fromisoformat(names["was-start"]).astimezone(UTC) if names["was-start"] else None
    except (ValueError, OverflowError):
        return now
    return replace(now, start_at=at, start_zone=names.get("was-zone", "") if at else "")


def _render_start(
    page: StudioPage,
    place: CampaignPlace,
    when: str,
    form: StartForm,
    *,
    was: Decisions,
    theirs: Decisions | None = None,
) -> Response:
    """Show the form; ``when`` is "launch" or "time"."""
    return render_start(page, "campaign_start.html", place, form, when=when, was=was, theirs=theirs)


_OTHER = gettext_noop("Somebody else has changed this meanwhile. Save again to have the time that you chose.")
_EARLIER = gettext_noop(
    "Two people launch a campaign here, so one alone can only put it off. Choose a later time, or discard "
    "the campaign and let two people launch it again."
)


def show_scheduled_start(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Show when a scheduled campaign starts."""
    at = place.campaign.scheduled_at
    if place.campaign.state is not CampaignState.scheduled or at is None:
        return page.redirect(place.path)
    decided = place.preparation.decisions if place.preparation is not None else None
    zone = (find_zone(decided.start_zone) if decided else None) or find_team_zone(page.settings)
    return _render_reschedule(page, place, StartForm(typed=fill_start(at, zone)), seen=at)


def change_scheduled_start(page: PageDep, place: CampaignPlaceDep, form: OwnFormDep) -> Response:
    """Let a scheduled campaign start at another time."""
    typed, seen = read_typed_start(form), _read_seen(form)
    try:
        with page.state.write_session() as session:
            now = read_clock(session.connection())
            at, _ = read_start(page, typed, now)
            done = reschedule_campaign(
                session, place.number, at=at, settings=page.settings.campaigns, now=now, seen=seen
            )
            if done.is_moved:
                record_activity(
                    session,
                    page.actor,
                    Act.rescheduled_campaign,
                    edition=place.campaign.edition,
                    subject=str(place.number),
                    detail=str(done),
                    now=page.state.clock(),
                )
    except CampaignStateError:
        return page.redirect(place.path, Notice.campaign_changed)
    except WrongStartError as error:
        refused = StartForm(typed=typed, errors=[(error.field, error.words)], status=422)
        return _render_reschedule(page, place, refused, seen=seen)
    except EarlierStartError:
        words = page.translator.translate(_EARLIER)
        refused = StartForm(typed=typed, errors=[("start", words)], status=422)
        return _render_reschedule(page, place, refused, seen=seen)
    except OtherStartError as error:
        words = page.translator.translate(_OTHER)
        refused = StartForm(typed=typed, errors=[("start", words)], status=409, theirs=error.at)
        return _render_reschedule(page, place, refused, seen=error.at)
    return page.redirect(place.path, Notice.decisions_saved)


def _read_seen(form: Form) -> datetime | None:
    """The time from which the form began; None if it does not say so."""
    try:
        return datetime.fromisoformat(form.get("seen"))
    except ValueError:
        return None


def _render_reschedule(
    page: StudioPage, place: CampaignPlace, form: StartForm, *, seen: datetime | None
) -> Response:
    return render_start(page, "campaign_reschedule.html", place, form, seen=seen)
