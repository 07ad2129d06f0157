"""What a template is given: frozen values and nothing else, so that it can neither reach nor change more.

Text comes twice where both parts of a mail need it: a ``…_html`` field is safe markup with languages marked,
the field of the same name without it is plain text.
"""

from dataclasses import dataclass

from markupsafe import Markup

from mailer.rendering.theme import Accent, Theme
from mailer.rendering.words import Words


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture as shown. ``width`` and ``height`` are the file's pixels; caption and credit may be empty."""

    url: str
    width: int
    height: int
    alt: str
    caption: str
    caption_html: Markup
    credit: str
    credit_html: Markup


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link below a story: ``label`` is "Read more: …", whole."""

    url: str
    label: str
    label_html: Markup


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """One story. ``kind`` names its block; ``origin`` its file, for messages; ``language`` is empty where it
    is the page's own. ``where`` is its countries' names ("Japan · Mongolia"), ``date`` free text; both may be
    empty."""

    kind: str
    slug: str
    origin: str
    language: str
    accent: Accent
    title: str
    title_html: Markup
    body: str
    body_html: Markup
    where: str
    date: str
    picture: PictureView | None
    links: tuple[LinkView, ...]


@dataclass(frozen=True, kw_only=True)
class SectionView:
    """Stories under one heading. ``key`` is also its anchor; ``count`` says how many stories, in words."""

    key: str
    accent: Accent
    title: str
    title_html: Markup
    number: int
    count: str
    introduction: str
    introduction_html: Markup
    stories: tuple[StoryView, ...]


@dataclass(frozen=True, kw_only=True)
class LetterView:
    """The letter that opens an edition, and who signs it."""

    language: str
    title: str
    title_html: Markup
    body: str
    body_html: Markup
    name: str
    name_html: Markup
    titles: tuple[str, ...]
    titles_html: tuple[Markup, ...]
    portrait: PictureView | None


@dataclass(frozen=True, kw_only=True)
class FollowView:
    """A place where the office can be followed; ``url`` may be empty."""

    name: str
    handle: str
    handle_html: Markup
    url: str


@dataclass(frozen=True, kw_only=True)
class Holes:
    """The marks that each reader's own values replace."""

    greeting: str
    unsubscribe_url: str
    preferences_url: str
    archive_url: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole mail. ``language`` is a BCP 47 tag, ``direction`` is ``ltr`` or ``rtl``, ``issue`` "No. …".

    ``accents`` has the colour of each section, by class; ``hole`` what to write where readers differ.
    """

    language: str
    direction: str
    subject: str
    preheader: str
    title: str
    title_html: Markup
    issue: str
    period: str
    organisation: str
    organisation_html: Markup
    postal_address: tuple[str, ...]
    why: str
    letter: LetterView | None
    sections: tuple[SectionView, ...]
    follow: tuple[FollowView, ...]
    words: Words
    theme: Theme
    accents: tuple[Accent, ...]
    hole: Holes
