"""Settling what could not be saved: merged, put back, or set aside; nothing that was written is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from mailer.database.edition_models import RevisionKind, UnsavedText
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FilePlace,
    TextSave,
    list_story_names,
    locate_file,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.revisions.history import RevisionEntry, list_history, record_set_aside
from mailer.revisions.story_changes import restore_story
from mailer.revisions.unsaved_texts import delete_unsaved, find_unsaved
from mailer.team.members import Member
from mailer.workspace import Workspace

_LOOKED_BACK = 5
_MAX_CONFLICTS = 100
"""More would be neither a form that a server reads nor a page that a person does."""


@dataclass(frozen=True, kw_only=True)
class OpenConflict:
    """An unsaved text that ``writer`` wrote, beside the file as it is now: ``theirs`` is None if there is
    none, ``problem`` says why it cannot be read, and ``by`` is the entry of the history with that text, if a
    member is known to have written it."""

    unsaved: UnsavedText
    writer: str
    theirs: EditionFile | None = None
    problem: EditionFileError | None = None
    by: RevisionEntry | None = None

    @property
    def place(self) -> FilePlace:
        return FilePlace(story=self.unsaved.story, language=self.unsaved.language)

    @cached_property
    def parts(self) -> tuple[MergePart, ...]:
        """Both texts, merged; of very many conflicts, one that has all of both."""
        theirs = self.theirs.text if self.theirs is not None else ""
        parts = merge_texts(self.unsaved.base, self.unsaved.mine, theirs)
        if len(list_conflicts(parts)) <= _MAX_CONFLICTS:
            return parts
        whole = (split_blocks(self.unsaved.mine), split_blocks(theirs))
        return (MergePart(kind=MergeKind.conflict, mine=whole[0], theirs=whole[1]),)


def find_conflict(workspace: Workspace, session: Session, edition: str, number: int) -> OpenConflict | None:
    """Find the unsaved text ``number``, and look at the file that it is for; None if it was settled, or is of
    another edition. Raise ConfigurationError if the edition is gone."""
    unsaved = find_unsaved(session, edition, number)
    if unsaved is None:
        return None
    member = session.get(TeamMember, unsaved.member_id)
    found = OpenConflict(unsaved=unsaved, writer=member.name if member is not None else "")
    folder = workspace.edition_folder(edition)
    name = locate_file(folder, unsaved.name)
    if name is None:
        return found
    try:
        theirs = read_edition_file(folder, name)
    except EditionFileError as error:
        return replace(found, problem=error)
    entries = list_history(session, edition, found.place, limit=_LOOKED_BACK)
    by = next((entry for entry in entries if entry.file.digest == theirs.digest and entry.who), None)
    return replace(found, theirs=theirs, by=by)


def keep_merged(
    workspace: Workspace,
    session: Session,
    conflict: OpenConflict,
    choices: Mapping[int, MergeChoice],
    *,
    member: Member,
    now: datetime,
) -> EditionFile | Conflict:
    """Save the merged text with a choice for each place of a conflict. If the file has changed once more, or
    cannot be written, nothing changes and the unsaved text stays. The caller commits. Raise UnsettledError if
    a choice is missing."""
    merged = settle_merge(conflict.parts, choices)
    base = conflict.theirs.digest if conflict.theirs is not None else ""
    kind = RevisionKind.merged
    done = _settle(workspace, session, conflict.unsaved, merged, base, kind, member=member, now=now)
    if isinstance(done, EditionFile) and merged != conflict.unsaved.mine:
        record_set_aside(session, conflict.unsaved, now=now)
    return done


def put_back(
    workspace: Workspace, session: Session, conflict: OpenConflict, *, member: Member, now: datetime
) -> Conflict | None:
    """Make a file of a text whose file was removed, or bring its whole story back with it. If a file is there
    again, or cannot be written, nothing changes, and the unsaved text stays. The caller commits. Raise
    ConfigurationError if the edition is gone, and EditionFileError if the story cannot be brought back."""
    unsaved, story = conflict.unsaved, conflict.unsaved.story
    names = list_story_names(workspace.edition_folder(unsaved.edition), story)
    if not story or any(not parse_file_name(name).language for name in names):
        kind = RevisionKind.restored
        done = _settle(workspace, session, unsaved, unsaved.mine, "", kind, member=member, now=now)
        return done if isinstance(done, Conflict) else None
    texts = {unsaved.language: unsaved.mine}
    restore_story(workspace, session, unsaved.edition, story, member=member, now=now, texts=texts)
    delete_unsaved(session, unsaved.id, mine=unsaved.mine)
    return None


def _settle(
    workspace: Workspace,
    session: Session,
    unsaved: UnsavedText,
    text: str,
    base: str,
    kind: RevisionKind,
    *,
    member: Member,
    now: datetime,
) -> EditionFile | Conflict:
    save = TextSave(
        edition=unsaved.edition,
        name=unsaved.name,
        text=text,
        base=base,
        member=member,
        sitting=f"settled {unsaved.id}",
        now=now,
        kind=kind,
    )
    done = save_edition_file(workspace, session, save)
    if isinstance(done, Conflict):
        # The words are all in the text that stays, and in the file.
        delete_unsaved(session, done.number)
    else:
        delete_unsaved(session, unsaved.id, mine=unsaved.mine)
    return done


def set_aside(session: Session, unsaved: UnsavedText, *, now: datetime) -> None:
    """Leave the file as it is, and keep the unsaved text in the history alone. The caller commits."""
    record_set_aside(session, unsaved, now=now)
    delete_unsaved(session, unsaved.id, mine=unsaved.mine)
