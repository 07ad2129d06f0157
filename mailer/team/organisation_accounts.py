"""The accounts at the organisation by which members sign in: whose is whose, from the first time on."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from mailer.database.sign_in_models import OrganisationAccount
from mailer.errors import MailerError
from mailer.team.members import Member, find_member, find_member_by_address
from subscribers.address import normalise_address
from subscribers.errors import AddressError


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom a provider says that somebody is. ``subject`` is what ``issuer`` calls them for ever; ``email``
    may pass to somebody else. ``is_verified`` says that the provider vouches for the address."""

    issuer: str
    subject: str
    email: str
    is_verified: bool


class UnknownIdentityError(MailerError):
    """Nobody of the team has this account."""


class OtherIdentityError(MailerError):
    """The member signs in with another account."""


def find_identity_member(
    session: Session, identity: Identity, *, domains: tuple[str, ...], now: datetime
) -> Member:
    """Find the member whose account this is. The first time it is found by the address that the provider
    vouches for, and kept. ``domains`` are those that an address must have, if any. The caller commits.

    Raises:
        UnknownIdentityError: nobody's, or the provider does not vouch for an address that we accept.
        OtherIdentityError: the address is that of a member who has another account.
    """
    found = select(OrganisationAccount).where(
        OrganisationAccount.issuer == identity.issuer, OrganisationAccount.subject == identity.subject
    )
    row = session.exec(found).one_or_none()
    if row is not None:
        member = find_member(session, row.member_id)
        if member is None:
            raise UnknownIdentityError
        return member
    member = _find_by_address(session, identity, domains)
    if session.get(OrganisationAccount, member.id) is not None:
        raise OtherIdentityError
    session.add(
        OrganisationAccount(
            member_id=member.id, issuer=identity.issuer, subject=identity.subject, linked_at=now
        )
    )
    session.flush()
    return member


def find_organisation_account(session: Session, member_id: int) -> str:
    """The issuer of a member's account at the organisation; "" if they have none."""
    row = session.get(OrganisationAccount, member_id)
    return row.issuer if row is not None else ""


def delete_organisation_account(session: Session, member_id: int) -> bool:
    """Forget a member's account at the organisation; return False if there was none. The caller commits."""
    row = session.get(OrganisationAccount, member_id)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True


def _find_by_address(session: Session, identity: Identity, domains: tuple[str, ...]) -> Member:
    try:
        email = normalise_address(identity.email).email if identity.is_verified else ""
    except AddressError:
        email = ""
    if domains and email.rpartition("@")[2] not in domains:
        email = ""
    member = find_member_by_address(session, email) if email else None
    if member is None:
        raise UnknownIdentityError
    return member
