"""Leaving and coming back through the link in a mail. Looking changes nothing; only :func:`leave` and
:func:`resubscribe_by_link` write, each in one transaction of its own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignContent
from mailer.dispatch.deliveries.in_doubt import RETURN_EVIDENCE, UNSUBSCRIBE_EVIDENCE, mark_sent_by_evidence
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import choose_language
from mailer.workspace import Keys
from subscribers.consent.status_changes import GONE_STATUSES, resubscribe, unsubscribe
from subscribers.errors import TokenError, UnknownSubscriberError
from subscribers.models import ConsentEvent, Status, Subscriber, Suppression
from subscribers.tokens import LinkPurpose, TokenPayload

UNSUBSCRIBE_SENTENCES = (
    gettext_noop("Stop these emails?"),
    gettext_noop("Press the button and we will send you nothing more."),
    gettext_noop("Unsubscribe"),
)
RESUBSCRIBE_SENTENCES = (gettext_noop("Subscribe again"),)
UNDO_SENTENCES = (gettext_noop("Was it a mistake?"), gettext_noop("Undo"))
UNSUBSCRIBE_WORDING, RESUBSCRIBE_WORDING, UNDO_WORDING = (
    " ".join(UNSUBSCRIBE_SENTENCES),
    " ".join(RESUBSCRIBE_SENTENCES),
    " ".join(UNDO_SENTENCES),
)
WORDING_VERSION = "2"
"""What the pages say, kept with each consent record; tests hold the pages to it. Count up on a change."""


@dataclass(frozen=True, kw_only=True)
class SubscriptionSummary:
    """Where the reader behind a link stands, as far as whoever holds the link may know.

    ``address`` shows only how it begins and ends; it is empty for somebody who was erased. ``may_return`` is
    whether a press of a button puts them back on the list. ``language`` is that of the mail the link came
    in, as a BCP 47 tag; empty where that is not known.
    """

    address: str
    status: Status
    may_return: bool
    language: str = ""

    @property
    def is_member(self) -> bool:
        return self.status not in GONE_STATUSES

    @property
    def gets_mail(self) -> bool:
        return self.status in {Status.active, Status.paused}


def read_subscription(engine: Engine, keys: Keys, token: str) -> SubscriptionSummary:
    """Where the reader stands. Writes nothing: scanners and previews open every link of a mail.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine, read_only=True) as opened:
        return summarise_subscription(opened, keys, find_token_subscriber(opened, claim), claim)


def unsubscribe_by_link(
    engine: Engine,
    keys: Keys,
    token: str,
    *,
    method: str,
    now: datetime,
    wording: str = UNSUBSCRIBE_WORDING,
    language: str = "en",
) -> SubscriptionSummary:
    """Let the reader leave, at once and for campaigns under way; asking again changes nothing.

    ``method`` is ``one-click`` for a mail program's own button (RFC 8058), which shows no words of ours, and
    ``page`` for our button below ``wording`` in ``language``.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine) as opened:
        subscriber = find_token_subscriber(opened, claim)
        unsubscribe(
            opened,
            claim.subscriber_id,
            method=method,
            source=f"campaign {claim.campaign_id}",
            now=now,
            wording="" if method == "one-click" else wording,
            wording_version="" if method == "one-click" else WORDING_VERSION,
            language="" if method == "one-click" else language,
            evidence="List-Unsubscribe=One-Click" if method == "one-click" else "",
        )
        confirm_delivery(opened, claim, UNSUBSCRIBE_EVIDENCE, now)
        standing = summarise_subscription(opened, keys, subscriber, claim)
        opened.commit()
        return standing


def unsubscribe_one_click(opened: Session, claim: TokenPayload, *, now: datetime) -> None:
    """As :func:`leave` for a mail program's own button (RFC 8058), which has no use for a page, in a
    transaction of the caller's.

    Raises:
        TokenError: nobody on our list is behind the claim; nothing was written.
    """
    try:
        unsubscribe(
            opened,
            claim.subscriber_id,
            method="one-click",
            source=f"campaign {claim.campaign_id}",
            now=now,
            evidence="List-Unsubscribe=One-Click",
        )
    except UnknownSubscriberError as error:
        raise TokenError from error
    confirm_delivery(opened, claim, UNSUBSCRIBE_EVIDENCE, now)


def resubscribe_by_link(
    engine: Engine, keys: Keys, token: str, *, words: str, now: datetime, language: str = "en"
) -> SubscriptionSummary:
    """Put the reader back on the list by their own hand; ``words`` are those above the button they pressed,
    in ``language``.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
        StatusError: the team took the address off the list.
    """
    claim = read_token(keys, token)
    with open_session(engine) as opened:
        subscriber = find_token_subscriber(opened, claim)
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
                language=language,
            )
        except UnknownSubscriberError as error:
            raise TokenError from error
        confirm_delivery(opened, claim, RETURN_EVIDENCE, now)
        standing = summarise_subscription(opened, keys, subscriber, claim)
        opened.commit()
        return standing


def read_token(keys: Keys, token: str) -> TokenPayload:
    """Whom the token of a reader's page is about.

    Raises:
        TokenError: it is not ours.
    """
    return keys.tokens.read(token, LinkPurpose.subscription)


def find_token_subscriber(opened: Session, claim: TokenPayload) -> Subscriber:
    """The subscriber a genuine token names.

    Raises:
        TokenError: there is none any more; as for a wrong token, so that neither tells anything.
    """
    subscriber = opened.get(Subscriber, claim.subscriber_id)
    if subscriber is None:
        raise TokenError
    return subscriber


def confirm_delivery(opened: Session, claim: TokenPayload, evidence: str, now: datetime) -> None:
    """Whoever acts through the link of a mail has the mail: if its delivery was in doubt, it is no more.

    Only for what a POST brings. A scanner that opens links has the mail too, but looking changes nothing.
    """
    mark_sent_by_evidence(opened.connection(), claim.campaign_id, claim.subscriber_id, evidence, now)


def summarise_subscription(
    opened: Session, keys: Keys, subscriber: Subscriber, claim: TokenPayload
) -> SubscriptionSummary:
    """Where ``subscriber`` stands in this transaction, whose link is that of ``claim``."""
    erased = subscriber.status is Status.erased
    return SubscriptionSummary(
        address="" if erased else mask_address(subscriber.email),
        status=subscriber.status,
        may_return=not erased
        and subscriber.status in GONE_STATUSES
        and not _is_suppressed_by_team(opened, keys, subscriber),
        language=_read_mail_language(opened, subscriber, claim),
    )


def mask_address(address: str) -> str:
    """``mei.lin@example.org`` as ``m…@e…org``: enough to know one's own, too little for another's."""
    local, _, domain = address.rpartition("@")
    first, _, last = domain.rpartition(".")
    return f"{local[:1]}…@{first[:1]}…{last}"


def _read_mail_language(opened: Session, subscriber: Subscriber, claim: TokenPayload) -> str:
    """The language of the mail a link came in: what the reader gets of its campaign; else their own."""
    own = subscriber.language or ""
    campaign = opened.get(Campaign, claim.campaign_id)
    if campaign is None:
        return own
    frozen = select(CampaignContent.language).where(CampaignContent.campaign_id == campaign.id)
    languages = sorted(opened.exec(frozen), key=lambda tag: tag != campaign.language)
    return choose_language(own, languages) if languages else own


def _is_suppressed_by_team(opened: Session, keys: Keys, subscriber: Subscriber) -> bool:
    """Whether the team itself put the address on the suppression list."""
    suppression = opened.get(Suppression, keys.suppression.digest(subscriber.email))
    return suppression is not None and suppression.reason is ConsentEvent.suppressed
