"""Asking for an approval, taking the request back, and commenting on an answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from locales.phrase import Phrase, gettext_noop, read_error
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.approvals.answers import add_comment, queue_asked, queue_outcome
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import WantedStep
from mailer.campaigns.approvals.request import Asker, ask_for_approval, withdraw_round
from mailer.campaigns.approvals.rounds import Round
from mailer.campaigns.launch_lock import acquire_launch_lock, launch_lock
from mailer.database.approval_models import RoundState
from mailer.errors import ConfigurationError, MailerError
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.routing import POST
from mailer.web.studio.approvals.approval_page import render_approval
from mailer.web.studio.approvals.approval_place import (
    ApprovalPlace,
    ApprovalPlaceDep,
    as_person,
    find_round_of_place,
    plan_place,
)
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from subscribers.errors import SubscriberError


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
        acquire_launch_lock(connection, place.edition)
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
ROUTES = (
    StudioRoute(_APPROVAL, post_request, POST, Permission.prepare),
    StudioRoute(f"{_APPROVAL}/withdraw", post_withdrawal, POST, Permission.prepare),
    StudioRoute(f"{_APPROVAL}/comments", post_comment, POST, Permission.comment),
)
