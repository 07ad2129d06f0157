"""Telling members by mail, once, that a comment speaks to them: first a row, then the mail.

As for links to Studio (:mod:`mailer.team.sign_in_mails`), whoever sends a mail claims its row by postponing
the next attempt, and a mail in doubt is not sent again. Who has read the comment meanwhile gets none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.comments.story_path import make_story_path
from mailer.database.comment_models import Comment, CommentMail, CommentMention, CommentThread
from mailer.database.engine import open_session
from mailer.database.team_models import TeamMember
from mailer.dispatch.mail_attempts import AttemptPolicy, make_unsent_outcome, was_interrupted_twice
from mailer.dispatch.single_mail import sign_and_send_mail
from mailer.errors import ConfigurationError
from mailer.i18n import SOURCE_LANGUAGE, gettext_noop, load_translator, match_language
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.team.members import Member, find_member
from mailer.team.sign_in_mails import MailRun
from mailer.workspace import Workspace
from subscribers.address import normalise_address

# Somebody who is writing a comment often mends it at once, or deletes it.
_DELAY = timedelta(minutes=1)
_ATTEMPTS = AttemptPolicy(
    lease=timedelta(minutes=10), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
)
_KEPT = timedelta(days=2)
_SHOWN_LENGTH = 300
_TEXT = MailText(
    subject=gettext_noop("A comment mentions you"),
    body=gettext_noop("%(author)s writes about “%(title)s”: %(words)s"),
    button=gettext_noop("Read the comment"),
    after=gettext_noop("You get this email because a comment in Studio mentions you. It is sent once."),
)


@dataclass(frozen=True, kw_only=True)
class _ClaimedMail:
    mention_id: int
    member: Member
    author: str
    title: str
    words: str
    path: str
    asked_at: datetime
    attempts: int


def queue_mails(session: Session, mentions: Iterable[CommentMention], *, now: datetime) -> None:
    """Note that those who are mentioned are to be told. The caller commits."""
    session.add_all(
        CommentMail(mention_id=mention.id or 0, asked_at=now, not_before=now + _DELAY) for mention in mentions
    )
    session.flush()


def send_due_comment_mails(
    workspace: Workspace,
    engine: Engine,
    *,
    address: str,
    clock: Callable[[], datetime],
    is_stopped: Callable[[], bool] = lambda: False,
) -> MailRun:
    """Send every mail that is due. ``address`` is where people open Studio."""
    sent, problem, former = 0, None, 0
    # One that is found twice is being claimed by another process.
    while not is_stopped() and (mention_id := _find_due(engine, clock())) not in {None, former}:
        former = mention_id or 0
        claimed = _claim_mail(engine, former, clock())
        if claimed is None:
            continue
        outcome = _send(workspace, engine, claimed, address, clock)
        sent += outcome.verdict is Verdict.sent
        problem = outcome.reason if outcome.verdict in {Verdict.give_back, Verdict.stop} else ""
    return MailRun(sent=sent, problem=problem)


def _find_due(engine: Engine, now: datetime) -> int | None:
    with open_session(engine, read_only=True) as session:
        due = select(CommentMail.mention_id).where(CommentMail.not_before <= now)
        return session.exec(
            due.order_by(col(CommentMail.not_before), col(CommentMail.mention_id)).limit(1)
        ).first()


def _claim_mail(engine: Engine, mention_id: int, now: datetime) -> _ClaimedMail | None:
    """Claim a mail that is due; None if it must not be sent or another has it."""
    with open_session(engine) as session:
        due = select(CommentMail).where(CommentMail.mention_id == mention_id, CommentMail.not_before <= now)
        mail = session.exec(due.with_for_update(skip_locked=True)).first()
        if mail is None:
            return None
        claimed = _describe(session, mail)
        if claimed is None or now - mail.asked_at > _KEPT or was_interrupted_twice(mail):
            session.delete(mail)
            session.commit()
            return None
        _ATTEMPTS.claim(mail, now)
        session.add(mail)
        session.commit()
        return claimed


def _describe(session: Session, mail: CommentMail) -> _ClaimedMail | None:
    """What a mail says; None if nobody needs it any more."""
    found = session.exec(
        select(CommentMention, Comment, CommentThread, TeamMember)
        .where(CommentMention.id == mail.mention_id, CommentMention.comment_id == Comment.id)
        .where(Comment.thread_id == CommentThread.id, Comment.member_id == TeamMember.id)
    ).first()
    if found is None:
        return None
    mention, comment, thread, author = found
    member = find_member(session, mention.member_id)
    is_over = mention.read_at or comment.deleted_at or thread.resolved_at
    if member is None or is_over:
        return None
    words = " ".join(comment.text.split())
    return _ClaimedMail(
        mention_id=mail.mention_id,
        member=member,
        author=author.name,
        title=thread.title or thread.story or thread.edition,
        words=words if len(words) <= _SHOWN_LENGTH else f"{words[: _SHOWN_LENGTH - 1]}…",
        path=f"{make_story_path(thread.edition, thread.story)}#thread-{thread.id}",
        asked_at=mail.asked_at,
        attempts=mail.attempts + 1,
    )


def _send(
    workspace: Workspace, engine: Engine, claimed: _ClaimedMail, address: str, clock: Callable[[], datetime]
) -> Outcome:
    settings, now = workspace.settings, clock()
    envelope = normalise_address(claimed.member.email).envelope
    try:
        message = build_letter(
            _TEXT,
            "studio-comment",
            envelope=envelope,
            url=f"{address}{claimed.path}",
            translator=load_translator(match_language([claimed.member.language]) or SOURCE_LANGUAGE),
            settings=settings,
            mail_id=claimed.mention_id,
            requested_at=claimed.asked_at,
            now=now,
            values={"author": claimed.author, "title": claimed.title, "words": claimed.words},
        )
        outcome = sign_and_send_mail(settings, workspace.root, recipient=envelope, message=message, now=now)
    except ConfigurationError as error:
        outcome = make_unsent_outcome(error)
    row = col(CommentMail.mention_id) == claimed.mention_id
    with engine.begin() as connection:
        _ATTEMPTS.record_outcome(
            connection, CommentMail, row, outcome, attempts=claimed.attempts, now=clock()
        )
    return outcome
