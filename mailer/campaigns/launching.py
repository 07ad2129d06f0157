"""Launching: from a plan to a campaign with frozen content and one delivery for each reader."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, literal, select, text, update
from sqlmodel import SQLModel, col

from mailer.campaigns.audience import is_in_audience
from mailer.campaigns.planning import Plan
from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Delivery,
    DeliveryState,
    InDoubtPolicy,
)
from mailer.dispatch.states import move_campaign
from mailer.errors import MailerError
from mailer.rendering.media import write_media
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_LEDGER = SQLModel.metadata.tables["delivery"].columns


class LaunchRefusedError(MailerError):
    """The campaign was not launched, and nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Launched:
    """The campaign that sends a plan; ``continued`` when it was there already and is not finished."""

    campaign_id: int
    continued: bool


def launch(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    now: datetime,
    rate: float | None = None,
    in_doubt: str | None = None,
) -> int:
    """Launch a new campaign and return its number. Nothing is sent yet.

    The content is frozen with it, the pictures are in the media folder, and the audience as it stands at
    this moment is written down, one delivery a reader. ``rate`` (messages per second) and ``in_doubt``
    (``hold`` or ``resend``) override the settings.

    Raises:
        LaunchRefusedError: the edition has errors, nobody would get it, the pages could not be reached, or an
            approval is required and missing.
    """
    with _taking_turns(engine, workspace, plan) as connection:
        return _launch(connection, workspace.settings, plan, now=now, rate=rate, in_doubt=in_doubt)


def launch_or_continue(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    *,
    now: datetime,
    rate: float | None = None,
    in_doubt: str | None = None,
) -> Launched:
    """Go on with the campaign that sends this edition to this segment and is not finished; else launch one.

    However often and from however many places it is called at once, there is one campaign.

    Raises:
        LaunchRefusedError: as :func:`launch`, or the edition has changed since the unfinished campaign
        froze it.
    """
    with _taking_turns(engine, workspace, plan) as connection:
        found = _find_unfinished(connection, plan)
        if found is None:
            new = _launch(connection, workspace.settings, plan, now=now, rate=rate, in_doubt=in_doubt)
            return Launched(campaign_id=new, continued=False)
        _continue(connection, found, rate=rate, in_doubt=in_doubt)
        return Launched(campaign_id=found, continued=True)


def draft_campaign(engine: Engine, plan: Plan, *, now: datetime) -> int:
    """Write the plan down as a draft to be approved; its number. Launching the same plan finds it."""
    with engine.begin() as connection:
        return _write_campaign(connection, plan, CampaignState.draft, now)


def _refuse_unfit(settings: Settings, plan: Plan) -> None:
    if not settings.web.is_public_safe:
        raise LaunchRefusedError(
            f"[web] base_url is {settings.web.base_url}, and one-click unsubscribe needs https "
            "(RFC 8058 §3.1). Set it to the address under which readers reach `mailer serve`."
        )
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise LaunchRefusedError(
            f"{plan.edition} has errors and is not sent. Mend them; `mailer check {plan.edition}` finds them "
            f"all.\n{complaints}"
        )


@contextlib.contextmanager
def _taking_turns(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """A transaction that only one launch of an edition has at a time; SQLite's are so anyhow.

    What forbids the launch is told first, and the pictures are in place before anything is written down.
    """
    _refuse_unfit(workspace.settings, plan)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            statement = text("SELECT pg_advisory_xact_lock(hashtext('mailer launch'), hashtext(:edition))")
            connection.execute(statement, {"edition": plan.edition})
        yield connection


def _find_unfinished(connection: Connection, plan: Plan) -> int | None:
    statement = (
        select(col(Campaign.id), col(Campaign.digest))
        .where(
            col(Campaign.edition) == plan.edition,
            col(Campaign.segment) == plan.segment.text,
            col(Campaign.state).in_([CampaignState.sending, CampaignState.paused]),
        )
        .order_by(col(Campaign.id).desc())
    )
    row = connection.execute(statement).first()
    if row is None or row.id is None:
        return None
    if row.digest != plan.digest:
        raise LaunchRefusedError(
            f"Campaign {row.id} sends an earlier version of {plan.edition} to this segment and is not "
            f"finished. Finish it with `mailer campaigns resume {row.id}`, or end it with "
            f"`mailer campaigns cancel {row.id}`."
        )
    number: int = row.id
    return number


def _continue(connection: Connection, campaign_id: int, *, rate: float | None, in_doubt: str | None) -> None:
    changes: dict[str, Any] = {}
    if rate is not None:
        changes["rate"] = rate
    if in_doubt is not None:
        changes["in_doubt_policy"] = InDoubtPolicy(in_doubt)
    if changes:
        connection.execute(update(Campaign).where(col(Campaign.id) == campaign_id).values(changes))
    move_campaign(connection, campaign_id, CampaignState.sending)


def _launch(
    connection: Connection,
    settings: Settings,
    plan: Plan,
    *,
    now: datetime,
    rate: float | None,
    in_doubt: str | None,
) -> int:
    campaign_id = _find_approved(connection, plan)
    if campaign_id is None:
        if settings.campaigns.approval == "required":
            raise LaunchRefusedError(
                "[campaigns] approval is required, and nobody has approved exactly this content for this "
                "segment. An approval given before the last change does not count. Approving in the browser "
                'comes with a later version; until then approval = "optional" lets a launch through.'
            )
        campaign_id = _write_campaign(connection, plan, CampaignState.draft, now)
    audience = _materialise(connection, campaign_id, plan, now)
    if audience == 0:
        raise LaunchRefusedError(_explain_emptiness(plan))
    policy = InDoubtPolicy(in_doubt or settings.campaigns.in_doubt)
    values: dict[str, Any] = {
        "rate": rate or settings.campaigns.rate,
        "in_doubt_policy": policy,
        "audience": audience,
    }
    move_campaign(connection, campaign_id, CampaignState.sending, launched_at=now, **values)
    return campaign_id


def _find_approved(connection: Connection, plan: Plan) -> int | None:
    statement = select(func.max(col(Campaign.id))).where(
        col(Campaign.state) == CampaignState.approved,
        col(Campaign.approved_digest) == col(Campaign.digest),
        col(Campaign.digest) == plan.digest,
    )
    return connection.scalar(statement)


def _write_campaign(connection: Connection, plan: Plan, state: CampaignState, now: datetime) -> int:
    """The campaign's row and its frozen content."""
    values = {
        "edition": plan.edition,
        "title": plan.title,
        "segment": plan.segment.text,
        "language": plan.language,
        "state": state,
        "state_reason": "",
        "in_doubt_policy": InDoubtPolicy.hold,
        "digest": plan.digest,
        "audience": 0,
        "approved_by": "",
        "approved_digest": "",
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


def _materialise(connection: Connection, campaign_id: int, plan: Plan, now: datetime) -> int:
    """Write down the audience in one statement; how many they are."""
    row = {
        "campaign_id": literal(campaign_id),
        "subscriber_id": col(Subscriber.id),
        "state": literal(DeliveryState.queued, _LEDGER.state.type),
        "attempts": literal(0),
        "deferrals": literal(0),
        "doubted": literal(False),
        "reason": literal(""),
        "updated_at": literal(now, _LEDGER.updated_at.type),
    }
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=plan.again)
    readers = select(*row.values()).where(audience).order_by(col(Subscriber.id))
    connection.execute(insert(Delivery).from_select(list(row), readers))
    # Counted, because PostgreSQL's driver does not tell how many rows an INSERT … SELECT has written.
    written = select(func.count()).select_from(Delivery).where(col(Delivery.campaign_id) == campaign_id)
    return connection.execute(written).scalar_one()


def _explain_emptiness(plan: Plan) -> str:
    left_out = ", ".join(f"{number} {reason}" for reason, number in plan.left_out.items())
    hint = (
        " Add --again to send it to those who have it."
        if "already have this edition" in plan.left_out
        else ""
    )
    return (
        f"Nobody in the segment {plan.segment_words!r} would get {plan.edition}"
        f"{f' (left out: {left_out})' if left_out else ''}. "
        f"Look with `mailer subscribers list --segment {plan.segment.text!r}`.{hint}"
    )
