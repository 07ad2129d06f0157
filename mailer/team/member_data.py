"""What the database holds about a member of the team: as a copy for them, and erased when they have left."""

import json
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, delete, select, update

from mailer.database.approval_models import ApprovalAnswer, ApprovalComment, ApprovalRound
from mailer.database.launch_models import SeenVariant
from mailer.database.secure_delete import MASK, mask_addresses
from mailer.database.team_models import (
    ActivityRecord,
    MemberPasskey,
    MemberPassword,
    OrganisationAccount,
    SignInLink,
    SignInMail,
    TeamInvitation,
    TeamMember,
    TeamSession,
)
from mailer.privacy.address_search import AddressMatcher
from mailer.team.members import TeamError
from subscribers.address import normalise_address

# Whoever reads the copy must not be able to sign in with it, nor to try passwords at leisure.
_SECRET_COLUMNS = frozenset({"digest", "browser_digest", "hash", "public_key"})
_OWN_TABLES: tuple[type[SQLModel], ...] = (
    MemberPassword,
    MemberPasskey,
    OrganisationAccount,
    TeamInvitation,
    TeamSession,
    SignInLink,
    SeenVariant,
)


def export_member_data(session: Session, member_id: int) -> dict[str, Any]:
    """Return all that is known about a member beside what they wrote and did, ready for JSON, by table."""
    member = session.get_one(TeamMember, member_id)
    known: dict[str, Any] = {"member": _describe(member)}
    for model in _OWN_TABLES:
        table = model.__table__  # type: ignore[attr-defined]
        rows = session.exec(select(model).where(table.c.member_id == member_id)).all()
        known[str(table.name)] = [_describe(row) for row in rows]
    waiting = session.exec(select(SignInMail).where(SignInMail.email == member.email)).all()
    return {**known, "sign_in_mail": [_describe(row) for row in waiting]}


def delete_credentials_of_leavers(session: Session) -> None:
    """Delete every way in of those who have left: sessions, links, passwords, passkeys. None of them worked
    any more. The caller commits."""
    leavers = select(TeamMember.id).where(col(TeamMember.removed_at).is_not(None))
    for model in _OWN_TABLES:
        table = model.__table__  # type: ignore[attr-defined]
        session.connection().execute(table.delete().where(table.c.member_id.in_(leavers)))


def erase_member(session: Session, email: str) -> None:
    """Erase who a person was that has left the team. What they did stays in the history and in the log, done
    by somebody without a name. The caller commits, and then overwrites freed pages. Raise AddressError if
    ``email`` is not an address, and TeamError if nobody with it ever belonged to the team, or they still do.
    """
    address = normalise_address(email)
    row = session.exec(select(TeamMember).where(TeamMember.email == address.email)).one_or_none()
    if row is None:
        raise TeamError(f"{address.email} never belonged to the team.")
    if row.removed_at is None:
        raise TeamError(f"{address.email} belongs to the team. A manager has to remove them first.")
    delete_credentials_of_leavers(session)
    session.exec(delete(SignInMail).where(col(SignInMail.email) == address.email))
    spellings = tuple({address.email, address.envelope})
    mask_addresses(session.connection(), AddressMatcher(spellings=spellings).text_pattern, spellings)
    session.connection().execute(
        update(ActivityRecord).where(col(ActivityRecord.member_id) == row.id).values(name=MASK)
    )
    _mask_approvals(session, row.id or 0)
    # Unique, and no address that anybody could have.
    row.email, row.name, row.language = f"{row.id}@erased.invalid", MASK, ""
    session.add(row)
    session.flush()


def _mask_approvals(session: Session, member_id: int) -> None:
    connection = session.connection()
    for table, column in (
        (ApprovalRound, ApprovalRound.asked_by),
        (ApprovalAnswer, ApprovalAnswer.name),
        (ApprovalComment, ApprovalComment.name),
    ):
        theirs = col(table.member_id) == member_id
        connection.execute(update(table).where(theirs).values({col(column): MASK}))
    for asked in session.exec(select(ApprovalRound).where(col(ApprovalRound.steps).contains('"member"'))):
        steps = json.loads(asked.steps)
        for party in (party for step in steps for party in step["parties"]):
            if (party["kind"], party["number"]) == ("member", member_id):
                party["name"] = MASK
        asked.steps = json.dumps(steps, ensure_ascii=False)
        session.add(asked)


def _describe(row: SQLModel) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.model_dump().items()
        if name not in _SECRET_COLUMNS
    }
