"""What a reader may choose from on the preferences page, in the words of the page."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from markupsafe import Markup

from mailer.i18n import Translator
from mailer.rendering.themes.phrases import load_phrases
from mailer.settings import Settings
from subscribers.country import is_country

MAIL_LANGUAGES = ("en", "zh", "ja", "ko", "mn", "fr")
"""The languages mail is written in, as BCP 47 tags."""


def list_countries(
    tongue: Translator, names: Mapping[str, Mapping[str, str]], codes: Iterable[str]
) -> list[tuple[str, str]]:
    """Those of the countries ``codes`` (alpha-2) that there are, with their names in the page's language, by
    name.

    ``names`` are an organisation's own, by language.
    """
    named = [(code, tongue.name_country(code, names)) for code in codes if is_country(code)]
    return sorted(named, key=lambda country: _sort_key(country[1]))


def render_country_options(tongue: Translator, names: Mapping[str, Mapping[str, str]], chosen: str) -> Markup:
    """All countries as the options of a select, by name, ``chosen`` (alpha-2) among them."""
    options = _render_country_options(tongue, tuple((tag, tuple(own.items())) for tag, own in names.items()))
    if not is_country(chosen):
        return options
    return Markup(str(options).replace(f'value="{chosen}"', f'value="{chosen}" selected', 1))  # noqa: S704 - a code


# Two hundred and fifty names are found, sorted and written once for each language, not for each page.
@lru_cache(32)
def _render_country_options(
    tongue: Translator, names: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
) -> Markup:
    own = {tag: dict(table) for tag, table in names}
    option = Markup('<option value="{}">{}</option>\n')
    return Markup().join(option.format(*country) for country in list_countries(tongue, own, country_codes()))


def list_sectors(tongue: Translator, settings: Settings) -> list[tuple[str, str]]:
    """The configured sectors as (slug, name): as the settings say in English, as our phrases do elsewhere."""
    if tongue.tag == "en":
        return list(settings.sectors.items())
    phrases = load_phrases(tongue.tag).sections
    return [(slug, phrases.get(slug, name)) for slug, name in settings.sectors.items()]


def own_country_names(settings: Settings) -> dict[str, Mapping[str, str]]:
    """The organisation's own names of countries, by language: ``[countries]`` are the English ones."""
    return {"en": settings.countries, **settings.country_names}


def list_languages(current: str) -> list[tuple[str, str]]:
    """The languages as (tag, its own name for itself), and ``current`` too where it is another."""
    tags = MAIL_LANGUAGES if current in {"", *MAIL_LANGUAGES} else (*MAIL_LANGUAGES, current)
    return [(tag, language_name(tag)) for tag in tags]


def language_name(tag: str) -> str:
    """A language's own name for itself, such as ``中文`` or ``Français``; the tag where CLDR knows none."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        return tag
    return f"{name[:1].upper()}{name[1:]}" if name else tag


@cache
def country_codes() -> tuple[str, ...]:
    """Every country's code."""
    return tuple(code for code in map(str, Locale("en").territories) if is_country(code))


def _sort_key(name: str) -> str:
    """Åland stands with A, not after Z."""
    return "".join(char for char in unicodedata.normalize("NFD", name.casefold()) if char.isalnum())
