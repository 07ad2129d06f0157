"""Languages by BCP 47 tag: one spelling for each, their names, and how their writing is set.

A tag is known when CLDR has a name for its language, script and region. CLDR has names for many more
languages than it has data for (Tetum, Klingon), so whatever needs that data has a fallback.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal
from unicodedata import east_asian_width, normalize

if TYPE_CHECKING:
    from babel import Locale

_TAG = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")
_NAMING_LANGUAGES = ("en", "fr", "es", "ru", "ar", "zh", "ja", "ko", "mn", "de")
# Aramaic, Judeo-Persian and Judeo-Arabic, for which CLDR has no data.
_RIGHT_TO_LEFT = frozenset({"arc", "jpr", "jrb"})


def canonical_language(text: str) -> str | None:
    """Return ``text`` as BCP 47 writes it: ``zh-hans`` is ``zh-Hans``, ``pt_br`` is ``pt-BR``. None when
    it is not a tag, or its language, script or region is not known."""
    match = _TAG.fullmatch(normalize("NFKC", text).strip().replace("_", "-"))
    if match is None:
        return None
    language, script, region = (part or "" for part in match.groups())
    parts = (language.lower(), script.title(), region.upper())
    if not all(not part or part in known for part, known in zip(parts, _subtags(), strict=True)):
        return None
    return "-".join(part for part in parts if part)


def find_language(text: str) -> str | None:
    """Return the tag of the language that ``text`` is a tag, a locale, a three-letter code or a name of,
    in itself or in one of ten languages: ``fr_FR.UTF-8``, ``eng``, ``Français``, ``English (US)``. None if
    it is not known."""
    if tag := canonical_language(text.partition(".")[0]):
        return tag
    key = _language_key(text)
    bare = _language_key(re.sub(r"\s*[(（].*", "", text))
    names = _tags_by_name()
    return names.get(key) or names.get(bare)


def language_name(tag: str, language: str | None = None) -> str:
    """Return the name of the language ``tag`` in ``language``, or in itself: ``中文``, ``français``; the tag
    where CLDR has none."""
    locale = find_locale(tag)
    if locale is not None and language is None:
        return locale.get_display_name() or tag
    names = _language_names(language or "en")
    if name := names.get(tag.replace("-", "_")):
        return name
    if locale is not None:
        return locale.get_display_name(language) or tag
    return names.get(tag.partition("-")[0], tag)


# Called for every text of an edition.
@lru_cache(512)
def text_direction(tag: str) -> Literal["ltr", "rtl"]:
    locale = find_locale(tag)
    is_rtl = locale.text_direction == "rtl" if locale else tag.partition("-")[0] in _RIGHT_TO_LEFT
    return "rtl" if is_rtl else "ltr"


def find_locale(tag: str) -> "Locale | None":
    """Return CLDR's data about the language ``tag``; None where it has none."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def display_width(text: str) -> int:
    """Return how wide ``text`` is shown: a Chinese, Japanese or Korean character counts as two."""
    return sum(2 if east_asian_width(character) in {"W", "F"} else 1 for character in text)


@cache
def _language_names(language: str) -> Mapping[str, str]:
    locale = find_locale(language)
    return {} if locale is None else locale.languages


def _language_key(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


@cache
def _tags_by_name() -> Mapping[str, str]:
    """Return tags by the names and three-letter codes of their languages, those of the common ones first."""
    from babel import Locale
    from babel.core import get_global

    found: dict[str, str] = {}
    for code, alias in get_global("language_aliases").items():
        if len(code) == 3 and (canonical := canonical_language(str(alias))):
            found[code] = canonical
    for language in _NAMING_LANGUAGES:
        for tag, name in _language_names(language).items():
            if canonical := canonical_language(tag):
                found.setdefault(_language_key(name), canonical)
    for code in map(str, Locale("en").languages):
        locale = find_locale(code.replace("_", "-"))
        own = locale.get_display_name() if locale else None
        if own and (canonical := canonical_language(code)):
            found.setdefault(_language_key(own), canonical)
    return found


@cache
def _subtags() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    # Imported late: Babel takes a good part of a second, and many commands do not need it.
    from babel import Locale

    english = Locale("en")
    return frozenset(english.languages), frozenset(english.scripts), frozenset(english.territories)
