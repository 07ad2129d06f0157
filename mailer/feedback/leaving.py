"""Leaving and coming back through the link in a mail. Looking changes nothing; only :func:`leave` and
:func:`come_back` write, each in one transaction of its own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import session
from mailer.dispatch.resolving import RETURN, UNSUBSCRIBE, prove_delivered
from mailer.workspace import Keys
from subscribers.consent import GONE, resubscribe, unsubscribe
from subscribers.errors import TokenError, UnknownSubscriberError
from subscribers.models import Event, Status, Subscriber, Suppression
from subscribers.tokens import Purpose, TokenClaim

LEAVING_WORDS = "Stop these emails? Press the button, and nothing more is sent. Unsubscribe"
RETURNING_WORDS = "Subscribe again"
UNDOING_WORDS = "Was it a mistake? Undo"
WORDING_VERSION = "1"
"""What the pages say, kept with each consent record; tests hold the pages to it. Count up on a change."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the reader behind a link stands, as far as whoever holds the link may know.

    ``address`` shows only its first character and its domain; it is empty for somebody who was erased.
    ``may_return`` is whether a press of a button puts them back on the list.
    """

    address: str
    status: Status
    may_return: bool

    @property
    def is_member(self) -> bool:
        return self.status not in GONE

    @property
    def gets_mail(self) -> bool:
        return self.status in {Status.active, Status.paused}


def read_standing(engine: Engine, keys: Keys, token: str) -> Standing:
    """Where the reader stands. Writes nothing: scanners and previews open every link of a mail.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_claim(keys, token)
    with session(engine, read_only=True) as opened:
        return stand(opened, keys, find_subscriber(opened, claim))


def leave(engine: Engine, keys: Keys, token: str, *, method: str, now: datetime) -> Standing:
    """Let the reader leave, at once and for campaigns under way; asking again changes nothing.

    ``method`` is ``one-click`` for a mail program's own button (RFC 8058) and ``page`` for ours.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_claim(keys, token)
    with session(engine) as opened:
        subscriber = find_subscriber(opened, claim)
        unsubscribe(
            opened,
            claim.subscriber_id,
            method=method,
            source=f"campaign {claim.campaign_id}",
            now=now,
            wording="" if method == "one-click" else LEAVING_WORDS,
            wording_version="" if method == "one-click" else WORDING_VERSION,
            language="" if method == "one-click" else "en",
            evidence="List-Unsubscribe=One-Click" if method == "one-click" else "",
        )
        take_as_proof(opened, claim, UNSUBSCRIBE, now)
        standing = stand(opened, keys, subscriber)
        opened.commit()
        return standing


def come_back(engine: Engine, keys: Keys, token: str, *, words: str, now: datetime) -> Standing:
    """Put the reader back on the list by their own hand; ``words`` are those above the button they pressed.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
        StatusError: the team took the address off the list.
    """
    claim = read_claim(keys, token)
    with session(engine) as opened:
        subscriber = find_subscriber(opened, claim)
        try:
            resubscribe(
                opened,
                claim.subscriber_id,
                key=keys.suppression,
                method="page",
                source=f"campaign {claim.campaign_id}",
                now=now,
                wording=words,
                wording_version=WORDING_VERSION,
                language="en",
            )
        except UnknownSubscriberError as error:
            raise TokenError from error
        take_as_proof(opened, claim, RETURN, now)
        standing = stand(opened, keys, subscriber)
        opened.commit()
        return standing


def read_claim(keys: Keys, token: str) -> TokenClaim:
    """Whom the token of a reader's page is about.

    Raises:
        TokenError: it is not ours.
    """
    return keys.tokens.read(token, Purpose.subscription)


def find_subscriber(opened: Session, claim: TokenClaim) -> Subscriber:
    """The subscriber a genuine token names.

    Raises:
        TokenError: there is none any more; as for a wrong token, so that neither tells anything.
    """
    # The number in a token has eight bytes and both databases count in signed ones.
    subscriber = opened.get(Subscriber, claim.subscriber_id) if claim.subscriber_id < 2**31 else None
    if subscriber is None:
        raise TokenError
    return subscriber


def take_as_proof(opened: Session, claim: TokenClaim, evidence: str, now: datetime) -> None:
    """Whoever acts through the link of a mail has the mail: if its delivery was in doubt, it is no more.

    Only for what a POST brings. A scanner that opens links has the mail too, but looking changes nothing.
    """
    prove_delivered(opened.connection(), claim.campaign_id, claim.subscriber_id, evidence, now)


def stand(opened: Session, keys: Keys, subscriber: Subscriber) -> Standing:
    """Where ``subscriber`` stands in this transaction."""
    erased = subscriber.status is Status.erased
    return Standing(
        address="" if erased else mask_address(subscriber.email),
        status=subscriber.status,
        may_return=not erased and subscriber.status in GONE and not _is_barred(opened, keys, subscriber),
    )


def mask_address(address: str) -> str:
    """``mei.lin@example.org`` as ``m…@example.org``: enough to know one's own, too little for another's."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _is_barred(opened: Session, keys: Keys, subscriber: Subscriber) -> bool:
    """Whether the team itself put the address on the suppression list."""
    suppression = opened.get(Suppression, keys.suppression.digest(subscriber.email))
    return suppression is not None and suppression.reason is Event.suppressed
