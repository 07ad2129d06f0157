"""Grouping stories into sections, and ordering them."""

from collections.abc import Collection, Sequence

from editions.model import Edition, Section, Story, StoryKind

_SECTION_BY_KIND = {
    StoryKind.feature: "feature",
    StoryKind.centre: "centres-and-chairs",
    StoryKind.chair: "centres-and-chairs",
    StoryKind.campaign: "campaigns",
    StoryKind.notice: "office",
}


def arrange_sections(edition: Edition, *, sectors: Sequence[str]) -> tuple[Section, ...]:
    """The stories of ``edition`` in sections: the feature, the ``sectors`` in their order, centres and
    chairs, campaigns, the office. Stories keep their order; a section without stories is left out.

    A sector that is not one of ``sectors`` comes after them, so no story is lost.
    """
    stories: dict[str, list[Story]] = {}
    for story in edition.stories:
        stories.setdefault(find_section(story.kind, story.sector), []).append(story)
    order = order_sections(stories, sectors=sectors)
    return tuple(Section(key=key, stories=tuple(stories[key])) for key in order)


def order_sections(keys: Collection[str], *, sectors: Sequence[str]) -> list[str]:
    """The ``keys`` of sections in the order in which an edition has them."""
    fixed = ("centres-and-chairs", "campaigns", "office")
    others = [key for key in keys if key not in {"feature", *sectors, *fixed}]
    return [key for key in dict.fromkeys(("feature", *sectors, *others, *fixed)) if key in keys]


def find_section(kind: StoryKind, sector: str | None) -> str:
    """The key of the section in which a story of this kind and sector is."""
    return _SECTION_BY_KIND.get(kind) or sector or "office"
