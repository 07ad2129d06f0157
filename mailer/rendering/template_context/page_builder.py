"""Builds the page for a template from an edition and the texts around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from markupsafe import Markup, escape

from editions.cache import LatestCache
from editions.images.prepared_images import PreparedImage, prepare_image
from editions.markdown.writing_systems import mark_languages_in_text
from editions.model import (
    Edition,
    EditionForm,
    EditionText,
    Image,
    ImageText,
    Letter,
    ReadMore,
    Story,
    StoryKind,
    StoryText,
    Video,
    arrange_sections,
)
from locales.countries import country_name
from locales.languages import text_direction
from mailer.i18n import SOURCE_LANGUAGE
from mailer.rendering.archive_urls import story_url
from mailer.rendering.body.fragments import MergeTag, StoryCount
from mailer.rendering.template_context.page import (
    FollowView,
    LetterView,
    LinkView,
    MergeTags,
    Page,
    PictureView,
    SectionView,
    StoryView,
    VideoView,
)
from mailer.rendering.template_context.page_layout import (
    arrange_gallery,
    find_parts,
    gallery_width,
    is_longer_than_picture,
)
from mailer.rendering.themes.template_files import Phrases
from mailer.rendering.themes.theme import Accent, Theme
from mailer.settings import SenderSettings, Settings

# Most stories are unchanged since the edition was last laid out. Without it, compiling after a change to one
# story takes a seventh longer.
_story_views: LatestCache[StoryView] = LatestCache(2000)
# Equal objects compare at once if they are the same object, and each story compares its context.
_story_contexts: LatestCache[tuple[object, ...]] = LatestCache(64)


def embed_text(text: str, language: str, surrounding: str) -> Markup:
    """Plain ``text`` in ``language`` as markup, marked if the ``surrounding`` text is in another."""
    return embed_html(mark_text(text, language), language, surrounding)


def embed_sender_text(text: str, sender: SenderSettings, surrounding: str) -> Markup:
    """Return ``text`` of the office about itself inside ``surrounding`` text, on a page of no edition."""
    own = sender.language or SOURCE_LANGUAGE
    # "zh" is as good as a page's "zh-Hans".
    return embed_text(text, surrounding if surrounding.partition("-")[0] == own else own, surrounding)


def mark_text(text: str, language: str) -> Markup:
    """Plain ``text`` in ``language`` as markup, with words in other scripts marked."""
    return Markup(mark_languages_in_text(text, language=language))  # noqa: S704 - it escapes


def embed_html(html: Markup, language: str, surrounding: str) -> Markup:
    """Return ``html`` in ``language``, marked if the ``surrounding`` text is in another."""
    marks = language_attributes(language, surrounding)
    return Markup("<span{}>{}</span>").format(marks, html) if marks and html else html


def language_attributes(language: str, surrounding: str) -> Markup:
    """Return the attributes of an element in ``language`` in ``surrounding`` text; empty if the same."""
    if language == surrounding:
        return Markup()
    direction = text_direction(language)
    turned = Markup(' dir="{}"').format(direction) if direction != text_direction(surrounding) else ""
    return Markup(' lang="{}"{}').format(language, turned)


@dataclass(frozen=True, kw_only=True)
class PageBuilder:
    """Lays out one edition in one language; ``images`` collects the files its pictures need, by name."""

    edition: Edition
    settings: Settings
    language: str
    theme: Theme
    phrases: Phrases
    logo: Path | None = None
    images: dict[str, PreparedImage] = field(default_factory=dict)

    def build_page(self) -> Page:
        """Return the page, with every text marked for its language. Fills ``images`` as a side effect."""
        edition, sender, text_of_edition = self.edition, self.settings.sender, self._edition_text()
        address = tuple(line.strip() for line in sender.postal_address.splitlines() if line.strip())
        sections = arrange_sections(edition, sectors=tuple(self.settings.sectors))
        accents = tuple(self.theme.accent(key, f"k{index}") for index, key in enumerate(sections))
        views = tuple(map(self._build_section, sections, sections.values(), accents))
        letter = self._build_letter(edition.letter) if edition.letter else None
        return Page(
            language=self.language,
            direction=text_direction(self.language),
            form="digest" if edition.form is EditionForm.digest else "full",
            subject=text_of_edition.subject,
            preheader=text_of_edition.preheader,
            title=text_of_edition.title,
            title_html=self._mark_text(text_of_edition.title),
            issue=self.phrases.issue.format(number=edition.number) if edition.number else "",
            issue_html=self._embed_phrase(escape(self.phrases.issue).format(number=edition.number))
            if edition.number
            else Markup(),
            period=text_of_edition.period,
            organisation=sender.organisation,
            organisation_html=self._embed_text(sender.organisation, sender.language),
            postal_address=address,
            postal_address_html=tuple(self._embed_text(line, sender.language) for line in address),
            why=self.phrases.why.format(organisation=sender.organisation),
            why_html=self._embed_phrase(
                escape(self.phrases.why).format(
                    organisation=self._embed_text(
                        sender.organisation, sender.language, self._phrase_language(self.language)
                    )
                )
            ),
            logo=self._build_logo(self.logo) if self.logo else None,
            letter=letter,
            sections=views,
            lists_contents=edition.lists_contents,
            follow=tuple(
                FollowView(
                    name=one.name, handle=one.handle, handle_html=self._mark_text(one.handle), url=one.url
                )
                for one in edition.follow
            ),
            words=self.phrases,
            words_lang=language_attributes(self._phrase_language(self.language), self.language),
            theme=self.theme,
            accents=accents,
            parts=find_parts(letter, views),
            merge_tag=MergeTags(**{tag.name: tag.placeholder for tag in MergeTag}),
            whole=True,
        )

    def _build_section(self, key: str, stories: Sequence[Story], accent: Accent) -> SectionView:
        title, title_html = self._name_section(key)
        introduction = self._edition_text().introductions.get(key)
        return SectionView(
            key=key,
            accent=accent,
            title=title,
            title_html=title_html,
            number=StoryCount.number.placeholder,
            count=StoryCount.stories.placeholder,
            introduction=introduction.text if introduction else "",
            introduction_html=_trusted(introduction.html) if introduction else Markup(),
            stories=tuple(self._build_story(story, accent) for story in stories),
            as_cards=self.edition.form is EditionForm.digest and key != "feature",
        )

    def _name_section(self, key: str) -> tuple[str, Markup]:
        """Return the name of the settings in this language, plain in the edition's own, or else ours."""
        if translated := self.settings.find_sector_name(key, self.language):
            return translated, self._mark_text(translated)
        configured, phrase = self.settings.sectors.get(key), self.phrases.sections.get(key)
        if phrase and not (configured and self.language == self.edition.language):
            return phrase, self._embed_phrase(self._mark_text(phrase, self.phrases.language))
        name = configured or key.replace("-", " ").capitalize()
        return name, self._embed_text(name) if configured else self._mark_text(name)

    def _build_story(self, story: Story, accent: Accent) -> StoryView:
        """Return the view from last time, unless the story or something else it depends on has changed."""
        pictures = self.theme.pictures
        width = pictures.feature if story.kind is StoryKind.feature else pictures.story
        picture = self._prepare_picture(story.image, width) if story.image else None
        further = tuple(
            self._prepare_picture(image, gallery_width(image, self.theme)) for image in story.images
        )
        still = self._prepare_picture(story.video.image, pictures.feature, play=True) if story.video else None
        return _story_views.get_or_create(
            (self.edition.folder, self.language, story.source),
            (story, accent, picture, further, still, self._story_context),
            lambda: self._make_story_view(story, accent, picture, further, still),
        )

    @cached_property
    def _story_context(self) -> tuple[object, ...]:
        """What the view of a story depends on besides the story, its picture and its section's colour."""
        settings = self.settings
        context = (
            self.edition.language,
            self.phrases,
            settings.web.base_url,
            tuple(settings.countries.items()),
            repr(settings.country_names),
            # What decides whether a text is longer than its picture.
            (self.theme.pictures.shown, self.theme.beside, self.theme.spacing.paragraph),
            (self.theme.type.body, self.theme.type.caption),
        )
        slot = (self.edition.folder, self.language)
        return _story_contexts.get_or_create(slot, context, lambda: context)

    def _make_story_view(
        self,
        story: Story,
        accent: Accent,
        picture: PreparedImage | None,
        further: tuple[PreparedImage, ...],
        still: PreparedImage | None,
    ) -> StoryView:
        text = self._choose_text(story.texts)
        main = ImageText(alt=text.alt, caption=text.caption, credit=text.credit)
        where = " · ".join(map(self._name_country, story.countries))
        view = (
            self._build_picture(story.image, main, text.language, picture)
            if story.image and picture
            else None
        )
        read_more = self.phrases.read_more
        links = tuple(self._build_link(link, text, read_more) for link in text.read_more or story.read_more)
        pictures = tuple(
            self._build_picture(image, words, text.language, prepared)
            for image, words, prepared in zip(story.images, text.images, further, strict=True)
        )
        return StoryView(
            kind=story.kind.value,
            slug=story.slug,
            origin=story.source,
            language=self._foreign_language(text),
            direction=self._foreign_direction(text),
            accent=accent,
            title=text.title,
            title_html=self._mark_text(text.title, text.language),
            body=text.text,
            body_html=_trusted(text.html),
            where=where,
            where_html=embed_html(self._mark_text(where), self.language, text.language),
            date=text.date or story.date,
            picture=view,
            gallery=arrange_gallery(pictures, self.theme),
            links=links,
            button=self._build_button(story, text) if text.button else None,
            video=self._build_video(story.video, text, still) if story.video and still else None,
            ai=story.ai or "",
            wraps=view is not None and self._wraps(text, links, view),
            lead=text.lead,
            lead_html=self._mark_text(text.lead, text.language),
            url=self._make_story_url(story),
        )

    def _wraps(self, text: StoryText, links: Sequence[LinkView], picture: PictureView) -> bool:
        """Return whether the text is so much longer than the picture that it goes on below it."""
        labels = [link.label for link in links]
        return text.has_wide_table or is_longer_than_picture(text.text, labels, picture, self.theme)

    def _make_story_url(self, story: Story) -> str:
        web, version = self.settings.web, MergeTag.version.placeholder
        return story_url(web.base_url, self.edition.slug, self.language, story.slug, version)

    def _build_letter(self, letter: Letter) -> LetterView:
        text, portrait = self._choose_text(letter.texts), letter.portrait
        signature = letter.signature_in(text.language)
        # What is not translated is marked as being in the edition's own language.
        own = self.edition.language
        languages = [
            text.language if one else own
            for one in (signature.name != letter.name, signature.titles != letter.titles)
        ]
        return LetterView(
            language=self._foreign_language(text),
            direction=self._foreign_direction(text),
            title=text.title,
            title_html=self._mark_text(text.title, text.language),
            body=text.text,
            body_html=_trusted(text.html),
            name=signature.name,
            name_html=embed_text(signature.name, languages[0], text.language),
            titles=signature.titles,
            titles_html=tuple(embed_text(title, languages[1], text.language) for title in signature.titles),
            portrait=self._build_picture(
                portrait,
                signature.portrait,
                text.language,
                self._prepare_picture(portrait, self.theme.pictures.portrait),
            )
            if portrait
            else None,
        )

    def _prepare_picture(self, image: Image, width: int, *, play: bool = False) -> PreparedImage:
        return self._keep(
            prepare_image(image.path, width=width, play=play, crop=image.crop, digest=image.digest)
        )

    def _keep(self, prepared: PreparedImage) -> PreparedImage:
        self.images[prepared.name] = prepared
        return prepared

    def _build_picture(
        self, image: Image, words: ImageText, language: str, prepared: PreparedImage
    ) -> PictureView:
        """Return the picture with its ``words`` in a text in ``language``; words that are the original's are
        marked as being in the edition's own language."""

        def embed(word: str, original: str) -> Markup:
            return embed_text(word, self.edition.language if word == original else language, language)

        return PictureView(
            url=f"{self.settings.web.base_url}/media/{prepared.name}",
            width=prepared.width,
            height=prepared.height,
            alt=words.alt,
            caption=words.caption,
            caption_html=embed(words.caption, image.caption),
            credit=words.credit,
            credit_html=embed(words.credit, image.credit),
            ai=image.ai or "",
        )

    def _build_video(self, video: Video, text: StoryText, still: PreparedImage) -> VideoView | None:
        if text.video is None or text.still is None:
            return None
        link = self._build_link(text.video, text, self.phrases.watch)
        duration = f" ({video.duration})" if video.duration else ""
        return VideoView(
            picture=self._build_picture(video.image, text.still, text.language, still),
            url=link.url,
            label=f"{link.label}{duration}",
            label_html=link.label_html + duration,
        )

    def _build_logo(self, path: Path) -> PictureView:
        prepared = self._keep(prepare_image(path, width=self.theme.logo.width))
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

    def _build_button(self, story: Story, text: StoryText) -> LinkView:
        assert text.button is not None  # noqa: S101 - the caller has looked
        # A translation without a button uses that of the edition's own language.
        original = story.texts[self.edition.language].button
        language = self.edition.language if text.button == original else text.language
        view = self._build_link(text.button, text, "{what}", language)
        return replace(view, leads_to_preferences=text.leads_to_preferences)

    def _build_link(
        self, link: ReadMore, text: StoryText, pattern: str, language: str | None = None
    ) -> LinkView:
        # A translation without links uses those of the edition's own language.
        language = language or (text.language if text.read_more else self.edition.language)
        around = text.language
        what = self._embed_text(link.what, language, self._phrase_language(around))
        return LinkView(
            url=link.url,
            label=pattern.format(what=link.what),
            label_html=self._embed_phrase(escape(pattern).format(what=what), around),
        )

    def _name_country(self, code: str) -> str:
        # Names set by an office are in its own language; other languages use their own names.
        settings, tag = self.settings, self.language
        elsewhere = settings.country_names.get(tag) or settings.country_names.get(tag.partition("-")[0]) or {}
        overrides = settings.countries if tag == self.edition.language else elsewhere
        return country_name(code, tag, overrides)

    def _edition_text(self) -> EditionText:
        edition = self.edition
        return edition.texts.get(self.language) or EditionText(
            language=edition.language,
            title=edition.title,
            period=edition.period,
            subject=edition.subject,
            preheader=edition.preheader,
            introductions=edition.introductions,
        )

    def _choose_text(self, texts: Mapping[str, StoryText]) -> StoryText:
        return texts.get(self.language) or texts[self.edition.language]

    def _foreign_language(self, text: StoryText) -> str:
        return "" if text.language == self.language else text.language

    def _foreign_direction(self, text: StoryText) -> str:
        direction = text_direction(text.language)
        return "" if direction == text_direction(self.language) else direction

    def _embed_phrase(self, phrase: Markup, surrounding: str | None = None) -> Markup:
        """Return a ``phrase`` of ours, marked if the ``surrounding`` text (by default the page's) is in
        another language: for most languages we have no phrases and use English."""
        surrounding = surrounding or self.language
        return embed_html(phrase, self._phrase_language(surrounding), surrounding)

    def _phrase_language(self, surrounding: str) -> str:
        """Return ``surrounding`` if we have phrases in it (``zh`` will do for ``zh-Hans``), else theirs."""
        ours = self.phrases.language
        return surrounding if ours.partition("-")[0] == surrounding.partition("-")[0] else ours

    def _embed_text(self, text: str, language: str | None = None, surrounding: str | None = None) -> Markup:
        """Return ``text`` in ``language``, marked if the ``surrounding`` text (by default the page's) is in
        another. What an office writes only once is in the edition's own language."""
        return embed_text(text, language or self.edition.language, surrounding or self.language)

    def _mark_text(self, text: str, language: str | None = None) -> Markup:
        return mark_text(text, language or self.language)


def _trusted(html: str) -> Markup:
    """Return ``html`` as markup: only for what the editions package has sanitised or escaped."""
    return Markup(html)  # noqa: S704
