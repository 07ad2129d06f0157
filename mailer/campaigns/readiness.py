"""Whether a prepared campaign can be launched and what stands in its way, checked before a page asks."""

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from editions.cache import BoundedCache
from editions.errors import EditionError, Problem
from locales.phrase import Phrase, WordedEnum, gettext_noop
from mailer.campaigns.approvals.approval import Approval, find_approval, find_approval_fault
from mailer.campaigns.content_versions import find_test
from mailer.campaigns.launch_lock import LaunchRefusedError, find_unfinished_campaign
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.pending_launches import LaunchRequest
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.recipients import find_missing_identity
from mailer.campaigns.trial import find_trial_fault, read_trial
from mailer.database.models import CampaignState
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.settings import SETTINGS_FILE
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError

_RUNNING = {
    CampaignState.scheduled: gettext_noop("Campaign %(number)s is scheduled."),
    CampaignState.sending: gettext_noop("Campaign %(number)s is sending."),
    CampaignState.paused: gettext_noop("Campaign %(number)s is paused."),
}
_NAMED_CAMPAIGN = re.compile(r"\bCampaign (\d+)\b")
_FRESH_FOR = timedelta(seconds=5)
"""How long a result is shown without looking again. The launch itself looks in any case."""
_KEPT = ("title", "subject", "in_words", "audience", "digest", "counts_clicks")
"""What is kept of a plan as it is; the plan itself has the whole content."""
_MAX_KNOWN = 50
_MAX_WAITING = 50
_log = logging.getLogger(__name__)
_Key = tuple[Preparation, str]


class LaunchFaultKind(WordedEnum):
    """Kinds of obstacles to a launch."""

    segment = ("segment", gettext_noop("Nobody has chosen who gets it."))
    content = ("content", gettext_noop("The edition cannot be sent as it is."))
    sender = ("sender", gettext_noop("The settings do not say who sends it."))
    address = ("address", gettext_noop("Partners could not unsubscribe with one click."))
    audience = ("audience", gettext_noop("Nobody would get it."))
    trial = ("trial", gettext_noop("Trial mode is on, so campaigns go to test readers alone."))
    approval = ("approval", gettext_noop("It has no valid approval."))
    test = ("test", gettext_noop("It has not been tested in this form."))
    running = (
        "running",
        gettext_noop("Another campaign is already sending this edition to these partners."),
    )


@dataclass(frozen=True, kw_only=True)
class LaunchFault:
    """Something that stands in the way, in words; ``campaign_id`` is another campaign that it is about."""

    kind: LaunchFaultKind
    words: str
    campaign_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class LaunchReadiness:
    """What a launch would send at ``checked_at`` (aware), and what stands in its way. ``audience`` is how
    many would get it by the ledger's own counting. Without a plan, what would be sent is empty."""

    preparation: Preparation
    checked_at: datetime
    faults: tuple[LaunchFault, ...]
    title: str = ""
    subject: str = ""
    segment: str = ""
    in_words: str = ""
    audience: int = 0
    digest: str = ""
    counts_clicks: bool = False
    versions: int = 0
    warnings: int = 0
    approval: Approval | None = None

    @property
    def is_ready(self) -> bool:
        return bool(self.digest) and not self.faults

    def make_request(self) -> LaunchRequest:
        """Return what somebody asks for who launches exactly this."""
        preparation, decided = self.preparation, self.preparation.decisions
        return LaunchRequest(
            campaign_id=preparation.campaign_id,
            edition=preparation.edition,
            segment=self.segment,
            again=decided.again,
            counts_clicks=self.counts_clicks,
            options=decided,
            digest=self.digest,
            count=self.audience,
            scheduled_at=decided.start_at,
            preparation_version=preparation.version,
        )


def check_readiness(
    workspace: Workspace, engine: Engine, preparation: Preparation, *, launched_by: str, now: datetime
) -> LaunchReadiness:
    """Plan a prepared campaign and find all that stands in its way. Nothing is stored. It takes seconds for a
    large list. ``launched_by`` is the name of the person who wants to launch it."""
    try:
        plan = plan_prepared_campaign(workspace, engine, preparation, now=now)
    except (NoSegmentError, SubscriberError) as error:
        return _unplanned(preparation, now, LaunchFaultKind.segment, str(error))
    except (ConfigurationError, EditionError, TemplateError) as error:
        return _unplanned(preparation, now, LaunchFaultKind.content, str(error))
    with engine.connect().execution_options(read_only=True) as connection:
        approval = find_approval(connection, workspace, plan, states=[CampaignState.approved])
        faults = (
            *_find_plan_faults(workspace, plan),
            *_find_ledger_faults(connection, workspace, plan, approval, launched_by, now),
        )
    return LaunchReadiness(
        preparation=preparation,
        checked_at=now,
        faults=faults,
        segment=plan.segment.text,
        **{name: getattr(plan, name) for name in _KEPT},
        versions=len(plan.variants),
        warnings=len(plan.problems) - len(plan.errors),
        approval=approval,
    )


def _unplanned(preparation: Preparation, now: datetime, kind: LaunchFaultKind, words: str) -> LaunchReadiness:
    fault = LaunchFault(kind=kind, words=words)
    return LaunchReadiness(preparation=preparation, checked_at=now, faults=(fault,))


def _find_plan_faults(workspace: Workspace, plan: Plan) -> Iterator[LaunchFault]:
    settings = workspace.settings
    kind = LaunchFaultKind
    if not settings.web.supports_one_click:
        yield LaunchFault(
            kind=kind.address,
            words=Phrase(
                "[web] base_url is %(base_url)s, and one-click unsubscribe requires https.",
                base_url=settings.web.base_url,
            ),
        )
    if (fault := find_missing_identity(settings)) and not plan.launch_problems:
        yield LaunchFault(kind=kind.sender, words=fault)
    if plan.errors or not plan.compiled:
        yield LaunchFault(kind=kind.content, words=_join(plan.errors))
    for problem in plan.launch_problems:
        if problem.path == SETTINGS_FILE:
            yield LaunchFault(kind=kind.sender, words=problem.message)
        else:
            yield LaunchFault(kind=kind.content, words=_join((problem,)))
    if not plan.audience:
        left_out = ", ".join(f"{number:,} {reason}" for reason, number in plan.left_out.items())
        yield LaunchFault(kind=kind.audience, words=left_out)


def _find_ledger_faults(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    approval: Approval | None,
    launched_by: str,
    now: datetime,
) -> Iterator[LaunchFault]:
    settings = workspace.settings
    kind = LaunchFaultKind
    try:
        running = find_unfinished_campaign(connection, plan)
    except LaunchRefusedError as error:
        named = _NAMED_CAMPAIGN.search(str(error))
        number = int(named[1]) if named else None
        yield LaunchFault(kind=kind.running, words=str(error), campaign_id=number)
    else:
        if running is not None:
            words = Phrase(_RUNNING[running.state], number=running.id)
            yield LaunchFault(kind=kind.running, words=words, campaign_id=running.id)
    trial = find_trial_fault(
        connection, settings, plan.segment, plan.edition, today=now.date(), again=plan.again
    )
    if trial:
        is_on = read_trial(connection).is_on
        yield LaunchFault(kind=kind.trial if is_on else kind.address, words=trial)
    if fault := find_approval_fault(connection, settings, plan, approval, launched_by=launched_by):
        yield LaunchFault(kind=kind.approval, words=fault)
    if settings.campaigns.require_test and not find_test(connection, plan.edition, plan.content_digest):
        yield LaunchFault(kind=kind.test, words="[campaigns] require_test asks for a test of exactly this.")


def _join(problems: tuple[Problem, ...]) -> str:
    """Return each with its place; the code of a check says nothing to who launches."""
    return "\n".join(f"{one.path}:{one.line}: {one.message}" for one in problems)


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
