"""Comments and replies: writing, changing and deleting one's own, resolving and reopening threads."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from editions.unsafe_characters import remove_unsafe_characters
from mailer.activity import deeds
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.comments.mentions import find_mentioned, mark_read, queue_mails, set_mentions
from mailer.comments.thread_list import Anchor
from mailer.database.edition_models import Comment, CommentThread
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.team.members import Member, list_members

MAX_TEXT_LENGTH = 5000
_EMPTY = gettext_noop("Write the comment.")
_TOO_LONG = gettext_noop("A comment may have up to 5,000 characters. Shorten it.")
_GONE = gettext_noop(
    "This comment has been deleted in the meantime. What you wrote is below: post it as a new comment."
)
_NOT_YOURS = gettext_noop("Only who wrote a comment may change or delete it.")


class CommentError(MailerError):
    """The comment was not changed; the message says why, in English, for pages to translate."""


class CommentGoneError(CommentError):
    """The comment, or the one that it replied to, has been deleted."""


def begin_thread(
    session: Session,
    member: Member,
    text: str,
    *,
    edition: str,
    story: str,
    title: str = "",
    language: str = "",
    anchor: Anchor | None = None,
    mentioned: Iterable[int] = (),
    request: str,
    now: datetime,
) -> int:
    """Comment on a story, or with ``anchor`` on a passage of it; return the number of the new thread.

    ``story`` is its slug, "" for the letter, and ``language`` that of a translation. ``mentioned`` are
    members picked from the list, besides those that the text names. ``request`` is the form's own random
    number: sent twice, it adds nothing. The caller commits. Raise CommentError if the text is empty or too
    long.
    """
    words = _check_text(text)
    if (former := _find_by_request(session, request)) is not None:
        return former.thread_id
    thread = CommentThread(edition=edition, story=story, title=title[:300], language=language, created_at=now)
    if anchor is not None:
        thread.quote, thread.block_digest, thread.block = anchor.quote, anchor.block_digest, anchor.block
    try:
        with session.begin_nested():
            session.add(thread)
            session.flush()
            _add_comment(session, thread, member, words, mentioned, request, now)
    except IntegrityError:
        # The same form was sent twice at the same moment.
        if (former := _find_by_request(session, request)) is None:
            raise
        return former.thread_id
    return thread.id or 0


def reply(
    session: Session,
    member: Member,
    thread_id: int,
    text: str,
    *,
    mentioned: Iterable[int] = (),
    request: str,
    now: datetime,
) -> None:
    """Reply to a thread; a resolved one becomes open again. What it said to the member is thereby read. The
    caller commits. Raise CommentError if the text is empty or too long, and CommentGoneError if the thread
    has been deleted.
    """
    words = _check_text(text)
    thread = _find_thread(session, thread_id)
    # Two that reply at the same moment wait for each other here, so the form is seen to be sent twice.
    if _find_by_request(session, request) is not None:
        return
    thread.resolved_at = thread.resolved_by = None
    mark_read(session, thread_id, member.id, now=now)
    _add_comment(session, thread, member, words, mentioned, request, now)


def edit_comment(
    session: Session,
    member: Member,
    comment_id: int,
    text: str,
    *,
    mentioned: Iterable[int] = (),
    now: datetime,
) -> None:
    """Change one's own comment. Who is mentioned for the first time is told. The caller commits. Raise
    CommentError if the text is empty or too long, or the comment is another's, and CommentGoneError if it has
    been deleted."""
    words = _check_text(text)
    comment = _find_own(session, member, comment_id)
    if comment.text != words:
        comment.text, comment.edited_at = words, now
        session.add(comment)
    _mention(session, comment, mentioned, now)


def delete_comment(session: Session, member: Member, comment_id: int, *, now: datetime) -> None:
    """Delete one's own comment; one that others have replied to keeps its place without its words. The caller
    commits. Raise CommentError if it is another's.
    """
    comment = session.get(Comment, comment_id)
    if comment is None or comment.deleted_at is not None:
        return
    comment = _find_own(session, member, comment_id)
    thread = _find_thread(session, comment.thread_id)
    set_mentions(session, comment, set())
    comment.text, comment.deleted_at = "", now
    session.add(comment)
    _record(session, member, deeds.deleted_comment, thread, now)
    _delete_silent_end(session, comment.thread_id)


def resolve_thread(session: Session, member: Member, thread_id: int, *, now: datetime) -> None:
    """Say that what a thread is about is done. The caller commits. Raise CommentGoneError if it is gone."""
    thread = _find_thread(session, thread_id)
    if thread.resolved_at is None:
        thread.resolved_at, thread.resolved_by = now, member.id
        _record(session, member, deeds.resolved_comment, thread, now)


def reopen_thread(session: Session, member: Member, thread_id: int, *, now: datetime) -> None:
    """Say that what a thread is about is not done after all. The caller commits. Raise CommentGoneError if it
    has been deleted.
    """
    thread = _find_thread(session, thread_id)
    if thread.resolved_at is not None:
        thread.resolved_at = thread.resolved_by = None
        _record(session, member, deeds.reopened_comment, thread, now)


def _check_text(text: str) -> str:
    words = remove_unsafe_characters(text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not words:
        raise CommentError(_EMPTY)
    if len(words) > MAX_TEXT_LENGTH:
        raise CommentError(_TOO_LONG)
    return words


def _find_by_request(session: Session, request: str) -> Comment | None:
    return session.exec(select(Comment).where(Comment.request == request)).first()


def _find_thread(session: Session, thread_id: int) -> CommentThread:
    thread = session.get(CommentThread, thread_id, with_for_update=True)
    if thread is None:
        raise CommentGoneError(_GONE)
    return thread


def _find_own(session: Session, member: Member, comment_id: int) -> Comment:
    comment = session.get(Comment, comment_id, with_for_update=True)
    if comment is None or comment.deleted_at is not None:
        raise CommentGoneError(_GONE)
    if comment.member_id != member.id:
        raise CommentError(_NOT_YOURS)
    return comment


def _add_comment(
    session: Session,
    thread: CommentThread,
    member: Member,
    words: str,
    mentioned: Iterable[int],
    request: str,
    now: datetime,
) -> None:
    comment = Comment(
        thread_id=thread.id or 0, member_id=member.id, text=words, request=request, created_at=now
    )
    session.add(comment)
    session.flush()
    _mention(session, comment, mentioned, now)
    _record(session, member, deeds.commented, thread, now)


def _mention(session: Session, comment: Comment, mentioned: Iterable[int], now: datetime) -> None:
    members = list_members(session)
    known = {member.id for member in members}
    wanted = find_mentioned(comment.text, members) | (set(mentioned) & known)
    queue_mails(session, set_mentions(session, comment, wanted), now=now)


def _record(
    session: Session,
    member: Member,
    make: Callable[[CommentThread], Deed],
    thread: CommentThread,
    now: datetime,
) -> None:
    session.add(thread)
    record_activity(session, Actor.from_member(member), make(thread), now=now)


def _delete_silent_end(session: Session, thread_id: int) -> None:
    """Delete the deleted comments that nobody has replied to, and a thread that has no others."""
    comments: Sequence[Comment] = session.exec(
        select(Comment).where(Comment.thread_id == thread_id).order_by(col(Comment.id).desc())
    ).all()
    for comment in comments:
        if comment.deleted_at is None:
            return
        session.delete(comment)
    session.flush()
    session.exec(delete(CommentThread).where(col(CommentThread.id) == thread_id))
