"""The pages of a reviewer outside the team: exactly what they are asked about, and nothing else of Studio.

Opening them changes nothing, because mail programs and scanners open links too; an answer needs a button. The
link ends with the request, and after its time.
"""

from collections.abc import Sequence

from starlette.responses import Response

from mailer.campaigns.approvals.answers import AnswerRefusedError
from mailer.campaigns.approvals.people import find_review
from mailer.campaigns.approvals.rounds import Round
from mailer.campaigns.approvals.status import list_text_changes
from mailer.campaigns.approvals.steps import Person
from mailer.database.approval_models import ApprovalVerdict
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.web.forms import OwnFormDep
from mailer.web.studio.approvals.asked import (
    describe_fault,
    list_variants,
    render_variant,
    show_frozen_image,
    show_frozen_mail,
    take_answer,
)
from mailer.web.studio.page import Visit, VisitDep, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.sign_in.arrival import make_limiter
from subscribers.errors import SubscriberError

ROUTES = Routes()
_BUSY = gettext_noop("There were too many attempts from your network. Try again in an hour.")
_FAILED = gettext_noop("Your answer could not be taken at the moment. Try again, or tell whoever asked you.")


@ROUTES.get_route("/review/{token}", None)
def show_review(visit: VisitDep, token: str) -> Response:
    """Show what a reviewer is asked about, with the form to answer; afterwards, what they answered."""
    return _render(visit, token)


@ROUTES.post_route("/review/{token}", None)
def post_review(visit: VisitDep, token: str, form: OwnFormDep) -> Response:
    words, review = form.get("words"), _look_up(visit, token)
    if review is None or form.get("verdict") not in list(ApprovalVerdict):
        return _render_over(visit)
    try:
        # Nobody guesses a link of 192 random bits, so looking at one that does not exist writes nothing.
        with visit.state.write_session() as session:
            try:
                make_limiter(visit, session).count_network()
            finally:
                # An attempt that is refused counts as well.
                session.commit()
        take_answer(visit, *review, form)
    except TooManyAttemptsError:
        return _render(visit, token, ("", visit.translate(_BUSY)), status=429)
    except AnswerRefusedError as error:
        return _render(visit, token, describe_fault(visit, error.fault), changes=error.changes, words=words)
    except (MailerError, SubscriberError):
        return _render(visit, token, ("", visit.translate(_FAILED)), words=words)
    return visit.redirect(f"/review/{token}")


@ROUTES.get_route("/review/{token}/variants/{variant}", None)
def show_review_variant(visit: VisitDep, token: str, variant: str) -> Response:
    review, base = _look_up(visit, token), visit.make_path(f"/review/{token}")
    if review is None or not review[0].is_open:
        return _render_over(visit)
    return render_variant(visit, review[0], variant, member=None, back=base, base=base)


@ROUTES.get_route("/review/{token}/frame/{variant}", None)
def show_review_frame(visit: VisitDep, token: str, variant: str) -> Response:
    asked = _require_open(visit, token)
    return show_frozen_mail(visit, asked, variant, visit.make_path(f"/review/{token}"))


@ROUTES.get_route("/review/{token}/media/{name}", None)
def show_review_image(visit: VisitDep, token: str, name: str) -> Response:
    _require_open(visit, token)
    return show_frozen_image(visit, name)


def _require_open(visit: Visit, token: str) -> Round:
    asked, _ = or_404(_look_up(visit, token))
    or_404(asked.is_open)
    return asked


def _look_up(visit: Visit, token: str) -> tuple[Round, Person] | None:
    with visit.state.read_session() as session:
        return find_review(session.connection(), token, now=visit.state.clock())


def _render(
    visit: Visit,
    token: str,
    *errors: tuple[str, str],
    status: int = 422,
    changes: Sequence[str] = (),
    words: str = "",
) -> Response:
    review = _look_up(visit, token)
    if review is None:
        return _render_over(visit)
    asked, reviewer = review
    with visit.state.read_session() as session:
        connection = session.connection()
        segment_words = say_segment(visit, session, asked.options.segment, asked.facts.in_words)
        variants = list_variants(visit, connection, asked)
        texts = list_text_changes(connection, asked) if asked.is_open else ()
    return visit.render(
        "review.html",
        status=status if errors else 200,
        # A member who opens the link is shown what the reviewer sees.
        member=None,
        reviewer=reviewer,
        answer=asked.find_answer(reviewer),
        is_waited_for=asked.is_asked(reviewer),
        asked=asked,
        segment_words=segment_words,
        base=visit.make_path(f"/review/{token}"),
        variants=variants,
        texts=texts,
        errors=errors,
        refused_changes=changes,
        words=words,
    )


def _render_over(visit: Visit) -> Response:
    return visit.render("review_over.html", status=410, member=None)
