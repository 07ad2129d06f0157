"""Drawing a mail again after some of its stories changed: only those are drawn.

A slice says the same whatever stands beside it. That lets every reader have a mail of their own; and it lets
a mail of twenty-six stories, one of them changed, be the mail drawn before with one slice from a mail of one
story.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from editions.fingerprint import Stamp
from editions.memory import Memory
from mailer.errors import TemplateError
from mailer.rendering.child import draw_apart
from mailer.rendering.drawn import Drawn
from mailer.rendering.page import Page, StoryView
from mailer.rendering.slicing import SliceKind, mark_begin, mark_begin_text, mark_end, mark_end_text
from mailer.rendering.sources import stamp_templates

# Mails kept: what one writer looks at in turn, and a few more.
_MOST = 8
# Where more than this share of the stories changed, drawing all of them is as quick.
_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """A page as it was drawn, by templates in the state of ``stamps``."""

    page: Page
    stamps: frozenset[tuple[str, Stamp]]
    drawn: Drawn


class _UnlikeError(Exception):
    """The new slices do not fit into the mail drawn before."""


_drawings: Memory[_Drawing] = Memory(_MOST)


def draw_again(page: Page, *, template: str, overrides: Path | None) -> Drawn:
    """As :func:`mailer.rendering.child.draw_apart`, with what was drawn before where it is still right."""
    key = (template, overrides, page.language, page.title, page.issue)
    stamps = stamp_templates(overrides)
    before = _drawings.find(key)
    drawn = None
    if before and before.stamps == stamps:
        drawn = _redraw(before, page, template=template, overrides=overrides)
    drawn = drawn or draw_apart(page, template=template, overrides=overrides)
    if stamps is not None:
        _drawings.keep(key, _Drawing(page=page, stamps=stamps, drawn=drawn))
    return drawn


def _redraw(before: _Drawing, page: Page, *, template: str, overrides: Path | None) -> Drawn | None:
    """The mail of ``page`` from the one ``before``; None where it must be drawn whole."""
    stories, known = _stories_of(page), _stories_of(before.page)
    if list(stories) != list(known) or _without_stories(page) != _without_stories(before.page):
        return None
    changed = [slug for slug, story in stories.items() if story != known[slug]]
    if not changed:
        return before.drawn
    if len(changed) > len(stories) * _SHARE:
        return None
    try:
        few = draw_apart(_only(page, changed), template=template, overrides=overrides)
        return _put_in(before.drawn, few, changed)
    except (TemplateError, _UnlikeError):
        # Of a fault, the whole mail tells the line.
        return None


def _stories_of(page: Page) -> dict[str, StoryView]:
    return {story.slug: story for section in page.sections for story in section.stories}


def _without_stories(page: Page) -> Page:
    return replace(page, sections=tuple(replace(section, stories=()) for section in page.sections))


def _only(page: Page, slugs: list[str]) -> Page:
    """``page`` with the stories ``slugs`` alone, everything else as it is."""
    sections = (
        replace(section, stories=tuple(story for story in section.stories if story.slug in slugs))
        for section in page.sections
    )
    return replace(page, sections=tuple(section for section in sections if section.stories))


def _put_in(whole: Drawn, few: Drawn, slugs: list[str]) -> Drawn:
    """``whole`` with the slices of ``few`` for the stories ``slugs``."""
    # What a component needs in the head is not in its slice.
    if _head(whole.html) != _head(few.html):
        raise _UnlikeError
    html, mjml, text = whole.html, whole.mjml, whole.text
    for slug in slugs:
        html = _exchange(html, few.html, slug, mark_begin, mark_end)
        mjml = _exchange(mjml, few.mjml, slug, mark_begin, mark_end)
        text = _exchange(text, few.text, slug, mark_begin_text, mark_end_text)
    return Drawn(mjml=mjml, html=html, text=text)


def _head(html: str) -> str:
    return html.partition("</head>")[0]


def _exchange(
    whole: str, few: str, slug: str, begin: Callable[[str, str], str], end: Callable[[str], str]
) -> str:
    """``whole`` with the slice of the story ``slug`` that ``few`` has."""
    first, last = begin(SliceKind.story, slug), end(SliceKind.story)
    before, opened, rest = whole.partition(first)
    _, closed, after = rest.partition(last)
    _, found, few_rest = few.partition(first)
    slice_, few_closed, _ = few_rest.partition(last)
    if not (opened and closed and found and few_closed):
        raise _UnlikeError
    return f"{before}{first}{slice_}{last}{after}"
