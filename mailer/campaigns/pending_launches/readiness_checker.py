"""Checks in the background whether campaigns can be launched, so that no page waits for a large list."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from editions.cache import BoundedCache
from mailer.campaigns.pending_launches.readiness import LaunchReadiness, check_readiness
from mailer.campaigns.preparation.preparation import Preparation
from mailer.errors import ConfigurationError, MailerError
from mailer.workspace import Workspace

_FRESH_FOR = timedelta(seconds=5)
"""How long a result is shown without looking again. The launch itself looks in any case."""

_MAX_KNOWN = 50
_MAX_WAITING = 50
_log = logging.getLogger(__name__)

_Key = tuple[Preparation, str]


class ReadinessChecker:
    """Checks one campaign at a time in a thread of its own, those asked for last first. Thread-safe."""

    def __init__(self, workspace: Workspace, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._workspace = workspace
        self._engine = engine
        self._clock = clock
        self._known: BoundedCache[LaunchReadiness] = BoundedCache(_MAX_KNOWN)
        self._waiting: OrderedDict[_Key, None] = OrderedDict()
        self._changed = threading.Condition()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="mailer-readiness", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread once it has finished the check that it is at."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def check(
        self, preparation: Preparation, launched_by: str, *, patience: float = 0.08
    ) -> LaunchReadiness | None:
        """What is known of a campaign as it is prepared now, waiting ``patience`` seconds for it; None if it
        is not known yet, and being checked."""
        key = (preparation, launched_by)
        if (found := self._find_fresh(key)) is not None:
            return found
        with self._changed:
            self._waiting[key] = None
            self._waiting.move_to_end(key)
            while len(self._waiting) > _MAX_WAITING:
                self._waiting.popitem(last=False)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_stopped or self._find_fresh(key) is not None, patience)
        return self._find_fresh(key)

    def _find_fresh(self, key: _Key) -> LaunchReadiness | None:
        found = self._known.get(key)
        is_fresh = found is not None and abs(self._clock() - found.checked_at) < _FRESH_FOR
        return found if is_fresh else None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopped or bool(self._waiting))
                if self._is_stopped:
                    return
                (preparation, launched_by), _ = self._waiting.popitem()
            try:
                found = check_readiness(
                    self._workspace, self._engine, preparation, launched_by=launched_by, now=self._clock()
                )
            except (MailerError, ConfigurationError, SQLAlchemyError) as error:
                _log.warning("Campaign %s cannot be checked: %s", preparation.campaign_id, error)
            except Exception:
                # A fault in one edition must not keep the others from being launched.
                _log.exception("Checking campaign %s failed.", preparation.campaign_id)
            else:
                self._known.put((preparation, launched_by), found)
            with self._changed:
                self._changed.notify_all()
