"""Confirming a sign-up through the mailed link: the second half of a double opt-in."""

from dataclasses import dataclass

from sqlalchemy import Engine

from mailer.database.engine import open_session
from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import (
    LinkedSubscriber,
    SubscriptionSummary,
    load_subscriber,
    mask_address,
    open_link,
)
from mailer.workspace import Keys
from subscribers.consent.opt_in import confirm_opt_in
from subscribers.errors import SpentLinkError, StatusError, TokenError, UnknownSubscriberError
from subscribers.models import MailedLink, Status
from subscribers.tokens import LinkPurpose

CONFIRMATION_SENTENCES = (
    gettext_noop("You can unsubscribe at any time with one click."),
    gettext_noop("Confirm my subscription"),
)
"""The sentences around the button, for the consent record. The sign-up request has a record of its own."""

WORDING_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class ConfirmedSubscription:
    """A confirmed subscription, and the token for the reader's own pages."""

    subscription: SubscriptionSummary
    token: str


def read_masked_address(engine: Engine, keys: Keys, token: str) -> str:
    """Return the masked address that a confirmation link is for. Writes nothing.

    Raises:
        TokenError: the link is invalid, used or expired.
    """
    with open_link(engine, keys, token, LinkPurpose.confirm, use=False) as link:
        return mask_address(link.reader.subscriber.email)


def confirm_subscription(
    engine: Engine, keys: Keys, token: str, *, wording: str, language: str, evidence: str
) -> ConfirmedSubscription:
    """Subscribe the address the link was mailed to. Pressing the button twice does no harm.

    Raises:
        TokenError: the link is invalid, used or expired, or the address is suppressed.
    """
    try:
        with open_link(engine, keys, token, LinkPurpose.confirm, use=True) as link:
            confirm_opt_in(
                link.reader.session,
                link.reader.subscriber_id,
                key=keys.suppression,
                method="page",
                source="confirming mail",
                now=link.now,
                wording=wording,
                wording_version=WORDING_VERSION,
                language=language,
                evidence=evidence,
            )
            confirmed = _describe(link.reader)
            link.reader.session.commit()
            return confirmed
    except SpentLinkError:
        return _find_confirmed(engine, keys, token)
    except (StatusError, UnknownSubscriberError) as error:
        raise TokenError from error


def _find_confirmed(engine: Engine, keys: Keys, token: str) -> ConfirmedSubscription:
    """Find the subscription of a link that was used before, if it is still active.

    Raises:
        SpentLinkError: the link was not used, or its subscriber is not active.
    """
    with open_session(engine, read_only=True) as session:
        link = session.get(MailedLink, keys.tokens.read_link(token, LinkPurpose.confirm).link_id)
        if link is None or link.used_at is None:
            raise SpentLinkError
        reader = load_subscriber(session, keys, link.subscriber_id)
        if reader.subscriber.status is not Status.active:
            raise SpentLinkError
        return _describe(reader)


def _describe(reader: LinkedSubscriber) -> ConfirmedSubscription:
    return ConfirmedSubscription(subscription=reader.summarise(), token=reader.sign_token())
