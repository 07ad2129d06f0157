"""Reading comments: the threads of a story, and how many are open."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from mailer.comments.mentions import TextPart, divide_text
from mailer.comments.passages import Anchor
from mailer.database.edition_models import Comment, CommentMention, CommentThread
from mailer.database.team_models import TeamMember


@dataclass(frozen=True, kw_only=True)
class ShownComment:
    """A comment as a page shows it. ``parts`` is its text, with mentions apart; empty if it was deleted."""

    id: int
    member_id: int
    author: str
    text: str
    parts: tuple[TextPart, ...]
    written_at: datetime
    edited_at: datetime | None
    is_deleted: bool


@dataclass(frozen=True, kw_only=True)
class ShownThread:
    """A thread as a page shows it. ``anchor`` is the passage it is about, None for the whole story;
    ``resolved_by`` is a name. ``waits_for`` are the numbers of members whom it mentions and who have not
    read that."""

    id: int
    edition: str
    story: str
    title: str
    language: str
    anchor: Anchor | None
    comments: tuple[ShownComment, ...]
    resolved_at: datetime | None
    resolved_by: str
    waits_for: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class CommentedStory:
    """A story that has comments: ``open`` counts its open threads. ``title`` is what it was called when the
    last thread began."""

    story: str
    title: str
    open: int
    resolved: int


def list_threads(session: Session, edition: str, story: str) -> list[ShownThread]:
    """List the threads of a story, "" for the letter, in the order in which they began."""
    rows = session.exec(
        select(CommentThread)
        .where(CommentThread.edition == edition, CommentThread.story == story)
        .order_by(col(CommentThread.id))
    ).all()
    numbers = [row.id for row in rows]
    if not numbers:
        return []
    names = dict(session.exec(select(TeamMember.id, TeamMember.name)).all())
    by_thread: dict[int, list[Comment]] = {}
    for comment in session.exec(
        select(Comment).where(col(Comment.thread_id).in_(numbers)).order_by(col(Comment.id))
    ):
        by_thread.setdefault(comment.thread_id, []).append(comment)
    waiting = _find_waiting(session, edition, story)
    return [
        ShownThread(
            id=row.id or 0,
            edition=row.edition,
            story=row.story,
            title=row.title,
            language=row.language,
            anchor=_find_anchor(row),
            comments=tuple(_show(comment, names) for comment in by_thread.get(row.id or 0, [])),
            resolved_at=row.resolved_at,
            resolved_by=names.get(row.resolved_by, "") if row.resolved_by else "",
            waits_for=frozenset(waiting.get(row.id or 0, ())),
        )
        for row in rows
    ]


def count_open_comments(session: Session, edition: str) -> dict[str, int]:
    """Count the open threads of an edition's stories, by slug; "" is the letter. Those without are left
    out."""
    counted = session.exec(
        select(CommentThread.story, func.count())
        .where(CommentThread.edition == edition, col(CommentThread.resolved_at).is_(None))
        .group_by(CommentThread.story)
    )
    return dict(counted.all())


def list_commented_stories(session: Session, edition: str) -> list[CommentedStory]:
    """List the stories of an edition that have comments, also those that were removed, by slug."""
    rows = session.exec(
        select(CommentThread.story, CommentThread.title, CommentThread.resolved_at)
        .where(CommentThread.edition == edition)
        .order_by(col(CommentThread.id))
    ).all()
    titles = {story: title for story, title, _ in rows}
    resolved = {story: [one for name, _, one in rows if name == story] for story in titles}
    return [
        CommentedStory(
            story=story,
            title=title,
            open=resolved[story].count(None),
            resolved=len(resolved[story]) - resolved[story].count(None),
        )
        for story, title in sorted(titles.items())
    ]


def find_thread_place(session: Session, edition: str, thread_id: int) -> str | None:
    """The story, "" for the letter, of a thread of ``edition``; None if it has no such thread."""
    thread = session.get(CommentThread, thread_id)
    return thread.story if thread is not None and thread.edition == edition else None


def _find_waiting(session: Session, edition: str, story: str) -> dict[int, set[int]]:
    found = session.exec(
        select(Comment.thread_id, CommentMention.member_id)
        .where(CommentMention.comment_id == Comment.id, col(CommentMention.read_at).is_(None))
        .where(Comment.thread_id == CommentThread.id, col(CommentThread.resolved_at).is_(None))
        .where(CommentThread.edition == edition, CommentThread.story == story)
    )
    waiting: dict[int, set[int]] = {}
    for thread_id, member_id in found:
        waiting.setdefault(thread_id, set()).add(member_id)
    return waiting


def _find_anchor(row: CommentThread) -> Anchor | None:
    return Anchor(quote=row.quote, block_digest=row.block_digest, block=row.block) if row.quote else None


def _show(comment: Comment, names: dict[int | None, str]) -> ShownComment:
    return ShownComment(
        id=comment.id or 0,
        member_id=comment.member_id,
        author=names.get(comment.member_id, ""),
        text=comment.text,
        parts=tuple(divide_text(comment.text, names.values())),
        written_at=comment.created_at,
        edited_at=comment.edited_at,
        is_deleted=comment.deleted_at is not None,
    )
