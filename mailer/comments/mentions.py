"""Whom a comment speaks to, and telling them by mail, once."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from sqlmodel import Session, col, select, update

from mailer.database.edition_models import Comment, CommentMail, CommentMention, CommentThread
from mailer.database.team_models import TeamMember
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun
from mailer.i18n import gettext_noop
from mailer.selfservice.transactional_mails import MailText, WaitingLetter, quote_words
from mailer.team.members import Member, find_member

# Writers often mend a comment at once, or delete it.
_DELAY = timedelta(minutes=1)
_KEPT = timedelta(days=2)
_TEXT = MailText(
    subject=gettext_noop("A comment mentions you"),
    body=gettext_noop("%(author)s writes about “%(title)s”: %(words)s"),
    button=gettext_noop("Read the comment"),
    after=gettext_noop("You get this email because a comment in Studio mentions you. It is sent once."),
)


class TextPart(NamedTuple):
    """A piece of a comment's text; ``is_mention`` is whether it is an ``@`` with a member's name."""

    text: str
    is_mention: bool = False


def find_mentioned(text: str, members: Sequence[Member]) -> set[int]:
    """Return the numbers of the members whose names follow an ``@`` in ``text``: the longer if two fit."""
    by_name: dict[str, set[int]] = {}
    for member in members:
        by_name.setdefault(member.name.casefold(), set()).add(member.id)
    return {
        number
        for part in divide_text(text, by_name)
        if part.is_mention
        for number in by_name.get(part.text[1:].casefold(), ())
    }


def divide_text(text: str, names: Iterable[str]) -> list[TextPart]:
    """Return ``text`` in pieces, those that mention one of ``names`` apart."""
    longest_first = sorted(names, key=len, reverse=True)
    if not longest_first:
        return [TextPart(text=text)] if text else []
    pattern = re.compile(rf"(?<![\w@.])@(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
    parts: list[TextPart] = []
    end = 0
    for found in pattern.finditer(text):
        parts += [TextPart(text=text[end : found.start()]), TextPart(text=found[0], is_mention=True)]
        end = found.end()
    return [part for part in [*parts, TextPart(text=text[end:])] if part.text]


def set_mentions(session: Session, comment: Comment, mentioned: set[int]) -> list[CommentMention]:
    """Make the mentions of a comment those of ``mentioned``, but for its own author; return the new ones. Who
    was mentioned before stays as they were, read or not. The caller commits."""
    before = session.exec(select(CommentMention).where(CommentMention.comment_id == comment.id)).all()
    wanted = mentioned - {comment.member_id}
    for mention in before:
        if mention.member_id not in wanted:
            session.delete(mention)
    known = {mention.member_id for mention in before}
    added = [
        CommentMention(comment_id=comment.id or 0, member_id=number) for number in sorted(wanted - known)
    ]
    session.add_all(added)
    session.flush()
    return added


def list_mentions(
    session: Session, member: Member, *, limit: int = 50
) -> Sequence[tuple[CommentThread, Comment, str]]:
    """List the comments that speak to ``member`` and wait for them, the latest first: each with its thread
    and the name of who wrote it. One waits until its thread is resolved, they reply, or they say that they
    have read it."""
    return session.exec(
        select(CommentThread, Comment, TeamMember.name)
        .where(CommentThread.id == Comment.thread_id, col(CommentThread.resolved_at).is_(None))
        .where(CommentMention.comment_id == Comment.id, col(CommentMention.read_at).is_(None))
        .where(CommentMention.member_id == member.id, col(Comment.deleted_at).is_(None))
        .where(TeamMember.id == Comment.member_id)
        .order_by(col(Comment.id).desc())
        .limit(limit)
    ).all()


def mark_read(session: Session, thread_id: int, member_id: int, *, now: datetime) -> None:
    """Note that a member has read what a thread says to them. The caller commits."""
    theirs = select(Comment.id).where(Comment.thread_id == thread_id)
    session.exec(
        update(CommentMention)
        .where(
            col(CommentMention.member_id) == member_id,
            col(CommentMention.comment_id).in_(theirs),
            col(CommentMention.read_at).is_(None),
        )
        .values(read_at=now)
    )


def make_comments_path(edition: str, story: str) -> str:
    """Return the path of the comments on a story, or on the letter, below that of Studio."""
    part = f"stories/{quote(story, safe='')}" if story else "letter"
    return f"/editions/{quote(edition, safe='')}/{part}/comments"


def queue_mails(session: Session, mentions: Iterable[CommentMention], *, now: datetime) -> None:
    """Note that those who are mentioned are to be told. The caller commits."""
    session.add_all(
        CommentMail(mention_id=mention.id or 0, asked_at=now, not_before=now + _DELAY) for mention in mentions
    )
    session.flush()


def _describe(run: QueueRun, session: Session, mail: CommentMail, now: datetime) -> WaitingLetter | None:
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
    return WaitingLetter(
        text=_TEXT,
        kind="studio-comment",
        email=member.email,
        url=f"{run.studio}{make_comments_path(thread.edition, thread.story)}#thread-{thread.id}",
        languages=(member.language,),
        requested_at=mail.asked_at,
        values={
            "author": author.name,
            "title": thread.title or thread.story or thread.edition,
            "words": quote_words(comment.text),
        },
    )


COMMENT_MAILS = MailKind(
    table=CommentMail,
    number=col(CommentMail.mention_id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
    ),
    describe=_describe,
)
