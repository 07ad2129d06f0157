"""Adding, moving and removing a story with all its texts, and bringing it back."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from mailer.activity import deeds
from mailer.activity.act_journal import announce_acts
from mailer.activity.record import ActivityLine, Actor, record_line
from mailer.database.edition_models import RevisionKind
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFileError,
    FileChangedError,
    FilePlace,
    TextNotWrittenError,
    digest_text,
    encode_text,
    list_story_names,
    list_taken_numbers,
    lock_edition,
    parse_file_name,
    read_edition_file,
    read_number,
    replace_file,
)
from mailer.revisions.history import (
    RevisionEntry,
    list_history,
    list_languages,
    read_text,
    record_change,
    record_outside_change,
    record_outside_removal,
)
from mailer.team.members import Member
from mailer.workspace import Workspace

_EMPTY_STORY = "---\ntitle: x\n---\n\n"
_log = logging.getLogger(__name__)
_LAST_NUMBER = 999
_LOOKED_BACK = 200
_MAX_TRIES = 5
_THERE_ALREADY = gettext_noop("%(name)s is there already. Rename or remove it first.")


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
    """Put a story directly before or after another one, and commit that. Raise StoryOrderError if one of them
    is gone, or there is no room, and OSError if a file cannot be renamed; the order is then as before."""
    deed = deeds.moved_story(edition, slug)
    line = ActivityLine(actor=Actor.from_member(member), deed=deed, at=now)
    with _change_stories(workspace, session, edition, line) as folder:
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
    """Add a story at the end of an edition, and commit that. Raise StoryOrderError if its slug is taken, or
    there are too many, EditionFileError if its file cannot be written, and OSError if others have to make
    room and cannot be renamed."""
    text = change_front_matter(
        _EMPTY_STORY,
        {"title": title, "sector": sector, "kind": kind if kind != "story" else None},
    )
    deed = deeds.added_story(edition, slug)
    line = ActivityLine(actor=Actor.from_member(member), deed=deed, at=now)
    with _change_stories(workspace, session, edition, line) as folder:
        name, moves = plan_new_story(list_numbered_stories(folder), slug)
        apply_moves(folder, moves)
        _record_moves(session, edition, folder, moves, member, now)
        try:
            replace_file(folder, name, encode_text(text), expected=None)
        except FileChangedError as error:
            raise StoryOrderError(slug, "taken-slug", f"there is a file {name} already.") from error
        record_change(session, edition, RevisionKind.added, {name: text}, member.id, now=now)
        record_line(session, line)


@contextmanager
def _change_stories(
    workspace: Workspace, session: Session, edition: str, line: ActivityLine
) -> Iterator[Path]:
    """Give the folder of an edition to a block that changes its stories and records ``line``, and commit.
    Renames that a kill interrupted are finished first."""
    folder = workspace.edition_folder(edition)
    with lock_edition(workspace, session, edition):
        finish_moves(folder)
        with announce_acts(workspace, [line], [folder / STORIES_FOLDER]):
            yield folder
            session.commit()


def _record_moves(
    session: Session, edition: str, folder: Path, moves: Sequence[FileMove], member: Member, now: datetime
) -> None:
    files: dict[str, str | None] = {}
    for name in dict.fromkeys(move.new for move in moves):
        try:
            files[name] = read_edition_file(folder, name).text
        except EditionFileError:
            continue
    if files:
        record_change(session, edition, RevisionKind.moved, files, member.id, now=now)


def finish_interrupted_moves(workspace: Workspace, engine: Engine) -> None:
    """Finish the moves of stories in any edition; what cannot be finished now waits for its next change."""
    for journal in workspace.editions.glob(f"*/{JOURNAL}"):
        try:
            with Session(engine) as session, lock_edition(workspace, session, journal.parent.name):
                finish_moves(journal.parent)
                session.rollback()
        except OSError as error:
            _log.warning("Stories of %s could not be moved: %s", journal.parent.name, error)


class StoryRestoredError(EditionFileError):
    """The story cannot be brought back."""


def remove_story(
    workspace: Workspace, session: Session, edition: str, story: str, *, member: Member, now: datetime
) -> int:
    """Remove all files of a story and commit that; return how many. Its texts are in the history before the
    first file goes. Raise ConfigurationError if there is no such edition, and EditionFileError if a file
    cannot be read or removed."""
    folder = workspace.edition_folder(edition)
    line = ActivityLine(actor=Actor.from_member(member), deed=deeds.removed_story(edition, story), at=now)
    for _ in range(_MAX_TRIES):
        with lock_edition(workspace, session, edition):
            finish_moves(folder)
            files = [read_edition_file(folder, name) for name in list_story_names(folder, story)]
            news = [record_outside_change(session, edition, file, now=now) for file in files]
            if not files:
                return 0
            if not any(news):
                removed = dict.fromkeys(file.name for file in files)
                with announce_acts(workspace, [line], [folder / files[0].name]):
                    record_change(session, edition, RevisionKind.removed, removed, member.id, now=now)
                    record_line(session, line)
                    # The original goes last: without it, a translation could not be read.
                    for file in reversed(files):
                        _unlink(folder, file.name)
                    session.commit()
                return len(files)
        # The texts come into the history before the files go.
        session.commit()
    raise EditionFileError(
        gettext_noop("Another program changes this story all the time. Try again when it has finished.")
    )


def restore_story(
    workspace: Workspace,
    session: Session,
    edition: str,
    story: str,
    *,
    member: Member,
    now: datetime,
    texts: Mapping[str, str] | None = None,
) -> str:
    """Bring a removed story back with its translations, and return the name of its original. It gets the
    number it had, or the next free one; if translations were left behind, they stay as they are, and it gets
    theirs. ``texts`` replace the last known ones, by language ("" is the original). The caller commits. Raise
    ConfigurationError if there is no such edition, StoryRestoredError if it is there already, its text is not
    known, or no number is free, and TextNotWrittenError if a file cannot be written."""
    folder = workspace.edition_folder(edition)
    with lock_edition(workspace, session, edition):
        left = {parse_file_name(name).language: name for name in list_story_names(folder, story)}
        if "" in left:
            raise StoryRestoredError(gettext_noop("The story is there already."))
        known = _find_texts(session, edition, story)
        # What was left may say more than the history knows.
        gone = {tag: read_text(session, edition, one) for tag, one in known.items() if tag not in left}
        wanted = {**gone, **(texts or {})}
        if "" not in wanted:
            raise StoryRestoredError(gettext_noop("The history does not have the text of this story."))
        # Before anything is written: nothing replaces what was left.
        for language in sorted(left.keys() & wanted):
            raise StoryRestoredError(_THERE_ALREADY, name=left[language])
        had = read_number(known[""].file.name) if "" in known else "010"
        number = _choose_number(folder, had, left.values())
        written: dict[str, str | None] = {}
        for language, text in sorted(wanted.items()):
            end = f".{language}.md" if language else ".md"
            name = f"{STORIES_FOLDER}/{number}-{story}{end}"
            record_outside_removal(session, edition, name, now=now)
            _write_new(folder, name, text)
            written[name] = text
        record_change(session, edition, RevisionKind.restored, written, member.id, now=now)
    return next(iter(written))


def _find_texts(session: Session, edition: str, story: str) -> dict[str, RevisionEntry]:
    """Return the entries with the texts that a story had when it was last seen: of its original, and of the
    translations that were there until the story went, and had not been removed before by themselves."""
    entries = {}
    for language in list_languages(session, edition, story):
        place = FilePlace(story=story, language=language)
        listed = list_history(session, edition, place, limit=_LOOKED_BACK)
        entries[language] = [entry for entry in listed if entry.kind is not RevisionKind.set_aside]
    gone = entries[""][0].revision.id if entries.get("") else None
    found = {}
    for language, ones in entries.items():
        entry = next((one for one in ones if one.has_text), None)
        if entry is not None and (not language or ones[0].has_text or ones[0].revision.id == gone):
            found[language] = entry
    return found


def _choose_number(folder: Path, wanted: str, left: Collection[str]) -> str:
    """Return the number of the files ``left`` of a story, or else the first free one from ``wanted`` on."""
    numbers = sorted(map(read_number, left))
    if numbers:
        return wanted if wanted in numbers else numbers[0]
    taken = list_taken_numbers(folder)
    places = [*range(int(wanted), _LAST_NUMBER + 1), *range(int(wanted))]
    free = next((f"{number:03d}" for number in places if f"{number:03d}" not in taken), None)
    if free is None:
        raise StoryRestoredError(gettext_noop("The edition has no room for another story. Remove one first."))
    return free


def _write_new(folder: Path, name: str, text: str) -> None:
    try:
        replace_file(folder, name, encode_text(text), expected=None)
    except FileChangedError:
        # Left by an attempt that was interrupted, or by somebody else: never replaced.
        if read_edition_file(folder, name).digest != digest_text(text):
            raise StoryRestoredError(_THERE_ALREADY, name=name) from None


def _unlink(folder: Path, name: str) -> None:
    try:
        (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise TextNotWrittenError(name, error.strerror or str(error)) from error
