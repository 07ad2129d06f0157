"""Querying the list."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from subscribers.consent.status_changes import change_status, unsubscribe
from subscribers.errors import AddressError, UnknownSubscriberError
from subscribers.models import ConsentEvent, Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.queries import (
    count_subscribers,
    find_subscriber,
    list_subscriber_details,
    read_subscriber_details,
    select_subscribers,
)
from subscribers.segments.segment import parse_segment


def add(session: Session, now: datetime, number: int, **details: Any) -> int:
    email = f"p{number}@example.org"
    subscriber = Subscriber(email=email, envelope=email, created_at=now, updated_at=now, **details)
    session.add(subscriber)
    session.flush()
    assert subscriber.id is not None
    return subscriber.id


def test_a_segment_is_counted_and_listed_in_the_order_of_joining(session: Session, now: datetime) -> None:
    for number in range(5):
        add(session, now, number, country="MN" if number % 2 else "CN")
    segment = parse_segment("country:MN")
    assert count_subscribers(session, segment) == 2
    assert count_subscribers(session, parse_segment("")) == 5
    found = session.exec(select_subscribers(segment)).all()
    assert [person.email for person in found] == ["p1@example.org", "p3@example.org"]


def test_with_a_day_only_those_who_get_mail_are_counted_and_listed(session: Session, now: datetime) -> None:
    today = date(2026, 3, 1)
    add(session, now, 0)
    add(session, now, 1, status=Status.unsubscribed)
    add(session, now, 2, status=Status.paused, paused_until=today + timedelta(days=1))
    add(session, now, 3, status=Status.paused, paused_until=today)
    everybody = parse_segment("all")
    assert count_subscribers(session, everybody) == 4
    assert count_subscribers(session, everybody, today=today) == 2
    assert [person["email"] for person in list_subscriber_details(session, everybody, today=today)] == [
        "p0@example.org",
        "p3@example.org",
    ]


def test_more_people_than_one_statement_reads_are_listed_with_their_own_sectors(
    session: Session, now: datetime
) -> None:
    for number in range(1100):
        id_ = add(session, now, number)
        session.add(SubscriberSector(subscriber_id=id_, sector=f"s{number % 3}"))
        session.add(SubscriberTag(subscriber_id=id_, tag=f"t{number % 5}"))
    session.commit()
    people = list(list_subscriber_details(session, parse_segment("all")))
    assert len(people) == 1100
    for number, person in enumerate(people):
        assert (person["sectors"], person["tags"]) == ([f"s{number % 3}"], [f"t{number % 5}"])


def test_all_details_of_a_subscriber_are_returned_as_json(session: Session, now: datetime) -> None:
    id_ = add(session, now, 7, name="Ann", country="MN")
    subscriber = session.exec(select(Subscriber)).one()
    until = date(2026, 6, 1)
    change_status(
        session,
        subscriber,
        Status.paused,
        event=ConsentEvent.paused,
        paused_until=until,
        method="page",
        now=now,
    )
    unsubscribe(
        session, id_, method="one-click", source="campaign 3", now=now + timedelta(days=1), evidence="POST"
    )
    session.commit()
    known = read_subscriber_details(session, " P7@EXAMPLE.org ")
    assert json.loads(json.dumps(known)) == known
    assert (known["id"], known["name"], known["status"], known["paused_until"]) == (
        id_,
        "Ann",
        "unsubscribed",
        None,
    )
    assert [(record["event"], record["method"], record["at"]) for record in known["consent"]] == [
        ("paused", "page", "2026-03-01T09:00:00Z"),
        ("unsubscribed", "one-click", "2026-03-02T09:00:00Z"),
    ]
    assert known["consent"][1]["evidence"] == "POST"


def test_an_unknown_address_and_an_invalid_one_raise_different_errors(session: Session) -> None:
    with pytest.raises(
        UnknownSubscriberError, match=r"There is no subscriber nobody@example\.org.*subscribers list"
    ):
        read_subscriber_details(session, "nobody@example.org")
    with pytest.raises(AddressError):
        find_subscriber(session, "nobody")
