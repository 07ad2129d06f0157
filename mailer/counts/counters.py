"""The numbers that can be asked for, and the statements that count each.

A value is what JSON can say, but for the reasons in it, which may be phrases. It names no person: the
examples of a segment are numbers of subscribers.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import and_, func
from sqlmodel import Session, col, select

from locales.phrase import dump_words, load_words
from mailer.campaigns.audience_comparison import compare_audiences
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.recipients import (
    ALREADY_SENT,
    Cohort,
    find_held_back,
    find_left_out,
    is_in_audience,
    list_cohorts,
)
from mailer.dispatch.deliveries import count_deliveries
from mailer.rendering.body.variants import Interests
from mailer.settings import Settings
from subscribers.models import Status, Subscriber
from subscribers.queries import CrossTable, CrossTableRow, count_subscribers, make_cross_table
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.terms import TermKey

_FLAG: Final = "1"
SHAPE = "4"
"""The version of what values look like. Numbers of another version are counted again."""
_EXAMPLES = 5
Counter = Callable[..., Any]
"""Counts, given a session, the settings, the day in UTC and the arguments of a request by name."""


class CountKind(StrEnum):
    """Kinds of numbers that are asked for. The value is its name in an address."""

    segment = "segment"
    """How many subscribers are in a segment, and how many of them would get mail today."""

    cross_table = "cross-table"
    """Those of a segment who would get mail today, by country and sector."""

    audience = "audience"
    """How many would get an edition that is sent to a segment now, and why others would not."""

    cohorts = "cohorts"
    """The same audience in groups that share a language and interests, and so get the same mail."""

    deliveries = "deliveries"
    """How many messages of a campaign are in which state."""

    difference = "difference"
    """How many are in both of two audiences, and why others are in one of them."""


ARGUMENTS: Mapping[CountKind, tuple[str, ...]] = MappingProxyType(
    {
        CountKind.segment: ("segment",),
        CountKind.cross_table: ("segment",),
        CountKind.audience: ("edition", "segment", "again"),
        CountKind.cohorts: ("edition", "segment", "again"),
        CountKind.deliveries: ("campaign", "state"),
        CountKind.difference: ("before", "after"),
    }
)
"""The names of what each kind needs to be told."""


_BY_REASON: Mapping[CountKind, tuple[str, ...]] = MappingProxyType(
    {CountKind.audience: ("left_out",), CountKind.difference: ("new", "gone")}
)
"""What of a value is numbers by reason."""


@dataclass(frozen=True, kw_only=True)
class CountRequest:
    """A number that somebody wants to see. ``values`` are in the order of :data:`ARGUMENTS`."""

    kind: CountKind
    values: tuple[str, ...]

    @property
    def arguments(self) -> dict[str, str]:
        return dict(zip(ARGUMENTS[self.kind], self.values, strict=True))

    @property
    def path(self) -> str:
        """Where Studio answers with this number alone: "/counts/segment?segment=country%3AMN"."""
        given = {name: value for name, value in self.arguments.items() if value}
        return f"/counts/{self.kind.value}?{urlencode(given)}"

    def digest(self, basis: str) -> str:
        """Return a key for this request. ``basis`` is what else counts, such as the settings."""
        words = json.dumps([self.kind.value, *self.values, basis], ensure_ascii=False)
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def request_segment(segment: str) -> CountRequest:
    """Ask how many are in a segment, and for the ids of a few: ``{"on_list": 1204, "get_mail": 1180, "first":
    [3, 7]}``."""
    return CountRequest(kind=CountKind.segment, values=(segment,))


def request_cross_table(segment: str) -> CountRequest:
    """Ask for a segment by country and sector; :func:`read_cross_table` reads it."""
    return CountRequest(kind=CountKind.cross_table, values=(segment,))


def request_audience(edition: str, segment: str, *, again: bool = False) -> CountRequest:
    """Ask how many would get an edition: ``{"audience": 1180, "left_out": {"unsubscribed": 24}}``. With
    ``again``, those who have the edition already get it once more."""
    return CountRequest(kind=CountKind.audience, values=(edition, segment, _FLAG if again else ""))


def request_cohorts(edition: str, segment: str, *, again: bool = False) -> CountRequest:
    """Ask for that audience in groups; :func:`read_cohorts` reads them."""
    return CountRequest(kind=CountKind.cohorts, values=(edition, segment, _FLAG if again else ""))


def request_deliveries(campaign: int, state: str) -> CountRequest:
    """Ask for the numbers of a campaign, which are its audience together: ``{"sent": 59, "rejected": 0,
    "failed": 0, "suppressed": 1, "in_doubt": 0, "still_to_do": 0}``. In another ``state`` of the campaign,
    they are counted anew."""
    return CountRequest(kind=CountKind.deliveries, values=(str(campaign), state))


def request_difference(before: str, after: str) -> CountRequest:
    """Ask for the difference of two audiences, each a segment, ``campaign:7`` or ``edition:2021-1``:
    ``{"both": 9, "before": 10, "after": 12, "new": {"joined since": 3}, "gone": {"bounced": 1}}``."""
    return CountRequest(kind=CountKind.difference, values=(before, after))


def read_request(kind: str, given: Mapping[str, str]) -> CountRequest | None:
    """Return the request that :attr:`CountRequest.path` leads to; None if there is no such number."""
    if kind not in list(CountKind):
        return None
    found = CountKind(kind)
    values = tuple(given.get(name, "") for name in ARGUMENTS[found])
    if any(len(value) > MAX_LENGTH or "\0" in value for value in values):
        return None
    return CountRequest(kind=found, values=values)


@dataclass(frozen=True, kw_only=True)
class CountedNumber:
    """What is known about a request at this moment.

    ``value`` is what its kind promises, None if it was never counted; it was right at ``counted_at``.
    ``is_counting`` says that a newer one is on its way: ask again in a moment. ``problem`` is why it cannot
    be counted, for people; empty if it can.
    """

    request: CountRequest
    value: Any = None
    counted_at: datetime | None = None
    is_counting: bool = False
    problem: str = ""

    @property
    def path(self) -> str:
        return self.request.path


def write_value(kind: CountKind, value: Any) -> str:
    """Return a value as JSON, from which :func:`read_value` makes it again in every language."""
    by_reason = {
        name: [[dump_words(reason), number] for reason, number in value[name].items()]
        for name in _BY_REASON.get(kind, ())
    }
    return json.dumps({**value, **by_reason} if by_reason else value, ensure_ascii=False)


def read_value(kind: CountKind, body: str) -> Any:
    value = json.loads(body)
    for name in _BY_REASON.get(kind, ()):
        value[name] = {load_words(reason): number for reason, number in value[name]}
    return value


def _count_segment(session: Session, settings: Settings, today: date, segment: str) -> Any:
    wanted = read_segment(segment, settings, session)
    in_it = wanted.where()
    if not wanted.asks_about(TermKey.status):
        # Their rows say nothing of anybody any more.
        in_it = and_(in_it, col(Subscriber.status).not_in([Status.erased, Status.merged]))
    first = select(col(Subscriber.id)).where(in_it).order_by(col(Subscriber.id)).limit(_EXAMPLES)
    return {
        "on_list": session.exec(select(func.count(col(Subscriber.id))).where(in_it)).one(),
        "get_mail": count_subscribers(session, wanted, today=today),
        "first": list(session.exec(first)),
    }


def _count_cross_table(session: Session, settings: Settings, today: date, segment: str) -> Any:
    wanted = read_segment(segment, settings, session)
    # Who asks for those who unsubscribed wants to see them.
    mailable_on = None if wanted.asks_about(TermKey.status) else today
    table = make_cross_table(session, wanted, tuple(settings.sectors), today=mailable_on)
    return {
        "sectors": list(table.sectors),
        "countries": [[code, _write_row(row)] for code, row in table.countries.items()],
        "total": _write_row(table.total),
        "mailable_only": mailable_on is not None,
    }


def _write_row(row: CrossTableRow) -> list[int]:
    return [*row.by_sector, row.other, row.none, row.people]


def read_cross_table(value: Any) -> CrossTable:
    return CrossTable(
        sectors=tuple(value["sectors"]),
        countries={code: _read_row(numbers) for code, numbers in value["countries"]},
        total=_read_row(value["total"]),
    )


def _read_row(numbers: list[int]) -> CrossTableRow:
    *by_sector, other, none, people = numbers
    return CrossTableRow(by_sector=tuple(by_sector), other=other, none=none, people=people)


def _count_audience(
    session: Session, settings: Settings, today: date, edition: str, segment: str, again: str
) -> Any:
    wanted = read_segment(segment, settings, session)
    audience = is_in_audience(wanted, edition, today, again=bool(again), law=settings.law)
    wished_for = is_in_audience(wanted, edition, today, again=bool(again))
    left_out = dict(find_left_out(session, wanted, edition, today, already="" if again else ALREADY_SENT))
    held_back = {held.reason: held.count for held in find_held_back(session, settings.law, wished_for)}
    return {
        "audience": session.exec(select(func.count(col(Subscriber.id))).where(audience)).one(),
        "left_out": left_out | held_back,
    }


def _count_cohorts(
    session: Session, settings: Settings, today: date, edition: str, segment: str, again: str
) -> Any:
    wanted = read_segment(segment, settings, session)
    audience = is_in_audience(wanted, edition, today, again=bool(again), law=settings.law)
    return [_write_cohort(cohort) for cohort in list_cohorts(session, audience)]


def _write_cohort(cohort: Cohort) -> list[Any]:
    sectors, countries = sorted(cohort.interests.sectors), sorted(cohort.interests.countries)
    return [cohort.language, sectors, countries, cohort.size, cohort.first_id]


def read_cohorts(value: Any) -> tuple[Cohort, ...]:
    return tuple(
        Cohort(
            language=language,
            interests=Interests(sectors=frozenset(sectors), countries=frozenset(countries)),
            size=size,
            first_id=first,
        )
        for language, sectors, countries, size, first in value
    )


def _count_deliveries(session: Session, _settings: Settings, _today: date, campaign: str, **_: str) -> Any:
    found = count_deliveries(session.connection(), int(campaign))
    states = ("sent", "rejected", "failed", "suppressed", "in_doubt")
    return {**{name: getattr(found, name) for name in states}, "still_to_do": found.still_to_do}


def _count_difference(session: Session, settings: Settings, today: date, before: str, after: str) -> Any:
    found = compare_audiences(session, settings, before, after, today=today).count(session)
    return {
        "both": found.both,
        "before": found.before_count,
        "after": found.after_count,
        "new": found.new,
        "gone": found.gone,
    }


COUNTERS: Mapping[CountKind, Counter] = MappingProxyType(
    {
        CountKind.segment: _count_segment,
        CountKind.cross_table: _count_cross_table,
        CountKind.audience: _count_audience,
        CountKind.cohorts: _count_cohorts,
        CountKind.deliveries: _count_deliveries,
        CountKind.difference: _count_difference,
    }
)
"""What counts each kind.

Each raises :class:`~subscribers.errors.SegmentError` or another error of ours if the request makes no sense,
with words for people.
"""
