"""The notes of corrections that the team writes in Studio: Markdown files in the workspace.

``corrections/2026-2/youth-forum/1.md`` is the first note on that story, ``1.fr.md`` the same in French. They
are notes as ``mailer correct --note`` takes them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from editions.correction_note import NoteHeader, NoteTranslation
from editions.markdown.renderer import STORY_HEADING_LEVEL
from editions.source.document import AnyDocument, read_document
from locales.languages import canonical_language
from mailer.atomic_write import locked_folder, write_atomically
from mailer.errors import MailerError
from mailer.workspace import Workspace

_PLAIN_NAME = re.compile(r"[^./\\\0][^/\\\0]{0,99}")
_FILE = re.compile(r"([1-9][0-9]{0,3})\.md")
_HEAD_END = "\n---\n"


class NoteMissingError(MailerError):
    """The note of a correction is not in the workspace."""


@dataclass(frozen=True, kw_only=True)
class NoteDraft:
    """A note in one language as somebody writes it: ``title`` is the story's where it was not sent in this
    language. Only ``was`` and ``right`` are needed."""

    was: str = ""
    right: str = ""
    explanation: str = ""
    subject: str = ""
    title: str = ""

    @property
    def is_empty(self) -> bool:
        return not any((self.was, self.right, self.explanation, self.subject, self.title))


@dataclass(frozen=True, kw_only=True)
class NotePlace:
    """The place of a note: the ``number``-th on ``story`` of ``edition``."""

    edition: str
    story: str
    number: int

    def find_file(self, workspace: Workspace) -> Path:
        return find_folder(workspace, self.edition, self.story) / f"{self.number}.md"

    def find_translation(self, workspace: Workspace, tag: str) -> Path:
        return self.find_file(workspace).with_name(f"{self.number}.{tag}.md")


@dataclass(frozen=True, kw_only=True)
class WrittenNote:
    own: NoteDraft
    translations: Mapping[str, NoteDraft] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def digest(self) -> str:
        """A digest of all that it says, so that one sees whether another says the same."""
        written = {tag: draft for tag, draft in self.translations.items() if not draft.is_empty}
        return sha256(repr((self.own, sorted(written.items()))).encode()).hexdigest()[:16]


def find_folder(workspace: Workspace, edition: str, story: str) -> Path:
    """Return the folder of the notes on a story, which need not exist. Raise NoteMissingError if a name is
    none that a file can have."""
    if not all(_PLAIN_NAME.fullmatch(name) for name in (edition, story)):
        raise NoteMissingError("There is no such story.")
    return workspace.corrections / edition / story


def list_notes(workspace: Workspace, edition: str, story: str) -> list[NotePlace]:
    try:
        names = [path.name for path in find_folder(workspace, edition, story).iterdir()]
    except OSError:
        return []
    numbers = sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name)))
    return [NotePlace(edition=edition, story=story, number=number) for number in numbers]


def create_note(workspace: Workspace, edition: str, story: str, note: WrittenNote) -> NotePlace:
    """Write a new note on a story, as the next after those there are. If one says exactly the same, as after
    a second click, that one is returned."""
    folder = find_folder(workspace, edition, story)
    folder.mkdir(parents=True, exist_ok=True)
    # Of two who write at once, the second gets the next number.
    with locked_folder(folder):
        for known in list_notes(workspace, edition, story):
            if read_note(workspace, known).digest == note.digest:
                return known
        place = find_next_place(workspace, edition, story)
        write_note(workspace, place, note)
    return place


def find_next_place(workspace: Workspace, edition: str, story: str) -> NotePlace:
    """Return where the next note on a story will be, if nobody else writes one meanwhile."""
    number = max((place.number for place in list_notes(workspace, edition, story)), default=0) + 1
    return NotePlace(edition=edition, story=story, number=number)


def write_note(workspace: Workspace, place: NotePlace, note: WrittenNote) -> None:
    """Write a note in place of what its files say: translations first, so that a full disk leaves what
    was."""
    file = place.find_file(workspace)
    kept = {tag: draft for tag, draft in note.translations.items() if not draft.is_empty}
    for tag, draft in kept.items():
        write_atomically(place.find_translation(workspace, tag), _format(draft).encode())
    write_atomically(file, _format(note.own).encode())
    for other, tag in _list_translations(file):
        if tag not in kept:
            other.unlink(missing_ok=True)


def read_note(workspace: Workspace, place: NotePlace) -> WrittenNote:
    """Read a note for somebody who wants to change it; what its files have wrong reads as empty. Raise
    NoteMissingError if there is none."""
    file = place.find_file(workspace)
    if not file.is_file():
        raise NoteMissingError("There is no such correction.")
    translations = {tag: _read(path, NoteTranslation) for path, tag in _list_translations(file)}
    return WrittenNote(own=_read(file, NoteHeader), translations=MappingProxyType(translations))


def delete_note(workspace: Workspace, place: NotePlace) -> None:
    file = place.find_file(workspace)
    file.unlink(missing_ok=True)
    for path, _ in _list_translations(file):
        path.unlink(missing_ok=True)


def _list_translations(file: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(file.parent.glob(f"{file.stem}.*.md")):
        if tag := canonical_language(path.name[len(file.stem) + 1 : -3]):
            yield path, tag


def _format(draft: NoteDraft) -> str:
    """Return a note as a file; a string of JSON is one of YAML, whatever is in it."""
    keys = {"was": draft.was, "is": draft.right, "title": draft.title, "subject": draft.subject}
    head = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items() if value
    )
    return f"---\n{head}---\n\n{draft.explanation.strip()}\n"


def _read(file: Path, schema: type) -> NoteDraft:
    document: AnyDocument | None
    document, _ = read_document(
        file.parent, file.name, schema, sectors=(), language=None, heading=STORY_HEADING_LEVEL
    )
    if document is None or document.header is None:
        return NoteDraft()
    header = document.header
    return NoteDraft(
        was=header.was,
        right=getattr(header, "is"),
        explanation=document.text.partition(_HEAD_END)[2].strip(),
        subject=header.subject,
        title=header.title,
    )
