"""Launch a campaign: freeze the content of a plan and insert one delivery for each reader."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, exists, func, insert, literal, select, update
from sqlmodel import SQLModel, col

from locales.phrase import Phrase
from mailer.campaigns.draft import write_draft
from mailer.campaigns.launch_faults import (
    LaunchRefusedError,
    describe_empty_audience,
    explain_gone,
    find_unfinished_campaign,
)
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.launch_options import DEFAULT_OPTIONS, LaunchOptions
from mailer.campaigns.plan import Plan
from mailer.campaigns.readiness import check_readiness
from mailer.campaigns.recipients import is_in_audience
from mailer.database.backup import is_held
from mailer.database.models import (
    Campaign,
    CampaignState,
    Delivery,
    DeliveryState,
    InDoubtPolicy,
)
from mailer.dispatch.deliveries import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.settings.web import LawSettings
from mailer.utc import format_utc
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import Segment

_DELIVERY_COLUMNS = SQLModel.metadata.tables["delivery"].columns


@dataclass(frozen=True, kw_only=True)
class LaunchResult:
    """The campaign that sends a plan; ``continued`` if it already existed and was not finished."""

    campaign_id: int
    continued: bool


def launch(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    now: datetime,
    options: LaunchOptions = DEFAULT_OPTIONS,
) -> int:
    """Launch a new campaign and return its id. Nothing is sent yet; the commit wakes the workers. Raise
    LaunchRefusedError if it may not be sent as it is, or nobody would get it."""
    with launch_lock(engine, workspace, plan) as connection:
        return launch_plan(connection, workspace, plan, now=now, options=options)


def launch_or_continue(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    now: datetime,
    options: LaunchOptions = DEFAULT_OPTIONS,
) -> LaunchResult:
    """Continue the unfinished campaign of this edition to this segment; if there is none, launch one. However
    many processes call it at the same time, there is only one campaign. Raise LaunchRefusedError as
    :func:`launch`, or if that campaign cannot be continued."""
    with launch_lock(engine, workspace, plan) as connection:
        found = find_unfinished_campaign(connection, plan)
        if found is None:
            new = launch_plan(connection, workspace, plan, now=now, options=options)
            return LaunchResult(campaign_id=new, continued=False)
        _continue(connection, found, options)
        return LaunchResult(campaign_id=found.id, continued=True)


def _continue(connection: Connection, found: Row[Any], options: LaunchOptions) -> None:
    if found.state is CampaignState.scheduled:
        raise LaunchRefusedError(
            Phrase(
                "Campaign %(number)s is scheduled to send this edition to this segment at %(when)s. "
                "Choose another time with --at, or cancel it with `mailer campaigns cancel %(number)s` "
                "and send again.",
                number=found.id,
                when=format_utc(found.scheduled_at),
            )
            if found.scheduled_at
            else Phrase(
                "Campaign %(number)s is scheduled to send this edition to this segment. Choose another "
                "time with --at, or cancel it with `mailer campaigns cancel %(number)s` and send again.",
                number=found.id,
            )
        )
    # Sending again must not release the readers who wait for the canary.
    if found.state is CampaignState.paused and found.canary is not None:
        raise LaunchRefusedError(
            Phrase(
                "Campaign %(id)s is paused after its canary: %(reason)s To send to the rest, run `mailer "
                "campaigns resume %(id)s`.",
                id=found.id,
                reason=found.state_reason,
            )
        )
    if found.state is CampaignState.paused and is_held(found.state_reason):
        raise LaunchRefusedError(
            Phrase("Campaign %(id)s is paused. %(reason)s", id=found.id, reason=found.state_reason)
        )
    changes: dict[str, Any] = {}
    if options.rate is not None:
        changes["rate"] = options.rate
    if options.in_doubt is not None:
        changes["in_doubt_policy"] = InDoubtPolicy(options.in_doubt)
    if changes:
        connection.execute(update(Campaign).where(col(Campaign.id) == found.id).values(changes))
    if change_campaign_state(connection, found.id, CampaignState.sending):
        enqueue_jobs(connection, found.id, found.audience)


def launch_plan(
    connection: Connection, workspace: Workspace, plan: Plan, *, now: datetime, options: LaunchOptions
) -> int:
    """Launch a new campaign within a transaction of :func:`launch_lock`; return its id."""
    settings = workspace.settings
    campaign_id = find_or_create_campaign(connection, workspace, plan, now, options=options)
    audience = insert_deliveries(
        connection,
        campaign_id,
        plan.segment,
        edition=plan.edition,
        again=plan.again,
        now=now,
        law=settings.law,
    )
    if audience == 0:
        raise LaunchRefusedError(describe_empty_audience(plan))
    values = {**options.column_values(settings.campaigns), "again": plan.again, "audience": audience}
    if not change_campaign_state(connection, campaign_id, CampaignState.sending, launched_at=now, **values):
        raise LaunchRefusedError(explain_gone(campaign_id))
    enqueue_jobs(connection, campaign_id, audience)
    return campaign_id


def find_or_create_campaign(
    connection: Connection, workspace: Workspace, plan: Plan, now: datetime, *, options: LaunchOptions
) -> int:
    """Return the campaign that was approved with exactly this plan, or a new draft of it. Raise
    LaunchRefusedError if something stands in its way."""
    readiness = check_readiness(
        connection, workspace, plan, launched_by=options.by, confirmed_by=options.confirmed_by, now=now
    )
    readiness.refuse()
    if readiness.approval is not None and readiness.approval.holds:
        return readiness.approval.campaign_id
    return write_draft(connection, plan, now)


def insert_deliveries(
    connection: Connection,
    campaign_id: int,
    segment: Segment,
    *,
    edition: str,
    again: bool,
    now: datetime,
    law: LawSettings,
) -> int:
    """Insert one delivery for each reader in the audience ``now``, in one statement; return their number. The
    law of each reader's country is applied again here, whatever an earlier plan said."""
    row = {
        "campaign_id": literal(campaign_id),
        "subscriber_id": col(Subscriber.id),
        "state": literal(DeliveryState.queued, _DELIVERY_COLUMNS.state.type),
        "attempts": literal(0),
        "deferrals": literal(0),
        "doubted": literal(False),
        "reason": literal(""),
        "updated_at": literal(now, _DELIVERY_COLUMNS.updated_at.type),
    }
    # Looking up which readers already have the edition takes half the time, so skip it if none can have it.
    again = again or not _was_sent_before(connection, campaign_id, edition)
    audience = is_in_audience(segment, edition, now.date(), again=again, law=law)
    readers = select(*row.values()).where(audience).order_by(col(Subscriber.id))
    rows = connection.execute(insert(Delivery).from_select(list(row), readers)).rowcount
    if rows >= 0:
        return rows
    # Not every driver reports how many rows an INSERT … SELECT has inserted.
    written = select(func.count()).select_from(Delivery).where(col(Delivery.campaign_id) == campaign_id)
    return connection.execute(written).scalar_one()


def _was_sent_before(connection: Connection, campaign_id: int, edition: str) -> bool:
    other = (col(Campaign.edition) == edition, col(Campaign.id) != campaign_id, col(Campaign.audience) > 0)
    return bool(connection.scalar(select(exists().where(*other))))
