"""Grouping stories into sections, and ordering them."""

from collections.abc import Sequence

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
        stories.setdefault(_section_of(story), []).append(story)
    fixed = ("centres-and-chairs", "campaigns", "office")
    others = [key for key in stories if key not in {"feature", *sectors, *fixed}]
    order = dict.fromkeys(("feature", *sectors, *others, *fixed))
    return tuple(Section(key=key, stories=tuple(stories[key])) for key in order if key in stories)


def _section_of(story: Story) -> str:
    return _SECTION_BY_KIND.get(story.kind) or story.sector or "office"
