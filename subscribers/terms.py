"""The terms of a segment: what may be asked about, what a value must look like, and its condition in SQL.

No value ever becomes part of the SQL text: everything a person writes is a bound parameter.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_
from sqlmodel import col

from subscribers.country import is_country, resolve_country
from subscribers.details import clean_tag
from subscribers.errors import CountryError, DetailError
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


class Key(StrEnum):
    """What a term may ask about."""

    country = "country"
    """Where the subscriber is, alpha-2."""

    sector = "sector"
    """A sector they follow."""

    language = "language"
    """The language they read; ``zh`` includes ``zh-Hans``."""

    status = "status"
    """Where they stand."""

    tag = "tag"
    """A word the team put on them."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One condition. ``values`` are alternatives, as stored."""

    key: Key
    values: tuple[str, ...]
    negated: bool

    def where(self) -> ColumnElement[bool]:
        """The condition. Whoever has no country or no language is never in it, and always in its negation."""
        condition = _CONDITIONS[self.key](self.values)
        return not_(condition) if self.negated else condition


EXAMPLES: Mapping[Key, str] = MappingProxyType(
    {
        Key.country: "country:MN,CN",
        Key.sector: "sector:education",
        Key.language: "language:zh",
        Key.status: "status:active",
        Key.tag: "tag:press",
    }
)


def read_value(key: Key, word: str, sectors: Collection[str] | None) -> str:
    """A value of a term as stored. Sectors are checked against ``sectors`` unless that is None.

    Raises:
        ValueError: there is no such value; the message says what to write.
    """
    return _VALUES[key](word, sectors)


def guess(word: str, known: Iterable[str]) -> str:
    """A question after a mistyped word, with a space before it; empty when nothing known is near."""
    near = get_close_matches(word.casefold(), [str(name) for name in known], n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _country_value(word: str, _: Collection[str] | None) -> str:
    code = word.strip().upper()
    if is_country(code):
        return code
    try:
        meant = resolve_country(word)
    except CountryError as error:
        raise ValueError(str(error)) from error
    raise ValueError(f'A country is written as its two-letter code: for "{word}" write {meant}.')


def _sector_value(word: str, sectors: Collection[str] | None) -> str:
    slug = word.strip().casefold()
    if sectors is None:
        return slug
    for sector in sectors:
        if sector.casefold() == slug:
            return sector
    known = f"There are: {', '.join(sectors)}." if sectors else "None is set in mailer.toml under [sectors]."
    raise ValueError(f'There is no sector "{word}".{guess(slug, sectors)} {known}')


def _language_value(word: str, _: Collection[str] | None) -> str:
    tag = word.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f'"{word}" is no language code. Write one such as en, mn or zh-Hans.')
    return tag


def _status_value(word: str, _: Collection[str] | None) -> str:
    status = word.strip().casefold()
    if status in Status.__members__:
        return status
    raise ValueError(f'There is no status "{word}".{guess(status, Status)} There are: {", ".join(Status)}.')


def _tag_value(word: str, _: Collection[str] | None) -> str:
    try:
        return clean_tag(word)
    except DetailError as error:
        raise ValueError(error.reason) from error


_VALUES: Mapping[Key, Callable[[str, Collection[str] | None], str]] = MappingProxyType(
    {
        Key.country: _country_value,
        Key.sector: _sector_value,
        Key.language: _language_value,
        Key.status: _status_value,
        Key.tag: _tag_value,
    }
)


def _in_country(codes: tuple[str, ...]) -> ColumnElement[bool]:
    country = col(Subscriber.country)
    return and_(country.is_not(None), country.in_(codes))


def _follows(sectors: tuple[str, ...]) -> ColumnElement[bool]:
    mine = col(SubscriberSector.subscriber_id) == col(Subscriber.id)
    return exists().where(mine, col(SubscriberSector.sector).in_(sectors)).correlate(Subscriber)


def _reads(languages: tuple[str, ...]) -> ColumnElement[bool]:
    language = func.lower(col(Subscriber.language))
    matches = [
        or_(language == wanted, language.startswith(f"{wanted}-", autoescape=True)) for wanted in languages
    ]
    return and_(col(Subscriber.language).is_not(None), or_(*matches))


def _stands(statuses: tuple[str, ...]) -> ColumnElement[bool]:
    return col(Subscriber.status).in_([Status(status) for status in statuses])


def _tagged(tags: tuple[str, ...]) -> ColumnElement[bool]:
    mine = col(SubscriberTag.subscriber_id) == col(Subscriber.id)
    return exists().where(mine, col(SubscriberTag.tag).in_(tags)).correlate(Subscriber)


_CONDITIONS: Mapping[Key, Callable[[tuple[str, ...]], ColumnElement[bool]]] = MappingProxyType(
    {
        Key.country: _in_country,
        Key.sector: _follows,
        Key.language: _reads,
        Key.status: _stands,
        Key.tag: _tagged,
    }
)
