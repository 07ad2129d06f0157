"""The values given to a template, frozen and plain, and the page that it makes of them."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from markupsafe import Markup

from locales.phrase import AFTER_PLACE, Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import DELIMITER, SEPARATORS
from mailer.rendering.themes.field_docs import Help
from mailer.rendering.themes.template_files import Phrases
from mailer.rendering.themes.theme import Accent, Theme

_FRAGMENT = gettext_noop(
    "“%(text)s” contains %(sign)s, which is reserved for the start or end of a fragment."
)
_RESERVED = (
    (DELIMITER, gettext_noop("“%(text)s” contains %(sign)s, which is reserved for merge tags.")),
    *((sign, _FRAGMENT) for sign in SEPARATORS),
    ("\0", gettext_noop("“%(text)s” contains %(sign)s, which no email may contain.")),
)


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture as displayed."""

    url: Annotated[str, Help("Its absolute address.")]
    width: Annotated[int, Help("The width of the file, in pixels.")]
    height: Annotated[int, Help("The height of the file, in pixels.")]
    alt: Annotated[str, Help("The alternative text.")]
    caption: Annotated[str, Help("The caption; may be empty.")]
    caption_html: Annotated[Markup, Help("The same as markup.")]
    credit: Annotated[str, Help("The credit; may be empty.")]
    credit_html: Annotated[Markup, Help("The same as markup.")]
    ai: Annotated[str, Help("What AI did to it: `generated` or `edited`; empty if nothing is said.")] = ""


@dataclass(frozen=True, kw_only=True)
class GalleryRow:
    """One picture, or two beside each other."""

    pictures: Annotated[tuple[PictureView, ...], Help("One or two pictures.")]
    width: Annotated[int, Help("The width at which each is shown, in pixels.")]


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link below a story."""

    url: Annotated[str, Help("The absolute address it points to.")]
    label: Annotated[str, Help('Its full text: "Read more: the exchange programme".')]
    label_html: Annotated[Markup, Help("The same as markup.")]
    leads_to_preferences: Annotated[
        bool,
        Help("Whether it opens the reader's own page: write `page.merge_tag.preferences_url` for its `url`."),
    ] = False


@dataclass(frozen=True, kw_only=True)
class VideoView:
    """A video elsewhere."""

    picture: Annotated[PictureView, Help("A still picture of it, with the play sign in it.")]
    url: Annotated[str, Help("The absolute address of its page.")]
    label: Annotated[str, Help('Its full text: "Watch: the opening (3:20)".')]
    label_html: Annotated[Markup, Help("The same as markup.")]


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """One story."""

    kind: Annotated[str, Help("Its kind, which is also the name of its block.")]
    slug: Annotated[str, Help("Its name within the edition: the key of its fragment.")]
    origin: Annotated[str, Help("The file it comes from, for error messages: `origin(story.origin)`.")]
    language: Annotated[str, Help("Its language tag; empty if it is the page's own language.")]
    direction: Annotated[str, Help("Its text direction; empty if it is the page's own.")]
    accent: Annotated[Accent, Help("The colour of its section.")]
    title: Annotated[str, Help("Its title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    body: Annotated[str, Help("Its text.")]
    body_html: Annotated[Markup, Help("The same as markup: paragraphs, lists and tables.")]
    where: Annotated[str, Help('The names of its countries, "Japan · Mongolia"; may be empty.')]
    where_html: Annotated[Markup, Help("The same as markup.")]
    date: Annotated[str, Help('Its date as written by the author, "24 October"; may be empty.')]
    picture: Annotated[PictureView | None, Help("Its picture, if it has one.")]
    gallery: Annotated[tuple[GalleryRow, ...], Help("Its further pictures, in rows of one or two.")] = ()
    links: Annotated[tuple[LinkView, ...], Help("The links below it.")]
    lead: Annotated[str, Help("What a digest says of it, in a sentence or two; may be empty.")]
    lead_html: Annotated[Markup, Help("The same as markup.")]
    url: Annotated[str, Help("The address of its own page, for the link in a digest.")]
    button: Annotated[LinkView | None, Help("Its button, if it has one.")] = None
    video: Annotated[VideoView | None, Help("Its video, if it has one.")] = None
    ai: Annotated[
        str, Help("What AI did to its text: `generated` or `edited`; empty if nothing is said.")
    ] = ""
    wraps: Annotated[
        bool,
        Help(
            "Whether its text is so much longer than its picture that it goes on below it, in a layout of "
            "two columns."
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class SectionView:
    """Stories under one heading."""

    key: Annotated[str, Help("Its name within the edition: its anchor, and the key of its fragment.")]
    accent: Annotated[Accent, Help("Its colour.")]
    title: Annotated[str, Help("Its heading.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    number: Annotated[
        str,
        Help(
            'How many of its stories the reader gets, "3"; only inside its own `section` or `entry` fragment.'
        ),
    ]
    count: Annotated[str, Help('The same in words, "3 stories"; likewise.')]
    introduction: Annotated[str, Help("The text between the heading and the stories; may be empty.")]
    introduction_html: Annotated[Markup, Help("The same as markup: paragraphs.")]
    stories: Annotated[tuple[StoryView, ...], Help("Its stories, in order.")]
    as_cards: Annotated[
        bool,
        Help(
            "Whether its stories are shown as cards: in a digest, unless they are lead stories. A card has "
            "`story.lead` and a link to `story.url` in place of the text."
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class LetterView:
    """The letter that opens an edition, and its signatory."""

    language: Annotated[str, Help("Its language tag; empty if it is the page's own language.")]
    direction: Annotated[str, Help("Its text direction; empty if it is the page's own.")]
    title: Annotated[str, Help("Its title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    body: Annotated[str, Help("Its text.")]
    body_html: Annotated[Markup, Help("The same as markup: paragraphs.")]
    name: Annotated[str, Help("The name of the person who signs it.")]
    name_html: Annotated[Markup, Help("The same as markup.")]
    titles: Annotated[tuple[str, ...], Help("The signatory's titles, line by line.")]
    titles_html: Annotated[tuple[Markup, ...], Help("The same as markup.")]
    portrait: Annotated[PictureView | None, Help("The signatory's portrait, if there is one.")]


@dataclass(frozen=True, kw_only=True)
class FollowView:
    """A service where readers can follow the office."""

    name: Annotated[str, Help('The name of the service, "WeChat".')]
    handle: Annotated[str, Help("The office's name there.")]
    handle_html: Annotated[Markup, Help("The same as markup.")]
    url: Annotated[str, Help("Its address; may be empty.")]


@dataclass(frozen=True, kw_only=True)
class MergeTags:
    """The merge tags, which are replaced by each reader's own values: always use these fields, never write a
    placeholder yourself."""

    greeting: Annotated[str, Help('The greeting, "Dear Ms Bat,"; put it in a `greeting` fragment.')]
    unsubscribe_url: Annotated[str, Help("The address of this reader's unsubscribe page, as a whole `href`.")]
    preferences_url: Annotated[str, Help("The address of this reader's preferences page.")]
    verification_code: Annotated[
        str, Help("The code of this message, by which anybody can ask whether it is from us.")
    ]
    verify_url: Annotated[str, Help("The address of the page where that is asked, as a whole `href`.")]
    verify_place: Annotated[str, Help("The same to read and type: `news.example.org/verify`.")]
    archive_url: Annotated[str, Help("The address of this edition in the archive.")]
    version: Annotated[str, Help("The end of the address of a story's page; `story.url` contains it.")]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole email in one language."""

    language: Annotated[str, Help("A language tag (BCP 47), such as `en` or `zh-Hans`.")]
    direction: Annotated[Literal["ltr", "rtl"], Help("The text direction.")]
    form: Annotated[Literal["full", "digest"], Help("The form of the edition.")]
    subject: Annotated[str, Help("The subject.")]
    preheader: Annotated[str, Help("The preview text that inboxes show next to the subject.")]
    title: Annotated[str, Help("The newsletter's title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    issue: Annotated[str, Help('The issue number as text, "No. 2021-2"; may be empty.')]
    issue_html: Annotated[Markup, Help("The same as markup.")]
    period: Annotated[str, Help('The period it covers, "September to December 2021"; may be empty.')]
    organisation: Annotated[str, Help("The name of the sending organisation.")]
    organisation_html: Annotated[Markup, Help("The same as markup.")]
    postal_address: Annotated[tuple[str, ...], Help("The postal address of the sender, line by line.")]
    postal_address_html: Annotated[tuple[Markup, ...], Help("The same as markup.")]
    why: Annotated[str, Help("Why the reader receives this email, in a sentence.")]
    why_html: Annotated[Markup, Help("The same as markup.")]
    logo: Annotated[PictureView | None, Help("The theme's logo, if it has one.")]
    letter: Annotated[LetterView | None, Help("The letter that opens it, if there is one.")]
    sections: Annotated[tuple[SectionView, ...], Help("Its sections, in order.")]
    lists_contents: Annotated[
        bool, Help("Whether it lists its contents and counts its stories; a correction does not.")
    ]
    follow: Annotated[tuple[FollowView, ...], Help("Where readers can follow the office.")]
    words: Annotated[Phrases, Help("The fixed phrases of the email.")]
    words_lang: Annotated[
        Markup,
        Help(
            'The attributes for an element that contains only phrases, such as ` lang="en" dir="ltr"` '
            "in an Arabic email, because there are no Arabic phrases yet: `<h2{{ page.words_lang "
            "}}>`. Empty if the phrases are in the language of the page."
        ),
    ]
    theme: Annotated[Theme, Help("The tokens of the theme.")]
    accents: Annotated[
        tuple[Accent, ...], Help("The colour of each section, in order; the style sheets loop over it.")
    ]
    parts: Annotated[
        tuple[str, ...],
        Help(
            "What only some emails contain, and what only then needs rules in the style sheets: "
            "`button`, `gallery` for further pictures, `notes` for footnotes, `table` for tables, "
            "`wide-table` for those that do not fit a phone."
        ),
    ] = ()
    merge_tag: Annotated[MergeTags, Help("The merge tags, filled in for each reader.")]
    whole: Annotated[
        bool,
        Help(
            "Whether the whole email is needed. It is false when only some stories have changed: the "
            "parts around the sections are then reused, and a template may skip them."
        ),
    ]
    needs_head: Annotated[
        bool,
        Help(
            "Whether the content of `mj-raw` in the head is needed. It is false when only some stories have "
            "changed: the head is then reused, and a template may skip these elements, all or none of them."
        ),
    ] = True

    def __reduce__(self) -> tuple[Callable[..., "Page"], tuple[bytes, tuple[SectionView, ...]]]:
        """For pickle: of many pages that are rendered one after the other, only the stories differ."""
        around = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "sections"}
        return _unpack_page, (pickle.dumps(around), self.sections)

    @property
    def start(self) -> Literal["left", "right"]:
        """The side where lines start."""
        return "right" if self.direction == "rtl" else "left"

    @property
    def end(self) -> Literal["left", "right"]:
        """The side where lines end."""
        return "left" if self.direction == "rtl" else "right"


def _unpack_page(around: bytes, sections: tuple[SectionView, ...]) -> Page:
    return Page(**_unpack_values(around), sections=sections)


@lru_cache(maxsize=8)
def _unpack_values(packed: bytes) -> Mapping[str, Any]:
    values: Mapping[str, Any] = pickle.loads(packed)  # noqa: S301 - from the program that started us
    return values


# Numbers that differ between variants, and addresses that end with a version: these fields contain
# placeholders by design.
_TAGGED_FIELDS = {(SectionView, "number"), (SectionView, "count"), (StoryView, "url")}


def refuse_reserved_marks(page: Page | tuple[SectionView, ...]) -> None:
    """Raise TemplateError, with the file, if a text in ``page``, or in some sections, contains one of our
    marks: an author's ``@@`` would be taken for a merge tag, and could put a reader's link in the wrong
    place; a separator would end a fragment."""
    texts: list[tuple[str, str]] = []
    _gather_texts(page, "edition.md", texts)
    for place, text in texts:
        for mark, message in _RESERVED:
            if mark in text:
                start, sign = max(text.index(mark) - 20, 0), mark if mark.isprintable() else repr(mark)
                words = Phrase(message, text=text[start : start + 60], sign=sign)
                advice = Phrase("Write it in another way.")
                told = join_sentences([words, advice])
                raise TemplateError(AFTER_PLACE, place=place, words=told)


def _gather_texts(value: object, place: str, texts: list[tuple[str, str]]) -> None:
    """Append every text in ``value`` to ``texts``, with the file it comes from."""
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
    """Return the fields of a part of the page; merge tags are not texts."""
    if not is_dataclass(kind) or kind is MergeTags:
        return ()
    return tuple(entry.name for entry in fields(kind) if (kind, entry.name) not in _TAGGED_FIELDS)


@dataclass(frozen=True, kw_only=True)
class RenderedPage:
    """A page as rendered by one theme. ``mjml`` is as its templates wrote it. HTML and text end with one line
    end, so a message needs no soft break after them. ``beginning`` is that of the HTML, up to what the
    templates themselves wrote into its head; ``inline_css`` are the rules that were written into its
    ``style`` attributes. ``stories_isolated`` is whether each story is mentioned only in its own
    fragments."""

    mjml: str
    html: str
    text: str
    beginning: str
    inline_css: str
    stories_isolated: bool = True
