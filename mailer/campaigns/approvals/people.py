"""The people of an approval: members of the team, and who wrote the edition."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.approvals.approver_name import is_named
from mailer.campaigns.approvals.steps import Person
from mailer.database.revision_models import EditionRevision, RevisionKind
from mailer.database.team_models import Role, TeamMember


@dataclass(frozen=True, kw_only=True)
class Colleague:
    """A member of the team, as far as approvals are concerned."""

    id: int
    name: str
    email: str
    role: Role

    def as_person(self) -> Person:
        """The member as somebody who answers."""
        return Person(key=f"member:{self.id}", name=self.name, member_id=self.id, role=self.role)


@dataclass(frozen=True, kw_only=True)
class Writers:
    """Who wrote an edition: the ``members`` who did in Studio, and the ``names`` of all."""

    members: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members or self.names)

    def include(self, person: Person) -> bool:
        """Whether ``person`` is one of them."""
        return person.member_id in self.members or is_named(person.name, self.names)


def list_colleagues(connection: Connection) -> tuple[Colleague, ...]:
    """Who belongs to the team, by name."""
    columns = (col(TeamMember.id), col(TeamMember.name), col(TeamMember.email), col(TeamMember.role))
    found = select(*columns).where(col(TeamMember.removed_at).is_(None)).order_by(col(TeamMember.name))
    return tuple(
        Colleague(id=row.id or 0, name=row.name, email=row.email, role=row.role)
        for row in connection.execute(found)
    )


def find_writers(connection: Connection, edition: str, authors: Iterable[str]) -> Writers:
    """Who wrote ``edition``: whom it names as ``authors``, and who changed its texts in Studio."""
    wrote = (
        select(col(TeamMember.id), col(TeamMember.name))
        .where(col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.edition) == edition)
        # What was set aside was never in the edition.
        .where(col(EditionRevision.kind) != RevisionKind.set_aside)
        .distinct()
    )
    rows = connection.execute(wrote).all()
    return Writers(
        members=frozenset(row.id or 0 for row in rows), names=(*authors, *(row.name for row in rows))
    )
