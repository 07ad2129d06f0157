"""Organisations that have no reader left since a campaign: a partner is lost with the last person there."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func
from sqlalchemy import select as select_columns
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import Status, Subscriber

_WRITTEN_TO = (DeliveryState.sent, DeliveryState.in_doubt, DeliveryState.rejected)
_READERS = (Status.active, Status.paused)
_MAX_ORGANISATIONS = 100


@dataclass(frozen=True, kw_only=True)
class LostOrganisation:
    """An organisation whose last readers have left since the campaign, or whose addresses turned out to be
    dead; ``readers`` of them got it or would have."""

    name: str
    readers: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_lost_organisations(connection: Connection, campaign_id: int) -> tuple[LostOrganisation, ...]:
    """The first 100 organisations, by name, whose readers of a campaign have all gone since, and that have no
    other on the list.

    Names are compared without regard to capitals and to spaces around them.
    """
    name = func.lower(func.trim(col(Subscriber.organisation)))
    spelling = func.min(func.trim(col(Subscriber.organisation)))
    here = (
        select_columns(name.label("name"), func.count().label("readers"), spelling.label("spelling"))
        .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            col(Delivery.state).in_(_WRITTEN_TO),
            # Erased people are nameless, so nobody knows where they were.
            name != "",
            col(Subscriber.status).in_(GONE_STATUSES),
        )
        .group_by(name)
        .cte("gone")
    )
    still_read = select_columns(name).where(name != "", col(Subscriber.status).in_(_READERS))
    lost = (
        select_columns(here.c.spelling, here.c.readers)
        .where(here.c.name.not_in(still_read))
        .order_by(here.c.name)
        .limit(_MAX_ORGANISATIONS)
    )
    return tuple(LostOrganisation(name=told, readers=number) for told, number in connection.execute(lost))
