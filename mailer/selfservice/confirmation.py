"""Confirming a sign-up through the link that was mailed: the second half of a double opt-in."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.clock import read_clock
from mailer.database.engine import open_session
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe import SubscriptionSummary, mask_address, summarise_subscription
from mailer.workspace import Keys
from subscribers.consent.opt_in import confirm_opt_in
from subscribers.errors import SpentLinkError, StatusError, TokenError, UnknownSubscriberError
from subscribers.models import MailedLink, Status, Subscriber
from subscribers.one_time_links import check_link, use_link
from subscribers.tokens import LinkPurpose, TokenPayload

CONFIRMATION_SENTENCES = (
    gettext_noop("You can unsubscribe at any time with one click."),
    gettext_noop("Confirm my subscription"),
)
"""The words around the button, for the consent record; the sign-up has its own record with its own words."""

WORDING_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class ConfirmedSubscription:
    """Somebody who is on the list now, and the token of their own pages."""

    subscription: SubscriptionSummary
    token: str


def read_masked_address(engine: Engine, keys: Keys, token: str) -> str:
    """The masked address a confirming link is about. Writes nothing.

    Raises:
        TokenError: the link is not ours, was used, or is too old.
    """
    with open_session(engine, read_only=True) as opened:
        now = read_clock(opened.connection())
        errand = check_link(opened, keys.tokens, token, LinkPurpose.confirm, now=now)
        subscriber = opened.get(Subscriber, errand.subscriber_id)
        if subscriber is None or subscriber.status is Status.erased:
            raise TokenError
        return mask_address(subscriber.email)


def confirm_subscription(
    engine: Engine, keys: Keys, token: str, *, wording: str, language: str, evidence: str
) -> ConfirmedSubscription:
    """Put whoever the link was mailed to on the list. A second press finds what the first has done.

    Raises:
        TokenError: the link is not ours, was used or is too old, or the address must not get mail any more.
    """
    with open_session(engine) as opened:
        now = read_clock(opened.connection())
        try:
            subscriber_id = use_link(opened, keys.tokens, token, LinkPurpose.confirm, now=now).subscriber_id
        except SpentLinkError:
            subscriber_id = _find_confirmed_subscriber(opened, keys, token)
        else:
            try:
                confirm_opt_in(
                    opened,
                    subscriber_id,
                    key=keys.suppression,
                    method="page",
                    source="confirming mail",
                    now=now,
                    wording=wording,
                    wording_version=WORDING_VERSION,
                    language=language,
                    evidence=evidence,
                )
            except (StatusError, UnknownSubscriberError) as error:
                raise TokenError from error
        claim = TokenPayload(subscriber_id=subscriber_id, campaign_id=0)
        subscriber = opened.get(Subscriber, subscriber_id)
        if subscriber is None:
            raise TokenError
        standing = summarise_subscription(opened, keys, subscriber, claim)
        opened.commit()
    own = keys.tokens.sign(LinkPurpose.subscription, subscriber_id=subscriber_id, campaign_id=0)
    return ConfirmedSubscription(subscription=standing, token=own)


def _find_confirmed_subscriber(opened: Session, keys: Keys, token: str) -> int:
    """Who used the link before and is on the list since.

    Raises:
        SpentLinkError: nobody is.
    """
    link = opened.get(MailedLink, keys.tokens.read_link(token, LinkPurpose.confirm).link_id)
    subscriber = None if link is None or link.used_at is None else opened.get(Subscriber, link.subscriber_id)
    if subscriber is None or subscriber.id is None or subscriber.status is not Status.active:
        raise SpentLinkError
    return subscriber.id
