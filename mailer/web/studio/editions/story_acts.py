"""What is done with the stories of an edition: moving, adding and removing them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session
from starlette.exceptions import HTTPException

from editions.changes.file_moves import FileMove, apply_moves, finish_moves
from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_order import list_numbered_stories, plan_new_story, plan_story_move
from editions.errors import StoryOrderError
from editions.source.folder import STORIES_FOLDER
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import EditionFileError, encode_text, list_story_names, read_edition_file
from mailer.revisions.edition_lock import lock_edition
from mailer.revisions.file_replacement import FileChangedError, replace_file
from mailer.revisions.removed_stories import remove_story as remove_all_texts
from mailer.revisions.revision_log import ChangedFile, record_change
from mailer.web.studio.page import StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import announced_session, make_line

_EMPTY_STORY = "---\ntitle: x\n---\n\n"


@contextmanager
def change_stories(page: StudioPage, edition: str, *lines: ActivityLine) -> Iterator[tuple[Session, Path]]:
    """Change the stories of an edition while nobody else does: the session of the change, and the folder.
    Renames that a kill interrupted are finished first. ``lines`` are what the block records.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    folder = find_edition_folder(page, edition)
    with page.state.write_session() as session, lock_edition(page.state.workspace, session, edition):
        finish_moves(folder)
        with announce_acts(page.state.workspace, lines, [folder / STORIES_FOLDER]):
            yield session, folder
            session.commit()


def move_story(page: StudioPage, edition: str, slug: str, *, before: str = "", after: str = "") -> None:
    """Put a story directly before or after another one.

    Raises:
        StoryOrderError: one of them is gone, or there is no room.
        OSError: a file cannot be renamed; the order is as before.
    """
    line = make_line(page, Act.moved_story, edition=edition, subject=slug)
    with change_stories(page, edition, line) as (session, folder):
        stories = list_numbered_stories(folder)
        if after:
            others = [story.slug for story in stories if story.slug != slug]
            following = others[others.index(after) + 1 :] if after in others else []
            before = following[0] if following else ""
        moves = plan_story_move(stories, slug, before=before)
        apply_moves(folder, moves)
        _record_moves(page, session, edition, folder, moves)
        if moves:
            record_line(session, line)


def add_story(page: StudioPage, edition: str, slug: str, title: str, *, sector: str, kind: str) -> None:
    """Add a story at the end of an edition.

    Raises:
        StoryOrderError: there is a story with this slug already, or there are too many.
        EditionFileError: its file cannot be written.
        OSError: there is no room for its number, and others cannot be renamed.
    """
    text = change_front_matter(
        _EMPTY_STORY,
        {"title": title, "sector": sector, "kind": kind if kind != "story" else None},
    )
    line = make_line(page, Act.added_story, edition=edition, subject=slug)
    with change_stories(page, edition, line) as (session, folder):
        name, moves = plan_new_story(list_numbered_stories(folder), slug)
        apply_moves(folder, moves)
        _record_moves(page, session, edition, folder, moves)
        try:
            replace_file(folder, name, encode_text(text), expected=None)
        except FileChangedError as error:
            raise StoryOrderError(slug, "taken-slug", f"there is a file {name} already.") from error
        _record(page, session, edition, RevisionKind.added, [ChangedFile(name=name, text=text)])
        record_line(session, line)


def remove_story(page: StudioPage, edition: str, slug: str) -> None:
    """Remove a story with its translations, after all of its texts are in the history.

    Raises:
        HTTPException: 404, there is no such story.
        EditionFileError: one of its files cannot be read, so that nobody could bring it back; nothing is
            removed.
        FileNotWrittenError: a file cannot be deleted; those that could be are in the history.
    """
    with change_stories(page, edition) as (_, folder):
        if all(story.slug != slug for story in list_numbered_stories(folder)):
            raise HTTPException(404)
        # The original, which goes last.
        file = folder / list_story_names(folder, slug)[0]
    line = make_line(page, Act.removed_story, edition=edition, subject=slug)
    with announced_session(page, [line], file) as session:
        remove_all_texts(page.state.workspace, session, edition, slug, member=page.member, now=line.at)
        record_line(session, line)


def _record_moves(
    page: StudioPage, session: Session, edition: str, folder: Path, moves: Sequence[FileMove]
) -> None:
    files = []
    for name in dict.fromkeys(move.new for move in moves):
        try:
            file = read_edition_file(folder, name)
        except EditionFileError:
            continue
        files.append(ChangedFile(name=name, text=file.text))
    if files:
        _record(page, session, edition, RevisionKind.moved, files)


def _record(
    page: StudioPage, session: Session, edition: str, kind: RevisionKind, files: Sequence[ChangedFile]
) -> None:
    record_change(session, edition, kind, files, member=page.member, now=page.state.clock())
