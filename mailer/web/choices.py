"""What a reader may choose from on the preferences page, in the words of the page."""

import unicodedata
from collections.abc import Mapping
from functools import cache

from babel import Locale, UnknownLocaleError

from subscribers.country import country_name, is_country

LANGUAGES = ("en", "zh", "ja", "ko", "mn", "fr")
"""The languages mail is written in, as BCP 47 tags."""


def list_countries(overrides: Mapping[str, str]) -> list[tuple[str, str]]:
    """All countries as (alpha-2, English name), by name; ``overrides`` are names an organisation wants."""
    named = [(code, country_name(code, "en", overrides)) for code in _country_codes()]
    return sorted(named, key=lambda country: _sort_key(country[1]))


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
