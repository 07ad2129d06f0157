"""The keys of the front matter of editions and stories, and of their translations.

A field's description is shown where the key is missing.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from editions.model import EditionForm, Personalisation, StoryKind
from editions.source.field_values import (
    Ai,
    AiStatement,
    CountryCode,
    FocusPoint,
    Form,
    IsoDate,
    Kind,
    LanguageTag,
    People,
    Personalised,
    SectionKey,
    SectorSlug,
    Shape,
    SingleLine,
    TemplateName,
    Url,
    YesNo,
)
from locales.phrase import gettext_noop


def _wrap_in_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _wrap_name(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class FrontMatterModel(BaseModel):
    """The keys of a file, or those below one of its keys. Others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageHeader(FrontMatterModel):
    """A picture, by its file name in ``images/``."""

    file: SingleLine = Field(description=gettext_noop("The picture's file in images/, such as forum.jpg."))
    alt: SingleLine = Field(
        description=gettext_noop("A description of the picture for readers who cannot see it.")
    )
    caption: SingleLine = Field(default="", description="The text below the picture.")
    credit: SingleLine = Field(default="", description="Who made the picture.")
    ai: AiStatement = Field(
        default=None,
        description="What AI did to the picture, which readers are told: generated (it made it) or edited. "
        "none says that it did nothing.",
    )
    people: People | None = Field(
        default=None,
        description="Whether people can be recognised in it: nobody, agreed (they agreed to be shown) or "
        "public (at a public event, or public figures). Readers are not told.",
    )
    shape: Shape | None = Field(
        default=None,
        description="What it is cropped to: wide (16 to 9), landscape (3 to 2) or square. By default, all of "
        "it is shown.",
    )
    focus: FocusPoint | None = Field(
        default=None,
        description="The point that stays in sight when it is cropped: per cent from the left and from the "
        "top, such as 50 30. By default, its middle.",
    )


class ImageTranslation(FrontMatterModel):
    """The texts of a picture in another language."""

    alt: SingleLine = Field(
        default="", description="A description of the picture for readers who cannot see it."
    )
    caption: SingleLine = Field(default="", description="The text below the picture.")
    credit: SingleLine = Field(default="", description="Who made the picture.")


class ReadMoreHeader(FrontMatterModel):
    """A link below a story."""

    what: SingleLine = Field(
        description=gettext_noop("What the page is: it completes the words “Read more: …”.")
    )
    url: Url = Field(description=gettext_noop("The page's address, beginning with https://."))


class ReadMoreTranslation(FrontMatterModel):
    """A link below a story in another language."""

    what: SingleLine = Field(
        description=gettext_noop("What the page is: it completes the words “Read more: …”.")
    )
    url: Url | None = Field(
        default=None, description="The page's address, if it is another one than in the original."
    )


class ButtonHeader(FrontMatterModel):
    """A button below a story."""

    what: SingleLine = Field(
        description=gettext_noop("What the button says, such as Register for the forum.")
    )
    url: Url = Field(description=gettext_noop("The page's address, beginning with https://."))


class ButtonTranslation(FrontMatterModel):
    """A button in another language."""

    what: SingleLine = Field(description=gettext_noop("What the button says, in this language."))
    url: Url | None = Field(
        default=None, description="The page's address, if it is another one than in the original."
    )


class VideoHeader(ImageHeader):
    """A video: a still picture that links to its page."""

    file: SingleLine = Field(
        description=gettext_noop("A still picture of the video, in images/, such as forum.jpg.")
    )
    what: SingleLine = Field(
        description=gettext_noop("What the video is: it completes the words “Watch: …”.")
    )
    url: Url = Field(description=gettext_noop("The video's page, beginning with https://."))
    duration: SingleLine = Field(default="", description="How long it is, such as 3:20.")


class VideoTranslation(ImageTranslation):
    """A video in another language."""

    what: SingleLine = Field(default="", description="What the video is: it completes the words “Watch: …”.")
    url: Url | None = Field(
        default=None, description="The video's page, if it is another one than in the original."
    )


class FollowHeader(FrontMatterModel):
    """An account where readers can follow the office."""

    name: SingleLine = Field(description=gettext_noop("The network, such as WeChat."))
    handle: SingleLine = Field(description=gettext_noop("The account's name there."))
    url: Url | None = Field(
        default=None, description="The account's page, beginning with https://, if there is one."
    )


class LetterHeader(FrontMatterModel):
    """The letter's heading and who signs it."""

    title: SingleLine = Field(description=gettext_noop("The letter's heading."))
    name: SingleLine = Field(description=gettext_noop("Who signs the letter."))
    titles: list[SingleLine] = Field(default_factory=list, description="The lines below the name.")
    portrait: ImageHeader | None = Field(default=None, description="A picture of the person who signs.")


class LetterTranslation(FrontMatterModel):
    """The letter's heading and who signs it, in another language."""

    title: SingleLine = Field(description=gettext_noop("The letter's heading."))
    name: SingleLine = Field(default="", description="Who signs the letter, if written otherwise.")
    titles: list[SingleLine] = Field(
        default_factory=list, description="The lines below the name, in this language."
    )
    portrait: ImageTranslation | None = Field(
        default=None, description="The texts of the portrait in this language."
    )


class EditionHeader(FrontMatterModel):
    """The front matter of ``edition.md``."""

    title: SingleLine = Field(description=gettext_noop("The newsletter's name, as the masthead shows it."))
    number: SingleLine = Field(description=gettext_noop("The number of the issue, such as 2021-2."))
    period: SingleLine = Field(
        description=gettext_noop("The period it covers, such as September to December 2021.")
    )
    date: IsoDate = Field(description=gettext_noop("The day of issue, as in 2021-12-31."))
    language: LanguageTag = Field(description=gettext_noop("The language it is written in, such as en."))
    subject: SingleLine = Field(description=gettext_noop("The email's subject, at most 70 characters."))
    preheader: SingleLine = Field(
        description=gettext_noop("The text inboxes show after the subject, 40 to 130 characters.")
    )
    template: TemplateName = Field(default="periodical", description="The theme, which decides how it looks.")
    form: Form = Field(
        default=EditionForm.full,
        description="How much of its stories the email carries: full (all of it), or digest (title, picture, "
        "a few lines and a link to the story's page).",
    )
    sender: SingleLine = Field(
        default="", description="The sender's name, if it is not the one in mailer.toml."
    )
    authors: Annotated[list[SingleLine], BeforeValidator(_wrap_name)] = Field(
        default_factory=list,
        description="Who wrote it, so that another person approves it. Readers do not see this.",
    )
    personalise: Personalised = Field(
        default=Personalisation.off,
        description="What to do with the sectors and countries that a reader follows: off, order (stories "
        "about them first), or filter (stories about them first, others left out).",
    )
    letter: LetterHeader | None = Field(default=None, description="The letter's heading and who signs it.")
    introductions: dict[SectionKey, str] = Field(
        default_factory=dict, description="A text at the beginning of a section."
    )
    follow: list[FollowHeader] = Field(
        default_factory=list, description="Accounts where readers can follow the office."
    )
    checks: dict[str, SingleLine] = Field(
        default_factory=dict, description="Checks to switch off, each with the reason: long-story: why."
    )


class EditionTranslation(FrontMatterModel):
    """The front matter of ``edition.<language>.md``."""

    title: SingleLine = Field(description=gettext_noop("The newsletter's name in this language."))
    period: SingleLine = Field(default="", description="The period it covers, in this language.")
    subject: SingleLine = Field(
        description=gettext_noop("The email's subject in this language, at most 70 characters.")
    )
    preheader: SingleLine = Field(
        description=gettext_noop("The text inboxes show after the subject, 40 to 130 characters.")
    )
    letter: LetterTranslation | None = Field(
        default=None, description="The letter's heading in this language."
    )
    introductions: dict[SectionKey, str] = Field(
        default_factory=dict, description="A text at the beginning of a section."
    )
    translated_from: SingleLine = Field(
        default="", description="The digest of the original that was translated."
    )


class StoryHeader(FrontMatterModel):
    """The front matter of ``stories/NNN-slug.md``."""

    title: SingleLine = Field(description=gettext_noop("The story's heading."))
    sector: SectorSlug | None = Field(
        default=None, description="One of the sectors in mailer.toml; leave it out for office news."
    )
    countries: list[CountryCode] = Field(
        default_factory=list, description="Two-letter codes, such as [MN, CN]."
    )
    kind: Kind = Field(default=StoryKind.story, description="What the story is.")
    date: SingleLine = Field(default="", description="The day as shown to readers, such as 24 October.")
    lead: SingleLine = Field(
        default="",
        description="What a digest says of the story, in plain text; by default, how its text begins.",
    )
    image: ImageHeader | None = Field(default=None, description="The story's picture.")
    images: Annotated[list[ImageHeader], BeforeValidator(_wrap_in_list)] = Field(
        default_factory=list, description="Further pictures, shown below the story, two in a row."
    )
    read_more: Annotated[list[ReadMoreHeader], BeforeValidator(_wrap_in_list)] = Field(
        default_factory=list, description="Links below the story."
    )
    button: ButtonHeader | None = Field(default=None, description="A button below the story.")
    video: VideoHeader | None = Field(
        default=None, description="A video, shown as a still picture with a link to its page."
    )
    ai: Ai | None = Field(
        default=None,
        description="What AI did to the text, which readers are told: generated (it wrote it) or edited.",
    )
    everyone: YesNo = Field(default=False, description="Whether all readers get it, whatever they follow.")


class StoryTranslation(FrontMatterModel):
    """The front matter of ``stories/NNN-slug.<language>.md``."""

    title: SingleLine = Field(description=gettext_noop("The story's heading in this language."))
    date: SingleLine = Field(default="", description="The day as shown to readers, in this language.")
    lead: SingleLine = Field(
        default="",
        description="What a digest says of the story in this language; by default, how the text begins.",
    )
    image: ImageTranslation | None = Field(default=None, description="The picture's texts in this language.")
    images: Annotated[list[ImageTranslation], BeforeValidator(_wrap_in_list)] = Field(
        default_factory=list,
        description="The texts of the further pictures in this language, in the same order.",
    )
    read_more: Annotated[list[ReadMoreTranslation], BeforeValidator(_wrap_in_list)] = Field(
        default_factory=list, description="Links below the story, in this language."
    )
    button: ButtonTranslation | None = Field(default=None, description="The button in this language.")
    video: VideoTranslation | None = Field(
        default=None, description="The texts of the video in this language."
    )
    translated_from: SingleLine = Field(
        default="", description="The digest of the original that was translated."
    )
