"""What came back: messages that wait for a judgement, replies, proposed successors, and all others."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.feedback_models import Consequence, Evidence, FeedbackKind, FeedbackState
from mailer.feedback.message_list import (
    KeptMessage,
    MessageFilter,
    find_message,
    find_next_held,
    list_messages,
    view_message,
)
from mailer.feedback.overview import count_held, list_held
from mailer.feedback.reply_forwarder import list_waiting_replies
from mailer.feedback.review import ReviewError, ReviewFault, judge_in_session
from mailer.feedback.successors import (
    SuccessorError,
    SuccessorProposal,
    accept_successor,
    count_proposals,
    find_proposal,
    is_proposal_decided,
    list_proposals,
    refuse_successor,
)
from mailer.i18n import Translator, gettext_noop
from mailer.reasons.reason import Reason
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_sectors, own_country_names, render_country_options
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number, read_row_number
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from subscribers.consent.team_changes import DetailChanges
from subscribers.errors import CountryError, OnListError, SubscriberError, SuppressionError

KIND_WORDS: Final[Mapping[FeedbackKind, str]] = MappingProxyType(
    {
        FeedbackKind.bounce: gettext_noop("Bounce"),
        FeedbackKind.complaint: gettext_noop("Complaint about spam"),
        FeedbackKind.auto_reply: gettext_noop("Automatic reply"),
        FeedbackKind.reply: gettext_noop("Reply"),
        FeedbackKind.leave: gettext_noop("Leaving by email"),
        FeedbackKind.other: gettext_noop("Not understood"),
        FeedbackKind.dmarc: gettext_noop("Report on senders (DMARC)"),
    }
)
"""What each kind of message is called."""

STATE_WORDS: Final[Mapping[FeedbackState, tuple[str, str]]] = MappingProxyType(
    {
        FeedbackState.recorded: (gettext_noop("Done"), "quiet"),
        FeedbackState.held: (gettext_noop("Waits for a judgement"), "careful"),
        FeedbackState.forwarding: (gettext_noop("Goes on to the team soon"), "careful"),
        FeedbackState.forwarded: (gettext_noop("Went on to the team"), "right"),
        FeedbackState.judged: (gettext_noop("Judged"), "right"),
    }
)
"""The words for each state, and the tone of its mark."""

CONSEQUENCE_WORDS: Final[Mapping[Consequence, str]] = MappingProxyType(
    {
        Consequence.recorded: gettext_noop("Nothing was changed"),
        Consequence.bounced: gettext_noop("Marked as bounced: gets no more mail"),
        Consequence.complained: gettext_noop("Marked as having complained: gets no more mail"),
        Consequence.unsubscribed: gettext_noop("Has left the list"),
        Consequence.alarm: gettext_noop("It is about you, the sender: nobody was removed"),
        Consequence.held: gettext_noop("Not believed without a person"),
        Consequence.unproven: gettext_noop("Nothing was sent that this could be about: nobody was removed"),
        Consequence.outdated: gettext_noop("The partner has done something since: nobody was removed"),
        Consequence.gone: gettext_noop("Had left before"),
    }
)
"""What followed for a partner."""

EVIDENCE_WORDS: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        Evidence.token: gettext_noop("found by our signed token"),
        Evidence.message_id: gettext_noop("found by the number of our message"),
        Evidence.address: gettext_noop("found by the address alone"),
        Evidence.person: gettext_noop("named by a person"),
        Evidence.refusal: gettext_noop("refused while it was being sent"),
        Evidence.nothing: gettext_noop("nobody was found"),
    }
)
"""How the partner of an event was found."""

UNKNOWN_PERSON: Final = gettext_noop("nobody on the list")

_ROWS = 20
_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


def show_feedback(page: PageDep) -> Response:
    """Show what waits, the oldest first; with ``campaign`` the messages about it."""
    query = page.request.query_params
    campaign = read_row_number(query.get("campaign", ""))
    after, after_successor = (_read_place(query.get(name, "")) for name in ("after", "successors"))
    with page.state.read_session() as session:
        held = list(list_held(session, campaign_id=campaign, after=after, limit=_ROWS + 1))
        successors = list_proposals(session, after=after_successor, limit=_ROWS + 1)
        replies = list_waiting_replies(session)
        held_count, successor_count = count_held(session), count_proposals(session)
    given = {"campaign": str(campaign)} if campaign else {}
    return page.render(
        "feedback.html",
        section="feedback",
        campaign=campaign,
        held=held[:_ROWS],
        held_count=held_count,
        next_held=page.make_path("/feedback", None, **given, after=str(held[_ROWS - 1].number))
        if len(held) > _ROWS
        else "",
        successors=successors[:_ROWS],
        successor_count=successor_count,
        next_successors=page.make_path(
            "/feedback", None, **given, successors=str(successors[_ROWS - 1].number)
        )
        if len(successors) > _ROWS
        else "",
        replies=replies,
        reads_successors=page.settings.feedback.successors,
        kind_words=KIND_WORDS,
    )


def _read_place(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


PAGE_ROUTES = (StudioRoute("/feedback", show_feedback, GET, Permission.see_partners),)


def _list_feedback(page: StudioPage) -> Iterator[WaitingItem]:
    """Messages that nobody has judged, replies that do not go on, and proposed successors."""
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    with page.state.read_session() as session:
        held, successors = count_held(session), count_proposals(session)
        replies = len(list_waiting_replies(session))
    if replies:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s reply of a partner does not reach you",
                "%(num)s replies of partners do not reach you",
                replies,
            )
            % {"num": replies},
            act=translate(gettext_noop("See the replies")),
            path="/feedback#replies",
            tone="wrong",
        )
    if held:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s message that came back waits for a judgement",
                "%(num)s messages that came back wait for a judgement",
                held,
            )
            % {"num": held},
            act=plural("Judge the message", "Judge the messages", held),
            path="/feedback",
        )
    if successors:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s person may follow a partner who has left",
                "%(num)s people may follow partners who have left",
                successors,
            )
            % {"num": successors},
            act=translate(gettext_noop("See who")),
            path="/feedback#successors",
        )


WAITING_FEEDBACK = WaitingSource(
    name=gettext_noop("Feedback"), permission=Permission.change_partners, list_items=_list_feedback
)

OTHER_BOUNCE: Final = "bounce"
"""The choice for a bounce with another reason, which a second field names."""

_CHOICES: Final = (
    (
        "dead",
        gettext_noop("A bounce: the address does not exist"),
        gettext_noop("They are marked as bounced and get no more mail."),
    ),
    (
        OTHER_BOUNCE,
        gettext_noop("A bounce for another reason"),
        gettext_noop("The reason is recorded. An address that is dead gets no more mail."),
    ),
    (
        "complaint",
        gettext_noop("A complaint about spam"),
        gettext_noop("They are marked as having complained and get no more mail."),
    ),
    ("leave", gettext_noop("Somebody wants to leave"), gettext_noop("They are unsubscribed.")),
    (
        "reply",
        gettext_noop("Somebody wrote to you"),
        gettext_noop("It goes on, unchanged, to the address for replies."),
    ),
    (
        "auto-reply",
        gettext_noop("An automatic reply"),
        gettext_noop("It is recorded; nothing else follows."),
    ),
    ("ignore", gettext_noop("None of these"), gettext_noop("It is put away; nothing follows.")),
)

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


@dataclass(frozen=True, kw_only=True)
class JudgementForm:
    """What a member has chosen: ``choice`` and ``reason`` as the form has them, and the address of whom the
    message is about, where they named somebody."""

    choice: str = ""
    reason: str = ""
    subscriber: str = ""

    @property
    def word(self) -> str:
        """A word of :data:`mailer.feedback.review.JUDGEMENTS`; "" if the form is not complete."""
        if self.choice == OTHER_BOUNCE:
            return self.reason if self.reason in set(REASON_WORDS) else ""
        return self.choice if self.choice in {value for value, _, _ in _CHOICES} else ""

    def find_fault(self) -> tuple[str, str] | None:
        """The field that is not filled in, and what to say of it."""
        if self.word:
            return None
        return ("reason", _NO_REASON) if self.choice == OTHER_BOUNCE else ("judgement", _NO_CHOICE)


def read_judgement(form: Form) -> JudgementForm:
    """Read the form as it was sent."""
    choice, reason = form.get("judgement")[:32], form.get("reason")[:32]
    return JudgementForm(
        # Whoever names the reason of a bounce has said that it is one.
        choice=OTHER_BOUNCE if not choice and reason in set(REASON_WORDS) else choice,
        reason=reason,
        subscriber=form.get("subscriber").strip()[:320],
    )


def list_choices(translator: Translator) -> Sequence[tuple[str, str, str]]:
    """What a message can be taken for: the value, the label, and what follows."""
    return [
        (value, translator.translate(label), translator.translate(hint)) for value, label, hint in _CHOICES
    ]


def list_reasons(translator: Translator) -> Sequence[tuple[str, str]]:
    """The reasons of a bounce, as options."""
    return [(reason.value, translator.translate(words)) for reason, words in REASON_WORDS.items()]


_MESSAGE_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


def _read_number(number: str) -> int:
    if not _MESSAGE_NUMBER.fullmatch(number):
        raise HTTPException(404)
    return int(number)


MessageNumber = Annotated[int, Depends(_read_number)]
"""The path's ``number``, if it can be that of a message; otherwise the answer is 404."""


def show_messages(page: PageDep) -> Response:
    """Show the messages, of one kind or about one campaign."""
    query = page.request.query_params
    kind, before = query.get("kind", ""), query.get("before", "")
    wanted = MessageFilter(
        kind=FeedbackKind(kind) if kind in list(FeedbackKind) else None,
        campaign_id=read_row_number(query.get("campaign", "")),
    )
    with page.state.read_session() as session:
        found = list_messages(
            session, wanted, before=int(before) if _MESSAGE_NUMBER.fullmatch(before) else None
        )
    given = {"kind": wanted.kind.value} if wanted.kind else {}
    given |= {"campaign": str(wanted.campaign_id)} if wanted.campaign_id else {}
    older = (
        page.make_path("/feedback/messages", None, **given, before=str(found.older)) if found.older else ""
    )
    return page.render(
        "feedback_messages.html",
        section="feedback",
        entries=found.entries,
        older=older,
        kind=given.get("kind", ""),
        campaign=given.get("campaign", ""),
        is_later_page=bool(before),
        kind_words=KIND_WORDS,
        state_words=STATE_WORDS,
    )


def show_message(page: PageDep, number: MessageNumber) -> Response:
    """Show a message, with the form for judging it if it waits for a person."""
    return render_message(page, number)


def render_message(
    page: StudioPage,
    number: int,
    *,
    form: JudgementForm | None = None,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    """Render a message with what was done about it; ``form`` is what was chosen, with its ``errors``.

    Raises:
        HTTPException: 404, there is no such message.
    """
    with page.state.read_session() as session:
        message = find_message(session, number)
        following = find_next_held(session, number)
    if message is None:
        raise HTTPException(404)
    waits = message.state is FeedbackState.held
    return page.render(
        "feedback_message.html",
        status=422 if errors else 200,
        section="feedback",
        message=message,
        view=None if message.raw is None else view_message(message.raw),
        waits=waits,
        may_judge=waits and page.may(Permission.change_partners),
        next_held=following if following != number else None,
        needs_person=not any(event.subscriber_id for event in message.events),
        form=form or JudgementForm(),
        choices=list_choices(page.translator),
        reasons=list_reasons(page.translator),
        other_bounce=OTHER_BOUNCE,
        reply_address=page.settings.sender.reply_to or page.settings.sender.address,
        partner_page=page.leads_to("/partners/{subscriber}"),
        errors=errors or [],
        problems=dict(errors or []),
        kind_words=KIND_WORDS,
        state_words=STATE_WORDS,
        consequence_words=CONSEQUENCE_WORDS,
        evidence_words=EVIDENCE_WORDS,
    )


def send_message_file(page: PageDep, number: MessageNumber) -> Response:
    """Send the bytes of a message that are kept, to be opened in an email program."""
    with page.state.read_session() as session:
        message = find_message(session, number)
    if message is None or message.raw is None:
        raise HTTPException(404)
    return Response(message.raw, media_type="message/rfc822", headers=_as_attachment(message))


def _as_attachment(message: KeptMessage) -> dict[str, str]:
    name = quote(f"message-{message.number}.eml")
    # A browser that shows it all the same runs nothing of it.
    return {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}


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
        return _refuse_judgement(page, number, chosen, error)
    except SubscriberError:
        words = page.translator.translate(_NOT_ON_LIST)
        return render_message(page, number, form=chosen, errors=[("subscriber", words)])
    return page.redirect(f"/feedback/messages/{number}", Notice.message_judged)


def _refuse_judgement(page: StudioPage, number: int, form: JudgementForm, error: ReviewError) -> Response:
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


MESSAGE_ROUTES = (
    StudioRoute("/feedback/messages", show_messages, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}", show_message, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}/file", send_message_file, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}", judge_message, POST, Permission.change_partners),
)

_MAX_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class SuccessorForm:
    """The details of the new partner as the form has them; ``has_left`` ends the mail to the one before."""

    name: str
    organisation: str
    country: str
    sectors: frozenset[str]
    basis: str = ""
    has_left: bool = False

    @property
    def changes(self) -> DetailChanges:
        """All details, as they are to be stored."""
        return DetailChanges(
            name=self.name,
            organisation=self.organisation,
            country=self.country,
            sectors=sorted(self.sectors),
        )


def propose_form(proposal: SuccessorProposal, sectors: Collection[str]) -> SuccessorForm:
    """The form as it is proposed: with the details of the predecessor, and those ``sectors`` that exist."""
    return SuccessorForm(
        name=proposal.name,
        organisation=proposal.organisation,
        country=proposal.country,
        sectors=frozenset(proposal.sectors) & frozenset(sectors),
    )


def read_successor(form: Form, sectors: Collection[str]) -> SuccessorForm:
    """Read the form as it was sent."""
    chosen = frozenset(value for name, value in form.fields if name == "sector")
    return SuccessorForm(
        name=form.get("name").strip()[:_MAX_LENGTH],
        organisation=form.get("organisation").strip()[:_MAX_LENGTH],
        country=form.get("country").strip()[:_MAX_LENGTH],
        sectors=chosen & frozenset(sectors),
        basis=form.get("basis").strip()[:_MAX_LENGTH],
        has_left=form.get("left") == "yes",
    )


_METHOD = "Studio"
_NO_BASIS = gettext_noop("Say why you may write to this person. It is kept on record.")
_ON_LIST = gettext_noop("This person is on the list already. Refuse the proposal.")
_SUPPRESSED = gettext_noop("This person must not get mail. Refuse the proposal.")
_NO_COUNTRY = gettext_noop("Choose a country from the list.")


SuccessorNumber = Annotated[int, depend_on_number("number")]
"""The path's ``number``, if it can be that of a proposal; otherwise the answer is 404."""


def show_successor(page: PageDep, number: SuccessorNumber) -> Response:
    """Show a proposal with the words that name the person; one that was decided leads to those that wait."""
    with page.state.read_session() as session:
        is_decided = is_proposal_decided(session, number)
    return (
        page.redirect("/feedback", Notice.successor_decided)
        if is_decided
        else _render_successor(page, number)
    )


def accept(page: PageDep, number: SuccessorNumber, form: OwnFormDep) -> Response:
    """Add the person to the list, with a consent record that says who decided it and why, and show them."""
    given = read_successor(form, page.settings.sectors)
    if not given.basis:
        return _render_successor(
            page, number, form=given, errors=[("basis", page.translator.translate(_NO_BASIS))]
        )
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            decision = accept_successor(
                session,
                page.state.workspace,
                number,
                by=page.member.name,
                basis=given.basis,
                changes=given.changes,
                has_left=given.has_left,
                now=now,
                method=_METHOD,
            )
            record_activity(session, page.actor, Act.accepted_successor, subject=str(number), now=now)
    except SuccessorError as error:
        return _tell_decided(page, error)
    except SubscriberError as error:
        return _render_successor(page, number, form=given, errors=[_explain(page, error)])
    return page.redirect(f"/partners/{decision.subscriber_id}", Notice.successor_added)


def refuse(page: PageDep, number: SuccessorNumber) -> Response:
    """Refuse the person, who is not proposed for this partner again."""
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            refuse_successor(session, number, by=page.member.name, now=now)
            record_activity(session, page.actor, Act.refused_successor, subject=str(number), now=now)
    except SuccessorError as error:
        return _tell_decided(page, error)
    return page.redirect("/feedback", Notice.successor_refused)


def _tell_decided(page: StudioPage, error: SuccessorError) -> Response:
    if not error.decided_by:
        raise HTTPException(404) from error
    return page.redirect("/feedback", Notice.successor_decided)


def _explain(page: StudioPage, error: SubscriberError) -> tuple[str, str]:
    """The field that an error is about, and its words."""
    translate = page.translator.translate
    match error:
        case OnListError():
            return "", translate(_ON_LIST)
        case SuppressionError():
            return "", translate(_SUPPRESSED)
        case CountryError():
            return "country", translate(_NO_COUNTRY)
        case _:
            return "", str(error)


def _render_successor(
    page: StudioPage,
    number: int,
    *,
    form: SuccessorForm | None = None,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    with page.state.read_session() as session:
        proposal = find_proposal(session, number)
    if proposal is None:
        raise HTTPException(404)
    shown = form or propose_form(proposal, page.settings.sectors)
    return page.render(
        "feedback_successor.html",
        status=422 if errors else 200,
        section="feedback",
        proposal=proposal,
        form=shown,
        sectors=list_sectors(page.translator, page.settings),
        countries=render_country_options(page.translator, own_country_names(page.settings), shown.country),
        may_decide=page.may(Permission.change_partners),
        errors=errors or [],
        problems=dict(errors or []),
    )


SUCCESSOR_ROUTES = (
    StudioRoute("/feedback/successors/{number}", show_successor, GET, Permission.see_partners),
    StudioRoute("/feedback/successors/{number}", accept, POST, Permission.change_partners),
    StudioRoute("/feedback/successors/{number}/refuse", refuse, POST, Permission.change_partners),
)
