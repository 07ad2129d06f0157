"""Summaries of editions, their problems and their compiled mails, kept while their files stay as they are."""

import hashlib
import logging
import re
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from editions.cache import BoundedCache
from editions.markdown.renderer import LETTER_HEADING_LEVEL
from editions.source.document import AnyDocument, read_document
from editions.source.folder import EDITION_FILE, FolderContents, StoryFiles, scan_folder
from editions.source.schema import EditionHeader, StoryHeader
from mailer.doctor import diagnose_workspace
from mailer.doctor.diagnosis import keep_diagnosis
from mailer.web.dependencies import UtcClock
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace

_MAX_SUMMARIES = 1000
_PARTS = re.compile(r"(\d+)|(\D+)")


@dataclass(frozen=True, kw_only=True)
class EditionSummary:
    """What a list shows of the edition ``slug``: texts as written, empty where they are missing.

    ``language`` is its own; ``complete`` and ``incomplete`` are the other languages it has files in.
    ``cover`` is the file of a picture in ``images/``, of the lead story if that has one. ``changed_at`` is
    when one of its files was last changed. ``fault`` says why it cannot be read.
    """

    slug: str
    title: str = ""
    number: str = ""
    period: str = ""
    language: str = ""
    complete: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    stories: int = 0
    cover: str = ""
    changed_at: datetime | None = None
    fault: str = ""


class EditionSummaries:
    """Summaries of a workspace's editions. Thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._summaries: BoundedCache[EditionSummary] = BoundedCache(_MAX_SUMMARIES)

    def list_slugs(self) -> list[str]:
        """The names of all editions, the newest first: 2026-10 comes before 2026-9."""
        try:
            found = [path.name for path in self._workspace.editions.iterdir() if path.is_dir()]
        except FileNotFoundError:
            return []
        return sorted((name for name in found if not name.startswith(".")), key=_natural_key, reverse=True)

    def read(self, slug: str) -> EditionSummary:
        """The summary of the edition ``slug``. Never raises for what is in its folder."""
        folder = self._workspace.editions / slug
        contents = scan_folder(folder)
        key = (slug, _digest_stamps(contents))
        return self._summaries.get_or_create(
            key, lambda: summarise_edition(folder, contents, self._workspace.settings.sectors)
        )


def summarise_edition(folder: Path, contents: FolderContents, sectors: Collection[str]) -> EditionSummary:
    """Summarise the edition in ``folder``, whose files are ``contents``."""
    if not contents.has_edition:
        fault = contents.problems[0].message if contents.problems else ""
        return EditionSummary(slug=folder.name, stories=len(contents.stories), fault=fault)
    document, problems = read_document(
        folder,
        EDITION_FILE,
        EditionHeader,
        sectors=sectors,
        heading=LETTER_HEADING_LEVEL,
        stamp=contents.stamps.get(EDITION_FILE),
    )
    if document is None:
        return EditionSummary(
            slug=folder.name, stories=len(contents.stories), fault=problems[0].message if problems else ""
        )
    front = document.front_matter
    complete, incomplete = _sort_languages(contents)
    return EditionSummary(
        slug=folder.name,
        title=front.text("title"),
        number=front.text("number"),
        period=front.text("period"),
        language=document.language,
        complete=complete,
        incomplete=incomplete,
        stories=len(contents.stories),
        cover=_find_cover(folder, contents, document.language, sectors),
        changed_at=_find_change(contents),
    )


def read_story(
    folder: Path, story: StoryFiles, contents: FolderContents, *, language: str, sectors: Collection[str]
) -> AnyDocument | None:
    """The original of a story; None if it cannot be read as text."""
    document, _ = read_document(
        folder,
        story.original,
        StoryHeader,
        sectors=sectors,
        language=language,
        stamp=contents.stamps.get(story.original),
    )
    return document


def _sort_languages(contents: FolderContents) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The languages of translations in which every file is there, and the others."""
    used = {*contents.translations, *(tag for story in contents.stories for tag in story.translations)}
    complete = {
        tag for tag in contents.translations if all(tag in story.translations for story in contents.stories)
    }
    return tuple(sorted(complete)), tuple(sorted(used - complete))


def _find_cover(folder: Path, contents: FolderContents, language: str, sectors: Collection[str]) -> str:
    """The picture of the first story that has one, as far as the first few stories have."""
    for story in contents.stories[:3]:
        document = read_story(folder, story, contents, language=language, sectors=sectors)
        if document is not None and (file := document.front_matter.text("image", "file")) in contents.images:
            return file
    return ""


def _find_change(contents: FolderContents) -> datetime | None:
    newest = max((stamp.modified for stamp in contents.stamps.values()), default=0)
    return datetime.fromtimestamp(newest / 1e9, UTC) if newest else None


def _digest_stamps(contents: FolderContents) -> str:
    """A digest of the files and their stamps; links have none, so their names count."""
    digest = hashlib.sha256()
    for name, stamp in sorted(contents.stamps.items()):
        digest.update(
            f"{name}\0{stamp.inode}\0{stamp.size}\0{stamp.modified}\0{stamp.changed}\n".encode(
                "utf-8", "surrogateescape"
            )
        )
    for problem in contents.problems:
        digest.update(str(problem).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    parts: list[tuple[int, int, str]] = []
    for digits, letters in _PARTS.findall(name.casefold()):
        parts.append((1, int(digits), "") if digits else (0, 0, letters))
    return (*parts, (-1, 0, name))


_MAX_COUNTS = 1000


@dataclass(frozen=True, kw_only=True)
class ProblemCount:
    """The problems of an edition, of its files and of its mail."""

    errors: int
    warnings: int


class ProblemCounts:
    """Counts of the problems of a workspace's editions, which take a second or more where they are not known
    yet. Thread-safe; counts one edition at a time, so that the pages of others stay quick."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._counts: BoundedCache[ProblemCount] = BoundedCache(_MAX_COUNTS)
        self._lock = threading.Lock()

    def find_known(self, slug: str) -> ProblemCount | None:
        """The count of the edition ``slug``; None if it is not known, or no longer."""
        return self._counts.get((slug, PreviewCompiler(self._workspace, slug).read_version()))

    def count(self, slug: str) -> ProblemCount:
        """Count the problems of the edition ``slug``, as ``mailer check`` finds them.

        Raises:
            ConfigurationError: there is no such edition.
        """
        self._workspace.edition_folder(slug)
        compiler = PreviewCompiler(self._workspace, slug)
        found = self._counts.get((slug, compiler.read_version()))
        if found is not None:
            return found
        with self._lock:
            # Several pages may have waited for the same count.
            return self._counts.get_or_create((slug, compiler.read_version()), lambda: _count(compiler))


def _count(compiler: PreviewCompiler) -> ProblemCount:
    compiled = compiler.compile()
    return ProblemCount(errors=compiled.errors, warnings=len(compiled.problems) - compiled.errors)


_log = logging.getLogger(__name__)


class Examination:
    """Has the doctor look, and keeps what was found. Thread-safe.

    The thread ends with the program: nothing is lost but the result, and the one before stays.
    """

    def __init__(self, workspace: Workspace, clock: UtcClock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at: datetime | None = None
        self._fault = ""

    @property
    def began_at(self) -> datetime | None:
        """When the look that is under way began (aware); None if none is."""
        with self._lock:
            return self._began_at

    @property
    def fault(self) -> str:
        """Why the last look has no result; "" if it has."""
        with self._lock:
            return self._fault

    def begin(self) -> bool:
        """Begin a look, unless one is under way; return whether this one began."""
        with self._lock:
            if self._began_at is not None:
                return False
            self._began_at, self._fault = self._clock(), ""
        threading.Thread(target=self._look, name="doctor", daemon=True).start()
        return True

    def _look(self) -> None:
        fault = ""
        try:
            keep_diagnosis(self._workspace, diagnose_workspace(self._workspace), now=self._clock())
        except Exception as error:
            # Whatever it was, the page must not wait for ever.
            _log.exception("The doctor could not look.")
            fault = f"{type(error).__name__}: {error}"
        with self._lock:
            self._began_at, self._fault = None, fault
