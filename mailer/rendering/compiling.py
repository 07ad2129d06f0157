"""Compiling: an edition and a theme become one mail per language, once, however many readers it has."""

from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from editions.imaging import PreparedImage
from editions.model import Edition
from editions.sections import arrange_sections
from mailer.errors import TemplateError
from mailer.rendering.assembling import join_text
from mailer.rendering.child import start_drawing
from mailer.rendering.compiled import CompiledEdition, digest_parts
from mailer.rendering.drawn import Drawn
from mailer.rendering.holes import MARK
from mailer.rendering.layout import Layout
from mailer.rendering.page import Holes, Page, SectionView
from mailer.rendering.redrawing import draw_again
from mailer.rendering.slicing import SEPARATORS, SliceKind, parse_slices, walk_slices
from mailer.rendering.theme import find_logo, load_theme
from mailer.rendering.variants import StoryFacts
from mailer.rendering.words import load_words
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """An edition laid out in one language, before a template has drawn it."""

    page: Page
    images: tuple[PreparedImage, ...]
    template: str
    overrides: Path | None

    def draw(self) -> Drawn:
        return draw_again(self.page, template=self.template, overrides=self.overrides)


def compile_edition(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> CompiledEdition:
    """Compile ``edition`` in ``language`` (its own where None); templates in ``overrides`` come before ours.

    Raises:
        TemplateError: a template or the theme is wrong, the edition does not speak the language, or a text
            holds the mark of a hole; with template, story and line.
    """
    draft = _lay_out(edition, settings, language=language, overrides=overrides)
    compiled = _freeze(edition, settings, draft, draft.draw())
    _refuse_lost_slices(compiled, template=draft.template)
    return compiled


def _freeze(edition: Edition, settings: Settings, draft: _Draft, drawn: Drawn) -> CompiledEdition:
    page = draft.page
    values: dict[str, Any] = {
        "slug": edition.slug,
        "language": page.language,
        "title": page.title,
        "subject": page.subject,
        "preheader": page.preheader,
        "sender_name": edition.sender_name or settings.sender.name,
        "greeting": page.words.greeting,
        "one_story": page.words.one_story,
        "many_stories": page.words.stories,
        # A body that ends with a line end needs no soft break before the boundary of its part. Not strip()
        # alone: the separators that mark slices count as white space.
        "html": drawn.html.strip(" \n") + "\n",
        "text": drawn.text.strip(" \n") + "\n",
        "personalise": edition.personalise,
        "switched_off": dict(edition.checks),
    }
    stories = _list_stories(edition, settings)
    pictures = sorted(image.name for image in draft.images)
    return CompiledEdition(
        **values,
        stories=stories,
        digest=digest_parts([*map(str, values.values()), *map(repr, stories), *pictures]),
        images=draft.images,
    )


def _list_stories(edition: Edition, settings: Settings) -> tuple[StoryFacts, ...]:
    return tuple(
        StoryFacts(
            slug=story.slug,
            section=section.key,
            sector=story.sector or "",
            countries=story.countries,
            everyone=story.everyone,
        )
        for section in arrange_sections(edition, sectors=tuple(settings.sectors))
        for story in section.stories
    )


def _refuse_lost_slices(compiled: CompiledEdition, *, template: str) -> None:
    """A story or section outside every slice could not be left out or moved, and its numbers would lie."""
    wanted = {(SliceKind.story, story.slug) for story in compiled.stories}
    wanted |= {(SliceKind.section, story.section) for story in compiled.stories}
    for parts, ending in ((compiled.html_parts, "mjml"), (compiled.text_parts, "txt")):
        lost = wanted - {(one.kind, one.key) for one in walk_slices(parts)}
        if lost:
            kind, key = min(lost)
            raise TemplateError(
                f"email/{template}.{ending}.j2: the {kind} {key} is in no slice of its own. "
                f'Write begin("{kind}", {kind}.{"slug" if kind is SliceKind.story else "key"}) before it '
                f'and end("{kind}") after it.'
            )


def compile_mjml(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> str:
    """The MJML of :func:`compile_edition` with all its stories, as the templates write it; it raises the
    same."""
    draft = _lay_out(edition, settings, language=language, overrides=overrides)
    drawn = draft.draw()
    compiled = _freeze(edition, settings, draft, drawn)
    parts = parse_slices(drawn.mjml, what=f"email/{draft.template}.mjml.j2", markup=True)
    return join_text(parts, compiled.select(compiled.full_variant), markup=True)


def _lay_out(edition: Edition, settings: Settings, *, language: str | None, overrides: Path | None) -> _Draft:
    wanted = language or edition.language
    if wanted not in edition.languages:
        raise TemplateError(
            f"{edition.slug}: there is no edition in {wanted}. There is: {', '.join(edition.languages)}."
        )
    # Laying out takes about as long as the process that draws needs to be ready.
    start_drawing()
    theme = load_theme(edition.template, overrides)
    layout = Layout(
        edition=edition,
        settings=settings,
        language=wanted,
        theme=theme,
        words=load_words(wanted, overrides),
        logo=find_logo(theme, overrides),
    )
    page = layout.build_page()
    _refuse_marks(page)
    return _Draft(
        page=page, images=tuple(layout.images.values()), template=edition.template, overrides=overrides
    )


def _refuse_marks(page: Page) -> None:
    """A writer's ``@@`` would be taken for a hole, and a reader's link put where none belongs; a separator
    of slices would end one."""
    texts: list[tuple[str, str]] = []
    _gather_texts(page, "edition.md", texts)
    for place, text in texts:
        for mark, meaning in _NEVER:
            if mark in text:
                start, sign = max(text.index(mark) - 20, 0), mark if mark.isprintable() else repr(mark)
                raise TemplateError(
                    f"{place}: “{text[start : start + 60]}” holds {sign}, which marks {meaning}. "
                    "Write it otherwise."
                )


_NEVER = (
    (MARK, "what differs from reader to reader"),
    *((sign, "where a slice of the mail begins or ends") for sign in SEPARATORS),
    ("\0", "nothing that a mail may hold"),
)


def _gather_texts(value: object, place: str, texts: list[tuple[str, str]]) -> None:
    """Put every text in ``value`` into ``texts``, with the file it came from."""
    if isinstance(value, str):
        texts.append((place, value))
    elif isinstance(value, tuple):
        for item in value:
            _gather_texts(item, place, texts)
    else:
        place = getattr(value, "origin", place)
        kind: Any = type(value)
        for name in _fields_with_texts(kind):
            _gather_texts(getattr(value, name), place, texts)


@cache
def _fields_with_texts(kind: type) -> tuple[str, ...]:
    """The fields of a part of the page; the holes themselves are not texts."""
    if not is_dataclass(kind) or kind is Holes:
        return ()
    return tuple(entry.name for entry in fields(kind) if (kind, entry.name) not in _MARKED)


# Numbers that differ from variant to variant: marks by design.
_MARKED = {(SectionView, "number"), (SectionView, "count")}
