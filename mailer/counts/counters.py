"""The numbers that can be asked for, and the statements that count each.

A value is what JSON can say, and names no person: the examples of a segment are numbers of subscribers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import and_, func
from sqlmodel import Session, col, select

from mailer.campaigns.audiences.comparison import compare_audiences
from mailer.campaigns.audiences.compliance import find_held_back
from mailer.campaigns.audiences.left_out import ALREADY_SENT, find_left_out
from mailer.campaigns.audiences.recipient_selection import Cohort, is_in_audience, list_cohorts
from mailer.campaigns.audiences.segments import read_segment
from mailer.counts.request import CountKind
from mailer.dispatch.deliveries import count_deliveries
from mailer.rendering.body.variants import Interests
from mailer.settings import Settings
from subscribers.cross_table import CrossTable, CrossTableRow, make_cross_table
from subscribers.models import Status, Subscriber
from subscribers.queries import count_subscribers
from subscribers.segments.terms import TermKey

SHAPE = "3"
"""The version of what values look like. Numbers of another version are counted again."""

_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class CountContext:
    """What a number is counted with: ``arguments`` by name, on the day ``today`` in UTC."""

    session: Session
    settings: Settings
    today: date
    arguments: Mapping[str, str]


def _count_segment(context: CountContext) -> Any:
    segment = read_segment(context.arguments["segment"], context.settings, context.session)
    in_it = segment.where()
    if not segment.asks_about(TermKey.status):
        # Their rows say nothing of anybody any more.
        in_it = and_(in_it, col(Subscriber.status).not_in([Status.erased, Status.merged]))
    first = select(col(Subscriber.id)).where(in_it).order_by(col(Subscriber.id)).limit(_EXAMPLES)
    return {
        "on_list": context.session.exec(select(func.count(col(Subscriber.id))).where(in_it)).one(),
        "get_mail": count_subscribers(context.session, segment, today=context.today),
        "first": list(context.session.exec(first)),
    }


def _count_cross_table(context: CountContext) -> Any:
    segment = read_segment(context.arguments["segment"], context.settings, context.session)
    # Who asks for those who unsubscribed wants to see them.
    today = None if segment.asks_about(TermKey.status) else context.today
    table = make_cross_table(context.session, segment, tuple(context.settings.sectors), today=today)
    return {
        "sectors": list(table.sectors),
        "countries": [[code, _write_row(row)] for code, row in table.countries.items()],
        "total": _write_row(table.total),
        "mailable_only": today is not None,
    }


def _write_row(row: CrossTableRow) -> list[int]:
    return [*row.by_sector, row.other, row.none, row.people]


def read_cross_table(value: Any) -> CrossTable:
    """The table in the value of :attr:`~mailer.counts.request.CountKind.cross_table`."""
    return CrossTable(
        sectors=tuple(value["sectors"]),
        countries={code: _read_row(numbers) for code, numbers in value["countries"]},
        total=_read_row(value["total"]),
    )


def _read_row(numbers: list[int]) -> CrossTableRow:
    *by_sector, other, none, people = numbers
    return CrossTableRow(by_sector=tuple(by_sector), other=other, none=none, people=people)


def _count_audience(context: CountContext) -> Any:
    edition, again = context.arguments["edition"], bool(context.arguments["again"])
    segment = read_segment(context.arguments["segment"], context.settings, context.session)
    law, session, today = context.settings.law, context.session, context.today
    audience = is_in_audience(segment, edition, today, again=again, law=law)
    wished_for = is_in_audience(segment, edition, today, again=again)
    left_out = dict(find_left_out(session, segment, edition, today, already="" if again else ALREADY_SENT))
    held_back = {held.reason: held.count for held in find_held_back(session, law, wished_for)}
    return {
        "audience": session.exec(select(func.count(col(Subscriber.id))).where(audience)).one(),
        "left_out": left_out | held_back,
    }


def _count_cohorts(context: CountContext) -> Any:
    edition, again = context.arguments["edition"], bool(context.arguments["again"])
    segment = read_segment(context.arguments["segment"], context.settings, context.session)
    law = context.settings.law
    audience = is_in_audience(segment, edition, context.today, again=again, law=law)
    return [_write_cohort(cohort) for cohort in list_cohorts(context.session, audience)]


def _write_cohort(cohort: Cohort) -> list[Any]:
    sectors, countries = sorted(cohort.interests.sectors), sorted(cohort.interests.countries)
    return [cohort.language, sectors, countries, cohort.size, cohort.first_id]


def read_cohorts(value: Any) -> tuple[Cohort, ...]:
    """The groups in the value of :attr:`~mailer.counts.request.CountKind.cohorts`."""
    return tuple(
        Cohort(
            language=language,
            interests=Interests(sectors=frozenset(sectors), countries=frozenset(countries)),
            size=size,
            first_id=first,
        )
        for language, sectors, countries, size, first in value
    )


def _count_deliveries(context: CountContext) -> Any:
    found = count_deliveries(context.session.connection(), int(context.arguments["campaign"]))
    states = ("sent", "rejected", "failed", "suppressed", "in_doubt")
    return {**{name: getattr(found, name) for name in states}, "still_to_do": found.still_to_do}


def _count_difference(context: CountContext) -> Any:
    before, after = context.arguments["before"], context.arguments["after"]
    compared = compare_audiences(context.session, context.settings, before, after, today=context.today)
    found = compared.count(context.session)
    return {
        "both": found.both,
        "before": found.before_count,
        "after": found.after_count,
        "new": found.new,
        "gone": found.gone,
    }


COUNTERS: Mapping[CountKind, Callable[[CountContext], Any]] = MappingProxyType(
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
