"""The compilers of the editions that the team looks at."""

import threading
from collections import OrderedDict

from mailer.campaigns.correction_record import SEPARATOR
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.web.mail_preview.correction_compiler import CorrectionCompiler
from mailer.workspace import Workspace

_MAX_EDITIONS = 6
"""Editions whose mail is kept, each with its pictures: a team writes one or two at a time."""


class CompilerCache:
    """One compiler for each edition that was lately looked at. Thread-safe."""

    def __init__(
        self, workspace: Workspace, *, max_editions: int = _MAX_EDITIONS, clock: UtcClock = utc_now
    ) -> None:
        self._workspace = workspace
        self._max_editions = max_editions
        self._clock = clock
        self._compilers: OrderedDict[str, PreviewCompiler] = OrderedDict()
        self._lock = threading.Lock()

    def compiler(self, slug: str) -> PreviewCompiler:
        """The compiler of the edition ``slug``, or of the correction of that name.

        Raises:
            ConfigurationError: there is no such edition.
        """
        is_correction = SEPARATOR in slug
        if not is_correction:
            self._workspace.edition_folder(slug)
        with self._lock:
            found = self._compilers.pop(slug, None)
            if found is None and is_correction:
                found = CorrectionCompiler(self._workspace, slug, self._clock)
            found = found or PreviewCompiler(self._workspace, slug)
            self._compilers[slug] = found
            while len(self._compilers) > self._max_editions:
                self._compilers.popitem(last=False)
            return found
