"""Why a reader unsubscribed, chosen from a short list. Answering is optional and changes nothing else."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import SubscriptionSummary, open_subscription
from mailer.workspace import Keys
from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_EVIDENCE_PREFIX = "reason for leaving: "


class UnsubscribeReason(StrEnum):
    """The reasons a reader can choose from."""

    too_many = "too_many"
    """Too many emails."""

    not_mine = "not_mine"
    """The topics are not relevant to them."""

    moved_on = "moved_on"
    """Their work has changed."""

    not_asked = "not_asked"
    """They did not ask for it."""

    hard_to_read = "hard_to_read"
    """The email is hard to read, or in the wrong language."""

    other = "other"
    """Something else."""


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
    """Record why the reader unsubscribed, beside the consent record; the same reason only once.

    An unknown reason, or a reader who is still subscribed, changes nothing.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list.
    """
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
    """Return the last reason recorded."""
    given = col(ConsentRecord.evidence).startswith(_EVIDENCE_PREFIX)
    wanted = select(ConsentRecord.evidence).where(ConsentRecord.subscriber_id == subscriber.id, given)
    return session.exec(wanted.order_by(col(ConsentRecord.id).desc()).limit(1)).first()
