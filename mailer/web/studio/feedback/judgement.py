"""Judging a message that waits for a person."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.feedback.review import ReviewError, ReviewFault, judge_in_session
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.feedback.judgement_form import JudgementForm, read_judgement
from mailer.web.studio.feedback.message_pages import MessageNumber, render_message
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from subscribers.errors import SubscriberError

_JUDGED = gettext_noop("%(name)s has judged this message in the meantime. Your judgement changed nothing.")
_SETTLED = gettext_noop("This message no longer waits for a person. Your judgement changed nothing.")
_NOBODY = gettext_noop(
    "Nobody on the list was found for this message. Write the address of whom it is about."
)
_NOT_ON_LIST = gettext_noop("Nobody with this address is on the list.")
_CUT = gettext_noop(
    "This message cannot go on: only its beginning is kept here. Forward it from the mailbox where it "
    "arrived, then choose “None of these”."
)


def judge_message(page: PageDep, number: MessageNumber, form: OwnFormDep) -> Response:
    """Judge a message, and do what follows from it."""
    chosen = read_judgement(form)
    if fault := chosen.find_fault():
        field, words = fault
        return render_message(page, number, form=chosen, errors=[(field, page.translator.translate(words))])
    try:
        with page.state.write_session() as session:
            judge_in_session(
                session,
                page.state.workspace,
                number,
                chosen.word,
                by=page.member.name,
                subscriber=chosen.subscriber,
                now=page.state.clock(),
            )
            record_activity(
                session,
                page.actor,
                Act.judged_feedback,
                subject=str(number),
                detail=f"{number} as {chosen.word}",
                now=page.state.clock(),
            )
    except ReviewError as error:
        return _refuse(page, number, chosen, error)
    except SubscriberError:
        words = page.translator.translate(_NOT_ON_LIST)
        return render_message(page, number, form=chosen, errors=[("subscriber", words)])
    return page.redirect(f"/feedback/messages/{number}", Notice.message_judged)


def _refuse(page: StudioPage, number: int, form: JudgementForm, error: ReviewError) -> Response:
    translate = page.translator.translate
    match error.fault:
        case ReviewFault.judged:
            errors = [("", translate(_JUDGED, name=error.judged_by))]
        case ReviewFault.nobody:
            errors = [("subscriber", translate(_NOBODY))]
        case ReviewFault.cut:
            errors = [("judgement", translate(_CUT))]
        case ReviewFault.unknown:
            raise HTTPException(404) from error
        case _:
            errors = [("", translate(_SETTLED))]
    return render_message(page, number, form=form, errors=errors)


ROUTES = (StudioRoute("/feedback/messages/{number}", judge_message, POST, Permission.change_partners),)
