"""Readers who may or may not have got the mail, by name."""

from collections.abc import Sequence
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


def list_in_doubt(connection: Connection, campaign_id: int) -> tuple[int, ...]:
    """The numbers of the first 1,000 deliveries in doubt, in the order of the ledger."""
    statement = (
        select_columns(col(Delivery.id))
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
        .limit(_MAX_IN_DOUBT)
    )
    return tuple(number for number in connection.scalars(statement) if number is not None)


def read_in_doubt(
    connection: Connection, campaign_id: int, workspace: Workspace, deliveries: Sequence[int]
) -> tuple[InDoubtReader, ...]:
    """The readers of those ``deliveries`` that still are in doubt, by name."""
    columns = (col(Delivery.subscriber_id), col(Subscriber.email), col(Delivery.reason))
    statement = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.id).in_(deliveries), col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
    )
    return tuple(
        InDoubtReader(email=email, message_id=make_message_id(campaign_id, number, workspace), reason=reason)
        for number, email, reason in connection.execute(statement)
    )


def make_message_id(campaign_id: int, subscriber_id: int, workspace: Workspace) -> str:
    """The Message-ID of a reader's message."""
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id, domain, signer)
