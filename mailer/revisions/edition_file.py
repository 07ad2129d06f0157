"""The text files of an edition: which there are, what they say, and replacing one under a lock."""

import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session

from editions.source.folder import EDITION_FILE, STORIES_FOLDER, leads_outside
from editions.source.text_file import MAX_BYTES, normalise_line_ends
from locales.phrase import Phrase
from mailer.atomic_write import atomic_file, remove_left_behind, sync_folder
from mailer.database.edition_models import RevisionKind
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.team.members import Member
from mailer.workspace import Workspace

_TAG = r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}"
_EDITION = re.compile(rf"edition(?:\.(?P<language>{_TAG}))?\.md", re.ASCII)
_STORY = re.compile(
    rf"{STORIES_FOLDER}/(?P<number>\d{{3}})-(?P<story>[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.(?P<language>{_TAG}))?\.md",
    re.ASCII,
)
_SITTING = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_MAX_NAME_LENGTH = 200
NEW_FILE_MODE = 0o644
_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class EditionFileError(MailerError):
    """The file cannot be read or written. ``message`` is English, with places for ``values``."""

    def __init__(self, message: str, **values: object) -> None:
        self.message = message
        self.values = values
        super().__init__(Phrase(message, **values))


class FileNameError(EditionFileError):
    def __init__(self, name: str) -> None:
        super().__init__(gettext_noop("%(name)s is not the name of a text of an edition."), name=name)


class FileMissingError(EditionFileError):
    def __init__(self, name: str) -> None:
        super().__init__(gettext_noop("%(name)s is not there any more."), name=name)


class TextRefusedError(EditionFileError):
    """The text cannot be that of a file, whatever is done with it."""


@dataclass(frozen=True, kw_only=True)
class FilePlace:
    """Which text of an edition, whatever number its story has; "" for edition.md, and for an original."""

    story: str = ""
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class EditionFile:
    """A text file as it is now. ``name`` is relative to the edition. ``text`` has ``\\n`` line ends and no
    byte order mark, whatever the file has; ``digest`` is its SHA-256."""

    name: str
    text: str
    digest: str

    @property
    def place(self) -> FilePlace:
        return parse_file_name(self.name)


@dataclass(frozen=True, kw_only=True)
class TextSave:
    """A text that ``member`` sends, to be saved as the file ``name`` of ``edition``. ``base`` is the digest
    of the text that they began from, "" for a file that is new. ``sitting`` is a random word for each page
    that is opened. ``sequence`` counts its saves from 1; with it, a page whose answer got lost does not meet
    itself as another writer, and a request that took long does not undo a later one. With ``is_logged``, the
    log of who did what has a line, writing once for each entry of the history; other saves are part of an act
    that has its own. With ``is_confirmed``, it also says that they marked a translation as up to date."""

    edition: str
    name: str
    text: str
    base: str
    member: Member
    sitting: str
    now: datetime
    sequence: int = 0
    kind: RevisionKind = RevisionKind.written
    is_logged: bool = False
    is_confirmed: bool = False

    @property
    def place(self) -> FilePlace:
        return parse_file_name(self.name)


def parse_file_name(name: str) -> FilePlace:
    """Tell which text the file ``name`` is: edition.md, edition.LANG.md, stories/NNN-SLUG.md or
    stories/NNN-SLUG.LANG.md. Raise FileNameError if it is none of these."""
    found = _EDITION.fullmatch(name) or _STORY.fullmatch(name)
    if found is None or len(name) > _MAX_NAME_LENGTH:
        raise FileNameError(name)
    groups = found.groupdict()
    return FilePlace(story=groups.get("story") or "", language=groups["language"] or "")


def parse_sitting(text: str) -> str:
    """Return the ``sitting`` that a page sent; "" if this is none."""
    return text if _SITTING.fullmatch(text) else ""


def find_file_name(folder: Path, place: FilePlace) -> str | None:
    """Return the name that the text ``place`` has now in the edition in ``folder``; None if there is none."""
    end = f".{place.language}.md" if place.language else ".md"
    if not place.story:
        name = EDITION_FILE.removesuffix(".md") + end
        return name if os.path.lexists(folder / name) else None
    numbers = list_story_numbers(folder, place.story)
    names = (f"{STORIES_FOLDER}/{number}-{place.story}{end}" for number in numbers)
    return next((name for name in names if os.path.lexists(folder / name)), None)


def list_story_numbers(folder: Path, story: str) -> list[str]:
    """Return the numbers that the files of ``story`` have now, the original's first; none if it is gone."""
    return [read_number(name) for name in list_story_names(folder, story)]


def list_story_names(folder: Path, story: str) -> list[str]:
    """Return the names of the files of ``story``, that of the original first, then its translations."""
    theirs = [name for name in _list_stories(folder) if parse_file_name(name).story == story]
    return sorted(theirs, key=lambda name: (parse_file_name(name).language, name))


def list_translations(folder: Path, story: str) -> list[str]:
    """Return the languages of the translations of ``story``, or of edition.md if that is empty. A file with
    another number than the original is none."""
    original = find_file_name(folder, FilePlace(story=story))
    if original is None:
        return []
    stem = original.removesuffix(".md")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(f"{stem}.*.md"))
    found = [_EDITION.fullmatch(name) or _STORY.fullmatch(name) for name in names]
    return [name["language"] for name in found if name is not None and name["language"]]


def list_story_slugs(folder: Path) -> list[str]:
    """Return the slugs of the stories that have an original, in their order."""
    places = [parse_file_name(name) for name in _list_stories(folder)]
    return [place.story for place in places if not place.language]


def list_taken_numbers(folder: Path) -> set[str]:
    """Return the numbers that files of stories have, translations without an original too."""
    return {read_number(name) for name in _list_stories(folder)}


def _list_stories(folder: Path) -> list[str]:
    try:
        names = sorted(f"{STORIES_FOLDER}/{path.name}" for path in (folder / STORIES_FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in names if _STORY.fullmatch(name) and len(name) <= _MAX_NAME_LENGTH]


def read_number(name: str) -> str:
    """Return the number in the name of a story's file."""
    return name.removeprefix(f"{STORIES_FOLDER}/")[:3]


def locate_file(folder: Path, name: str) -> str | None:
    """Return where the file ``name`` is now: it may have got another number since; None if it was removed.
    Raise FileNameError if this is no name of a text of an edition."""
    place = parse_file_name(name)
    return name if os.path.lexists(folder / name) else find_file_name(folder, place)


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text, the same for every kind of line end."""
    return hashlib.sha256(normalise_line_ends(text).encode("utf-8", "surrogatepass")).hexdigest()


def read_edition_file(folder: Path, name: str) -> EditionFile:
    """Read the text file ``name`` of the edition in ``folder``. Raise FileNameError if this is no name of a
    text, FileMissingError if there is no such file, and EditionFileError if it cannot be read, or is no
    text."""
    text = decode_text(name, read_file_bytes(folder, name))
    return EditionFile(name=name, text=text, digest=digest_text(text))


def read_file_bytes(folder: Path, name: str) -> bytes:
    """Return the bytes of the text file ``name``. Raise the errors of :func:`read_edition_file`."""
    parse_file_name(name)
    try:
        if leads_outside(folder, name):
            raise EditionFileError(
                gettext_noop(
                    "%(name)s is a link to a file outside the edition. Replace it with a copy of the file."
                ),
                name=name,
            )
        with (folder / name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissingError(name) from error
    except (OSError, RuntimeError) as error:
        raise EditionFileError(
            gettext_noop("%(name)s cannot be read (%(why)s). Ask whoever looks after the server."),
            name=name,
            why=getattr(error, "strerror", None) or str(error),
        ) from error
    if len(data) > MAX_BYTES:
        raise EditionFileError(
            gettext_noop("%(name)s is larger than 1 MB, too large for a text of a newsletter."), name=name
        )
    return data


def decode_text(name: str, data: bytes) -> str:
    """Return the text of a file with ``data``. Raise EditionFileError if it is not UTF-8."""
    try:
        return normalise_line_ends(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EditionFileError(
            gettext_noop("%(name)s is not UTF-8. Save it again as UTF-8 in the editor it comes from."),
            name=name,
        ) from error


def encode_text(text: str, like: bytes = b"") -> bytes:
    """Return the bytes of ``text`` for a file: with the line ends and the byte order mark of ``like``, the
    bytes it has until now. Raise TextRefusedError if it cannot be the text of a file."""
    normalised = normalise_line_ends(text)
    if "\0" in normalised:
        raise TextRefusedError(
            gettext_noop("The text has a character (NUL) that no text file can have. Delete it.")
        )
    if like.count(b"\r\n") * 2 > like.count(b"\n"):
        normalised = normalised.replace("\n", "\r\n")
    try:
        data = normalised.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextRefusedError(
            gettext_noop("The text has half of a character (%(code)s), probably of an emoji. Delete it."),
            code=f"U+{ord(normalised[error.start]):04X}",
        ) from error
    mark = b"\xef\xbb\xbf" if like.startswith(b"\xef\xbb\xbf") else b""
    if len(mark + data) > MAX_BYTES:
        raise TextRefusedError(
            gettext_noop("The text is longer than 1 MB, too long for a newsletter. Shorten it.")
        )
    return mark + data


@contextmanager
def lock_edition(workspace: Workspace, session: Session, edition: str) -> Iterator[None]:
    """Wait until nobody else changes the files of ``edition``, and keep others waiting during the block. The
    system releases the lock of a killed process. The database's part lasts until the transaction of
    ``session`` ends, so that whoever comes next finds the history of what was written. It is always taken
    first, so that two who wait for both cannot wait for each other. For the same reason, do not commit in the
    block; and a block within a block waits for ever."""
    _lock_in_database(session, _make_key(edition))
    find_lock_folder(workspace).mkdir(mode=0o700, exist_ok=True)
    # The file stays: deleting it could take the lock from whoever opens it now.
    descriptor = os.open(find_lock_file(workspace, edition), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def find_lock_folder(workspace: Workspace) -> Path:
    return workspace.root / "run"


def find_lock_file(workspace: Workspace, edition: str) -> Path:
    return find_lock_folder(workspace) / f"edition-{_make_key(edition).hex()[:16]}.lock"


def _make_key(edition: str) -> bytes:
    return hashlib.sha256(edition.encode("utf-8", "surrogatepass")).digest()


def _lock_in_database(session: Session, key: bytes) -> None:
    # SQLite's lock comes with the transaction.
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(key[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


class FileChangedError(Exception):
    """The file is not what it was a moment ago, so it was left alone."""


class TextNotWrittenError(EditionFileError):
    """The file could not be written, and is as it was; ``why`` is the system's reason."""

    def __init__(self, name: str, why: str) -> None:
        self.why = why
        super().__init__(gettext_noop("%(name)s could not be written (%(why)s)."), name=name, why=why)


def replace_file(folder: Path, name: str, data: bytes, *, expected: bytes | None) -> None:
    """Write ``data`` to the file ``name`` of the edition in ``folder``, if it still has the bytes
    ``expected``; None if it must not exist. Its permissions stay. Raise FileChangedError if it has other
    bytes, exists although it must not, or is gone, and TextNotWrittenError if it cannot be written."""
    try:
        if leads_outside(folder, name):
            raise TextNotWrittenError(name, "a link that leads out of the edition")
        path = (folder / name).resolve()
        remove_left_behind(path)
        if expected is None:
            _create(path, data)
        else:
            _replace(path, data, expected)
        sync_folder(path.parent)
    except PermissionError as error:
        raise TextNotWrittenError(name, error.strerror or "no permission") from error
    except (OSError, RuntimeError) as error:
        raise TextNotWrittenError(name, getattr(error, "strerror", None) or str(error)) from error


def _replace(path: Path, data: bytes, expected: bytes) -> None:
    try:
        mode = path.stat().st_mode
        # Renaming asks for no permission on the file itself, which somebody has taken away on purpose.
        if not mode & _ANY_WRITE:
            raise PermissionError(0, "the file is read-only")
        with atomic_file(path, mode=stat.S_IMODE(mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # Here and not before: writing takes much longer than comparing.
            if path.read_bytes() != expected:
                raise FileChangedError
    except FileNotFoundError as error:
        raise FileChangedError from error


def _create(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    # A link, unlike a rename, never replaces a file that has appeared meanwhile.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with atomic_file(draft, mode=NEW_FILE_MODE) as file:
            file.write(data)
        os.link(draft, path)
    except FileExistsError as error:
        raise FileChangedError from error
    finally:
        draft.unlink(missing_ok=True)
