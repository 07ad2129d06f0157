"""Lifting a suppression: by a person, with a reason, without making anyone active."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from subscribers.consent.sign_ups import request_opt_in
from subscribers.consent.status_changes import GONE_STATUSES, erase, suppress
from subscribers.consent.suppression import SuppressionKey, is_suppressed, list_lifted_suppressions
from subscribers.consent.team_changes import preview_unsuppress, unsuppress
from subscribers.errors import DetailError, SuppressionError
from subscribers.imports.chunk_reader import SuppressedRow
from subscribers.imports.importer import suppress_rows
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

KEY = SuppressionKey(b"s" * 32)


def add(session: Session, now: datetime, *, status: Status = Status.active) -> int:
    address = "ann@example.org"
    person = Subscriber(email=address, envelope=address, status=status, created_at=now, updated_at=now)
    session.add(person)
    session.flush()
    return person.id or 0


def status_of(session: Session, number: int) -> Status:
    return session.get_one(Subscriber, number, populate_existing=True).status


def events(session: Session) -> list[ConsentEvent]:
    return list(session.exec(select(ConsentRecord.event).order_by(ConsentRecord.id)))


TAKEN_OFF = {"key": KEY, "by": "Bat", "why": " asked  by letter ", "method": "command line"}


@pytest.mark.parametrize("reason", [ConsentEvent.suppressed, ConsentEvent.bounced])
def test_lifting_is_recorded_and_the_subscriber_stays_gone(
    session: Session, now: datetime, reason: ConsentEvent
) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, reason=reason, method="command line", now=now)
    before = status_of(session, id_)
    later = now + timedelta(days=9)
    suppression, subscriber = preview_unsuppress(session, "Ann@example.org", key=KEY)
    assert (suppression.reason, suppression.at) == (reason, now)
    assert subscriber is not None
    assert (subscriber.email, subscriber.status) == ("ann@example.org", before)
    assert is_suppressed(session, KEY, "ann@example.org")
    assert unsuppress(session, "Ann@example.org", now=later, **TAKEN_OFF) == (suppression, subscriber)
    session.commit()
    assert not is_suppressed(session, KEY, "ann@example.org")
    assert status_of(session, id_) is before
    assert before in GONE_STATUSES
    assert events(session) == [reason, ConsentEvent.unsuppressed]
    record_ = session.exec(
        select(ConsentRecord).where(ConsentRecord.event == ConsentEvent.unsuppressed)
    ).one()
    assert (record_.at, record_.method) == (later, "command line")
    assert record_.evidence == f"Bat: asked by letter (was {reason} since 2026-03-01)"


def test_the_reason_is_kept_for_an_address_without_a_subscriber(session: Session, now: datetime) -> None:
    suppress(session, "bob@example.org", key=KEY, method="command line", now=now)
    later = now + timedelta(days=9)
    assert unsuppress(session, "bob@example.org", now=later, **TAKEN_OFF)[1] is None
    assert not is_suppressed(session, KEY, "bob@example.org")
    (kept,) = list_lifted_suppressions(session, KEY, "bob@example.org")
    assert (kept.reason, kept.since, kept.lifted_at) == (ConsentEvent.suppressed, now, later)
    assert (kept.lifted_by, kept.why, kept.method) == ("Bat", "asked by letter", "command line")
    assert list_lifted_suppressions(session, KEY, "ann@example.org") == []


@pytest.mark.parametrize(
    ("reason", "story"),
    [
        (ConsentEvent.complained, "reported our mail as spam"),
        (ConsentEvent.unsubscribed, "owner unsubscribed"),
    ],
)
def test_only_the_owner_can_lift_what_they_asked_for(
    session: Session, now: datetime, reason: ConsentEvent, story: str
) -> None:
    suppress_rows(session, [SuppressedRow("bob@example.org", reason)], key=KEY, now=now, source="old.csv")
    with pytest.raises(
        SuppressionError, match=rf"{story} on 2026-03-01.*only its owner can.*another address"
    ):
        unsuppress(session, "bob@example.org", now=now, **TAKEN_OFF)
    assert is_suppressed(session, KEY, "bob@example.org")
    assert list_lifted_suppressions(session, KEY, "bob@example.org") == []


def test_the_error_after_a_complaint_points_to_the_link(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, reason=ConsentEvent.complained, method="complaint", now=now)
    for act in (partial(unsuppress, now=now, **TAKEN_OFF), partial(preview_unsuppress, key=KEY)):
        with pytest.raises(SuppressionError, match=r"only its owner .* the link in any newsletter"):
            act(session, "ann@example.org")
    assert status_of(session, id_) is Status.complained
    assert events(session) == [ConsentEvent.complained]


def test_lifting_needs_a_suppressed_address_and_a_reason(session: Session, now: datetime) -> None:
    add(session, now, status=Status.unsubscribed)
    with pytest.raises(SuppressionError, match=r"not suppressed.*subscribers show ann@example.org"):
        unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    for unsaid in ("why", "by"):
        with pytest.raises(DetailError, match="enter a few words"):
            unsuppress(session, "ann@example.org", now=now, **(TAKEN_OFF | {unsaid: " \n"}))
    assert is_suppressed(session, KEY, "ann@example.org")
    assert events(session) == [ConsentEvent.suppressed]


def test_an_erased_address_can_sign_up_only_after_lifting(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    erase(session, "ann@example.org", key=KEY, method="command line", now=now)
    assert [one.why for one in list_lifted_suppressions(session, KEY, "ann@example.org")] == [""]
    suppression, subscriber = unsuppress(session, "ann@example.org", now=now, **TAKEN_OFF)
    assert (suppression.reason, subscriber) == (ConsentEvent.erased, None)
    assert status_of(session, id_) is Status.erased
    asked = request_opt_in(session, "ann@example.org", key=KEY, method="page", now=now)
    assert asked is not None
    assert asked.id != id_


def test_of_concurrent_requests_to_lift_one_succeeds(engine: Engine, now: datetime) -> None:
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
        assert len(list_lifted_suppressions(opened, KEY, "bob@example.org")) == sum(done) == 1
