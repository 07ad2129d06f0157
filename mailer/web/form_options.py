"""The options of the preferences page, in the language of the page."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from markupsafe import Markup

from locales.countries import country_codes, is_country
from locales.languages import language_name
from mailer.i18n import Translator
from mailer.rendering.themes.template_files import load_phrases
from mailer.settings import Settings

MAIL_LANGUAGES = ("en", "zh", "ja", "ko", "mn", "fr")
"""The languages newsletters can be written in, as BCP 47 tags."""


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
    """Render all countries as the options of a select, sorted by name, with ``chosen`` (alpha-2) selected."""
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
