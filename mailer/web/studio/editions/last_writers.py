"""Who has last changed editions in Studio."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.team_models import TeamMember


@dataclass(frozen=True, kw_only=True)
class LastWriter:
    """The member who has last changed an edition in Studio, and on which day."""

    name: str
    day: date


def find_last_writers(session: Session, slugs: Collection[str]) -> Mapping[str, LastWriter]:
    """Who has last changed each of the editions ``slugs``, as far as that is known."""
    latest = (
        select(func.max(EditionRevision.id))
        .where(col(EditionRevision.edition).in_(slugs))
        .where(col(EditionRevision.member_id).is_not(None), EditionRevision.kind != RevisionKind.set_aside)
        .group_by(EditionRevision.edition)
    )
    rows = session.exec(
        select(EditionRevision.edition, TeamMember.name, EditionRevision.ended_at)
        .where(TeamMember.id == EditionRevision.member_id)
        .where(col(EditionRevision.id).in_(latest))
    )
    return {edition: LastWriter(name=name, day=ended.date()) for edition, name, ended in rows}
