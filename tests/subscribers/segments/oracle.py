"""Random lists of subscribers, random segments, and an oracle that does not use SQL.

The oracle evaluates the tree that a test made, not one that our parser read: the text is written by
:func:`spell`, as sloppily as people write.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import ColumnElement, Connection, insert
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, InDoubtPolicy
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.segments.terms import BooleanOperator, Expression, Group, Term, TermKey, join

SECTORS = ("education", "sciences", "culture")
EDITIONS = ("2021-1", "2021-2")
COUNTRIES = ("MN", "CN", "KR", "JP")
LANGUAGES = ("zh", "zh-Hans", "ZH-hant", "zhx", "z%", "en", "en-GB", "mn")
TAGS = ("press", "50% off", "a_b", "o'neil", "ulaan baatar", "日本", "axb", "un(beijing)", "a、b")
ORGANISATIONS = (
    "",
    "Ministry of Education",
    "БОЛОВСРОЛЫН яам",
    "UNESCO [Beijing]",
    "100%*? a\\b ^c",
    "日本放送協会",
)
METHODS = ("import", "page", "one-click", "command line")
# The last is a moment that is another day in Beijing.
MOMENTS = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in ("2023-12-31T23:59:59", "2024-01-01T00:00:00", "2024-02-29T12:00:00", "2024-03-01T22:30:00")
)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_HAVING = {DeliveryState.sent, DeliveryState.in_doubt}


@dataclass(frozen=True, kw_only=True)
class Person:
    """What the oracle knows of a subscriber. ``got`` are editions with the state of their delivery."""

    country: str | None
    language: str | None
    status: Status
    organisation: str
    created_at: datetime
    sectors: frozenset[str]
    tags: frozenset[str]
    consent: frozenset[tuple[ConsentEvent, str]]
    got: frozenset[tuple[str, DeliveryState]]


people = st.builds(
    Person,
    country=st.none() | st.sampled_from(COUNTRIES),
    language=st.none() | st.sampled_from(LANGUAGES),
    status=st.sampled_from(list(Status)),
    organisation=st.sampled_from(ORGANISATIONS),
    created_at=st.sampled_from(MOMENTS),
    sectors=st.frozensets(st.sampled_from(SECTORS)),
    tags=st.frozensets(st.sampled_from(TAGS), max_size=2),
    consent=st.frozensets(
        st.tuples(st.sampled_from(list(ConsentEvent)), st.sampled_from(METHODS)), max_size=2
    ),
    got=st.frozensets(
        st.tuples(st.sampled_from(EDITIONS), st.sampled_from(list(DeliveryState))), max_size=2
    ).map(lambda got: frozenset({edition: (edition, state) for edition, state in sorted(got)}.values())),
)

_VALUES: dict[TermKey, tuple[str, ...]] = {
    TermKey.country: (*COUNTRIES, "NO"),
    TermKey.language: ("zh", "zh-hans", "zh-hant", "en", "mn", "fr"),
    TermKey.status: tuple(Status),
    TermKey.sector: SECTORS,
    TermKey.tag: (*TAGS, "%", "_", "x') or 1=1 --"),
    TermKey.org: (
        "ministry",
        "MINISTRY of e",
        "яам",
        "боловсролын",
        "[beijing]",
        "%*?",
        "a\\b ^",
        "日本",
        "x'",
    ),
    TermKey.joined: (
        *("2024", "2023", "2024-01", "2024-02-29", "2023-12-31..2024-02"),
        *(">2023", ">2024-03-01", ">=2024-02-29", "<2024-03-01", "<=2024-03"),
    ),
    TermKey.got: EDITIONS,
    TermKey.consent: ("imported", "unsubscribed", "one-click", "command-line", "page"),
}


@st.composite
def _terms(draw: st.DrawFn) -> Term:
    key = draw(st.sampled_from(list(TermKey)))
    values = draw(st.lists(st.sampled_from(_VALUES[key]), min_size=1, max_size=3, unique=True))
    return Term(key=key, values=tuple(values), negated=draw(st.booleans()))


def _groups(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    joined = st.builds(join, st.sampled_from(BooleanOperator), st.lists(parts, min_size=2, max_size=3))
    return joined | joined.map(_turned)


def _turned(expression: Expression) -> Expression:
    assert isinstance(expression, Group)
    return Group(joiner=expression.joiner, parts=expression.parts, negated=not expression.negated)


expressions: st.SearchStrategy[Expression] = st.recursive(_terms(), _groups, max_leaves=8)
"""Trees as the parser makes them."""


def holds(person: Person, expression: Expression) -> bool:
    """Whether ``person`` is in ``expression``."""
    if isinstance(expression, Group):
        together = all if expression.joiner is BooleanOperator.all else any
        return together(holds(person, part) for part in expression.parts) is not expression.negated
    return any(_has(person, expression.key, value) for value in expression.values) is not expression.negated


def asks_status(expression: Expression) -> bool:
    """Whether nobody is in ``expression`` without a question about their status: an "or" is as good as the
    worst of its parts, an "and" as the best."""
    if isinstance(expression, Group):
        worst = (expression.joiner is BooleanOperator.any) is not expression.negated
        return (min if worst else max)(asks_status(part) for part in expression.parts)
    return expression.key is TermKey.status


def _has(person: Person, key: TermKey, value: str) -> bool:
    language = (person.language or "").lower()
    return {
        TermKey.country: lambda: person.country == value,
        TermKey.language: lambda: f"{language}-".startswith(f"{value.lower()}-"),
        TermKey.status: lambda: person.status == value,
        TermKey.sector: lambda: value in person.sectors,
        TermKey.tag: lambda: value in person.tags,
        TermKey.org: lambda: value.lower() in person.organisation.lower(),
        TermKey.joined: lambda: _joined(person.created_at.date().isoformat(), value),
        TermKey.got: lambda: any(edition == value and state in _HAVING for edition, state in person.got),
        TermKey.consent: lambda: any(
            value in {event, method.replace(" ", "-")} for event, method in person.consent
        ),
    }[key]()


def _joined(day: str, value: str) -> bool:
    """By comparing texts, which is another way than the one under test."""
    if ".." in value:
        first, _, last = value.partition("..")
        return first <= day[: len(first)] and day[: len(last)] <= last
    sign, when = value.rstrip("0123456789-"), value.lstrip("<>=")
    part = day[: len(when)]
    return {
        "": part == when,
        ">": part > when,
        ">=": part >= when,
        "<": part < when,
        "<=": part <= when,
    }[sign]


@st.composite
def spelt(draw: st.DrawFn) -> tuple[Expression, str]:
    """A tree, and a text that means it."""
    tree = draw(expressions)
    return tree, draw(spell(tree))


@st.composite
def spell(draw: st.DrawFn, expression: Expression) -> str:
    """``expression`` as somebody may type it: any of the signs, capitals, and parentheses too many."""
    if isinstance(expression, Term):
        return draw(_spell_term(expression))
    inner = [draw(spell(part)) for part in expression.parts]
    inner = [
        _in_brackets(draw, text) if _is_choice(part) or draw(st.integers(0, 9)) == 0 else text
        for text, part in zip(inner, expression.parts, strict=True)
    ]
    space = st.sampled_from([" ", "  ", "\u3000", "\n"])
    word = (
        ""
        if expression.joiner is BooleanOperator.all
        else draw(st.sampled_from(["or", "OR", "ｏｒ"])) + draw(space)
    )
    text = "".join(itertools.chain(*((part, draw(space), word) for part in inner[:-1]), [inner[-1]]))
    if not expression.negated:
        return text
    return draw(st.sampled_from("-－")) + _in_brackets(draw, text)


def _is_choice(expression: Expression) -> bool:
    return (
        isinstance(expression, Group) and expression.joiner is BooleanOperator.any and not expression.negated
    )


def _in_brackets(draw: st.DrawFn, text: str) -> str:
    return draw(st.sampled_from(["(", "（", "( "])) + text + draw(st.sampled_from([")", "）", " )"]))


@st.composite
def _spell_term(draw: st.DrawFn, term: Term) -> str:
    quote = st.sampled_from([('"', '"'), ("“", "”"), ("「", "」"), ("＂", "＂")])
    values = []
    for value in term.values:
        needed = any(char in value for char in " ,、()")
        opening, closing = draw(quote) if needed or draw(st.booleans()) else ("", "")
        values.append(opening + value + closing)
    key = draw(st.sampled_from([term.key.value, term.key.value.upper()]))
    sign = draw(st.sampled_from("-－")) if term.negated else ""
    return sign + key + draw(st.sampled_from(":：")) + draw(st.sampled_from(",，、")).join(values)


def fill(connection: Connection, listed: list[Person]) -> dict[int, Person]:
    """Put ``listed`` into an empty list, with the campaigns that sent to them; by number."""
    numbered = dict(enumerate(listed, start=1))
    rows = [
        {
            "id": id_,
            "email": f"p{id_}@example.org",
            "envelope": f"p{id_}@example.org",
            "name": "",
            "organisation": person.organisation,
            "country": person.country,
            "language": person.language,
            "status": person.status,
            "created_at": person.created_at,
            "updated_at": person.created_at,
        }
        for id_, person in numbered.items()
    ]
    _insert(connection, Subscriber, rows)
    follows = [
        {"subscriber_id": id_, "sector": sector}
        for id_, person in numbered.items()
        for sector in sorted(person.sectors)
    ]
    _insert(connection, SubscriberSector, follows)
    tags = [
        {"subscriber_id": id_, "tag": tag} for id_, person in numbered.items() for tag in sorted(person.tags)
    ]
    _insert(connection, SubscriberTag, tags)
    records = [
        {
            **{"subscriber_id": id_, "event": event, "at": person.created_at, "method": method},
            **{"source": "", "wording": "", "wording_version": "", "language": "", "evidence": ""},
        }
        for id_, person in numbered.items()
        for event, method in sorted(person.consent)
    ]
    _insert(connection, ConsentRecord, records)
    deliveries = [
        _delivery(EDITIONS.index(edition) + 1, id_, state)
        for id_, person in numbered.items()
        for edition, state in sorted(person.got)
    ]
    _insert(connection, Delivery, deliveries)
    return numbered


def add_campaigns(connection: Connection) -> None:
    """A campaign of each of the editions, numbered from 1."""
    rows = [
        {
            "id": number,
            "edition": edition,
            "title": "",
            "segment": "all",
            "language": "en",
            "state": CampaignState.finished,
            **{"state_reason": "", "in_doubt_policy": InDoubtPolicy.hold, "approved_by": ""},
            **{"digest": "", "approved_digest": "", "audience": 0, "again": False},
            "created_at": NOW,
            "launched_at": NOW,
        }
        for number, edition in enumerate(EDITIONS, start=1)
    ]
    _insert(connection, Campaign, rows)


def _delivery(campaign_id: int, subscriber_id: int, state: DeliveryState) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "subscriber_id": subscriber_id,
        "state": state,
        "owner": "d" if state is DeliveryState.claimed else None,
        "not_before": NOW + timedelta(hours=1) if state is DeliveryState.deferred else None,
        **{"attempts": 0, "deferrals": 0, "doubted": False, "reason": ""},
        "updated_at": NOW,
    }


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


ID = col(Subscriber.id)


class _Sent:
    """Deliveries for those who only read and write segments."""

    def editions(self) -> tuple[str, ...]:
        return EDITIONS

    def stories(self, _: str) -> tuple[str, ...]:
        return ("youth-forum",)

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        return col(Subscriber.name).in_(editions)


SENT = _Sent()
