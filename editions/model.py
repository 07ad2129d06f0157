"""An edition as its author meant it: stories, sections, pictures and how they are cropped."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from locales.phrase import ChoiceEnum, gettext_noop


class ImageShape(StrEnum):
    """The shape that a picture is cropped to."""

    wide = "wide"
    landscape = "landscape"
    square = "square"


PROPORTIONS: Mapping[ImageShape, tuple[int, int]] = MappingProxyType(
    {ImageShape.wide: (16, 9), ImageShape.landscape: (3, 2), ImageShape.square: (1, 1)}
)


@dataclass(frozen=True, kw_only=True)
class Focus:
    """The point of a picture that stays in sight when it is cropped, in per cent from its left and top."""

    x: int = 50
    y: int = 50

    def __str__(self) -> str:
        return f"{self.x} {self.y}"


CENTRE = Focus()


@dataclass(frozen=True, kw_only=True)
class Crop:
    """What is shown of a picture: as much as ``shape`` has room for, with ``focus`` as near to its middle as
    the picture's edges permit."""

    shape: ImageShape
    focus: Focus = CENTRE

    def find_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the part of a picture of ``width`` and ``height`` pixels: left, top, right and bottom."""
        wide, high = PROPORTIONS[self.shape]
        shown_width = min(width, max(1, round(height * wide / high)))
        shown_height = min(height, max(1, round(width * high / wide)))
        left = _place(width, shown_width, self.focus.x)
        top = _place(height, shown_height, self.focus.y)
        return left, top, left + shown_width, top + shown_height

    def find_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height of what is shown of a picture, in its own pixels."""
        left, top, right, bottom = self.find_box(width, height)
        return right - left, bottom - top


def _place(length: int, shown: int, focus: int) -> int:
    """Return where ``shown`` pixels of ``length`` begin, with the point at ``focus`` per cent in their
    middle."""
    return max(0, min(length - shown, round(length * focus / 100 - shown / 2)))


class StoryKind(ChoiceEnum):
    """The kind of a story, which decides how it looks."""

    letter = "letter"
    """A letter signed by a person, with their portrait if there is one."""

    story = ("story", gettext_noop("Story"), gettext_noop("Its picture stands beside the text."))
    """An ordinary story, with its picture next to the text."""

    feature = (
        "feature",
        gettext_noop("Lead story"),
        gettext_noop("It comes first, with a picture as wide as the mail."),
    )
    """The lead story, with a picture as wide as the email."""

    list = ("list", gettext_noop("Round-up"), gettext_noop("Its text is mostly a list."))
    """A round-up, whose body is mostly a list."""

    centre = (
        "centre",
        gettext_noop("Category 2 centre"),
        gettext_noop("A portrait of one, in a section of its own."),
    )
    """A portrait of a category 2 centre."""

    chair = (
        "chair",
        gettext_noop("UNESCO Chair"),
        gettext_noop("A portrait of one, in a section of its own."),
    )
    """A portrait of a UNESCO Chair."""

    campaign = (
        "campaign",
        gettext_noop("Public campaign"),
        gettext_noop("A joint campaign for the public, with its day."),
    )
    """A joint public campaign, with its day."""

    notice = (
        "notice",
        gettext_noop("Office news"),
        gettext_noop("News about the office itself, without a sector."),
    )
    """News about the office itself, without a sector."""


class EditionForm(ChoiceEnum):
    """How much of its stories the email of an edition carries. The web edition always has all of it."""

    full = ("full", gettext_noop("Full"), gettext_noop("The mail has every story as a whole."))
    digest = (
        "digest",
        gettext_noop("Digest"),
        gettext_noop("The mail has a picture, a few lines and a link of each story."),
    )
    """Of each story its title, its picture, its lead and a link to its page, two side by side where there is
    room. The letter and the lead story stay whole."""


class Personalisation(ChoiceEnum):
    """What to do with the sectors and countries that a reader follows."""

    off = ("off", gettext_noop("The same for everybody"))
    """All readers get the same stories in the same order."""

    order = (
        "order",
        gettext_noop("Own stories first"),
        gettext_noop("Partners find the stories about what they follow first, and all others after them."),
    )
    """All readers get all stories, with those about what they follow first."""

    filter = (
        "filter",
        gettext_noop("Own stories only"),
        gettext_noop("Partners get the stories about what they follow, and those for everyone."),
    )
    """As ``order``, but stories about nothing a reader follows are left out, unless they are for everyone."""


class AiOrigin(StrEnum):
    """What a program of artificial intelligence did to a picture or a text. Readers are told."""

    generated = "generated"
    """Made by such a program, wholly or for the most part."""

    edited = "edited"
    """Made by people, and changed by such a program."""


class PeopleShown(StrEnum):
    """Whether people can be recognised in a picture, and why it may be shown all the same."""

    nobody = "nobody"
    agreed = "agreed"
    """Everybody who can be recognised agreed to be shown, or a parent did."""

    public = "public"
    """They were at a public event, or are public figures, and nothing private is shown."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture: ``path`` is its file; ``width`` and ``height`` are its own pixels, of what ``crop`` leaves.
    ``ai`` is what its own label says, or else its author. ``people`` is None if nobody has said it.
    ``digest`` is the SHA-256 of the file."""

    path: Path
    alt: str
    caption: str
    credit: str
    width: int
    height: int
    digest: bytes = field(default=b"", repr=False)
    ai: AiOrigin | None = None
    crop: Crop | None = None
    people: PeopleShown | None = None


@dataclass(frozen=True, kw_only=True)
class ImageText:
    """The texts of a picture in one language, the original's where they are not translated."""

    alt: str
    caption: str
    credit: str


@dataclass(frozen=True, kw_only=True)
class ReadMore:
    """A link below a story. ``what`` completes the words "Read more: …"; ``url`` is absolute."""

    what: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Video:
    """A video elsewhere: ``image`` is a still picture of it, ``duration`` free text such as 3:20."""

    image: Image
    duration: str


@dataclass(frozen=True, kw_only=True)
class FollowLink:
    """An account where readers can follow the office. ``url`` is empty if there is only a handle."""

    name: str
    handle: str
    url: str


@dataclass(frozen=True, kw_only=True)
class StoryText:
    """A story in one language; what is not translated is the original's. ``html`` is sanitised XHTML;
    ``text`` is the same as plain text. ``caption``, ``alt`` and ``credit`` are those of the picture,
    ``images`` the texts of the further pictures, in their order. ``video`` is the link to the video,
    ``still`` the texts of its picture. ``lead`` is plain text: what a digest has of a story, as written or
    else the beginning of its text. ``has_wide_table`` is whether a table does not fit the screen of a phone.
    ``leads_to_preferences`` says that the button opens the reader's own page, which only the letters of the
    program itself have."""

    language: str
    title: str
    html: str
    text: str
    words: int
    caption: str
    alt: str
    credit: str = ""
    images: tuple[ImageText, ...] = ()
    date: str = ""
    read_more: tuple[ReadMore, ...] = ()
    button: ReadMore | None = None
    video: ReadMore | None = None
    still: ImageText | None = None
    lead: str = ""
    has_wide_table: bool = False
    leads_to_preferences: bool = False


@dataclass(frozen=True, kw_only=True)
class EditionText:
    """The texts of an edition in one language; introductions are by section key."""

    language: str
    title: str
    period: str
    subject: str
    preheader: str
    introductions: Mapping[str, StoryText]


@dataclass(frozen=True, kw_only=True)
class Story:
    """One item of an edition. ``slug`` is the file's name without number and ending (``esd-hiratsuka``),
    ``source`` the file relative to the edition. ``texts`` has at least the edition's own language. ``sector``
    is one of those configured; ``countries`` are ISO 3166-1 alpha-2 codes in the order written. ``date`` is
    free text, such as the day shown above a campaign ("24 October"). ``images`` are the further pictures."""

    slug: str
    source: str
    kind: StoryKind
    sector: str | None
    countries: tuple[str, ...]
    date: str
    texts: Mapping[str, StoryText]
    image: Image | None
    read_more: tuple[ReadMore, ...]
    everyone: bool
    images: tuple[Image, ...] = ()
    video: Video | None = None
    ai: AiOrigin | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who signs a letter, in one language."""

    name: str
    titles: tuple[str, ...]
    portrait: ImageText


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The director's letter: its heading and text by language, and who signs it. ``signatures`` are the name
    and the titles in each language, the original's where they are not translated."""

    texts: Mapping[str, StoryText]
    name: str
    titles: tuple[str, ...]
    portrait: Image | None
    signatures: Mapping[str, Signature] = field(default_factory=lambda: MappingProxyType({}))

    def signature_in(self, language: str) -> Signature:
        """Return who signs it in ``language``, or as written in the original."""
        portrait = self.portrait
        return self.signatures.get(language) or Signature(
            name=self.name,
            titles=self.titles,
            portrait=ImageText(
                alt=portrait.alt if portrait else "",
                caption=portrait.caption if portrait else "",
                credit=portrait.credit if portrait else "",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One issue of the newsletter. ``language`` is a BCP 47 tag; ``languages`` are those that it is complete
    in, its own first. ``introductions`` has sanitised text by section key. ``stories`` are in reading order.
    ``checks`` are those that are switched off, by code, with the reason. ``authors`` wrote it; readers do not
    see them. ``lists_contents`` says whether its email begins with a list of what is in it; a correction's
    does not."""

    folder: Path
    slug: str
    title: str
    number: str
    period: str
    date: date
    language: str
    languages: tuple[str, ...]
    subject: str
    preheader: str
    template: str
    sender_name: str
    letter: Letter | None
    stories: tuple[Story, ...]
    introductions: Mapping[str, StoryText] = field(default_factory=lambda: MappingProxyType({}))
    follow: tuple[FollowLink, ...] = ()
    form: EditionForm = EditionForm.full
    personalise: Personalisation = Personalisation.off
    checks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    texts: Mapping[str, EditionText] = field(default_factory=lambda: MappingProxyType({}))
    authors: tuple[str, ...] = ()
    lists_contents: bool = True

    def ai_origins(self) -> dict[str, str]:
        """Return what AI did to its texts and pictures: ``generated`` or ``edited``, by the file's name."""
        found = {story.source: story.ai for story in self.stories}
        pictures = [self.letter.portrait if self.letter else None]
        for story in self.stories:
            pictures += [story.image, *story.images, story.video.image if story.video else None]
        found |= {f"images/{picture.path.name}": picture.ai for picture in pictures if picture}
        return {name: origin.value for name, origin in found.items() if origin}


def list_written_texts(value: object) -> Iterator[str]:
    """Yield every text of an edition, or of a part of it, in every language, as plain text or as HTML."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from list_written_texts(tuple(value.values()))
    elif isinstance(value, tuple):
        for item in value:
            yield from list_written_texts(item)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from list_written_texts(getattr(value, entry.name))


_SECTION_BY_KIND = {
    StoryKind.feature: "feature",
    StoryKind.centre: "centres-and-chairs",
    StoryKind.chair: "centres-and-chairs",
    StoryKind.campaign: "campaigns",
    StoryKind.notice: "office",
}


def arrange_sections(edition: Edition, *, sectors: Sequence[str]) -> dict[str, list[Story]]:
    """Return the stories of ``edition`` by the keys of their sections, without empty ones: ``feature``, the
    ``sectors`` in their order, any other sector, so that no story is lost, ``centres-and-chairs``,
    ``campaigns``, ``office``. Stories keep their order."""
    stories: dict[str, list[Story]] = {}
    for story in edition.stories:
        stories.setdefault(find_section(story.kind, story.sector), []).append(story)
    order = order_sections(stories, sectors=sectors)
    return {key: stories[key] for key in order}


def order_sections(keys: Collection[str], *, sectors: Sequence[str]) -> list[str]:
    fixed = ("centres-and-chairs", "campaigns", "office")
    others = [key for key in keys if key not in {"feature", *sectors, *fixed}]
    return [key for key in dict.fromkeys(("feature", *sectors, *others, *fixed)) if key in keys]


def find_section(kind: StoryKind, sector: str | None) -> str:
    """Return the key of the section in which a story of this kind and sector is."""
    return _SECTION_BY_KIND.get(kind) or sector or "office"
