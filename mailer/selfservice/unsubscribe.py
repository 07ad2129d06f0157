"""Unsubscribing and resubscribing through the link in an email, and why somebody left, if they say.

What takes a token, or its payload, raises TokenError if it is invalid, or its subscriber is not on the list;
then nothing was written.
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.dispatch.ledger_changes import (
    RETURN_EVIDENCE,
    UNSUBSCRIBE_EVIDENCE,
    mark_sent_by_evidence,
    name_consent_source,
)
from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import (
    SubscriptionSummary,
    open_subscription,
    read_token,
    verify_campaign,
)
from mailer.workspace import Keys
from subscribers.consent.status_changes import add_consent_record, resubscribe, unsubscribe
from subscribers.errors import TokenError, UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
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
_EVIDENCE_PREFIX = "reason for leaving: "


def read_subscription(engine: Engine, keys: Keys, token: str) -> SubscriptionSummary:
    """Read the subscription behind a token. Writes nothing: scanners open every link in an email."""
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
    """Unsubscribe the reader through the button on our page, below ``wording`` in ``language``. This takes
    effect immediately, also for a campaign that is being sent. Repeating it changes nothing.
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
    The caller commits. Raise TokenError, before anything is written, if the subscriber is not on the list, or
    the link's key was replaced before its campaign was launched.
    """
    verify_campaign(session, payload)
    _unsubscribe(session, payload, method="one-click", evidence="List-Unsubscribe=One-Click", now=now)
    mark_sent_by_evidence(
        session.connection(), payload.campaign_id, payload.subscriber_id, UNSUBSCRIBE_EVIDENCE, now
    )


def unsubscribe_by_mail(
    session: Session, payload: TokenPayload, *, now: datetime, judged_by: str = ""
) -> bool:
    """Unsubscribe a reader who wrote to the leaving address; return whether they had not left already.
    ``judged_by`` is the person who decided that a mail means this, "" if its token did. The caller commits.
    """
    evidence = f"judged by {judged_by}" if judged_by else "a mail to the leaving address"
    return _unsubscribe(session, payload, method="mail", evidence=evidence, now=now)


def unsubscribe_by_provider(session: Session, payload: TokenPayload, *, now: datetime) -> bool:
    """Unsubscribe a reader who left by a link or a button of our mail provider; return whether they had not
    left already. The caller commits."""
    evidence = "an unsubscribe that the mail provider reported"
    return _unsubscribe(session, payload, method="provider", evidence=evidence, now=now)


def _unsubscribe(
    session: Session, payload: TokenPayload, *, method: str, evidence: str, now: datetime
) -> bool:
    """Unsubscribe without a page of ours, and so without its words; return whether anything changed."""
    source = name_consent_source(payload.campaign_id) if payload.campaign_id else ""
    try:
        return unsubscribe(
            session, payload.subscriber_id, method=method, source=source, now=now, evidence=evidence
        )
    except UnknownSubscriberError as error:
        raise TokenError from error


def resubscribe_by_link(
    engine: Engine, keys: Keys, token: str, *, wording: str, now: datetime, language: str = "en"
) -> SubscriptionSummary:
    """Resubscribe a reader at their own request. ``wording`` are the sentences above the button they pressed,
    in ``language``. Raise StatusError if the team suppressed the address, and TokenError also if the reader
    was erased."""
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


@dataclass
class _Request:
    payload: TokenPayload
    now: datetime
    is_done: bool = False
    error: Exception | None = None


class UnsubscribeBatcher:
    """Writes the one-click requests of one process, many at a time, in one transaction. Thread-safe.

    SQLite allows one writer at a time, and a running campaign writes hundreds of times a second. The request
    that gets the write lock writes for all that wait by then, so a crowd waits no longer than one of them.
    """

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys
        self._pending_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._pending: list[_Request] = []

    def unsubscribe(self, token: str, *, now: datetime) -> None:
        """Unsubscribe the reader; the change is committed when this returns."""
        request = _Request(read_token(self._keys, token), now)
        if self._engine.dialect.name != "sqlite":
            # PostgreSQL has many writers at a time, and two batches could deadlock each other.
            self._write([request])
        else:
            with self._pending_lock:
                self._pending.append(request)
            with self._write_lock:
                if not request.is_done:
                    with self._pending_lock:
                        batch, self._pending = self._pending, []
                    self._write(batch)
        if request.error is not None:
            raise request.error

    def _write(self, batch: list[_Request]) -> None:
        try:
            with open_session(self._engine) as session:
                for request in batch:
                    self._apply(session, request)
                session.commit()
        except Exception as error:
            # Nothing was committed, so every request of the batch has failed.
            for request in batch:
                request.error = request.error or error
        finally:
            for request in batch:
                request.is_done = True

    @staticmethod
    def _apply(session: Session, request: _Request) -> None:
        try:
            unsubscribe_one_click(session, request.payload, now=request.now)
        except TokenError as error:
            # Raised before anything was written for this request, so the rest of the batch goes on.
            request.error = error


class UnsubscribeReason(StrEnum):
    """The reasons a reader can choose from."""

    too_many = "too_many"
    not_mine = "not_mine"
    moved_on = "moved_on"
    not_asked = "not_asked"
    hard_to_read = "hard_to_read"
    other = "other"


REASON_LABELS = {
    UnsubscribeReason.too_many: gettext_noop("I get too many emails."),
    UnsubscribeReason.not_mine: gettext_noop("The topics are not relevant to me."),
    UnsubscribeReason.moved_on: gettext_noop("My work has changed."),
    UnsubscribeReason.not_asked: gettext_noop("I did not ask for it."),
    UnsubscribeReason.hard_to_read: gettext_noop("It is hard to read, or not in my language."),
    UnsubscribeReason.other: gettext_noop("Another reason."),
}
"""The reasons as the page words and orders them."""


def record_reason(
    engine: Engine, keys: Keys, token: str, reason: str, *, now: datetime
) -> SubscriptionSummary:
    """Record why the reader unsubscribed, beside the consent record; the same reason only once. An unknown
    reason, or a reader who is still subscribed, changes nothing."""
    with open_subscription(engine, keys, token, allow_erased=True) as reader:
        session, subscriber = reader.session, reader.subscriber
        session.refresh(subscriber, with_for_update=True)
        if reason in UnsubscribeReason.__members__ and subscriber.status is Status.unsubscribed:
            evidence = f"{_EVIDENCE_PREFIX}{reason}"
            if _read_last_reason(session, subscriber) != evidence:
                add_consent_record(
                    session,
                    subscriber,
                    ConsentEvent.updated,
                    method="page",
                    source=reader.source,
                    now=now,
                    evidence=evidence,
                )
        summary = reader.summarise()
        session.commit()
        return summary


def _read_last_reason(session: Session, subscriber: Subscriber) -> str | None:
    given = col(ConsentRecord.evidence).startswith(_EVIDENCE_PREFIX)
    wanted = select(ConsentRecord.evidence).where(ConsentRecord.subscriber_id == subscriber.id, given)
    return session.exec(wanted.order_by(col(ConsentRecord.id).desc()).limit(1)).first()
