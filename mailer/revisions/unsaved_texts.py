"""What members wrote that could not be saved: kept until somebody settles it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from mailer.database.edition_models import UnsavedReason, UnsavedText
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import FilePlace, parse_file_name
from mailer.team.members import Member


@dataclass(frozen=True, kw_only=True)
class Unsaved:
    """A text that is not in its file. ``number`` names it; ``base`` is the text it began from, None if that
    is not known; ``mine`` is what ``member_name`` wrote."""

    number: int
    edition: str
    name: str
    place: FilePlace
    reason: UnsavedReason
    detail: str
    member_id: int
    member_name: str
    sitting: str
    base: str | None
    mine: str
    updated_at: datetime


def keep_unsaved(
    session: Session,
    edition: str,
    name: str,
    mine: str,
    *,
    reason: UnsavedReason,
    base_digest: str,
    base: str | None,
    member: Member,
    sitting: str,
    sequence: int,
    now: datetime,
    detail: str = "",
) -> int:
    """Keep what a member wrote, in place of what the same page sent before, and return its number. A page
    that has begun from another text since has not the same words any more, and does not replace them. The
    caller commits, and holds the lock of the edition."""
    row = _find_row(
        session, edition, parse_file_name(name), member=member, sitting=sitting, base_digest=base_digest
    )
    if row is None:
        place = parse_file_name(name)
        row = UnsavedText(
            edition=edition,
            story=place.story,
            language=place.language,
            name=name,
            member_id=member.id,
            sitting=sitting,
            reason=reason,
            base_digest=base_digest,
            base=base,
            mine=mine,
            sequence=sequence,
            created_at=now,
            updated_at=now,
        )
    # A request that was under way for long must not replace what the page has sent since.
    if not sequence or sequence >= row.sequence:
        row.mine, row.sequence, row.updated_at = mine, sequence, now
    row.reason, row.detail = reason, detail
    session.add(row)
    session.flush()
    assert row.id is not None  # noqa: S101 - it was just flushed
    return row.id


def forget_unsaved(
    session: Session,
    edition: str,
    place: FilePlace,
    *,
    base_digest: str,
    member: Member,
    sitting: str,
    sequence: int,
) -> None:
    """Delete what this page could not save before, after it has saved something later that began from the
    same text. The caller commits."""
    row = _find_row(session, edition, place, member=member, sitting=sitting, base_digest=base_digest)
    if row is not None and (not sequence or sequence >= row.sequence):
        session.delete(row)
        session.flush()


def find_unsaved(session: Session, edition: str, number: int) -> Unsaved | None:
    """Return the unsaved text ``number``; None if it was settled, or is of another edition."""
    found = session.exec(_select().where(UnsavedText.id == number, UnsavedText.edition == edition)).first()
    return None if found is None else _as_unsaved(*found)


def list_unsaved(session: Session, edition: str, place: FilePlace | None = None) -> Sequence[Unsaved]:
    """Return the unsaved texts of an edition, or of one of its files, the oldest first."""
    query = _select().where(UnsavedText.edition == edition)
    if place is not None:
        query = query.where(UnsavedText.story == place.story, UnsavedText.language == place.language)
    return [_as_unsaved(*found) for found in session.exec(query.order_by(col(UnsavedText.id)))]


def delete_unsaved(session: Session, number: int) -> None:
    row = session.get(UnsavedText, number)
    if row is not None:
        session.delete(row)
        session.flush()


def _select() -> Select[UnsavedText, str]:
    return select(UnsavedText, TeamMember.name).where(TeamMember.id == UnsavedText.member_id)


def _find_row(
    session: Session, edition: str, place: FilePlace, *, member: Member, sitting: str, base_digest: str
) -> UnsavedText | None:
    if not sitting:
        return None
    found = (
        select(UnsavedText)
        .where(UnsavedText.edition == edition)
        .where(UnsavedText.story == place.story, UnsavedText.language == place.language)
        .where(UnsavedText.member_id == member.id, UnsavedText.sitting == sitting)
        .where(UnsavedText.base_digest == base_digest)
    )
    return session.exec(found).first()


def _as_unsaved(row: UnsavedText, member_name: str) -> Unsaved:
    return Unsaved(
        number=row.id or 0,
        edition=row.edition,
        name=row.name,
        place=FilePlace(story=row.story, language=row.language),
        reason=row.reason,
        detail=row.detail,
        member_id=row.member_id,
        member_name=member_name,
        sitting=row.sitting,
        base=row.base,
        mine=row.mine,
        updated_at=row.updated_at,
    )
