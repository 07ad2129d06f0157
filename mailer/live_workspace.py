"""A workspace whose settings are read again when ``mailer.toml`` changes, for programs that keep running."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from mailer.errors import ConfigurationError
from mailer.settings import SETTINGS_FILE, load_settings
from mailer.workspace import Workspace

_Stamp = tuple[int, int, int]

_LOOK_SECONDS = 1.0


class LiveWorkspace:
    """The workspace with its settings as they are on disk now. Thread-safe. What the operator should know
    goes to ``say``, once for each state of the file."""

    def __init__(
        self,
        opened: Workspace,
        *,
        say: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self.current = opened
        """The workspace with the last settings that could be used."""
        self._say = say
        self._environ = opened.environ if environ is None else environ
        # None: the file may have changed since it was opened, so the first call reads it again.
        self._stamp: _Stamp | None = None
        self.fault = ""
        """Why the file cannot be used as it is on disk, as far as it was looked at; empty if it can."""

    def refresh(self) -> Workspace | None:
        """Return the workspace with its settings as they are on disk now; None if they cannot be used: the
        file contains an error, or names another database than the one this process has open. Until that is
        corrected, campaigns must be left to others."""
        with self._lock:
            stamp = self._read_stamp()
            if stamp is None or stamp != self._stamp:
                self._read_again()
                self._stamp = stamp
            return None if self.fault else self.current

    def _read_again(self) -> None:
        former, had_fault = self.current.settings, bool(self.fault)
        try:
            settings = load_settings(self.current.root, self._environ)
        except (ConfigurationError, OSError) as error:
            self._report(
                f"{SETTINGS_FILE} has changed and cannot be used, so no campaign is taken up until it is "
                f"corrected. The pages keep their settings. {error}"
            )
            return
        if settings.database != former.database:
            self._report(
                f"{SETTINGS_FILE} names another database now, so no campaign is taken up. "
                "Restart this program."
            )
            return
        self.fault = ""
        if settings == former:
            if had_fault:
                self._say(f"{SETTINGS_FILE} can be used again.")
            return
        self.current = replace(self.current, settings=settings)
        words = f"{SETTINGS_FILE} has changed: the new settings are in use."
        if settings.web.metrics != former.web.metrics:
            words += " Restart this program to move the metrics."
        self._say(words)

    def _report(self, fault: str) -> None:
        if fault != self.fault:
            self._say(fault)
        self.fault = fault

    def _read_stamp(self) -> _Stamp | None:
        try:
            status = (self.current.root / SETTINGS_FILE).stat()
        except OSError:
            return None
        return (status.st_ino, status.st_mtime_ns, status.st_size)


class ChangeStop(threading.Event):
    """Stops work on ``workspace``: set when ``stop`` is, or when these are no longer the current settings."""

    def __init__(self, stop: threading.Event, live: LiveWorkspace, workspace: Workspace) -> None:
        super().__init__()
        self._stop = stop
        self._live = live
        self._workspace = workspace

    def is_set(self) -> bool:
        return self._stop.is_set() or self._live.refresh() is not self._workspace

    def wait(self, timeout: float | None = None) -> bool:
        # The settings are looked at every second meanwhile: a source that looks once in half a minute would
        # hold up all the others, which begin again together.
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not self.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._stop.wait(min(left, _LOOK_SECONDS))
        return True
