"""What was asked to be approved: each mail exactly as it was then, for members and for reviewers outside.

Opening the pages of a reviewer changes nothing, because mail programs and scanners open links too; an answer
needs a button. Their link shows nothing else of Studio, and ends with the request, and after its time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.record import Actor, record_activity
from mailer.campaigns.approvals.answers import AnswerFault, AnswerRefusedError
from mailer.campaigns.approvals.people import find_review
from mailer.campaigns.approvals.rounds import Round, find_last_round, find_round, read_variant_content
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.approvals.status import list_changes_since, list_text_changes, name_asked_stories
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.database.approval_models import ApprovalVerdict
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.mail_preview.mail_frame import show_mail, show_picture, show_text
from mailer.web.mail_preview.query import ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import describe_difference, dress_html, personalise_mail
from mailer.web.studio.campaign_place import CampaignPageDep
from mailer.web.studio.page import Visit, VisitDep, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.sign_in.arrival import make_limiter
from subscribers.errors import SubscriberError

ROUTES = Routes()
_ON_PAGE = 12
"""Frames on one page: each is a mail of up to 100 kB, loaded as it comes into sight."""
_ROUND = "/campaigns/{campaign}/approval/{number}"
_BUSY = gettext_noop("There were too many attempts from your network. Try again in an hour.")
_FAILED = gettext_noop("Your answer could not be taken at the moment. Try again, or tell whoever asked you.")


def compile_edition(visit: Visit, edition: str) -> tuple[CompiledEdition, ...]:
    """Return the edition as it is now; nothing if it has errors or is not there."""
    try:
        found = visit.state.previews.compiler(edition).compile()
    except (ConfigurationError, OSError, ValueError):
        return ()
    return () if found.edition is None or found.errors else found.own_first


def take_answer(visit: Visit, asked: Round, person: Person, form: Form) -> Round:
    """Settle what ``person`` answers in a form, write it down, and have those told whom it concerns; return
    the round as it is then. The caller reads nothing at that time."""
    state, verdict = visit.state, ApprovalVerdict(form.get("verdict"))
    changes: Sequence[str] = ()
    if asked.is_open:
        with state.read_session() as session:
            changes = list_changes_since(session, state.workspace, asked, partial(compile_edition, visit))
    with state.write_session() as session:
        acquire_launch_lock(session.connection(), asked.edition)
        now = state.clock()
        after, is_new = settle_answer(
            session.connection(),
            state.workspace,
            asked.id,
            person,
            verdict,
            seen=form.get("seen"),
            words=form.get("words"),
            changes=changes,
            now=now,
        )
        if is_new:
            is_approval = verdict is ApprovalVerdict.approved
            make = deeds.approved_campaign if is_approval else deeds.requested_changes
            deed = make(asked.edition, asked.campaign_id, is_outside=person.reviewer_id is not None)
            record_activity(session, Actor(name=person.name, member_id=person.member_id), deed, now=now)
    state.sign_in_mailer.wake()
    return after


def describe_fault(visit: Visit, fault: AnswerFault) -> tuple[str, str]:
    """Return the field that was wrong with an answer, and words for it."""
    return "words" if fault is AnswerFault.no_words else "", visit.translate(fault.words)


def find_round_of(connection: Connection, campaign: int, number: str = "") -> Round:
    """Return a round of a campaign, by its number in a form or a path; without one, the last. Raise
    HTTPException 404 if there is no such round.
    """
    row = read_number(number)
    asked = find_round(connection, row) if row is not None else None
    if not number:
        asked = find_last_round(connection, campaign)
    if asked is None or asked.campaign_id != campaign:
        raise HTTPException(404)
    return asked


def list_variants(visit: Visit, connection: Connection, asked: Round) -> Mapping[str, Any]:
    """Return the variants on a page of the address, by number, those of most readers first, and in what they
    differ from the first of all."""
    facts = asked.facts
    pages = max(1, -(-len(facts.variants) // _ON_PAGE))
    page = min(max(read_number(visit.request.query_params.get("page", ""), digits=6) or 1, 1), pages)
    shown = [*enumerate(facts.variants, start=1)][(page - 1) * _ON_PAGE : page * _ON_PAGE]
    differences = {}
    if len(facts.variants) > 1:
        titles = name_asked_stories(connection, asked)
        stories = [[facts.slugs[place] for place in variant.stories] for variant in facts.variants]
        for number, _ in shown:
            differences[number] = describe_difference(visit.translator, stories, number, titles)
    return {"shown": shown, "page": page, "pages": pages, "differences": differences}


def _render_variant(visit: Visit, asked: Round, number: str, **values: Any) -> Response:
    shown = or_404(read_number(number, digits=6))
    or_404(0 < shown <= len(asked.facts.variants))
    return visit.render(
        "approval_variant.html",
        asked=asked,
        number=shown,
        variant=asked.facts.variants[shown - 1],
        show=visit.request.query_params.get("show", ""),
        **values,
    )


def _show_frozen_mail(visit: Visit, asked: Round, number: str, base: str) -> Response:
    """Show the mail of a variant, in a frame. Its pictures are below ``base``."""
    variant = or_404(asked.facts.find_variant(or_404(read_number(number, digits=6))))
    with visit.state.read_session() as session:
        try:
            mail = read_variant_content(session.connection(), asked.id, variant.language)
        except CompiledVersionError as error:
            raise HTTPException(404) from error
    shown = or_404(personalise_mail(mail, anonymous_reader(visit.settings), variant))
    query = parse_query(visit.request.query_params)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=asked.facts.subject, language=variant.language)
    query = replace(query, show=ShownWindows.desktop)
    return show_mail(dress_html(shown.html, query, base_url=visit.settings.web.base_url, prefix=base))


def _find_asked(page: CampaignPageDep, number: str) -> Round:
    # In the thread of the dependencies: a session of its own.
    with page.state.read_session() as session:
        return find_round_of(session.connection(), page.number, number)


_AskedDep = Annotated[Round, Depends(_find_asked)]


@ROUTES.get_route(f"{_ROUND}/variants/{{variant}}", Permission.read)
def show_variant(page: CampaignPageDep, asked: _AskedDep, variant: str) -> Response:
    back = page.make_path(f"{page.path}/approval")
    return _render_variant(page, asked, variant, back=back, base=f"{back}/{asked.id}")


@ROUTES.get_route(f"{_ROUND}/frame/{{variant}}", Permission.read)
def show_frame(page: CampaignPageDep, asked: _AskedDep, variant: str) -> Response:
    return _show_frozen_mail(page, asked, variant, page.make_path(f"{page.path}/approval/{asked.id}"))


@ROUTES.get_route(f"{_ROUND}/media/{{name}}", Permission.read)
def show_image(page: CampaignPageDep, number: str, name: str) -> Response:
    # As launches do, asking puts the pictures into the media folder.
    _find_asked(page, number)
    return show_picture(page.state.workspace.media, name)


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
    return _render_variant(visit, review[0], variant, member=None, back=base, base=base)


@ROUTES.get_route("/review/{token}/frame/{variant}", None)
def show_review_frame(visit: VisitDep, token: str, variant: str) -> Response:
    asked = _require_open(visit, token)
    return _show_frozen_mail(visit, asked, variant, visit.make_path(f"/review/{token}"))


@ROUTES.get_route("/review/{token}/media/{name}", None)
def show_review_image(visit: VisitDep, token: str, name: str) -> Response:
    _require_open(visit, token)
    return show_picture(visit.state.workspace.media, name)


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
