"""Countries by ISO 3166-1 alpha-2 code: their names in many languages, and what people write for them.

Names come from ``country_names.tsv`` (the United Nations' in six languages, and what every country calls
itself), from ``countries.toml`` (abbreviations, former names, names of several countries) and from CLDR
through Babel in eleven languages. A text is matched exactly, never approximately: a fuzzy search takes
"Republic of Korea" for the Democratic People's Republic. What is similar is only ever suggested.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from unicodedata import normalize

from locales.country_names import (
    SimilarNames,
    exact_and_loose_key,
    exact_key,
    loose_key,
    reorder_name,
    split_names,
    split_state_form,
)

_CLDR_LANGUAGES = ("en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar", "de")
_DATA = Path(__file__).with_name("countries.toml")
_NAMES = Path(__file__).with_name("country_names.tsv")
# The longest name has 60. A cell of a column taken for countries by mistake may be of any length.
_MOST_CHARACTERS = 150
_GERMAN_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


class _NameIndex:
    """Names to the countries that have them. A name in ``shared`` is one of all the countries there."""

    def __init__(self, names: Iterable[tuple[str, str]], shared: Mapping[str, Sequence[str]]) -> None:
        exact: defaultdict[str, dict[str, None]] = defaultdict(dict)
        loose: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for name, code in names:
            key, loose_form = exact_and_loose_key(name)
            # CLDR's "É.-U." and "R.-U." are not the codes EU and RU, unless their points are there.
            is_abbreviation = "." in name and len(key) == 2
            exact[name.casefold() if is_abbreviation else key][code] = None
            if not is_abbreviation:
                loose[loose_form][code] = None
        exact |= {exact_key(name): dict.fromkeys(codes) for name, codes in shared.items()}
        loose |= {loose_key(name): dict.fromkeys(codes) for name, codes in shared.items()}
        self.exact = {key: tuple(codes) for key, codes in exact.items()}
        self.loose = {key: tuple(codes) for key, codes in loose.items()}

    def find(self, text: str) -> tuple[str, ...]:
        """Return the countries that ``text`` is a name of, in the order of its words or another usual one."""
        if codes := self.exact.get(text.casefold()) or self.exact.get(exact_key(text)):
            return codes
        reordered = reorder_name(text)
        if reordered and (codes := self.exact.get(exact_key(reordered))):
            return codes
        if codes := self.loose.get(loose_key(text)):
            return codes
        return self.loose.get(loose_key(reordered), ()) if reordered else ()


def country_codes() -> tuple[str, ...]:
    """Return all alpha-2 codes, in alphabetical order: those of ISO 3166-1, and XK for Kosovo."""
    return tuple(_data()["countries"])


def is_country(code: str) -> bool:
    """Return whether ``code`` is an alpha-2 code in capital letters."""
    return code in _data()["countries"]


def country_name(code: str, language: str = "en", overrides: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the country's name in ``language`` (a BCP 47 tag); in English where CLDR has none in it.

    ``overrides`` are the names an organisation prefers, by code, whatever the language. A text that is not a
    code is returned unchanged.
    """
    return overrides.get(code) or _territories(language).get(code) or _territories("en").get(code, code)


def find_countries(text: str) -> tuple[str, ...]:
    """Return the codes of the countries that ``text`` is a name, an alpha-2 or an alpha-3 code of.

    Empty when it is not known. Several when the name is shared, such as "Korea". A text of several names
    ("Myanmar (Burma)") is known when all of them are of one country.
    """
    if len(text) > _MOST_CHARACTERS:
        return ()
    if codes := _find_name(text):
        return codes
    meanings = {_find_name(part) for part in split_names(text)}
    return meanings.pop() if len(meanings) == 1 else ()


def suggest_countries(text: str, *, names: int = 6) -> tuple[str, ...]:
    """Return the codes of the countries that ``text`` probably means: those it names, or else those with a
    name that differs from it by a slip or two, at most ``names``. Never one that only shares a word with
    it."""
    if len(text) > _MOST_CHARACTERS:
        return ()
    if codes := find_countries(text):
        return codes
    return (_replaced(text) or _likely().get(exact_key(text), ()) or _similar_names().find(text))[:names]


def _find_name(text: str) -> tuple[str, ...]:
    plain = normalize("NFKC", text).strip()
    if code := _codes().get(plain.upper()):
        return (code,)
    if not exact_key(plain):
        return ()
    # Most names are in our own list. Babel takes a quarter of a second for what only it has.
    return _own_names().find(plain) or _cldr_names().find(plain) or _find_state(plain)


def _find_state(text: str) -> tuple[str, ...]:
    """Return the countries of which ``text`` is a formal name that is in none of our lists."""
    for name in (text, reorder_name(text)):
        if name and (split := split_state_form(name)):
            form, rest = split
            codes = _own_names().loose.get(rest) or _cldr_names().loose.get(rest, ())
            return tuple(code for code in codes if code in _states(form))
    return ()


def _replaced(text: str) -> tuple[str, ...]:
    """Return the codes that replace the code ``text``, also a numeric one; none if it was split into many."""
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
    countries = _data()["countries"]
    return {code: code for code in countries} | {names[0]: code for code, names in countries.items()}


@cache
def _own_names() -> _NameIndex:
    return _NameIndex(_list_own_names(), _data()["ambiguous"])


@cache
def _cldr_names() -> _NameIndex:
    return _NameIndex(_list_cldr_names(), {})


@cache
def _similar_names() -> SimilarNames:
    shared = ((name, code) for name, codes in _data()["ambiguous"].items() for code in codes)
    names = (*_list_own_names(), *_list_cldr_names(), *shared)
    # A slip makes another country's abbreviation of one: "S. Korea" and "N. Korea".
    return SimilarNames((name, code) for name, code in names if "." not in name)


def _list_own_names() -> Iterator[tuple[str, str]]:
    for code, (_, *names) in _data()["countries"].items():
        for name in names:
            yield name, code
    for line in _NAMES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, *names = line.split("\t")
            for name in names:
                yield name, code


def _list_cldr_names() -> Iterator[tuple[str, str]]:
    for language in _CLDR_LANGUAGES:
        for code, name in _territories(language).items():
            if is_country(code):
                yield name, code
                if language == "de":
                    yield name.translate(_GERMAN_UMLAUTS), code


@cache
def _states(form: str) -> frozenset[str]:
    """Return the countries whose formal English name begins with ``form``, such as "Kingdom of "."""
    return frozenset(code for name, code in _list_own_names() if name.startswith(form))


@cache
def _likely() -> Mapping[str, tuple[str, ...]]:
    return {exact_key(name): tuple(codes) for name, codes in _data()["likely"].items()}


@cache
def _territories(language: str) -> Mapping[str, str]:
    # Imported late: Babel takes a good part of a second, and many commands do not need it.
    from babel import Locale, UnknownLocaleError

    try:
        territories: Mapping[str, str] = Locale.parse(language.replace("_", "-"), sep="-").territories
    except (UnknownLocaleError, ValueError):
        return {}
    return territories
