"""The forms of pages: what was sent, the numbers in it, and what can be chosen."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from markupsafe import Markup
from starlette.exceptions import HTTPException

from locales.countries import country_codes, is_country
from locales.languages import language_name
from mailer.i18n import LANGUAGES, Translator
from mailer.rendering.themes.template_files import load_phrases
from mailer.settings import Settings
from mailer.web.dependencies import BodyDep
from mailer.web.language import LANGUAGE_PARAMETER

_MAX_FIELDS = 200
_FORM_TYPE = "application/x-www-form-urlencoded"
MAIL_LANGUAGES = ("en", "zh", "ja", "ko", "mn", "fr")
"""The languages newsletters can be written in, as BCP 47 tags."""


@dataclass(frozen=True)
class Form:
    """The fields of a submitted form, in order; a name may be repeated."""

    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the value of a field: the last if it is repeated, empty if it is missing."""
        return dict(self.fields).get(name, "")

    @property
    def language(self) -> str:
        """The language of the page the form was on; empty if the pages do not have it."""
        language = self.get(LANGUAGE_PARAMETER)
        return language if language in LANGUAGES else ""


def parse_form(body: bytes) -> Form:
    """Parse the body of a form. Raise HTTPException 400 if it has too many fields."""
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise HTTPException(400) from error
    return Form(fields)


def _read_form(body: BodyDep) -> Form:
    return parse_form(body)


def _read_own_form(request: Request, body: BodyDep) -> Form:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415)
    return parse_form(body)


FormDep = Annotated[Form, Depends(_read_form)]
"""A form from anywhere, in any encoding."""

OwnFormDep = Annotated[Form, Depends(_read_own_form)]
"""A form that only our own pages send, in the one encoding they use."""


def read_number(text: str, *, digits: int = 9) -> int | None:
    """Return the whole number that ``text`` is; None if it is none, or has more than ``digits``. Nine digits
    fit the number of a row in every database."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= digits
    return int(text) if is_number else None


def list_countries(
    translator: Translator, names: Mapping[str, Mapping[str, str]], codes: Iterable[str]
) -> list[tuple[str, str]]:
    """List the existing countries among ``codes`` (alpha-2) with their names, sorted by name.

    ``names`` are the organisation's own names, by language.
    """
    named = [(code, translator.name_country(code, names)) for code in codes if is_country(code)]
    return sorted(named, key=lambda country: _sort_key(country[1]))


def render_country_options(
    translator: Translator, names: Mapping[str, Mapping[str, str]], chosen: str
) -> Markup:
    options = _render_country_options(
        translator, tuple((tag, tuple(own.items())) for tag, own in names.items())
    )
    if not is_country(chosen):
        return options
    return Markup(str(options).replace(f'value="{chosen}"', f'value="{chosen}" selected', 1))  # noqa: S704 - a code


# 250 names are looked up, sorted and rendered once for each language, not for each page.
@lru_cache(32)
def _render_country_options(
    translator: Translator, names: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
) -> Markup:
    own = {tag: dict(table) for tag, table in names}
    option = Markup('<option value="{}">{}</option>\n')
    return Markup().join(
        option.format(*country) for country in list_countries(translator, own, country_codes())
    )


def list_sectors(translator: Translator, settings: Settings) -> list[tuple[str, str]]:
    """List the configured sectors as (slug, name) in the language of the page: from ``[sector_names]``, or
    else from ``[sectors]`` for English and from phrases for the others."""
    phrases = {} if translator.tag == "en" else load_phrases(translator.tag).sections
    return [
        (slug, settings.find_sector_name(slug, translator.tag) or phrases.get(slug, name))
        for slug, name in settings.sectors.items()
    ]


def own_country_names(settings: Settings) -> dict[str, Mapping[str, str]]:
    """Return the organisation's own names of countries, by language: ``[countries]`` has the English ones."""
    return {"en": settings.countries, **settings.country_names}


def list_languages(current: str) -> list[tuple[str, str]]:
    """List the languages of newsletters as (tag, own name), and ``current`` too if it is another."""
    tags = MAIL_LANGUAGES if current in {"", *MAIL_LANGUAGES} else (*MAIL_LANGUAGES, current)
    return [(tag, own_language_name(tag)) for tag in tags]


def own_language_name(tag: str) -> str:
    """Return a language's own name, capitalised, such as ``Français``; the tag if CLDR has none."""
    name = language_name(tag)
    return name if name == tag else f"{name[:1].upper()}{name[1:]}"


def _sort_key(name: str) -> str:
    """Return a key that sorts Åland with A, not after Z."""
    return "".join(char for char in unicodedata.normalize("NFD", name.casefold()) if char.isalnum())
