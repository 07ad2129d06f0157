"""An edition and the settings, turned into the :class:`~mailer.rendering.page.Page` a template draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from markupsafe import Markup, escape

from editions.imaging import PreparedImage, prepare_image
from editions.languages import mark_runs
from editions.model import (
    Edition,
    EditionText,
    Follow,
    Image,
    Kind,
    Letter,
    ReadMore,
    Section,
    Story,
    StoryText,
)
from editions.sections import arrange_sections
from mailer.rendering.holes import Count, Hole
from mailer.rendering.page import (
    FollowView,
    Holes,
    LetterView,
    LinkView,
    Page,
    PictureView,
    SectionView,
    StoryView,
)
from mailer.rendering.theme import Accent, Theme
from mailer.rendering.words import Words
from mailer.settings import Settings
from subscribers.country import country_name

_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Lays out one edition in one language; ``images`` gathers the files its pictures need, by name."""

    edition: Edition
    settings: Settings
    language: str
    theme: Theme
    words: Words
    logo: Path | None = None
    images: dict[str, PreparedImage] = field(default_factory=dict)

    def build_page(self) -> Page:
        """The page, every text marked for its language. Fills ``images`` on the way."""
        edition, sender, frame = self.edition, self.settings.sender, self._frame()
        sections = arrange_sections(edition, sectors=tuple(self.settings.sectors))
        accents = tuple(self.theme.accent(section.key, f"k{index}") for index, section in enumerate(sections))
        return Page(
            language=self.language,
            direction=_direction(self.language),
            subject=frame.subject,
            preheader=frame.preheader,
            title=frame.title,
            title_html=self._mark(frame.title),
            issue=self.words.issue.format(number=edition.number) if edition.number else "",
            period=frame.period,
            organisation=sender.organisation,
            organisation_html=self._quote(sender.organisation),
            postal_address=tuple(line.strip() for line in sender.postal_address.splitlines() if line.strip()),
            why=self.words.why.format(organisation=sender.organisation),
            logo=self._draw_logo(self.logo) if self.logo else None,
            letter=self._draw_letter(edition.letter) if edition.letter else None,
            sections=tuple(map(self._draw_section, sections, accents)),
            follow=tuple(map(self._draw_follow, edition.follow)),
            words=self.words,
            theme=self.theme,
            accents=accents,
            hole=Holes(**{hole.name: hole.mark for hole in Hole}),
        )

    def _draw_section(self, section: Section, accent: Accent) -> SectionView:
        title = self._name_section(section.key)
        introduction = self._frame().introductions.get(section.key)
        return SectionView(
            key=section.key,
            accent=accent,
            title=title,
            title_html=self._mark(title),
            number=Count.number.mark,
            count=Count.stories.mark,
            introduction=introduction.text if introduction else "",
            introduction_html=_trust(introduction.html) if introduction else Markup(),
            stories=tuple(self._draw_story(story, accent) for story in section.stories),
        )

    def _name_section(self, key: str) -> str:
        """As the settings call it, in the edition's own language; else as our phrases do, if they know it."""
        configured = self.settings.sectors.get(key)
        if configured and self.language == self.edition.language:
            return configured
        return self.words.sections.get(key) or configured or key.replace("-", " ").capitalize()

    def _draw_story(self, story: Story, accent: Accent) -> StoryView:
        text = self._choose(story.texts)
        width = self.theme.pictures.feature if story.kind is Kind.feature else self.theme.pictures.story
        return StoryView(
            kind=story.kind.value,
            slug=story.slug,
            origin=story.source,
            language=self._foreign(text),
            direction=self._turned(text),
            accent=accent,
            title=text.title,
            title_html=self._mark(text.title, text.language),
            body=text.text,
            body_html=_trust(text.html),
            where=" · ".join(map(self._name_country, story.countries)),
            date=text.date or story.date,
            picture=self._draw_picture(story.image, text, width) if story.image else None,
            links=tuple(map(self._draw_link, text.read_more or story.read_more)),
        )

    def _draw_letter(self, letter: Letter) -> LetterView:
        text = self._choose(letter.texts)
        return LetterView(
            language=self._foreign(text),
            direction=self._turned(text),
            title=text.title,
            title_html=self._mark(text.title, text.language),
            body=text.text,
            body_html=_trust(text.html),
            name=letter.name,
            name_html=self._quote(letter.name),
            titles=letter.titles,
            titles_html=tuple(map(self._quote, letter.titles)),
            portrait=self._draw_picture(letter.portrait, text, self.theme.pictures.portrait)
            if letter.portrait
            else None,
        )

    def _draw_picture(self, image: Image, text: StoryText, width: int) -> PictureView:
        prepared = prepare_image(image.path, width=width)
        self.images[prepared.name] = prepared
        return PictureView(
            url=f"{self.settings.web.base_url}/media/{prepared.name}",
            width=prepared.width,
            height=prepared.height,
            alt=text.alt or image.alt,
            caption=text.caption or image.caption,
            caption_html=self._mark(text.caption, text.language)
            if text.caption
            else self._quote(image.caption),
            credit=image.credit,
            credit_html=self._quote(image.credit),
        )

    def _draw_logo(self, path: Path) -> PictureView:
        prepared = prepare_image(path, width=self.theme.logo.width)
        self.images[prepared.name] = prepared
        return PictureView(
            url=f"{self.settings.web.base_url}/media/{prepared.name}",
            width=prepared.width,
            height=prepared.height,
            alt=self.theme.logo.alt,
            caption="",
            caption_html=Markup(),
            credit="",
            credit_html=Markup(),
        )

    def _draw_link(self, link: ReadMore) -> LinkView:
        pattern = self.words.read_more
        return LinkView(
            url=link.url,
            label=pattern.format(what=link.what),
            label_html=escape(pattern).format(what=self._mark(link.what)),
        )

    def _draw_follow(self, follow: Follow) -> FollowView:
        return FollowView(
            name=follow.name, handle=follow.handle, handle_html=self._mark(follow.handle), url=follow.url
        )

    def _name_country(self, code: str) -> str:
        # The names an office sets are in its own language; elsewhere the reader's own are right.
        overrides = self.settings.countries if self.language == self.edition.language else {}
        return country_name(code, self.language, overrides)

    def _frame(self) -> EditionText:
        edition = self.edition
        return edition.texts.get(self.language) or EditionText(
            language=edition.language,
            title=edition.title,
            period=edition.period,
            subject=edition.subject,
            preheader=edition.preheader,
            introductions=edition.introductions,
        )

    def _choose(self, texts: Mapping[str, StoryText]) -> StoryText:
        return texts.get(self.language) or texts[self.edition.language]

    def _foreign(self, text: StoryText) -> str:
        return "" if text.language == self.language else text.language

    def _turned(self, text: StoryText) -> str:
        direction = _direction(text.language)
        return "" if direction == _direction(self.language) else direction

    def _quote(self, text: str) -> Markup:
        """``text``, which an office writes once in its own language, marked as such in a mail of another."""
        own = self.edition.language
        marked = self._mark(text, own)
        return (
            marked
            if own == self.language or not text
            else Markup('<span lang="{}">{}</span>').format(own, marked)
        )

    def _mark(self, text: str, language: str | None = None) -> Markup:
        return _trust(mark_runs(text, language=language or self.language))


def _direction(language: str) -> Literal["ltr", "rtl"]:
    return "rtl" if language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"


def _trust(html: str) -> Markup:
    """``html`` as markup: only what editions.markdown sanitised and editions.languages escaped comes here."""
    return Markup(html)  # noqa: S704
