"""The page of an approval: what is asked for, asking for it, and answering."""

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity import deeds
from mailer.campaigns.approvals.answers import (
    AnswerFault,
    AnswerRefusedError,
    add_comment,
    find_author_fault,
    list_asked,
    queue_outcome,
)
from mailer.campaigns.approvals.approval import ApprovalRefusedError, check_approval
from mailer.campaigns.approvals.people import find_writers
from mailer.campaigns.approvals.rounds import Round, end_round, list_rounds
from mailer.campaigns.approvals.status import list_changes_since, list_text_changes
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.campaigns.lifecycle import find_last_launched
from mailer.counts.counters import CountedNumber, request_audience, request_difference
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.database.models import CampaignState
from mailer.team.members import Permission, list_members
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.approvals.asked import (
    compile_edition,
    describe_fault,
    find_round_of,
    list_variants,
    take_answer,
)
from mailer.web.studio.approvals.request import REFUSED, is_askable, send_request
from mailer.web.studio.approvals.steps_page import list_steps, may_choose_steps
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment

ROUTES = Routes()


@ROUTES.get_route("/campaigns/{campaign}/approval", Permission.read)
def show_approval(page: CampaignPageDep) -> Response:
    return _render(page)


def _render(
    page: CampaignPage,
    *errors: tuple[str, str],
    status: int = 422,
    changes: Sequence[str] = (),
    note: str | None = None,
    words: str = "",
) -> Response:
    session, connection = page.session, page.session.connection()
    rounds = list_rounds(connection, page.number)
    asked = rounds[0] if rounds else None
    approval = None if asked else check_approval(session, page.state.workspace, page.number)
    since: Sequence[str] = ()
    if asked is not None and _is_current(page, asked):
        workspace = page.state.workspace
        since = list_changes_since(session, workspace, asked, partial(compile_edition, page))
    is_settled = asked is not None and asked.state in {RoundState.open, RoundState.approved}
    has_own = asked is not None and asked.has_own_steps and asked.state is not RoundState.approved
    if note is None:
        note = page.preparation.decisions.note if page.preparation is not None else ""
    return page.render(
        "approval.html",
        status=status if errors else 200,
        asked=asked,
        earlier=rounds[1:],
        approval=approval,
        changes=since,
        steps=list_steps(page, asked if has_own else None),
        member_names={one.id: one.name for one in list_members(session)},
        segment_words={
            one.id: say_segment(page, session, one.options.segment, one.facts.in_words) for one in rounds
        },
        # Nothing waits or holds that would be asked for again.
        can_ask=is_askable(page) and page.may(Permission.prepare) and (bool(since) or not is_settled),
        can_change_steps=is_askable(page) and page.may(Permission.approve) and may_choose_steps(page, asked),
        is_required=page.settings.campaigns.approval == "required",
        errors=errors,
        refused_changes=changes,
        note=note,
        words=words,
        new_request=lambda: secrets.token_urlsafe(16),
        **(_describe_round(page, asked, since) if asked is not None else {}),
    )


def _is_current(page: CampaignPage, asked: Round) -> bool:
    is_held = page.campaign.state in {CampaignState.approved, CampaignState.scheduled}
    return asked.is_open or (asked.state is RoundState.approved and is_held)


def _describe_round(page: CampaignPage, asked: Round, changes: Sequence[str]) -> dict[str, Any]:
    connection, settings, person = page.session.connection(), page.settings, Person.of_member(page.member)
    can_answer = asked.is_asked(person) and not changes
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    # Who may not see partners sees what was counted when it was asked.
    is_counted = _is_current(page, asked) and page.may(Permission.see_partners)
    segment, again = asked.options.segment, asked.options.again
    return {
        "can_answer": can_answer,
        "fault": find_author_fault(settings, asked, person, writers) if can_answer else None,
        "waits_for": [one.name for one in list_asked(connection, settings, asked)],
        "variants": list_variants(page, connection, asked),
        "texts": list_text_changes(connection, asked),
        "audience": page.state.counts.get(request_audience(asked.edition, segment, again=again))
        if is_counted
        else None,
        "difference": _count_difference(page, segment) if is_counted else None,
    }


def _count_difference(page: StudioPage, segment: str) -> CountedNumber | None:
    """Return how many are new and gone since the last campaign; None if there was none."""
    last = find_last_launched(page.session)
    return None if last is None else page.state.counts.get(request_difference(f"campaign:{last.id}", segment))


@ROUTES.post_route("/campaigns/{campaign}/approval", Permission.prepare)
def post_request(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Ask for the approval of the campaign as it is now. A second click finds the request of the first."""
    note = form.get("note")
    try:
        return send_request(page, note=note)
    except REFUSED as error:
        return _render(page, ("", read_error(error)), note=note)


@ROUTES.post_route("/campaigns/{campaign}/approval/withdraw", Permission.prepare)
def post_withdrawal(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Take the request back: nobody is waited for any more. A second click changes nothing."""
    now = page.state.clock()
    with page.writing() as session:
        connection = session.connection()
        acquire_launch_lock(connection, page.campaign.edition)
        asked = find_round_of(connection, page.number, form.get("round"))
        is_withdrawn = end_round(connection, asked.id, RoundState.withdrawn, now)
        if is_withdrawn:
            queue_outcome(connection, asked, by=Person.of_member(page.member), now=now)
            page.log(session, deeds.withdrew_request)
    # Meanwhile it may have been approved, which a second click of one's own must not hide.
    is_over = is_withdrawn or asked.state is RoundState.withdrawn
    notice = Notice.approval_withdrawn if is_over else Notice.campaign_changed
    return page.go_back(notice, "/approval")


@ROUTES.post_route("/campaigns/{campaign}/approval/comments", Permission.comment)
def post_comment(page: CampaignPageDep, form: OwnFormDep) -> Response:
    answer, request, now = read_number(form.get("answer")), form.get("request")[:64], page.state.clock()
    try:
        with page.writing() as session:
            connection, person = session.connection(), Person.of_member(page.member)
            asked = find_round_of(connection, page.number, form.get("round"))
            or_404(
                answer is not None
                and add_comment(connection, asked, answer, person, form.get("text"), request=request, now=now)
            )
            page.log(session, deeds.commented_on_answer)
    except ApprovalRefusedError as error:
        return _render(page, (f"comment-{form.get('answer')}", page.translate(str(error))))
    return page.go_to(f"{page.make_path(f'{page.path}/approval', Notice.commented)}#answer-{answer}")


# A step may ask a guest by name; who is not asked is refused by the answer itself.
@ROUTES.post_route("/campaigns/{campaign}/approval/answer", Permission.read)
def post_answer(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Answer a request. Whoever is not asked may not, whatever their role."""
    wanted, words = form.get("verdict"), form.get("words")
    if wanted not in list(ApprovalVerdict):
        return _render(page, ("", page.translate(AnswerFault.gone.words)), words=words)
    asked = find_round_of(page.session.connection(), page.number, form.get("round"))
    page.end_reading()
    try:
        after = take_answer(page, asked, Person.of_member(page.member), form)
    except AnswerRefusedError as error:
        status = 403 if error.fault in {AnswerFault.not_asked, AnswerFault.author} else 422
        return _render(
            page, describe_fault(page, error.fault), status=status, changes=error.changes, words=words
        )
    except REFUSED as error:
        return _render(page, ("", read_error(error)), words=words)
    notice = Notice.approval_complete if after.state is RoundState.approved else Notice.approval_given
    if wanted == ApprovalVerdict.changes_requested:
        notice = Notice.changes_requested
    return page.go_back(notice, "/approval")
