"""The page of one campaign: a checklist while it is prepared, then what became of it, and its acts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.campaigns.approvals.answers import find_current_options, list_round_changes
from mailer.campaigns.approvals.rounds import Round, find_last_round
from mailer.campaigns.content_versions import ContentTest, find_test
from mailer.campaigns.corrections import SEPARATOR, find_corrections
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.lifecycle import CampaignStateError, cancel_campaign, find_campaign, set_archived
from mailer.campaigns.plan import digest_plan
from mailer.campaigns.preparation.checklist import (
    ApprovalStatus,
    Checklist,
    ChecklistFacts,
    LastTest,
    make_checklist,
)
from mailer.campaigns.uses import SavedMeaning, compare_saved_segment
from mailer.counts.counters import CountedNumber, request_audience, request_deliveries, request_difference
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState, SentTest
from mailer.database.team_models import ActivityRecord
from mailer.i18n import gettext_noop
from mailer.settings import Settings
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep, PreparedPage
from mailer.web.studio.campaigns.team_clock import describe_hours, find_team_zone, find_zone, say_moment
from mailer.web.studio.campaigns.versions import PreparedMail, look_at_mail
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from subscribers.errors import SubscriberError

_DRAFT_STATES = frozenset({CampaignState.draft, CampaignState.tested})
"""Campaigns that whoever prepares them may discard."""

_UNSENT_STATES = _DRAFT_STATES | {CampaignState.approved, CampaignState.scheduled}
"""Campaigns of which nobody has got anything."""

_LINKED = ("approval", "launch", "live", "doubts", "report")
"""Other pages of a campaign, by the last part of their paths."""

_HISTORY = frozenset(act for act in Act if act.value.endswith("_campaign")) | {
    *(Act.sent_test, Act.resolved_doubts, Act.mailed_report, Act.exported_report),
    *(Act.asked_launch, Act.undid_launch, Act.asked_for_approval, Act.withdrew_request),
    *(Act.changed_approval_steps, Act.requested_changes),
}
_STARTED = gettext_noop("Partners were chosen, and sending began")
_FINISHED = gettext_noop("Everything was sent")
_ENDED = gettext_noop("Sending ended")
_MAX_HISTORY, _MAX_CORRECTIONS = 100, 50

ROUTES = Routes()


@ROUTES.get_route("/campaigns/{campaign}", Permission.read)
def show_campaign(page: CampaignPageDep) -> Response:
    """Show a campaign; for htmx, the checklist alone."""
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
            page.log(session, Act.cancelled_campaign)
    except CampaignStateError:
        return page.go_back(Notice.campaign_started)
    return page.go_back(Notice.campaign_discarded)


@ROUTES.post_route("/campaigns/{campaign}/archive", Permission.launch)
def change_archive(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Put the edition of a campaign that was sent into the public archive, or take it out."""
    or_404(page.was_sent_as_edition)
    wanted = form.get("archived") == "yes"
    with page.writing() as session:
        if find_campaign(session, page.number).archived is not wanted:
            set_archived(session, page.number, archived=wanted)
            page.log(session, Act.archived_campaign, "in" if wanted else "out")
    return page.go_back(Notice.archived if wanted else Notice.unarchived)


def _show_checklist(page: PreparedPage) -> Response:
    # A page is there at once, and htmx fetches what has to be compiled first. Whoever has no script asks.
    compiles = page.is_fragment or "look" in page.request.query_params
    found = _look_at_campaign(page, compiles=compiles)
    decided, settings = page.preparation.decisions, page.settings
    is_understood = decided.segment is not None and not found.segment_fault
    zone = find_zone(decided.start_zone) or find_team_zone(settings)
    starts = say_moment(decided.start_at, zone, page.translator) if decided.start_at is not None else ""
    return page.render(
        "campaign_checklist.html" if page.is_fragment else "campaign.html",
        summary=page.state.summaries.read(page.campaign.edition),
        found=found,
        decided=decided,
        options=decided.resolve(settings.campaigns),
        campaign_settings=settings.campaigns,
        segment_words=say_segment(page, page.session, decided.segment or "") if is_understood else "",
        starts=starts,
        hours=describe_hours(page.translator, settings),
        **_list_shared_values(page),
    )


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
        corrections=list(_list_corrections(session, campaign)),
        is_draft=campaign.state in _DRAFT_STATES,
        may_archive=page.was_sent_as_edition,
        may_correct=page.was_sent_as_edition and page.may_open("/corrections/new"),
        **_list_shared_values(page),
    )


def _list_shared_values(page: CampaignPage) -> dict[str, Any]:
    """What both pages of a campaign show."""
    state = page.campaign.state
    needed = Permission.prepare if state in _DRAFT_STATES else Permission.launch
    return {
        "state": state,
        "links": frozenset(name for name in _LINKED if page.leads_to(f"/campaigns/{{campaign}}/{name}")),
        "may_discard": state in _UNSENT_STATES and page.may(needed),
    }


class HistoryEntry(NamedTuple):
    """Something that was done to a campaign, or that it did by itself: then ``name`` is ""."""

    at: datetime
    words: str
    name: str = ""
    detail: str = ""


def _list_history(page: CampaignPage) -> Iterator[HistoryEntry]:
    campaign, translate = page.campaign, page.translator.translate
    own = select(ActivityRecord).where(
        ActivityRecord.edition == campaign.edition,
        ActivityRecord.subject == str(campaign.id),
        col(ActivityRecord.act).in_([act.value for act in _HISTORY]),
    )
    for row in page.session.exec(own.order_by(col(ActivityRecord.id).desc()).limit(_MAX_HISTORY)):
        words = translate(Act(row.act).words, subject=row.subject)
        yield HistoryEntry(row.at, words, row.name, row.detail)
    if campaign.launched_at is not None:
        yield HistoryEntry(campaign.launched_at, translate(_STARTED))
    if campaign.finished_at is not None:
        words = _FINISHED if campaign.state is CampaignState.finished else _ENDED
        yield HistoryEntry(campaign.finished_at, translate(words))


def _list_corrections(session: Session, campaign: Campaign) -> Iterator[Mapping[str, object]]:
    """The campaigns that correct the edition of this one, the latest first."""
    own = select(Campaign.id, Campaign.title, Campaign.state).where(
        col(Campaign.edition).startswith(f"{campaign.edition}{SEPARATOR}", autoescape=True)
    )
    for number, title, state in session.exec(own.order_by(col(Campaign.id).desc()).limit(_MAX_CORRECTIONS)):
        yield {"number": number, "title": title, "state": state}


class LastCampaign(NamedTuple):
    """The campaign before this one, whose readers are compared with those it would have."""

    number: int
    title: str


@dataclass(frozen=True, kw_only=True)
class CampaignFacts:
    """How far a campaign is that is being prepared.

    ``test`` is the last one of exactly its content, ``older_test`` when one of another was sent last.
    ``segment_fault`` is why the segment cannot be used, "" if it can. ``saved_meaning`` is what became of the
    saved segment that was chosen, None if none was. ``audience`` counts its readers, and ``difference``
    compares them with those of the campaign ``last``; they are None where no segment is chosen, or there is
    nothing to compare with.
    """

    mail: PreparedMail
    checklist: Checklist
    test: ContentTest | None
    older_test: datetime | None
    segment_fault: str
    saved_meaning: SavedMeaning | None
    approval: ApprovalStatus | None
    audience: CountedNumber | None
    last: LastCampaign | None
    difference: CountedNumber | None

    @property
    def numbers(self) -> Sequence[CountedNumber]:
        return [one for one in (self.audience, self.difference) if one is not None]

    @property
    def is_late(self) -> bool:
        """Whether a part of it is still being looked for."""
        return self.mail.is_late or any(one.value is None and one.is_counting for one in self.numbers)


def _look_at_campaign(page: PreparedPage, *, compiles: bool) -> CampaignFacts:
    """Find out how far a campaign is. With ``compiles``, its edition is compiled where it is not."""
    mail = look_at_mail(page, compiles=compiles)
    decided, settings, session = page.preparation.decisions, page.settings, page.session
    edition, connection = page.campaign.edition, session.connection()
    fault = _find_segment_fault(session, settings, decided.segment)
    meaning = None
    if decided.segment_name:
        meaning = compare_saved_segment(connection, settings, decided.segment_name, decided.segment or "")
    last = _find_last_campaign(session, page.campaign)
    test = find_test(connection, edition, mail.content_digest)
    older = _find_older_test(session, edition) if test is None else None
    approval = _find_approval_status(page, mail)
    audience, difference = None, None
    if decided.segment is not None and not fault:
        asked = [request_audience(edition, decided.segment, again=decided.again)]
        if last is not None:
            asked.append(request_difference(f"campaign:{last.number}", decided.segment))
        audience, difference = [*page.state.counts.get_all(asked), None][:2]
    facts = ChecklistFacts(
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
    return CampaignFacts(
        mail=mail,
        checklist=make_checklist(facts, page.state.clock()),
        test=test,
        older_test=older,
        segment_fault=fault,
        saved_meaning=meaning,
        approval=approval,
        audience=audience,
        last=last if difference is not None else None,
        difference=difference,
    )


def _find_segment_fault(session: Session, settings: Settings, segment: str | None) -> str:
    """Why a segment that was chosen is not valid any more; "" if it is, or none is chosen."""
    if segment is None:
        return ""
    try:
        read_segment(segment, settings, session)
    except SubscriberError as error:
        return str(error)
    return ""


def _find_last_campaign(session: Session, campaign: Campaign) -> LastCampaign | None:
    """The newest campaign that was sent to its end, apart from corrections: nothing is compared with one, nor
    one with them, for it goes to those who were sent a story."""
    if SEPARATOR in campaign.edition:
        return None
    sent = select(Campaign.id, Campaign.title).where(
        Campaign.state == CampaignState.finished,
        col(Campaign.edition).not_like(f"%{SEPARATOR}%"),
        Campaign.id != campaign.id,
    )
    row = session.exec(sent.order_by(col(Campaign.id).desc()).limit(1)).first()
    return None if row is None else LastCampaign(number=row[0] or 0, title=row[1])


def _find_older_test(session: Session, edition: str) -> datetime | None:
    tests = select(SentTest.sent_at).where(SentTest.edition == edition, ~col(SentTest.is_in_doubt))
    return session.exec(tests.order_by(col(SentTest.id).desc()).limit(1)).first()


def _judge_test(mail: PreparedMail, test: ContentTest | None, older: datetime | None) -> LastTest | None:
    if test is not None:
        return LastTest.current
    if not mail.content_digest and mail.compiled is None:
        return None
    return LastTest.none if older is None else LastTest.outdated


def _find_approval_status(page: PreparedPage, mail: PreparedMail) -> ApprovalStatus | None:
    """How far the approval of a campaign is; None if that cannot be said yet."""
    asked = find_last_round(page.session.connection(), page.number)
    if asked is None or asked.state in {RoundState.withdrawn, RoundState.replaced}:
        return _judge_without_round(page, mail)
    if mail.compiled is None and not mail.gone:
        return None
    if asked.state is RoundState.changes_requested:
        return ApprovalStatus.refused
    has_changed = _has_changed(page, asked, mail)
    if asked.is_open:
        return ApprovalStatus.void if has_changed else ApprovalStatus.asked
    is_held = page.campaign.state is CampaignState.approved
    return ApprovalStatus.given if is_held and not has_changed else ApprovalStatus.void


def _has_changed(page: PreparedPage, asked: Round, mail: PreparedMail) -> bool:
    """Whether something else would be sent than what was asked for."""
    options = find_current_options(page.session, page.settings, page.campaign, page.preparation)
    compiled = mail.mails if mail.compiled is not None and not mail.compiled.errors else ()
    connection = page.session.connection()
    return bool(
        list_round_changes(connection, page.state.workspace, asked, compiled=compiled, options=options)
    )


def _judge_without_round(page: PreparedPage, mail: PreparedMail) -> ApprovalStatus | None:
    """Nobody was asked, but the command line may have approved it."""
    campaign = page.campaign
    if campaign.state is CampaignState.approved:
        if mail.compiled is None and not mail.gone:
            return None
        now = digest_plan(campaign.edition, page.preparation.decisions.segment or "", mail.mails)
        return ApprovalStatus.given if now == campaign.approved_digest else ApprovalStatus.void
    is_needed = page.settings.campaigns.approval == "required"
    return ApprovalStatus.missing if is_needed else ApprovalStatus.unneeded
