"""When the first mail of a campaign was handed over for the readers of a country."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from subscribers.models import Subscriber

_HANDED_OVER: Final = (DeliveryState.sent, DeliveryState.in_doubt)
_LONG_BEFORE: Final = timedelta(minutes=1)


class FirstDeliveries:
    """Answers from the ledger, once for each country. ``earliest`` is the first click of each.

    A filter follows links while it receives a mail, before it is known to have it; so mails in doubt count.
    """

    def __init__(self, connection: Connection, campaign_id: int, earliest: Mapping[str, datetime]) -> None:
        self._connection = connection
        self._campaign_id = campaign_id
        self._earliest = earliest
        self._found: dict[str, datetime | None] = {}

    def find(self, country: str) -> datetime | None:
        """The time of the first, or of any that was long before the country's first click; None if there is
        none.
        """
        if country not in self._found:
            self._found[country] = self._find(country)
        return self._found[country]

    def _find(self, country: str) -> datetime | None:
        # Of a million deliveries, one that is old enough is found at once, and the first is not needed.
        if (earliest := self._earliest.get(country)) is not None:
            long_before = col(Delivery.updated_at) < earliest - _LONG_BEFORE
            some = self._select(col(Delivery.updated_at), country).where(long_before).limit(1)
            found: datetime | None = self._connection.execute(some).scalar()
            if found is not None:
                return found
        first = self._connection.execute(self._select(func.min(col(Delivery.updated_at)), country)).scalar()
        return first if isinstance(first, datetime) else None

    def _select(self, what: Any, country: str) -> Any:
        theirs = col(Subscriber.country) == country if country else col(Subscriber.country).is_(None)
        return (
            select(what)
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(
                col(Delivery.campaign_id) == self._campaign_id,
                col(Delivery.state).in_(_HANDED_OVER),
                theirs,
            )
        )
