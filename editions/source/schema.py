"""The keys of the front matter: what they are for and which values they may have.

A field's description is shown where the key is missing. Every value arrives as text and is converted and
validated by the types here.
"""

import datetime
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from editions.crop import Focus, ImageShape
from editions.markdown.links import find_link_fault
from editions.model import AiOrigin, EditionForm, PeopleShown, Personalisation, StoryKind
from locales.countries import country_name, is_country, suggest_countries
from locales.languages import canonical_language
from locales.phrase import gettext_noop

FIXED_SECTIONS = ("feature", "centres-and-chairs", "campaigns", "office")


def validation_error(code: str, reason: str) -> PydanticCustomError:
    """An error that becomes a problem with this ``code`` and the message ``reason``."""
    return PydanticCustomError(code, "{reason}", {"reason": reason})


def suggest_choice(value: str, known: Iterable[str]) -> str:
    """Advice after an error about ``value``: the likeliest of the ``known`` values, or all of them."""
    choices = sorted(known)
    if not choices:
        return gettext_noop("There are none yet.")
    close = get_close_matches(value.lower(), choices, n=1, cutoff=0.6)
    return (
        gettext_noop("Did you mean `%(choice)s`?") % {"choice": close[0]}
        if close
        else gettext_noop("Choose one of: %(choices)s.") % {"choices": ", ".join(choices)}
    )


def _join_lines(value: str) -> str:
    return re.sub(r"[ \t\n]+", " ", value).strip()


def _check_link(value: str) -> str:
    if wrong := find_link_fault(value):
        raise validation_error(wrong.code, wrong.reason)
    return value


def _check_language(value: str) -> str:
    tag = canonical_language(value)
    if tag is None:
        raise validation_error(
            "unknown-language",
            gettext_noop(
                "%(value)s is not a known language tag. Write en, zh-Hans, mn, ja, ko or fr, for example."
            )
            % {"value": f"{value!r}"},
        )
    return tag


def _check_date(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        # fromisoformat alone would also take 20211231 and 2021-W52-5.
        return (
            datetime.date.fromisoformat(value)
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value)
            else _reject_date(value)
        )
    except ValueError:
        return _reject_date(value)


def _reject_date(value: str) -> Any:
    raise validation_error(
        "bad-date",
        gettext_noop("%(value)s is not a valid date. Write year-month-day, as in 2021-12-31.")
        % {"value": f"{value!r}"},
    )


def _check_country(value: str) -> str:
    if is_country(value):
        return value
    codes = suggest_countries(value, names=1)
    if codes == (value.upper(),):
        raise validation_error(
            "country-case",
            gettext_noop("%(value)s must be written in capitals. Write %(code)s (%(country)s).")
            % {"value": f"{value!r}", "code": codes[0], "country": country_name(codes[0])},
        )
    if not codes:
        raise validation_error(
            "unknown-country",
            gettext_noop(
                "%(value)s is not a country code, so it would match no reader. Use the two letters of "
                "ISO 3166-1, such as MN."
            )
            % {"value": f"{value!r}"},
        )
    likely = " or ".join(f"{code} ({country_name(code)})" for code in codes)
    raise validation_error(
        "unknown-country",
        gettext_noop("%(value)s is not a country code, so it would match no reader. Did you mean %(likely)s?")
        % {"value": f"{value!r}", "likely": likely},
    )


def _check_sector(value: str, info: ValidationInfo) -> str:
    sectors = (info.context or {}).get("sectors", ())
    if value not in sectors:
        raise validation_error(
            "unknown-sector",
            gettext_noop(
                "%(value)s is not one of the sectors in mailer.toml. %(advice)s For office news, "
                "leave the line out."
            )
            % {"value": f"{value!r}", "advice": suggest_choice(value, sectors)},
        )
    return value


def _check_section(value: str, info: ValidationInfo) -> str:
    sections = (*(info.context or {}).get("sectors", ()), *FIXED_SECTIONS)
    if value not in sections:
        raise validation_error(
            "unknown-section",
            gettext_noop("%(value)s is not a section, so readers would not see this text. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, sections)},
        )
    return value


def _check_kind(value: Any) -> Any:
    if isinstance(value, str) and value not in list(StoryKind):
        raise validation_error(
            "unknown-kind",
            gettext_noop("%(value)s is not a kind of story. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, StoryKind)},
        )
    return value


def _check_ai(value: Any) -> Any:
    if isinstance(value, str) and value not in list(AiOrigin):
        raise validation_error(
            "unknown-ai",
            gettext_noop("%(value)s is not something AI can have done. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, AiOrigin)},
        )
    return value


def _check_ai_statement(value: Any) -> Any:
    return None if value == "none" else _check_ai(value)


def _check_people(value: Any) -> Any:
    if isinstance(value, str) and value not in list(PeopleShown):
        raise validation_error(
            "unknown-people",
            gettext_noop("%(value)s does not say whether people are shown. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, PeopleShown)},
        )
    return value


def _check_shape(value: Any) -> Any:
    if isinstance(value, str) and value not in list(ImageShape):
        raise validation_error(
            "unknown-shape",
            gettext_noop("%(value)s is not a shape to crop a picture to. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, ImageShape)},
        )
    return value


def _read_focus(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,3})[ ,]+(\d{1,3})", value.strip())
    if found is None or max(map(int, found.groups())) > 100:
        raise validation_error(
            "bad-focus",
            gettext_noop(
                "%(value)s is not a point of the picture. Write per cent from the left and from the top, "
                "such as 50 30."
            )
            % {"value": f"{value!r}"},
        )
    return Focus(x=int(found[1]), y=int(found[2]))


def _check_personalisation(value: Any) -> Any:
    if isinstance(value, str) and value not in list(Personalisation):
        raise validation_error(
            "unknown-personalisation",
            gettext_noop("%(value)s is not a way to personalise. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, Personalisation)},
        )
    return value


def _check_form(value: Any) -> Any:
    if isinstance(value, str) and value not in list(EditionForm):
        raise validation_error(
            "unknown-form",
            gettext_noop("%(value)s is not a form of an edition. %(advice)s")
            % {"value": f"{value!r}", "advice": suggest_choice(value, EditionForm)},
        )
    return value


def _check_template_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise validation_error(
            "bad-template",
            gettext_noop(
                "%(value)s is not a valid template name. Use lower-case letters, digits and hyphens, as "
                "in periodical."
            )
            % {"value": f"{value!r}"},
        )
    return value


def _wrap_in_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _wrap_name(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _pattern_schema(pattern: str) -> WithJsonSchema:
    """A pattern for the JSON Schema, for editors; whether the value exists is only checked on reading."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


# Editors read `number: 2021` as a number; for us it is text, as every value is.
SingleLine = Annotated[str, AfterValidator(_join_lines), WithJsonSchema({"type": ["string", "number"]})]
Url = Annotated[str, AfterValidator(_check_link), _pattern_schema("^(https?://|mailto:)")]
CountryCode = Annotated[str, AfterValidator(_check_country), _pattern_schema("^[A-Z]{2}$")]
SectorSlug = Annotated[str, AfterValidator(_check_sector)]
SectionKey = Annotated[str, AfterValidator(_check_section)]
LanguageTag = Annotated[
    str,
    AfterValidator(_check_language),
    _pattern_schema("^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$"),
]
YesNo = Annotated[bool, WithJsonSchema({"enum": [True, False, "yes", "no", "on", "off"]})]
Ai = Annotated[AiOrigin, BeforeValidator(_check_ai)]
AiStatement = Annotated[
    AiOrigin | None,
    BeforeValidator(_check_ai_statement),
    WithJsonSchema({"enum": ["none", *AiOrigin]}),
]
People = Annotated[PeopleShown, BeforeValidator(_check_people)]
Shape = Annotated[ImageShape, BeforeValidator(_check_shape)]
FocusPoint = Annotated[Focus, BeforeValidator(_read_focus), _pattern_schema("^[0-9]{1,3}[ ,]+[0-9]{1,3}$")]
IsoDate = Annotated[datetime.date, BeforeValidator(_check_date)]


class _FrontMatterModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageHeader(_FrontMatterModel):
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


class ImageTranslation(_FrontMatterModel):
    """The texts of a picture in another language."""

    alt: SingleLine = Field(
        default="", description="A description of the picture for readers who cannot see it."
    )
    caption: SingleLine = Field(default="", description="The text below the picture.")
    credit: SingleLine = Field(default="", description="Who made the picture.")


class ReadMoreHeader(_FrontMatterModel):
    """A link below a story."""

    what: SingleLine = Field(
        description=gettext_noop("What the page is: it completes the words “Read more: …”.")
    )
    url: Url = Field(description=gettext_noop("The page's address, beginning with https://."))


class ReadMoreTranslation(_FrontMatterModel):
    """A link below a story in another language."""

    what: SingleLine = Field(
        description=gettext_noop("What the page is: it completes the words “Read more: …”.")
    )
    url: Url | None = Field(
        default=None, description="The page's address, if it is another one than in the original."
    )


class ButtonHeader(_FrontMatterModel):
    """A button below a story."""

    what: SingleLine = Field(
        description=gettext_noop("What the button says, such as Register for the forum.")
    )
    url: Url = Field(description=gettext_noop("The page's address, beginning with https://."))


class ButtonTranslation(_FrontMatterModel):
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


class FollowHeader(_FrontMatterModel):
    """An account where readers can follow the office."""

    name: SingleLine = Field(description=gettext_noop("The network, such as WeChat."))
    handle: SingleLine = Field(description=gettext_noop("The account's name there."))
    url: Url | None = Field(
        default=None, description="The account's page, beginning with https://, if there is one."
    )


class LetterHeader(_FrontMatterModel):
    """The letter's heading and who signs it."""

    title: SingleLine = Field(description=gettext_noop("The letter's heading."))
    name: SingleLine = Field(description=gettext_noop("Who signs the letter."))
    titles: list[SingleLine] = Field(default_factory=list, description="The lines below the name.")
    portrait: ImageHeader | None = Field(default=None, description="A picture of the person who signs.")


class LetterTranslation(_FrontMatterModel):
    """The letter's heading and who signs it, in another language."""

    title: SingleLine = Field(description=gettext_noop("The letter's heading."))
    name: SingleLine = Field(default="", description="Who signs the letter, if written otherwise.")
    titles: list[SingleLine] = Field(
        default_factory=list, description="The lines below the name, in this language."
    )
    portrait: ImageTranslation | None = Field(
        default=None, description="The texts of the portrait in this language."
    )


class EditionHeader(_FrontMatterModel):
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
    template: Annotated[SingleLine, AfterValidator(_check_template_name)] = Field(
        default="periodical", description="The theme, which decides how it looks."
    )
    form: Annotated[EditionForm, BeforeValidator(_check_form)] = Field(
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
    personalise: Annotated[Personalisation, BeforeValidator(_check_personalisation)] = Field(
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


class EditionTranslation(_FrontMatterModel):
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


class StoryHeader(_FrontMatterModel):
    """The front matter of ``stories/NNN-slug.md``."""

    title: SingleLine = Field(description=gettext_noop("The story's heading."))
    sector: SectorSlug | None = Field(
        default=None, description="One of the sectors in mailer.toml; leave it out for office news."
    )
    countries: list[CountryCode] = Field(
        default_factory=list, description="Two-letter codes, such as [MN, CN]."
    )
    kind: Annotated[StoryKind, BeforeValidator(_check_kind)] = Field(
        default=StoryKind.story, description="What the story is."
    )
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


class StoryTranslation(_FrontMatterModel):
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


# `is` is a word of Python's own, so these two cannot be written as classes.
_NOTE_KEYS: dict[str, Any] = {
    "was": (SingleLine, Field(description=gettext_noop("What was said, in the story's own words."))),
    "is": (SingleLine, Field(description=gettext_noop("What is right instead."))),
    "title": (
        SingleLine,
        Field(default="", description="The story's heading, if it was not sent in the note's language."),
    ),
}
NoteHeader: type[BaseModel] = create_model(
    "NoteHeader",
    __base__=_FrontMatterModel,
    __doc__="The front matter of a note that corrects a story.",
    **_NOTE_KEYS,
    subject=(
        SingleLine,
        Field(default="", description="The email's subject, if it is not the title of the story."),
    ),
    date=(IsoDate | None, Field(default=None, description="The day of the correction, as in 2026-03-31.")),
    language=(
        LanguageTag | None,
        Field(default=None, description="The language it is written in, if not that of the edition."),
    ),
)
NoteTranslation: type[BaseModel] = create_model(
    "NoteTranslation",
    __base__=_FrontMatterModel,
    __doc__="The front matter of a translation of such a note.",
    **_NOTE_KEYS,
    subject=(SingleLine, Field(default="", description="The email's subject in this language.")),
    translated_from=(
        SingleLine,
        Field(default="", description="The digest of the original that was translated."),
    ),
)
