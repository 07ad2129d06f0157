"""Reading and saving preferences."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from subscribers.consent.preferences import Preferences, read_preferences, save_preferences
from subscribers.consent.status_changes import unsubscribe
from subscribers.errors import DetailError, UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber, SubscriberSector

SECTORS = {"education": "Education", "sciences": "Natural Sciences", "culture": "Culture"}


@pytest.fixture
def ann(session: Session, now: datetime) -> int:
    subscriber = Subscriber(
        email="ann@example.org",
        envelope="ann@example.org",
        name="Ann Li",
        country="MN",
        language="mn",
        created_at=now,
        updated_at=now,
    )
    session.add(subscriber)
    session.flush()
    assert subscriber.id is not None
    session.add(SubscriberSector(subscriber_id=subscriber.id, sector="education"))
    session.commit()
    return subscriber.id


def list_records(session: Session) -> list[ConsentRecord]:
    return list(session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id))))


def get_status(session: Session, id_: int) -> Status:
    return session.exec(select(Subscriber).where(Subscriber.id == id_)).one().status


def test_saved_preferences_are_read_back(session: Session, now: datetime, ann: int) -> None:
    wanted = Preferences(
        name="  Анна  Ли ",
        country="CN",
        sectors=frozenset({"culture", "Sciences"}),
        language="zh_hans",
        paused_until=None,
    )
    changed = save_preferences(
        session, ann, wanted, sectors=SECTORS, method="page", now=now, wording_version="2", language="zh"
    )
    session.commit()
    assert changed == {"name", "country", "sectors", "language"}
    assert read_preferences(session, ann) == Preferences(
        name="Анна Ли",
        country="CN",
        sectors=frozenset({"culture", "sciences"}),
        language="zh-Hans",
        paused_until=None,
    )
    (kept,) = list_records(session)
    assert (kept.event, kept.method, kept.wording_version, kept.language) == (
        ConsentEvent.updated,
        "page",
        "2",
        "zh",
    )
    assert kept.evidence == "changed: country, language, name, sectors"


def test_saving_unchanged_preferences_records_nothing(session: Session, now: datetime, ann: int) -> None:
    assert save_preferences(session, ann, read_preferences(session, ann), method="page", now=now) == set()
    assert list_records(session) == []


def test_every_preference_can_be_cleared(session: Session, now: datetime, ann: int) -> None:
    nothing = Preferences(name="", country=None, sectors=frozenset(), language=None, paused_until=None)
    save_preferences(session, ann, nothing, sectors=SECTORS, method="page", now=now)
    session.commit()
    assert read_preferences(session, ann) == nothing


def test_a_pause_begins_and_ends_through_consent(session: Session, now: datetime, ann: int) -> None:
    before = read_preferences(session, ann)
    until = now.date() + timedelta(days=90)
    assert save_preferences(session, ann, replace(before, paused_until=until), method="page", now=now) == {
        "paused_until"
    }
    assert get_status(session, ann) is Status.paused
    assert read_preferences(session, ann).paused_until == until
    later = replace(before, paused_until=until + timedelta(days=1))
    save_preferences(session, ann, later, method="page", now=now)
    save_preferences(session, ann, before, method="page", now=now)
    assert get_status(session, ann) is Status.active
    assert [record.event for record in list_records(session)] == [
        ConsentEvent.paused,
        ConsentEvent.paused,
        ConsentEvent.resumed,
    ]


@pytest.mark.parametrize("days", [0, -1])
def test_a_pause_until_today_or_earlier_ends_the_pause(
    session: Session, now: datetime, ann: int, days: int
) -> None:
    until = now.date() + timedelta(days=days)
    wanted = replace(read_preferences(session, ann), paused_until=until)
    assert save_preferences(session, ann, wanted, method="page", now=now) == set()
    assert get_status(session, ann) is Status.active


def test_a_pause_that_is_over_ends_with_the_next_saving(session: Session, now: datetime, ann: int) -> None:
    soon = replace(read_preferences(session, ann), paused_until=now.date() + timedelta(days=2))
    save_preferences(session, ann, soon, method="page", now=now)
    save_preferences(session, ann, soon, method="page", now=now + timedelta(days=3))
    assert get_status(session, ann) is Status.active


def test_saving_preferences_does_not_reactivate_an_unsubscribed_reader(
    session: Session, now: datetime, ann: int
) -> None:
    unsubscribe(session, ann, method="one-click", source="", now=now)
    session.commit()
    wanted = replace(read_preferences(session, ann), sectors=frozenset({"culture"}))
    save_preferences(session, ann, wanted, sectors=SECTORS, method="page", now=now)
    session.commit()
    assert get_status(session, ann) is Status.unsubscribed
    with pytest.raises(DetailError, match="cannot pause"):
        save_preferences(session, ann, replace(wanted, paused_until=date(2099, 1, 1)), method="page", now=now)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "Ann\0", "control character"),
        ("name", "x" * 301, "the limit is 300"),
        ("country", "XX", "one of the countries offered"),
        ("country", "mn", "one of the countries offered"),
        ("sectors", frozenset({"gardening"}), '"gardening" is not a sector'),
        ("language", "Mongolian", "not a language code"),
    ],
)
def test_an_invalid_preference_is_named_and_nothing_is_saved(
    session: Session, now: datetime, ann: int, field: str, value: object, reason: str
) -> None:
    before = read_preferences(session, ann)
    with pytest.raises(DetailError, match=reason) as caught:
        save_preferences(
            session,
            ann,
            replace(before, paused_until=date(2099, 1, 1), **{field: value}),  # type: ignore[arg-type]
            sectors=SECTORS,
            method="page",
            now=now,
        )
    assert caught.value.field == field
    session.commit()
    assert read_preferences(session, ann) == before
    assert list_records(session) == []


@pytest.mark.parametrize("erased", [True, False])
def test_erased_and_unknown_subscribers_have_no_preferences(
    session: Session, now: datetime, erased: bool
) -> None:
    id_ = 999
    if erased:
        gone = Subscriber(email="x", envelope="x", status=Status.erased, created_at=now, updated_at=now)
        session.add(gone)
        session.flush()
        assert gone.id is not None
        id_ = gone.id
    with pytest.raises(UnknownSubscriberError):
        read_preferences(session, id_)
    nothing = Preferences(name="", country=None, sectors=frozenset(), language=None, paused_until=None)
    with pytest.raises(UnknownSubscriberError):
        save_preferences(session, id_, nothing, method="page", now=now)
