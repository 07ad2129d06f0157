"""Unsubscribing and resubscribing through the link in an email."""

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.dispatch.ledger_changes import RETURN_EVIDENCE, UNSUBSCRIBE_EVIDENCE, mark_sent_by_evidence
from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import SubscriptionSummary, open_subscription, verify_campaign
from mailer.workspace import Keys
from subscribers.consent.status_changes import resubscribe, unsubscribe
from subscribers.errors import TokenError, UnknownSubscriberError
from subscribers.tokens import TokenPayload

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
"""The version of the sentences above, kept with each consent record. Raise it whenever they change."""


def read_subscription(engine: Engine, keys: Keys, token: str) -> SubscriptionSummary:
    """Read the subscription behind a token. Writes nothing: scanners open every link in an email.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list.
    """
    with open_subscription(engine, keys, token, read_only=True, allow_erased=True) as reader:
        return reader.summarise()


def unsubscribe_by_link(
    engine: Engine,
    keys: Keys,
    token: str,
    *,
    now: datetime,
    wording: str = UNSUBSCRIBE_WORDING,
    language: str = "en",
) -> SubscriptionSummary:
    """Unsubscribe the reader through the button on our page, below ``wording`` in ``language``.

    This takes effect immediately, also for a campaign that is being sent. Repeating it changes nothing.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list.
    """
    with open_subscription(engine, keys, token, allow_erased=True) as reader:
        unsubscribe(
            reader.session,
            reader.subscriber_id,
            method="page",
            source=reader.source,
            now=now,
            wording=wording,
            wording_version=WORDING_VERSION,
            language=language,
        )
        reader.confirm_delivery(UNSUBSCRIBE_EVIDENCE, now)
        summary = reader.summarise()
        reader.session.commit()
        return summary


def unsubscribe_one_click(session: Session, payload: TokenPayload, *, now: datetime) -> None:
    """Unsubscribe a reader through their mail program's own button (RFC 8058), which shows no words of ours.

    The caller commits.

    Raises:
        TokenError: the subscriber is not on the list; nothing was written.
        RetiredKeyError: the link's key was replaced before its campaign was launched; nothing was written.
    """
    verify_campaign(session, payload)
    _unsubscribe(
        session,
        payload,
        method="one-click",
        evidence="List-Unsubscribe=One-Click",
        now=now,
    )
    mark_sent_by_evidence(
        session.connection(), payload.campaign_id, payload.subscriber_id, UNSUBSCRIBE_EVIDENCE, now
    )


def unsubscribe_by_mail(
    session: Session, payload: TokenPayload, *, now: datetime, judged_by: str = ""
) -> bool:
    """Unsubscribe a reader who wrote to the leaving address; return whether they had not left already.

    ``judged_by`` is the person who decided that a mail means this, "" if its token did. The caller commits.

    Raises:
        TokenError: the subscriber is not on the list; nothing was written.
    """
    return _unsubscribe(
        session,
        payload,
        method="mail",
        evidence=f"judged by {judged_by}" if judged_by else "a mail to the leaving address",
        now=now,
    )


def unsubscribe_by_provider(session: Session, payload: TokenPayload, *, now: datetime) -> bool:
    """Unsubscribe a reader who left by a link or a button of our mail provider; return whether they had not
    left already. The caller commits.

    Raises:
        TokenError: the subscriber is not on the list; nothing was written.
    """
    return _unsubscribe(
        session,
        payload,
        method="provider",
        evidence="an unsubscribe that the mail provider reported",
        now=now,
    )


def _unsubscribe(
    session: Session, payload: TokenPayload, *, method: str, evidence: str, now: datetime
) -> bool:
    """Unsubscribe without a page of ours, and so without its words; return whether anything changed."""
    source = f"campaign {payload.campaign_id}" if payload.campaign_id else ""
    try:
        change = unsubscribe(
            session, payload.subscriber_id, method=method, source=source, now=now, evidence=evidence
        )
    except UnknownSubscriberError as error:
        raise TokenError from error
    return change.changed


def resubscribe_by_link(
    engine: Engine, keys: Keys, token: str, *, wording: str, now: datetime, language: str = "en"
) -> SubscriptionSummary:
    """Resubscribe a reader at their own request.

    ``wording`` are the sentences above the button they pressed, in ``language``.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list or was erased.
        StatusError: the team suppressed the address.
    """
    with open_subscription(engine, keys, token) as reader:
        try:
            resubscribe(
                reader.session,
                reader.subscriber_id,
                key=keys.suppression,
                method="page",
                source=reader.source,
                now=now,
                wording=wording,
                wording_version=WORDING_VERSION,
                language=language,
            )
        except UnknownSubscriberError as error:
            raise TokenError from error
        reader.confirm_delivery(RETURN_EVIDENCE, now)
        summary = reader.summarise()
        reader.session.commit()
        return summary
