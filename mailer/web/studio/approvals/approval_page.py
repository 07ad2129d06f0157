"""The page of an approval: what is asked for, asking, answering, and what waits for a member."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import Session, col
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from locales.phrase import Phrase, gettext_noop, read_error
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.approvals.answers import (
    AnswerFault,
    AnswerRefusedError,
    add_comment,
    find_author_fault,
    list_asked,
    list_waiting_approvals,
    queue_asked,
    queue_outcome,
)
from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError, check_approval
from mailer.campaigns.approvals.changes import TextChange, compare_contents
from mailer.campaigns.approvals.people import WantedStep, describe_steps, find_writers, read_step_settings
from mailer.campaigns.approvals.request import Asker, ask_for_approval, withdraw_round
from mailer.campaigns.approvals.rounds import (
    Round,
    find_former_approval,
    list_returned_rounds,
    list_rounds,
    read_round_content,
)
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.edition_lock import acquire_edition_lock
from mailer.campaigns.launch_lock import launch_lock
from mailer.counts.counters import CountedNumber, request_audience, request_difference
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.database.models import Campaign, CampaignState
from mailer.errors import ConfigurationError, MailerError
from mailer.rendering.compiled_edition import CompiledVersionError
from mailer.team.members import ROLE_NAMES, Permission, list_members
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.approvals.asked import (
    FAULT_WORDS,
    ROUND_WORDS,
    ApprovalPlace,
    ApprovalPlaceDep,
    VariantPage,
    as_person,
    describe_differences,
    find_round_of_place,
    list_changes_since,
    list_variants,
    plan_place,
    say_round,
)
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from subscribers.errors import SubscriberError

ROUTES = Routes()


@dataclass(frozen=True, kw_only=True)
class ShownApproval:
    """What the page shows. ``asked`` is the last round, None if the approval was never asked for, and
    ``earlier`` are those before it. ``approval`` is one that was given before there were rounds. ``changes``
    have happened since. ``can_answer`` says that it waits for whoever looks; ``fault`` is why they may not
    approve it all the same. ``waits_for`` are the people whose answer is waited for."""

    asked: Round | None
    earlier: tuple[Round, ...]
    approval: Approval | None
    changes: tuple[str, ...] = ()
    can_answer: bool = False
    fault: AnswerFault | None = None
    waits_for: tuple[str, ...] = ()
    variants: VariantPage | None = None
    former: Round | None = None
    texts: tuple[TextChange, ...] = ()
    audience: CountedNumber | None = None
    difference: CountedNumber | None = None


@ROUTES.get_route("/campaigns/{campaign}/approval", Permission.read)
def show_approval(page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show the approval of a campaign."""
    return render_approval(page, place)


def render_approval(
    page: StudioPage,
    place: ApprovalPlace,
    *,
    status: int = 200,
    errors: tuple[tuple[str, str], ...] = (),
    changes: tuple[str, ...] = (),
    note: str | None = None,
    words: str = "",
) -> Response:
    """Render the page, with what was wrong with a form and what was typed into it."""
    with page.state.read_session() as session:
        shown = _look_up(page, place, session)
        steps = _list_steps(page, session.connection(), shown.asked)
        names = {one.id: one.name for one in list_members(session)}
        rounds = (shown.asked, *shown.earlier) if shown.asked is not None else ()
        segment_words = {one.id: say_round(page, session.connection(), one) for one in rounds}
    prepared = place.preparation.decisions.note if place.preparation is not None else ""
    return page.render(
        "approval.html",
        status=status,
        section="campaigns",
        place=place,
        shown=shown,
        asked=shown.asked,
        differences=_describe_differences(page, shown),
        steps=steps,
        member_names=names,
        segment_words=segment_words,
        can_ask=_can_ask(page, place, shown),
        can_change_steps=place.is_askable and page.may(Permission.approve),
        is_required=page.settings.campaigns.approval == "required",
        back=page.make_path(f"/campaigns/{place.number}"),
        here=page.make_path(place.path),
        fault_words=FAULT_WORDS,
        round_words=ROUND_WORDS,
        role_names=ROLE_NAMES,
        changes_apply=bool(shown.changes),
        errors=errors,
        refused_changes=changes,
        note=prepared if note is None else note,
        words=words,
        new_request=lambda: secrets.token_urlsafe(16),
        edition_path=page.make_path(f"/editions/{place.edition}"),
    )


def _describe_differences(page: StudioPage, shown: ShownApproval) -> dict[int, tuple[str, ...]]:
    if shown.asked is None or shown.variants is None:
        return {}
    return describe_differences(page, shown.asked, shown.variants)


def _can_ask(page: StudioPage, place: ApprovalPlace, shown: ShownApproval) -> bool:
    """Whether the form to ask is on the page: nothing waits or holds that would be asked for again."""
    if not (place.is_askable and page.may(Permission.prepare)):
        return False
    asked = shown.asked
    is_settled = asked is not None and asked.state in {RoundState.open, RoundState.approved}
    return not is_settled or bool(shown.changes)


def _look_up(page: StudioPage, place: ApprovalPlace, session: Session) -> ShownApproval:
    connection, settings = session.connection(), page.settings
    rounds = list_rounds(connection, place.number)
    if not rounds:
        approval = check_approval(session, page.state.workspace, place.number)
        return ShownApproval(asked=None, earlier=(), approval=approval)
    asked = rounds[0]
    is_current = asked.is_open or (
        asked.state is RoundState.approved
        and place.state in {CampaignState.approved, CampaignState.scheduled}
    )
    changes = list_changes_since(page, place, asked, connection) if is_current else ()
    person = as_person(page.member)
    can_answer = asked.is_asked(person) and not changes
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    former = find_former_approval(connection, asked.edition, asked)
    return ShownApproval(
        asked=asked,
        earlier=rounds[1:],
        approval=None,
        changes=changes,
        can_answer=can_answer,
        fault=find_author_fault(settings, asked, person, writers) if can_answer else None,
        waits_for=tuple(one.name for one in list_asked(connection, settings, asked)),
        variants=list_variants(asked, page.request.query_params.get("page", "")),
        former=former,
        texts=_compare_texts(connection, former, asked),
        audience=_count_audience(page, asked) if is_current else None,
        difference=_count_difference(page, asked, connection) if is_current else None,
    )


def _compare_texts(connection: Connection, former: Round | None, asked: Round) -> tuple[TextChange, ...]:
    """Which words are different from the last approval."""
    if former is None or former.digest == asked.digest:
        return ()
    try:
        return compare_contents(read_round_content(connection, former), read_round_content(connection, asked))
    except CompiledVersionError:
        return ()


def _count_audience(page: StudioPage, asked: Round) -> CountedNumber | None:
    """How many would get it now, late and dated. Who may not see partners sees what was counted when it was
    asked."""
    if not page.may(Permission.see_partners):
        return None
    request = request_audience(asked.edition, asked.options.segment, again=asked.options.again)
    return page.state.counts.get(request)


def _count_difference(page: StudioPage, asked: Round, connection: Connection) -> CountedNumber | None:
    """How many are new and gone since the last campaign; None if there was none."""
    last = connection.scalar(
        select(col(Campaign.id))
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.edition).not_like(f"%{SEPARATOR}%"))
        .order_by(col(Campaign.id).desc())
        .limit(1)
    )
    if last is None or not page.may(Permission.see_partners):
        return None
    return page.state.counts.get(request_difference(f"campaign:{last}", asked.options.segment))


def _list_steps(page: StudioPage, connection: Connection, asked: Round | None) -> tuple[WantedStep, ...]:
    """The steps that would be asked for; none for anybody who may approve, and where the settings are wrong,
    which asking says."""
    if asked is not None and asked.has_own_steps and asked.state is not RoundState.approved:
        return describe_steps(connection, asked)
    try:
        return read_step_settings(connection, page.settings)
    except ConfigurationError:
        return ()


@ROUTES.post_route("/campaigns/{campaign}/approval", Permission.prepare)
def post_request(page: PageDep, place: ApprovalPlaceDep, form: OwnFormDep) -> Response:
    """Ask for the approval of the campaign as it is now. A second click finds the request of the first."""
    note = form.get("note")
    try:
        asked = ask(page, place, note=note)
    except (MailerError, ConfigurationError, SubscriberError) as error:
        return render_approval(page, place, status=422, errors=(("", read_error(error)),), note=note)
    return page.redirect(f"/campaigns/{asked.campaign_id}/approval", Notice.approval_asked)


def ask(
    page: StudioPage, place: ApprovalPlace, *, note: str, steps: Sequence[WantedStep] | None = None
) -> Round:
    """Ask for the approval of a campaign, and have those who are asked told. ``steps`` are those that were
    chosen for it, None for the usual ones.

    Raises:
        MailerError: it has errors, nobody has chosen who gets it, or it is approved or being sent.
        ConfigurationError: its edition is not there, or the steps of the settings ask nobody.
        SubscriberError: its segment is not valid.
    """
    if not place.is_askable:
        raise ApprovalRefusedError(
            Phrase(gettext_noop("Campaign %(number)s is not being prepared any more."), number=place.number)
        )
    state, now = page.state, page.state.clock()
    plan = plan_place(page, place)
    with launch_lock(state.engine, state.workspace, plan) as connection:
        asked = ask_for_approval(
            connection,
            state.workspace,
            plan,
            asker=Asker(name=page.member.name, member_id=page.member.id),
            steps=steps,
            note=note,
            campaign_id=place.number if place.preparation is not None else None,
            now=now,
        )
        if asked.asked_at == now:
            queue_asked(connection, page.settings, asked, now=now)
            record(page, connection, Act.asked_for_approval, asked)
    state.sign_in_mailer.wake()
    return asked


@ROUTES.post_route("/campaigns/{campaign}/approval/withdraw", Permission.prepare)
def post_withdrawal(page: PageDep, place: ApprovalPlaceDep, form: OwnFormDep) -> Response:
    """Take the request back: nobody is waited for any more. A second click changes nothing."""
    with lock_campaign(page, place) as connection:
        asked = find_round_of_place(connection, place, form.get("round"))
        is_withdrawn = withdraw_round(connection, asked, now=page.state.clock())
        if is_withdrawn:
            queue_outcome(connection, asked, by=as_person(page.member), now=page.state.clock())
            record(page, connection, Act.withdrew_request, asked)
    # Meanwhile it may have been approved, which a second click of one's own must not hide.
    is_over = is_withdrawn or asked.state is RoundState.withdrawn
    return page.redirect(place.path, Notice.approval_withdrawn if is_over else Notice.campaign_changed)


@ROUTES.post_route("/campaigns/{campaign}/approval/comments", Permission.comment)
def post_comment(page: PageDep, place: ApprovalPlaceDep, form: OwnFormDep) -> Response:
    """Comment on somebody's answer."""
    text, number = form.get("text"), form.get("answer")
    answer = read_number(number)
    try:
        with page.state.engine.begin() as connection:
            asked = find_round_of_place(connection, place, form.get("round"))
            is_there = answer is not None and add_comment(
                connection,
                asked,
                answer,
                as_person(page.member),
                text,
                request=form.get("request")[:64],
                now=page.state.clock(),
            )
            if is_there:
                record(page, connection, Act.commented_on_answer, asked)
    except ApprovalRefusedError as error:
        words = page.translator.translate(str(error))
        return render_approval(page, place, status=422, errors=((f"comment-{number}", words),))
    if not is_there:
        raise HTTPException(404)
    path = page.make_path(place.path, Notice.commented)
    return RedirectResponse(f"{path}#answer-{int(number)}", status_code=303)


@contextmanager
def lock_campaign(page: StudioPage, place: ApprovalPlace) -> Iterator[Connection]:
    """A transaction in which nobody else asks, answers or launches this edition; commits at its end."""
    with page.state.engine.begin() as connection:
        acquire_edition_lock(connection, place.edition)
        yield connection


def record(page: StudioPage, connection: Connection, act: Act, asked: Round, detail: str = "") -> None:
    """Write down what a member did, in the transaction of the act."""
    with Session(connection) as session:
        record_activity(
            session,
            page.actor,
            act,
            edition=asked.edition,
            subject=str(asked.campaign_id),
            detail=detail,
            now=page.state.clock(),
        )
        session.flush()


_APPROVAL = "/campaigns/{campaign}/approval"

_FIELDS = {AnswerFault.no_words: "words"}


@ROUTES.post_route("/campaigns/{campaign}/approval/answer", Permission.read)
def post_answer(page: PageDep, place: ApprovalPlaceDep, form: OwnFormDep) -> Response:
    """Answer a request. Whoever is not asked may not, whatever their role."""
    wanted, words = form.get("verdict"), form.get("words")
    if wanted not in list(ApprovalVerdict):
        errors = (("", page.translator.translate(FAULT_WORDS[AnswerFault.gone])),)
        return render_approval(page, place, status=422, errors=errors, words=words)
    verdict, person, now = ApprovalVerdict(wanted), as_person(page.member), page.state.clock()
    with page.state.read_session() as session:
        seen = find_round_of_place(session.connection(), place, form.get("round"))
        changes = list_changes_since(page, place, seen, session.connection()) if seen.is_open else ()
    try:
        with lock_campaign(page, place) as connection:
            given = settle_answer(
                connection,
                page.state.workspace,
                seen.id,
                person,
                verdict,
                seen=form.get("seen"),
                words=words,
                changes=changes,
                now=now,
            )
            if given.is_new:
                act = Act.approved_campaign if verdict is ApprovalVerdict.approved else Act.requested_changes
                record(page, connection, act, given.asked)
    except AnswerRefusedError as error:
        status = 403 if error.fault in {AnswerFault.not_asked, AnswerFault.author} else 422
        errors = ((_FIELDS.get(error.fault, ""), page.translator.translate(FAULT_WORDS[error.fault])),)
        return render_approval(page, place, status=status, errors=errors, changes=error.changes, words=words)
    except (MailerError, ConfigurationError, SubscriberError) as error:
        return render_approval(page, place, status=422, errors=(("", read_error(error)),), words=words)
    page.state.sign_in_mailer.wake()
    return page.redirect(place.path, find_notice_of(given.asked.state, verdict))


def find_notice_of(state: RoundState, verdict: ApprovalVerdict) -> Notice:
    """What is said about an answer: that it was the last one, where it was."""
    if verdict is ApprovalVerdict.changes_requested:
        return Notice.changes_requested
    return Notice.approval_complete if state is RoundState.approved else Notice.approval_given


_MAX_SHOWN = 20


def _list_approvals(page: StudioPage) -> Iterator[WaitingItem]:
    yield from _list_open(page)
    if page.may(Permission.prepare):
        with page.state.read_session() as session:
            returned = list_returned_rounds(session.connection(), limit=_MAX_SHOWN)
        for asked in returned:
            yield _describe_returned(page, asked)


def _describe_returned(page: StudioPage, asked: Round) -> WaitingItem:
    """What somebody wants changed waits for whoever asked for the approval."""
    translate = page.translator.translate
    is_own = asked.member_id in {page.member.id, None}
    names = ", ".join(dict.fromkeys(one.person.name for one in asked.answers if not one.approves))
    return WaitingItem(
        title=asked.facts.title,
        words=translate(gettext_noop("Changes are asked for")),
        act=translate(gettext_noop("See what they say")),
        path=f"/campaigns/{asked.campaign_id}/approval",
        tone="wrong",
        detail=translate(gettext_noop("asked for by %(name)s")) % {"name": names} if names else "",
        waits_for="" if is_own else asked.asked_by,
    )


def _list_open(page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translator.translate
    with page.state.read_session() as session:
        connection = session.connection()
        waiting = list_waiting_approvals(connection, page.settings, as_person(page.member))[:_MAX_SHOWN]
        people = {one.asked.id: list_asked(connection, page.settings, one.asked) for one in waiting}
    for one in waiting:
        if not (one.is_for_me or page.may(Permission.prepare)):
            continue
        names = ", ".join(person.name for person in people[one.asked.id])
        asker = one.asked.asked_by
        yield WaitingItem(
            title=one.asked.facts.title,
            words=(
                translate(gettext_noop("Your approval is asked for"))
                if one.is_for_me
                else translate(gettext_noop("Waits to be approved"))
            ),
            act=(
                translate(gettext_noop("Read and answer"))
                if one.is_for_me
                else translate(gettext_noop("Open the approval"))
            ),
            path=f"/campaigns/{one.asked.campaign_id}/approval",
            detail=translate(gettext_noop("asked for by %(name)s")) % {"name": asker} if asker else "",
            waits_for="" if one.is_for_me else names or translate(gettext_noop("somebody who may approve")),
        )


WAITING_APPROVALS = WaitingSource(
    name=gettext_noop("Approvals"), permission=Permission.read, list_items=_list_approvals
)
