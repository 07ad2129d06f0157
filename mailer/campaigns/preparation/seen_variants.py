"""Which versions of a campaign's mail a member has looked at."""

from datetime import datetime

from sqlmodel import Session, col, select

from mailer.database.launch_models import SeenVariant


def mark_variant_seen(
    session: Session, campaign_id: int, member_id: int, digest: str, *, now: datetime
) -> None:
    """Write down that a member has looked at the mail with the SHA-256 ``digest``. The caller commits."""
    if session.get(SeenVariant, (campaign_id, member_id, digest)) is None:
        session.add(SeenVariant(campaign_id=campaign_id, member_id=member_id, digest=digest, seen_at=now))


def list_seen_variants(session: Session, campaign_id: int, member_id: int) -> frozenset[str]:
    """The digests of the mails of a campaign that a member has looked at."""
    seen = select(SeenVariant.digest).where(
        col(SeenVariant.campaign_id) == campaign_id, col(SeenVariant.member_id) == member_id
    )
    return frozenset(session.exec(seen))
