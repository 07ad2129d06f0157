"""The pages of messages that came back, and how a person judges one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.feedback_models import FeedbackKind, FeedbackState
from mailer.feedback.message_list import (
    KeptMessage,
    MessageFilter,
    find_message,
    find_next_held,
    list_messages,
    view_message,
)
from mailer.feedback.review import ReviewError, ReviewFault, judge_in_session
from mailer.i18n import Translator, gettext_noop
from mailer.reasons.reason import Reason
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.feedback.feedback_page import (
    CONSEQUENCE_WORDS,
    EVIDENCE_WORDS,
    KIND_WORDS,
    STATE_WORDS,
)
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from subscribers.errors import SubscriberError

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


_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


def _read_number(number: str) -> int:
    if not _NUMBER.fullmatch(number):
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
        found = list_messages(session, wanted, before=int(before) if _NUMBER.fullmatch(before) else None)
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


MESSAGE_ROUTES = (
    StudioRoute("/feedback/messages", show_messages, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}", show_message, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}/file", send_message_file, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}", judge_message, POST, Permission.change_partners),
)
