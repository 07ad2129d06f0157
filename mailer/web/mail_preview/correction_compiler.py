"""Compiling a correction for its campaign's pages, as an edition is compiled."""

import os
from collections.abc import Iterator

from editions.problem import Level, Problem
from mailer.campaigns.correction_record import SEPARATOR
from mailer.campaigns.named_plan import plan_written_correction
from mailer.errors import ConfigurationError, MailerError
from mailer.web.dependencies import UtcClock
from mailer.web.mail_preview.compiler import CompiledPreview, PreviewCompiler, list_files
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError
from templates import ROOT


class CorrectionCompiler(PreviewCompiler):
    """Compiles the correction called ``name`` from its note, again whenever that has changed. Thread-safe."""

    def __init__(self, workspace: Workspace, name: str, clock: UtcClock) -> None:
        super().__init__(workspace, name)
        self._clock = clock

    def _compile(self, version: str) -> CompiledPreview:
        try:
            with self.workspace.use_database() as engine:
                planned = plan_written_correction(self.workspace, engine, self.slug, now=self._clock())
        except (ConfigurationError, MailerError, SubscriberError) as error:
            problem = Problem(path=".", line=1, level=Level.error, code="unreadable", message=str(error))
            return CompiledPreview(version=version, edition=None, mails={}, problems=(problem,))
        return CompiledPreview(
            version=version,
            edition=None,
            mails={mail.language: mail for mail in planned.plan.compiled},
            problems=planned.plan.problems,
        )

    def _list_watched_files(self) -> Iterator[tuple[str, os.stat_result]]:
        notes = self.workspace.corrections / self.slug.partition(SEPARATOR)[0]
        for folder in (notes, self.workspace.root / "templates", ROOT / "email"):
            yield from list_files(folder)
