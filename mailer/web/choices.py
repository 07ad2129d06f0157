"""What a reader may choose from on the preferences page, in the words of the page."""

import unicodedata
from collections.abc import Collection, Mapping
from functools import cache

from babel import Locale, UnknownLocaleError

from mailer.rendering.tongue import Tongue
from mailer.rendering.words import load_words
from mailer.settings import Settings
from subscribers.country import is_country

LANGUAGES = ("en", "zh", "ja", "ko", "mn", "fr")
"""The languages mail is written in, as BCP 47 tags."""


def list_countries(
    tongue: Tongue, names: Mapping[str, Mapping[str, str]], only: Collection[str] | None = None
) -> list[tuple[str, str]]:
    """Countries as (alpha-2, name in the page's language), by name: all of them, or ``only`` those.

    ``names`` are an organisation's own, by language.
    """
    codes = _country_codes() if only is None else filter(is_country, only)
    named = [(code, tongue.name_country(code, names)) for code in codes]
    return sorted(named, key=lambda country: _sort_key(country[1]))


def list_sectors(tongue: Tongue, settings: Settings) -> list[tuple[str, str]]:
    """The configured sectors as (slug, name): as the settings say in English, as our phrases do elsewhere."""
    if tongue.tag == "en":
        return list(settings.sectors.items())
    phrases = load_words(tongue.tag).sections
    return [(slug, phrases.get(slug, name)) for slug, name in settings.sectors.items()]


def country_names(settings: Settings) -> dict[str, Mapping[str, str]]:
    """The organisation's own names of countries, by language: ``[countries]`` are the English ones."""
    return {"en": settings.countries, **settings.country_names}


def list_languages(current: str) -> list[tuple[str, str]]:
    """The languages as (tag, its own name for itself), and ``current`` too where it is another."""
    tags = LANGUAGES if current in {"", *LANGUAGES} else (*LANGUAGES, current)
    return [(tag, language_name(tag)) for tag in tags]


def language_name(tag: str) -> str:
    """A language's own name for itself, such as ``中文`` or ``Français``; the tag where CLDR knows none."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        return tag
    return f"{name[:1].upper()}{name[1:]}" if name else tag


@cache
def _country_codes() -> tuple[str, ...]:
    return tuple(code for code in map(str, Locale("en").territories) if is_country(code))


def _sort_key(name: str) -> str:
    """Åland stands with A, not after Z."""
    return "".join(char for char in unicodedata.normalize("NFD", name.casefold()) if char.isalnum())
