"""Countries: from what a partner's file says to a code, and from a code to a name in a reader's language.

Names are matched exactly, never nearly: a fuzzy search takes "Republic of Korea" for the Democratic
People's Republic. What matches nothing, or several, is asked about. Names come from CLDR (by way of Babel)
in ten languages, and from ``countries.toml`` beside this file, which holds the United Nations' short names
that CLDR lacks.
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

from subscribers.errors import CountryError, quote_for_message

_LANGUAGES = ("en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar")
_DATA = Path(__file__).with_name("countries.toml")
_LAST_LATIN = "\u024f"
_MOST_CANDIDATES = 6


def resolve_country(text: str) -> str:
    """The ISO 3166-1 alpha-2 code of a country written as a name, an alpha-2 or an alpha-3 code.

    Raises:
        CountryError: it is unknown, or could be several; likely ones are named.
    """
    key = _key(text)
    code = _codes().get(normalize("NFKC", text).strip().upper())
    codes = (code,) if code else _index().get(key, ())
    if len(codes) == 1:
        return codes[0]
    if codes:
        message = f"{quote_for_message(text)} could be {_listed(codes, 'or')}. Use the two-letter code."
        raise CountryError(text, message, codes)
    raise _unknown(text, key)


def is_country(code: str) -> bool:
    """Whether ``code`` is an alpha-2 code as stored: two capital letters."""
    return code in _data()["countries"]


def country_name(code: str, language: str, overrides: Mapping[str, str] = MappingProxyType({})) -> str:
    """The name of a country for readers of ``language`` (a BCP 47 tag); English where CLDR has none.

    ``overrides`` maps codes to the names an organisation wants to see, whatever the language.
    """
    return overrides.get(code) or _territories(language).get(code) or _territories("en").get(code, code)


def _unknown(text: str, key: str) -> CountryError:
    near = get_close_matches(key, _index(), n=_MOST_CANDIDATES, cutoff=0.75) if key else []
    candidates = tuple(dict.fromkeys(code for name in near for code in _index()[name]))[:_MOST_CANDIDATES]
    question = f" Did you mean {_listed(candidates, 'or')}?" if candidates else ""
    return CountryError(
        text,
        f"{quote_for_message(text)} is not a country we know.{question} Use the two-letter code, such as MN.",
        candidates,
    )


def _listed(codes: tuple[str, ...], conjunction: str) -> str:
    names = [f"{country_name(code, 'en')} ({code})" for code in codes]
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _key(name: str) -> str:
    """What of a name counts: letters and digits, without case, Latin accents, "the" and the like."""
    folded = normalize("NFKC", name).casefold().replace("&", " and ")
    words = ["saint" if word == "st" else word for word in re.findall(r"\w+", _without_accents(folded))]
    return "".join(word for word in words if word != "the")


def _without_accents(text: str) -> str:
    """``text`` without marks on Latin letters; in Japanese or Cyrillic they make another letter."""
    kept: list[str] = []
    for char in normalize("NFD", text):
        if combining(char) and kept and kept[-1] <= _LAST_LATIN:
            continue
        kept.append(char)
    return normalize("NFC", "".join(kept))


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
    """Keys of names to the codes they may mean; two where two languages disagree."""
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
def _territories(language: str) -> Mapping[str, str]:
    # Babel is imported late: reading its locales costs a command line that needs none a good part of a
    # second.
    from babel import Locale, UnknownLocaleError

    try:
        territories: Mapping[str, str] = Locale.parse(language.replace("_", "-"), sep="-").territories
    except (UnknownLocaleError, ValueError):
        return {}
    return territories
