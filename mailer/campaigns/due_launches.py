"""Start the launches whose time has come, each once, and only as they were confirmed.

Whatever was shown to the person who typed the number is looked at again in the transaction that launches: the
approval, the content, the segment, trial mode, and how many readers there are. The row of the pending launch
changes in the same transaction, so of many workers one starts it, and a worker that is killed in between has
started nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, exists, or_, select, update
from sqlmodel import Session, col

from editions.errors import EditionError
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch import launch_plan
from mailer.campaigns.launch_faults import LaunchRefusedError, explain_gone, find_unfinished_campaign
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.named_plan import plan_named_campaign
from mailer.campaigns.pending_launches import (
    PendingLaunch,
    expire_launches,
    read_pending_launch,
)
from mailer.campaigns.plan import Plan
from mailer.campaigns.schedule import schedule_plan
from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.launch_models import CampaignPreparation, PendingLaunchRecord, PendingLaunchState
from mailer.database.models import Campaign
from mailer.database.team_models import TeamMember
from mailer.errors import ConfigurationError, MailerError, TemplateError
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError

_CHANGED = gettext_noop(
    "The edition, its translations or the theme have changed since the number was typed, so "
    "it was not sent. Look at what has changed, then launch it again."
)

_PREPARED_OTHERWISE = gettext_noop(
    "What the team has decided about this campaign was changed since the number was typed, "
    "so it was not sent. Look at it, then launch it again."
)


@dataclass(frozen=True, kw_only=True)
class StartedLaunch:
    """The campaign that a launch started or scheduled, or why it did not."""

    campaign_id: int
    reason: str = ""

    @property
    def has_started(self) -> bool:
        return not self.reason


class _OtherCountError(MailerError):
    """There are now other readers than when the number was typed."""

    def __init__(self, typed: int, found: int) -> None:
        self.found = found
        super().__init__(
            Phrase(
                "%(typed)s readers would have got it when the number was typed, and %(found)s when it "
                "was to start, so it was not sent. Type the new number to launch it.",
                typed=f"{typed:,}",
                found=f"{found:,}",
            )
        )


def has_due_launches(engine: Engine, *, clock: Clock = read_clock) -> bool:
    """Return whether there is a launch to start, or one to give up. Reads without a lock."""
    row = PendingLaunchRecord
    with engine.connect().execution_options(read_only=True) as connection:
        now = clock(connection)
        waits = col(row.state) == PendingLaunchState.waiting
        unconfirmed = col(row.state) == PendingLaunchState.unconfirmed
        due = or_(
            waits & (col(row.due_at) <= now),
            (waits | unconfirmed) & (col(row.expires_at) <= now),
        )
        return bool(connection.scalar(select(exists().where(due))))


def start_due_launches(
    engine: Engine, workspace: Workspace, *, clock: Clock = read_clock
) -> list[StartedLaunch]:
    """Start the launches whose time has come, the oldest first, and give up those that are past it. Each is
    planned and checked, which takes seconds for a large list."""
    with engine.begin() as connection:
        now = clock(connection)
        expire_launches(connection, now)
        due = select(col(PendingLaunchRecord.id)).where(
            col(PendingLaunchRecord.state) == PendingLaunchState.waiting,
            col(PendingLaunchRecord.due_at) <= now,
        )
        numbers = [
            number for number in connection.scalars(due.order_by(col(PendingLaunchRecord.id))) if number
        ]
    done = (_start_launch(engine, workspace, number, clock) for number in numbers)
    return [one for one in done if one is not None]


def _start_launch(engine: Engine, workspace: Workspace, number: int, clock: Clock) -> StartedLaunch | None:
    with open_session(engine, read_only=True) as session:
        pending = read_pending_launch(session, number)
        now = clock(session.connection())
    if pending is None:
        return None
    found: int | None = None
    try:
        plan = plan_pending_launch(workspace, engine, pending, now=now)
        campaign_id = _launch(engine, workspace, pending, plan, clock)
    except _OtherCountError as error:
        reason, found = str(error), error.found
    except (MailerError, ConfigurationError, EditionError, SubscriberError, TemplateError) as error:
        reason = str(error)
    else:
        return None if campaign_id is None else StartedLaunch(campaign_id=campaign_id)
    if not _refuse(engine, number, reason, found, clock):
        return None
    return StartedLaunch(campaign_id=pending.campaign_id, reason=reason)


def plan_pending_launch(
    workspace: Workspace, engine: Engine, pending: PendingLaunch, *, now: datetime
) -> Plan:
    """Plan what a pending launch would send as things are now. Raises as :func:`plan_named_campaign` does,
    and SubscriberError if its segment is not valid any more."""
    request = pending.request
    with open_session(engine, read_only=True) as session:
        segment = read_segment(request.segment, workspace.settings, session.connection())
    return plan_named_campaign(
        workspace,
        engine,
        request.edition,
        segment,
        again=request.again,
        count_clicks=request.counts_clicks,
        now=now,
    )


def _launch(
    engine: Engine, workspace: Workspace, pending: PendingLaunch, plan: Plan, clock: Clock
) -> int | None:
    """Launch or schedule it in one transaction; None if it does not wait any more."""
    with launch_lock(engine, workspace, plan) as connection:
        now = clock(connection)
        if not _take(connection, pending.number, now):
            return None
        if plan.digest != pending.request.digest:
            raise LaunchRefusedError(_CHANGED)
        if _is_prepared_otherwise(connection, pending):
            raise LaunchRefusedError(_PREPARED_OTHERWISE)
        options = _name_people(connection, pending)
        if pending.request.scheduled_at is None:
            campaign_id = _launch_now(connection, workspace, pending, plan, options, now)
        else:
            campaign_id = _schedule(connection, workspace, pending, plan, options, now)
        own = col(PendingLaunchRecord.id) == pending.number
        connection.execute(update(PendingLaunchRecord).where(own).values(launched_id=campaign_id))
        return campaign_id


def _take(connection: Connection, number: int, now: datetime) -> bool:
    """Mark a launch as started, if it is due and nobody has undone it or started it."""
    row = PendingLaunchRecord
    due = (
        col(row.id) == number,
        col(row.state) == PendingLaunchState.waiting,
        col(row.due_at) <= now,
        col(row.expires_at) > now,
    )
    started = {"state": PendingLaunchState.started, "ended_at": now}
    return connection.execute(update(row).where(*due).values(started)).rowcount == 1


def _is_prepared_otherwise(connection: Connection, pending: PendingLaunch) -> bool:
    wanted = pending.request.preparation_version
    own = col(CampaignPreparation.campaign_id) == pending.request.campaign_id
    version = connection.scalar(select(col(CampaignPreparation.version)).where(own))
    return wanted is not None and version != wanted


def _name_people(connection: Connection, pending: PendingLaunch) -> LaunchOptions:
    numbers = [pending.asked_by, *([pending.confirmed_by] if pending.confirmed_by else [])]
    columns = (col(TeamMember.id), col(TeamMember.name), col(TeamMember.removed_at))
    rows = {
        row.id: row for row in connection.execute(select(*columns).where(col(TeamMember.id).in_(numbers)))
    }
    for number in numbers:
        if number not in rows or rows[number].removed_at is not None:
            raise LaunchRefusedError(gettext_noop("Who launched it does not belong to the team any more."))
    names = [rows[number].name for number in numbers]
    return replace(pending.request.options, by=names[0], confirmed_by=names[1] if len(names) > 1 else "")


def _launch_now(
    connection: Connection,
    workspace: Workspace,
    pending: PendingLaunch,
    plan: Plan,
    options: LaunchOptions,
    now: datetime,
) -> int:
    running = find_unfinished_campaign(connection, plan)
    if running is not None:
        raise LaunchRefusedError(
            Phrase("Campaign %(id)s already sends this edition to this segment.", id=running.id)
        )
    campaign_id = launch_plan(connection, workspace, plan, now=now, options=options)
    audience = connection.execute(
        select(col(Campaign.audience)).where(col(Campaign.id) == campaign_id)
    ).scalar_one()
    _compare_count(pending, audience)
    return campaign_id


def _schedule(
    connection: Connection,
    workspace: Workspace,
    pending: PendingLaunch,
    plan: Plan,
    options: LaunchOptions,
    now: datetime,
) -> int:
    at = pending.request.scheduled_at
    assert at is not None  # noqa: S101 - the caller has looked
    _compare_count(pending, plan.audience)
    result = schedule_plan(connection, workspace, plan, at=at, options=options, now=now)
    if result.continued:
        raise LaunchRefusedError(explain_gone(result.campaign_id))
    return result.campaign_id


def _compare_count(pending: PendingLaunch, audience: int) -> None:
    if audience != pending.request.count:
        raise _OtherCountError(pending.request.count, audience)


def _refuse(engine: Engine, number: int, reason: str, found: int | None, clock: Clock) -> bool:
    """Write down why a launch did not start; return whether it still waited."""
    with Session(engine) as session:
        connection = session.connection()
        waits = (
            col(PendingLaunchRecord.id) == number,
            col(PendingLaunchRecord.state) == PendingLaunchState.waiting,
        )
        refused = {
            "state": PendingLaunchState.refused,
            "reason": reason,
            "found_count": found,
            "ended_at": clock(connection),
        }
        changed = connection.execute(update(PendingLaunchRecord).where(*waits).values(refused)).rowcount == 1
        session.commit()
    return changed
