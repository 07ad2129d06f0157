"""The terms of a segment: their keys, how they are written, and their conditions in SQL.

No value ever becomes part of the SQL text: everything a user writes is a bound parameter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, true
from sqlmodel import col

from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.segments.case_insensitive_search import contains_words
from subscribers.segments.date_range import parse_date_range
from subscribers.segments.lookups import DeliveryLookup

# The parser would take these characters for the end of a value, or for a group.
_NEEDS_QUOTES = re.compile(r'[\s,，、()（）"＂“”「」]')


IMPORT = re.compile(r"import-([1-9][0-9]{0,8})", re.ASCII)
"""An import by its number, as a value of :attr:`TermKey.consent`."""


class TermKey(StrEnum):
    """What a term can ask about."""

    country = "country"
    """The subscriber's country, alpha-2."""

    sector = "sector"
    """A sector they follow."""

    language = "language"
    """The language they read; ``zh`` includes ``zh-Hans``."""

    status = "status"
    """The subscriber's status."""

    tag = "tag"
    """A label the team gave them."""

    org = "org"
    """Words in the name of their organisation, ignoring case."""

    joined = "joined"
    """When they were added to the list, in UTC: ``2024``, ``>=2024-05``, ``2023-01-01..2024-06-30``."""

    got = "got"
    """An edition they got, or may have got: the relay accepted it, or it is in doubt. Or one story of it:
    2021-1/youth-forum."""

    consent = "consent"
    """What is in their consent record: an event such as ``imported``, a method such as ``one-click``, or an
    import by its number, such as ``import-12``."""


SAVED_KEY = "segment"
"""Not the key of a term: it refers to a saved segment and is replaced by it."""

KEYS = (*TermKey, SAVED_KEY)
"""Everything that can come before a colon."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One condition. ``values`` are alternatives, as stored."""

    key: TermKey
    values: tuple[str, ...]
    negated: bool = False

    @property
    def text(self) -> str:
        """The term as text, with quotation marks around values that need them."""
        values = ",".join(f'"{value}"' if _NEEDS_QUOTES.search(value) else value for value in self.values)
        return f"{'-' if self.negated else ''}{self.key}:{values}"

    def where(self, deliveries: DeliveryLookup | None = None) -> ColumnElement[bool]:
        """Return the condition. Subscribers without a country or language never match, and always match the
        negation.

        Raises:
            ValueError: it asks about deliveries, and ``deliveries`` is None.
        """
        if self.key is TermKey.got:
            if deliveries is None:
                raise ValueError("got: needs deliveries, and none were given")
            condition = deliveries.has_got(self.values)
        else:
            condition = _CONDITIONS[self.key](self.values)
        return not_(condition) if self.negated else condition


def _has_country(codes: tuple[str, ...]) -> ColumnElement[bool]:
    country = col(Subscriber.country)
    return and_(country.is_not(None), country.in_(codes))


def _follows_sector(sectors: tuple[str, ...]) -> ColumnElement[bool]:
    mine = col(SubscriberSector.subscriber_id) == col(Subscriber.id)
    return exists().where(mine, col(SubscriberSector.sector).in_(sectors)).correlate(Subscriber)


def _reads_language(languages: tuple[str, ...]) -> ColumnElement[bool]:
    language = func.lower(col(Subscriber.language))
    variants = [language.startswith(f"{wanted}-", autoescape=True) for wanted in languages]
    return and_(col(Subscriber.language).is_not(None), or_(language.in_(languages), *variants))


def _has_status(statuses: tuple[str, ...]) -> ColumnElement[bool]:
    return col(Subscriber.status).in_([Status(status) for status in statuses])


def _has_tag(tags: tuple[str, ...]) -> ColumnElement[bool]:
    mine = col(SubscriberTag.subscriber_id) == col(Subscriber.id)
    return exists().where(mine, col(SubscriberTag.tag).in_(tags)).correlate(Subscriber)


def _has_organisation(words: tuple[str, ...]) -> ColumnElement[bool]:
    return or_(*(contains_words(col(Subscriber.organisation), word) for word in words))


def _joined_in_any(spans: tuple[str, ...]) -> ColumnElement[bool]:
    return or_(*map(_joined_in, spans))


def _joined_in(text: str) -> ColumnElement[bool]:
    span, at = parse_date_range(text), col(Subscriber.created_at)
    begins = true() if span.starts_at is None else at >= span.starts_at
    return and_(begins, true() if span.ends_before is None else at < span.ends_before)


def _has_consent_record(words: tuple[str, ...]) -> ColumnElement[bool]:
    mine = col(ConsentRecord.subscriber_id) == col(Subscriber.id)
    events = [ConsentEvent(word) for word in words if word in ConsentEvent.__members__]
    # "command line" in a record is command-line in a segment, where a value has no spaces.
    method = func.replace(func.lower(col(ConsentRecord.method)), " ", "-")
    imports = [int(found[1]) for word in words if (found := IMPORT.fullmatch(word))]
    said = [method.in_(words), *([col(ConsentRecord.event).in_(events)] if events else [])]
    said += [col(ConsentRecord.import_id).in_(imports)] if imports else []
    return exists().where(mine, or_(*said)).correlate(Subscriber)


_CONDITIONS: Mapping[TermKey, Callable[[tuple[str, ...]], ColumnElement[bool]]] = MappingProxyType(
    {
        TermKey.country: _has_country,
        TermKey.sector: _follows_sector,
        TermKey.language: _reads_language,
        TermKey.status: _has_status,
        TermKey.tag: _has_tag,
        TermKey.org: _has_organisation,
        TermKey.joined: _joined_in_any,
        TermKey.consent: _has_consent_record,
    }
)
