"""The members of the team: adding, finding and listing them."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mailer.database.team_models import Role, TeamMember
from mailer.errors import MailerError
from subscribers.address import normalise_address

MAX_NAME_LENGTH = 200


class TeamError(MailerError):
    """The team was not changed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of the team, as every page gets them. ``language`` is "" for the browser's."""

    id: int
    email: str
    name: str
    role: Role
    language: str = ""


def add_member(session: Session, email: str, name: str, role: Role, *, now: datetime) -> Member:
    """Add a person to the team; who had left it comes back with the row they had. The caller commits.

    Raises:
        AddressError: ``email`` is not an address.
        TeamError: somebody with this address belongs to the team already.
    """
    address = normalise_address(email).email
    shown = " ".join(name.split())[:MAX_NAME_LENGTH] or address
    row = session.exec(select(TeamMember).where(TeamMember.email == address)).one_or_none()
    if row is not None and row.removed_at is None:
        raise TeamError(f"{address} belongs to the team already.")
    if row is None:
        row = TeamMember(email=address, name=shown, role=role, created_at=now)
    else:
        row.name, row.role, row.removed_at = shown, role, None
    session.add(row)
    session.flush()
    return _as_member(row)


def find_member(session: Session, member_id: int) -> Member | None:
    """Find the member with this number; None if nobody has it, or they have left."""
    row = session.get(TeamMember, member_id)
    return None if row is None or row.removed_at is not None else _as_member(row)


def find_member_by_address(session: Session, email: str) -> Member | None:
    """Find the member with a normalised address; None if there is none, or they have left."""
    found = select(TeamMember).where(TeamMember.email == email, col(TeamMember.removed_at).is_(None))
    row = session.exec(found).one_or_none()
    return None if row is None else _as_member(row)


def list_members(session: Session) -> list[Member]:
    """List who belongs to the team, by name."""
    found = select(TeamMember).where(col(TeamMember.removed_at).is_(None))
    return sorted(map(_as_member, session.exec(found)), key=lambda member: (member.name.lower(), member.id))


def update_own_details(session: Session, member_id: int, *, name: str, language: str) -> None:
    """Change what a member says of themself. The caller commits."""
    row = session.get_one(TeamMember, member_id)
    row.name, row.language = " ".join(name.split())[:MAX_NAME_LENGTH] or row.name, language
    session.add(row)
    session.flush()


def _as_member(row: TeamMember) -> Member:
    return Member(id=row.id or 0, email=row.email, name=row.name, role=row.role, language=row.language)
