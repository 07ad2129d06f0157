"""Countries as partners' files and people write them, as codes. Which one is meant is never guessed."""

from locales.countries import country_name, find_countries, suggest_countries
from locales.phrase import Phrase, gettext_noop, join_phrases
from subscribers.errors import CountryError, quote_for_message


def resolve_country(text: str) -> str:
    """The ISO 3166-1 alpha-2 code of the country that ``text`` is a name, an alpha-2 or an alpha-3 code of.

    Raises:
        CountryError: it is unknown, or the name of several; likely ones are named.
    """
    codes = find_countries(text)
    if len(codes) == 1:
        return codes[0]
    if codes:
        words = gettext_noop("%(text)s could be %(countries)s. Use the two-letter code.")
        named = Phrase(words, text=quote_for_message(text), countries=_join_names(codes))
        raise CountryError(text, named, codes)
    candidates = suggest_countries(text)
    if candidates:
        words = gettext_noop(
            "%(text)s is not a country we know. Did you mean %(countries)s? Use the two-letter code, such "
            "as MN."
        )
        asked = Phrase(words, text=quote_for_message(text), countries=_join_names(candidates))
        raise CountryError(text, asked, candidates)
    words = gettext_noop("%(text)s is not a country we know. Use the two-letter code, such as MN.")
    raise CountryError(text, Phrase(words, text=quote_for_message(text)))


def _join_names(codes: tuple[str, ...]) -> str:
    return join_phrases([f"{country_name(code)} ({code})" for code in codes])
