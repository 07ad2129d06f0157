"""Settling what could not be saved: merged, put back, or set aside; nothing that was written is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlmodel import Session

from editions.text_diff.comparison import split_blocks
from editions.text_diff.merge import (
    MergeChoice,
    MergeKind,
    MergePart,
    list_conflicts,
    merge_texts,
    settle_merge,
)
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    TextSave,
    list_story_names,
    locate_file,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.removed_stories import restore_story
from mailer.revisions.revision_log import record_set_aside
from mailer.revisions.unsaved_texts import Unsaved, delete_unsaved
from mailer.team.members import Member
from mailer.workspace import Workspace

_MAX_CONFLICTS = 100
"""More would be neither a form that a server reads nor a page that a person does."""


@dataclass(frozen=True, kw_only=True)
class OpenConflict:
    """An unsaved text beside the file as it is now: ``theirs`` is None if there is none, ``problem`` says why
    it cannot be read."""

    unsaved: Unsaved
    theirs: EditionFile | None = None
    problem: EditionFileError | None = None

    @cached_property
    def parts(self) -> tuple[MergePart, ...]:
        """Both texts, merged; of very many conflicts, one that has all of both."""
        theirs = self.theirs.text if self.theirs is not None else ""
        parts = merge_texts(self.unsaved.base, self.unsaved.mine, theirs)
        if len(list_conflicts(parts)) <= _MAX_CONFLICTS:
            return parts
        whole = (split_blocks(self.unsaved.mine), split_blocks(theirs))
        return (MergePart(kind=MergeKind.conflict, mine=whole[0], theirs=whole[1]),)


def open_conflict(workspace: Workspace, unsaved: Unsaved) -> OpenConflict:
    """Look at the file that an unsaved text is for.

    Raises:
        ConfigurationError: the edition is gone.
    """
    folder = workspace.edition_folder(unsaved.edition)
    name = locate_file(folder, unsaved.name)
    if name is None:
        return OpenConflict(unsaved=unsaved)
    try:
        return OpenConflict(unsaved=unsaved, theirs=read_edition_file(folder, name))
    except EditionFileError as error:
        return OpenConflict(unsaved=unsaved, problem=error)


def keep_merged(
    workspace: Workspace,
    session: Session,
    conflict: OpenConflict,
    choices: Mapping[int, MergeChoice],
    *,
    member: Member,
    now: datetime,
) -> Saved | Conflict:
    """Save the merged text with a choice for each place of a conflict. If the file has changed once more, or
    cannot be written, nothing changes and the unsaved text stays. The caller commits.

    Raises:
        UnsettledError: a choice is missing.
    """
    unsaved = conflict.unsaved
    merged = settle_merge(conflict.parts, choices)
    done = save_edition_file(
        workspace,
        session,
        TextSave(
            edition=unsaved.edition,
            name=unsaved.name,
            text=merged,
            base=conflict.theirs.digest if conflict.theirs is not None else "",
            member=member,
            sitting=f"settled {unsaved.number}",
            now=now,
            kind=RevisionKind.merged,
        ),
    )
    if isinstance(done, Conflict):
        # The words are all in the unsaved text and in the file.
        delete_unsaved(session, done.number)
        return done
    if merged != unsaved.mine:
        record_set_aside(session, unsaved, now=now)
    delete_unsaved(session, unsaved.number)
    return done


def put_back(
    workspace: Workspace, session: Session, unsaved: Unsaved, *, member: Member, now: datetime
) -> Conflict | None:
    """Make a file of a text whose file was removed, or bring its whole story back with it. If a file is there
    again, or cannot be written, nothing changes, and the unsaved text stays. The caller commits.

    Raises:
        ConfigurationError: the edition is gone.
        EditionFileError: the story cannot be brought back.
    """
    place = unsaved.place
    names = list_story_names(workspace.edition_folder(unsaved.edition), place.story)
    has_original = any(not parse_file_name(name).language for name in names)
    if place.story and not has_original:
        texts = {place.language: unsaved.mine}
        restore_story(workspace, session, unsaved.edition, place.story, member=member, now=now, texts=texts)
        delete_unsaved(session, unsaved.number)
        return None
    done = save_edition_file(
        workspace,
        session,
        TextSave(
            edition=unsaved.edition,
            name=unsaved.name,
            text=unsaved.mine,
            base="",
            member=member,
            sitting=f"settled {unsaved.number}",
            now=now,
            kind=RevisionKind.restored,
        ),
    )
    if isinstance(done, Conflict):
        # The words are in the text that stays.
        delete_unsaved(session, done.number)
        return done
    delete_unsaved(session, unsaved.number)
    return None


def set_aside(session: Session, unsaved: Unsaved, *, now: datetime) -> None:
    """Leave the file as it is, and keep the unsaved text in the history alone. The caller commits."""
    record_set_aside(session, unsaved, now=now)
    delete_unsaved(session, unsaved.number)
