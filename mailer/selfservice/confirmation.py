"""Confirming through a mailed link: a sign-up, and that a reader still wants the newsletter.

The form of a sign-up has a signed timestamp, which slows down programs that fill in forms. A random number
makes every copy of a form different, so that each can be sent once only
(:meth:`mailer.selfservice.rate_limit.MailLimiter.use_form`).
"""

import base64
import binascii
import hmac
import secrets
import struct
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, exists, select
from sqlmodel import col

from mailer.database.engine import open_session
from mailer.database.launch_models import RECONFIRMATION_PREFIX
from mailer.database.models import Campaign
from mailer.dispatch.ledger_changes import PREFERENCES_EVIDENCE
from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import (
    LinkedSubscriber,
    SubscriptionSummary,
    load_subscriber,
    mask_address,
    open_link,
    open_subscription,
)
from mailer.workspace import Keys
from subscribers.consent.sign_ups import confirm_opt_in, hold_opt_in, is_sign_up_waiting
from subscribers.consent.status_changes import change_status
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import SpentLinkError, StatusError, TokenError, UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, MailedLink, Status
from subscribers.tokens import LinkPurpose

MIN_AGE = timedelta(seconds=2)
"""Nobody reads the page and types an address in less."""

MAX_AGE = timedelta(hours=24)
_TIMESTAMP = struct.Struct(">Q")
_NONCE_BYTES = 8
_SIGNATURE_BYTES = 16
_SIGNED_BYTES = _TIMESTAMP.size + _NONCE_BYTES
CONFIRMATION_SENTENCES = (
    gettext_noop("You can unsubscribe at any time with one click."),
    gettext_noop("Confirm my subscription"),
)
"""The sentences around the button, for the consent record. The sign-up request has a record of its own."""
WORDING_VERSION = "2"
RECONFIRMATION_SENTENCES = (
    gettext_noop("Do you still want our newsletter?"),
    gettext_noop("Yes, keep sending it to me"),
)
"""The question and the button, for the consent record."""
RECONFIRMATION_VERSION = "1"


def make_form_token(key: SuppressionKey, now: datetime) -> str:
    """Make the token of a form shown ``now``."""
    signed = _TIMESTAMP.pack(int(now.timestamp())) + secrets.token_bytes(_NONCE_BYTES)
    return _encode(signed + _sign(key, signed))


def check_form_token(key: SuppressionKey, stamp: str, now: datetime) -> bool:
    """Return whether a form submitted ``now`` with the token ``stamp`` was open for a plausible time: neither
    shorter than a person types, nor left open too long.
    """
    try:
        data = base64.b64decode(stamp + "=" * (-len(stamp) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    signed, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    # Only one spelling of a token is valid, or each could be sent several times.
    if len(signed) != _SIGNED_BYTES or _encode(data) != stamp:
        return False
    if not hmac.compare_digest(signature, _sign(key, signed)):
        return False
    age = now - datetime.fromtimestamp(_TIMESTAMP.unpack(signed[: _TIMESTAMP.size])[0], UTC)
    return MIN_AGE <= age <= MAX_AGE


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _sign(key: SuppressionKey, signed: bytes) -> bytes:
    # A prefix of its own: no digest made here is ever a digest of a suppressed address.
    return hmac.digest(key.key, b"form\0" + signed, "sha256")[:_SIGNATURE_BYTES]


def read_masked_address(engine: Engine, keys: Keys, token: str) -> str:
    """Return the masked address that a confirmation link is for, or raise as :func:`open_link`."""
    with open_link(engine, keys, token, LinkPurpose.confirm, use=False) as (reader, _):
        return mask_address(reader.subscriber.email)


def confirm_subscription(
    engine: Engine,
    keys: Keys,
    token: str,
    *,
    wording: str,
    language: str,
    evidence: str,
    is_reviewed: bool = False,
) -> tuple[str, SubscriptionSummary, bool]:
    """Subscribe the address the link was mailed to; with ``is_reviewed``, let it wait until a person of the
    team admits it. Return the token for the reader's own pages, the subscription, and whether it waits.
    Pressing the button twice does no harm. Raise TokenError if the link is invalid, used or expired, or the
    address is suppressed.
    """
    try:
        with open_link(engine, keys, token, LinkPurpose.confirm, use=True) as (reader, now):
            confirm = hold_opt_in if is_reviewed else confirm_opt_in
            confirm(
                reader.session,
                reader.subscriber_id,
                key=keys.suppression,
                method="page",
                source="confirming mail",
                now=now,
                wording=wording,
                wording_version=WORDING_VERSION,
                language=language,
                evidence=evidence,
            )
            confirmed = _describe(reader)
            reader.session.commit()
            return confirmed
    except SpentLinkError:
        return _find_confirmed(engine, keys, token)
    except (StatusError, UnknownSubscriberError) as error:
        raise TokenError from error


def _find_confirmed(engine: Engine, keys: Keys, token: str) -> tuple[str, SubscriptionSummary, bool]:
    """Find the subscription of a link that was used before, if it is active or waits to be admitted."""
    with open_session(engine, read_only=True) as session:
        link_id, _ = keys.tokens.read_link(token, LinkPurpose.confirm)
        link = session.get(MailedLink, link_id)
        if link is None or link.used_at is None:
            raise SpentLinkError
        reader = load_subscriber(session, keys, link.subscriber_id)
        token, subscription, waits = _describe(reader)
        if reader.subscriber.status is not Status.active and not waits:
            raise SpentLinkError
        return token, subscription, waits


def _describe(reader: LinkedSubscriber) -> tuple[str, SubscriptionSummary, bool]:
    waits = is_sign_up_waiting(reader.session, reader.subscriber_id)
    return reader.sign_token(), reader.summarise(), waits


def is_asked(reader: LinkedSubscriber) -> bool:
    """Return whether the mail that the link came in asks this reader, and they have not said yes to it."""
    if reader.subscriber.status not in {Status.active, Status.paused}:
        return False
    connection = reader.session.connection()
    edition = select(col(Campaign.edition)).where(col(Campaign.id) == reader.campaign_id)
    if not (connection.execute(edition).scalar() or "").startswith(RECONFIRMATION_PREFIX):
        return False
    answered = exists().where(
        col(ConsentRecord.subscriber_id) == reader.subscriber_id,
        col(ConsentRecord.event) == ConsentEvent.reconfirmed,
        col(ConsentRecord.source) == reader.source,
    )
    return not connection.execute(select(answered)).scalar_one()


def keep_sending(
    engine: Engine, keys: Keys, token: str, *, wording: str, now: datetime, language: str, evidence: str
) -> None:
    """Record that the reader still wants the newsletter, and end a pause. Pressing twice does no harm. Of a
    reader who has left, or was not asked by the mail of this link, nothing is changed. Raise as
    :func:`open_subscription`.
    """
    with open_subscription(engine, keys, token) as reader:
        # Of two that arrive together, the second waits here, and then sees the answer of the first.
        reader.session.refresh(reader.subscriber, with_for_update=True)
        if is_asked(reader):
            change_status(
                reader.session,
                reader.subscriber,
                Status.active,
                event=ConsentEvent.reconfirmed,
                method="page",
                source=reader.source,
                now=now,
                wording=wording,
                wording_version=RECONFIRMATION_VERSION,
                language=language,
                evidence=evidence,
            )
        reader.confirm_delivery(PREFERENCES_EVIDENCE, now)
        reader.session.commit()
