"""The compilers of the editions that the team looks at."""

import threading
from collections import OrderedDict

from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace

_MAX_EDITIONS = 6
"""Editions whose mail is kept, each with its pictures: a team writes one or two at a time."""


class CompilerCache:
    """One compiler for each edition that was lately looked at. Thread-safe."""

    def __init__(self, workspace: Workspace, *, max_editions: int = _MAX_EDITIONS) -> None:
        self._workspace = workspace
        self._max_editions = max_editions
        self._compilers: OrderedDict[str, PreviewCompiler] = OrderedDict()
        self._lock = threading.Lock()

    def compiler(self, slug: str) -> PreviewCompiler:
        """The compiler of the edition ``slug``.

        Raises:
            ConfigurationError: there is no such edition.
        """
        self._workspace.edition_folder(slug)
        with self._lock:
            found = self._compilers.pop(slug, None) or PreviewCompiler(self._workspace, slug)
            self._compilers[slug] = found
            while len(self._compilers) > self._max_editions:
                self._compilers.popitem(last=False)
            return found
