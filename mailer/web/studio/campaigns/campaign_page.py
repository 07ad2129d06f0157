"""The page of one campaign: its checklist before it is launched, and what became of it afterwards."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.acts import Act
from mailer.activity.log import list_campaign_acts
from mailer.campaigns.approvals.status import find_approval_status
from mailer.campaigns.content_versions import ContentTest, find_last_test_time, find_test
from mailer.campaigns.corrections import find_corrections
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    cancel_campaign,
    find_campaign,
    find_last_finished,
    list_correcting_campaigns,
    set_archived,
)
from mailer.campaigns.preparation.checklist import LastTest, make_checklist
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.team_clock import describe_hours, find_team_zone, say_moment
from mailer.campaigns.trial import find_trial_fault
from mailer.campaigns.uses import compare_saved_segment
from mailer.counts.counters import request_audience, request_deliveries, request_difference
from mailer.database.models import CampaignState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.mail_preview.prepared_mail import PreparedMail
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep, PreparedPage, say_reason
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from subscribers.errors import SubscriberError

_DRAFT_STATES = frozenset({CampaignState.draft, CampaignState.tested})
"""Campaigns that whoever prepares them may discard."""

_UNSENT_STATES = _DRAFT_STATES | {CampaignState.approved, CampaignState.scheduled}
"""Campaigns of which nobody has got anything."""

_STARTED = gettext_noop("Partners were chosen, and sending began")
_PAUSED = gettext_noop("Sending was paused")
_FINISHED = gettext_noop("Everything was sent")
_ENDED = gettext_noop("Sending ended")
_MAX_CORRECTIONS = 50

ROUTES = Routes()


@ROUTES.get_route("/campaigns/{campaign}", Permission.read)
def show_campaign(page: CampaignPageDep) -> Response:
    return _show_checklist(page) if isinstance(page, PreparedPage) else _show_overview(page)


@ROUTES.post_route("/campaigns/{campaign}/discard", Permission.prepare)
def discard_campaign(page: CampaignPageDep) -> Response:
    """Cancel a campaign that nobody has got anything of. One that was approved or scheduled is discarded by
    who may launch it."""
    try:
        with page.writing() as session:
            # In this transaction: a scheduled campaign may have started since the page was opened.
            state = find_campaign(session, page.number).state
            if state is CampaignState.cancelled:
                return page.go_back(Notice.campaign_discarded)
            if state not in _UNSENT_STATES:
                return page.go_back(Notice.campaign_started)
            if state not in _DRAFT_STATES:
                page.require(Permission.launch)
            cancel_campaign(session, page.number, now=page.state.clock())
            page.log(session, deeds.cancelled_campaign)
    except CampaignStateError:
        return page.go_back(Notice.campaign_started)
    return page.go_back(Notice.campaign_discarded)


@ROUTES.post_route("/campaigns/{campaign}/archive", Permission.launch)
def change_archive(page: CampaignPageDep, form: OwnFormDep) -> Response:
    or_404(page.was_sent_as_edition)
    wanted = form.get("archived") == "yes"
    with page.writing() as session:
        if find_campaign(session, page.number).archived is not wanted:
            set_archived(session, page.number, archived=wanted)
            page.log(session, deeds.archived_campaign, is_in=wanted)
    return page.go_back(Notice.archived if wanted else Notice.unarchived)


def _show_checklist(page: PreparedPage) -> Response:
    # A page is there at once, and htmx fetches what has to be compiled first. Whoever has no script asks.
    compiles = page.is_fragment or "look" in page.request.query_params
    found = _look_at_campaign(page, compiles=compiles)
    decided, settings = page.preparation.decisions, page.settings
    is_understood = decided.segment is not None and not found["segment_fault"]
    zone = find_team_zone(settings, decided.start_zone)
    return page.render(
        "campaign_checklist.html" if page.is_fragment else "campaign.html",
        summary=page.state.summaries.read(page.campaign.edition),
        found=found,
        decided=decided,
        options=decided.resolve(settings.campaigns),
        campaign_settings=settings.campaigns,
        segment_words=say_segment(page, page.session, decided.segment or "") if is_understood else "",
        starts=say_moment(decided.start_at, zone, page.translator) if decided.start_at is not None else "",
        hours=describe_hours(page.translator, settings),
        may_discard=_may_discard(page),
    )


def _look_at_campaign(page: PreparedPage, *, compiles: bool) -> dict[str, Any]:
    """Find out how far a campaign is. With ``compiles``, its edition is compiled where it is not."""
    mail = page.look_at_mail(compiles=compiles)
    decided, settings, session = page.preparation.decisions, page.settings, page.session
    edition, connection = page.campaign.edition, session.connection()
    fault, meaning, last = _find_segment_fault(page, decided.segment), None, None
    if decided.segment_name:
        meaning = compare_saved_segment(connection, settings, decided.segment_name, decided.segment or "")
    audience, difference = None, None
    if decided.segment is not None and not fault:
        last = find_last_finished(session, page.campaign)
        asked = [request_audience(edition, decided.segment, again=decided.again)]
        if last is not None:
            asked.append(request_difference(f"campaign:{last.id}", decided.segment))
        audience, difference = [*page.state.counts.get_all(asked), None][:2]
    test = find_test(connection, edition, mail.content_digest)
    older = find_last_test_time(session, edition) if test is None else None
    is_known = mail.compiled is not None or mail.gone
    approval = find_approval_status(
        session,
        page.state.workspace,
        page.campaign,
        page.preparation,
        mail.mails if is_known else None,
        has_errors=mail.compiled is not None and bool(mail.compiled.errors),
    )
    checklist = make_checklist(
        page.state.clock(),
        errors=mail.errors,
        segment=decided.segment or "",
        segment_fault=fault,
        audience=audience.value["audience"] if audience is not None and audience.value is not None else None,
        versions=min(mail.total, len(mail.versions)) if mail.total is not None else None,
        seen=mail.seen,
        test=_judge_test(mail, test, older),
        start_at=decided.start_at,
        approval=approval,
        requires_test=settings.campaigns.require_test,
    )
    return {
        "mail": mail,
        "checklist": checklist,
        "test": test,
        "older_test": older,
        "segment_fault": fault,
        "saved_meaning": meaning,
        "approval": approval,
        "audience": audience,
        "trial": _find_trial_fault(page, decided) if not fault else "",
        "last": last,
        "difference": difference,
        # A part of it is still being looked for.
        "is_late": mail.is_late
        or any(one is not None and one.value is None and one.is_counting for one in (audience, difference)),
    }


def _find_segment_fault(page: StudioPage, segment: str | None) -> str:
    """Return why a segment that was chosen is not valid any more; "" if it is, or none is chosen."""
    if segment is None:
        return ""
    try:
        read_segment(segment, page.settings, page.session)
    except SubscriberError as error:
        return str(error)
    return ""


def _find_trial_fault(page: PreparedPage, decided: Decisions) -> str:
    """Return why the campaign may go to test readers alone; "" if to all, or nobody is chosen."""
    if decided.segment is None:
        return ""
    session, settings, edition = page.session, page.settings, page.campaign.edition
    segment = read_segment(decided.segment, settings, session)
    today = page.state.clock().date()
    return find_trial_fault(
        session.connection(), settings, segment, edition, today=today, again=decided.again
    )


def _judge_test(mail: PreparedMail, test: ContentTest | None, older: datetime | None) -> LastTest | None:
    if test is not None:
        return LastTest.current
    if not mail.content_digest and mail.compiled is None:
        return None
    return LastTest.none if older is None else LastTest.outdated


def _show_overview(page: CampaignPage) -> Response:
    campaign = page.campaign
    numbers = page.state.counts.get(request_deliveries(page.number, campaign.state))
    if page.is_fragment:
        return page.render("campaign_numbers.html", numbers=numbers)
    session, starts = page.session, campaign.scheduled_at
    zone = find_team_zone(page.settings)
    return page.render(
        "campaign_overview.html",
        numbers=numbers,
        segment_words=say_segment(page, session, campaign.segment) if campaign.segment else "",
        starts=say_moment(starts, zone, page.translator) if starts is not None else "",
        history=sorted(_list_history(page), key=lambda entry: entry.at, reverse=True),
        correction=find_corrections(session.connection(), [campaign.edition]).get(campaign.edition),
        corrections=list_correcting_campaigns(session, campaign.edition, limit=_MAX_CORRECTIONS),
        is_draft=campaign.state in _DRAFT_STATES,
        may_archive=page.was_sent_as_edition,
        may_correct=page.was_sent_as_edition and page.may_open("/corrections/new"),
        may_discard=_may_discard(page),
    )


def _may_discard(page: CampaignPage) -> bool:
    state = page.campaign.state
    needed = Permission.prepare if state in _DRAFT_STATES else Permission.launch
    return state in _UNSENT_STATES and page.may(needed)


class HistoryEntry(NamedTuple):
    """Something that was done to a campaign, or that it did by itself: then ``name`` is ""."""

    at: datetime
    words: str
    name: str = ""
    detail: str = ""


def _list_history(page: CampaignPage) -> Iterator[HistoryEntry]:
    campaign, translate = page.campaign, page.translate
    for row in list_campaign_acts(page.session, campaign.edition, page.number):
        words = translate(Act(row.act).words, subject=row.subject)
        yield HistoryEntry(row.at, words, row.name, row.detail)
    if campaign.launched_at is not None:
        yield HistoryEntry(campaign.launched_at, translate(_STARTED))
    if campaign.state is CampaignState.paused and campaign.paused_at is not None:
        yield HistoryEntry(campaign.paused_at, translate(_PAUSED), detail=say_reason(page, campaign))
    if campaign.finished_at is not None:
        words = _FINISHED if campaign.state is CampaignState.finished else _ENDED
        yield HistoryEntry(campaign.finished_at, translate(words))
