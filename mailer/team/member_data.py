"""What the database holds about a member of the team: as a copy for them, and to be erased when they left."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, delete, select

from mailer.database.sign_in_models import (
    MemberPasskey,
    MemberPassword,
    OrganisationAccount,
    SignInLink,
    SignInMail,
    TeamInvitation,
)
from mailer.database.team_models import TeamMember, TeamSession

# Whoever reads the copy must not be able to sign in with it, nor to try passwords at leisure.
_SECRET_COLUMNS = frozenset({"digest", "browser_digest", "hash", "public_key"})
_OWN_TABLES: tuple[type[SQLModel], ...] = (
    MemberPassword,
    MemberPasskey,
    OrganisationAccount,
    TeamInvitation,
    TeamSession,
    SignInLink,
)


def export_member_data(session: Session, member_id: int) -> dict[str, Any]:
    """All that is known about a member beside what they wrote and did, ready for JSON, by table."""
    member = session.get_one(TeamMember, member_id)
    known: dict[str, Any] = {"member": _describe(member)}
    for model in _OWN_TABLES:
        table = model.__table__  # type: ignore[attr-defined]
        rows = session.exec(select(model).where(table.c.member_id == member_id)).all()
        known[str(table.name)] = [_describe(row) for row in rows]
    waiting = session.exec(select(SignInMail).where(SignInMail.email == member.email)).all()
    return {**known, "sign_in_mail": [_describe(row) for row in waiting]}


def delete_credentials(session: Session, member_id: int) -> None:
    """Delete every way in of a member who leaves: sessions, links, password, passkeys. The caller commits."""
    member = session.get_one(TeamMember, member_id)
    for model in _OWN_TABLES:
        table = model.__table__  # type: ignore[attr-defined]
        session.connection().execute(table.delete().where(table.c.member_id == member_id))
    session.exec(delete(SignInMail).where(col(SignInMail.email) == member.email))


def _describe(row: SQLModel) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.model_dump().items()
        if name not in _SECRET_COLUMNS
    }
