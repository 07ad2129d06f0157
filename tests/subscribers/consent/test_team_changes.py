"""What the team changes of one person, by the functions an import uses, with a record, on both databases."""

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from subscribers.consent.status_changes import erase, suppress
from subscribers.consent.suppression import SuppressionKey
from subscribers.consent.team_changes import (
    DetailChanges,
    add_subscriber,
    edit_subscriber,
    pause_subscriber,
    unsubscribe_address,
)
from subscribers.errors import (
    AddressError,
    DetailError,
    OnListError,
    StatusError,
    SubscriberError,
    SuppressionError,
    UnknownSubscriberError,
)
from subscribers.models import ConsentEvent, ConsentRecord, Status
from subscribers.queries import find_subscriber, read_subscriber_details

KEY = SuppressionKey(b"k" * 32)
SECTORS = ("education", "culture")
MEI = "mei@example.org"
FULL = DetailChanges(
    name=" Mei  Lin ", organisation="Office", country="Mongolia", language="zh-hans",
    sectors=["Education"], tags=["Press", ""],
)  # fmt: skip


def add(session: Session, now: datetime, address: str = MEI, changes: DetailChanges = FULL) -> None:
    context = {"method": "command line", "source": "by Bat", "basis": "asked by letter"}
    add_subscriber(session, address, changes, sectors=SECTORS, key=KEY, now=now, **context)  # type: ignore[misc]


def edit(session: Session, now: datetime, **changes: object) -> frozenset[str]:
    details = DetailChanges(**changes)  # type: ignore[arg-type]
    context = {"method": "command line", "source": "by Bat", "evidence": "a call"}
    return edit_subscriber(session, MEI, details, sectors=SECTORS, now=now, **context)  # type: ignore[misc]


def list_records(session: Session) -> list[ConsentRecord]:
    return list(session.exec(select(ConsentRecord).order_by(ConsentRecord.id)))  # type: ignore[arg-type]


def test_a_person_who_is_added_is_active_with_clean_details_and_the_basis_on_record(
    session: Session, now: datetime
) -> None:
    add(session, now, " Mei@Example.ORG ")
    found = read_subscriber_details(session, MEI)
    assert (found["email"], found["envelope"], found["status"]) == (MEI, "Mei@example.org", "active")
    assert (found["name"], found["country"], found["language"]) == ("Mei Lin", "MN", "zh-Hans")
    assert (found["sectors"], found["tags"]) == (["education"], ["press"])
    (record,) = found["consent"]
    assert (record["event"], record["method"], record["source"]) == ("imported", "command line", "by Bat")
    assert record["basis"] == "asked by letter"


@pytest.mark.parametrize(
    ("address", "changes", "error"),
    [
        ("mei", FULL, AddressError),
        (MEI, DetailChanges(country="Mongoria"), DetailError),
        (MEI, DetailChanges(sectors=["sport"]), DetailError),
        (MEI, DetailChanges(tags=["=1+1"]), DetailError),
        (MEI, DetailChanges(name="a\u202eb"), DetailError),
        (MEI, DetailChanges(language="klingonish"), DetailError),
    ],
)
def test_what_an_import_refuses_is_refused_here_too(
    session: Session, now: datetime, address: str, changes: DetailChanges, error: type[SubscriberError]
) -> None:
    with pytest.raises(error):
        add(session, now, address, changes)
    with pytest.raises(UnknownSubscriberError):
        read_subscriber_details(session, MEI)


def test_an_address_that_is_on_the_list_or_left_it_is_refused_with_what_to_do(
    session: Session, now: datetime
) -> None:
    add(session, now)
    with pytest.raises(OnListError, match=f"already, as active. .*mailer subscribers edit {MEI}"):
        add(session, now, "MEI@example.org")
    unsubscribe_address(session, MEI, method="command line", now=now)
    with pytest.raises(OnListError, match=r"as unsubscribed\. Only they can come back"):
        add(session, now)
    assert read_subscriber_details(session, MEI)["status"] == "unsubscribed"


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (ConsentEvent.suppressed, f"mailer subscribers unsuppress {MEI}"),
        (ConsentEvent.bounced, f"mailer subscribers unsuppress {MEI}"),
        (ConsentEvent.complained, "Only they can come back"),
    ],
)
def test_a_suppressed_address_is_refused_with_what_to_do(
    session: Session, now: datetime, reason: ConsentEvent, advice: str
) -> None:
    suppress(session, MEI, key=KEY, reason=reason, method="import", now=now)
    with pytest.raises(SuppressionError, match=advice):
        add(session, now)


def test_an_erased_person_is_neither_added_nor_changed(session: Session, now: datetime) -> None:
    add(session, now)
    erase(session, MEI, key=KEY, method="command line", now=now)
    with pytest.raises(SuppressionError, match="asked to be erased"):
        add(session, now)
    with pytest.raises(UnknownSubscriberError):
        edit(session, now, name="Mei")


def test_what_is_changed_is_recorded_once_and_the_rest_stays(session: Session, now: datetime) -> None:
    add(session, now)
    assert edit(session, now, country="", organisation="Ministry", sectors=["culture", "education"]) == {
        "country",
        "organisation",
        "sectors",
    }
    found = read_subscriber_details(session, MEI)
    assert (found["name"], found["country"], found["organisation"]) == ("Mei Lin", None, "Ministry")
    assert found["sectors"] == ["culture", "education"]
    record = list_records(session)[-1]
    assert (record.event, record.evidence) == (
        ConsentEvent.updated,
        "a call\nchanged: country, organisation, sectors",
    )
    assert edit(session, now, name="Mei Lin", sectors=["education", "culture"]) == frozenset()
    assert len(list_records(session)) == 2


def test_tags_are_added_and_removed_one_by_one(session: Session, now: datetime) -> None:
    add(session, now)
    assert edit(session, now, add_tags=["Board", "vip"], remove_tags=["PRESS", "none"]) == {"tags"}
    assert read_subscriber_details(session, MEI)["tags"] == ["board", "vip"]
    assert edit(session, now, add_tags=["vip"]) == frozenset()


def test_a_pause_has_an_end_and_is_only_for_those_who_get_mail(session: Session, now: datetime) -> None:
    add(session, now)
    until = now.date() + timedelta(days=30)
    context = {"method": "command line", "now": now}
    assert pause_subscriber(session, MEI, until, **context)  # type: ignore[arg-type]
    assert not pause_subscriber(session, MEI, until, **context)  # type: ignore[arg-type]
    assert read_subscriber_details(session, MEI)["paused_until"] == until.isoformat()
    assert pause_subscriber(session, MEI, None, **context)  # type: ignore[arg-type]
    assert find_subscriber(session, MEI).status is Status.active
    assert not pause_subscriber(session, MEI, None, **context)  # type: ignore[arg-type]
    with pytest.raises(DetailError, match="not in the future"):
        pause_subscriber(session, MEI, date(2020, 1, 1), **context)  # type: ignore[arg-type]
    unsubscribe_address(session, MEI, **context)  # type: ignore[arg-type]
    with pytest.raises(StatusError, match="is unsubscribed"):
        pause_subscriber(session, MEI, until, **context)  # type: ignore[arg-type]
    events = [record.event.value for record in list_records(session)]
    assert events == ["imported", "paused", "resumed", "unsubscribed"]
