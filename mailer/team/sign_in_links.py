"""Links that sign somebody in: each works once, for a while, and only in the browser that asked for it.

Nothing here commits. A mail program or a scanner opens links by itself, so looking at one uses nothing up;
that takes a button. The database has the digests alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sqlmodel import Session, col, delete, select, update

from mailer.database.team_models import Role, SignInLink, SignInLinkPurpose
from mailer.team.members import Member, add_member, find_member, list_members
from mailer.team.sessions import digest_secret, make_secret

LIFETIMES: Mapping[SignInLinkPurpose, timedelta] = MappingProxyType(
    {
        SignInLinkPurpose.first: timedelta(hours=1),
        SignInLinkPurpose.sign_in: timedelta(minutes=15),
        # People who are invited are on holiday, or read it on Monday.
        SignInLinkPurpose.invitation: timedelta(days=7),
    }
)
"""How long a link of each purpose works."""

# A second click on the button is sent before the answer to the first has arrived.
_REPETITION = timedelta(minutes=1)


class LinkState(StrEnum):
    """Whether a link works."""

    valid = "valid"
    """It works, in this browser."""

    other_browser = "other_browser"
    """It works, but in the browser that asked for it."""

    gone = "gone"
    """It does not work: unknown, used, expired, or its member has left."""


@dataclass(frozen=True, kw_only=True)
class RedeemableLink:
    """A link as its page sees it. ``member`` is None for the first account. ``next_path`` is "" for the first
    page."""

    link_id: int
    purpose: SignInLinkPurpose
    member: Member | None
    next_path: str


def create_link(
    session: Session,
    purpose: SignInLinkPurpose,
    *,
    now: datetime,
    member_id: int | None = None,
    browser_digest: str = "",
    next_path: str = "",
) -> str:
    """Create a link and return its secret, to be shown or mailed once. The caller commits first."""
    secret = make_secret()
    session.add(
        SignInLink(
            digest=digest_secret(secret),
            purpose=purpose,
            member_id=member_id,
            browser_digest=browser_digest,
            next_path=next_path,
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
        )
    )
    session.flush()
    return secret


def find_link(
    session: Session, secret: str, *, browser_digest: str, now: datetime
) -> tuple[LinkState, RedeemableLink | None]:
    """Look a link up by its secret, for the browser with a cookie of ``browser_digest``; it is there only if
    it is valid. Changes nothing."""
    row = session.exec(select(SignInLink).where(SignInLink.digest == digest_secret(secret))).one_or_none()
    if row is None or row.expires_at <= now or not _is_unused(row, browser_digest, now):
        return LinkState.gone, None
    member = None if row.member_id is None else find_member(session, row.member_id)
    if member is None and (row.purpose is not SignInLinkPurpose.first or list_members(session)):
        return LinkState.gone, None
    if row.browser_digest and row.browser_digest != browser_digest:
        return LinkState.other_browser, None
    found = RedeemableLink(link_id=row.id or 0, purpose=row.purpose, member=member, next_path=row.next_path)
    return LinkState.valid, found


def use_link(session: Session, secret: str, *, browser_digest: str, now: datetime) -> RedeemableLink | None:
    """Use a link up; None if it does not work here. Of several requests at one moment, one gets it; the same
    browser gets it again for a minute, because people click twice.

    ``browser_digest`` must not be "". The caller commits.
    """
    used = (
        update(SignInLink)
        .where(col(SignInLink.digest) == digest_secret(secret), col(SignInLink.used_at).is_(None))
        .where((col(SignInLink.browser_digest) == "") | (col(SignInLink.browser_digest) == browser_digest))
        .values(used_at=now, browser_digest=browser_digest)
    )
    session.exec(used)
    return find_link(session, secret, browser_digest=browser_digest, now=now)[1]


def create_first_link(session: Session, *, now: datetime) -> str | None:
    """Create the link by which the first manager signs in, in place of any earlier one, and return its
    secret; None if somebody belongs to the team already. The caller commits."""
    if list_members(session):
        return None
    session.exec(delete(SignInLink).where(col(SignInLink.purpose) == SignInLinkPurpose.first))
    return create_link(session, SignInLinkPurpose.first, now=now)


def create_first_member(
    session: Session, link: RedeemableLink, *, email: str, name: str, now: datetime
) -> Member:
    """Make the first account, that of a manager, for who has used the first link. The caller commits. Raise
    AddressError if ``email`` is not an address.
    """
    if link.member is not None:
        return link.member
    member = add_member(session, email, name, Role.manager, now=now)
    row = session.get_one(SignInLink, link.link_id)
    row.member_id = member.id
    session.add(row)
    session.flush()
    return member


def delete_links_of(session: Session, member_id: int) -> None:
    """Make every link of a member stop working. The caller commits."""
    session.exec(delete(SignInLink).where(col(SignInLink.member_id) == member_id))


def delete_old_links(session: Session, *, now: datetime) -> int:
    """Delete the links that have expired; return how many. The caller commits."""
    return session.exec(delete(SignInLink).where(col(SignInLink.expires_at) <= now)).rowcount


def _is_unused(row: SignInLink, browser_digest: str, now: datetime) -> bool:
    if row.used_at is None:
        return True
    return bool(browser_digest) and row.browser_digest == browser_digest and now - row.used_at < _REPETITION
