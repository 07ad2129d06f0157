"""Members of the team, a draft of the small edition, and launches that they ask for."""

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.draft import write_draft
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.pending_launches import (
    LaunchRequest,
    PendingLaunch,
    ask_launch,
    confirm_launch,
    require_pending_launch,
)
from mailer.database.team_models import Role, TeamMember
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan
from tests.factories.deliveries import START


def add_team_member(engine: Engine, name: str, role: Role = Role.approver) -> int:
    """Add a person to the team; return their number."""
    with Session(engine) as session:
        row = TeamMember(
            email=f"{name.split()[0].lower()}@example.org", name=name, role=role, created_at=START
        )
        session.add(row)
        session.commit()
        return row.id or 0


def make_request(
    workspace: Workspace,
    engine: Engine,
    query: str = "all",
    *,
    count: int | None = None,
    at: datetime | None = None,
    options: LaunchOptions | None = None,
    again: bool = False,
) -> LaunchRequest:
    """Make a draft of the small edition, and what somebody asks for who looks at it; ``count`` is what they
    type."""
    plan = make_plan(workspace, engine, START, query, again=again)
    with launch_lock(engine, workspace, plan) as connection:
        draft = write_draft(connection, plan, START)
    return LaunchRequest(
        campaign_id=draft,
        edition=plan.edition,
        segment=plan.segment.text,
        again=plan.again,
        counts_clicks=plan.counts_clicks,
        options=options or LaunchOptions(),
        digest=plan.digest,
        count=plan.audience if count is None else count,
        scheduled_at=at,
    )


def ask(
    engine: Engine, request: LaunchRequest, member: int, *, two: bool = False, now: datetime = START
) -> PendingLaunch:
    with Session(engine) as session:
        pending = ask_launch(session, request, member_id=member, needs_second=two, now=now)
        session.commit()
        return pending


def confirm(
    engine: Engine, pending: PendingLaunch, member: int, count: int, *, now: datetime = START
) -> PendingLaunch:
    with Session(engine) as session:
        confirmed = confirm_launch(session, pending.number, count=count, member_id=member, now=now)
        session.commit()
        return confirmed


def read_pending(engine: Engine, pending: PendingLaunch) -> PendingLaunch:
    with Session(engine) as session:
        return require_pending_launch(session, pending.number)
