"""Which organisations have lost their last reader."""

from datetime import datetime, timedelta

from sqlmodel import Session

from subscribers.consent.status_changes import add_consent_record, unsubscribe
from subscribers.models import ConsentEvent, Status, Subscriber
from subscribers.organisations import list_lost_organisations


def add(
    session: Session, now: datetime, email: str, organisation: str, status: Status = Status.active
) -> int:
    person = Subscriber(
        email=email,
        envelope=email,
        organisation=organisation,
        country="MN",
        status=status,
        created_at=now,
        updated_at=now,
    )
    session.add(person)
    session.flush()
    add_consent_record(session, person, ConsentEvent.imported, method="import", now=now)
    return person.id or 0


def test_an_organisation_is_lost_with_its_last_reader(session: Session, now: datetime) -> None:
    first = add(session, now, "a@example.org", "Ministry of Culture")
    second = add(session, now, "b@example.org", "Ministry of  culture")
    add(session, now, "c@example.org", "Museum", Status.paused)
    add(session, now, "d@example.org", "Signed up only", Status.pending)
    add(session, now, "e@example.org", "")
    unsubscribe(session, first, method="page", now=now + timedelta(days=1))
    assert list_lost_organisations(session) == []
    unsubscribe(session, second, method="page", now=now + timedelta(days=2))
    (lost,) = list_lost_organisations(session)
    assert " ".join(lost.name.split()).casefold() == "ministry of culture"
    assert (lost.countries, lost.former_readers) == (("MN",), 2)
    assert lost.last_left_at == now + timedelta(days=2)
    assert list_lost_organisations(session, since=now + timedelta(days=3)) == []
    assert len(list_lost_organisations(session, since=now + timedelta(days=2))) == 1
