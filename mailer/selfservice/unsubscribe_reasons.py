"""Why somebody left, in their own choice of a few words. Nobody has to say, and it changes nothing else."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe import (
    SubscriptionSummary,
    find_token_subscriber,
    read_token,
    summarise_subscription,
)
from mailer.workspace import Keys
from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_EVIDENCE_PREFIX = "reason for leaving: "


class UnsubscribeReason(StrEnum):
    """What may be chosen."""

    too_many = "too_many"
    """Too many emails."""

    not_mine = "not_mine"
    """The subjects do not concern them."""

    moved_on = "moved_on"
    """Their work has changed."""

    not_asked = "not_asked"
    """They did not ask for it."""

    hard_to_read = "hard_to_read"
    """The mail is hard to read, or in the wrong language."""

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
"""How the page says them, in its order."""


def record_reason(
    engine: Engine, keys: Keys, token: str, reason: str, *, now: datetime
) -> SubscriptionSummary:
    """Write down why the reader left, beside the record of their leaving; once for the same reason.

    A word that is no reason, and whoever is still on the list, changes nothing.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine) as opened:
        subscriber = find_token_subscriber(opened, claim)
        opened.refresh(subscriber, with_for_update=True)
        if reason in UnsubscribeReason.__members__ and subscriber.status is Status.unsubscribed:
            evidence = f"{_EVIDENCE_PREFIX}{reason}"
            if _read_last_reason(opened, subscriber) != evidence:
                source = f"campaign {claim.campaign_id}"
                add_consent_record(
                    opened,
                    subscriber,
                    ConsentEvent.updated,
                    method="page",
                    source=source,
                    now=now,
                    evidence=evidence,
                )
        standing = summarise_subscription(opened, keys, subscriber, claim)
        opened.commit()
        return standing


def _read_last_reason(opened: Session, subscriber: Subscriber) -> str | None:
    """The reason given last."""
    given = col(ConsentRecord.evidence).startswith(_EVIDENCE_PREFIX)
    wanted = select(ConsentRecord.evidence).where(ConsentRecord.subscriber_id == subscriber.id, given)
    return opened.exec(wanted.order_by(col(ConsentRecord.id).desc()).limit(1)).first()
