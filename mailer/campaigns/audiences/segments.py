"""Read segments, including the parts that depend on past deliveries and on saved segments.

``got:2021-1`` matches readers whose message the relay took, or may have taken. Deliveries in doubt count as
received, as they do when a campaign leaves out readers who already have the edition. So ``-got:2021-1`` never
sends twice; the few readers in doubt are listed in their campaign's report. ``got:2021-1/youth-forum`` is
about one story: it matches those whose message had it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, exists, or_, select
from sqlmodel import Session, col

from mailer.campaigns.audiences.story_recipients import StoryCampaign, read_story_campaigns, was_sent
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.settings import Settings
from subscribers.models import MergedSubscriber, Subscriber
from subscribers.segments.saved_segments import SavedSegmentStore
from subscribers.segments.segment import Segment, parse_segment
from subscribers.segments.term_description import Vocabulary

RECEIVED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)
"""The states of a delivery whose reader has, or may have, the edition."""


class DeliveryHistory:
    """What was sent to whom, according to the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent_stories: dict[str, Mapping[str, tuple[StoryCampaign, ...]]] = {}

    def editions(self) -> Sequence[str]:
        """The editions of all campaigns, including those that have not started, newest first."""
        return self._editions

    @cached_property
    def _editions(self) -> Sequence[str]:
        found = self._connection.scalars(select(col(Campaign.edition)).order_by(col(Campaign.id).desc()))
        return tuple(dict.fromkeys(found))

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """The condition on ``Subscriber`` that they received one of ``editions``, or a story of one."""
        whole = [name for name in editions if "/" not in name]
        conditions = [has_got(whole)] if whole else []
        for edition, _, story in (name.partition("/") for name in editions if "/" in name):
            conditions.append(was_sent(self._read_story_campaigns(edition).get(story, ())))
        return or_(*conditions)

    def stories(self, edition: str) -> Sequence[str]:
        """The stories of ``edition``, in the order they were last sent in."""
        return tuple(self._read_story_campaigns(edition))

    def _read_story_campaigns(self, edition: str) -> Mapping[str, tuple[StoryCampaign, ...]]:
        # Kept, because a segment is used after the connection it was parsed with.
        if edition not in self._sent_stories:
            self._sent_stories[edition] = read_story_campaigns(self._connection, edition)
        return self._sent_stories[edition]


def has_got(editions: Sequence[str]) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they received one of ``editions`` in any campaign."""
    campaigns = select(col(Campaign.id)).where(col(Campaign.edition).in_(editions))
    return has_delivery(col(Delivery.campaign_id).in_(campaigns), col(Delivery.state).in_(RECEIVED_STATES))


def has_delivery(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they, or somebody who was merged into them, have a delivery for
    which ``conditions`` hold."""
    mine = col(Delivery.subscriber_id) == col(Subscriber.id)
    # Apart from each other: joined inside, they would be looked up for each subscriber without an index.
    through_another = (
        select(col(MergedSubscriber.kept_id))
        .join(Delivery, col(Delivery.subscriber_id) == col(MergedSubscriber.subscriber_id))
        .where(*conditions)
    )
    return or_(
        exists().where(mine, *conditions).correlate(Subscriber), col(Subscriber.id).in_(through_another)
    )


def read_segment(query: str, settings: Settings, database: Session | Connection) -> Segment:
    """Parse a segment, with the workspace's sectors and the deliveries and saved segments in the database.

    Raises:
        SegmentError: the segment is invalid; the message shows where.
    """
    connection = database.connection() if isinstance(database, Session) else database
    return parse_segment(
        query,
        sectors=settings.sectors,
        deliveries=DeliveryHistory(connection),
        saved=SavedSegmentStore(connection),
    )


def vocabulary_of(settings: Settings) -> Vocabulary:
    """The workspace's own names for sectors and countries, used to describe segments in words, in English
    where it has English names."""
    sectors = {slug: settings.find_sector_name(slug, "en") or name for slug, name in settings.sectors.items()}
    return Vocabulary(sectors=sectors, countries=settings.countries | settings.country_names.get("en", {}))
