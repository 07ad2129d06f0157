"""Who was sent a story, by what was frozen with each campaign and what the ledger recorded of each message.

A message contains all stories of its edition unless the edition is personalised with ``filter``. Then the
ledger has the stories of each message. Campaigns that were sent before it did have only the readers: whether
they got the story is computed from what they follow today, and whoever has changed since counts as well, so
that rather too many are found than too few.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, false, not_, or_, select
from sqlmodel import col

from editions.model import Personalisation
from mailer.database.models import Campaign, CampaignContent, Delivery, DeliveryState
from mailer.rendering.body.variants import StoryFacts, decode_stories
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from subscribers.models import Subscriber, SubscriberCountry, SubscriberSector

_RECEIVED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)


@dataclass(frozen=True, kw_only=True)
class StoryCampaign:
    """A campaign that sent a story.

    ``to_all`` if every message had it. Otherwise ``words`` are those in :attr:`Delivery.stories` that stand
    for messages with it, and ``facts`` are the stories of the edition, to compute it where there is no word
    (``has_unrecorded``) for readers who have not changed since it was ``launched_at``.
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
        """The condition on ``Delivery`` and its ``Subscriber`` that the message had the story, and arrived or
        may have arrived."""
        taken = and_(col(Delivery.campaign_id) == self.campaign_id, col(Delivery.state).in_(_RECEIVED_STATES))
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
    """The launched campaigns of ``edition`` that had ``story``, oldest first."""
    return read_story_campaigns(connection, edition).get(story, ())


def read_story_campaigns(connection: Connection, edition: str) -> dict[str, tuple[StoryCampaign, ...]]:
    """The launched campaigns of ``edition`` by story; of each story the oldest campaign first."""
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
    """The frozen content of each launched campaign of ``edition``, in its own language, oldest first.

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


def was_sent(campaigns: Sequence[StoryCampaign]) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they were sent the story in one of ``campaigns``."""
    mine = col(Delivery.subscriber_id) == col(Subscriber.id)
    return or_(false(), *(exists().where(mine, one.delivered).correlate(Subscriber) for one in campaigns))


def _read_recorded(connection: Connection, number: int, content: CompiledEdition) -> frozenset[str | None]:
    """The different stories that messages of a campaign contained, as the ledger has them."""
    if content.personalise is not Personalisation.filter:
        return frozenset()
    # A few hundred, whatever the number of readers.
    distinct = select(col(Delivery.stories)).where(
        col(Delivery.campaign_id) == number, col(Delivery.state).in_(_RECEIVED_STATES)
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
    """The condition on ``Subscriber`` that ``filter`` would choose ``story`` for them today.

    It says in SQL what :func:`~mailer.rendering.body.variants.choose_stories` does; a test compares them.
    """
    facts = next(found for found in stories if found.slug == story)
    if facts.is_for_all:
        return ~false()
    nothing = and_(
        col(Subscriber.country).is_(None), not_(_follows_sector()), not_(_follows_country_elsewhere())
    )
    chosen = [nothing, _concerns(facts)]
    if not any(found.is_for_all for found in stories):
        # Who would be left without a story gets them all.
        chosen.append(not_(or_(*map(_concerns, stories))))
    return or_(*chosen)


def _concerns(facts: StoryFacts) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [false()]
    if facts.sector:
        conditions.append(_follows_sector(col(SubscriberSector.sector) == facts.sector))
    if facts.countries:
        # Not NULL for a reader without a country: "not" of it has to be true.
        here = and_(col(Subscriber.country).is_not(None), col(Subscriber.country).in_(facts.countries))
        elsewhere = col(SubscriberCountry.country).in_(facts.countries)
        conditions += [here, _follows_country_elsewhere(elsewhere)]
    return or_(*conditions)


def _follows_sector(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    theirs = col(SubscriberSector.subscriber_id) == col(Subscriber.id)
    return exists().where(theirs, *which).correlate(Subscriber)


def _follows_country_elsewhere(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    theirs = col(SubscriberCountry.subscriber_id) == col(Subscriber.id)
    return exists().where(theirs, *which).correlate(Subscriber)
