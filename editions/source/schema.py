"""Which keys the front matter has, what they are for and what they may hold.

A field's description is shown to whoever forgets the key. Every value arrives as text; the types here decide.
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
)
from pydantic_core import PydanticCustomError

from editions.markdown.lang_spans import canonical_language
from editions.markdown.links import judge_link
from editions.model import Kind, Personalisation
from editions.territories import country_codes, country_name, suggest_countries

FIXED_SECTIONS = ("feature", "centres-and-chairs", "campaigns", "office")


def fault(code: str, reason: str) -> PydanticCustomError:
    """An error that becomes a problem with this ``code`` and the words ``reason``."""
    return PydanticCustomError(code, "{reason}", {"reason": reason})


def suggest(word: str, known: Iterable[str]) -> str:
    """What to say after a complaint about ``word``: the likeliest of ``known``, or all of them."""
    choices = sorted(known)
    close = get_close_matches(word.lower(), choices, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else f"Choose one of: {', '.join(choices)}."


def _fold_lines(value: str) -> str:
    return re.sub(r"[ \t\n]+", " ", value).strip()


def _check_link(value: str) -> str:
    if wrong := judge_link(value):
        raise fault(wrong.code, wrong.reason)
    return value


def _check_language(value: str) -> str:
    tag = canonical_language(value)
    if tag is None:
        raise fault(
            "unknown-language",
            f"{value!r} is not a known language tag. Write en, zh-Hans, mn, ja, ko or fr, for example.",
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
            else _refuse_date(value)
        )
    except ValueError:
        return _refuse_date(value)


def _refuse_date(value: str) -> Any:
    raise fault("bad-date", f"{value!r} is not a valid date. Write year-month-day, as in 2021-12-31.")


def _check_country(value: str) -> str:
    if value in country_codes():
        return value
    codes = suggest_countries(value)
    if codes == (value.upper(),):
        raise fault(
            "country-case",
            f"{value!r} must be written in capitals. Write {codes[0]} ({country_name(codes[0])}).",
        )
    if not codes:
        raise fault(
            "unknown-country",
            f"{value!r} is not a country code, so it would match no reader. "
            "Use the two letters of ISO 3166-1, such as MN.",
        )
    likely = " or ".join(f"{code} ({country_name(code)})" for code in codes)
    raise fault(
        "unknown-country",
        f"{value!r} is not a country code, so it would match no reader. Did you mean {likely}?",
    )


def _check_sector(value: str, info: ValidationInfo) -> str:
    sectors = (info.context or {}).get("sectors", ())
    if value not in sectors:
        raise fault(
            "unknown-sector",
            f"{value!r} is not one of the sectors in mailer.toml. {suggest(value, sectors)} "
            "For office news, leave the line out.",
        )
    return value


def _check_section(value: str, info: ValidationInfo) -> str:
    sections = (*(info.context or {}).get("sectors", ()), *FIXED_SECTIONS)
    if value not in sections:
        raise fault(
            "unknown-section",
            f"{value!r} is not a section, so readers would not see this text. {suggest(value, sections)}",
        )
    return value


def _check_kind(value: Any) -> Any:
    if isinstance(value, str) and value not in list(Kind):
        raise fault("unknown-kind", f"{value!r} is not a kind of story. {suggest(value, Kind)}")
    return value


def _check_personalisation(value: Any) -> Any:
    if isinstance(value, str) and value not in list(Personalisation):
        raise fault(
            "unknown-personalisation",
            f"{value!r} is not a way to personalise. {suggest(value, Personalisation)}",
        )
    return value


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise fault(
            "bad-template",
            f"{value!r} is not a valid template name. Use lower-case letters, digits and hyphens, "
            "as in periodical.",
        )
    return value


def _wrap(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _looks_like(pattern: str) -> WithJsonSchema:
    """What an editor is told of a text; only reading it says whether such a thing exists."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


# Editors read `number: 2021` as a number; here it is text like everything else.
Line = Annotated[str, AfterValidator(_fold_lines), WithJsonSchema({"type": ["string", "number"]})]
Url = Annotated[str, AfterValidator(_check_link), _looks_like("^(https?://|mailto:)")]
Country = Annotated[str, AfterValidator(_check_country), _looks_like("^[A-Z]{2}$")]
Sector = Annotated[str, AfterValidator(_check_sector)]
SectionKey = Annotated[str, AfterValidator(_check_section)]
Language = Annotated[
    str, AfterValidator(_check_language), _looks_like("^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-[A-Za-z]{2})?$")
]
Switch = Annotated[bool, WithJsonSchema({"enum": [True, False, "yes", "no", "on", "off"]})]
Day = Annotated[datetime.date, BeforeValidator(_check_date)]


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageHeader(_Header):
    """A picture, by the name of its file in ``images/``."""

    file: Line = Field(description="The picture's file in images/, such as forum.jpg.")
    alt: Line = Field(description="What readers are told who cannot see the picture.")
    caption: Line = Field(default="", description="The words below the picture.")
    credit: Line = Field(default="", description="Whose picture it is.")


class ImageWords(_Header):
    """The words of a picture in another language."""

    alt: Line = Field(default="", description="What readers are told who cannot see the picture.")
    caption: Line = Field(default="", description="The words below the picture.")


class ReadMoreHeader(_Header):
    """A link below a story."""

    what: Line = Field(description="What is read there: it finishes the words “Read more: …”.")
    url: Url = Field(description="Where it is read, beginning with https://.")


class FollowHeader(_Header):
    """A place where the office can be followed."""

    name: Line = Field(description="The place, such as WeChat.")
    handle: Line = Field(description="The name to look for there.")
    url: Url | None = Field(
        default=None, description="The page, beginning with https://, where there is one."
    )


class LetterHeader(_Header):
    """The letter's heading and who signs it."""

    title: Line = Field(description="The letter's heading.")
    name: Line = Field(description="Who signs the letter.")
    titles: list[Line] = Field(default_factory=list, description="The lines below the name.")
    portrait: ImageHeader | None = Field(default=None, description="The signer's picture.")


class LetterWords(_Header):
    """The letter's heading in another language."""

    title: Line = Field(description="The letter's heading.")


class EditionHeader(_Header):
    """The front matter of ``edition.md``."""

    title: Line = Field(description="The newsletter's name, as the masthead shows it.")
    number: Line = Field(description="Which issue this is, such as 2021-2.")
    period: Line = Field(description="What time it reports on, such as September to December 2021.")
    date: Day = Field(description="The day of issue, as in 2021-12-31.")
    language: Language = Field(description="The language it is written in, such as en.")
    subject: Line = Field(description="The mail's subject, at most 70 characters.")
    preheader: Line = Field(description="What inboxes show after the subject, 40 to 130 characters.")
    template: Annotated[Line, AfterValidator(_check_name)] = Field(
        default="periodical", description="How it looks."
    )
    sender: Line = Field(default="", description="The sender's name, if not the one of mailer.toml.")
    personalise: Annotated[Personalisation, BeforeValidator(_check_personalisation)] = Field(
        default=Personalisation.off,
        description="What the sectors and countries a reader follows do: off, order (theirs first), or "
        "filter (theirs first, others left out).",
    )
    letter: LetterHeader | None = Field(default=None, description="The letter's heading and who signs it.")
    introductions: dict[SectionKey, str] = Field(
        default_factory=dict, description="Words at a section's beginning."
    )
    follow: list[FollowHeader] = Field(default_factory=list, description="Where the office can be followed.")
    checks: dict[str, Line] = Field(
        default_factory=dict, description="Checks to do without, each with the reason: long-story: why."
    )


class EditionTranslation(_Header):
    """The front matter of ``edition.<language>.md``."""

    title: Line = Field(description="The newsletter's name in this language.")
    period: Line = Field(default="", description="What time it reports on, in this language.")
    subject: Line = Field(description="The mail's subject in this language, at most 70 characters.")
    preheader: Line = Field(description="What inboxes show after the subject, 40 to 130 characters.")
    letter: LetterWords | None = Field(default=None, description="The letter's heading in this language.")
    introductions: dict[SectionKey, str] = Field(
        default_factory=dict, description="Words at a section's beginning."
    )
    translated_from: Line = Field(default="", description="The digest of what this was translated from.")


class StoryHeader(_Header):
    """The front matter of ``stories/NNN-slug.md``."""

    title: Line = Field(description="The story's heading.")
    sector: Sector | None = Field(
        default=None, description="One of the sectors of mailer.toml; none for office news."
    )
    countries: list[Country] = Field(default_factory=list, description="Two-letter codes, such as [MN, CN].")
    kind: Annotated[Kind, BeforeValidator(_check_kind)] = Field(
        default=Kind.story, description="What the story is."
    )
    date: Line = Field(default="", description="The day as printed, such as 24 October.")
    image: ImageHeader | None = Field(default=None, description="The story's picture.")
    read_more: Annotated[list[ReadMoreHeader], BeforeValidator(_wrap)] = Field(
        default_factory=list, description="Links below the story."
    )
    everyone: Switch = Field(default=False, description="Whether every reader gets it, whatever they follow.")


class StoryTranslation(_Header):
    """The front matter of ``stories/NNN-slug.<language>.md``."""

    title: Line = Field(description="The story's heading in this language.")
    date: Line = Field(default="", description="The day as printed, in this language.")
    image: ImageWords | None = Field(default=None, description="The picture's words in this language.")
    read_more: Annotated[list[ReadMoreHeader], BeforeValidator(_wrap)] = Field(
        default_factory=list, description="Links below the story, in this language."
    )
    translated_from: Line = Field(default="", description="The digest of what this was translated from.")
