"""The readiness of prepared campaigns, checked before a page asks for it."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from editions.cache import BoundedCache
from editions.errors import EditionError
from mailer.campaigns.launch_faults import LaunchFault, LaunchFaultKind
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.readiness import Readiness, check_readiness
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError

_FRESH_FOR = timedelta(seconds=5)
"""How long a result is shown without looking again. The launch itself looks in any case."""
_MAX_KNOWN = 8
"""Each has the whole content that would be sent."""
_MAX_WAITING = 50
_log = logging.getLogger(__name__)
_Key = tuple[Preparation, str]


def check_preparation(
    workspace: Workspace, engine: Engine, preparation: Preparation, *, launched_by: str, now: datetime
) -> Readiness:
    """Plan a prepared campaign and find all that stands in its way. Nothing is stored. It takes seconds for a
    large list. ``launched_by`` is the name of the person who wants to launch it."""
    try:
        plan = plan_prepared_campaign(workspace, engine, preparation, now=now)
    except (NoSegmentError, SubscriberError) as error:
        return _explain_unplanned(LaunchFaultKind.segment, error, now)
    except (ConfigurationError, EditionError, TemplateError) as error:
        return _explain_unplanned(LaunchFaultKind.content, error, now)
    with engine.connect().execution_options(read_only=True) as connection:
        return check_readiness(connection, workspace, plan, launched_by=launched_by, now=now)


def _explain_unplanned(kind: LaunchFaultKind, error: Exception, now: datetime) -> Readiness:
    fault = LaunchFault(kind=kind, words=str(error), refusal=str(error))
    return Readiness(checked_at=now, faults=(fault,))


class ReadinessChecker:
    """Checks one campaign at a time in a thread of its own, those asked for last first. Thread-safe."""

    def __init__(self, workspace: Workspace, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._workspace = workspace
        self._engine = engine
        self._clock = clock
        self._known: BoundedCache[Readiness] = BoundedCache(_MAX_KNOWN)
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
    ) -> Readiness | None:
        """Return what is known of a campaign as it is prepared now, waiting ``patience`` seconds for it; None
        if it is not known yet, and being checked."""
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

    def _find_fresh(self, key: _Key) -> Readiness | None:
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
                found = check_preparation(
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
