"""Telling members by mail, once, that a comment speaks to them: first a row, then the mail.

A mail in doubt is not sent again, as with links to Studio. Who has read the comment meanwhile gets none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from mailer.comments.story_path import make_story_path
from mailer.database.edition_models import Comment, CommentMail, CommentMention, CommentThread
from mailer.database.team_models import TeamMember
from mailer.dispatch.waiting_mails import AttemptPolicy, ClaimedMail, MailKind, QueueRun, QueueRunResult
from mailer.i18n import SOURCE_LANGUAGE, gettext_noop, load_translator, match_language
from mailer.selfservice.transactional_mails import MailText, build_letter, quote_words
from mailer.team.members import Member, find_member
from subscribers.address import normalise_address

# Somebody who is writing a comment often mends it at once, or deletes it.
_DELAY = timedelta(minutes=1)
_KEPT = timedelta(days=2)
_TEXT = MailText(
    subject=gettext_noop("A comment mentions you"),
    body=gettext_noop("%(author)s writes about “%(title)s”: %(words)s"),
    button=gettext_noop("Read the comment"),
    after=gettext_noop("You get this email because a comment in Studio mentions you. It is sent once."),
)


@dataclass(frozen=True, kw_only=True)
class _Mail:
    member: Member
    author: str
    title: str
    words: str
    path: str
    asked_at: datetime

    @property
    def envelope(self) -> str:
        return normalise_address(self.member.email).envelope


def queue_mails(session: Session, mentions: Iterable[CommentMention], *, now: datetime) -> None:
    """Note that those who are mentioned are to be told. The caller commits."""
    session.add_all(
        CommentMail(mention_id=mention.id or 0, asked_at=now, not_before=now + _DELAY) for mention in mentions
    )
    session.flush()


def send_due_comment_mails(run: QueueRun, *, address: str) -> QueueRunResult:
    """Send every mail that is due. ``address`` is where people open Studio."""

    def build(claimed: ClaimedMail[_Mail], now: datetime) -> bytes:
        mail = claimed.mail
        return build_letter(
            _TEXT,
            "studio-comment",
            envelope=mail.envelope,
            url=f"{address}{mail.path}",
            translator=load_translator(match_language([mail.member.language]) or SOURCE_LANGUAGE),
            settings=run.workspace.settings,
            mail_id=claimed.number,
            requested_at=mail.asked_at,
            now=now,
            values={"author": mail.author, "title": mail.title, "words": mail.words},
        )

    return _KIND.send_due(run, build)


def _describe(session: Session, mail: CommentMail, now: datetime) -> _Mail | None:
    """What a mail says; None if nobody needs it any more."""
    if now - mail.asked_at > _KEPT:
        return None
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
    return _Mail(
        member=member,
        author=author.name,
        title=thread.title or thread.story or thread.edition,
        words=quote_words(comment.text),
        path=f"{make_story_path(thread.edition, thread.story)}#thread-{thread.id}",
        asked_at=mail.asked_at,
    )


_KIND = MailKind(
    table=CommentMail,
    number=col(CommentMail.mention_id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
    ),
    describe=_describe,
)
