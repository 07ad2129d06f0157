"""The terms of a segment, and trees of them joined by "and" or "or": as text, and as conditions in SQL.

No value ever becomes part of the SQL text: everything a user writes is a bound parameter. Trees are
normalised (a group has at least two parts, none of which is an unnegated group with the same operator, and
nothing is negated twice), so writing a tree as text and parsing it again gives an equal tree.

SQLite's ``lower`` only handles ASCII and PostgreSQL's depends on how the server was set up, so in
:func:`contains_words` each letter matches both its cases, by Python's own tables. Dates (``2024``,
``2024-05``, ``>=2024-05-31``, ``2023..2024-06``) are days in UTC, as are the times in the list.
"""

import calendar
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeAlias
from unicodedata import normalize

from sqlalchemy import Boolean, ColumnElement, and_, exists, func, literal, not_, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col

from locales.phrase import gettext_noop
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)

_SIGN = re.compile(r"(>=|<=|=>|=<|>|<|=|)(.*)", re.DOTALL)
_PERIOD = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
# Other years are typing errors, and the day after 9999-12-31 cannot be represented.
_YEARS = range(1900, 2201)
_SIGN_ALIASES = {"=>": ">=", "=<": "<=", "=": ""}
# The parser would take these characters for the end of a value, or for a group.
_NEEDS_QUOTES = re.compile(r'[\s,，、()（）"＂“”「」]')
IMPORT = re.compile(r"import-([1-9][0-9]{0,8})", re.ASCII)
"""An import by its number, as a value of :attr:`TermKey.consent`."""
SAVED_KEY = "segment"
"""Not the key of a term: it refers to a saved segment and is replaced by it."""


class _ContainsWords(FunctionElement[bool]):
    """``column``, a GLOB pattern for SQLite, and a regular expression for PostgreSQL."""

    name = "contains_words"
    type = Boolean()
    inherit_cache = True


def contains_words(column: Mapped[str] | ColumnElement[str], words: str) -> ColumnElement[bool]:
    """Return the condition that ``column`` contains ``words``, ignoring case. Patterns are bound
    parameters."""
    letters = list(_case_variants(words))
    glob = "".join(f"[{letter}]" if len(letter) > 1 or letter in "*?[" else letter for letter in letters)
    regex = "".join(f"[{letter}]" if len(letter) > 1 else _escape_regex(letter) for letter in letters)
    return _ContainsWords(column, literal(f"*{glob}*"), literal(regex))


def _case_variants(words: str) -> Iterator[str]:
    """Yield each character together with its other case, if that is a single character."""
    for char in words:
        lower, upper = char.lower(), char.upper()
        both = lower + upper
        # The long s and the kelvin sign map to another letter's other case, so they only match themselves.
        is_pair = len(both) == 2 and (lower.upper(), upper.lower()) == (upper, lower) and lower != upper
        yield both if is_pair else char


def _escape_regex(char: str) -> str:
    # Other characters may have a meaning in a pattern. A space is kept, because "\ " is not an escape.
    return char if char.isalnum() or char == "_" or not char.isascii() or char == " " else f"\\{char}"


@compiles(_ContainsWords, "sqlite")
def _compile_glob(element: _ContainsWords, compiler: SQLCompiler, **options: Any) -> str:
    column, glob, _ = element.clauses
    return f"({compiler.process(column, **options)} GLOB {compiler.process(glob, **options)})"


@compiles(_ContainsWords, "postgresql")
def _compile_regex(element: _ContainsWords, compiler: SQLCompiler, **options: Any) -> str:
    column, _, regex = element.clauses
    return f"({compiler.process(column, **options)} ~ {compiler.process(regex, **options)})"


@dataclass(frozen=True, kw_only=True)
class CalendarPeriod:
    """A year, a month or a day: ``text`` as in ``2024-05``, its ``first`` and its ``last`` day."""

    text: str
    first: date
    last: date


@dataclass(frozen=True, kw_only=True)
class DateRange:
    """A range of days. ``sign`` is empty, ``>``, ``>=``, ``<`` or ``<=``, and always empty with ``end``."""

    sign: str
    start: CalendarPeriod
    end: CalendarPeriod | None = None

    @property
    def text(self) -> str:
        return f"{self.sign}{self.start.text}" + (f"..{self.end.text}" if self.end else "")

    @property
    def starts_at(self) -> datetime | None:
        """The first moment in the range, in UTC; None if it has no beginning."""
        if self.sign.startswith("<"):
            return None
        return _midnight(self.start.last + timedelta(1) if self.sign == ">" else self.start.first)

    @property
    def ends_before(self) -> datetime | None:
        """The first moment after the range, in UTC; None if it has no end."""
        if self.sign.startswith(">"):
            return None
        return _midnight(
            self.start.first if self.sign == "<" else (self.end or self.start).last + timedelta(1)
        )


def parse_date_range(text: str) -> DateRange:
    """Parse ``text``; full-width digits and signs are accepted. Raise ValueError if it is not a date, or ends
    before it begins; the message says what to write.
    """
    match = _SIGN.fullmatch(normalize("NFKC", text).strip())
    sign, rest = match.groups() if match else ("", "")
    first, dots, last = rest.partition("..")
    if dots and sign:
        raise ValueError(
            gettext_noop(
                '"%(text)s" has both a sign and an end date. Use only one of them, as in 2024-01..2024-06.'
            )
            % {"text": text}
        )
    start, end = _parse_period(first, text), _parse_period(last, text) if dots else None
    if end is not None and end.last < start.first:
        raise ValueError(
            gettext_noop('"%(text)s" ends before it begins. Write the earlier date first.') % {"text": text}
        )
    return DateRange(sign=_SIGN_ALIASES.get(sign, sign), start=start, end=end)


def _parse_period(words: str, whole: str) -> CalendarPeriod:
    match = _PERIOD.fullmatch(words.strip())
    if match is None:
        raise ValueError(
            gettext_noop(
                '"%(whole)s" is not a date. Write a day, a month or a year, such as >2024-01-31, '
                "2024-05 or 2023..2024-06."
            )
            % {"whole": whole}
        )
    year, month, day = (int(part or 0) for part in match.groups())
    if year not in _YEARS:
        raise ValueError(
            gettext_noop("The year %(year)s is out of range. Use one from 1900 to 2200.") % {"year": year}
        )
    try:
        first = date(year, month or 1, day or 1)
    except ValueError as error:
        raise ValueError(
            gettext_noop("%(words)s is not a date in the calendar.") % {"words": words.strip()}
        ) from error
    if day:
        return CalendarPeriod(text=first.isoformat(), first=first, last=first)
    last = date(year, month or 12, calendar.monthrange(year, month or 12)[1])
    return CalendarPeriod(text=f"{year}-{month:02}" if month else str(year), first=first, last=last)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


class DeliveryLookup(Protocol):
    def editions(self) -> Collection[str]:
        """Return the editions that were ever sent, or may be sent soon."""
        ...

    def stories(self, edition: str) -> Collection[str]:
        """Return the stories of one of the :meth:`editions`, as it was sent."""
        ...

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition on ``Subscriber`` that they got one of ``editions``.

        A name such as ``2021-1/youth-forum`` is one story of an edition: they got a message with it.
        """
        ...


class SavedSegmentLookup(Protocol):
    def find(self, name: str) -> str | None:
        """Return the text saved under ``name``, None if there is none."""
        ...

    def names(self) -> Collection[str]: ...


@dataclass(frozen=True, kw_only=True)
class SegmentLookups:
    """What the parser of a segment can look things up in. Without ``sectors`` any word is accepted as one;
    without the others, the keys that need them are refused."""

    sectors: Collection[str] | None = None
    deliveries: DeliveryLookup | None = None
    saved: SavedSegmentLookup | None = None


class TermKey(StrEnum):
    """What a term can ask about."""

    country = "country"
    sector = "sector"
    language = "language"
    """The language they read; ``zh`` includes ``zh-Hans``."""

    status = "status"
    tag = "tag"
    org = "org"
    joined = "joined"
    """When they were added to the list, in UTC: ``2024``, ``>=2024-05``, ``2023-01-01..2024-06-30``."""

    got = "got"
    """An edition they got, or may have got: the relay accepted it, or it is in doubt. Or one story of it:
    2021-1/youth-forum."""

    consent = "consent"
    """What is in their consent record: an event such as ``imported``, a method such as ``one-click``, or an
    import by its number, such as ``import-12``."""


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
        values = ",".join(f'"{value}"' if _NEEDS_QUOTES.search(value) else value for value in self.values)
        return f"{'-' if self.negated else ''}{self.key}:{values}"

    def where(self, deliveries: DeliveryLookup | None = None) -> ColumnElement[bool]:
        """Return the condition. Subscribers without a country or language never match, and always match the
        negation. Raise ValueError if it asks about deliveries, and ``deliveries`` is None.
        """
        if self.key is TermKey.got and deliveries is not None:
            condition = deliveries.has_got(self.values)
        else:
            condition = _make_condition(self.key, self.values)
        return not_(condition) if self.negated else condition


def _make_condition(key: TermKey, values: tuple[str, ...]) -> ColumnElement[bool]:
    match key:
        case TermKey.country:
            return and_(col(Subscriber.country).is_not(None), col(Subscriber.country).in_(values))
        case TermKey.sector:
            mine = col(SubscriberSector.subscriber_id) == col(Subscriber.id)
            return exists().where(mine, col(SubscriberSector.sector).in_(values)).correlate(Subscriber)
        case TermKey.tag:
            mine = col(SubscriberTag.subscriber_id) == col(Subscriber.id)
            return exists().where(mine, col(SubscriberTag.tag).in_(values)).correlate(Subscriber)
        case TermKey.language:
            return _reads_language(values)
        case TermKey.status:
            return col(Subscriber.status).in_([Status(value) for value in values])
        case TermKey.org:
            return or_(*(contains_words(col(Subscriber.organisation), words) for words in values))
        case TermKey.joined:
            return or_(*map(_joined_in, values))
        case TermKey.consent:
            return _has_consent_record(values)
        case TermKey.got:
            raise ValueError("got: needs deliveries, and none were given")


def _reads_language(languages: tuple[str, ...]) -> ColumnElement[bool]:
    language = func.lower(col(Subscriber.language))
    variants = [language.startswith(f"{wanted}-", autoescape=True) for wanted in languages]
    return and_(col(Subscriber.language).is_not(None), or_(language.in_(languages), *variants))


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


class BooleanOperator(StrEnum):
    """How the parts of a group are joined."""

    all = "and"
    any = "or"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Joined parts, negated as a whole if ``negated``."""

    joiner: BooleanOperator
    parts: "tuple[Expression, ...]"
    negated: bool = False

    def where(self, deliveries: DeliveryLookup | None = None) -> ColumnElement[bool]:
        parts = [part.where(deliveries) for part in self.parts]
        joined = and_(true(), *parts) if self.joiner is BooleanOperator.all else or_(*parts)
        return not_(joined) if self.negated else joined


Expression: TypeAlias = Term | Group


def join(joiner: BooleanOperator, parts: Iterable[Expression]) -> Expression:
    """Join ``parts``; groups with the same operator are flattened, and a single part is returned as it is."""
    flat = tuple(inner for part in parts for inner in _parts_of(part, joiner))
    return flat[0] if len(flat) == 1 else Group(joiner=joiner, parts=flat)


def negate(expression: Expression) -> Expression:
    return replace(expression, negated=not expression.negated)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    return tuple(_parts_of(expression, BooleanOperator.all))


def walk(expression: Expression) -> Iterator[Term]:
    if isinstance(expression, Term):
        yield expression
    else:
        for part in expression.parts:
            yield from walk(part)


def constrains(expression: Expression, key: TermKey) -> bool:
    """Return whether ``key`` constrains everyone ``expression`` chooses: at least one part of an "and" asks
    about it, or every part of an "or".
    """
    if isinstance(expression, Term):
        return expression.key is key
    answers = (constrains(part, key) for part in expression.parts)
    # "Not (a or b)" is "not a" and "not b".
    is_choice = (expression.joiner is BooleanOperator.any) is not expression.negated
    return all(answers) if is_choice else any(answers)


def depth(expression: Expression) -> int:
    return 0 if isinstance(expression, Term) else 1 + max(map(depth, expression.parts), default=0)


def to_text(expression: Expression) -> str:
    """Write ``expression`` as text; parsing it again gives an equal tree."""
    if isinstance(expression, Term):
        return expression.text
    if expression.joiner is BooleanOperator.any:
        text = " or ".join(map(to_text, expression.parts))
    else:
        # "or" binds less tightly than terms side by side.
        text = " ".join(
            f"({to_text(part)})" if _is_or_group(part) else to_text(part) for part in expression.parts
        )
    return f"-({text})" if expression.negated else text


def _parts_of(expression: Expression, joiner: BooleanOperator) -> Iterator[Expression]:
    if isinstance(expression, Group) and expression.joiner is joiner and not expression.negated:
        yield from expression.parts
    else:
        yield expression


def _is_or_group(expression: Expression) -> bool:
    return (
        isinstance(expression, Group) and expression.joiner is BooleanOperator.any and not expression.negated
    )
