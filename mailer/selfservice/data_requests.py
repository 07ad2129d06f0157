"""What needs a one-time link because newsletters get forwarded: data export, erasure, a change of address.

Reading writes nothing. Pressing the button uses the link up, in the same transaction as the change itself.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import erase_person
from mailer.selfservice.mail_requests import Visitor, request_address_confirmation
from mailer.selfservice.subscription import SubscriptionSummary, mask_address, open_link
from mailer.workspace import Keys, Workspace
from subscribers.consent.preferences import change_address
from subscribers.errors import AddressError, TokenError, UnknownSubscriberError
from subscribers.tokens import LinkPurpose


@dataclass(frozen=True, kw_only=True)
class LinkSummary:
    """The subscription a one-time link is for, and the new address (masked), if there is one."""

    subscription: SubscriptionSummary
    new_address: str


@dataclass(frozen=True, kw_only=True)
class AddressChanged:
    """A subscription with its new address, and the token for the reader's own pages."""

    subscription: SubscriptionSummary
    token: str


def read_link_summary(engine: Engine, keys: Keys, token: str, purpose: LinkPurpose) -> LinkSummary:
    """Read what a one-time link is for. Writes nothing.

    Raises:
        TokenError: the link is invalid, used or expired.
    """
    with open_link(engine, keys, token, purpose, use=False) as link:
        new_address = mask_address(link.new_address) if link.new_address else ""
        return LinkSummary(subscription=link.reader.summarise(), new_address=new_address)


def export_data(engine: Engine, keys: Keys, token: str) -> dict[str, Any]:
    """Return all data about the subscriber the link was mailed to, as JSON values. Uses the link up.

    Raises:
        TokenError: the link is invalid, used or expired.
    """
    with open_link(engine, keys, token, LinkPurpose.export, use=True) as link:
        session, address = link.reader.session, link.reader.subscriber.email
        exported = export_personal_data(session, address, key=keys.suppression, now=link.now)
        session.commit()
        return exported


def erase_data(workspace: Workspace, engine: Engine, token: str, *, evidence: str) -> None:
    """Erase the subscriber the link was mailed to. If that fails, the link still works.

    Raises:
        TokenError: the link is invalid, used or expired.
    """
    with open_link(engine, workspace.keys, token, LinkPurpose.erase, use=False) as link:
        address, now = link.reader.subscriber.email, link.now
    # The subscriber's links are deleted in the same transaction, so this one cannot be used again.
    erase_person(workspace, engine, address, method="page", source="mailed link", evidence=evidence, now=now)


def request_address_change(engine: Engine, keys: Keys, token: str, email: str, visitor: Visitor) -> None:
    """Request an email to the new address that asks to confirm it. Uses the link up if the address is valid.

    Raises:
        TokenError: the link is invalid, used or expired.
        AddressError: the address is invalid; the link still works.
    """
    with open_link(engine, keys, token, LinkPurpose.address, use=True) as link:
        request_address_confirmation(link.reader.session, link.reader.subscriber_id, email, visitor)
        link.reader.session.commit()


def confirm_address_change(
    engine: Engine, keys: Keys, token: str, *, language: str, evidence: str
) -> AddressChanged:
    """Change the subscriber's address to the one the link was mailed to.

    Raises:
        TokenError: the link is invalid, used or expired, or the address has been taken since.
    """
    with open_link(engine, keys, token, LinkPurpose.new_address, use=True) as link:
        reader = link.reader
        try:
            change_address(
                reader.session,
                reader.subscriber_id,
                link.new_address,
                key=keys.suppression,
                method="page",
                source="mailed link",
                now=link.now,
                language=language,
                evidence=f"address changed; {evidence}".removesuffix("; "),
            )
        except (AddressError, UnknownSubscriberError) as error:
            raise TokenError from error
        changed = AddressChanged(subscription=reader.summarise(), token=reader.sign_token())
        reader.session.commit()
        return changed
