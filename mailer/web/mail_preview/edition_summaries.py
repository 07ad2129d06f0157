"""Summaries of editions, and how many problems each has, kept while their files stay as they are."""

import threading
from typing import NamedTuple

from editions.cache import BoundedCache
from editions.overview import EditionSummary, digest_stamps, list_editions, summarise_edition
from editions.source.folder import scan_folder
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace

_MAX_SUMMARIES = 1000
_MAX_COUNTS = 1000


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
    return ProblemCount(errors=compiled.errors, warnings=compiled.warnings)
