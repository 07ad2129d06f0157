"""Taking an address off the suppression list: by a person, with a reason, and nobody gets mail by it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from subscribers.consent.opt_in import ask_to_join
from subscribers.consent.status_changes import GONE, erase, suppress
from subscribers.consent.suppression import SuppressionKey, is_suppressed, list_lifted
from subscribers.consent.unsuppression import Suppressed, look_at_suppression, unsuppress
from subscribers.errors import DetailError, SuppressionError
from subscribers.imports.suppressed_rows import Leaver, let_leave
from subscribers.models import ConsentRecord, Event, Status, Subscriber

KEY = SuppressionKey(b"s" * 32)


def add(session: Session, now: datetime, *, status: Status = Status.active) -> int:
    address = "ann@example.org"
    person = Subscriber(email=address, envelope=address, status=status, created_at=now, updated_at=now)
    session.add(person)
    session.flush()
    return person.id or 0


def status_of(session: Session, number: int) -> Status:
    return session.get_one(Subscriber, number, populate_existing=True).status


def events(session: Session) -> list[Event]:
    return list(session.exec(select(ConsentRecord.event).order_by(ConsentRecord.id)))


TAKEN_OFF = {"key": KEY, "by": "Bat", "why": " asked  by letter ", "method": "command line"}


@pytest.mark.parametrize("reason", [Event.suppressed, Event.bounced])
def test_an_address_taken_off_the_list_is_told_of_and_its_subscriber_stays_gone(
    session: Session, now: datetime, reason: Event
) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, reason=reason, method="command line", now=now)
    before = status_of(session, id_)
    later = now + timedelta(days=9)
    expected = Suppressed(email="ann@example.org", reason=reason, since=now, status=before)
    assert look_at_suppression(session, "Ann@example.org", key=KEY) == expected
    assert is_suppressed(session, KEY, "ann@example.org")
    assert unsuppress(session, "Ann@example.org", now=later, **TAKEN_OFF) == expected
    session.commit()
    assert not is_suppressed(session, KEY, "ann@example.org")
    assert status_of(session, id_) is before
    assert before in GONE
    assert events(session) == [reason, Event.unsuppressed]
    record_ = session.exec(select(ConsentRecord).where(ConsentRecord.event == Event.unsuppressed)).one()
    assert (record_.at, record_.method) == (later, "command line")
    assert record_.evidence == f"Bat: asked by letter (was {reason} since 2026-03-01)"


def test_an_address_on_no_list_is_taken_off_with_its_reason_kept(session: Session, now: datetime) -> None:
    suppress(session, "bob@example.org", key=KEY, method="command line", now=now)
    later = now + timedelta(days=9)
    assert unsuppress(session, "bob@example.org", now=later, **TAKEN_OFF).status is None
    assert not is_suppressed(session, KEY, "bob@example.org")
    (kept,) = list_lifted(session, KEY, "bob@example.org")
    assert (kept.reason, kept.since, kept.lifted_at) == (Event.suppressed, now, later)
    assert (kept.lifted_by, kept.why, kept.method) == ("Bat", "asked by letter", "command line")
    assert list_lifted(session, KEY, "ann@example.org") == []


@pytest.mark.parametrize(
    ("reason", "story"),
    [(Event.complained, "reported our mail as spam"), (Event.unsubscribed, "owner unsubscribed")],
)
def test_what_its_owner_wished_nobody_else_takes_off(
    session: Session, now: datetime, reason: Event, story: str
) -> None:
    let_leave(session, [Leaver("bob@example.org", reason)], key=KEY, now=now, source="old.csv")
    with pytest.raises(
        SuppressionError, match=rf"{story} on 2026-03-01.*only its owner can.*another address"
    ):
        unsuppress(session, "bob@example.org", now=now, **TAKEN_OFF)
    assert is_suppressed(session, KEY, "bob@example.org")
    assert list_lifted(session, KEY, "bob@example.org") == []


def test_whoever_reported_our_mail_is_told_to_come_back_by_their_link(
    session: Session, now: datetime
) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, reason=Event.complained, method="complaint", now=now)
    for act in (partial(unsuppress, now=now, **TAKEN_OFF), partial(look_at_suppression, key=KEY)):
        with pytest.raises(SuppressionError, match=r"only its owner .* the link in any newsletter"):
            act(session, "ann@example.org")
    assert status_of(session, id_) is Status.complained
    assert events(session) == [Event.complained]


def test_only_a_suppressed_address_is_taken_off_and_not_without_a_reason(
    session: Session, now: datetime
) -> None:
    add(session, now, status=Status.unsubscribed)
    with pytest.raises(SuppressionError, match=r"not suppressed.*subscribers show ann@example.org"):
        unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    for unsaid in ("why", "by"):
        with pytest.raises(DetailError, match="enter a few words"):
            unsuppress(session, "ann@example.org", now=now, **(TAKEN_OFF | {unsaid: " \n"}))
    assert is_suppressed(session, KEY, "ann@example.org")
    assert events(session) == [Event.suppressed]


def test_an_erased_address_comes_back_only_after_it_was_taken_off(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    erase(session, "ann@example.org", key=KEY, method="command line", now=now)
    assert [one.why for one in list_lifted(session, KEY, "ann@example.org")] == [""]
    found = unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    assert (found.reason, found.status) == (Event.erased, None)
    assert status_of(session, id_) is Status.erased
    assert ask_to_join(session, "ann@example.org", key=KEY, method="page", now=now).subscriber_id != id_


def test_of_all_who_take_an_address_off_one_does(engine: Engine, now: datetime) -> None:
    with Session(engine) as opened:
        suppress(opened, "bob@example.org", key=KEY, method="command line", now=now)
        opened.commit()

    def take_off(_: int) -> bool:
        with Session(engine) as opened:
            try:
                unsuppress(opened, "bob@example.org", now=now, **TAKEN_OFF)
            except SuppressionError:
                return False
            opened.commit()
            return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(take_off, range(4)))
    with Session(engine) as opened:
        assert len(list_lifted(opened, KEY, "bob@example.org")) == sum(done) == 1
