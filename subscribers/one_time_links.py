"""Mailed links: each works once, for one purpose, until it expires. Nothing here commits.

What a forwarded newsletter must not open (one's data, being forgotten, another address) goes through a link
mailed to the address itself. Its token is signed (:mod:`subscribers.tokens`); the row here is what makes
"once" exact, however many ask at the same moment on however many machines.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlmodel import Session, col, delete, func, select, update

from subscribers.errors import SpentLinkError, TokenError
from subscribers.models import MailedLink
from subscribers.tokens import LinkPurpose, TokenSigner

LIFETIMES: Mapping[LinkPurpose, timedelta] = MappingProxyType(
    {
        # A sign-up is mailed once a day at most and read when there is time; the others are asked for by
        # somebody who waits for them.
        LinkPurpose.confirm: timedelta(days=3),
        LinkPurpose.export: timedelta(hours=1),
        LinkPurpose.erase: timedelta(hours=1),
        LinkPurpose.address: timedelta(hours=1),
        LinkPurpose.new_address: timedelta(hours=1),
    }
)
"""For how long a link works."""


@dataclass(frozen=True, kw_only=True)
class OneTimeLink:
    """What a mailed link was sent out for. ``detail`` is the new address, for ``new_address``."""

    subscriber_id: int
    purpose: LinkPurpose
    detail: str


def issue_link(
    session: Session,
    signer: TokenSigner,
    purpose: LinkPurpose,
    *,
    subscriber_id: int,
    now: datetime,
    detail: str = "",
) -> str:
    """The token of a new link for a subscriber, 39 characters safe in a URL. The caller commits, then mails.

    Earlier links of the same purpose stop working: the newest mail is the one that counts.

    Raises:
        ValueError: the purpose is that of the links in newsletters.
    """
    if not purpose.is_mailed:
        raise ValueError(f"a link for {purpose} is not mailed on its own")
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
        # The token counts in seconds, and must say the same as its row.
        expires_at=(now + LIFETIMES[purpose]).replace(microsecond=0),
        detail=detail,
    )
    token = signer.sign_link(purpose, link_id=link.id, expires_at=link.expires_at)
    session.add(link)
    session.flush()
    return token


def check_link(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, *, now: datetime
) -> OneTimeLink:
    """What the link is for. Writes nothing, so it is safe to call for a GET; pressing uses :func:`use_link`.

    Raises:
        TokenError: it is not ours, not for this purpose, or was changed; all of them with equal words.
        SpentLinkError: it is ours, and was used or is too old (a :class:`TokenError` too).
    """
    link = _find(session, signer, token, purpose, now)
    if link.used_at is not None:
        raise SpentLinkError
    return _make_one_time_link(link)


def use_link(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, *, now: datetime
) -> OneTimeLink:
    """Use the link up and say what it is for. Of all who try, on all machines, exactly one gets through.

    It is used only if the caller's transaction commits: what fails may be tried again. Raises as
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
    return _make_one_time_link(link)


def last_issued(session: Session, subscriber_id: int, purpose: LinkPurpose) -> datetime | None:
    """When a subscriber was last sent a link of that purpose; None if never, or longer ago than we keep."""
    newest = select(func.max(MailedLink.issued_at)).where(
        col(MailedLink.subscriber_id) == subscriber_id, col(MailedLink.purpose) == purpose
    )
    return session.exec(newest).one()


def delete_expired_links(session: Session, *, expired_before: datetime) -> int:
    """Delete the links that expired before that; how many there were."""
    gone = session.exec(delete(MailedLink).where(col(MailedLink.expires_at) < expired_before))
    return gone.rowcount


def _find(
    session: Session, signer: TokenSigner, token: str, purpose: LinkPurpose, now: datetime
) -> MailedLink:
    claim = signer.read_link(token, purpose)
    if claim.expires_at <= now:
        raise SpentLinkError
    # The number in a token has eight bytes and both databases count in signed ones.
    link = session.get(MailedLink, claim.link_id, populate_existing=True) if claim.link_id < 2**63 else None
    # A genuine token without its row is one whose person was erased, or whose transaction was given up.
    if link is None or link.purpose is not purpose or link.expires_at != claim.expires_at:
        raise TokenError
    return link


def _make_one_time_link(link: MailedLink) -> OneTimeLink:
    return OneTimeLink(
        subscriber_id=link.subscriber_id, purpose=LinkPurpose(link.purpose), detail=link.detail
    )
