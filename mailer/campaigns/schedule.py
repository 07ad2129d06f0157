"""Schedule a campaign: freeze it now and start it later; resume a campaign after its canary.

All times follow the database's clock, so that all machines agree. A start is a conditional update: however
many workers check, and however a clock jumps, each campaign starts once, and never before it is due by that
clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.orm import Mapped
from sqlmodel import col

from locales.phrase import Phrase, WordedEnum, gettext_noop
from mailer.campaigns.approvals.approval import approve_edition_command, describe_round, list_voiding_settings
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch import LaunchResult, find_or_create_campaign, insert_deliveries
from mailer.campaigns.launch_faults import (
    LaunchRefusedError,
    explain_gone,
    find_people_fault,
    find_unfinished_campaign,
    refuse,
)
from mailer.campaigns.launch_lock import acquire_launch_lock, launch_lock
from mailer.campaigns.launch_options import DEFAULT_OPTIONS, LaunchOptions
from mailer.campaigns.plan import Plan
from mailer.campaigns.recipients import find_missing_identity
from mailer.campaigns.trial import find_example_sender, find_trial_fault
from mailer.database.engine import Clock, read_clock
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.deliveries import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.errors import MailerError
from mailer.utc import format_utc
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError

_PLAN_COLUMNS = (
    *(col(Campaign.edition), col(Campaign.segment), col(Campaign.again), col(Campaign.counts_clicks)),
    *(col(Campaign.digest), col(Campaign.approved_digest), col(Campaign.approved_settings)),
)


class StartTimeFault(WordedEnum):
    """Faults of a start time, in words that take the time of that place as ``now``."""

    unreadable = ("unreadable", gettext_noop("Write a day and a time, such as 2026-12-01T09:00."))
    skipped = (
        "skipped",
        gettext_noop(
            "On that day, the clocks are put forward over this time, so it does not exist. Choose another "
            "one."
        ),
    )
    doubled = (
        "doubled",
        gettext_noop(
            "On that day, the clocks are put back over this time, so it occurs twice. Choose another one, or "
            "give it in UTC."
        ),
    )
    past = ("past", gettext_noop("This has passed: there it is %(now)s now. Choose a later time."))


class ScheduleError(MailerError):
    """A campaign cannot start at this time."""

    def __init__(self, message: str, fault: StartTimeFault = StartTimeFault.past) -> None:
        self.fault = fault
        super().__init__(message)


def parse_start_time(text: str, zone: tzinfo | None = None) -> datetime:
    """Parse a start time (ISO 8601, to the minute or finer); without an offset it is in ``zone``, None for
    this machine's. Raise ScheduleError if it is not valid, or does not exist or occurs twice because the
    clocks change."""
    example = "Write it as 2026-12-01T09:00 or, with its offset, 2026-12-01T09:00+08:00."
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        message = f"{text} is not a date and time. {example}"
        raise ScheduleError(message, StartTimeFault.unreadable) from error
    if "T" not in text.strip().upper() and ":" not in text:
        raise ScheduleError(f"{text} has no hour. {example}", StartTimeFault.unreadable)
    return moment if moment.tzinfo is not None else _localise(moment, zone)


def _localise(naive: datetime, zone: tzinfo | None) -> datetime:
    """Make ``naive`` an aware time in ``zone``, where it must occur exactly once."""

    def place(fold: int) -> datetime:
        folded = naive.replace(fold=fold)
        # Without a zone, astimezone uses the machine's time zone and its rules on that date.
        return folded.astimezone() if zone is None else folded.replace(tzinfo=zone)

    first, second = place(0), place(1)
    if first.utcoffset() != second.utcoffset():
        there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == naive
        why = "occurs twice" if there else "does not exist"
        raise ScheduleError(
            f"{naive:%Y-%m-%dT%H:%M} {why}, because the clocks change on that day. Add an offset, such as "
            "+08:00, or choose another time.",
            StartTimeFault.doubled if there else StartTimeFault.skipped,
        )
    return first


def schedule_campaign(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    at: datetime,
    options: LaunchOptions = DEFAULT_OPTIONS,
    clock: Clock = read_clock,
) -> LaunchResult:
    """Freeze the plan's content now and start it ``at`` an aware time. Its readers are selected at the start.
    If the same content is already scheduled for the same segment, that campaign is moved to ``at``. Raise
    LaunchRefusedError as when launching, and ScheduleError if ``at`` is in the past."""
    with launch_lock(engine, workspace, plan) as connection:
        now = clock(connection)
        return schedule_plan(connection, workspace, plan, at=at, options=options, now=now)


def schedule_plan(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    at: datetime,
    options: LaunchOptions,
    now: datetime,
) -> LaunchResult:
    """Schedule a campaign as :func:`schedule_campaign` does, within a transaction of
    :func:`mailer.campaigns.launch_lock.launch_lock`."""
    if at <= now:
        raise ScheduleError(
            f"{format_utc(at, seconds=True)} is in the past: by the database's clock it is "
            f"{format_utc(now, seconds=True)}. Choose a later time, or leave out --at to send now."
        )
    values = {"scheduled_at": at.astimezone(UTC), **options.column_values(workspace.settings.campaigns)}
    refuse(find_people_fault(workspace.settings.campaigns, options.confirmed_by))
    found = find_unfinished_campaign(connection, plan)
    if found is not None:
        _reschedule(connection, found.id, {**values, "again": plan.again})
        return LaunchResult(campaign_id=found.id, continued=True)
    number = find_or_create_campaign(connection, workspace, plan, now, options=options)
    if not change_campaign_state(connection, number, CampaignState.scheduled, again=plan.again, **values):
        raise LaunchRefusedError(explain_gone(number))
    return LaunchResult(campaign_id=number, continued=False)


def _reschedule(connection: Connection, number: int, values: dict[str, object]) -> None:
    waits = (col(Campaign.id) == number, col(Campaign.state) == CampaignState.scheduled)
    if connection.execute(update(Campaign).where(*waits).values(values)).rowcount != 1:
        raise LaunchRefusedError(
            f"Campaign {number} is already sending this edition to this segment. "
            f"See `mailer campaigns show {number}`."
        )


@dataclass(frozen=True, kw_only=True)
class StartResult:
    campaign_id: int
    state: CampaignState
    reason: str = ""
    audience: int = 0


def start_due_campaigns(
    engine: Engine, workspace: Workspace, *, clock: Clock = read_clock
) -> list[StartResult]:
    """Start the scheduled campaigns that are due, and wake workers for them. One that can no longer be sent
    is paused or cancelled with the reason.

    Starting a campaign and inserting its deliveries is one transaction, so that only one of many workers
    starts it.
    """
    due = _find_due(engine, clock, CampaignState.scheduled, col(Campaign.scheduled_at))
    started = (_start_campaign(engine, workspace, number, clock) for number in due)
    return [one for one in started if one is not None]


def resume_after_canary(engine: Engine, *, clock: Clock = read_clock) -> list[int]:
    """Resume campaigns whose wait after the canary is over; return their ids."""
    due = _find_due(engine, clock, CampaignState.paused, col(Campaign.canary_until))
    return [number for number in due if _resume(engine, number, clock)]


def _find_due(
    engine: Engine, clock: Clock, state: CampaignState, moment: Mapped[datetime | None]
) -> list[int]:
    # Read without a lock; the caller checks again in its own transaction.
    with engine.connect().execution_options(read_only=True) as connection:
        due = select(col(Campaign.id)).where(col(Campaign.state) == state, moment <= clock(connection))
        return [number for number in connection.scalars(due.order_by(moment, col(Campaign.id))) if number]


def _resume(engine: Engine, campaign_id: int, clock: Clock) -> bool:
    with engine.begin() as connection:
        due = col(Campaign.canary_until) <= clock(connection)
        waits = (col(Campaign.state) == CampaignState.paused, due)
        sending = CampaignState.sending
        moved = change_campaign_state(
            connection, campaign_id, sending, *waits, canary=None, canary_until=None
        )
        if moved:
            audience = select(col(Campaign.audience)).where(col(Campaign.id) == campaign_id)
            enqueue_jobs(connection, campaign_id, connection.execute(audience).scalar_one())
    return moved


def _start_campaign(
    engine: Engine, workspace: Workspace, campaign_id: int, clock: Clock
) -> StartResult | None:
    """Start one campaign; None if another worker has started it or it is no longer due."""
    with engine.begin() as connection:
        edition = select(col(Campaign.edition)).where(col(Campaign.id) == campaign_id)
        acquire_launch_lock(connection, connection.execute(edition).scalar_one())
        now = clock(connection)
        waits = (col(Campaign.state) == CampaignState.scheduled, col(Campaign.scheduled_at) <= now)
        if not change_campaign_state(connection, campaign_id, CampaignState.sending, *waits, launched_at=now):
            return None
        return _insert_audience(connection, workspace, campaign_id, now)


def _insert_audience(
    connection: Connection, workspace: Workspace, campaign_id: int, now: datetime
) -> StartResult:
    """Insert the deliveries of a campaign that has just started sending, or stop it."""

    def stop(state: CampaignState, reason: str, audience: int = 0) -> StartResult:
        ended = now if state is CampaignState.cancelled else None
        change_campaign_state(
            connection, campaign_id, state, reason=reason, audience=audience, finished_at=ended
        )
        return StartResult(campaign_id=campaign_id, state=state, reason=reason, audience=audience)

    row = connection.execute(select(*_PLAN_COLUMNS).where(col(Campaign.id) == campaign_id)).one()
    if fault := _find_void_approval(connection, row, workspace):
        return stop(CampaignState.cancelled, fault)
    try:
        segment = read_segment(row.segment, workspace.settings, connection)
    except SubscriberError as error:
        return stop(
            CampaignState.cancelled,
            Phrase(
                "The segment was not valid when the campaign was due: %(error)s",
                error=str(error),
            ),
        )
    if fault := find_trial_fault(
        connection, workspace.settings, segment, row.edition, today=now.date(), again=row.again
    ):
        return stop(CampaignState.cancelled, fault)
    law = workspace.settings.law
    audience = insert_deliveries(
        connection, campaign_id, segment, edition=row.edition, again=row.again, now=now, law=law
    )
    if audience == 0:
        return stop(
            CampaignState.cancelled, gettext_noop("No reader would have got it when the campaign was due.")
        )
    if fault := _find_obstacle(workspace, campaign_id):
        return stop(CampaignState.paused, fault, audience)
    connection.execute(update(Campaign).where(col(Campaign.id) == campaign_id).values(audience=audience))
    enqueue_jobs(connection, campaign_id, audience)
    return StartResult(campaign_id=campaign_id, state=CampaignState.sending, audience=audience)


def _find_obstacle(workspace: Workspace, campaign_id: int) -> str:
    """Return why a campaign whose time has come must wait for a person; "" if it need not."""
    if not workspace.settings.web.supports_one_click:
        words = Phrase(
            "[web] base_url is %(base_url)s, but one-click unsubscribe requires https.",
            base_url=workspace.settings.web.base_url,
        )
        return Phrase(
            "%(words)s Fix it, then run `mailer campaigns resume %(campaign_id)s`.",
            words=words,
            campaign_id=campaign_id,
        )
    if fault := find_missing_identity(workspace.settings) or find_example_sender(workspace.settings):
        again = Phrase("Then run `mailer campaigns resume %(campaign_id)s`.", campaign_id=campaign_id)
        return f"{fault} {again}"
    return ""


def _find_void_approval(
    connection: Connection, row: Row[str, str, bool, bool, str, str, str], workspace: Workspace
) -> str:
    """Return why the approval does not hold; empty if it does, or none is needed."""
    by_default = workspace.settings.campaigns.count_clicks
    options = {"again": row.again, "counts_clicks": row.counts_clicks, "by_default": by_default}
    approve = f"`{approve_edition_command(row.edition, row.segment, **options)}`"
    if row.approved_digest and row.approved_digest != row.digest:
        return Phrase(
            "What was approved is not what was scheduled. Approve it with %(approve)s, then schedule "
            "it again.",
            approve=approve,
        )
    if row.approved_digest:
        changes = "; ".join(list_voiding_settings(row, workspace))
        return changes and (
            Phrase(
                "This has changed since it was approved: %(changes)s. Approve it with %(approve)s, then "
                "schedule it again.",
                changes=changes,
                approve=approve,
            )
        )
    if workspace.settings.campaigns.approval == "required":
        if waiting := describe_round(connection, row.edition, row.digest, is_starting=True):
            return Phrase(
                "An approval was required when the campaign was due. %(waiting)s",
                waiting=waiting,
            )
        return Phrase(
            "An approval was required when the campaign was due, but there was none. Approve it with "
            "%(approve)s, then schedule it again.",
            approve=approve,
        )
    return ""


def announce_start(started: StartResult, say: Callable[[str], None]) -> None:
    """Tell the operator in one line whether a scheduled campaign has started."""
    if started.state is CampaignState.sending:
        say(f"Campaign {started.campaign_id} has started: {started.audience} readers.")
    else:
        say(f"Campaign {started.campaign_id} was not started and is {started.state}: {started.reason}")
