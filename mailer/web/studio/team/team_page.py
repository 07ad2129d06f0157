"""Who belongs to the team, and who was invited."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.database.team_models import TeamSession
from mailer.team.invitations import OpenInvitation, list_open_invitations
from mailer.team.members import ROLE_NAMES, Member, Permission, list_members
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute


@dataclass(frozen=True, kw_only=True)
class TeamRow:
    """A member as the team's page lists them. ``last_seen`` is None if they are signed in nowhere;
    ``invitation`` is None once they have signed in."""

    member: Member
    role: str
    last_seen: datetime | None
    invitation: OpenInvitation | None


def show_team(page: PageDep) -> Response:
    """Show who belongs to the team."""
    with page.state.read_session() as session:
        rows = _list_rows(session, page.state.clock())
    present = [row for row in rows if row.invitation is None]
    return page.render(
        "team.html",
        section="team",
        rows=present,
        invited=[row for row in rows if row.invitation is not None],
        own_id=page.member.id,
    )


def _list_rows(session: Session, now: datetime) -> list[TeamRow]:
    seen = dict(
        session.exec(
            select(TeamSession.member_id, func.max(TeamSession.last_seen_at)).group_by(
                col(TeamSession.member_id)
            )
        ).all()
    )
    invitations = {one.member.id: one for one in list_open_invitations(session, now=now)}
    return [
        TeamRow(
            member=member,
            role=ROLE_NAMES[member.role],
            last_seen=seen.get(member.id),
            invitation=invitations.get(member.id),
        )
        for member in list_members(session)
    ]


ROUTES = (StudioRoute("/team", show_team, GET, Permission.read),)
