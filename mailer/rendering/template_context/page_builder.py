"""An edition and the settings, turned into the :class:`~mailer.rendering.template_context.page.Page` a template draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from markupsafe import Markup, escape

from editions.imaging import PreparedImage, prepare_image
from editions.memory import Latest
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
from mailer.rendering.body.merge_tags import Count, Hole
from mailer.rendering.template_context.language_markup import (
    direction_of,
    embed,
    mark_element,
    mark_text,
    quote,
)
from mailer.rendering.template_context.page import (
    FollowView,
    Holes,
    LetterView,
    LinkView,
    Page,
    PictureView,
    SectionView,
    StoryView,
)
from mailer.rendering.themes.phrases import Words
from mailer.rendering.themes.theme import Accent, Theme
from mailer.settings import Settings
from subscribers.country import country_name

# Most stories are what they were when the edition was laid out last.
_views: Latest[StoryView] = Latest(2000)


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
        address = tuple(line.strip() for line in sender.postal_address.splitlines() if line.strip())
        sections = arrange_sections(edition, sectors=tuple(self.settings.sectors))
        accents = tuple(self.theme.accent(section.key, f"k{index}") for index, section in enumerate(sections))
        return Page(
            language=self.language,
            direction=direction_of(self.language),
            subject=frame.subject,
            preheader=frame.preheader,
            title=frame.title,
            title_html=self._mark(frame.title),
            issue=self.words.issue.format(number=edition.number) if edition.number else "",
            issue_html=self._say(escape(self.words.issue).format(number=edition.number))
            if edition.number
            else Markup(),
            period=frame.period,
            organisation=sender.organisation,
            organisation_html=self._quote(sender.organisation, sender.language),
            postal_address=address,
            postal_address_html=tuple(self._quote(line, sender.language) for line in address),
            why=self.words.why.format(organisation=sender.organisation),
            why_html=self._say(
                escape(self.words.why).format(
                    organisation=self._quote(
                        sender.organisation, sender.language, self._spoken(self.language)
                    )
                )
            ),
            logo=self._draw_logo(self.logo) if self.logo else None,
            letter=self._draw_letter(edition.letter) if edition.letter else None,
            sections=tuple(map(self._draw_section, sections, accents)),
            follow=tuple(map(self._draw_follow, edition.follow)),
            words=self.words,
            words_lang=mark_element(self._spoken(self.language), self.language),
            theme=self.theme,
            accents=accents,
            merge_tag=Holes(**{hole.name: hole.mark for hole in Hole}),
            whole=True,
        )

    def _draw_section(self, section: Section, accent: Accent) -> SectionView:
        title, title_html = self._name_section(section.key)
        introduction = self._frame().introductions.get(section.key)
        return SectionView(
            key=section.key,
            accent=accent,
            title=title,
            title_html=title_html,
            number=Count.number.mark,
            count=Count.stories.mark,
            introduction=introduction.text if introduction else "",
            introduction_html=_trust(introduction.html) if introduction else Markup(),
            stories=tuple(self._draw_story(story, accent) for story in section.stories),
        )

    def _name_section(self, key: str) -> tuple[str, Markup]:
        """As the settings call it, in the edition's own language; else as our phrases do, if they know it."""
        configured, phrase = self.settings.sectors.get(key), self.words.sections.get(key)
        if phrase and not (configured and self.language == self.edition.language):
            return phrase, self._say(self._mark(phrase, self.words.language))
        name = configured or key.replace("-", " ").capitalize()
        return name, self._quote(name) if configured else self._mark(name)

    def _draw_story(self, story: Story, accent: Accent) -> StoryView:
        """As drawn last time, unless the story is another, or something else that its view depends on."""
        pictures = self.theme.pictures
        width = pictures.feature if story.kind is Kind.feature else pictures.story
        picture = self._prepare(story.image.path, width) if story.image else None
        return _views.recall(
            (self.edition.folder, self.language, story.source),
            (story, accent, picture, self._around),
            lambda: self._write_story(story, accent, picture),
        )

    @cached_property
    def _around(self) -> tuple[object, ...]:
        """What the view of a story depends on besides it, its picture and the colour of its section."""
        settings = self.settings
        return (
            self.edition.language,
            self.words,
            settings.web.base_url,
            tuple(settings.countries.items()),
            repr(settings.country_names),
        )

    def _write_story(self, story: Story, accent: Accent, picture: PreparedImage | None) -> StoryView:
        text = self._choose(story.texts)
        where = " · ".join(map(self._name_country, story.countries))
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
            where=where,
            where_html=embed(self._mark(where), self.language, text.language),
            date=text.date or story.date,
            picture=self._draw_picture(story.image, text, picture) if story.image and picture else None,
            links=tuple(self._draw_link(link, text) for link in text.read_more or story.read_more),
        )

    def _draw_letter(self, letter: Letter) -> LetterView:
        text, portrait = self._choose(letter.texts), letter.portrait
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
            portrait=self._draw_picture(
                portrait, text, self._prepare(portrait.path, self.theme.pictures.portrait)
            )
            if portrait
            else None,
        )

    def _prepare(self, path: Path, width: int) -> PreparedImage:
        prepared = prepare_image(path, width=width)
        self.images[prepared.name] = prepared
        return prepared

    def _draw_picture(self, image: Image, text: StoryText, prepared: PreparedImage) -> PictureView:
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
        prepared = self._prepare(path, self.theme.logo.width)
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

    def _draw_link(self, link: ReadMore, text: StoryText) -> LinkView:
        # A translation without links of its own has those of the edition's own language.
        language = text.language if text.read_more else self.edition.language
        pattern, around = self.words.read_more, text.language
        what = self._quote(link.what, language, self._spoken(around))
        return LinkView(
            url=link.url,
            label=pattern.format(what=link.what),
            label_html=self._say(escape(pattern).format(what=what), around),
        )

    def _draw_follow(self, follow: Follow) -> FollowView:
        return FollowView(
            name=follow.name, handle=follow.handle, handle_html=self._mark(follow.handle), url=follow.url
        )

    def _name_country(self, code: str) -> str:
        # The names an office sets are in its own language; elsewhere the reader's own are right.
        settings, tag = self.settings, self.language
        elsewhere = settings.country_names.get(tag) or settings.country_names.get(tag.partition("-")[0]) or {}
        overrides = settings.countries if tag == self.edition.language else elsewhere
        return country_name(code, tag, overrides)

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
        direction = direction_of(text.language)
        return "" if direction == direction_of(self.language) else direction

    def _say(self, phrase: Markup, around: str | None = None) -> Markup:
        """A ``phrase`` of ours, marked where the words ``around`` it (the page's) are of another language: of
        most languages we have no phrases, and English ones stand in."""
        around = around or self.language
        return embed(phrase, self._spoken(around), around)

    def _spoken(self, around: str) -> str:
        """The language of our phrases among words of ``around``: that one (``zh`` will do for ``zh-Hans``),
        or another where we have none of it."""
        ours = self.words.language
        return around if ours.partition("-")[0] == around.partition("-")[0] else ours

    def _quote(self, text: str, language: str | None = None, around: str | None = None) -> Markup:
        """``text`` of ``language``, marked where the words ``around`` it (the page's) are of another. What an
        office writes once is in the edition's own."""
        return quote(text, language or self.edition.language, around or self.language)

    def _mark(self, text: str, language: str | None = None) -> Markup:
        return mark_text(text, language or self.language)


def _trust(html: str) -> Markup:
    """``html`` as markup: only what editions.markdown sanitised and editions.languages escaped comes here."""
    return Markup(html)  # noqa: S704
