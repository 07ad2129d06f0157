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
from subscribers.consent.sign_ups import confirm_opt_in, hold_opt_in, is_sign_up_waiting
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
    """A confirmed subscription, and the token for the reader's own pages. ``waits`` says that a person of the
    team has to admit it first."""

    subscription: SubscriptionSummary
    token: str
    waits: bool = False


def read_masked_address(engine: Engine, keys: Keys, token: str) -> str:
    """Return the masked address that a confirmation link is for. Writes nothing.

    Raises:
        TokenError: the link is invalid, used or expired.
    """
    with open_link(engine, keys, token, LinkPurpose.confirm, use=False) as link:
        return mask_address(link.reader.subscriber.email)


def confirm_subscription(
    engine: Engine,
    keys: Keys,
    token: str,
    *,
    wording: str,
    language: str,
    evidence: str,
    is_reviewed: bool = False,
) -> ConfirmedSubscription:
    """Subscribe the address the link was mailed to; with ``is_reviewed``, let it wait until a person of the
    team admits it. Pressing the button twice does no harm.

    Raises:
        TokenError: the link is invalid, used or expired, or the address is suppressed.
    """
    try:
        with open_link(engine, keys, token, LinkPurpose.confirm, use=True) as link:
            confirm = hold_opt_in if is_reviewed else confirm_opt_in
            confirm(
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
    """Find the subscription of a link that was used before, if it is active or waits to be admitted.

    Raises:
        SpentLinkError: the link was not used, or its subscriber neither is active nor waits.
    """
    with open_session(engine, read_only=True) as session:
        link = session.get(MailedLink, keys.tokens.read_link(token, LinkPurpose.confirm).link_id)
        if link is None or link.used_at is None:
            raise SpentLinkError
        reader = load_subscriber(session, keys, link.subscriber_id)
        confirmed = _describe(reader)
        if reader.subscriber.status is not Status.active and not confirmed.waits:
            raise SpentLinkError
        return confirmed


def _describe(reader: LinkedSubscriber) -> ConfirmedSubscription:
    return ConfirmedSubscription(
        subscription=reader.summarise(),
        token=reader.sign_token(),
        waits=is_sign_up_waiting(reader.session, reader.subscriber_id),
    )
