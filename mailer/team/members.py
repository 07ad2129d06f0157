"""The members of the team, and what their roles permit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

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
    """Add a person to the team; who had left it comes back with the row they had. The caller commits. Raise
    AddressError if ``email`` is not an address, and TeamError if its owner belongs to the team already."""
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
    return as_member(row)


def find_member(session: Session, member_id: int) -> Member | None:
    """Find the member with this number; None if nobody has it, or they have left."""
    row = session.get(TeamMember, member_id)
    return None if row is None or row.removed_at is not None else as_member(row)


def find_member_by_address(session: Session, email: str) -> Member | None:
    """Find the member with a normalised address; None if there is none, or they have left."""
    found = select(TeamMember).where(TeamMember.email == email, col(TeamMember.removed_at).is_(None))
    row = session.exec(found).one_or_none()
    return None if row is None else as_member(row)


def list_members(session: Session) -> list[Member]:
    """List who belongs to the team, by name."""
    found = select(TeamMember).where(col(TeamMember.removed_at).is_(None))
    return sorted(map(as_member, session.exec(found)), key=lambda member: (member.name.lower(), member.id))


def list_names(session: Session) -> dict[int, str]:
    """Return the names of all who ever belonged to the team, by number."""
    return {number or 0: name for number, name in session.exec(select(TeamMember.id, TeamMember.name))}


def update_own_details(session: Session, member_id: int, *, name: str, language: str) -> None:
    """Change what a member says of themself. The caller commits."""
    row = session.get_one(TeamMember, member_id)
    row.name, row.language = " ".join(name.split())[:MAX_NAME_LENGTH] or row.name, language
    session.add(row)
    session.flush()


def as_member(row: TeamMember) -> Member:
    return Member(id=row.id or 0, email=row.email, name=row.name, role=row.role, language=row.language)


class Permission(StrEnum):
    """An act that not everybody may do."""

    read = "read"
    """See editions, their preview, history and checks."""

    comment = "comment"
    """Comment on what is written."""

    write = "write"
    """Write and change editions, stories, pictures and translations."""

    see_partners = "see_partners"
    """See the partners: their addresses, what they chose, and what they were sent."""

    change_partners = "change_partners"
    """Add, change and import partners, and save segments."""

    prepare = "prepare"
    """Prepare a campaign: who gets it, tests, when; ask for its approval; pause it."""

    approve = "approve"
    """Approve an edition for sending."""

    launch = "launch"
    """Launch, resume and cancel campaigns, and settle deliveries in doubt."""

    manage = "manage"
    """Decide who belongs to the team, change the settings, take the list away, erase people, and see the
    log."""


_READS = frozenset({Permission.read, Permission.comment})
_WRITES = _READS | {
    *(Permission.write, Permission.see_partners, Permission.change_partners, Permission.prepare),
}
_APPROVES = _WRITES | {Permission.approve, Permission.launch}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.guest: _READS,
        Role.author: _WRITES,
        Role.approver: _APPROVES,
        Role.manager: frozenset(Permission),
    }
)
"""What a member of each role may do."""


def is_allowed(role: Role, permission: Permission) -> bool:
    return permission in PERMISSIONS[role]
