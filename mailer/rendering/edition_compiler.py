"""The compiler: makes one email per language from an edition and a theme, once, however many readers it
has."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editions.cache import LatestCache
from editions.images.prepared_images import PreparedImage
from editions.model import Edition, EditionForm, arrange_sections
from locales.phrase import gettext_noop
from mailer.errors import TemplateError
from mailer.rendering.body.assembly import join_text
from mailer.rendering.body.fragments import parse_fragments
from mailer.rendering.body.variants import StoryFacts
from mailer.rendering.compiled_edition import CompiledEdition, digest_parts
from mailer.rendering.incremental import render_excerpt, render_incrementally
from mailer.rendering.template_context.page import Page, RenderedPage
from mailer.rendering.template_context.page_builder import PageBuilder
from mailer.rendering.themes.sector_colours import color_sectors
from mailer.rendering.themes.template_files import FileStamps, Phrases, load_phrases, stamp_templates
from mailer.rendering.themes.theme import Theme, find_logo
from mailer.rendering.themes.theme_files import check_digest_support, load_theme
from mailer.rendering.web_edition import freeze_page
from mailer.rendering.worker.client import start_worker
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class _PreparedPage:
    page: Page
    images: tuple[PreparedImage, ...]
    template: str
    overrides: Path | None
    stamps: FileStamps | None

    def render(self) -> RenderedPage:
        return render_incrementally(
            self.page, template=self.template, overrides=self.overrides, stamps=self.stamps
        )


# Without it, compiling after a change to one story takes 5 ms longer, and longer than npm's mjml alone.
_themes: LatestCache[tuple[Theme, Phrases]] = LatestCache(64)


def compile_edition(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> CompiledEdition:
    """Compile ``edition`` in ``language`` (None means its own); templates in ``overrides`` take precedence
    over ours.

    Raises:
        TemplateError: a template or the theme is wrong, the edition is not available in the language, or a
            text contains a reserved mark; with template, story and line.
    """
    prepared = _prepare_page(edition, settings, language=language, overrides=overrides)
    return _freeze(edition, settings, prepared, prepared.render())


def compile_excerpt(
    edition: Edition,
    settings: Settings,
    story: str,
    *,
    language: str | None = None,
    overrides: Path | None = None,
) -> CompiledEdition:
    """Compile the story with the slug ``story`` alone, as it looks in the email; an empty ``story`` is the
    letter, with the head and the foot of the email. For the preview: it takes the time of one story.

    Raises:
        TemplateError: as for :func:`compile_edition`, or there is no such story.
    """
    stories = tuple(found for found in edition.stories if found.slug == story)
    if story and not stories:
        missing = gettext_noop("%(edition)s: there is no story %(story)s.")
        raise TemplateError(missing, edition=edition.slug, story=story)
    excerpt = replace(edition, stories=stories)
    prepared = _prepare_page(excerpt, settings, language=language, overrides=overrides)
    shown = replace(prepared, page=replace(prepared.page, whole=not story, lists_contents=False))
    rendered = render_excerpt(shown.page, template=shown.template, overrides=overrides)
    return _freeze(excerpt, settings, shown, rendered)


def _freeze(
    edition: Edition, settings: Settings, prepared: _PreparedPage, rendered: RenderedPage
) -> CompiledEdition:
    page = prepared.page
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
        "html": rendered.html,
        "text": rendered.text,
        "personalise": edition.personalise,
        "switched_off": dict(edition.checks),
    }
    stories = _list_stories(edition, settings)
    web, web_parts = freeze_page(page)
    pictures = sorted(image.name for image in prepared.images)
    return CompiledEdition(
        **values,
        stories=stories,
        ai_origins=edition.ai_origins(),
        digest=digest_parts([*map(str, values.values()), *map(repr, stories), *pictures, *web_parts]),
        web=web,
        images=prepared.images,
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
    """Return the MJML of :func:`compile_edition` with all stories, as the templates write it; raises the same
    errors."""
    prepared = _prepare_page(edition, settings, language=language, overrides=overrides)
    rendered = prepared.render()
    compiled = _freeze(edition, settings, prepared, rendered)
    parts = parse_fragments(rendered.mjml, what=f"email/{prepared.template}.mjml.j2", markup=True)
    return join_text(parts, compiled.select(compiled.full_variant), markup=True)


def _prepare_page(
    edition: Edition, settings: Settings, *, language: str | None, overrides: Path | None
) -> _PreparedPage:
    wanted = language or edition.language
    if wanted not in edition.languages:
        raise TemplateError(
            gettext_noop(
                "%(edition)s: the edition is not available in %(language)s. Its languages are: %(known)s."
            ),
            edition=edition.slug,
            language=wanted,
            known=", ".join(edition.languages),
        )
    # Building the page takes about as long as the worker needs to be ready.
    start_worker()
    stamps = stamp_templates(overrides)
    theme, phrases = _load_theme(edition.template, wanted, overrides, stamps, tuple(settings.sectors))
    if edition.form is EditionForm.digest:
        check_digest_support(edition.template, overrides, phrases)
    builder = PageBuilder(
        edition=edition,
        settings=settings,
        language=wanted,
        theme=theme,
        phrases=phrases,
        logo=find_logo(theme, overrides),
    )
    return _PreparedPage(
        page=builder.build_page(),
        images=tuple(builder.images.values()),
        template=edition.template,
        overrides=overrides,
        stamps=stamps,
    )


def _load_theme(
    template: str, language: str, overrides: Path | None, stamps: FileStamps | None, sectors: tuple[str, ...]
) -> tuple[Theme, Phrases]:
    """Return the theme ``template`` with a colour for each of ``sectors``, and the phrases of ``language``,
    read again unless the ``stamps`` of all templates show that nothing has changed."""

    def load() -> tuple[Theme, Phrases]:
        theme = color_sectors(load_theme(template, overrides), sectors)
        return theme, load_phrases(language, overrides)

    if stamps is None:
        return load()
    return _themes.get_or_create((template, language, overrides), (stamps, sectors), load)
