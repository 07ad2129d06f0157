"""Answering what a segment asks and the list does not know: who got an edition, and what was saved.

``got:2021-1`` means that the relay took the message, or may have taken it and nobody knows. A doubt counts
as "got", as it does when a campaign leaves out whoever has the edition: so ``-got:2021-1`` writes to nobody
twice, and the few in doubt are named by their campaign.
"""

from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, exists, select
from sqlmodel import Session, col

from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.settings import Settings
from subscribers.models import Subscriber
from subscribers.segments.saved_segments import SavedSegmentStore
from subscribers.segments.segment import Segment, parse_segment
from subscribers.segments.term_description import Vocabulary

RECEIVED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)
"""The states of a delivery whose reader has the edition, or may have it."""


class DeliveryHistory:
    """What was sent, as the database of ``connection`` has it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def editions(self) -> Sequence[str]:
        """The editions of all campaigns, also of those that have not begun; the newest first."""
        return self._editions

    @cached_property
    def _editions(self) -> Sequence[str]:
        found = self._connection.scalars(select(col(Campaign.edition)).order_by(col(Campaign.id).desc()))
        return tuple(dict.fromkeys(found))

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """Whether a subscriber got one of ``editions``, as a condition on ``Subscriber``."""
        return has_got(editions)


def has_got(editions: Sequence[str]) -> ColumnElement[bool]:
    """Whether a subscriber got one of ``editions`` by any campaign, as a condition on ``Subscriber``."""
    campaigns = select(col(Campaign.id)).where(col(Campaign.edition).in_(editions))
    return has_delivery(col(Delivery.campaign_id).in_(campaigns), col(Delivery.state).in_(RECEIVED_STATES))


def has_delivery(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a subscriber has a delivery of which ``conditions`` hold, as a condition on ``Subscriber``."""
    mine = col(Delivery.subscriber_id) == col(Subscriber.id)
    return exists().where(mine, *conditions).correlate(Subscriber)


def read_segment(query: str, settings: Settings, database: Session | Connection) -> Segment:
    """The query as a segment, with the workspace's sectors and all that the database knows.

    Raises:
        SegmentError: the query is wrong; the message shows the place.
    """
    connection = database.connection() if isinstance(database, Session) else database
    return parse_segment(
        query,
        sectors=settings.sectors,
        deliveries=DeliveryHistory(connection),
        saved=SavedSegmentStore(connection),
    )


def vocabulary_of(settings: Settings) -> Vocabulary:
    """The workspace's own names of sectors and countries, for a segment in words."""
    return Vocabulary(sectors=settings.sectors, countries=settings.countries)
