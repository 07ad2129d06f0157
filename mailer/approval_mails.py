"""Telling people by mail, once, that an approval waits for them, and whoever asked how it ended.

A mail in doubt is not sent again, as with links to Studio. Who has answered meanwhile gets none. The secret
in the link of an outside reviewer is made as their mail is, and kept by its digest alone.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col

from mailer.campaigns.approvals.people import make_link
from mailer.campaigns.approvals.rounds import Round, find_round
from mailer.campaigns.approvals.steps import Person
from mailer.database.approval_models import ApprovalMail, ApprovalMailKind, ApprovalReviewer, RoundState
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun
from mailer.i18n import gettext_noop
from mailer.selfservice.transactional_mails import MailText, WaitingLetter, quote_words
from mailer.team.members import find_member
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_KEPT = timedelta(days=3)

_ASKED = MailText(
    subject=gettext_noop("Your approval is asked for"),
    body=gettext_noop("%(asker)s asks you to approve “%(title)s” before it is sent. %(words)s"),
    button=gettext_noop("Read and answer"),
    after=gettext_noop(
        "You get this email because your approval is needed. It is sent once, and nothing happens until you "
        "answer."
    ),
)
_REVIEW = MailText(
    subject=_ASKED.subject,
    body=_ASKED.body,
    button=_ASKED.button,
    after=gettext_noop(
        "The link is for you alone and works for 14 days. Whoever has it can answer in your name, so please "
        "do not forward this email. If you did not expect it, ignore it: nothing happens until you answer."
    ),
)
_APPROVED = MailText(
    subject=gettext_noop("What you asked for is approved"),
    body=gettext_noop("“%(title)s” is approved as you asked, by %(people)s."),
    button=gettext_noop("Open the campaign"),
    after=gettext_noop("You get this email because you asked for the approval. It is sent once."),
)
_CHANGES = MailText(
    subject=gettext_noop("Changes are asked for"),
    body=gettext_noop("%(people)s asks for changes to “%(title)s”: %(words)s"),
    button=gettext_noop("See what they say"),
    after=_APPROVED.after,
)
_OUTCOMES = {RoundState.approved: _APPROVED, RoundState.changes_requested: _CHANGES}


def _describe(run: QueueRun, session: Session, mail: ApprovalMail, now: datetime) -> WaitingLetter | None:
    asked = find_round(session.connection(), mail.round_id)
    if asked is None or now - mail.asked_at > _KEPT:
        return None
    person = _find_recipient(session, mail)
    if person is None:
        return None
    recipient, email, language = person
    if mail.kind is ApprovalMailKind.answered:
        text, path = _OUTCOMES.get(asked.state), f"/campaigns/{asked.campaign_id}/approval"
    elif not asked.is_asked(recipient):
        return None
    elif mail.reviewer_id is not None:
        text, path = _REVIEW, f"/review/{make_link(session.connection(), mail.reviewer_id, now=now)}"
    else:
        text, path = _ASKED, f"/campaigns/{asked.campaign_id}/approval"
    if text is None:
        return None
    return WaitingLetter(
        text=text,
        kind="studio-approval",
        email=email,
        url=f"{run.studio}{path}",
        languages=(language,),
        requested_at=mail.asked_at,
        values=_list_values(asked, mail.kind),
    )


def _find_recipient(session: Session, mail: ApprovalMail) -> tuple[Person, str, str] | None:
    """Whom a mail is for, their address and their language; None if they have left, or are erased."""
    if mail.reviewer_id is not None:
        reviewer = session.get(ApprovalReviewer, mail.reviewer_id)
        if reviewer is None or not _is_address(reviewer.email):
            return None
        return Person.of_reviewer(reviewer), reviewer.email, ""
    member = find_member(session, mail.member_id or 0)
    if member is None:
        return None
    return Person.of_member(member), member.email, member.language


def _is_address(text: str) -> bool:
    try:
        normalise_address(text)
    except AddressError:
        return False
    return True


def _list_values(asked: Round, kind: ApprovalMailKind) -> dict[str, str]:
    refusals = [one for one in asked.answers if not one.approves]
    if kind is ApprovalMailKind.asked:
        people, words = "", asked.note
    elif refusals:
        people, words = refusals[-1].person.name, refusals[-1].words
    else:
        people, words = ", ".join(asked.approver_names), ""
    values = {"asker": asked.asked_by, "title": asked.facts.title, "people": people}
    return {**values, "words": quote_words(words)}


APPROVAL_MAILS = MailKind(
    table=ApprovalMail,
    number=col(ApprovalMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
    ),
    describe=_describe,
)
