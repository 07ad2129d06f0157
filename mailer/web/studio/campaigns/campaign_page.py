"""The page of one campaign: its checklist, its different mails and tests of them, what became of it."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.activity.log import list_campaign_acts
from mailer.campaigns.approvals.status import find_approval_status
from mailer.campaigns.content_versions import ContentTest, find_last_test_time, find_test, list_tests
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
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    read_test_readers,
    send_test,
)
from mailer.campaigns.preparation.checklist import LastTest, make_checklist
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.seen_variants import mark_variant_seen
from mailer.campaigns.team_clock import describe_hours, find_team_zone, say_moment
from mailer.campaigns.trial import find_trial_fault
from mailer.campaigns.uses import compare_saved_segment
from mailer.counts.counters import request_audience, request_deliveries, request_difference
from mailer.database.models import CampaignState
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import choose_language
from mailer.rendering.mail_merge import anonymous_reader
from mailer.smtp.reply_classifier import Verdict
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.mail_preview.mail_frame import show_mail, show_text, show_words
from mailer.web.mail_preview.prepared_mail import PreparedMail, describe_versions, plan_test
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.studio.campaign_place import (
    CampaignPage,
    CampaignPageDep,
    PreparedPage,
    PreparedPageDep,
    say_reason,
)
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
_ON_SHEET = 12
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ADDRESS = gettext_noop("Write at least one address.")
_TOO_MANY = gettext_noop("A test goes to at most %(number)s addresses. For more people, send a campaign.")
_ERRORS = gettext_noop("The edition has errors, so no test was sent. Its problems say what to mend.")
_NOT_SENT = gettext_noop("%(address)s did not get it. Their mail server, or ours, said: %(reply)s")
_LATER = gettext_noop(
    "%(address)s did not get it yet. Send it again in a few minutes. The server said: %(reply)s"
)


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
            page.log(session, Act.cancelled_campaign)
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
            page.log(session, Act.archived_campaign, "in" if wanted else "out")
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


@ROUTES.get_route("/campaigns/{campaign}/versions", Permission.read)
def show_versions(page: PreparedPageDep) -> Response:
    """Show the contact sheet: a page, or for htmx the sheet alone."""
    mail = page.look_at_mail()
    last = max(1, -(-len(mail.versions) // _ON_SHEET))
    wanted = read_number(page.request.query_params.get("page", ""), digits=5) or 1
    current = min(wanted, last)
    start = (current - 1) * _ON_SHEET
    shown = mail.versions[start : start + _ON_SHEET]
    return page.render(
        "campaign_contact_sheet.html" if page.is_fragment else "campaign_versions.html",
        mail=mail,
        shown=shown,
        words=describe_versions(page.translator, page.settings, mail, shown),
        current=current,
        last=last,
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}", Permission.read)
def show_version(page: PreparedPageDep, tag: str) -> Response:
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    beside = {one.number: one for one in mail.versions}
    return page.render(
        "campaign_version.html",
        mail=mail,
        version=version,
        words=describe_versions(page.translator, page.settings, mail, [version]).get(tag),
        before=beside.get(version.number - 1),
        after=beside.get(version.number + 1),
        query=_read_query(page),
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}/frame", Permission.read)
def show_version_frame(page: PreparedPageDep, tag: str) -> Response:
    mail, query = page.look_at_mail(), _read_query(page)
    version = or_404(mail.find(tag))
    languages = {one.language: one for one in mail.mails}
    compiled = languages[choose_language(version.language, tuple(languages))]
    title = page.translate("Preview")
    reader = anonymous_reader(page.settings)._replace(language=version.language, interests=version.interests)
    shown = personalise_mail(compiled, reader, replace(version.variant, named=False))
    if shown is None:
        words = page.translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=compiled.language)
    prefix = page.make_path(f"/editions/{page.campaign.edition}")
    return show_mail(dress_html(shown.html, query, base_url=page.settings.web.base_url, prefix=prefix))


@ROUTES.post_route("/campaigns/{campaign}/versions/{tag}/seen", Permission.read)
def mark_version(page: PreparedPageDep, tag: str, form: OwnFormDep) -> Response:
    """Write down that the member has looked at a version, and go on to the next that they have not."""
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    if form.get("digest") != version.digest:
        # It has changed since the page was opened, so what they have looked at is not this.
        return page.redirect(f"{page.path}/versions/{tag}", Notice.version_changed)
    with page.writing() as session:
        now = page.state.clock()
        mark_variant_seen(session, page.number, page.member.id, version.digest, now=now)
    following = [*mail.versions[version.number :], *mail.versions[: version.number - 1]]
    unseen = next((one for one in following if not one.is_seen), None)
    if unseen is None:
        return page.go_back(Notice.versions_seen)
    return page.redirect(f"{page.path}/versions/{unseen.tag}")


def _read_query(page: StudioPage) -> PreviewQuery:
    query = parse_query(page.request.query_params)
    if query.show is ShownWindows.both:
        query = PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images)
    return query


@ROUTES.get_route("/campaigns/{campaign}/tests", Permission.prepare)
def show_tests(page: PreparedPageDep) -> Response:
    usual = page.settings.campaigns.test_readers or (page.member.email,)
    return _render_tests(page, "\n".join(usual))


@ROUTES.post_route("/campaigns/{campaign}/tests", Permission.prepare)
def send_campaign_test(page: PreparedPageDep, form: OwnFormDep) -> Response:
    """Send a test. The same form sent twice, by a second click, sends it once."""
    addresses, tag = form.get("addresses").strip()[:8000], form.get("version")[:40]
    request = form.get("request")
    # A name for the form as this member has it of this campaign; none for one without a number.
    name = request and f"{page.member.id} {page.number} {request[:64]}"
    try:
        done = page.state.form_answers.answer_once(name, lambda: _send(page, addresses, tag))
    except (MailerError, ConfigurationError, SubscriberError) as error:
        return _render_tests(page, addresses, tag, [read_error(error)])
    failed = [one for one in done.results if not one.is_sent and one.verdict is not Verdict.in_doubt]
    if not failed:
        # The page names those who are in doubt.
        notice = Notice.test_sent if done.number_sent == len(done.results) else None
        return page.go_back(notice, "/tests")
    translate = page.translate
    words = [
        translate(_LATER if one.outcome == "deferred" else _NOT_SENT, address=one.address, reply=one.reply)
        for one in failed
    ]
    return _render_tests(page, "\n".join(one.address for one in failed), tag, words)


def _send(page: PreparedPage, addresses: str, tag: str) -> SentTests:
    texts = [text for text in _SEPARATORS.split(addresses) if text]
    translate, mail = page.translate, page.look_at_mail()
    if not texts:
        raise RefusedTestError(translate(_NO_ADDRESS))
    if len(texts) > MAX_TEST_READERS:
        raise RefusedTestError(translate(_TOO_MANY, number=MAX_TEST_READERS))
    readers = read_test_readers(page.settings, texts)
    if not mail.mails or (mail.compiled is not None and mail.compiled.errors):
        raise RefusedTestError(translate(_ERRORS))
    version, state = mail.find(tag) if tag else None, page.state
    page.end_reading()
    done = send_test(
        state.engine,
        state.workspace,
        plan_test(page.campaign.edition, mail, version),
        readers,
        variant=None if version is None else 1,
        by=page.member.name,
        now=state.clock(),
    )
    with page.writing() as session:
        page.log(session, Act.sent_test, f"to {len(done.results)}")
    return done


def _render_tests(page: PreparedPage, addresses: str, tag: str = "", errors: Sequence[str] = ()) -> Response:
    mail = page.look_at_mail()
    return page.render(
        "campaign_tests.html",
        mail=mail,
        sent={"addresses": addresses, "tag": tag},
        tests=list_tests(page.session, page.campaign.edition),
        request=secrets.token_urlsafe(12),
        errors=[("addresses", words) for words in errors],
    )
