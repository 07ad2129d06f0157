"""What goes through a fresh link only, because a newsletter is passed on: one's data, erasure, an address.

Looking writes nothing. Pressing the button uses the link up, in the transaction that does what it is for.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.clock import read_clock
from mailer.database.engine import open_session
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import erase_person
from mailer.selfservice.letter_requests import Visitor, request_address_confirmation
from mailer.selfservice.unsubscribe import SubscriptionSummary, mask_address, summarise_subscription
from mailer.workspace import Keys, Workspace
from subscribers.consent.address_change import change_address
from subscribers.errors import AddressError, TokenError, UnknownSubscriberError
from subscribers.models import Status, Subscriber
from subscribers.one_time_links import check_link, use_link
from subscribers.tokens import LinkPurpose, TokenPayload


@dataclass(frozen=True, kw_only=True)
class LinkSummary:
    """Whose link it is, masked, and the new address it is about (masked too), if any."""

    subscription: SubscriptionSummary
    new_address: str


@dataclass(frozen=True, kw_only=True)
class AddressChanged:
    """Somebody whose mail goes elsewhere now, and the token of their own pages."""

    subscription: SubscriptionSummary
    token: str


def read_link_summary(engine: Engine, keys: Keys, token: str, purpose: LinkPurpose) -> LinkSummary:
    """What a mailed link is about. Writes nothing.

    Raises:
        TokenError: the link is not ours, was used, or is too old.
    """
    with open_session(engine, read_only=True) as opened:
        now = read_clock(opened.connection())
        errand = check_link(opened, keys.tokens, token, purpose, now=now)
        subscriber = _find_subscriber(opened, errand.subscriber_id)
        standing = summarise_subscription(
            opened, keys, subscriber, TokenPayload(subscriber_id=errand.subscriber_id, campaign_id=0)
        )
        return LinkSummary(
            subscription=standing, new_address=mask_address(errand.detail) if errand.detail else ""
        )


def export_data(workspace: Workspace, engine: Engine, token: str) -> dict[str, Any]:
    """Everything known about whoever the link was mailed to, as JSON can hold it. The link is used up.

    Raises:
        TokenError: the link is not ours, was used, or is too old.
    """
    keys = workspace.keys
    with open_session(engine) as opened:
        now = read_clock(opened.connection())
        errand = use_link(opened, keys.tokens, token, LinkPurpose.export, now=now)
        subscriber = _find_subscriber(opened, errand.subscriber_id)
        known = export_personal_data(opened, subscriber.email, key=keys.suppression, now=now)
        opened.commit()
        return known


def erase_data(workspace: Workspace, engine: Engine, token: str, *, evidence: str) -> None:
    """Erase whoever the link was mailed to. If that fails half-way, the link is good for another try.

    Raises:
        TokenError: the link is not ours, was used, or is too old.
    """
    keys = workspace.keys
    with open_session(engine, read_only=True) as opened:
        now = read_clock(opened.connection())
        errand = check_link(opened, keys.tokens, token, LinkPurpose.erase, now=now)
        address = _find_subscriber(opened, errand.subscriber_id).email
    # The links of the erased go with them, in the same transaction: nothing is left to be used a second time.
    erase_person(workspace, engine, address, method="page", source="mailed link", evidence=evidence, now=now)


def request_address_change(engine: Engine, keys: Keys, token: str, email: str, visitor: Visitor) -> None:
    """Have the new address confirmed by a mail to it. The link is used up once the address can be one.

    Raises:
        TokenError: the link is not ours, was used, or is too old.
        AddressError: it is no address; the link is still good.
    """
    with open_session(engine) as opened:
        now = read_clock(opened.connection())
        errand = use_link(opened, keys.tokens, token, LinkPurpose.address, now=now)
        request_address_confirmation(opened, errand.subscriber_id, email, visitor)
        opened.commit()


def confirm_address_change(
    engine: Engine, keys: Keys, token: str, *, language: str, evidence: str
) -> AddressChanged:
    """Let the subscriber get mail at the address the link was mailed to.

    Raises:
        TokenError: the link is not ours, was used or is too old, or the address has become somebody's since.
    """
    with open_session(engine) as opened:
        now = read_clock(opened.connection())
        errand = use_link(opened, keys.tokens, token, LinkPurpose.new_address, now=now)
        try:
            change_address(
                opened,
                errand.subscriber_id,
                errand.detail,
                key=keys.suppression,
                method="page",
                source="mailed link",
                now=now,
                language=language,
                evidence=f"address changed; {evidence}".removesuffix("; "),
            )
        except (AddressError, UnknownSubscriberError) as error:
            raise TokenError from error
        claim = TokenPayload(subscriber_id=errand.subscriber_id, campaign_id=0)
        standing = summarise_subscription(opened, keys, _find_subscriber(opened, errand.subscriber_id), claim)
        opened.commit()
    own = keys.tokens.sign(LinkPurpose.subscription, subscriber_id=errand.subscriber_id, campaign_id=0)
    return AddressChanged(subscription=standing, token=own)


def _find_subscriber(opened: Session, subscriber_id: int) -> Subscriber:
    subscriber = opened.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.status is Status.erased:
        raise TokenError
    return subscriber
