"""Countries as partners' files and people write them, as codes. Which one is meant is never guessed."""

from locales.countries import country_name, find_countries, suggest_countries
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
        message = f"{quote_for_message(text)} could be {_join_names(codes)}. Use the two-letter code."
        raise CountryError(text, message, codes)
    candidates = suggest_countries(text)
    question = f" Did you mean {_join_names(candidates)}?" if candidates else ""
    raise CountryError(
        text,
        f"{quote_for_message(text)} is not a country we know.{question} Use the two-letter code, such as MN.",
        candidates,
    )


def _join_names(codes: tuple[str, ...]) -> str:
    *others, last = [f"{country_name(code)} ({code})" for code in codes]
    return f"{', '.join(others)} or {last}" if others else last
