"""What came back: messages that wait for a judgement, replies, proposed successors, and all others."""

from collections.abc import Iterator
from typing import Annotated, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity import deeds
from mailer.database.feedback_models import FeedbackKind, FeedbackMessage, FeedbackState
from mailer.feedback.message_list import find_next_held, list_messages, list_subscribers, view_message
from mailer.feedback.overview import count_held, list_held, list_message_events
from mailer.feedback.reply_forwarder import list_waiting_replies
from mailer.feedback.review import ReviewError, ReviewFault, judge_in_session
from mailer.feedback.successors import (
    SuccessorError,
    accept_successor,
    count_proposals,
    find_proposal,
    is_proposal_decided,
    list_proposals,
    refuse_successor,
)
from mailer.i18n import gettext_noop
from mailer.reasons.reason import Reason
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_sectors, own_country_names, render_country_options
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404, read_row_number
from mailer.web.studio.routing import Routes
from mailer.web.studio.waiting_item import WaitingItem
from subscribers.consent.team_changes import DetailChanges
from subscribers.errors import DetailError, OnListError, SubscriberError, SuppressionError

OTHER_BOUNCE: Final = "bounce"
"""The choice for a bounce with another reason, which a second field names."""

_CHOICES: Final = {
    "dead": (
        gettext_noop("A bounce: the address does not exist"),
        gettext_noop("They are marked as bounced and get no more mail."),
    ),
    OTHER_BOUNCE: (
        gettext_noop("A bounce for another reason"),
        gettext_noop("The reason is recorded. An address that is dead gets no more mail."),
    ),
    "complaint": (
        gettext_noop("A complaint about spam"),
        gettext_noop("They are marked as having complained and get no more mail."),
    ),
    "leave": (gettext_noop("Somebody wants to leave"), gettext_noop("They are unsubscribed.")),
    "reply": (
        gettext_noop("Somebody wrote to you"),
        gettext_noop("It goes on, unchanged, to the address for replies."),
    ),
    "auto-reply": (
        gettext_noop("An automatic reply"),
        gettext_noop("It is recorded; nothing else follows."),
    ),
    "ignore": (gettext_noop("None of these"), gettext_noop("It is put away; nothing follows.")),
}
"""What a message can be judged as: the label, and what follows."""

REASON_WORDS: Final = {
    Reason.full: gettext_noop("The mailbox is full"),
    Reason.over_quota: gettext_noop("Too much or too fast for now"),
    Reason.suspended: gettext_noop("The mailbox is disabled or unused"),
    Reason.no_such_host: gettext_noop("The domain does not exist"),
    Reason.has_moved: gettext_noop("The person has another address"),
    Reason.does_not_accept: gettext_noop("The domain accepts no mail at all"),
    Reason.unconfirmed: gettext_noop("Perhaps there is no such mailbox"),
    Reason.greylisted: gettext_noop("The server asked to try again later"),
    Reason.too_big: gettext_noop("The message was too large"),
    Reason.content: gettext_noop("Something in the message was refused"),
    Reason.spam: gettext_noop("The server took it for spam"),
    Reason.policy: gettext_noop("A rule of the server refused it"),
    Reason.authentication: gettext_noop("The server did not believe it was from you"),
    Reason.blocked: gettext_noop("The server refuses your address or network"),
    Reason.network: gettext_noop("Servers could not reach each other"),
    Reason.expired: gettext_noop("The server gave up after days"),
    Reason.other: gettext_noop("The server gave no clear reason"),
}
"""The reasons of a bounce, without that of a dead address and that of a complaint, which are choices."""

_NO_CHOICE = gettext_noop("Choose what the message is.")
_NO_REASON = gettext_noop("Choose the reason of the bounce.")
_NOT_ON_LIST = gettext_noop("Nobody with this address is on the list.")
_FAULT_FIELDS = {ReviewFault.nobody: "subscriber", ReviewFault.cut: "judgement"}
"""The field that a fault is about, if it is about one."""

_NO_BASIS = gettext_noop("Say why you may write to this person. It is kept on record.")
_ON_LIST = gettext_noop("This person is on the list already. Refuse the proposal.")
_SUPPRESSED = gettext_noop("This person must not get mail. Refuse the proposal.")
_NO_COUNTRY = gettext_noop("Choose a country from the list.")
_METHOD = "Studio"
_MAX_LENGTH = 300
_ROWS = 20

FeedbackNumber = Annotated[int, depend_on_number("number")]

ROUTES = Routes()


@ROUTES.get_route("/feedback", Permission.see_partners)
def show_feedback(page: PageDep) -> Response:
    """Show what waits, the oldest first; with ``campaign`` the messages about it."""
    given, session = page.request.query_params, page.session
    campaign, after, after_successor = (
        read_row_number(given.get(name, "")) for name in ("campaign", "after", "successors")
    )
    held = [
        (message, list(list_message_events(session, message.id)))
        for message in list_held(session, campaign_id=campaign, after=after or 0, limit=_ROWS + 1)
    ]
    successors = list_proposals(session, after=after_successor or 0, limit=_ROWS + 1)

    def make_next_path(name: str, numbers: list[int]) -> str:
        kept = {"campaign": str(campaign)} if campaign else {}
        following = {name: str(numbers[_ROWS - 1])} if len(numbers) > _ROWS else {}
        return page.make_path("/feedback", None, **kept, **following) if following else ""

    return page.render(
        "feedback.html",
        campaign=campaign,
        held=held[:_ROWS],
        held_count=count_held(session),
        next_held=make_next_path("after", [message.id or 0 for message, _ in held]),
        successors=successors[:_ROWS],
        successor_count=count_proposals(session),
        next_successors=make_next_path("successors", [one.number for one in successors]),
        replies=list_waiting_replies(session),
        reads_successors=page.settings.feedback.successors,
    )


@ROUTES.get_route("/feedback/messages", Permission.see_partners)
def show_messages(page: PageDep) -> Response:
    given = page.request.query_params
    kind, before = given.get("kind", ""), given.get("before", "")
    wanted, campaign = kind if kind in list(FeedbackKind) else "", read_row_number(given.get("campaign", ""))
    messages, earlier = list_messages(
        page.session,
        kind=FeedbackKind(wanted) if wanted else None,
        campaign_id=campaign,
        before=read_row_number(before),
    )
    kept = {"kind": wanted, "campaign": str(campaign or ""), "before": str(earlier or "")}
    query = {name: value for name, value in kept.items() if value}
    return page.render(
        "feedback_messages.html",
        messages=messages,
        subscribers=list_subscribers(page.session, messages),
        older=page.make_path("/feedback/messages", None, **query) if earlier else "",
        kind=wanted,
        campaign=campaign or "",
        is_later_page=bool(before),
        kinds=FeedbackKind,
    )


@ROUTES.get_route("/feedback/messages/{number}", Permission.see_partners)
def show_message(page: PageDep, number: FeedbackNumber) -> Response:
    return _render_message(page, number, Form())


def _render_message(page: StudioPage, number: int, form: Form, *errors: tuple[str, str]) -> Response:
    message = or_404(page.session.get(FeedbackMessage, number))
    events = list(list_message_events(page.session, number))
    following, waits = find_next_held(page.session, number), message.state is FeedbackState.held
    return page.render(
        "feedback_message.html",
        message=message,
        events=events,
        view=None if message.raw is None else view_message(message.raw),
        waits=waits,
        may_judge=waits and page.may(Permission.change_partners),
        next_held=following if following != number else None,
        needs_person=not any(event.subscriber_id for event in events),
        choice=_read_choice(form),
        reason=form.get("reason"),
        subscriber=form.get("subscriber").strip()[:320],
        choices=_CHOICES,
        reasons=REASON_WORDS,
        other_bounce=OTHER_BOUNCE,
        reply_address=page.settings.sender.reply_to or page.settings.sender.address,
        errors=errors,
    )


@ROUTES.get_route("/feedback/messages/{number}/file", Permission.see_partners)
def send_message_file(page: PageDep, number: FeedbackNumber) -> Response:
    """Send the bytes of a message that are kept, to be opened in an email program."""
    raw = or_404(or_404(page.session.get(FeedbackMessage, number)).raw)
    headers = {
        "content-disposition": f'attachment; filename="message-{number}.eml"',
        # A browser that shows it all the same runs nothing of it.
        "x-content-type-options": "nosniff",
    }
    return Response(raw, media_type="message/rfc822", headers=headers)


def _read_choice(form: Form) -> str:
    """Read what a message is taken for. Whoever names the reason of a bounce has said that it is one."""
    return form.get("judgement") or (OTHER_BOUNCE if form.get("reason") in set(REASON_WORDS) else "")


def read_judgement(form: Form) -> str:
    choice, reason = _read_choice(form), form.get("reason")
    if choice == OTHER_BOUNCE:
        return reason if reason in set(REASON_WORDS) else ""
    return choice if choice in _CHOICES else ""


@ROUTES.post_route("/feedback/messages/{number}", Permission.change_partners)
def judge_message(page: PageDep, number: FeedbackNumber, form: OwnFormDep) -> Response:
    word, by, now = read_judgement(form), page.member.name, page.state.clock()
    if not word:
        is_bounce = _read_choice(form) == OTHER_BOUNCE
        field, words = ("reason", _NO_REASON) if is_bounce else ("judgement", _NO_CHOICE)
        return _render_message(page, number, form, (field, page.translate(words)))
    subscriber = form.get("subscriber").strip()[:320]
    try:
        with page.writing() as session:
            judge_in_session(
                session, page.state.workspace, number, word, by=by, subscriber=subscriber, now=now
            )
            page.record(session, deeds.judged_feedback(number, word))
    except ReviewError as error:
        words = page.translate(or_404(error.fault.words or None), name=error.judged_by)
        return _render_message(page, number, form, (_FAULT_FIELDS.get(error.fault, ""), words))
    except SubscriberError:
        return _render_message(page, number, form, ("subscriber", page.translate(_NOT_ON_LIST)))
    return page.redirect(f"/feedback/messages/{number}", Notice.message_judged)


@ROUTES.get_route("/feedback/successors/{number}", Permission.see_partners)
def show_successor(page: PageDep, number: FeedbackNumber) -> Response:
    """Show a proposal with the words that name the person; one that was decided leads to those that wait."""
    if is_proposal_decided(page.session, number):
        return page.redirect("/feedback", Notice.successor_decided)
    proposal = or_404(find_proposal(page.session, number))
    texts = {name: getattr(proposal, name) for name in ("name", "organisation", "country")}
    return _render_successor(
        page, number, Form([*texts.items(), *(("sector", slug) for slug in proposal.sectors)])
    )


def _render_successor(page: StudioPage, number: int, form: Form, *errors: tuple[str, str]) -> Response:
    country, own = form.get("country"), own_country_names(page.settings)
    return page.render(
        "feedback_successor.html",
        proposal=or_404(find_proposal(page.session, number)),
        form=form,
        chosen=_list_sectors(page, form),
        sectors=list_sectors(page.translator, page.settings),
        countries=render_country_options(page.translator, own, country),
        may_decide=page.may(Permission.change_partners),
        errors=errors,
    )


def _list_sectors(page: StudioPage, form: Form) -> list[str]:
    return sorted({slug for name, slug in form.fields if name == "sector"} & {*page.settings.sectors})


@ROUTES.post_route("/feedback/successors/{number}", Permission.change_partners)
def accept(page: PageDep, number: FeedbackNumber, form: OwnFormDep) -> Response:
    """Add the person to the list, with a consent record that says who decided it and why, and show them."""
    given = {
        name: form.get(name).strip()[:_MAX_LENGTH] for name in ("name", "organisation", "country", "basis")
    }
    basis = given.pop("basis")
    if not basis:
        return _render_successor(page, number, form, ("basis", page.translate(_NO_BASIS)))
    try:
        with page.writing() as session:
            subscriber_id, _ = accept_successor(
                session,
                page.state.workspace,
                number,
                by=page.member.name,
                basis=basis,
                changes=DetailChanges(**given, sectors=_list_sectors(page, form)),
                has_left=form.get("left") == "yes",
                now=page.state.clock(),
                method=_METHOD,
            )
            page.record(session, deeds.accepted_successor(number))
    except SuccessorError as error:
        return _tell_decided(page, error)
    except OnListError:
        return _render_successor(page, number, form, ("", page.translate(_ON_LIST)))
    except SuppressionError:
        return _render_successor(page, number, form, ("", page.translate(_SUPPRESSED)))
    except DetailError as error:
        is_country = error.field == "country"
        field, words = ("country", page.translate(_NO_COUNTRY)) if is_country else ("", str(error))
        return _render_successor(page, number, form, (field, words))
    return page.redirect(f"/partners/{subscriber_id}", Notice.successor_added)


@ROUTES.post_route("/feedback/successors/{number}/refuse", Permission.change_partners)
def refuse(page: PageDep, number: FeedbackNumber) -> Response:
    """Refuse the person, who is not proposed for this partner again."""
    try:
        with page.writing() as session:
            refuse_successor(session, number, by=page.member.name, now=page.state.clock())
            page.record(session, deeds.refused_successor(number))
    except SuccessorError as error:
        return _tell_decided(page, error)
    return page.redirect("/feedback", Notice.successor_refused)


def _tell_decided(page: StudioPage, error: SuccessorError) -> Response:
    if not error.decided_by:
        raise HTTPException(404) from error
    return page.redirect("/feedback", Notice.successor_decided)


def list_feedback_items(page: StudioPage) -> Iterator[WaitingItem]:
    """Messages that nobody has judged, replies that do not go on, and proposed successors."""
    translate = page.translate
    held, successors = count_held(page.session), count_proposals(page.session)
    replies = len(list_waiting_replies(page.session))
    if replies:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=page.ngettext(
                "%(num)s reply of a partner does not reach you",
                "%(num)s replies of partners do not reach you",
                replies,
            ),
            act=translate(gettext_noop("See the replies")),
            path="/feedback#replies",
            tone="wrong",
        )
    if held:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=page.ngettext(
                "%(num)s message that came back waits for a judgement",
                "%(num)s messages that came back wait for a judgement",
                held,
            ),
            act=page.ngettext("Judge the message", "Judge the messages", held),
            path="/feedback",
        )
    if successors:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=page.ngettext(
                "%(num)s person may follow a partner who has left",
                "%(num)s people may follow partners who have left",
                successors,
            ),
            act=translate(gettext_noop("See who")),
            path="/feedback#successors",
        )
