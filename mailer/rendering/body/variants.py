"""Variants: which stories of an edition a reader gets, in which order, and in which language.

There are few variants and many readers: readers with the same interests share one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from editions.model import Personalisation


# A tuple: every message looks up its variant by it, and a tuple of sets is hashed in C.
class Interests(NamedTuple):
    """What a reader follows: sectors by slug, countries by ISO code. Empty means everything."""

    sectors: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.sectors or self.countries)


NO_INTERESTS = Interests()


@dataclass(frozen=True, kw_only=True)
class StoryFacts:
    """What determines who gets a story: its ``section``, its sector ("" for none), its countries."""

    slug: str
    section: str
    sector: str
    countries: tuple[str, ...]
    everyone: bool

    @property
    def is_for_all(self) -> bool:
        """Whether every reader gets it: the author said so, or it has neither sector nor country."""
        return self.everyone or not (self.sector or self.countries)

    def concerns(self, interests: Interests) -> bool:
        return self.sector in interests.sectors or not interests.countries.isdisjoint(self.countries)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """An edition as one group of readers sees it: ``stories`` by slug in reading order, those of a section
    together; ``named`` if the reader is greeted by name."""

    language: str
    stories: tuple[str, ...]
    named: bool = True

    def __post_init__(self) -> None:
        # Looked up once per reader: without this, a tuple of dozens of strings would be hashed each time.
        object.__setattr__(self, "_hash", hash((self.language, self.stories, self.named)))

    def __hash__(self) -> int:
        known: int = self._hash  # type: ignore[attr-defined]
        return known


def choose_stories(
    stories: Sequence[StoryFacts], interests: Interests, personalisation: Personalisation
) -> tuple[str, ...]:
    """Return the slugs of the ``stories`` for a reader with these ``interests``, in that reader's order.
    ``order`` puts the sections of followed sectors first, after the feature, and within each section the
    stories about followed countries; ``filter`` also leaves out stories that concern neither, unless they are
    for everyone. A reader who follows nothing gets everything in the edition's order, and so does a reader
    who would otherwise get nothing."""
    if personalisation is Personalisation.off or not interests:
        return tuple(story.slug for story in stories)
    kept = list(stories)
    if personalisation is Personalisation.filter:
        kept = [story for story in stories if story.is_for_all or story.concerns(interests)] or kept
    places = {section: place for place, section in enumerate(dict.fromkeys(s.section for s in stories))}

    def rank(story: StoryFacts) -> tuple[bool, bool, int, bool]:
        followed = story.section in interests.sectors
        near = not interests.countries.isdisjoint(story.countries)
        return story.section != "feature", not followed, places[story.section], not near

    return tuple(story.slug for story in sorted(kept, key=rank))


def encode_stories(stories: Sequence[StoryFacts], slugs: Collection[str]) -> str:
    """Return the ``slugs`` of a message among the ``stories`` of its edition, as one word for the ledger: a
    hexadecimal number, its lowest bit the first story. So a million deliveries take a few megabytes."""
    return f"{sum(1 << place for place, story in enumerate(stories) if story.slug in slugs):x}"


def decode_stories(stories: Sequence[StoryFacts], words: str) -> frozenset[str]:
    """Return the slugs that :func:`encode_stories` wrote, of all messages in ``words``."""
    bits = 0
    for word in words.split():
        bits |= int(word, 16)
    return frozenset(story.slug for place, story in enumerate(stories) if bits >> place & 1)


def choose_language(wanted: str | None, available: Sequence[str]) -> str:
    """Return the language from ``available`` (the edition's own first) for a reader who asked for ``wanted``:
    that, then the same language in another script or country (``zh`` and ``zh-Hans``), then the edition's
    own. Tags are compared without regard to case (BCP 47 §2.1.1)."""
    if wanted:
        tags = {tag.casefold(): tag for tag in available}
        if wanted.casefold() in tags:
            return tags[wanted.casefold()]
        for tag in available:
            if _primary_subtag(tag) == _primary_subtag(wanted):
                return tag
    return available[0]


def _primary_subtag(tag: str) -> str:
    return tag.partition("-")[0].casefold()
