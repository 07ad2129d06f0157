"""The page of one campaign: a checklist while it is prepared, then what became of it, and its acts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.approvals.answers import list_round_changes
from mailer.campaigns.approvals.changes import SendingOptions
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
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.uses import SavedMeaning, compare_saved_segment
from mailer.counts.counters import CountedNumber, count_audience, count_difference, request_deliveries
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState, SentTest
from mailer.database.team_models import ActivityRecord
from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, read_title
from mailer.web.studio.campaigns.team_clock import (
    STATUS_WORDS,
    describe_hours,
    find_team_zone,
    find_zone,
    say_moment,
)
from mailer.web.studio.campaigns.versions import PreparedMail, look_at_mail
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.status_words import CAMPAIGN_WORDS
from subscribers.errors import SubscriberError

_MAX_SHOWN = 100
_ACTS = frozenset(act for act in Act if act.value.endswith("_campaign")) | {
    *(Act.sent_test, Act.resolved_doubts, Act.mailed_report, Act.exported_report),
    *(Act.asked_launch, Act.undid_launch, Act.asked_for_approval, Act.withdrew_request),
    *(Act.changed_approval_steps, Act.requested_changes),
}
_STARTED = gettext_noop("Partners were chosen, and sending began")
_FINISHED = gettext_noop("Everything was sent")
_ENDED = gettext_noop("Sending ended")


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """Something that was done to a campaign, or that it did by itself: then ``name`` is ""."""

    at: datetime
    words: str
    name: str = ""
    detail: str = ""


def list_history(session: Session, campaign: Campaign, translator: Translator) -> list[HistoryEntry]:
    """What happened to a campaign, the latest first."""
    own = select(ActivityRecord).where(
        ActivityRecord.edition == campaign.edition,
        ActivityRecord.subject == str(campaign.id),
        col(ActivityRecord.act).in_([act.value for act in _ACTS]),
    )
    rows = session.exec(own.order_by(col(ActivityRecord.id).desc()).limit(_MAX_SHOWN)).all()
    entries = [
        HistoryEntry(
            at=row.at,
            words=translator.translate(Act(row.act).words, subject=row.subject),
            name=row.name,
            detail=row.detail,
        )
        for row in rows
    ]
    if campaign.launched_at is not None:
        entries.append(HistoryEntry(at=campaign.launched_at, words=translator.translate(_STARTED)))
    if campaign.finished_at is not None:
        words = _FINISHED if campaign.state is CampaignState.finished else _ENDED
        entries.append(HistoryEntry(at=campaign.finished_at, words=translator.translate(words)))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


DRAFT_STATES = frozenset({CampaignState.draft, CampaignState.tested})
"""Campaigns that whoever prepares them may discard."""

UNSENT_STATES = DRAFT_STATES | {CampaignState.approved, CampaignState.scheduled}
"""Campaigns of which nobody has got anything."""


def discard_campaign(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Cancel a campaign that nobody has got anything of. One that was approved or scheduled is discarded by
    who may launch it."""
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            # In this transaction: a scheduled campaign may have started since the page was opened.
            campaign = find_campaign(session, place.number)
            if campaign.state is CampaignState.cancelled:
                return page.redirect(place.path, Notice.campaign_discarded)
            if campaign.state not in UNSENT_STATES:
                return page.redirect(place.path, Notice.campaign_started)
            if campaign.state not in DRAFT_STATES:
                page.require(Permission.launch)
            edition = campaign.edition
            cancel_campaign(session, place.number, now=now)
            record_activity(
                session,
                page.actor,
                Act.cancelled_campaign,
                edition=edition,
                subject=str(place.number),
                now=now,
            )
    except CampaignStateError:
        return page.redirect(place.path, Notice.campaign_started)
    return page.redirect(place.path, Notice.campaign_discarded)


def change_archive(page: PageDep, place: CampaignPlaceDep, form: OwnFormDep) -> Response:
    """Put the edition of a campaign that was sent into the public archive, or take it out."""
    if place.is_correction or place.campaign.launched_at is None:
        raise HTTPException(404)
    wanted = form.get("archived") == "yes"
    with page.state.write_session() as session:
        if find_campaign(session, place.number).archived is not wanted:
            set_archived(session, place.number, archived=wanted)
            record_activity(
                session,
                page.actor,
                Act.archived_campaign,
                edition=place.campaign.edition,
                subject=str(place.number),
                detail="in" if wanted else "out",
                now=page.state.clock(),
            )
    return page.redirect(place.path, Notice.archived if wanted else Notice.unarchived)


def find_approval_status(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, mail: PreparedMail
) -> ApprovalStatus | None:
    """How far the approval of a prepared campaign is; None if that cannot be said yet."""
    with page.state.read_session() as session:
        connection = session.connection()
        asked = find_last_round(connection, place.number)
        if asked is None or asked.state in {RoundState.withdrawn, RoundState.replaced}:
            return _judge_without_round(page, place, preparation, mail)
        if mail.compiled is None and not mail.gone:
            return None
        if asked.state is RoundState.changes_requested:
            return ApprovalStatus.refused
        has_changed = _has_changed(page, connection, asked, preparation, mail)
    if asked.is_open:
        return ApprovalStatus.void if has_changed else ApprovalStatus.asked
    is_held = place.campaign.state is CampaignState.approved
    return ApprovalStatus.given if is_held and not has_changed else ApprovalStatus.void


def _has_changed(
    page: StudioPage, connection: Connection, asked: Round, preparation: Preparation, mail: PreparedMail
) -> bool:
    """Whether something else would be sent than what was asked for."""
    decided, usual = preparation.decisions, page.settings.campaigns.count_clicks
    options = SendingOptions(
        segment=decided.segment or "",
        again=decided.again,
        counts_clicks=usual if decided.count_clicks is None else decided.count_clicks,
    )
    compiled = mail.mails if mail.compiled is not None and not mail.compiled.errors else ()
    return bool(
        list_round_changes(connection, page.state.workspace, asked, compiled=compiled, options=options)
    )


def _judge_without_round(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, mail: PreparedMail
) -> ApprovalStatus | None:
    """Nobody was asked, but the command line may have approved it."""
    if place.campaign.state is CampaignState.approved:
        if mail.compiled is None and not mail.gone:
            return None
        now = digest_plan(preparation.edition, preparation.decisions.segment or "", mail.mails)
        return ApprovalStatus.given if now == place.campaign.approved_digest else ApprovalStatus.void
    is_needed = page.settings.campaigns.approval == "required"
    return ApprovalStatus.missing if is_needed else ApprovalStatus.unneeded


@dataclass(frozen=True, kw_only=True)
class LastCampaign:
    """The campaign before this one, whose readers are compared with those it would have."""

    number: int
    title: str


@dataclass(frozen=True, kw_only=True)
class PreparedCampaign:
    """Everything that the page of a prepared campaign shows.

    ``test`` is the last one of exactly its content, ``older_test`` when one of another was sent last.
    ``segment_fault`` is why the segment cannot be used, "" if it can. ``saved_meaning`` is what became of the
    saved segment that was chosen, None if none was. ``audience`` counts its readers, and ``difference``
    compares them with those of the campaign ``last``; they are None where no segment is chosen, or there is
    nothing to compare with. ``numbers`` are both, as far as there are any.
    """

    preparation: Preparation
    mail: PreparedMail
    checklist: Checklist
    test: ContentTest | None = None
    older_test: datetime | None = None
    segment_fault: str = ""
    saved_meaning: SavedMeaning | None = None
    approval: ApprovalStatus | None = None
    audience: CountedNumber | None = None
    last: LastCampaign | None = None
    difference: CountedNumber | None = None
    numbers: Sequence[CountedNumber] = field(default=())

    @property
    def is_late(self) -> bool:
        """Whether a part of it is still being looked for."""
        return self.mail.is_late or any(one.value is None and one.is_counting for one in self.numbers)


def look_at_campaign(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, *, compiles: bool
) -> PreparedCampaign:
    """Find out how far a prepared campaign is. With ``compiles``, its edition is compiled where it is not."""
    mail = look_at_mail(page, preparation, compiles=compiles)
    decided, settings = preparation.decisions, page.settings
    with page.state.read_session() as session:
        fault = _find_segment_fault(session, settings, decided.segment)
        saved_meaning = _find_saved_meaning(session, settings, preparation)
        last = _find_last_campaign(session, preparation)
        test = find_test(session.connection(), preparation.edition, mail.content_digest)
        older = _find_older_test(session, preparation.edition) if test is None else None
    audience, difference = _ask_numbers(page, preparation, last, fault)
    approval = find_approval_status(page, place, preparation, mail)
    known = audience.value["audience"] if audience is not None and audience.value is not None else None
    facts = ChecklistFacts(
        errors=mail.errors,
        segment=decided.segment or "",
        segment_fault=fault,
        audience=known,
        versions=min(mail.total, len(mail.versions)) if mail.total is not None else None,
        seen=mail.seen,
        test=_judge_test(mail, test, older),
        start_at=decided.start_at,
        approval=approval,
        requires_test=settings.campaigns.require_test,
    )
    return PreparedCampaign(
        preparation=preparation,
        mail=mail,
        checklist=make_checklist(facts, page.state.clock()),
        test=test,
        older_test=older,
        segment_fault=fault,
        saved_meaning=saved_meaning,
        approval=approval,
        audience=audience,
        last=last if difference is not None else None,
        difference=difference,
        numbers=tuple(one for one in (audience, difference) if one is not None),
    )


def _ask_numbers(
    page: StudioPage, preparation: Preparation, last: LastCampaign | None, fault: str
) -> tuple[CountedNumber | None, CountedNumber | None]:
    segment = preparation.decisions.segment
    if segment is None or fault:
        return None, None
    asked = [count_audience(preparation.edition, segment, again=preparation.decisions.again)]
    if last is not None:
        asked.append(count_difference(f"campaign:{last.number}", segment))
    found = page.state.counts.get_all(asked)
    return found[0], found[1] if last is not None else None


def _find_segment_fault(session: Session, settings: Settings, segment: str | None) -> str:
    """Why a segment that was chosen is not valid any more; "" if it is, or none is chosen."""
    if segment is None:
        return ""
    try:
        read_segment(segment, settings, session)
    except SubscriberError as error:
        return str(error)
    return ""


def _find_saved_meaning(
    session: Session, settings: Settings, preparation: Preparation
) -> SavedMeaning | None:
    decided = preparation.decisions
    if not decided.segment_name:
        return None
    return compare_saved_segment(session.connection(), settings, decided.segment_name, decided.segment or "")


def _find_last_campaign(session: Session, preparation: Preparation) -> LastCampaign | None:
    """The newest campaign that was sent to its end, apart from corrections: nothing is compared with one, nor
    one with them, for it goes to those who were sent a story."""
    if SEPARATOR in preparation.edition:
        return None
    sent = select(Campaign.id, Campaign.title).where(
        Campaign.state == CampaignState.finished,
        col(Campaign.edition).not_like(f"%{SEPARATOR}%"),
        Campaign.id != preparation.campaign_id,
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


_MAX_CORRECTIONS = 50
_LINKED = ("approval", "launch", "live", "doubts", "report")
"""Other pages of a campaign, by the last part of their paths."""


def show_campaign(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Show a campaign; for htmx, the checklist alone."""
    if place.preparation is not None and place.is_prepared:
        return _show_checklist(page, place, place.preparation)
    return _show_overview(page, place)


def _show_checklist(page: StudioPage, place: CampaignPlace, preparation: Preparation) -> Response:
    # A page is there at once, and htmx fetches what has to be compiled first. Whoever has no script asks.
    compiles = page.is_fragment or "look" in page.request.query_params
    found = look_at_campaign(page, place, preparation, compiles=compiles)
    decided, settings = preparation.decisions, page.settings
    with page.state.read_session() as session:
        is_understood = decided.segment is not None and not found.segment_fault
        words = say_segment(page, session, decided.segment or "") if is_understood else ""
    zone = find_zone(decided.start_zone) or find_team_zone(settings)
    starts = say_moment(decided.start_at, zone, page.translator) if decided.start_at is not None else ""
    state, tone = CAMPAIGN_WORDS[place.campaign.state]
    return page.render(
        "campaign_checklist.html" if page.is_fragment else "campaign.html",
        section="campaigns",
        place=place,
        title=read_title(page, place),
        summary=page.state.summaries.read(preparation.edition),
        found=found,
        decided=decided,
        campaign_settings=settings.campaigns,
        segment_words=words,
        starts=starts,
        hours=describe_hours(page.translator, settings),
        status_words=STATUS_WORDS,
        state=state,
        tone=tone,
        links=_find_links(page),
        may_discard=place.campaign.state in DRAFT_STATES or page.may(Permission.launch),
    )


def _show_overview(page: StudioPage, place: CampaignPlace) -> Response:
    campaign = place.campaign
    numbers = page.state.counts.get(request_deliveries(place.number, campaign.state))
    if page.is_fragment:
        return page.render("campaign_numbers.html", place=place, campaign=campaign, numbers=numbers)
    with page.state.read_session() as session:
        words = say_segment(page, session, campaign.segment) if campaign.segment else ""
        history = list_history(session, campaign, page.translator)
        record = find_corrections(session.connection(), [campaign.edition]).get(campaign.edition)
        corrections = _list_corrections(session, campaign)
    state, tone = CAMPAIGN_WORDS[campaign.state]
    starts, was_sent = campaign.scheduled_at, campaign.launched_at is not None
    zone = find_team_zone(page.settings)
    return page.render(
        "campaign_overview.html",
        section="campaigns",
        place=place,
        campaign=campaign,
        numbers=numbers,
        title=read_title(page, place),
        segment_words=words,
        starts=say_moment(starts, zone, page.translator) if starts is not None else "",
        history=history,
        correction=record,
        corrections=corrections,
        state=state,
        tone=tone,
        links=_find_links(page),
        is_draft=campaign.state in DRAFT_STATES,
        may_discard=_may_discard(page, place),
        may_archive=was_sent and not place.is_correction,
        may_correct=was_sent and not place.is_correction and page.may_open("/corrections/new"),
    )


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """A campaign that corrects a story of another one."""

    number: int
    title: str
    words: str
    tone: str


def _list_corrections(session: Session, campaign: Campaign) -> list[CorrectionRow]:
    """The campaigns that correct the edition of this one, the latest first."""
    own = select(Campaign.id, Campaign.title, Campaign.state).where(
        col(Campaign.edition).startswith(f"{campaign.edition}{SEPARATOR}", autoescape=True)
    )
    rows = session.exec(own.order_by(col(Campaign.id).desc()).limit(_MAX_CORRECTIONS)).all()
    found = []
    for number, title, state in rows:
        words, tone = CAMPAIGN_WORDS[CampaignState(state)]
        found.append(CorrectionRow(number=number or 0, title=title, words=words, tone=tone))
    return found


def _may_discard(page: StudioPage, place: CampaignPlace) -> bool:
    state = place.campaign.state
    if state in DRAFT_STATES:
        return page.may(Permission.prepare)
    return state in UNSENT_STATES and page.may(Permission.launch)


def _find_links(page: StudioPage) -> frozenset[str]:
    return frozenset(name for name in _LINKED if page.leads_to(f"/campaigns/{{campaign}}/{name}"))
