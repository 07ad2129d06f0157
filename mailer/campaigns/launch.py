"""Launching: from a plan to a campaign with frozen content and one delivery for each reader."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, exists, func, insert, literal, select, text, update
from sqlmodel import SQLModel, col

from mailer.campaigns.approval import find_approval, find_approval_fault
from mailer.campaigns.audiences.compliance import find_missing_identity
from mailer.campaigns.audiences.selection import is_in_audience
from mailer.campaigns.plan import Plan
from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Delivery,
    DeliveryState,
    InDoubtPolicy,
)
from mailer.dispatch.deliveries.transitions import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.errors import MailerError
from mailer.rendering.media import write_media
from mailer.settings import CampaignSettings, LawSettings, Settings
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import Segment

_DELIVERY_COLUMNS = SQLModel.metadata.tables["delivery"].columns


class LaunchRefusedError(MailerError):
    """The campaign was not launched, and nothing was written."""


class HasAudience(Protocol):
    """What says who gets a campaign: a plan, or a campaign that was planned before."""

    @property
    def edition(self) -> str: ...

    @property
    def segment(self) -> Segment: ...

    @property
    def again(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """On what terms a campaign is sent; what is None is as the settings say.

    ``rate`` is in messages per second, ``in_doubt`` is ``hold`` or ``resend``. ``canary`` is how many readers
    go first (0 for no canary whatever the settings say), and ``canary_minutes`` how long the rest waits then.
    ``archived`` says whether the edition stands in the public archive. ``by`` is who launches it, by name.
    """

    rate: float | None = None
    in_doubt: str | None = None
    canary: int | None = None
    canary_minutes: float | None = None
    archived: bool | None = None
    by: str = ""

    def column_values(self, settings: CampaignSettings) -> dict[str, Any]:
        """The columns of the campaign that hold them."""
        canary = settings.canary if self.canary is None else self.canary
        minutes = settings.canary_minutes if self.canary_minutes is None else self.canary_minutes
        return {
            "rate": self.rate or settings.rate,
            "in_doubt_policy": InDoubtPolicy(self.in_doubt or settings.in_doubt),
            "canary": canary or None,
            "canary_minutes": minutes if canary else None,
            "archived": settings.archive if self.archived is None else self.archived,
        }


DEFAULT_OPTIONS = LaunchOptions()
"""The terms of the settings."""


@dataclass(frozen=True, kw_only=True)
class LaunchResult:
    """The campaign that sends a plan; ``continued`` when it was there already and is not finished."""

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
    """Launch a new campaign and return its number. Nothing is sent yet.

    The content is frozen with it, the pictures are in the media folder, and the audience as it stands at
    this moment is written down, one delivery a reader. Workers are woken with the commit.

    Raises:
        LaunchRefusedError: the edition has errors, nobody would get it, the pages could not be reached, or an
            approval is required and missing.
    """
    with launch_lock(engine, workspace, plan) as connection:
        return _launch(connection, workspace, plan, now=now, options=options)


def launch_or_continue(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    now: datetime,
    options: LaunchOptions = DEFAULT_OPTIONS,
) -> LaunchResult:
    """Go on with the campaign that sends this edition to this segment and is not finished; else launch one.

    However often and from however many places it is called at once, there is one campaign.

    Raises:
        LaunchRefusedError: as :func:`launch`; or the unfinished campaign froze an earlier version of the
            edition, waits for its hour, or is paused in its canary.
    """
    with launch_lock(engine, workspace, plan) as connection:
        found = find_unfinished_campaign(connection, plan)
        if found is None:
            new = _launch(connection, workspace, plan, now=now, options=options)
            return LaunchResult(campaign_id=new, continued=False)
        _continue(connection, found, options)
        return LaunchResult(campaign_id=found.id, continued=True)


def _check_launchable(settings: Settings, plan: Plan) -> None:
    if not settings.web.supports_one_click:
        raise LaunchRefusedError(
            f"[web] base_url is {settings.web.base_url}, and one-click unsubscribe needs https "
            "(RFC 8058 §3.1). Set it to the address under which readers reach `mailer serve`."
        )
    if fault := find_missing_identity(settings):
        raise LaunchRefusedError(fault)
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise LaunchRefusedError(
            f"{plan.edition} has errors and is not sent. Mend them; `mailer check {plan.edition}` finds them "
            f"all.\n{complaints}"
        )


@contextlib.contextmanager
def launch_lock(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """A transaction that only one launch of an edition has at a time.

    What forbids the launch is told first, and the pictures are in place before anything is written down.

    Raises:
        LaunchRefusedError: the edition has errors, or the pages could not be reached.
    """
    _check_launchable(workspace.settings, plan)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        yield connection


def acquire_launch_lock(connection: Connection, edition: str) -> None:
    """Wait until no other transaction launches ``edition``; SQLite's wait for each other anyhow."""
    if connection.dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(hashtext('mailer launch'), hashtext(:edition))")
        connection.execute(statement, {"edition": edition})


@dataclass(frozen=True, kw_only=True)
class UnfinishedCampaign:
    """A campaign of the same edition to the same segment that is not over."""

    id: int
    state: CampaignState
    reason: str
    canary: int | None
    audience: int
    again: bool
    scheduled_at: datetime | None


def find_unfinished_campaign(connection: Connection, plan: Plan) -> UnfinishedCampaign | None:
    """The newest campaign that sends ``plan`` and is scheduled, sending or paused; None if there is none.

    Raises:
        LaunchRefusedError: it sends an earlier version.
    """
    states = [CampaignState.scheduled, CampaignState.sending, CampaignState.paused]
    statement = (
        select(
            *(col(Campaign.id), col(Campaign.digest), col(Campaign.state), col(Campaign.state_reason)),
            *(col(Campaign.canary), col(Campaign.audience), col(Campaign.again), col(Campaign.scheduled_at)),
        )
        .where(
            col(Campaign.edition) == plan.edition,
            col(Campaign.segment) == plan.segment.text,
            col(Campaign.state).in_(states),
        )
        .order_by(col(Campaign.id).desc())
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    if row.digest != plan.digest:
        raise LaunchRefusedError(_explain_earlier_version(row.id, row.state, plan.edition))
    return UnfinishedCampaign(
        id=row.id,
        state=row.state,
        reason=row.state_reason,
        canary=row.canary,
        audience=row.audience,
        again=row.again,
        scheduled_at=row.scheduled_at,
    )


def _explain_earlier_version(number: int, state: CampaignState, edition: str) -> str:
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return (
            f"Campaign {number} has an earlier version of {edition} scheduled for this segment. "
            f"End it with {cancel}, then schedule the new one."
        )
    return (
        f"Campaign {number} sends an earlier version of {edition} to this segment and is not finished. "
        f"Finish it with `mailer campaigns resume {number}`, or end it with {cancel}."
    )


def _continue(connection: Connection, found: UnfinishedCampaign, options: LaunchOptions) -> None:
    if found.state is CampaignState.scheduled:
        raise LaunchRefusedError(
            f"Campaign {found.id} sends this edition to this segment at {found.scheduled_at:%Y-%m-%d %H:%M} "
            "UTC. Choose another time with --at, or end it with "
            f"`mailer campaigns cancel {found.id}` and send."
        )
    # A second press of the button must not release those who wait for the canary.
    if found.state is CampaignState.paused and found.canary is not None:
        raise LaunchRefusedError(
            f"Campaign {found.id} is paused in its canary: {found.reason} Send to the rest with "
            f"`mailer campaigns resume {found.id}`."
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


def _launch(
    connection: Connection, workspace: Workspace, plan: Plan, *, now: datetime, options: LaunchOptions
) -> int:
    settings = workspace.settings
    campaign_id = find_or_create_campaign(connection, workspace, plan, now, by=options.by)
    audience = insert_deliveries(connection, campaign_id, plan, now, settings.law)
    if audience == 0:
        raise LaunchRefusedError(_explain_empty_audience(plan))
    values = {**options.column_values(settings.campaigns), "again": plan.again, "audience": audience}
    if not change_campaign_state(connection, campaign_id, CampaignState.sending, launched_at=now, **values):
        raise LaunchRefusedError(explain_gone(campaign_id))
    enqueue_jobs(connection, campaign_id, audience)
    return campaign_id


def explain_gone(campaign_id: int) -> str:
    """Why a campaign is not launched that was approved when we looked, and is not now."""
    return (
        f"Campaign {campaign_id} was cancelled or launched at the same moment. "
        f"`mailer campaigns show {campaign_id}` says which."
    )


def find_or_create_campaign(
    connection: Connection, workspace: Workspace, plan: Plan, now: datetime, *, by: str
) -> int:
    """The campaign that was approved with exactly this plan, or a new draft of it; its number.

    Raises:
        LaunchRefusedError: an approval is required and missing, or it is that of ``by``, who launches, or of
            an author, where another person has to approve.
    """
    approval = find_approval(connection, workspace, plan, states=[CampaignState.approved])
    if workspace.settings.campaigns.approval == "required" and (
        fault := find_approval_fault(workspace.settings, plan, approval, launched_by=by)
    ):
        raise LaunchRefusedError(fault)
    if approval is not None and approval.holds:
        return approval.campaign_id
    return write_draft(connection, plan, now)


def write_draft(connection: Connection, plan: Plan, now: datetime) -> int:
    """Write down a draft of ``plan`` with its frozen content; its number."""
    values = {
        "edition": plan.edition,
        "title": plan.title,
        "segment": plan.segment.text,
        "language": plan.language,
        "state": CampaignState.draft,
        "state_reason": "",
        "in_doubt_policy": InDoubtPolicy.hold,
        "digest": plan.digest,
        "audience": 0,
        "approved_by": "",
        "approved_digest": "",
        "approved_settings": "",
        "created_at": now,
    }
    (campaign_id,) = connection.execute(insert(Campaign).values(values)).inserted_primary_key or (0,)
    contents = [
        {"campaign_id": campaign_id, "language": compiled.language, "body": compiled.to_bytes()}
        for compiled in plan.compiled
    ]
    connection.execute(insert(CampaignContent), contents)
    number: int = campaign_id
    return number


def insert_deliveries(
    connection: Connection, campaign_id: int, plan: HasAudience, now: datetime, law: LawSettings
) -> int:
    """Write down the audience as it stands ``now``, in one statement; how many they are. Whom the law of
    their country keeps out is asked again here, whatever a plan said before."""
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
    # Who has the edition already is asked for each reader; where nobody can have it, that is half the time.
    again = plan.again or not _was_sent_before(connection, campaign_id, plan.edition)
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=again, law=law)
    readers = select(*row.values()).where(audience).order_by(col(Subscriber.id))
    rows = connection.execute(insert(Delivery).from_select(list(row), readers)).rowcount
    if rows >= 0:
        return rows
    # Not every driver tells how many rows an INSERT … SELECT has written.
    written = select(func.count()).select_from(Delivery).where(col(Delivery.campaign_id) == campaign_id)
    return connection.execute(written).scalar_one()


def _was_sent_before(connection: Connection, campaign_id: int, edition: str) -> bool:
    """Whether another campaign of this edition has ever been launched."""
    other = (col(Campaign.edition) == edition, col(Campaign.id) != campaign_id, col(Campaign.audience) > 0)
    return bool(connection.scalar(select(exists().where(*other))))


def _explain_empty_audience(plan: Plan) -> str:
    left_out = ", ".join(f"{number} {reason}" for reason, number in plan.left_out.items())
    hint = (
        " Add --again to send it to those who have it."
        if "already have this edition" in plan.left_out
        else ""
    )
    return (
        f"Nobody in the segment {plan.segment_label!r} would get {plan.edition}"
        f"{f' (left out: {left_out})' if left_out else ''}. "
        f"Look with `mailer subscribers list --segment {plan.segment.text!r}`.{hint}"
    )
