"""Answering as a member: approving exactly what the page showed, or asking for changes."""

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.campaigns.approvals.answers import AnswerFault, AnswerRefusedError
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.errors import ConfigurationError, MailerError
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.approvals.acts import lock_campaign, record
from mailer.web.studio.approvals.approval_page import render_approval
from mailer.web.studio.approvals.approval_place import (
    ApprovalPlaceDep,
    as_person,
    find_round_of_place,
    list_changes_since,
)
from mailer.web.studio.approvals.fault_words import FAULT_WORDS
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from subscribers.errors import SubscriberError

_FIELDS = {AnswerFault.no_words: "words"}


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


ROUTES = (
    # A step may ask a guest by name; who is not asked is refused by the answer itself.
    StudioRoute("/campaigns/{campaign}/approval/answer", post_answer, POST, Permission.read),
)
