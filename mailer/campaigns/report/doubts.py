"""Readers who may or may not have got the mail, by name."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection
from sqlalchemy import select as select_columns
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.rendering.recipient import message_id
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_MAX_IN_DOUBT = 1000


@dataclass(frozen=True, kw_only=True)
class InDoubtReader:
    """A reader who may or may not have got the mail; ``message_id`` finds it in a server's log."""

    email: str
    message_id: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def read_in_doubt(
    connection: Connection, campaign_id: int, workspace: Workspace
) -> tuple[InDoubtReader, ...]:
    """The first readers in doubt, by name."""
    columns = (col(Delivery.subscriber_id), col(Subscriber.email), col(Delivery.reason))
    statement = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
        .limit(_MAX_IN_DOUBT)
    )
    return tuple(
        InDoubtReader(email=email, message_id=make_message_id(campaign_id, number, workspace), reason=reason)
        for number, email, reason in connection.execute(statement)
    )


def make_message_id(campaign_id: int, subscriber_id: int, workspace: Workspace) -> str:
    """The Message-ID of a reader's message."""
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id, domain, signer)
