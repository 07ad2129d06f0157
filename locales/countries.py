"""Countries by ISO 3166-1 alpha-2 code: their names in many languages, and what people write for them.

Names come from CLDR (through Babel) in ten languages, and from ``countries.toml``, which has the United
Nations' short names that CLDR lacks. A text is matched exactly, never approximately: a fuzzy search takes
"Republic of Korea" for the Democratic People's Republic. What is similar is only ever suggested.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from unicodedata import combining, normalize

_LANGUAGES = ("en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar")
_DATA = Path(__file__).with_name("countries.toml")
_LAST_LATIN = "\u024f"


def country_codes() -> tuple[str, ...]:
    """Every alpha-2 code, in alphabetical order: those of ISO 3166-1, and XK for Kosovo."""
    return tuple(_data()["countries"])


def is_country(code: str) -> bool:
    """Whether ``code`` is an alpha-2 code in capital letters."""
    return code in _data()["countries"]


def country_name(code: str, language: str = "en", overrides: Mapping[str, str] = MappingProxyType({})) -> str:
    """The country's name in ``language`` (a BCP 47 tag); in English where CLDR has none in it.

    ``overrides`` are the names an organisation prefers, by code, whatever the language. A text that is not a
    code is returned unchanged.
    """
    return overrides.get(code) or _territories(language).get(code) or _territories("en").get(code, code)


def find_countries(text: str) -> tuple[str, ...]:
    """The codes of the countries that ``text`` is a name, an alpha-2 or an alpha-3 code of.

    Empty when it is not known. Several when the name is shared, such as "Korea".
    """
    code = _codes().get(normalize("NFKC", text).strip().upper())
    return (code,) if code else _index().get(_key(text), ())


def suggest_countries(text: str, *, names: int = 6) -> tuple[str, ...]:
    """The codes of the countries that ``text`` probably means: those it names, or else those whose names are
    most similar. At most as many similar ``names`` count."""
    if codes := find_countries(text):
        return codes
    key = _key(text)
    if codes := _replaced(text) or _likely().get(key, ()):
        return codes
    near = get_close_matches(key, _index(), n=names, cutoff=0.75) if key else []
    return tuple(dict.fromkeys(code for name in near for code in _index()[name]))[:names]


def _key(name: str) -> str:
    """What counts in a name: letters and digits, without case, accents on Latin letters, and "the"."""
    folded = normalize("NFKC", name).casefold().replace("&", " and ")
    words = ["saint" if word == "st" else word for word in re.findall(r"\w+", _without_accents(folded))]
    return "".join(word for word in words if word != "the")


def _without_accents(text: str) -> str:
    """``text`` without marks on Latin letters; in Japanese or Cyrillic they make a different letter."""
    kept: list[str] = []
    for char in normalize("NFD", text):
        if combining(char) and kept and kept[-1] <= _LAST_LATIN:
            continue
        kept.append(char)
    return normalize("NFC", "".join(kept))


def _replaced(text: str) -> tuple[str, ...]:
    """The codes that replace the code ``text``, also a numeric one; none where it was split up into many."""
    from babel.core import get_global

    codes = get_global("territory_aliases").get(text.strip().upper(), ())
    found = tuple(code for code in codes if is_country(code))
    return found if len(found) <= 2 else ()


@cache
def _data() -> dict[str, dict[str, list[str]]]:
    data: dict[str, dict[str, list[str]]] = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    return data


@cache
def _codes() -> Mapping[str, str]:
    """Alpha-2 and alpha-3 codes to alpha-2."""
    countries = _data()["countries"]
    return {code: code for code in countries} | {names[0]: code for code, names in countries.items()}


@cache
def _index() -> Mapping[str, tuple[str, ...]]:
    """Keys of names to the codes they may mean; several where two languages disagree."""
    meanings: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for language in _LANGUAGES:
        for code, name in _territories(language).items():
            if is_country(code):
                meanings[_key(name)][code] = None
    for code, (_, *names) in _data()["countries"].items():
        for name in names:
            meanings[_key(name)][code] = None
    index = {key: tuple(codes) for key, codes in meanings.items()}
    return index | {_key(name): tuple(codes) for name, codes in _data()["ambiguous"].items()}


@cache
def _likely() -> Mapping[str, tuple[str, ...]]:
    return {_key(name): tuple(codes) for name, codes in _data()["likely"].items()}


@cache
def _territories(language: str) -> Mapping[str, str]:
    # Imported late: Babel takes a good part of a second, and many commands do not need it.
    from babel import Locale, UnknownLocaleError

    try:
        territories: Mapping[str, str] = Locale.parse(language.replace("_", "-"), sep="-").territories
    except (UnknownLocaleError, ValueError):
        return {}
    return territories
