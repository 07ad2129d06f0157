"""Compiling: an edition and a theme become one mail per language, once, however many readers it has."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from editions.imaging import PreparedImage
from editions.model import Edition
from mailer.errors import TemplateError
from mailer.rendering.compiled import CompiledEdition, digest_parts
from mailer.rendering.environment import make_environment, render_template
from mailer.rendering.holes import MARK
from mailer.rendering.inlining import inline_styles
from mailer.rendering.layout import Layout
from mailer.rendering.mjml import convert_mjml, strip_origins
from mailer.rendering.page import Holes, Page
from mailer.rendering.theme import load_theme
from mailer.rendering.words import load_words
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """An edition laid out in one language, before a template has drawn it."""

    page: Page
    images: tuple[PreparedImage, ...]
    template: str
    overrides: Path | None

    def render(self, ending: str, *, markup: bool) -> str:
        environment = make_environment(self.overrides, markup=markup)
        return render_template(environment, f"email/{self.template}.{ending}.j2", page=self.page)


def compile_edition(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> CompiledEdition:
    """Compile ``edition`` in ``language`` (its own where None); templates in ``overrides`` come before ours.

    Raises:
        TemplateError: a template or the theme is wrong, the edition does not speak the language, or a text
            holds the mark of a hole; with template, story and line.
    """
    draft = _lay_out(edition, settings, language=language, overrides=overrides)
    page = draft.page
    mjml = draft.render("mjml", markup=True)
    html = inline_styles(
        convert_mjml(mjml, template=f"email/{draft.template}.mjml.j2"),
        draft.render("inline.css", markup=False),
    )
    text = draft.render("txt", markup=False).strip() + "\n"
    pictures = sorted(image.name for image in draft.images)
    sender = edition.sender_name or settings.sender.name
    return CompiledEdition(
        slug=edition.slug,
        language=page.language,
        title=page.title,
        subject=page.subject,
        preheader=page.preheader,
        sender_name=sender,
        greeting=page.words.greeting,
        html=html,
        text=text,
        stories=tuple(story.slug for section in page.sections for story in section.stories),
        digest=digest_parts(
            [edition.slug, page.language, page.subject, sender, page.words.greeting, html, text, *pictures]
        ),
        images=draft.images,
    )


def compile_mjml(
    edition: Edition, settings: Settings, *, language: str | None = None, overrides: Path | None = None
) -> str:
    """The MJML of :func:`compile_edition`, as the templates write it; it raises the same."""
    draft = _lay_out(edition, settings, language=language, overrides=overrides)
    return strip_origins(draft.render("mjml", markup=True))


def _lay_out(edition: Edition, settings: Settings, *, language: str | None, overrides: Path | None) -> _Draft:
    wanted = language or edition.language
    if wanted not in edition.languages:
        raise TemplateError(
            f"{edition.slug}: there is no edition in {wanted}. There is: {', '.join(edition.languages)}."
        )
    layout = Layout(
        edition=edition,
        settings=settings,
        language=wanted,
        theme=load_theme(edition.template, overrides),
        words=load_words(wanted, overrides),
    )
    page = layout.build_page()
    _refuse_marks(page)
    return _Draft(
        page=page, images=tuple(layout.images.values()), template=edition.template, overrides=overrides
    )


def _refuse_marks(page: Page) -> None:
    """A writer's ``@@`` would be taken for a hole, and a reader's link put where none belongs."""
    for place, text in _texts(page, "edition.md"):
        if MARK in text:
            start = max(text.index(MARK) - 20, 0)
            raise TemplateError(
                f"{place}: “{text[start : start + 60]}” holds {MARK}, which marks what differs from "
                "reader to reader. Write it otherwise."
            )


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in ``value`` with the file it came from; the holes themselves are not texts."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item, place)
    elif is_dataclass(value) and not isinstance(value, Holes):
        place = getattr(value, "origin", place)
        for entry in fields(value):
            yield from _texts(getattr(value, entry.name), place)
