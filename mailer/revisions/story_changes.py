"""Adding a story to an edition and moving one, while nobody else changes its stories."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_order import (
    JOURNAL,
    FileMove,
    apply_moves,
    finish_moves,
    list_numbered_stories,
    plan_new_story,
    plan_story_move,
)
from editions.errors import StoryOrderError
from editions.source.folder import STORIES_FOLDER
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, Actor, record_line
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import (
    EditionFileError,
    FileChangedError,
    encode_text,
    lock_edition,
    read_edition_file,
    replace_file,
)
from mailer.revisions.revision_log import RevisedFile, record_change
from mailer.team.members import Member
from mailer.workspace import Workspace

_EMPTY_STORY = "---\ntitle: x\n---\n\n"
_log = logging.getLogger(__name__)


def move_story(
    workspace: Workspace,
    session: Session,
    edition: str,
    slug: str,
    *,
    before: str = "",
    after: str = "",
    member: Member,
    now: datetime,
) -> None:
    """Put a story directly before or after another one, and commit that.

    Raises:
        StoryOrderError: one of them is gone, or there is no room.
        OSError: a file cannot be renamed; the order is as before.
    """
    line = ActivityLine(
        actor=Actor.from_member(member), act=Act.moved_story, edition=edition, subject=slug, at=now
    )
    with _change_stories(workspace, session, line) as folder:
        stories = list_numbered_stories(folder)
        if after:
            others = [story.slug for story in stories if story.slug != slug]
            following = others[others.index(after) + 1 :] if after in others else []
            before = following[0] if following else ""
        moves = plan_story_move(stories, slug, before=before)
        apply_moves(folder, moves)
        _record_moves(session, edition, folder, moves, member, now)
        if moves:
            record_line(session, line)


def add_story(
    workspace: Workspace,
    session: Session,
    edition: str,
    slug: str,
    *,
    title: str,
    sector: str,
    kind: str,
    member: Member,
    now: datetime,
) -> None:
    """Add a story at the end of an edition, and commit that.

    Raises:
        StoryOrderError: there is a story with this slug already, or there are too many.
        EditionFileError: its file cannot be written.
        OSError: there is no room for its number, and others cannot be renamed.
    """
    text = change_front_matter(
        _EMPTY_STORY,
        {"title": title, "sector": sector, "kind": kind if kind != "story" else None},
    )
    line = ActivityLine(
        actor=Actor.from_member(member), act=Act.added_story, edition=edition, subject=slug, at=now
    )
    with _change_stories(workspace, session, line) as folder:
        name, moves = plan_new_story(list_numbered_stories(folder), slug)
        apply_moves(folder, moves)
        _record_moves(session, edition, folder, moves, member, now)
        try:
            replace_file(folder, name, encode_text(text), expected=None)
        except FileChangedError as error:
            raise StoryOrderError(slug, "taken-slug", f"there is a file {name} already.") from error
        added = [RevisedFile(name=name, text=text)]
        record_change(session, edition, RevisionKind.added, added, member=member, now=now)
        record_line(session, line)


@contextmanager
def _change_stories(workspace: Workspace, session: Session, line: ActivityLine) -> Iterator[Path]:
    """Give the folder of an edition to a block that changes its stories and records ``line``, and commit.
    Renames that a kill interrupted are finished first."""
    folder = workspace.edition_folder(line.edition)
    with lock_edition(workspace, session, line.edition):
        finish_moves(folder)
        with announce_acts(workspace, [line], [folder / STORIES_FOLDER]):
            yield folder
            session.commit()


def _record_moves(
    session: Session, edition: str, folder: Path, moves: Sequence[FileMove], member: Member, now: datetime
) -> None:
    files = []
    for name in dict.fromkeys(move.new for move in moves):
        try:
            files.append(RevisedFile(name=name, text=read_edition_file(folder, name).text))
        except EditionFileError:
            continue
    if files:
        record_change(session, edition, RevisionKind.moved, files, member=member, now=now)


def finish_interrupted_moves(workspace: Workspace, engine: Engine) -> None:
    """Finish the moves of stories that had begun in any edition. What cannot be finished now is left for the
    next change of that edition."""
    for journal in workspace.editions.glob(f"*/{JOURNAL}"):
        try:
            with Session(engine) as session, lock_edition(workspace, session, journal.parent.name):
                finish_moves(journal.parent)
                session.rollback()
        except OSError as error:
            _log.warning("Stories of %s could not be moved: %s", journal.parent.name, error)
