"""Countries as ISO 3166-1 alpha-2 codes, from the names and aliases of CLDR."""

import re
import unicodedata
from difflib import get_close_matches
from functools import cache

from babel import Locale
from babel.core import get_global

# In CLDR and of two letters, but no country: unions, test regions, and codes ISO keeps for the post or for
# traffic. XK (Kosovo) is no ISO code either; it is kept because every organisation that has partners there
# uses it.
_NO_COUNTRIES = frozenset(
    ("AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ")
)
# Names newsletters use and CLDR does not.
_ALIASES = {
    "england": ("GB",),
    "great britain": ("GB",),
    "scotland": ("GB",),
    "wales": ("GB",),
    "korea": ("KR", "KP"),
    "republic of korea": ("KR",),
    "rok": ("KR",),
    "democratic people's republic of korea": ("KP",),
    "dprk": ("KP",),
    "people's republic of china": ("CN",),
    "prc": ("CN",),
    "lao pdr": ("LA",),
    "viet nam": ("VN",),
    "turkey": ("TR",),
    "russian federation": ("RU",),
    "america": ("US",),
    "uae": ("AE",),
}


@cache
def country_codes() -> frozenset[str]:
    """Every code a story may name."""
    codes = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in codes if re.fullmatch("[A-Z]{2}", code)) - _NO_COUNTRIES


def country_name(code: str) -> str:
    """The English name of ``code``; the code itself when it is none."""
    return str(Locale("en").territories.get(code, code))


def suggest_countries(text: str) -> tuple[str, ...]:
    """The codes ``text`` was probably meant to be: ``UK`` is GB, ``MNG`` and ``Mongolia`` are MN."""
    if text.upper() in country_codes():
        return (text.upper(),)
    replaced = tuple(
        code for code in get_global("territory_aliases").get(text.upper(), ()) if code in country_codes()
    )
    # A code that fell apart into many states (SU, YU) suggests none of them.
    if replaced and len(replaced) <= 2:
        return replaced
    names = _codes_by_name()
    wanted = _fold(text)
    close = [wanted] if wanted in names else get_close_matches(wanted, names, n=1, cutoff=0.8)
    return names[close[0]] if close else ()


@cache
def _codes_by_name() -> dict[str, tuple[str, ...]]:
    names = {
        _fold(name): (code,) for code, name in Locale("en").territories.items() if code in country_codes()
    }
    return names | _ALIASES


def _fold(text: str) -> str:
    """``text`` for comparing: no accents, no capitals, straight apostrophes, no leading article."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(plain.casefold().replace("&", "and").split()).removeprefix("the ")
