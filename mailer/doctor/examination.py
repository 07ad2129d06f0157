"""Looking at a workspace in a thread of its own, while others go on."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from mailer.doctor import diagnose_workspace
from mailer.doctor.diagnosis import keep_diagnosis
from mailer.workspace import Workspace

_log = logging.getLogger(__name__)


class Examination:
    """Has the doctor look, and keeps what was found. Thread-safe.

    The thread ends with the program: nothing is lost but the result, and the one before stays.
    """

    def __init__(self, workspace: Workspace, clock: Callable[[], datetime]) -> None:
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
