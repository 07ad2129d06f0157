"""How many problems editions have, counted again only when a file of theirs has changed."""

import threading
from dataclasses import dataclass

from editions.cache import BoundedCache
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace

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
