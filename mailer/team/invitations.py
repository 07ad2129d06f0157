"""Invitations to the team: who was invited, by whom, and whether they have come."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select

from mailer.database.sign_in_models import SignInLink, SignInLinkPurpose, SignInMail, TeamInvitation
from mailer.database.team_models import Role, TeamMember
from mailer.team.members import Member, TeamError, add_member, find_member, find_member_by_address
from mailer.team.sign_in_links import LIFETIMES, create_link
from subscribers.address import normalise_address


@dataclass(frozen=True, kw_only=True)
class OpenInvitation:
    """An invitation that has not been followed. ``invited_by`` is the manager's name, "" for the command
    line and for who has left. ``is_being_sent`` says that its mail is still to be sent, and ``reason`` why
    that did not work so far; "" if it was not tried."""

    member: Member
    invited_by: str
    invited_at: datetime
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
    have chosen their own. The caller commits, and then wakes the worker that mails it.

    Raises:
        AddressError: ``email`` is not an address.
        TeamError: somebody with this address belongs to the team already.
    """
    member = add_member(session, email, name, role, now=now)
    _invite(session, member, invited_by=invited_by, now=now)
    _queue_mail(session, member, language=language, now=now)
    return member


def resend_invitation(
    session: Session, member_id: int, *, invited_by: int | None, now: datetime, language: str = ""
) -> Member:
    """Mail a person who was invited a new link; the earlier ones stop working. The caller commits.

    Raises:
        TeamError: they have signed in already, or do not belong to the team.
    """
    member = find_member(session, member_id)
    if member is None or session.get(TeamInvitation, member_id) is None:
        raise TeamError("There is no open invitation for this person.")
    session.exec(delete(SignInLink).where(col(SignInLink.member_id) == member_id))
    session.exec(delete(SignInMail).where(col(SignInMail.email) == member.email))
    _invite(session, member, invited_by=invited_by, now=now)
    _queue_mail(session, member, language=language, now=now)
    return member


def admit_member(
    session: Session, email: str, name: str, role: Role, *, now: datetime
) -> tuple[str, Member, bool]:
    """Add a person to the team and make a link to hand to them; for who belongs to it already, only the link.
    Return its secret, the member, and whether they are new. The caller commits.

    Raises:
        AddressError: ``email`` is not an address.
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
    return [_describe(session, invitation, row, mails.get(row.email), now) for invitation, row in found]


def find_inviter(session: Session, member_id: int) -> str:
    """The name of who invited a member; "" if nobody is known."""
    invitation = session.get(TeamInvitation, member_id)
    inviter = session.get(TeamMember, (invitation and invitation.invited_by) or 0)
    return inviter.name if inviter is not None else ""


def _describe(
    session: Session, invitation: TeamInvitation, row: TeamMember, mail: SignInMail | None, now: datetime
) -> OpenInvitation:
    return OpenInvitation(
        member=Member(id=row.id or 0, email=row.email, name=row.name, role=row.role, language=row.language),
        invited_by=find_inviter(session, row.id or 0),
        invited_at=invitation.invited_at,
        is_expired=invitation.invited_at + LIFETIMES[SignInLinkPurpose.invitation] <= now,
        is_being_sent=mail is not None,
        reason=mail.reason if mail is not None else "",
    )


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
