"""The parts that only some emails contain: their style rules are written only where they are needed."""

from collections.abc import Iterable, Iterator

from markupsafe import Markup

from mailer.rendering.template_context.page import LetterView, SectionView, StoryView

# What the HTML of a text contains, by the classes that editions.markdown writes.
_MARKED = {"table": ' class="tb', "wide-table": ' class="tb tw"', "notes": ' class="c fn"'}


def find_parts(letter: LetterView | None, sections: Iterable[SectionView]) -> tuple[str, ...]:
    """The names of the parts that ``letter`` and ``sections`` contain, as ``page.parts`` has them."""
    found = set(_parts_of_text(letter.body_html)) if letter else set()
    for section in sections:
        found.update(_parts_of_text(section.introduction_html))
        for story in () if section.as_cards else section.stories:
            found.update(_parts_of_story(story))
    return tuple(sorted(found))


def _parts_of_story(story: StoryView) -> Iterator[str]:
    yield from _parts_of_text(story.body_html)
    if story.gallery:
        yield "gallery"
    if story.button:
        yield "button"


def _parts_of_text(html: Markup) -> Iterator[str]:
    if " class=" in html:
        yield from (part for part, sign in _MARKED.items() if sign in html)
