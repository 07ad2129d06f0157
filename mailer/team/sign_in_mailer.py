"""The thread of Studio that mails its links, and deletes what is past its time."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.engine import open_session
from mailer.dispatch.waiting_mails import QueueRun, QueueRunResult
from mailer.errors import ConfigurationError, MailerError
from mailer.team.attempt_limits import forget_studio_attempts
from mailer.team.member_data import delete_credentials_of_leavers
from mailer.team.sessions import delete_old_sessions
from mailer.team.sign_in_links import delete_old_links
from mailer.team.sign_in_mails import delete_old_mails, send_due_mails
from mailer.workspace import Workspace

_POLL_SECONDS = 5.0
"""How soon a mail is tried again, or one sent whose process has died. A new one wakes the thread."""

_POLLS_PER_CLEANUP = 120
_log = logging.getLogger(__name__)


class MailSender(Protocol):
    """Sends all mails of a kind that are due, such as :func:`~mailer.team.sign_in_mails.send_due_mails`."""

    def __call__(self, run: QueueRun, *, address: str) -> QueueRunResult: ...


class SignInMailer:
    """Mails the links that are asked for on the pages, in a thread of its own. ``address`` is where people
    open Studio. ``others`` send what else Studio mails to its members."""

    def __init__(
        self,
        workspace: Workspace,
        engine: Engine,
        *,
        address: str,
        clock: Callable[[], datetime],
        others: Sequence[MailSender] = (),
    ) -> None:
        self._senders: Sequence[MailSender] = (send_due_mails, *others)
        self._workspace = workspace
        self._engine = engine
        self._address = address
        self._clock = clock
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailer-studio-mails", daemon=True)
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why mail does not leave at the moment; "" if it does, or nothing was tried yet."""
        return self._problem

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Look for mails at once; called after the commit of a new one."""
        self._woken.set()

    def close(self) -> None:
        """Finish the mail that is being sent, and end the thread."""
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        polls = 0
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                if polls % _POLLS_PER_CLEANUP == 0:
                    delete_what_is_past(self._engine, self._workspace, now=self._clock())
                polls += 1
                self._send()
            except (SQLAlchemyError, MailerError, ConfigurationError) as error:
                self._report(str(error))
            except Exception:
                # A fault in one mail must not hold up the others.
                _log.exception("Sending a link to Studio failed.")
            self._woken.wait(_POLL_SECONDS)

    def _send(self) -> None:
        run = QueueRun(
            workspace=self._workspace,
            engine=self._engine,
            clock=self._clock,
            is_stopped=self._stopped.is_set,
        )
        for send in self._senders:
            result = send(run, address=self._address)
            if result.problem is not None:
                self._report(result.problem)

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            _log.warning("Links to Studio cannot be mailed at the moment: %s", problem)
        self._problem = problem


def delete_what_is_past(engine: Engine, workspace: Workspace, *, now: datetime) -> None:
    """Delete what has no effect any more: links, mails, sessions, counters, and all ways in of leavers."""
    lifetime = timedelta(days=workspace.settings.studio.session_days)
    with open_session(engine) as session:
        delete_old_links(session, now=now)
        delete_old_mails(session, now=now)
        delete_credentials_of_leavers(session)
        delete_old_sessions(session, unused_since=now - lifetime)
        forget_studio_attempts(session.connection(), now=now)
        session.commit()
