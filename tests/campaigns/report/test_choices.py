"""What readers changed through a campaign, as the consent records tell, on both databases."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import Session

from mailer.campaigns.report.clicks import ChangedChoices, read_choices
from mailer.database.models import Campaign
from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, Subscriber
from tests.factories.deliveries import START, add_campaign


def record(engine: Engine, people: range, event: ConsentEvent, evidence: str = "", **other: Any) -> None:
    """Record an event of each of ``people`` a minute after the launch of campaign 1."""
    context: Any = {"method": "page", "source": "campaign 1", "now": START + timedelta(minutes=1), **other}
    with Session(engine) as session:
        session.connection().execute(update(Campaign).values(launched_at=START))
        for number in people:
            person = session.get_one(Subscriber, number)
            add_consent_record(session, person, event, evidence=evidence, **context)
        session.commit()


def read(engine: Engine) -> ChangedChoices:
    with engine.connect() as connection:
        return read_choices(connection, 1)


def test_readers_are_counted_once_by_each_choice_they_changed(engine: Engine) -> None:
    add_campaign(engine, 20)
    record(engine, range(1, 13), ConsentEvent.updated, "changed: sectors")
    record(engine, range(1, 8), ConsentEvent.updated, "203.0.113.7\nchanged: language, sectors")
    record(engine, range(13, 18), ConsentEvent.paused)
    found = read(engine)
    assert found.people == 17
    assert found.by_choice == {"sectors": 12, "language": 7, "paused": 5}


def test_a_choice_of_a_few_is_hidden(engine: Engine) -> None:
    add_campaign(engine, 20)
    record(engine, range(1, 11), ConsentEvent.updated, "changed: sectors")
    record(engine, range(1, 4), ConsentEvent.updated, "changed: name")
    assert read(engine).by_choice == {"sectors": 10, "name": None}


def test_what_came_from_elsewhere_or_before_the_launch_does_not_count(engine: Engine) -> None:
    add_campaign(engine, 20)
    record(engine, range(1, 7), ConsentEvent.updated, "changed: sectors", source="campaign 2")
    record(engine, range(1, 7), ConsentEvent.updated, "changed: sectors", now=START - timedelta(days=1))
    assert read(engine) == ChangedChoices(people=0)


def test_the_reasons_of_those_who_left_are_counted_by_their_last_answer(engine: Engine) -> None:
    add_campaign(engine, 20)
    record(engine, range(1, 13), ConsentEvent.updated, "reason for leaving: other")
    record(engine, range(1, 7), ConsentEvent.updated, "reason for leaving: too_many")
    found = read(engine)
    assert (found.people, found.leaving_reasons) == (0, {"other": 6, "too_many": 6})
