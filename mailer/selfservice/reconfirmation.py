"""A reader's answer to the letter that asks whether they still want the newsletter."""

from datetime import datetime

from sqlalchemy import Engine, exists, select
from sqlmodel import col

from mailer.database.models import Campaign
from mailer.database.reconfirmation_models import RECONFIRMATION_PREFIX
from mailer.dispatch.ledger_changes import PREFERENCES_EVIDENCE
from mailer.i18n import gettext_noop
from mailer.selfservice.subscription import LinkedSubscriber, open_subscription
from mailer.workspace import Keys
from subscribers.consent.status_changes import change_status
from subscribers.models import ConsentEvent, ConsentRecord, Status

RECONFIRMATION_SENTENCES = (
    gettext_noop("Do you still want our newsletter?"),
    gettext_noop("Yes, keep sending it to me"),
)
"""The question and the button, for the consent record."""

WORDING_VERSION = "1"


def is_asked(reader: LinkedSubscriber) -> bool:
    """Whether the mail that the link came in asks this reader, and they have not said yes to it."""
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
    """Record that the reader still wants the newsletter, and end a pause. Pressing twice does no harm.

    Of a reader who has left, or was not asked by the mail of this link, nothing is changed.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list or was erased.
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
                wording_version=WORDING_VERSION,
                language=language,
                evidence=evidence,
            )
        reader.confirm_delivery(PREFERENCES_EVIDENCE, now)
        reader.session.commit()
