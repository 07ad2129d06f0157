"""What members wrote that could not be saved: kept until it is settled."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from mailer.database.edition_models import UnsavedReason, UnsavedText
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import FilePlace, TextSave


def keep_unsaved(
    session: Session, save: TextSave, name: str, *, reason: UnsavedReason, base: str | None, detail: str
) -> int:
    """Keep what a member wrote, in place of what the same page sent before, and return its number. A page
    that has begun from another text since has not the same words any more, and does not replace them. The
    caller commits, and holds the lock of the edition."""
    row = _find_row(session, save)
    if row is None:
        row = UnsavedText(
            edition=save.edition,
            story=save.place.story,
            language=save.place.language,
            name=name,
            member_id=save.member.id,
            sitting=save.sitting,
            reason=reason,
            base_digest=save.base,
            base=base,
            mine=save.text,
            sequence=save.sequence,
            created_at=save.now,
            updated_at=save.now,
        )
    # A request that was under way for long must not replace what the page has sent since.
    if not save.sequence or save.sequence >= row.sequence:
        row.mine, row.sequence, row.updated_at = save.text, save.sequence, save.now
    row.reason, row.detail = reason, detail
    session.add(row)
    session.flush()
    assert row.id is not None  # noqa: S101 - it was just flushed
    return row.id


def forget_unsaved(session: Session, save: TextSave) -> None:
    """Delete what this page could not save before, after it has saved something later that began from the
    same text. The caller commits."""
    row = _find_row(session, save)
    if row is not None and (not save.sequence or save.sequence >= row.sequence):
        session.delete(row)
        session.flush()


def find_unsaved(session: Session, edition: str, number: int) -> UnsavedText | None:
    """Return the unsaved text ``number``; None if it was settled, or is of another edition."""
    return session.exec(select(UnsavedText).filter_by(id=number, edition=edition)).one_or_none()


def list_unsaved(
    session: Session, edition: str, place: FilePlace | None = None
) -> Sequence[tuple[UnsavedText, str]]:
    """Return the unsaved texts of an edition or one of its files, the oldest first, with their writers'
    names."""
    query = select(UnsavedText, TeamMember.name).where(TeamMember.id == UnsavedText.member_id)
    query = query.where(UnsavedText.edition == edition)
    if place is not None:
        query = query.where(UnsavedText.story == place.story, UnsavedText.language == place.language)
    return session.exec(query.order_by(col(UnsavedText.id))).all()


def list_own_unsaved(
    session: Session, member_id: int, *, limit: int
) -> Sequence[tuple[str, str, int | None]]:
    """Return the edition, the story and the number of a member's latest unsaved texts, the newest first."""
    own = select(UnsavedText.edition, UnsavedText.story, UnsavedText.id).where(
        UnsavedText.member_id == member_id
    )
    return session.exec(own.order_by(col(UnsavedText.id).desc()).limit(limit)).all()


def delete_unsaved(session: Session, number: int | None, *, mine: str | None = None) -> None:
    """Delete the unsaved text ``number``, unless its page has sent another than ``mine`` by now. The caller
    commits."""
    row = session.get(UnsavedText, number)
    if row is not None and mine in {None, row.mine}:
        session.delete(row)
        session.flush()


def _find_row(session: Session, save: TextSave) -> UnsavedText | None:
    if not save.sitting:
        return None
    found = (
        select(UnsavedText)
        .where(UnsavedText.edition == save.edition)
        .where(UnsavedText.story == save.place.story, UnsavedText.language == save.place.language)
        .where(UnsavedText.member_id == save.member.id, UnsavedText.sitting == save.sitting)
        .where(UnsavedText.base_digest == save.base)
    )
    return session.exec(found).first()
