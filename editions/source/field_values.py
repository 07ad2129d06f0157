"""The values that keys of the front matter may have. Every value arrives as text, and is validated and
converted by the types here."""

import datetime
import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from editions.markdown.links import find_link_fault
from editions.model import AiOrigin, EditionForm, Focus, ImageShape, PeopleShown, Personalisation, StoryKind
from locales.countries import country_name, is_country, suggest_countries
from locales.languages import canonical_language
from locales.phrase import gettext_noop

FIXED_SECTIONS = ("feature", "centres-and-chairs", "campaigns", "office")
YesNo = Annotated[bool, WithJsonSchema({"enum": [True, False, "yes", "no", "on", "off"]})]


def validation_error(code: str, reason: str) -> PydanticCustomError:
    """Return an error that becomes a problem with this ``code`` and the message ``reason``."""
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


def _choose(members: type[StrEnum], code: str, message: str) -> BeforeValidator:
    """Check that a text is one of ``members``; ``message`` has the fields ``value`` and ``advice``."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in list(members):
            advice = suggest_choice(value, members)
            raise validation_error(code, message % {"value": f"{value!r}", "advice": advice})
        return value

    return BeforeValidator(check)


def _read_no_statement(value: Any) -> Any:
    return None if value == "none" else value


def _pattern_schema(pattern: str) -> WithJsonSchema:
    """Return a pattern for the JSON Schema; whether the value exists is only checked on reading."""
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
Kind = Annotated[
    StoryKind,
    _choose(StoryKind, "unknown-kind", gettext_noop("%(value)s is not a kind of story. %(advice)s")),
]
Ai = Annotated[
    AiOrigin,
    _choose(AiOrigin, "unknown-ai", gettext_noop("%(value)s is not something AI can have done. %(advice)s")),
]
AiStatement = Annotated[
    Ai | None, BeforeValidator(_read_no_statement), WithJsonSchema({"enum": ["none", *AiOrigin]})
]
People = Annotated[
    PeopleShown,
    _choose(
        PeopleShown,
        "unknown-people",
        gettext_noop("%(value)s does not say whether people are shown. %(advice)s"),
    ),
]
Shape = Annotated[
    ImageShape,
    _choose(
        ImageShape, "unknown-shape", gettext_noop("%(value)s is not a shape to crop a picture to. %(advice)s")
    ),
]
Personalised = Annotated[
    Personalisation,
    _choose(
        Personalisation,
        "unknown-personalisation",
        gettext_noop("%(value)s is not a way to personalise. %(advice)s"),
    ),
]
Form = Annotated[
    EditionForm,
    _choose(EditionForm, "unknown-form", gettext_noop("%(value)s is not a form of an edition. %(advice)s")),
]
TemplateName = Annotated[SingleLine, AfterValidator(_check_template_name)]
FocusPoint = Annotated[Focus, BeforeValidator(_read_focus), _pattern_schema("^[0-9]{1,3}[ ,]+[0-9]{1,3}$")]
IsoDate = Annotated[datetime.date, BeforeValidator(_check_date)]
