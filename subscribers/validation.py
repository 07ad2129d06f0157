"""Validate and clean a subscriber's details, whether they come from a file, a page or a command.

Each function takes text as entered and returns the value to store, or raises an error that says why not.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from unicodedata import category, is_normalized, normalize

from locales.countries import country_name, find_countries, suggest_countries
from locales.languages import canonical_language
from locales.phrase import Phrase, gettext_noop, join_phrases
from subscribers.errors import CountryError, DetailError, quote_for_message

MAX_NAME_LENGTH = 300
MAX_TAG_LENGTH = 64

_SPACES = " \t\r\n\u00a0\u3000"
# Direction overrides affect the text after the name and reverse the rest of a page or mail.
_DIRECTION_MARKS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Tags appear in segments and spreadsheet cells, where these characters have a meaning.
_FORBIDDEN_IN_TAG = set(',;"')
_FORBIDDEN_AT_TAG_START = set("=+-@'＝＋－＠")


def clean_line(text: str, field: str, limit: int = MAX_NAME_LENGTH) -> str:
    """Clean ``text`` to a single line: NFC, runs of white space collapsed, none at the ends. Raise
    DetailError if it is longer than ``limit`` characters, or contains a character not allowed in mail.
    """
    if _is_clean(text) and len(text) <= limit:
        return text
    line = normalize("NFC", " ".join(re.split(f"[{_SPACES}]+", text)).strip(" "))
    if not (line.isascii() and line.isprintable()):
        for char in line:
            if reason := _describe_forbidden(char):
                words = gettext_noop("it contains %(what)s (%(code)s). Retype it.")
                raise DetailError(field, Phrase(words, what=Phrase(reason), code=f"U+{ord(char):04X}"))
    if len(line) > limit:
        words = gettext_noop("it is %(length)s characters long; the limit is %(limit)s.")
        raise DetailError(field, Phrase(words, length=len(line), limit=limit))
    return line


def are_clean_lines(texts: Sequence[str]) -> bool:
    """Return whether a few calls for all of ``texts`` prove that :func:`clean_line` changes none of them."""
    lines = "\n".join(texts)
    return (
        "".join(texts).isprintable()
        and not any(spaces in lines for spaces in ("  ", "\n ", " \n"))
        and not lines.startswith(" ")
        and not lines.endswith(" ")
        and max(map(len, texts), default=0) <= MAX_NAME_LENGTH
        and (lines.isascii() or ("\ufffd" not in lines and is_normalized("NFC", lines)))
    )


def clean_language(text: str) -> str | None:
    """Return a language as a BCP 47 tag in its usual spelling (``zh-Hans``, ``pt-BR``), None if empty. Raise
    DetailError if it is not a tag, or its language, script or region is unknown.
    """
    if not text.strip():
        return None
    tag = canonical_language(text)
    if tag is None:
        words = gettext_noop("%(text)s is not a language code. Use one such as en, mn, zh-Hans or pt-BR.")
        raise DetailError("language", Phrase(words, text=quote_for_message(text)))
    return tag


def clean_sectors(names: Iterable[str], sectors: Collection[str]) -> frozenset[str]:
    """Return the configured slugs for ``names``, ignoring case, spaces and underscores. Raise DetailError if
    one of them is not configured; the message suggests similar ones.
    """
    slugs = {_slugify(sector): sector for sector in sectors}
    found = set()
    for name in names:
        if not (slug := _slugify(name)):
            continue
        if slug not in slugs:
            raise DetailError("sectors", _describe_unknown_sector(name, slug, slugs))
        found.add(slugs[slug])
    return frozenset(found)


def clean_tag(text: str) -> str:
    """Return a tag as stored: one line in lower case, so that "Press" equals "press"; may be empty. Raise
    DetailError if it is too long or contains characters with a meaning in segments or spreadsheets.
    """
    tag = normalize("NFC", clean_line(text, "tags", MAX_TAG_LENGTH).lower())
    if len(tag) > MAX_TAG_LENGTH:
        words = gettext_noop("a tag can have at most %(limit)s characters.")
        raise DetailError("tags", Phrase(words, limit=MAX_TAG_LENGTH))
    if tag[:1] in _FORBIDDEN_AT_TAG_START or not _FORBIDDEN_IN_TAG.isdisjoint(tag):
        words = gettext_noop(
            "%(text)s is not a valid tag. A tag cannot contain a comma, semicolon or quotation mark, or "
            "begin "
            "with = + - @ or '."
        )
        raise DetailError("tags", Phrase(words, text=quote_for_message(text)))
    return tag


def clean_tags(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(tag for tag in map(clean_tag, texts) if tag)


def _is_clean(text: str) -> bool:
    """Return whether ``text`` needs no cleaning, as is true of most names, at a tenth of the cost."""
    if not text.isprintable() or "  " in text or text[:1] == " " or text[-1:] == " ":
        return False
    # The only printable character that is refused is the replacement character.
    return text.isascii() or ("\ufffd" not in text and is_normalized("NFC", text))


def _describe_forbidden(char: str) -> str | None:
    if category(char) in {"Cc", "Cs", "Zl", "Zp"}:
        return gettext_noop("a control character")
    if char in _DIRECTION_MARKS:
        return gettext_noop("a mark that changes the direction of text")
    if char == "\ufffd":
        return gettext_noop("a replacement character, from a file saved in the wrong encoding")
    if ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF or char == "\ufeff":
        return gettext_noop("a code that does not stand for a character")
    return None


def _slugify(name: str) -> str:
    return "-".join(re.split(r"[\s_-]+", normalize("NFKC", name).strip().casefold()))


def _describe_unknown_sector(name: str, slug: str, slugs: dict[str, str]) -> str:
    near = [slugs[match] for match in get_close_matches(slug, slugs, n=2, cutoff=0.6)]
    text, known = quote_for_message(name), ", ".join(slugs.values())
    if not slugs:
        words = gettext_noop("%(text)s is not a sector. Set your sectors in mailer.toml under [sectors].")
        return Phrase(words, text=text)
    if near:
        words = gettext_noop(
            "%(text)s is not a sector. Did you mean %(sectors)s? Choose from: %(known)s. Separate several "
            "with "
            "semicolons."
        )
        return Phrase(words, text=text, sectors=join_phrases(near), known=known)
    words = gettext_noop(
        "%(text)s is not a sector. Choose from: %(known)s. Separate several with semicolons."
    )
    return Phrase(words, text=text, known=known)


def resolve_country(text: str) -> str:
    """Return the ISO 3166-1 alpha-2 code of the country that ``text`` names, also by an alpha-3 code. Raise
    CountryError if it is unknown, or the name of several; likely ones are named.
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


def clean_country(text: str) -> str | None:
    """Return the code of a country, None if ``text`` is empty. Raise DetailError if no country is meant."""
    if not text.strip():
        return None
    try:
        return resolve_country(text)
    except CountryError as error:
        raise DetailError("country", error.words) from error


def _join_names(codes: tuple[str, ...]) -> str:
    return join_phrases([f"{country_name(code)} ({code})" for code in codes])
