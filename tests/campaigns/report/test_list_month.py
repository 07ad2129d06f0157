"""The growth of the list by month, from the consent records, on both databases."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.report.departures import ListMonth, count_months
from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, Subscriber
from tests.factories.deliveries import add_subscribers

E = ConsentEvent


def record(engine: Engine, people: range, event: ConsentEvent, month: int, day: int = 15) -> None:
    with Session(engine) as session:
        for number in people:
            person = session.get_one(Subscriber, number)
            add_consent_record(
                session, person, event, method="page", now=datetime(2026, month, day, tzinfo=UTC)
            )
        session.commit()


def count(engine: Engine) -> tuple[ListMonth, ...]:
    with engine.connect() as connection:
        return count_months(connection)


def test_a_list_without_records_has_no_months(engine: Engine) -> None:
    assert count(engine) == ()


def test_people_join_leave_and_come_back(engine: Engine) -> None:
    add_subscribers(engine, [f"a{n}@example.org" for n in range(30)])
    record(engine, range(1, 31), E.imported, 1)
    record(engine, range(1, 8), E.unsubscribed, 3)
    record(engine, range(1, 7), E.subscribed, 4)
    record(engine, range(20, 26), E.bounced, 4)
    assert count(engine) == (
        ListMonth(month="2026-01", joined=30, left=0, people=30),
        ListMonth(month="2026-02", joined=0, left=0, people=30),
        ListMonth(month="2026-03", joined=0, left=7, people=23),
        ListMonth(month="2026-04", joined=6, left=6, people=23),
    )


def test_only_what_changes_who_is_on_the_list_counts(engine: Engine) -> None:
    add_subscribers(engine, [f"a{n}@example.org" for n in range(10)])
    record(engine, range(1, 11), E.requested, 1)
    record(engine, range(1, 11), E.subscribed, 2)
    record(engine, range(1, 11), E.imported, 3)
    record(engine, range(1, 11), E.updated, 4)
    record(engine, range(1, 6), E.complained, 5)
    record(engine, range(1, 6), E.erased, 6)
    assert count(engine) == (
        ListMonth(month="2026-02", joined=10, left=0, people=10),
        ListMonth(month="2026-03", joined=0, left=0, people=10),
        ListMonth(month="2026-04", joined=0, left=0, people=10),
        ListMonth(month="2026-05", joined=0, left=5, people=5),
    )


def test_where_a_few_leave_neither_they_nor_who_joined_are_shown(engine: Engine) -> None:
    add_subscribers(engine, [f"a{n}@example.org" for n in range(30)])
    record(engine, range(1, 21), E.imported, 1)
    record(engine, range(21, 31), E.imported, 2)
    record(engine, range(1, 3), E.unsubscribed, 2)
    assert count(engine)[1] == ListMonth(month="2026-02", joined=None, left=None, people=28)
