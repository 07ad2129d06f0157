"""Reading comments: the threads of a story, the passages they are about, and how many are open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from editions.rich_text.block_reader import read_blocks
from editions.rich_text.nodes import TEXT_KINDS, Block
from mailer.comments.mentions import TextPart, divide_text
from mailer.database.edition_models import Comment, CommentMention, CommentThread
from mailer.database.team_models import TeamMember

MAX_QUOTE_LENGTH = 1000


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """Where a passage was when it was commented on: its words on one line, the SHA-256 of the block in
    which it began, and the place of that block from zero."""

    quote: str
    block_digest: str
    block: int


def list_passages(titles: Sequence[str], body: str) -> list[str]:
    """Return the text of a story as its readers see it, block by block, each on one line: its ``titles``, and
    the paragraphs, items and headings of its Markdown ``body``."""
    blocks = [text for found in read_blocks(body).blocks for text in _list_texts(found.block)]
    return [one for one in map(_on_one_line, [*titles, *blocks]) if one]


def anchor_passage(passages: Sequence[str], quote: str, *, near: int = 0) -> Anchor | None:
    """Find ``quote`` in the text of a story; the place nearest to block ``near``, or None."""
    wanted = _on_one_line(quote)
    places = _find_blocks(passages, wanted)
    if not wanted or not places:
        return None
    block = min(places, key=lambda place: abs(place - near))
    return Anchor(quote=wanted, block_digest=_digest(passages[block]), block=block)


def find_passage(passages: Sequence[str], anchor: Anchor) -> int | None:
    """Return the block in which the passage begins now; None if its words have changed.

    The block that is as it was comes first, wherever it is now, and then the nearest that has the words.
    """
    places = _find_blocks(passages, anchor.quote)
    same = [place for place in places if _digest(passages[place]) == anchor.block_digest]
    return min(same or places, key=lambda place: abs(place - anchor.block), default=None)


def _find_blocks(passages: Sequence[str], quote: str) -> list[int]:
    """Return the blocks in which ``quote`` begins; it may go on over the ends of blocks."""
    if not quote:
        return []
    text = " ".join(passages)
    begins = [0]
    for passage in passages:
        begins.append(begins[-1] + len(passage) + 1)
    found: list[int] = []
    at, block = text.find(quote), 0
    while at >= 0:
        while begins[block + 1] <= at:
            block += 1
        if not found or found[-1] != block:
            found.append(block)
        at = text.find(quote, at + 1)
    return found


def _list_texts(block: Block) -> list[str]:
    if block.kind in TEXT_KINDS:
        return ["".join(text.text for text in block.texts)]
    if block.source:
        return [block.source]
    return [text for inner in block.blocks for text in _list_texts(inner)]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ShownThread:
    """A thread with its comments in order. ``names`` are those of all who are or were members;
    ``waits_for`` are the members whom it mentions and who have not read that."""

    row: CommentThread
    comments: Sequence[Comment]
    names: Mapping[int, str]
    waits_for: Collection[int]

    @property
    def id(self) -> int:
        return self.row.id or 0

    @property
    def anchor(self) -> Anchor | None:
        """The passage that it is about; None for the whole story."""
        row = self.row
        return Anchor(quote=row.quote, block_digest=row.block_digest, block=row.block) if row.quote else None

    def divide(self, comment: Comment) -> list[TextPart]:
        """Return the text of a comment in pieces, mentions apart."""
        return divide_text(comment.text, self.names.values())


class CommentedStory(NamedTuple):
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
    names = {number or 0: name for number, name in session.exec(select(TeamMember.id, TeamMember.name))}
    by_thread: dict[int, list[Comment]] = {}
    for comment in session.exec(
        select(Comment).where(col(Comment.thread_id).in_(numbers)).order_by(col(Comment.id))
    ):
        by_thread.setdefault(comment.thread_id, []).append(comment)
    waiting = _find_waiting(session, edition, story)
    return [
        ShownThread(
            row=row,
            comments=by_thread.get(row.id or 0, []),
            names=names,
            waits_for=waiting.get(row.id or 0, set()),
        )
        for row in rows
    ]


def count_open_comments(session: Session, edition: str) -> dict[str, int]:
    """Count the open threads of an edition's stories, by slug; "" is the letter. None without any."""
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
    """Return the story, "" for the letter, of a thread of ``edition``; None if it has no such thread."""
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
