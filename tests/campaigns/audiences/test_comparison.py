"""The difference between two audiences: who is new, who is gone, and why."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, update
from sqlmodel import Session, SQLModel, col

from mailer.campaigns.audience_comparison import (
    AudienceChangeKind,
    AudienceComparison,
    ComparisonError,
    compare_audiences,
)
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.segments.terms import Expression
from tests.subscribers.segments.oracle import (
    NOW,
    Person,
    add_campaigns,
    asks_status,
    fill,
    holds,
    people,
    spelt,
)

TODAY = NOW.date()


@pytest.fixture
def opened(engine: Engine) -> Iterator[Session]:
    with engine.begin() as connection:
        add_campaigns(connection)
    with Session(engine) as session:
        yield session


@pytest.fixture
def configured(workspace: Workspace) -> Settings:
    return workspace.settings


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(people, max_size=10),
    spelt(),
    spelt(),
    st.sampled_from(["segment", "campaign:1", "edition:2021-1"]),
)
def test_a_reader_in_only_one_of_two_audiences_is_named_once(
    opened: Session,
    configured: Settings,
    listed: list[Person],
    first: tuple[Expression, str],
    second: tuple[Expression, str],
    kind: str,
) -> None:
    numbered = fill(opened.connection(), listed)
    before = first[1] if kind == "segment" else kind
    comparison = compare_audiences(opened, configured, before, second[1], today=TODAY)
    difference = comparison.count(opened)
    moved = list(comparison.list_changes(opened))
    opened.rollback()

    def is_in(person: Person, asked: tuple[Expression, str]) -> bool:
        return holds(person, asked[0]) and (person.status is Status.active or asks_status(asked[0]))

    having = {("2021-1", DeliveryState.sent), ("2021-1", DeliveryState.in_doubt)}
    was = {
        id_
        for id_, person in numbered.items()
        if (is_in(person, first) if kind == "segment" else having & person.got)
    }
    now = {id_ for id_, person in numbered.items() if is_in(person, second)}
    named = {
        change: sorted(one.email for one in moved if one.change is change)
        for change in (AudienceChangeKind.new, AudienceChangeKind.gone)
    }
    assert named[AudienceChangeKind.new] == sorted(f"p{id_}@example.org" for id_ in now - was)
    assert named[AudienceChangeKind.gone] == sorted(f"p{id_}@example.org" for id_ in was - now)
    assert (difference.both, difference.before_count, difference.after_count) == (
        *(len(was & now), len(was)),
        len(now),
    )
    assert all(one.reason for one in moved)


class Desk:
    """Twelve partners in Mongolia who follow Education, a campaign that went to ten of them, and the days
    after.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        rows = [
            {
                **{"id": number, "email": f"p{number}@example.org", "envelope": f"p{number}@example.org"},
                **{"name": "", "organisation": "", "country": "MN", "language": "mn"},
                "status": Status.active,
                **{"created_at": NOW - timedelta(days=9), "updated_at": NOW},
            }
            for number in range(1, 13)
        ]
        connection.execute(insert(Subscriber), rows)
        follows = [{"subscriber_id": number, "sector": "education"} for number in range(1, 13)]
        connection.execute(insert(SubscriberSector), follows)
        segment = "country:MN sector:education -tag:press"
        connection.execute(update(Campaign).where(col(Campaign.id) == 1).values(segment=segment))
        for number in range(1, 11):
            self.deliver(1, number, DeliveryState.sent)

    def deliver(self, campaign: int, number: int, state: DeliveryState) -> None:
        row = {
            **{"campaign_id": campaign, "subscriber_id": number, "state": state, "updated_at": NOW},
            **{"attempts": 1, "deferrals": 0, "doubted": False, "reason": ""},
        }
        self.connection.execute(insert(Delivery), [row])

    def ended(self, number: int, state: DeliveryState) -> None:
        mine = (col(Delivery.subscriber_id) == number, col(Delivery.campaign_id) == 1)
        self.connection.execute(update(Delivery).where(*mine).values(state=state))

    def change(self, number: int, **values: object) -> None:
        self.connection.execute(update(Subscriber).where(col(Subscriber.id) == number).values(**values))

    def drop_sectors(self, number: int) -> None:
        table = SQLModel.metadata.tables["subscriber_sector"]
        self.connection.execute(table.delete().where(table.c.subscriber_id == number))

    def tag(self, number: int) -> None:
        self.connection.execute(insert(SubscriberTag), [{"subscriber_id": number, "tag": "press"}])


@pytest.fixture
def desk(opened: Session) -> Desk:
    return Desk(opened.connection())


def explain(comparison: AudienceComparison, opened: Session) -> dict[str, str]:
    return {f"{one.email.split('@')[0]} {one.change}": one.reason for one in comparison.list_changes(opened)}


def test_every_reader_gone_since_a_campaign_has_a_reason(
    opened: Session, configured: Settings, desk: Desk
) -> None:
    desk.change(1, status=Status.unsubscribed, country="JP")  # the first reason that fits
    desk.change(2, status=Status.bounced)
    desk.change(3, status=Status.paused, paused_until=TODAY + timedelta(days=1))
    desk.change(4, status=Status.paused, paused_until=TODAY)  # gets mail again
    desk.change(5, country="KR")
    desk.drop_sectors(6)
    desk.tag(7)
    desk.change(8, language="en")
    desk.change(9, status=Status.complained)
    after = "country:MN sector:education -tag:press language:mn"
    comparison = compare_audiences(opened, configured, "campaign:1", after, today=TODAY)
    assert explain(comparison, opened) == {
        "p1 gone": "unsubscribed",
        "p2 gone": "bounced: the address does not work",
        "p3 gone": "are paused",
        "p5 gone": "are no longer in Mongolia",
        "p6 gone": "no longer follow Education",
        "p7 gone": "are now tagged “press”",
        # The campaign had not asked for the language, so nobody knows what they read then.
        "p8 gone": "do not read Mongolian",
        "p9 gone": "complained",
        "p11 new": "returned, or changed their choices since",
        "p12 new": "returned, or changed their choices since",
    }
    difference = comparison.count(opened)
    assert (difference.before_count, difference.both, difference.after_count) == (10, 2, 4)
    assert difference.new == {"returned, or changed their choices since": 2}
    assert sum(difference.gone.values()) == 8


def test_every_reader_new_since_a_campaign_has_a_reason(
    opened: Session, configured: Settings, desk: Desk
) -> None:
    desk.change(11, created_at=NOW + timedelta(hours=1))
    desk.ended(1, DeliveryState.rejected)
    desk.ended(2, DeliveryState.failed)
    desk.ended(3, DeliveryState.suppressed)
    desk.ended(4, DeliveryState.queued)
    desk.tag(12)
    comparison = compare_audiences(opened, configured, "campaign:1", "sector:education", today=TODAY)
    assert explain(comparison, opened) == {
        "p1 new": "their mail server refused it",
        "p2 new": "their message failed",
        "p3 new": "left before their turn",
        "p4 new": "are still waiting for their turn",
        "p11 new": "joined since",
        "p12 new": "are tagged “press”",
    }


def test_two_campaigns_are_compared_by_who_got_them(
    opened: Session, configured: Settings, desk: Desk
) -> None:
    for number in (1, 2, 11):
        desk.deliver(2, number, DeliveryState.sent)
    desk.deliver(2, 3, DeliveryState.rejected)
    difference = compare_audiences(opened, configured, "edition:2021-1", "edition:2021-2", today=TODAY).count(
        opened
    )
    assert (difference.before_count, difference.both, difference.after_count) == (10, 2, 3)
    assert difference.gone["their mail server refused it"] == 1
    assert difference.before.in_words == "those who got 2021-1"


def test_two_segments_of_today_differ_in_what_they_ask(
    opened: Session, configured: Settings, desk: Desk
) -> None:
    desk.change(1, country="CN")
    desk.change(2, status=Status.unsubscribed)  # in neither: gets no mail
    comparison = compare_audiences(opened, configured, "country:MN", "country:CN", today=TODAY)
    assert set(explain(comparison, opened).values()) == {"are not in China", "are not in Mongolia"}
    assert comparison.count(opened).as_dict()["new"] == {
        "count": 1,
        "reasons": [{"reason": "are not in Mongolia", "count": 1}],
    }


def test_a_campaign_with_a_sector_that_no_longer_exists_is_still_compared(
    opened: Session, configured: Settings, desk: Desk
) -> None:
    desk.connection.execute(update(Campaign).values(segment="sector:gone"))
    desk.change(1, country="KR")
    found = explain(compare_audiences(opened, configured, "campaign:1", "country:MN", today=TODAY), opened)
    assert found["p1 gone"] == "are not in Mongolia"


@pytest.mark.parametrize(
    ("query", "error", "reason"),
    [
        ("campaign:9", ComparisonError, "No campaign 9 has been sent"),
        ("campaign:x'", ComparisonError, "No campaign x' has been sent"),
        ("edition:2021-3", ComparisonError, r"Did you mean 2021-[12]"),
        ("county:MN", SegmentError, "Did you mean country"),
    ],
)
def test_what_there_is_not_cannot_be_compared(
    opened: Session, configured: Settings, query: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        compare_audiences(opened, configured, query, "all", today=TODAY)
    with pytest.raises(error, match=reason):
        compare_audiences(opened, configured, "all", query, today=TODAY)
