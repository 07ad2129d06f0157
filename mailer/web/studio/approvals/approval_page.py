"""The page of an approval: what is asked for, asking, answering, and who approves in which steps."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlmodel import Session
from starlette.responses import Response

from locales.phrase import Phrase, read_error
from mailer.activity.acts import Act
from mailer.campaigns.approvals.answers import (
    AnswerFault,
    AnswerRefusedError,
    add_comment,
    find_author_fault,
    list_asked,
    queue_asked,
    queue_outcome,
)
from mailer.campaigns.approvals.approval import ApprovalRefusedError, check_approval
from mailer.campaigns.approvals.people import (
    WantedReviewer,
    WantedStep,
    change_steps,
    describe_steps,
    find_writers,
    parse_reviewer,
    read_step_settings,
)
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.rounds import (
    Round,
    end_round,
    find_last_round,
    list_open_rounds,
    list_returned_rounds,
    list_rounds,
)
from mailer.campaigns.approvals.status import list_changes_since, list_text_changes
from mailer.campaigns.approvals.steps import Needs, Person
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.edition_lock import acquire_launch_lock
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.lifecycle import find_last_launched
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.counts.counters import CountedNumber, request_audience, request_difference
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.database.models import CampaignState
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS
from mailer.team.members import Permission, list_members
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.studio.approvals.asked import (
    compile_edition,
    describe_fault,
    find_round_of,
    list_variants,
    take_answer,
)
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import RefusedFormError, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.waiting_item import WaitingItem
from subscribers.errors import SubscriberError

ROUTES = Routes()
_REFUSED = (MailerError, ConfigurationError, SubscriberError)
"""What is raised where an approval cannot be asked for or given; :func:`read_error` says it."""

_ASKABLE = (*(CampaignState.draft, CampaignState.tested), *(CampaignState.approved, CampaignState.scheduled))
_MAX_SHOWN = 20
_ASKED_BY = gettext_noop("asked for by %(name)s")
_MAX_REVIEWERS = 20
_ROLES = (Role.author, Role.approver, Role.manager)
_NOBODY = gettext_noop("Choose who is asked in at least one step.")
_NO_ADDRESS = gettext_noop("“%(text)s” has no address. Write a person as Ana Diaz <ana@example.org>.")
_TOO_MANY = gettext_noop("A step may ask at most 20 people outside the team.")
_StepForm = tuple[WantedStep, str]
"""A step but for the people outside the team, and these, a person a line."""


def _is_askable(page: CampaignPage) -> bool:
    """Return whether an approval can be asked for: the campaign is not launched, and no correction of the
    command line, whose note only that has."""
    return page.campaign.state in _ASKABLE and not (page.is_correction and page.preparation is None)


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
        steps=_list_steps(page, asked if has_own else None),
        member_names={one.id: one.name for one in list_members(session)},
        segment_words={
            one.id: say_segment(page, session, one.options.segment, one.facts.in_words) for one in rounds
        },
        # Nothing waits or holds that would be asked for again.
        can_ask=_is_askable(page) and page.may(Permission.prepare) and (bool(since) or not is_settled),
        can_change_steps=_is_askable(page)
        and page.may(Permission.approve)
        and _may_choose_steps(page, asked),
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


def _list_steps(page: CampaignPage, former: Round | None) -> tuple[WantedStep, ...]:
    """Return the steps of a round, or without one those of the settings; none for anybody who may approve,
    and where the settings are wrong, which asking says."""
    connection = page.session.connection()
    if former is not None:
        return describe_steps(connection, former)
    try:
        return read_step_settings(connection, page.settings)
    except ConfigurationError:
        return ()


@ROUTES.post_route("/campaigns/{campaign}/approval", Permission.prepare)
def post_request(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Ask for the approval of the campaign as it is now. A second click finds the request of the first."""
    note = form.get("note")
    try:
        return _ask(page, note=note)
    except _REFUSED as error:
        return _render(page, ("", read_error(error)), note=note)


def _ask(page: CampaignPage, *, note: str, steps: Sequence[WantedStep] | None = None) -> Response:
    """Ask for the approval of a campaign, have those who are asked told, and go on to its page. ``steps`` are
    those chosen for it, None for the usual ones. Raise one of _REFUSED if it cannot be asked for."""
    if not _is_askable(page):
        raise ApprovalRefusedError(
            Phrase("Campaign %(number)s is not being prepared any more.", number=page.number)
        )
    state, now = page.state, page.state.clock()
    plan = _plan(page)
    page.end_reading()
    with launch_lock(state.engine, state.workspace, plan) as connection:
        asked = ask_for_approval(
            connection,
            state.workspace,
            plan,
            asker=Person.of_member(page.member),
            steps=steps,
            note=note,
            campaign_id=page.number if page.preparation is not None else None,
            now=now,
        )
        if asked.asked_at == now:
            queue_asked(connection, page.settings, asked, now=now)
            with Session(connection) as session:
                act, number = Act.asked_for_approval, str(asked.campaign_id)
                page.record(session, act, edition=asked.edition, subject=number)
                session.flush()
    state.sign_in_mailer.wake()
    return page.redirect(f"/campaigns/{asked.campaign_id}/approval", Notice.approval_asked)


def _plan(page: CampaignPage) -> Plan:
    state, campaign, prepared, now = page.state, page.campaign, page.preparation, page.state.clock()
    if prepared is not None and prepared.is_open:
        return plan_prepared_campaign(state.workspace, state.engine, prepared, now=now)
    if not campaign.segment:
        raise NoSegmentError(page.number)
    return plan_campaign(
        state.workspace,
        state.engine,
        campaign.edition,
        read_segment(campaign.segment, page.settings, page.session),
        again=campaign.again,
        count_clicks=campaign.counts_clicks,
        now=now,
    )


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
            page.log(session, Act.withdrew_request)
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
            page.log(session, Act.commented_on_answer)
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
    except _REFUSED as error:
        return _render(page, ("", read_error(error)), words=words)
    notice = Notice.approval_complete if after.state is RoundState.approved else Notice.approval_given
    if wanted == ApprovalVerdict.changes_requested:
        notice = Notice.changes_requested
    return page.go_back(notice, "/approval")


_YOURS, _ANSWER = gettext_noop("Your approval is asked for"), gettext_noop("Read and answer")
_OF_OTHERS, _OPEN = gettext_noop("Waits to be approved"), gettext_noop("Open the approval")


def list_approval_items(page: StudioPage) -> Iterator[WaitingItem]:
    translate, may_prepare = page.translate, page.may(Permission.prepare)
    with page.state.read_session() as session:
        connection = session.connection()
        waiting = list_open_rounds(connection)[:_MAX_SHOWN]
        people = [list_asked(connection, page.settings, asked) for asked in waiting]
        returned = list_returned_rounds(connection, limit=_MAX_SHOWN) if may_prepare else ()
    for asked, waited_for in zip(waiting, people, strict=True):
        is_mine = any(person.member_id == page.member.id for person in waited_for)
        if not (is_mine or may_prepare):
            continue
        names = ", ".join(person.name for person in waited_for)
        yield WaitingItem(
            title=asked.facts.title,
            words=translate(_YOURS if is_mine else _OF_OTHERS),
            act=translate(_ANSWER if is_mine else _OPEN),
            path=f"/campaigns/{asked.campaign_id}/approval",
            detail=translate(_ASKED_BY, name=asked.asked_by) if asked.asked_by else "",
            waits_for="" if is_mine else names or translate(gettext_noop("somebody who may approve")),
        )
    for asked in returned:
        # What somebody wants changed waits for whoever asked for the approval.
        names = ", ".join(dict.fromkeys(one.person.name for one in asked.answers if not one.approves))
        yield WaitingItem(
            title=asked.facts.title,
            words=translate(gettext_noop("Changes are asked for")),
            act=translate(gettext_noop("See what they say")),
            path=f"/campaigns/{asked.campaign_id}/approval",
            tone="wrong",
            detail=translate(_ASKED_BY, name=names) if names else "",
            waits_for="" if asked.member_id in {page.member.id, None} else asked.asked_by,
        )


@ROUTES.get_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def show_steps(page: CampaignPageDep) -> Response:
    asked = find_last_round(page.session.connection(), page.number)
    is_own = asked is not None and (asked.is_open or asked.has_own_steps)
    steps = _list_steps(page, asked if is_own else None)
    forms = [(step, "\n".join(map(_write_reviewer, step.reviewers))) for step in steps]
    return _render_steps(page, [*forms, *[(WantedStep(), "")] * (MAX_APPROVAL_STEPS - len(forms))])


def _write_reviewer(one: WantedReviewer) -> str:
    return f"{one.name} <{one.email}>" if one.name != one.email else one.email


@ROUTES.post_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def post_steps(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Change the steps of the request that waits for answers; without one, ask with these."""
    forms = [_read_form(form, number) for number in range(1, MAX_APPROVAL_STEPS + 1)]
    note = form.get("note")
    try:
        steps = _read_steps(page, forms)
        if _change_open_round(page, steps):
            return page.go_back(Notice.approval_steps_changed, "/approval")
        return _ask(page, note=note, steps=steps)
    except RefusedFormError as error:
        refused = (error.field, page.translate(error.words, **error.values))
        return _render_steps(page, forms, refused, note=note)
    except _REFUSED as error:
        return _render_steps(page, forms, ("", read_error(error)), note=note)


def _may_choose_steps(page: CampaignPage, asked: Round | None) -> bool:
    """Return whether a member may choose who approves. Where another person has to, neither whoever wrote or
    asked may, nor whoever would ask with these steps."""
    settings, person = page.settings, Person.of_member(page.member)
    if settings.campaigns.approval_by != "another":
        return True
    if asked is None or not asked.is_open:
        return False
    writers = find_writers(page.session.connection(), asked.edition, asked.facts.authors)
    return find_author_fault(settings, asked, person, writers) is not AnswerFault.author


def _change_open_round(page: CampaignPage, steps: Sequence[WantedStep]) -> bool:
    """Change the steps of the round that waits for answers; return False if there is none."""
    with page.writing() as session:
        connection, settings = session.connection(), page.settings
        acquire_launch_lock(connection, page.campaign.edition)
        asked = find_last_round(connection, page.number)
        if not _may_choose_steps(page, asked):
            raise ApprovalRefusedError(AnswerFault.author.words)
        if asked is None or not asked.is_open:
            return False
        told = list_asked(connection, settings, asked)
        changed = change_steps(connection, asked, steps)
        queue_asked(connection, settings, changed, told=told, now=page.state.clock())
        detail = f"{len(asked.steps)} → {len(changed.steps)}"
        page.log(session, Act.changed_approval_steps, detail)
    page.state.sign_in_mailer.wake()
    return True


def _read_form(form: Form, number: int) -> _StepForm:
    def read_all(name: str) -> list[str]:
        return [value for key, value in form.fields if key == f"{name}-{number}"]

    roles, needs = read_all("role"), form.get(f"needs-{number}")
    members = {one for text in read_all("member") if (one := read_number(text)) is not None}
    step = WantedStep(
        name=" ".join(form.get(f"name-{number}").split())[:100],
        needs=Needs(needs) if needs in list(Needs) else Needs.any,
        members=tuple(sorted(members)),
        roles=tuple(role for role in _ROLES if role.value in roles),
    )
    return step, form.get(f"reviewers-{number}").replace("\r\n", "\n")


def _read_steps(page: CampaignPage, forms: Sequence[_StepForm]) -> list[WantedStep]:
    """Return the steps that ask somebody, in their order. Raise RefusedFormError if none does, or a person
    outside has no address.
    """
    known = {one.id for one in list_members(page.session)}
    steps = []
    for number, (step, text) in enumerate(forms, start=1):
        if _asks_somebody((step, text)):
            # Somebody may have left while the page was open.
            members = tuple(one for one in step.members if one in known)
            reviewers = tuple(_read_reviewers(f"reviewers-{number}", text))
            steps.append(replace(step, members=members, reviewers=reviewers))
    if not steps:
        raise RefusedFormError("step-1", _NOBODY)
    return steps


def _asks_somebody(form: _StepForm) -> bool:
    step, reviewers = form
    return bool(step.members or step.roles or reviewers.strip())


def _read_reviewers(field: str, text: str) -> Iterator[WantedReviewer]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MAX_REVIEWERS:
        raise RefusedFormError(field, _TOO_MANY)
    for line in lines:
        try:
            yield parse_reviewer(line)
        except ApprovalRefusedError as error:
            raise RefusedFormError(field, _NO_ADDRESS, text=line[:100]) from error


def _render_steps(
    page: CampaignPage, forms: Sequence[_StepForm], *errors: tuple[str, str], note: str = ""
) -> Response:
    asked = find_last_round(page.session.connection(), page.number)
    return page.render(
        "approval_steps.html",
        forms=forms,
        first_empty=max(2, sum(map(_asks_somebody, forms)) + 1),
        members=list_members(page.session),
        roles=_ROLES,
        is_open=asked is not None and asked.is_open,
        note=note,
        errors=errors,
        back=page.make_path(f"{page.path}/approval"),
    )
