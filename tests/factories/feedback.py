"""Messages that came back, as their reader hands them on, and a list of readers who were sent a campaign."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Delivery, DeliveryState
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import IncomingMessage, OriginalMessage, ReportedRecipient
from mailer.feedback.recorder import Arrival, Receipt, record
from mailer.reasons.reason import Reason
from mailer.workspace import Workspace
from subscribers.models import ConsentRecord, Subscriber
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import add_campaign

BOUNCE_ADDRESS = "bounce@news.example.org"


def set_feedback(workspace: Workspace, **values: Any) -> Workspace:
    """The workspace with other values in ``[feedback]``."""
    section = workspace.settings.feedback.model_copy(update=values)
    return replace(workspace, settings=workspace.settings.model_copy(update={"feedback": section}))


def add_sent_campaign(engine: Engine, readers: int | list[str], *, at: datetime, **values: Any) -> int:
    """Add a campaign that was sent to ``readers`` at ``at``; return its number."""
    number = add_campaign(engine, readers, **values)
    set_deliveries(engine, number, state=DeliveryState.sent, updated_at=at)
    return number


def send_again(engine: Engine, people: list[int], *, at: datetime, audience: int | None = None) -> int:
    """Add another campaign that was sent to ``people`` (numbers of subscribers)."""
    number = add_campaign(engine, 0, audience=audience or len(people))
    with Session(engine) as session:
        session.add_all(
            Delivery(campaign_id=number, subscriber_id=one, state=DeliveryState.sent, updated_at=at)
            for one in people
        )
        session.commit()
    return number


def set_deliveries(engine: Engine, campaign_id: int, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.campaign_id) == campaign_id).values(**values))


def sign(workspace: Workspace, person: int, campaign: int, purpose: LinkPurpose = LinkPurpose.bounce) -> str:
    return workspace.keys.tokens.sign_mail(purpose, subscriber_id=person, campaign_id=campaign)


def make_bounce(
    token: str = "",
    *,
    reason: Reason | None = Reason.no_such_user,
    address: str = "",
    action: str = "failed",
    **values: Any,
) -> IncomingMessage:
    """A bounce that came to the bounce address with ``token``, or to the plain one without."""
    fields = {"code": "550", "status": "5.1.1", "words": f"550 5.1.1 <{address}>: no such user", **values}
    recipient = ReportedRecipient(address=address, reason=reason, action=action, **fields)
    local, _, domain = BOUNCE_ADDRESS.partition("@")
    to = f"{local}+{token}@{domain}" if token else BOUNCE_ADDRESS
    return IncomingMessage(kind=FeedbackKind.bounce, recipients=(recipient,), delivered_to=(to,))


def make_leave(token: str) -> IncomingMessage:
    return IncomingMessage(
        kind=FeedbackKind.leave, delivered_to=(f"leave+{token}@news.example.org",), sender="who@example.com"
    )


def make_complaint(*, token: str = "", address: str = "") -> IncomingMessage:
    recipients = (ReportedRecipient(address=address, reason=Reason.complaint),) if address else ()
    original = OriginalMessage(feedback_token=token)
    return IncomingMessage(kind=FeedbackKind.complaint, recipients=recipients, original=original)


def bring(
    context: FeedbackContext,
    message: IncomingMessage,
    *,
    now: datetime,
    key: str = "",
    raw: bytes | None = b"From: somebody\r\n\r\nwords\r\n",
    **values: Any,
) -> Receipt:
    """Record ``message``; a different ``key`` makes it another message that says the same."""
    fingerprint = hashlib.sha256(repr((message, key)).encode()).hexdigest()
    arrival = Arrival(message=message, fingerprint=fingerprint, source="test", raw=raw, **values)
    return record(context, arrival, now=now)


def read_events(engine: Engine) -> list[FeedbackEvent]:
    with Session(engine) as session:
        found = list(session.exec(select(FeedbackEvent).order_by(col(FeedbackEvent.id))))
        session.expunge_all()
        return found


def read_messages(engine: Engine) -> list[FeedbackMessage]:
    with Session(engine) as session:
        found = list(session.exec(select(FeedbackMessage).order_by(col(FeedbackMessage.id))))
        session.expunge_all()
        return found


def read_statuses(engine: Engine) -> dict[int, str]:
    with Session(engine) as session:
        people = session.exec(select(Subscriber).order_by(col(Subscriber.id)))
        return {one.id or 0: one.status.value for one in people}


def read_records(engine: Engine) -> list[tuple[int, str, str, str]]:
    """The consent records: whose, which event, how, and with which evidence."""
    with Session(engine) as session:
        records = session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id)))
        return [(one.subscriber_id, one.event.value, one.method, one.evidence) for one in records]
