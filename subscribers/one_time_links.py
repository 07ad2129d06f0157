"""Mailed links, each of which works once, for one purpose, until it expires. Nothing here commits.

What a forwarded newsletter must not allow (a copy of the data, erasure, a new address) needs a link mailed to
the address itself. Its token is signed (:mod:`subscribers.tokens`); the row in the database ensures that it
works once, however many requests arrive at the same moment on however many machines.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlmodel import Session, col, delete, update

from subscribers.errors import SpentLinkError, TokenError
from subscribers.models import MailedLink
from subscribers.tokens import LinkPurpose, TokenSigner

LIFETIMES: Mapping[LinkPurpose, timedelta] = MappingProxyType(
    {
        # A confirmation may be read days later; people wait for the other links when they request them.
        LinkPurpose.confirm: timedelta(days=3),
        LinkPurpose.export: timedelta(hours=1),
        LinkPurpose.erase: timedelta(hours=1),
        LinkPurpose.address: timedelta(hours=1),
        LinkPurpose.new_address: timedelta(hours=1),
    }
)
"""How long a link of each purpose works."""


def issue_link(
    session: Session,
    signer: TokenSigner,
    purpose: LinkPurpose,
    *,
    subscriber_id: int,
    now: datetime,
    detail: str = "",
) -> str:
    """Create a link for a subscriber and return its token, 39 URL-safe characters. The caller commits, then
    mails it. Earlier links for the same purpose stop working. Raise ValueError if ``purpose`` is that of
    newsletter links.
    """
    if not purpose.is_mailed:
        raise ValueError(f"a link for {purpose} is not mailed separately")
    session.exec(
        update(MailedLink)
        .where(
            col(MailedLink.subscriber_id) == subscriber_id,
            col(MailedLink.purpose) == purpose,
            col(MailedLink.used_at).is_(None),
        )
        .values(used_at=now)
    )
    link = MailedLink(
        id=secrets.randbits(63),
        subscriber_id=subscriber_id,
        purpose=purpose,
        issued_at=now,
        # The token counts whole seconds and must match its row.
        expires_at=(now + LIFETIMES[purpose]).replace(microsecond=0),
        detail=detail,
    )
    token = signer.sign_link(purpose, link_id=link.id, expires_at=link.expires_at)
    session.add(link)
    session.flush()
    return token


def check_link(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, *, now: datetime
) -> MailedLink:
    """Return the link. Writes nothing, so it is safe for a GET; a POST calls :func:`use_link`. Raise
    TokenError if it is not ours, not for this purpose, or was altered, and SpentLinkError if it has been used
    or has expired.
    """
    link = _find(session, signer, token, purpose, now)
    if link.used_at is not None:
        raise SpentLinkError
    return link


def use_link(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, *, now: datetime
) -> MailedLink:
    """Mark the link as used and return it. Of concurrent requests exactly one succeeds. It only counts as
    used once the caller's transaction commits, so a failed request can be repeated. Raises as
    :func:`check_link` does.
    """
    link = _find(session, signer, token, purpose, now)
    used = session.exec(
        update(MailedLink)
        .where(
            col(MailedLink.id) == link.id, col(MailedLink.used_at).is_(None), col(MailedLink.expires_at) > now
        )
        .values(used_at=now)
    )
    if used.rowcount != 1:
        raise SpentLinkError
    return link


def delete_expired_links(session: Session, *, expired_before: datetime) -> int:
    gone = session.exec(delete(MailedLink).where(col(MailedLink.expires_at) < expired_before))
    return gone.rowcount


def _find(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, now: datetime
) -> MailedLink:
    link_id, expires_at = signer.read_link(token, purpose)
    if expires_at <= now:
        raise SpentLinkError
    # The ID in a token is an unsigned 8-byte integer; both databases use signed ones.
    link = session.get(MailedLink, link_id, populate_existing=True) if link_id < 2**63 else None
    # A valid token has no row if its subscriber was erased or its transaction was rolled back.
    if link is None or link.purpose is not purpose or link.expires_at != expires_at:
        raise TokenError
    return link
