"""What a template is given: frozen values and nothing else, so that it can neither reach nor change more.

Every field carries its help, and docs/templates.md is made of it. Text comes twice where both parts of a mail
need it: a ``…_html`` field is safe markup with languages marked, the field of the same name without it is
plain text.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from markupsafe import Markup

from mailer.rendering.themes.field_docs import Help
from mailer.rendering.themes.phrases import Phrases
from mailer.rendering.themes.theme import Accent, Theme


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture as shown."""

    url: Annotated[str, Help("Where it is: an absolute address.")]
    width: Annotated[int, Help("The pixels of the file, across.")]
    height: Annotated[int, Help("The pixels of the file, down.")]
    alt: Annotated[str, Help("What it shows, for those who do not see it.")]
    caption: Annotated[str, Help("The words below it; may be empty.")]
    caption_html: Annotated[Markup, Help("The same as markup.")]
    credit: Annotated[str, Help("Who made it; may be empty.")]
    credit_html: Annotated[Markup, Help("The same as markup.")]


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link below a story."""

    url: Annotated[str, Help("Where it leads: an absolute address.")]
    label: Annotated[str, Help('Its words, whole: "Read more: the exchange programme".')]
    label_html: Annotated[Markup, Help("The same as markup.")]


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """One story."""

    kind: Annotated[str, Help("Its kind, which names the block that draws it.")]
    slug: Annotated[str, Help("Its name within the edition: the key of its slice.")]
    origin: Annotated[str, Help("The file it was written in, for messages: `origin(story.origin)`.")]
    language: Annotated[str, Help("The tag of its language; empty where it is the page's own.")]
    direction: Annotated[str, Help("The direction of its lines; empty where it is the page's own.")]
    accent: Annotated[Accent, Help("The colour of its section.")]
    title: Annotated[str, Help("Its title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    body: Annotated[str, Help("Its text.")]
    body_html: Annotated[Markup, Help("The same as markup: paragraphs, lists, tables.")]
    where: Annotated[str, Help('Its countries by name, "Japan · Mongolia"; may be empty.')]
    where_html: Annotated[Markup, Help("The same as markup.")]
    date: Annotated[str, Help('Its day as written, "24 October"; may be empty.')]
    picture: Annotated[PictureView | None, Help("Its picture, if it has one.")]
    links: Annotated[tuple[LinkView, ...], Help("The links below it.")]


@dataclass(frozen=True, kw_only=True)
class SectionView:
    """Stories under one heading."""

    key: Annotated[str, Help("Its name within the edition: its anchor, and the key of its slice.")]
    accent: Annotated[Accent, Help("Its colour.")]
    title: Annotated[str, Help("Its heading.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    number: Annotated[
        str,
        Help('How many stories the reader gets of it, "3"; only inside its own `section` or `entry` slice.'),
    ]
    count: Annotated[str, Help('The same in words, "3 stories"; likewise.')]
    introduction: Annotated[str, Help("The words between heading and stories; may be empty.")]
    introduction_html: Annotated[Markup, Help("The same as markup: paragraphs.")]
    stories: Annotated[tuple[StoryView, ...], Help("Its stories, in order.")]


@dataclass(frozen=True, kw_only=True)
class LetterView:
    """The letter that opens an edition, and who signs it."""

    language: Annotated[str, Help("The tag of its language; empty where it is the page's own.")]
    direction: Annotated[str, Help("The direction of its lines; empty where it is the page's own.")]
    title: Annotated[str, Help("Its title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    body: Annotated[str, Help("Its text.")]
    body_html: Annotated[Markup, Help("The same as markup: paragraphs.")]
    name: Annotated[str, Help("Who signs it.")]
    name_html: Annotated[Markup, Help("The same as markup.")]
    titles: Annotated[tuple[str, ...], Help("What they are, line by line.")]
    titles_html: Annotated[tuple[Markup, ...], Help("The same as markup.")]
    portrait: Annotated[PictureView | None, Help("Their portrait, if there is one.")]


@dataclass(frozen=True, kw_only=True)
class FollowView:
    """A place where the office can be followed."""

    name: Annotated[str, Help('What the place is called, "WeChat".')]
    handle: Annotated[str, Help("What the office is called there.")]
    handle_html: Annotated[Markup, Help("The same as markup.")]
    url: Annotated[str, Help("Its address; may be empty.")]


@dataclass(frozen=True, kw_only=True)
class MergeTags:
    """The marks that each reader's own values replace: never spell one out, write these."""

    greeting: Annotated[
        str, Help('The line that greets the reader, "Dear Ms Bat,"; stands in a `greeting` slice.')
    ]
    unsubscribe_url: Annotated[str, Help("The address where this reader leaves, as a whole `href`.")]
    preferences_url: Annotated[str, Help("The address where this reader chooses what to get.")]
    archive_url: Annotated[str, Help("The address of this edition in the browser.")]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole mail in one language."""

    language: Annotated[str, Help("A language tag (BCP 47), such as `en` or `zh-Hans`.")]
    direction: Annotated[Literal["ltr", "rtl"], Help("The direction of its lines.")]
    subject: Annotated[str, Help("The subject.")]
    preheader: Annotated[str, Help("What inboxes show beside the subject.")]
    title: Annotated[str, Help("The newsletter's title.")]
    title_html: Annotated[Markup, Help("The same as markup.")]
    issue: Annotated[str, Help('The number of the issue in words, "No. 2021-2"; may be empty.')]
    issue_html: Annotated[Markup, Help("The same as markup.")]
    period: Annotated[str, Help('The time it tells of, "September to December 2021"; may be empty.')]
    organisation: Annotated[str, Help("Who sends it.")]
    organisation_html: Annotated[Markup, Help("The same as markup.")]
    postal_address: Annotated[tuple[str, ...], Help("Where the sender can be found, line by line.")]
    postal_address_html: Annotated[tuple[Markup, ...], Help("The same as markup.")]
    why: Annotated[str, Help("Why the reader gets this, in a sentence.")]
    why_html: Annotated[Markup, Help("The same as markup.")]
    logo: Annotated[PictureView | None, Help("The theme's logo, if it has one.")]
    letter: Annotated[LetterView | None, Help("The letter that opens it, if there is one.")]
    sections: Annotated[tuple[SectionView, ...], Help("Its sections, in order.")]
    follow: Annotated[tuple[FollowView, ...], Help("Where the office can be followed.")]
    words: Annotated[Phrases, Help("What the mail says besides its content.")]
    words_lang: Annotated[
        Markup,
        Help(
            'The attributes of an element that holds nothing but `words`, such as ` lang="en" dir="ltr"` '
            "in an Arabic mail, whose language has no phrases yet: `<h2{{ page.words_lang }}>`. Empty where "
            "they are in the page's own language."
        ),
    ]
    theme: Annotated[Theme, Help("The tokens of the theme.")]
    accents: Annotated[
        tuple[Accent, ...], Help("The colour of each section, in order; the sheets go through it.")
    ]
    merge_tag: Annotated[MergeTags, Help("What to write where readers differ.")]
    whole: Annotated[
        bool,
        Help(
            "Whether all of the mail is wanted. Where some stories have changed and nothing else, it is not: "
            "what stands around the sections is known, and a template may save the time to write it."
        ),
    ]

    @property
    def start(self) -> Literal["left", "right"]:
        """The side where lines begin."""
        return "right" if self.direction == "rtl" else "left"

    @property
    def end(self) -> Literal["left", "right"]:
        """The side where lines end."""
        return "left" if self.direction == "rtl" else "right"
