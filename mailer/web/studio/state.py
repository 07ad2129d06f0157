"""What all pages of Studio share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Request
from sqlmodel import Session

from editions.cache import BoundedCache
from mailer.approval_mails import APPROVAL_MAILS
from mailer.campaigns.outbox import OutboxReader
from mailer.campaigns.progress import ProgressReaders
from mailer.campaigns.readiness_checker import ReadinessChecker
from mailer.comments.mentions import COMMENT_MAILS
from mailer.counts.background_counts import BackgroundCounts
from mailer.database.engine import open_session
from mailer.doctor.examination import Examination
from mailer.halt_mails import HALT_MAILS
from mailer.list_imports.runner import ImportRunner
from mailer.live_workspace import LiveWorkspace
from mailer.team.openid_provider import open_provider
from mailer.team.passwords import PasswordChecker
from mailer.team.sign_in_mails import SignInMailer
from mailer.web.dependencies import UtcClock
from mailer.web.mail_preview.compiler import CompilerCache
from mailer.web.mail_preview.edition_summaries import EditionSummaries, ProblemCounts
from mailer.web.mail_preview.shown_mail import CohortCache
from mailer.web.page_renderer import PageRenderer
from mailer.workspace import Workspace

_MAX_ANSWERS = 500
_MAX_FRAGMENTS = 100
T = TypeVar("T")
PATH = "/studio"
"""Where Studio is mounted."""
_SECURE_COOKIE = "__Host-studio"
_LOCAL_COOKIE = "studio"


class FormAnswers:
    """The latest answers, by the random number of the form that was sent. Thread-safe.

    For acts that leave no row by which a second click could be told, such as a mail. They are forgotten when
    Studio ends.
    """

    def __init__(self) -> None:
        self._answers: BoundedCache[Any] = BoundedCache(_MAX_ANSWERS)
        self._locks: BoundedCache[threading.Lock] = BoundedCache(_MAX_ANSWERS)
        self._lock = threading.Lock()

    def answer_once(self, form: str, act: Callable[[], T]) -> T:
        """Return the result of ``act``, or what it was when the same ``form`` was sent before. Whoever comes
        while it runs waits for it. What it raises is not kept, so that the form can be sent again."""
        if not form:
            return act()
        with self._lock:
            lock = self._locks.get_or_create(form, threading.Lock)
        with lock:
            found: T | None = self._answers.get(form)
            if found is not None:
                return found
            made = act()
            self._answers.put(form, made)
            return made


def leads_here_alone(address: str) -> bool:
    """Return whether a browser on another machine would look for ``address`` on its own."""
    return urlsplit(address).hostname in {"localhost", "127.0.0.1", "::1"}


class StudioState:
    """The shared state of Studio.

    ``address`` is what people open, without a slash at the end: https://news.example.org/studio. Paths in
    pages begin with ``renderer.prefix``. ``live`` has the settings as they are on disk, and ``fragments``
    what was last made of ``progress``.
    """

    def __init__(
        self,
        live: LiveWorkspace,
        workspace: Workspace,
        renderer: PageRenderer,
        address: str,
        clock: UtcClock,
    ) -> None:
        engine = workspace.open_database()
        self.workspace = workspace
        self.live = live
        self.renderer = renderer
        self.engine = engine
        self.clock = clock
        self.address = address
        self.previews = CompilerCache(workspace, clock=clock)
        others = (COMMENT_MAILS, APPROVAL_MAILS, HALT_MAILS)
        self.sign_in_mailer = SignInMailer(workspace, engine, address=address, clock=clock, others=others)
        self.summaries = EditionSummaries(workspace)
        self.problem_counts = ProblemCounts(workspace)
        self.audience = CohortCache(engine, clock)
        self.counts = BackgroundCounts(engine, workspace.settings, clock)
        self.examination = Examination(workspace, clock)
        self.progress = ProgressReaders(engine)
        self.readiness = ReadinessChecker(workspace, engine, clock)
        self.outbox = OutboxReader(workspace.outbox)
        self.fragments: BoundedCache[str] = BoundedCache(_MAX_FRAGMENTS)
        self.imports = ImportRunner(workspace, engine, clock=clock)
        self.passwords = PasswordChecker()
        self.openid_provider = open_provider(workspace)
        self.form_answers = FormAnswers()

    @property
    def is_https(self) -> bool:
        """Whether browsers reach it by https, so that its cookie never goes over an open line."""
        return self.address.startswith("https://")

    @property
    def is_here_alone(self) -> bool:
        """Whether its address leads to it on this machine alone, so that a mailed link does, too."""
        return leads_here_alone(self.address)

    @property
    def cookie_name(self) -> str:
        """The name of the session's cookie. The prefix __Host- keeps other hosts of the domain from setting
        it (RFC 6265bis §4.1.3.2), and needs https."""
        return _SECURE_COOKIE if self.is_https else _LOCAL_COOKIE

    @property
    def session_lifetime(self) -> timedelta:
        return timedelta(days=self.workspace.settings.studio.session_days)

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """A read-only session, which never makes a campaign wait."""
        with open_session(self.engine, read_only=True) as session:
            yield session

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """A session that commits when the block ends normally and rolls back otherwise."""
        with open_session(self.engine) as session:
            yield session
            session.commit()


def get_state(request: Request) -> StudioState:
    state = request.app.state.studio
    assert isinstance(state, StudioState)  # noqa: S101 - set at start by the lifespan
    return state
