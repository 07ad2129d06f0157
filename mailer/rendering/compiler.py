"""Compiling: an edition and a theme become one mail per language, once, however many readers it has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editions.imaging import PreparedImage
from editions.memory import Latest
from editions.model import Edition
from editions.sections import arrange_sections
from mailer.errors import TemplateError
from mailer.rendering.body.assembly import join_text
from mailer.rendering.body.fragments import parse_slices
from mailer.rendering.body.variants import StoryFacts
from mailer.rendering.compiled import CompiledEdition, digest_parts
from mailer.rendering.incremental import draw_again
from mailer.rendering.pipeline.rendered_page import Drawn
from mailer.rendering.template_context.page import Page
from mailer.rendering.template_context.page_builder import Layout
from mailer.rendering.themes.phrases import Words, load_words
from mailer.rendering.themes.template_files import Stamps, stamp_templates
from mailer.rendering.themes.theme import Theme, find_logo, load_theme
from mailer.rendering.worker.client import start_drawing
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """An edition laid out in one language, before a template has drawn it."""

    page: Page
    images: tuple[PreparedImage, ...]
    template: str
    overrides: Path | None
    stamps: Stamps | None

    def draw(self) -> Drawn:
        return draw_again(self.page, template=self.template, overrides=self.overrides, stamps=self.stamps)


@dataclass(frozen=True, kw_only=True)
class _Dress:
    """What a mail of one language is dressed in, besides its templates."""

    theme: Theme
    words: Words
    logo: Path | None


_dresses: Latest[_Dress] = Latest(64)


def compile_edition(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> CompiledEdition:
    """Compile ``edition`` in ``language`` (its own where None); templates in ``overrides`` come before ours.

    Raises:
        TemplateError: a template or the theme is wrong, the edition does not speak the language, or a text
            holds the mark of a hole; with template, story and line.
    """
    draft = _lay_out(edition, settings, language=language, overrides=overrides)
    return _freeze(edition, settings, draft, draft.draw())


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
    stamps = stamp_templates(overrides)
    dress = _find_dress(edition.template, wanted, overrides, stamps)
    layout = Layout(
        edition=edition,
        settings=settings,
        language=wanted,
        theme=dress.theme,
        words=dress.words,
        logo=dress.logo,
    )
    return _Draft(
        page=layout.build_page(),
        images=tuple(layout.images.values()),
        template=edition.template,
        overrides=overrides,
        stamps=stamps,
    )


def _find_dress(template: str, language: str, overrides: Path | None, stamps: Stamps | None) -> _Dress:
    """The theme ``template`` and the words of ``language``, read anew unless the ``stamps`` of all templates
    say that nothing has changed."""

    def load() -> _Dress:
        theme = load_theme(template, overrides)
        return _Dress(theme=theme, words=load_words(language, overrides), logo=find_logo(theme, overrides))

    if stamps is None:
        return load()
    return _dresses.recall((template, language, overrides), (stamps,), load)
