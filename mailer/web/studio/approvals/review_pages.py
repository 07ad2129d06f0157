"""The pages of a reviewer outside the team: exactly what they are asked about, and nothing else of Studio.

Opening them changes nothing, because mail programs and scanners open links too; an answer needs a button. The
link ends with the request, and after its time.
"""

from sqlalchemy import Connection
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.campaigns.approvals.answers import AnswerFault, AnswerRefusedError
from mailer.campaigns.approvals.changes import TextChange, compare_contents
from mailer.campaigns.approvals.people import Review, find_review
from mailer.campaigns.approvals.rounds import Round, find_former_approval, read_round_content
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.edition_lock import acquire_edition_lock
from mailer.database.approval_models import ApprovalVerdict
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.compiled_edition import CompiledVersionError
from mailer.team.attempt_limits import AttemptLimiter, TooManyAttemptsError
from mailer.web.forms import OwnFormDep
from mailer.web.studio.approvals.asked import (
    FAULT_WORDS,
    describe_differences,
    describe_variant,
    find_place,
    list_changes_since,
    list_variants,
    read_variant_number,
    say_round,
    show_frozen_image,
    show_frozen_mail,
)
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import Routes
from subscribers.errors import SubscriberError

ROUTES = Routes()

_BUSY = gettext_noop("There were too many attempts from your network. Try again in an hour.")
_FAILED = gettext_noop("Your answer could not be taken at the moment. Try again, or tell whoever asked you.")


@ROUTES.get_route("/review/{token}", None)
def show_review(visit: VisitDep, token: str) -> Response:
    """Show what a reviewer is asked about, with the form to answer; afterwards, what they answered."""
    review = _look_up(visit, token)
    return _render_over(visit) if review is None else _render(visit, token, review)


@ROUTES.post_route("/review/{token}", None)
def post_review(visit: VisitDep, token: str, form: OwnFormDep) -> Response:
    """Take a reviewer's answer."""
    wanted, words = form.get("verdict"), form.get("words")
    review = _look_up(visit, token)
    if review is None or wanted not in list(ApprovalVerdict):
        return _render_over(visit)
    try:
        with visit.state.write_session() as session:
            _count_attempt(visit, session)
    except TooManyAttemptsError:
        return _render(visit, token, review, status=429, errors=(("", visit.translator.translate(_BUSY)),))
    try:
        _settle(visit, review, ApprovalVerdict(wanted), seen=form.get("seen"), words=words)
    except AnswerRefusedError as error:
        field = "words" if error.fault is AnswerFault.no_words else ""
        return _refuse(visit, token, (field, FAULT_WORDS[error.fault]), error.changes, words)
    except (MailerError, SubscriberError):
        return _refuse(visit, token, ("", _FAILED), (), words)
    visit.state.sign_in_mailer.wake()
    return visit.redirect(f"/review/{token}")


def _settle(visit: Visit, review: Review, verdict: ApprovalVerdict, *, seen: str, words: str) -> None:
    now, asked = visit.state.clock(), review.asked
    with visit.state.read_session() as session:
        changes = _list_changes(visit, asked, session.connection()) if asked.is_open else ()
    with visit.state.engine.begin() as connection:
        acquire_edition_lock(connection, asked.edition)
        given = settle_answer(
            connection,
            visit.state.workspace,
            asked.id,
            review.reviewer,
            verdict,
            seen=seen,
            words=words,
            changes=changes,
            now=now,
        )
        if given.is_new:
            _record(visit, connection, review, verdict)


def _list_changes(visit: Visit, asked: Round, connection: Connection) -> tuple[str, ...]:
    return list_changes_since(visit, find_place(visit, asked.campaign_id), asked, connection)


def _record(visit: Visit, connection: Connection, review: Review, verdict: ApprovalVerdict) -> None:
    is_approval = verdict is ApprovalVerdict.approved
    with Session(connection) as session:
        record_activity(
            session,
            Actor(name=review.reviewer.name),
            Act.approved_campaign if is_approval else Act.requested_changes,
            edition=review.asked.edition,
            subject=str(review.asked.campaign_id),
            detail="outside reviewer",
            now=visit.state.clock(),
        )
        session.flush()


def _count_attempt(visit: Visit, session: Session) -> None:
    """Count an answer against the network it comes from. Nobody guesses a link of 192 random bits, so looking
    at one that does not exist writes nothing.

    Raises:
        TooManyAttemptsError: the network has used its attempts up.
    """
    client = visit.request.client
    limiter = AttemptLimiter(
        connection=session.connection(),
        key=visit.state.workspace.keys.suppression,
        now=visit.state.clock(),
        network=client.host if client is not None else "",
    )
    try:
        limiter.count_network()
    finally:
        # An attempt that is refused counts as well.
        session.commit()


@ROUTES.get_route("/review/{token}/variants/{variant}", None)
def show_review_variant(visit: VisitDep, token: str, variant: str) -> Response:
    """Show one variant at full size."""
    review = _look_up(visit, token)
    if review is None or not review.asked.is_open:
        return _render_over(visit)
    number = read_variant_number(variant)
    if not 0 < number <= len(review.asked.facts.variants):
        raise HTTPException(404)
    return visit.render(
        "approval_variant.html",
        title=review.asked.facts.title,
        member=None,
        back=visit.make_path(f"/review/{token}"),
        base=visit.make_path(f"/review/{token}"),
        variant=describe_variant(review.asked, number),
        total=len(review.asked.facts.variants),
        show=visit.request.query_params.get("show", ""),
    )


@ROUTES.get_route("/review/{token}/frame/{variant}", None)
def show_review_frame(visit: VisitDep, token: str, variant: str) -> Response:
    """Show the mail of a variant."""
    asked = _require_open(visit, token)
    return show_frozen_mail(visit, asked, variant, visit.make_path(f"/review/{token}"))


@ROUTES.get_route("/review/{token}/media/{name}", None)
def show_review_image(visit: VisitDep, token: str, name: str) -> Response:
    """Show a picture of a variant."""
    _require_open(visit, token)
    return show_frozen_image(visit, name)


def _require_open(visit: Visit, token: str) -> Round:
    review = _look_up(visit, token)
    if review is None or not review.asked.is_open:
        raise HTTPException(404)
    return review.asked


def _look_up(visit: Visit, token: str) -> Review | None:
    with visit.state.read_session() as session:
        return find_review(session.connection(), token, now=visit.state.clock())


def _refuse(
    visit: Visit, token: str, error: tuple[str, str], changes: tuple[str, ...], words: str
) -> Response:
    review = _look_up(visit, token)
    if review is None:
        return _render_over(visit)
    field, message = error
    errors = ((field, visit.translator.translate(message)),)
    return _render(visit, token, review, status=422, errors=errors, changes=changes, words=words)


def _render(
    visit: Visit,
    token: str,
    review: Review,
    *,
    status: int = 200,
    errors: tuple[tuple[str, str], ...] = (),
    changes: tuple[str, ...] = (),
    words: str = "",
) -> Response:
    asked = review.asked
    variants = list_variants(asked, visit.request.query_params.get("page", ""))
    with visit.state.read_session() as session:
        segment_words = say_round(visit, session.connection(), asked)
    return visit.render(
        "review.html",
        status=status,
        # A member who opens the link is shown what the reviewer sees.
        member=None,
        review=review,
        asked=asked,
        segment_words=segment_words,
        base=visit.make_path(f"/review/{token}"),
        variants=variants,
        differences=describe_differences(visit, asked, variants),
        texts=_compare_texts(visit, asked) if asked.is_open else (),
        errors=errors,
        refused_changes=changes,
        words=words,
    )


def _compare_texts(visit: Visit, asked: Round) -> tuple[TextChange, ...]:
    with visit.state.read_session() as session:
        connection = session.connection()
        former = find_former_approval(connection, asked.edition, asked)
        if former is None or former.digest == asked.digest:
            return ()
        try:
            before = read_round_content(connection, former)
            return compare_contents(before, read_round_content(connection, asked))
        except CompiledVersionError:
            return ()


def _render_over(visit: Visit) -> Response:
    return visit.render("review_over.html", status=410, member=None)


_REVIEW = "/review/{token}"
