"""The parts that only some emails contain: their style rules are written only where they are needed."""

from collections.abc import Iterable, Iterator

from mailer.rendering.template_context.page import SectionView, StoryView


def find_parts(sections: Iterable[SectionView]) -> tuple[str, ...]:
    """The names of the parts that ``sections`` contain, as ``page.parts`` has them."""
    stories = (story for section in sections for story in section.stories)
    return tuple(sorted({part for story in stories for part in _parts_of(story)}))


def _parts_of(story: StoryView) -> Iterator[str]:
    if story.gallery:
        yield "gallery"
