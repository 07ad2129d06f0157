"""Read segments, including the parts that depend on past deliveries and on saved segments.

``got:2021-1`` matches readers whose message the relay took, or may have taken. Deliveries in doubt count as
received, as they do when a campaign leaves out readers who already have the edition. So ``-got:2021-1``
never sends twice; the few readers in doubt are listed in their campaign's report. ``got:2021-1/youth-forum``
is about one story: it matches those whose message had it.

A message contains all stories of its edition unless the edition is personalised with ``filter``. Then the
ledger has the stories of each message. Campaigns that were sent before it did have only the readers: whether
they got the story is computed from what they follow today, and whoever has changed since counts as well, so
that rather too many are found than too few.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, not_, or_, select
from sqlmodel import Session, col

from editions.model import Personalisation
from mailer.database.models import Campaign, CampaignContent, Correction, Delivery, DeliveryState
from mailer.rendering.body.variants import StoryFacts, decode_stories
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.settings import Settings
from subscribers.models import MergedSubscriber, Subscriber, SubscriberCountry, SubscriberSector
from subscribers.segments.description import Vocabulary
from subscribers.segments.saved_segments import SavedSegmentStore
from subscribers.segments.segment import Segment, parse_segment

RECEIVED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)
"""The states of a delivery whose reader has, or may have, the edition."""


@dataclass(frozen=True, kw_only=True)
class StoryCampaign:
    """A campaign that sent a story.

    Unless every message had it (``to_all``), ``words`` are those in :attr:`Delivery.stories` that stand for
    messages with it, and ``facts`` the stories of the edition, to compute it where there is no word for
    readers who have not changed since it was launched.
    """

    campaign_id: int
    story: str
    to_all: bool
    launched_at: datetime
    words: tuple[str, ...] = ()
    has_unrecorded: bool = False
    facts: tuple[StoryFacts, ...] = ()

    @property
    def delivered(self) -> ColumnElement[bool]:
        """The condition on ``Delivery`` and its ``Subscriber`` that the message had the story and has,
        or may have, arrived."""
        taken = and_(col(Delivery.campaign_id) == self.campaign_id, col(Delivery.state).in_(RECEIVED_STATES))
        if self.to_all:
            return taken
        recorded = col(Delivery.stories).in_(self.words)
        if not self.has_unrecorded:
            return and_(taken, recorded)
        changed = col(Subscriber.updated_at) > self.launched_at
        computed = and_(
            col(Delivery.stories).is_(None), or_(changed, _is_chosen_today(self.story, self.facts))
        )
        return and_(taken, or_(recorded, computed))


def find_story_campaigns(connection: Connection, edition: str, story: str) -> tuple[StoryCampaign, ...]:
    """Return the launched campaigns of ``edition`` that had ``story``, oldest first."""
    return read_story_campaigns(connection, edition).get(story, ())


def read_story_campaigns(connection: Connection, edition: str) -> dict[str, tuple[StoryCampaign, ...]]:
    """Return the launched campaigns of ``edition`` by story; of each story the oldest campaign first."""
    found: dict[str, list[StoryCampaign]] = {}
    contents = [*read_sent_contents(connection, edition)]
    for facts in (facts for _, _, content in reversed(contents) for facts in content.stories):
        found.setdefault(facts.slug, [])
    for number, launched_at, content in contents:
        recorded = _read_recorded(connection, number, content)
        for facts in content.stories:
            found[facts.slug].append(_make_campaign(number, launched_at, content, facts.slug, recorded))
    return {story: tuple(campaigns) for story, campaigns in found.items()}


def read_sent_contents(
    connection: Connection, edition: str
) -> Iterator[tuple[int, datetime, CompiledEdition]]:
    """Yield the frozen content of each launched campaign of ``edition``, in its own language, oldest first.

    Those written by another version of the program are left out.
    """
    statement = (
        select(col(Campaign.id), col(Campaign.launched_at), col(CampaignContent.body))
        .join(CampaignContent, col(CampaignContent.campaign_id) == col(Campaign.id))
        .where(
            col(Campaign.edition) == edition,
            col(Campaign.launched_at).is_not(None),
            col(CampaignContent.language) == col(Campaign.language),
        )
        .order_by(col(Campaign.id))
    )
    for number, launched_at, body in connection.execute(statement):
        try:
            content = CompiledEdition.from_bytes(body)
        except CompiledVersionError:
            continue
        assert number is not None  # noqa: S101 - it came from the database
        assert launched_at is not None  # noqa: S101 - the statement asks for it
        yield number, launched_at, content


def list_sent_editions(session: Session, *, most: int) -> Sequence[tuple[str, datetime]]:
    """Return the editions that were sent last with the time, the newest first; corrections are none."""
    last = func.max(col(Campaign.launched_at))
    is_correction = col(Campaign.edition).in_(select(col(Correction.name)))
    wanted = (
        select(col(Campaign.edition), last)
        .where(col(Campaign.launched_at).is_not(None), not_(is_correction))
        .group_by(col(Campaign.edition))
        .order_by(last.desc())
        .limit(most)
    )
    return [(edition, at) for edition, at in session.execute(wanted)]


def was_sent(campaigns: Sequence[StoryCampaign]) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they were sent the story in one of ``campaigns``."""
    mine = col(Delivery.subscriber_id) == col(Subscriber.id)
    return or_(false(), *(exists().where(mine, one.delivered).correlate(Subscriber) for one in campaigns))


def _read_recorded(connection: Connection, number: int, content: CompiledEdition) -> frozenset[str | None]:
    """Return the different stories that messages of a campaign contained, as the ledger has them."""
    if content.personalise is not Personalisation.filter:
        return frozenset()
    # A few hundred, whatever the number of readers.
    distinct = select(col(Delivery.stories)).where(
        col(Delivery.campaign_id) == number, col(Delivery.state).in_(RECEIVED_STATES)
    )
    return frozenset(connection.scalars(distinct.distinct()))


def _make_campaign(
    number: int, launched_at: datetime, content: CompiledEdition, story: str, recorded: Collection[str | None]
) -> StoryCampaign:
    with_story = (
        words for words in recorded if words is not None and story in decode_stories(content.stories, words)
    )
    return StoryCampaign(
        campaign_id=number,
        story=story,
        to_all=content.personalise is not Personalisation.filter,
        launched_at=launched_at,
        words=tuple(sorted(with_story)),
        has_unrecorded=None in recorded,
        facts=content.stories,
    )


def _is_chosen_today(story: str, stories: Sequence[StoryFacts]) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that ``filter`` would choose ``story`` for them today.

    It says in SQL what :func:`~mailer.rendering.body.variants.choose_stories` does; a test compares them.
    """
    facts = next(found for found in stories if found.slug == story)
    if facts.is_for_all:
        return ~false()
    nothing = and_(
        col(Subscriber.country).is_(None), not_(_follows(SubscriberSector)), not_(_follows(SubscriberCountry))
    )
    chosen = [nothing, _concerns(facts)]
    if not any(found.is_for_all for found in stories):
        # Who would be left without a story gets them all.
        chosen.append(not_(or_(*map(_concerns, stories))))
    return or_(*chosen)


def _concerns(facts: StoryFacts) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [false()]
    if facts.sector:
        conditions.append(_follows(SubscriberSector, col(SubscriberSector.sector) == facts.sector))
    if facts.countries:
        # Not NULL for a reader without a country: "not" of it has to be true.
        here = and_(col(Subscriber.country).is_not(None), col(Subscriber.country).in_(facts.countries))
        elsewhere = col(SubscriberCountry.country).in_(facts.countries)
        conditions += [here, _follows(SubscriberCountry, elsewhere)]
    return or_(*conditions)


def _follows(
    what: type[SubscriberSector | SubscriberCountry], *which: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they follow a sector, or a country besides their own."""
    theirs = col(what.subscriber_id) == col(Subscriber.id)
    return exists().where(theirs, *which).correlate(Subscriber)


class DeliveryHistory:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent_stories: dict[str, Mapping[str, tuple[StoryCampaign, ...]]] = {}

    def editions(self) -> Sequence[str]:
        """Return the editions of all campaigns, including those that have not started, newest first."""
        return self._editions

    @cached_property
    def _editions(self) -> Sequence[str]:
        found = self._connection.scalars(select(col(Campaign.edition)).order_by(col(Campaign.id).desc()))
        return tuple(dict.fromkeys(found))

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition on ``Subscriber`` that they got one of ``editions``, or a story of one."""
        whole = [name for name in editions if "/" not in name]
        conditions = [has_got(whole)] if whole else []
        for edition, _, story in (name.partition("/") for name in editions if "/" in name):
            conditions.append(was_sent(self._read_story_campaigns(edition).get(story, ())))
        return or_(*conditions)

    def stories(self, edition: str) -> Sequence[str]:
        """Return the stories of ``edition``, in the order they were last sent in."""
        return tuple(self._read_story_campaigns(edition))

    def _read_story_campaigns(self, edition: str) -> Mapping[str, tuple[StoryCampaign, ...]]:
        # Kept, because a segment is used after the connection it was parsed with.
        if edition not in self._sent_stories:
            self._sent_stories[edition] = read_story_campaigns(self._connection, edition)
        return self._sent_stories[edition]


def has_got(editions: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they received one of ``editions`` in any campaign."""
    campaigns = select(col(Campaign.id)).where(col(Campaign.edition).in_(editions))
    return has_delivery(col(Delivery.campaign_id).in_(campaigns), col(Delivery.state).in_(RECEIVED_STATES))


def has_delivery(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they, or somebody merged into them, have such a
    delivery."""
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
    Raise SegmentError if it is invalid; the message shows where."""
    connection = database.connection() if isinstance(database, Session) else database
    return parse_segment(
        query,
        sectors=settings.sectors,
        deliveries=DeliveryHistory(connection),
        saved=SavedSegmentStore(connection),
    )


def vocabulary_of(settings: Settings) -> Vocabulary:
    """Return the workspace's own names for sectors and countries, in English where it has English names."""
    sectors = {slug: settings.find_sector_name(slug, "en") or name for slug, name in settings.sectors.items()}
    return Vocabulary(sectors=sectors, countries=settings.countries | settings.country_names.get("en", {}))
