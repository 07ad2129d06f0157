"""Validate the values of a segment's terms and convert them to how they are stored."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from unicodedata import normalize

from locales.countries import is_country
from locales.phrase import gettext_noop
from subscribers.errors import CountryError, DetailError
from subscribers.models import ConsentEvent, Status
from subscribers.segments.date_range import parse_date_range
from subscribers.segments.lookups import Lookups
from subscribers.segments.terms import IMPORT, SAVED_KEY, TermKey
from subscribers.validation import clean_line, clean_tag, resolve_country

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_METHOD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_METHODS = ("import", "page", "one-click", "command-line", "studio", "sign-up", "double-opt-in")
_MAX_LISTED = 12

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        TermKey.country: "country:MN,CN",
        TermKey.sector: "sector:education",
        TermKey.language: "language:zh",
        TermKey.status: "status:active",
        TermKey.tag: "tag:press",
        TermKey.org: 'org:"ministry of education"',
        TermKey.joined: "joined:>2024-01-01",
        TermKey.got: "got:2021-1",
        TermKey.consent: "consent:imported",
        SAVED_KEY: "segment:east-asia",
    }
)


def parse_value(key: TermKey, word: str, lookups: Lookups) -> str:
    """Parse the value of a term.

    Raises:
        ValueError: it is invalid; the message says what to write.
    """
    return _PARSERS[key](word, lookups)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a "Did you mean" question with a leading space; empty if no known word is similar."""
    near = get_close_matches(word.casefold(), [str(name) for name in known], n=2, cutoff=0.6)
    # Only suggest the second if it is about as similar as the first.
    if len(near) == 2 and not get_close_matches(word.casefold(), near[1:], cutoff=0.75):
        near.pop()
    return " " + gettext_noop("Did you mean %(names)s?") % {"names": " or ".join(near)} if near else ""


def list_choices(names: Iterable[str], none: str) -> str:
    """List the names in a sentence, at most a dozen; return ``none`` if there are none."""
    all_names = list(names)
    if not all_names:
        return none
    more = len(all_names) - _MAX_LISTED
    shown = ", ".join(all_names[:_MAX_LISTED])
    if more > 0:
        words = gettext_noop("Choose from: %(names)s and %(number)s more.")
        return words % {"names": shown, "number": more}
    return gettext_noop("Choose from: %(names)s.") % {"names": shown}


def _parse_country(word: str, _: Lookups) -> str:
    code = word.strip().upper()
    if is_country(code):
        return code
    try:
        meant = resolve_country(word)
    except CountryError as error:
        raise ValueError(str(error)) from error
    raise ValueError(
        gettext_noop('Write countries as two-letter codes: for "%(word)s", use %(meant)s.')
        % {"word": word, "meant": meant}
    )


def _parse_sector(word: str, lookups: Lookups) -> str:
    slug = word.strip().casefold()
    if lookups.sectors is None:
        return slug
    for sector in lookups.sectors:
        if sector.casefold() == slug:
            return sector
    there_are = (
        gettext_noop("Choose from: %(names)s.") % {"names": ", ".join(lookups.sectors)}
        if lookups.sectors
        else gettext_noop("No sectors are set in mailer.toml under [sectors].")
    )
    raise ValueError(
        gettext_noop('There is no sector "%(word)s".') % {"word": word}
        + f"{did_you_mean(slug, lookups.sectors)} {there_are}"
    )


def _parse_language(word: str, _: Lookups) -> str:
    tag = word.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(
            gettext_noop('"%(word)s" is not a language code. Use one such as en, mn or zh-Hans.')
            % {"word": word}
        )
    return tag


def _parse_status(word: str, _: Lookups) -> str:
    status = word.strip().casefold()
    if status in Status.__members__:
        return status
    raise ValueError(
        gettext_noop('There is no status "%(word)s".') % {"word": word}
        + f"{did_you_mean(status, Status)} "
        + gettext_noop("Choose from: %(names)s.") % {"names": ", ".join(Status)}
    )


def _parse_tag(word: str, _: Lookups) -> str:
    try:
        return clean_tag(word)
    except DetailError as error:
        raise ValueError(error.reason) from error


def _parse_organisation(word: str, _: Lookups) -> str:
    try:
        words = clean_line(word, "org")
    except DetailError as error:
        raise ValueError(error.reason) from error
    if '"' in words:
        raise ValueError(gettext_noop("You cannot search for a quotation mark. Leave it out."))
    return words


def _parse_joined(word: str, _: Lookups) -> str:
    return parse_date_range(word).text


def _parse_edition(word: str, lookups: Lookups) -> str:
    if lookups.deliveries is None:
        raise ValueError(
            gettext_noop("got: cannot be used here, because deliveries are not known. Leave it out.")
        )
    deliveries = lookups.deliveries
    (name, slash, story), editions = word.strip().partition("/"), deliveries.editions()
    if name not in editions:
        there_are = list_choices(editions, gettext_noop("No campaign has been created yet."))
        near = did_you_mean(name, editions)
        raise ValueError(
            gettext_noop('No campaign has sent the edition "%(name)s".') % {"name": name}
            + f"{near} {there_are}"
        )
    if slash and story not in (stories := deliveries.stories(name)):
        there_are = list_choices(stories, gettext_noop("Its content is no longer known."))
        near = did_you_mean(story, stories)
        raise ValueError(
            gettext_noop('The edition %(name)s was not sent with a story "%(story)s".')
            % {"name": name, "story": story}
            + f"{near} {there_are}"
        )
    return name + slash + story


def _parse_consent(word: str, _: Lookups) -> str:
    said = re.sub(r"[\s_-]+", "-", normalize("NFKC", word).strip().casefold())
    if said in ConsentEvent.__members__ or said in _METHODS or IMPORT.fullmatch(said):
        return said
    # Any method can be in a record, so only near misses of known words are taken for mistakes.
    near = get_close_matches(said, (*ConsentEvent, *_METHODS), n=1, cutoff=0.8)
    if near:
        raise ValueError(
            gettext_noop('"%(word)s" is not in any consent record. Did you mean %(near)s?')
            % {"word": word, "near": near[0]}
        )
    if not _METHOD.fullmatch(said):
        raise ValueError(
            gettext_noop(
                '"%(word)s" is not a consent event or method. Use an event (%(names)s) or a '
                "method, such as %(methods)s."
            )
            % {"word": word, "names": ", ".join(ConsentEvent), "methods": ", ".join(_METHODS)}
        )
    return said


_PARSERS: Mapping[TermKey, Callable[[str, Lookups], str]] = MappingProxyType(
    {
        TermKey.country: _parse_country,
        TermKey.sector: _parse_sector,
        TermKey.language: _parse_language,
        TermKey.status: _parse_status,
        TermKey.tag: _parse_tag,
        TermKey.org: _parse_organisation,
        TermKey.joined: _parse_joined,
        TermKey.got: _parse_edition,
        TermKey.consent: _parse_consent,
    }
)
