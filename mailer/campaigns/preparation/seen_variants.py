"""Which versions of a campaign's mail a member has looked at."""

from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select

from mailer.database.launch_models import SeenVariant
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition


def digest_version(mail: CompiledEdition, variant: Variant) -> str:
    """Return the SHA-256 in hex of all that the readers of ``variant`` have in common."""
    assembled = mail.assemble(variant)
    parts = (mail.sender_name, mail.subject, mail.preheader, assembled.html, assembled.text)
    digest = sha256()
    for part in parts:
        digest.update(sha256(part.encode()).digest())
    return digest.hexdigest()


def mark_variant_seen(
    session: Session, campaign_id: int, member_id: int, digest: str, *, now: datetime
) -> None:
    """Write down that a member has looked at the mail with the SHA-256 ``digest``. The caller commits."""
    if session.get(SeenVariant, (campaign_id, member_id, digest)) is None:
        session.add(SeenVariant(campaign_id=campaign_id, member_id=member_id, digest=digest, seen_at=now))


def list_seen_variants(session: Session, campaign_id: int, member_id: int) -> frozenset[str]:
    seen = select(SeenVariant.digest).where(
        col(SeenVariant.campaign_id) == campaign_id, col(SeenVariant.member_id) == member_id
    )
    return frozenset(session.exec(seen))
