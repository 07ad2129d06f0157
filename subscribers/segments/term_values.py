"""Values of a segment's terms: what one must look like, and how it is stored."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from unicodedata import normalize

from subscribers.country import is_country, resolve_country
from subscribers.errors import CountryError, DetailError
from subscribers.models import Event, Status
from subscribers.segments.date_range import read_span
from subscribers.segments.lookups import Known
from subscribers.segments.terms import SAVED, Key
from subscribers.validation import clean_line, clean_tag

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_METHOD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_METHODS = ("import", "page", "one-click", "command-line", "sign-up", "double-opt-in")
_MOST_LISTED = 12

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        Key.country: "country:MN,CN",
        Key.sector: "sector:education",
        Key.language: "language:zh",
        Key.status: "status:active",
        Key.tag: "tag:press",
        Key.org: 'org:"ministry of education"',
        Key.joined: "joined:>2024-01-01",
        Key.got: "got:2021-1",
        Key.consent: "consent:imported",
        SAVED: "segment:east-asia",
    }
)


def read_value(key: Key, word: str, known: Known) -> str:
    """A value of a term as stored.

    Raises:
        ValueError: there is no such value; the message says what to write.
    """
    return _VALUES[key](word, known)


def guess(word: str, known: Iterable[str]) -> str:
    """A question after a mistyped word, with a space before it; empty when nothing known is near."""
    near = get_close_matches(word.casefold(), [str(name) for name in known], n=2, cutoff=0.6)
    # The second is named where it is about as near as the first.
    if len(near) == 2 and not get_close_matches(word.casefold(), near[1:], cutoff=0.75):
        near.pop()
    return f" Did you mean {' or '.join(near)}?" if near else ""


def listed(names: Iterable[str], none: str) -> str:
    """The names there are, in a sentence; the first dozen of many. ``none`` where there are none."""
    all_names = list(names)
    if not all_names:
        return none
    more = len(all_names) - _MOST_LISTED
    shown = ", ".join(all_names[:_MOST_LISTED])
    return f"Choose from: {shown}{f' and {more} more' if more > 0 else ''}."


def _country_value(word: str, _: Known) -> str:
    code = word.strip().upper()
    if is_country(code):
        return code
    try:
        meant = resolve_country(word)
    except CountryError as error:
        raise ValueError(str(error)) from error
    raise ValueError(f'Write countries as two-letter codes: for "{word}", use {meant}.')


def _sector_value(word: str, known: Known) -> str:
    slug = word.strip().casefold()
    if known.sectors is None:
        return slug
    for sector in known.sectors:
        if sector.casefold() == slug:
            return sector
    there_are = (
        f"Choose from: {', '.join(known.sectors)}."
        if known.sectors
        else "No sectors are set in mailer.toml under [sectors]."
    )
    raise ValueError(f'There is no sector "{word}".{guess(slug, known.sectors)} {there_are}')


def _language_value(word: str, _: Known) -> str:
    tag = word.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f'"{word}" is not a language code. Use one such as en, mn or zh-Hans.')
    return tag


def _status_value(word: str, _: Known) -> str:
    status = word.strip().casefold()
    if status in Status.__members__:
        return status
    raise ValueError(f'There is no status "{word}".{guess(status, Status)} Choose from: {", ".join(Status)}.')


def _tag_value(word: str, _: Known) -> str:
    try:
        return clean_tag(word)
    except DetailError as error:
        raise ValueError(error.reason) from error


def _org_value(word: str, _: Known) -> str:
    try:
        words = clean_line(word, "org")
    except DetailError as error:
        raise ValueError(error.reason) from error
    if '"' in words:
        raise ValueError("You cannot search for a quotation mark. Leave it out.")
    return words


def _joined_value(word: str, _: Known) -> str:
    return read_span(word).text


def _got_value(word: str, known: Known) -> str:
    if known.deliveries is None:
        raise ValueError("got: cannot be used here, because deliveries are not known. Leave it out.")
    name, editions = word.strip(), known.deliveries.editions()
    if name in editions:
        return name
    there_are = listed(editions, "No campaign has been created yet.")
    raise ValueError(f'No campaign has sent the edition "{word}".{guess(name, editions)} {there_are}')


def _consent_value(word: str, _: Known) -> str:
    said = re.sub(r"[\s_-]+", "-", normalize("NFKC", word).strip().casefold())
    if said in Event.__members__ or said in _METHODS:
        return said
    # Methods are whatever wrote the record; only what is nearly a word we know is taken for a slip.
    near = get_close_matches(said, (*Event, *_METHODS), n=1, cutoff=0.8)
    if near:
        raise ValueError(f'"{word}" is not in any consent record. Did you mean {near[0]}?')
    if not _METHOD.fullmatch(said):
        raise ValueError(
            f'"{word}" is not a consent event or method. Use an event ({", ".join(Event)}) or a method, '
            f"such as {', '.join(_METHODS)}."
        )
    return said


_VALUES: Mapping[Key, Callable[[str, Known], str]] = MappingProxyType(
    {
        Key.country: _country_value,
        Key.sector: _sector_value,
        Key.language: _language_value,
        Key.status: _status_value,
        Key.tag: _tag_value,
        Key.org: _org_value,
        Key.joined: _joined_value,
        Key.got: _got_value,
        Key.consent: _consent_value,
    }
)
