"""Drawing a mail again after some of its stories changed: only those are drawn.

A slice says the same whatever stands beside it. That lets every reader have a mail of their own; and it lets
a mail of twenty-six stories, one of them changed, be the mail drawn before with one slice from a mail of one
story.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from editions.memory import Memory
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import SliceKind, find_slice, parse_slices, walk_slices
from mailer.rendering.pipeline.rendered_page import Drawn
from mailer.rendering.template_context.page import Page, StoryView
from mailer.rendering.template_context.reserved_marks import refuse_marks
from mailer.rendering.themes.template_files import Stamps
from mailer.rendering.worker.client import draw_apart

# Mails kept: what one writer looks at in turn, and a few more.
_MOST = 8
# Where more than this share of the stories changed, drawing all of them is as quick.
_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class _Pieces:
    """A page taken apart: the stories, their slugs by section, and the page without them."""

    frame: Page
    order: tuple[tuple[str, ...], ...]
    stories: Mapping[str, StoryView]


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """A page as it was drawn, by templates in the state of ``stamps``."""

    pieces: _Pieces
    stamps: Stamps
    drawn: Drawn


class _UnlikeError(Exception):
    """The new slices do not fit into the mail drawn before."""


_drawings: Memory[_Drawing] = Memory(_MOST)


def draw_again(page: Page, *, template: str, overrides: Path | None, stamps: Stamps | None) -> Drawn:
    """As :func:`mailer.rendering.worker.client.draw_apart`, with what was drawn before where it is still right.

    ``stamps`` are those of the templates before ``page`` was made with their tokens and words.

    Raises:
        TemplateError: as there; or a text holds a mark, or the template loses a slice.
    """
    pieces = _take_apart(page)
    key = (template, overrides, page.language, page.title, page.issue)
    before = _drawings.find(key)
    drawn = None
    if before and before.stamps == stamps:
        drawn = _redraw(before, pieces, page, template=template, overrides=overrides)
    drawn = drawn or _draw(page, template=template, overrides=overrides)
    if stamps is not None:
        _drawings.keep(key, _Drawing(pieces=pieces, stamps=stamps, drawn=drawn))
    return drawn


def _take_apart(page: Page) -> _Pieces:
    return _Pieces(
        frame=replace(page, sections=tuple(replace(section, stories=()) for section in page.sections)),
        order=tuple(tuple(story.slug for story in section.stories) for section in page.sections),
        stories={story.slug: story for section in page.sections for story in section.stories},
    )


def _redraw(
    before: _Drawing, pieces: _Pieces, page: Page, *, template: str, overrides: Path | None
) -> Drawn | None:
    """The mail of ``page`` from the one ``before``; None where it must be drawn whole."""
    known = before.pieces
    if pieces.order != known.order or pieces.frame != known.frame:
        return None
    changed = [slug for slug, story in pieces.stories.items() if story != known.stories[slug]]
    if not changed:
        return before.drawn
    if not before.drawn.apart or len(changed) > len(pieces.stories) * _SHARE:
        return None
    try:
        few = _draw(_only(page, changed), template=template, overrides=overrides)
        return _put_in(before.drawn, few, changed)
    except (TemplateError, _UnlikeError):
        # Of a fault, the whole mail tells the line.
        return None


def _draw(page: Page, *, template: str, overrides: Path | None) -> Drawn:
    """``page`` drawn, and looked through before and after: what was drawn before need not be again."""
    # Around the sections stands what was looked through with the whole.
    refuse_marks(page if page.whole else page.sections)
    drawn = draw_apart(page, template=template, overrides=overrides)
    _refuse_lost_slices(page, drawn, template=template)
    return drawn


def _refuse_lost_slices(page: Page, drawn: Drawn, *, template: str) -> None:
    """A story or section outside every slice could not be left out or moved, and its numbers would lie."""
    wanted = {(SliceKind.section, section.key) for section in page.sections}
    wanted |= {(SliceKind.story, story.slug) for section in page.sections for story in section.stories}
    for marked, ending in ((drawn.html, "mjml"), (drawn.text, "txt")):
        name = f"email/{template}.{ending}.j2"
        parts = parse_slices(marked, what=name, markup=ending == "mjml")
        lost = wanted - {(one.kind, one.key) for one in walk_slices(parts)}
        if lost:
            kind, key = min(lost)
            raise TemplateError(
                f"{name}: the {kind} {key} is in no slice of its own. "
                f'Write begin("{kind}", {kind}.{"slug" if kind is SliceKind.story else "key"}) before it '
                f'and end("{kind}") after it.'
            )


def _only(page: Page, slugs: list[str]) -> Page:
    """``page`` with the stories ``slugs`` alone, of which only their slices are wanted."""
    sections = (
        replace(section, stories=tuple(story for story in section.stories if story.slug in slugs))
        for section in page.sections
    )
    return replace(page, whole=False, sections=tuple(section for section in sections if section.stories))


def _put_in(whole: Drawn, few: Drawn, slugs: list[str]) -> Drawn:
    """``whole`` with the slices of ``few`` for the stories ``slugs``."""
    if not few.apart:
        raise _UnlikeError
    # What a component needs in the head is not in its slice.
    head = whole.html.find("</head>")
    if head != few.html.find("</head>") or whole.html[:head] != few.html[:head]:
        raise _UnlikeError
    html, mjml, text = whole.html, whole.mjml, whole.text
    for slug in slugs:
        html = _exchange(html, few.html, slug, markup=True)
        mjml = _exchange(mjml, few.mjml, slug, markup=True)
        text = _exchange(text, few.text, slug, markup=False)
    return Drawn(mjml=mjml, html=html, text=text)


def _exchange(whole: str, few: str, slug: str, *, markup: bool) -> str:
    """``whole`` with the slice of the story ``slug`` that ``few`` has."""
    old = find_slice(whole, SliceKind.story, slug, markup=markup)
    new = find_slice(few, SliceKind.story, slug, markup=markup)
    if old is None or new is None:
        raise _UnlikeError
    return f"{whole[: old[0]]}{few[slice(*new)]}{whole[old[1] :]}"
