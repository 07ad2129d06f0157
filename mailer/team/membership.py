"""Changing what a member may do, and removing them; the last manager stays, whoever else asks meanwhile."""

from datetime import datetime

from sqlmodel import Session, col, select

from mailer.database.sign_in_models import TeamInvitation
from mailer.database.team_models import Role, TeamMember
from mailer.team.invitations import accept_invitation
from mailer.team.members import Member, TeamError, find_member
from mailer.team.sessions import end_all_sessions
from mailer.team.sign_in_links import delete_links_of


class LastManagerError(TeamError):
    """Without this member, nobody could decide who belongs to the team."""

    def __init__(self) -> None:
        super().__init__("The team needs a manager. Make somebody else a manager first.")


class NoMemberError(TeamError):
    """The person does not belong to the team, or no longer."""

    def __init__(self) -> None:
        super().__init__("This person does not belong to the team.")


def change_role(session: Session, member_id: int, role: Role, *, keep_session: int = 0) -> Member | None:
    """Give a member another role and end their sessions, but for the one numbered ``keep_session``. Return
    the member as they were; None if they had the role already. The caller commits.

    Raises:
        NoMemberError: nobody with this number belongs to the team.
        LastManagerError: they are the last manager.
    """
    row = _lock_member(session, member_id)
    before = find_member(session, member_id)
    assert before is not None  # noqa: S101 - it was found a line above
    if row.role is role:
        return None
    if row.role is Role.manager:
        _demand_another_manager(session, member_id)
    row.role = role
    session.add(row)
    session.flush()
    end_all_sessions(session, member_id, except_id=keep_session)
    return before


def remove_member(session: Session, member_id: int, *, now: datetime) -> Member:
    """Remove a member from the team and end their sessions. Their row stays, so that what they did stays
    theirs in the history. Return the member as they were. The caller commits.

    Raises:
        NoMemberError: nobody with this number belongs to the team.
        LastManagerError: they are the last manager.
    """
    row = _lock_member(session, member_id)
    before = find_member(session, member_id)
    assert before is not None  # noqa: S101 - it was found a line above
    if row.role is Role.manager:
        _demand_another_manager(session, member_id)
    row.removed_at = now
    session.add(row)
    session.flush()
    end_all_sessions(session, member_id)
    delete_links_of(session, member_id)
    accept_invitation(session, member_id)
    return before


def _lock_member(session: Session, member_id: int) -> TeamMember:
    """Lock all managers and the member, in one order, so that two who demote each other wait for each other
    on PostgreSQL; on SQLite, only one transaction writes at a time."""
    wanted = (col(TeamMember.role) == Role.manager) | (col(TeamMember.id) == member_id)
    rows = session.exec(
        select(TeamMember)
        .where(wanted)
        .order_by(col(TeamMember.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        if row.id == member_id and row.removed_at is None:
            return row
    raise NoMemberError


def _demand_another_manager(session: Session, member_id: int) -> None:
    """Who was invited and has not come yet does not count: their address may be wrong."""
    others = select(TeamMember.id).where(
        col(TeamMember.role) == Role.manager,
        col(TeamMember.removed_at).is_(None),
        col(TeamMember.id) != member_id,
        col(TeamMember.id).not_in(select(TeamInvitation.member_id)),
    )
    if session.exec(others.limit(1)).first() is None:
        raise LastManagerError
