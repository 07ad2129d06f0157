"""Who belongs to the team: invited, admitted, given another role, removed."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select

from mailer.database.team_models import (
    Role,
    SignInLinkPurpose,
    SignInMail,
    TeamInvitation,
    TeamMember,
)
from mailer.team.members import Member, TeamError, add_member, as_member, find_member, find_member_by_address
from mailer.team.sessions import end_all_sessions
from mailer.team.sign_in_links import LIFETIMES, create_link, delete_links_of
from subscribers.address import normalise_address


@dataclass(frozen=True, kw_only=True)
class OpenInvitation:
    """An invitation that has not been followed. ``invited_by`` is the manager's name, "" for the command
    line and for who has left. ``is_being_sent`` says that its mail is still to be sent, and ``reason`` why
    that did not work so far; "" if it was not tried."""

    member: Member
    invited_by: str
    is_expired: bool
    is_being_sent: bool
    reason: str


def invite_member(
    session: Session,
    email: str,
    name: str,
    role: Role,
    *,
    invited_by: int | None,
    now: datetime,
    language: str = "",
) -> Member:
    """Add a person to the team and have a link mailed to them. ``language`` is that of the mail, until they
    have chosen their own. The caller commits, and then wakes the worker that mails it. Raise as
    :func:`add_member`."""
    member = add_member(session, email, name, role, now=now)
    _invite(session, member, invited_by=invited_by, now=now)
    _queue_mail(session, member, language=language, now=now)
    return member


def resend_invitation(
    session: Session, member_id: int, *, invited_by: int | None, now: datetime, language: str = ""
) -> Member:
    """Mail a person who was invited a new link; the earlier ones stop working. The caller commits. Raise
    TeamError if they have signed in already, or do not belong to the team.
    """
    member = find_member(session, member_id)
    if member is None or session.get(TeamInvitation, member_id) is None:
        raise TeamError("There is no open invitation for this person.")
    delete_links_of(session, member_id)
    session.exec(delete(SignInMail).where(col(SignInMail.email) == member.email))
    _invite(session, member, invited_by=invited_by, now=now)
    _queue_mail(session, member, language=language, now=now)
    return member


def admit_member(
    session: Session, email: str, name: str, role: Role, *, now: datetime
) -> tuple[str, Member, bool]:
    """Add a person to the team and make a link to hand to them; for who belongs to it already, only the link.
    Return its secret, the member, and whether they are new. The caller commits. Raise AddressError if
    ``email`` is not an address.
    """
    member = find_member_by_address(session, normalise_address(email).email)
    is_new = member is None
    if member is None:
        member = add_member(session, email, name, role, now=now)
        _invite(session, member, invited_by=None, now=now)
    secret = create_link(session, SignInLinkPurpose.invitation, now=now, member_id=member.id)
    return secret, member, is_new


def accept_invitation(session: Session, member_id: int) -> bool:
    """Note that a member has signed in, so that their invitation is open no more; return whether it was. The
    caller commits."""
    accepted = session.exec(delete(TeamInvitation).where(col(TeamInvitation.member_id) == member_id))
    return accepted.rowcount == 1


def list_open_invitations(session: Session, *, now: datetime) -> list[OpenInvitation]:
    """List the invitations that have not been followed, the latest first."""
    found = session.exec(
        select(TeamInvitation, TeamMember)
        .where(TeamMember.id == TeamInvitation.member_id, col(TeamMember.removed_at).is_(None))
        .order_by(col(TeamInvitation.invited_at).desc(), col(TeamInvitation.member_id).desc())
    ).all()
    mails = {
        mail.email: mail
        for mail in session.exec(
            select(SignInMail).where(SignInMail.purpose == SignInLinkPurpose.invitation)
        ).all()
    }
    lifetime = LIFETIMES[SignInLinkPurpose.invitation]
    return [
        OpenInvitation(
            member=as_member(row),
            invited_by=find_inviter(session, row.id or 0),
            is_expired=invitation.invited_at + lifetime <= now,
            is_being_sent=row.email in mails,
            reason=mails[row.email].reason if row.email in mails else "",
        )
        for invitation, row in found
    ]


def find_inviter(session: Session, member_id: int) -> str:
    """Return the name of who invited a member; "" if nobody is known."""
    invitation = session.get(TeamInvitation, member_id)
    inviter = session.get(TeamMember, (invitation and invitation.invited_by) or 0)
    return inviter.name if inviter is not None else ""


def _invite(session: Session, member: Member, *, invited_by: int | None, now: datetime) -> None:
    invitation = session.get(TeamInvitation, member.id)
    if invitation is None:
        invitation = TeamInvitation(member_id=member.id, invited_by=invited_by, invited_at=now)
    invitation.invited_by, invitation.invited_at = invited_by, now
    session.add(invitation)
    session.flush()


def _queue_mail(session: Session, member: Member, *, language: str, now: datetime) -> None:
    session.add(
        SignInMail(
            purpose=SignInLinkPurpose.invitation,
            email=member.email,
            language=member.language or language,
            asked_at=now,
            not_before=now,
        )
    )
    session.flush()


class LastManagerError(TeamError):
    """Without this member, nobody could decide who belongs to the team."""

    def __init__(self) -> None:
        super().__init__("The team needs a manager. Make somebody else a manager first.")


class NoMemberError(TeamError):
    def __init__(self) -> None:
        super().__init__("This person does not belong to the team.")


def change_role(session: Session, member_id: int, role: Role, *, keep_session: int = 0) -> Member | None:
    """Give a member another role and end their sessions, but for the one numbered ``keep_session``. Return
    the member as they were; None if they had the role already. The caller commits. Raise NoMemberError if
    nobody with this number belongs to the team, and LastManagerError if they are the last manager.
    """
    row = _lock_member(session, member_id)
    before = as_member(row)
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
    theirs in the history. Return the member as they were. The caller commits. Raise as :func:`change_role`.
    """
    row = _lock_member(session, member_id)
    before = as_member(row)
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
