"""Summaries of editions, their problems and their compiled mails, kept while their files stay as they are."""

import logging
import threading
from datetime import datetime
from typing import NamedTuple

from editions.cache import BoundedCache
from editions.overview import EditionSummary, digest_stamps, list_editions, summarise_edition
from editions.source.folder import scan_folder
from mailer.doctor import diagnose_workspace
from mailer.doctor.diagnosis import keep_diagnosis
from mailer.web.dependencies import UtcClock
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace

_MAX_SUMMARIES = 1000
_MAX_COUNTS = 1000
_log = logging.getLogger(__name__)


class EditionSummaries:
    """Summaries of a workspace's editions. Thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._summaries: BoundedCache[EditionSummary] = BoundedCache(_MAX_SUMMARIES)

    def list_slugs(self) -> list[str]:
        """The names of all editions, the newest first."""
        return list_editions(self._workspace.editions)

    def read(self, slug: str) -> EditionSummary:
        """The summary of the edition ``slug``. Never raises for what is in its folder."""
        folder = self._workspace.editions / slug
        contents = scan_folder(folder)
        key = (slug, digest_stamps(contents))
        return self._summaries.get_or_create(
            key, lambda: summarise_edition(folder, contents, self._workspace.settings.sectors)
        )


class ProblemCount(NamedTuple):
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
        """Count the problems of the edition ``slug``, as ``mailer check`` finds them. Raise
        ConfigurationError if there is no such edition.
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
