"""Launch a campaign: freeze the content of a plan and insert one delivery for each reader."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, exists, func, insert, literal, select, text, update
from sqlmodel import SQLModel, col

from mailer.campaigns.approval import find_approval, find_approval_fault
from mailer.campaigns.audiences.compliance import find_missing_identity
from mailer.campaigns.audiences.recipient_selection import is_in_audience
from mailer.campaigns.draft import write_draft
from mailer.campaigns.plan import ALREADY_SENT, Plan
from mailer.campaigns.tested_content import find_test
from mailer.campaigns.trial import find_trial_fault
from mailer.database.models import (
    Campaign,
    CampaignState,
    Delivery,
    DeliveryState,
    InDoubtPolicy,
)
from mailer.database.restore import is_held
from mailer.dispatch.deliveries.transitions import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.errors import MailerError
from mailer.rendering.image_writer import write_media
from mailer.settings import CampaignSettings, LawSettings, Settings
from mailer.utc import format_utc
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import Segment

_DELIVERY_COLUMNS = SQLModel.metadata.tables["delivery"].columns


class LaunchRefusedError(MailerError):
    """The campaign was not launched; nothing was written to the database."""


class HasAudience(Protocol):
    """Anything that says who gets a campaign: a plan, or a campaign that was scheduled earlier."""

    @property
    def edition(self) -> str: ...

    @property
    def segment(self) -> Segment: ...

    @property
    def again(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """How to send a campaign. For an option that is None, the settings apply.

    ``rate`` is in messages per second, ``in_doubt`` is ``hold`` or ``resend``. ``canary`` is the number of
    readers to send to first (0 for no canary, whatever the settings say), and ``canary_minutes`` how long the
    rest then wait. ``archived`` says whether the edition is shown in the public archive.
    ``by`` is the name of the person who launches it.
    """

    rate: float | None = None
    in_doubt: str | None = None
    canary: int | None = None
    canary_minutes: float | None = None
    archived: bool | None = None
    by: str = ""

    def column_values(self, settings: CampaignSettings) -> dict[str, Any]:
        """The values for the campaign's columns."""
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
"""Options that all come from the settings."""


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
    """Launch a new campaign and return its id. Nothing is sent yet.

    Freezes the content, stores the pictures in the media folder, and inserts one delivery for each reader in
    the audience at this moment. The commit wakes the workers.

    Raises:
        LaunchRefusedError: the edition has errors or texts of the example, the sender is not the workspace's
            own, no reader would get it, the web pages are not reachable by https, a required approval is
            missing, or it is for others than test readers in trial mode.
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
    """Continue the unfinished campaign of this edition to this segment; if there is none, launch one.

    However many processes call it at the same time, there is only one campaign.

    Raises:
        LaunchRefusedError: as for :func:`launch`; or the unfinished campaign has an earlier version of the
            edition, is scheduled, is paused after its canary, or since the database was restored.
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
            f"[web] base_url is {settings.web.base_url}, but one-click unsubscribe requires https "
            "(RFC 8058 §3.1). Set it to the public https address of `mailer serve`."
        )
    if fault := find_missing_identity(settings):
        raise LaunchRefusedError(fault)
    if plan.launch_problems:
        complaints = "\n".join(str(problem) for problem in plan.launch_problems)
        raise LaunchRefusedError(f"{plan.edition} cannot be sent yet, and was not.\n{complaints}")
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise LaunchRefusedError(
            f"{plan.edition} has errors, so it was not sent. Fix them; `mailer check {plan.edition}` lists "
            "them "
            f"all.\n{complaints}"
        )


@contextlib.contextmanager
def launch_lock(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """A transaction that only one launch of an edition can hold at a time.

    First checks whether the edition may be launched, and stores the pictures before anything is written to
    the database.

    Raises:
        LaunchRefusedError: the edition has errors, or the web pages are not reachable by https.
    """
    _check_launchable(workspace.settings, plan)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        yield connection


def acquire_launch_lock(connection: Connection, edition: str) -> None:
    """Wait until no other transaction is launching ``edition``. On SQLite, writers wait for each other
    anyway.
    """
    if connection.dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(hashtext('mailer launch'), hashtext(:edition))")
        connection.execute(statement, {"edition": edition})


@dataclass(frozen=True, kw_only=True)
class UnfinishedCampaign:
    """A campaign of the same edition to the same segment that is not finished or cancelled."""

    id: int
    state: CampaignState
    reason: str
    canary: int | None
    audience: int
    again: bool
    scheduled_at: datetime | None


def find_unfinished_campaign(connection: Connection, plan: Plan) -> UnfinishedCampaign | None:
    """The newest campaign with this ``plan`` that is scheduled, sending or paused; None if there is none.

    Raises:
        LaunchRefusedError: the campaign has an earlier version of the edition, or counts clicks where the
            plan does not, or the other way round.
    """
    states = [CampaignState.scheduled, CampaignState.sending, CampaignState.paused]
    statement = (
        select(
            *(col(Campaign.id), col(Campaign.digest), col(Campaign.state), col(Campaign.state_reason)),
            *(col(Campaign.canary), col(Campaign.audience), col(Campaign.again), col(Campaign.scheduled_at)),
            col(Campaign.counts_clicks),
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
    if row.counts_clicks != plan.counts_clicks:
        raise LaunchRefusedError(_explain_other_links(row.id, row.state, counts_clicks=row.counts_clicks))
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
            f"Campaign {number} has already scheduled an earlier version of {edition} for this segment. "
            f"Cancel it with {cancel}, then schedule the new version."
        )
    return (
        f"Campaign {number} is sending an earlier version of {edition} to this segment and is not finished. "
        f"Finish it with `mailer campaigns resume {number}`, or cancel it with {cancel}."
    )


def _explain_other_links(number: int, state: CampaignState, *, counts_clicks: bool) -> str:
    does = "counts clicks" if counts_clicks else "does not count clicks"
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return (
            f"Campaign {number} has scheduled this edition for this segment and {does}. Cancel it with "
            f"{cancel}, then schedule it again."
        )
    option = "--count-clicks" if counts_clicks else "--no-count-clicks"
    return (
        f"Campaign {number} is sending this edition to this segment and {does}, which cannot change once it "
        f"has started. Continue it with {option}, or cancel it with {cancel}."
    )


def _continue(connection: Connection, found: UnfinishedCampaign, options: LaunchOptions) -> None:
    if found.state is CampaignState.scheduled:
        when = f" at {format_utc(found.scheduled_at)}" if found.scheduled_at else ""
        raise LaunchRefusedError(
            f"Campaign {found.id} is scheduled to send this edition to this segment{when}. Choose another "
            f"time with --at, or cancel it with `mailer campaigns cancel {found.id}` and send again."
        )
    # Sending again must not release the readers who wait for the canary.
    if found.state is CampaignState.paused and found.canary is not None:
        raise LaunchRefusedError(
            f"Campaign {found.id} is paused after its canary: {found.reason} To send to the rest, run "
            f"`mailer campaigns resume {found.id}`."
        )
    if found.state is CampaignState.paused and is_held(found.reason):
        raise LaunchRefusedError(f"Campaign {found.id} is paused. {found.reason}")
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
    refuse_in_trial(connection, settings, plan, now)
    campaign_id = find_or_create_campaign(connection, workspace, plan, now, by=options.by)
    audience = insert_deliveries(connection, campaign_id, plan, now, settings.law)
    if audience == 0:
        raise LaunchRefusedError(_explain_empty_audience(plan))
    values = {**options.column_values(settings.campaigns), "again": plan.again, "audience": audience}
    if not change_campaign_state(connection, campaign_id, CampaignState.sending, launched_at=now, **values):
        raise LaunchRefusedError(explain_gone(campaign_id))
    enqueue_jobs(connection, campaign_id, audience)
    return campaign_id


def refuse_in_trial(connection: Connection, settings: Settings, plan: Plan, now: datetime) -> None:
    """Refuse to send ``plan`` to anybody but test readers while the workspace is in trial mode.

    Raises:
        LaunchRefusedError: it is, and the plan is for others too.
    """
    if fault := find_trial_fault(
        connection, settings, plan.segment, plan.edition, today=now.date(), again=plan.again
    ):
        raise LaunchRefusedError(f"{plan.edition} was not sent. {fault}")


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
            an author, where another person has to approve; or a test is required and missing.
    """
    approval = find_approval(connection, workspace, plan, states=[CampaignState.approved])
    if workspace.settings.campaigns.approval == "required" and (
        fault := find_approval_fault(workspace.settings, plan, approval, launched_by=by)
    ):
        raise LaunchRefusedError(fault)
    if workspace.settings.campaigns.require_test and plan.correction is None:
        _require_test(connection, plan)
    if approval is not None and approval.holds:
        return approval.campaign_id
    return write_draft(connection, plan, now)


def _require_test(connection: Connection, plan: Plan) -> None:
    if find_test(connection, plan.edition, plan.content_digest) is None:
        raise LaunchRefusedError(
            f"{plan.edition} as it is now was not tested, and must be before it is sent ([campaigns] "
            f"require_test). Send a test with `mailer send {plan.edition} --test ADDRESS`."
        )


def insert_deliveries(
    connection: Connection, campaign_id: int, plan: HasAudience, now: datetime, law: LawSettings
) -> int:
    """Insert one delivery for each reader in the audience ``now``, in one statement; return their number.

    The law of each reader's country is applied again here, whatever an earlier plan said.
    """
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
    again = plan.again or not _was_sent_before(connection, campaign_id, plan.edition)
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=again, law=law)
    readers = select(*row.values()).where(audience).order_by(col(Subscriber.id))
    rows = connection.execute(insert(Delivery).from_select(list(row), readers)).rowcount
    if rows >= 0:
        return rows
    # Not every driver reports how many rows an INSERT … SELECT has inserted.
    written = select(func.count()).select_from(Delivery).where(col(Delivery.campaign_id) == campaign_id)
    return connection.execute(written).scalar_one()


def _was_sent_before(connection: Connection, campaign_id: int, edition: str) -> bool:
    """Whether another campaign of this edition has ever been launched."""
    other = (col(Campaign.edition) == edition, col(Campaign.id) != campaign_id, col(Campaign.audience) > 0)
    return bool(connection.scalar(select(exists().where(*other))))


def _explain_empty_audience(plan: Plan) -> str:
    left_out = ", ".join(f"{number} {reason}" for reason, number in plan.left_out.items())
    hint = " Add --again to send it to readers who already have it." if ALREADY_SENT in plan.left_out else ""
    return (
        f"Nobody in the segment {plan.segment_label!r} would get {plan.edition}"
        f"{f' (left out: {left_out})' if left_out else ''}. "
        f"To see who is in the segment, run `mailer subscribers list --segment {plan.segment.text!r}`.{hint}"
    )
