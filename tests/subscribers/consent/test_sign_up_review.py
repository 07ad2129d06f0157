"""Sign-ups that a person admits: they wait, are admitted once, declined, or withdrawn by whoever leaves."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from subscribers.consent.sign_ups import (
    admit_sign_up,
    count_waiting_sign_ups,
    decline_sign_up,
    hold_opt_in,
    is_sign_up_waiting,
    list_waiting_sign_ups,
    request_opt_in,
)
from subscribers.consent.status_changes import erase, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, SignUpReview, Status, Subscriber

KEY = SuppressionKey(b"s" * 32)


def sign_up(session: Session, now: datetime, address: str = "ann@example.org") -> int:
    asked = request_opt_in(session, address, key=KEY, method="page", now=now)
    assert asked is not None
    assert asked.id is not None
    return asked.id


def hold(session: Session, number: int, now: datetime) -> bool:
    return hold_opt_in(
        session,
        number,
        key=KEY,
        method="page",
        now=now,
        source="confirming mail",
        wording="Confirm",
        wording_version="2",
        language="mn",
        evidence="from 192.0.2.1",
    )


def admit(session: Session, number: int, now: datetime) -> bool:
    return admit_sign_up(session, number, key=KEY, by="Mei Lin", method="studio", now=now)


def events(session: Session, number: int) -> list[ConsentEvent]:
    theirs = select(ConsentRecord.event).where(ConsentRecord.subscriber_id == number)
    return list(session.exec(theirs.order_by(col(ConsentRecord.id))))


def test_only_admission_makes_who_confirmed_active_and_keeps_what_they_confirmed(
    session: Session, now: datetime
) -> None:
    number = sign_up(session, now)
    assert (hold(session, number, now), hold(session, number, now)) == (True, True)
    assert session.get_one(Subscriber, number).status is Status.pending
    assert count_waiting_sign_ups(session) == 1
    assert admit(session, number, now + timedelta(days=2))
    assert session.get_one(Subscriber, number).status is Status.active
    assert not admit(session, number, now)
    assert not hold(session, number, now)
    assert count_waiting_sign_ups(session) == 0
    assert events(session, number) == [
        ConsentEvent.requested,
        ConsentEvent.requested,
        ConsentEvent.subscribed,
    ]
    last = session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id).desc())).first()
    assert last is not None
    assert (last.wording, last.language, last.source) == ("Confirm", "mn", "confirming mail")
    assert last.evidence == "confirmed 2026-03-01 09:00 UTC; from 192.0.2.1; admitted by Mei Lin"


def test_who_is_declined_stays_as_they_were_and_can_confirm_anew(session: Session, now: datetime) -> None:
    number = sign_up(session, now)
    hold(session, number, now)
    assert decline_sign_up(session, number, now=now)
    assert not decline_sign_up(session, number, now=now)
    assert session.get_one(Subscriber, number).status is Status.pending
    assert (count_waiting_sign_ups(session), is_sign_up_waiting(session, number)) == (0, False)
    assert hold(session, number, now + timedelta(days=1))
    assert count_waiting_sign_ups(session) == 1


def test_a_person_who_had_left_stays_gone_until_they_are_admitted(session: Session, now: datetime) -> None:
    number = sign_up(session, now)
    unsubscribe(session, number, method="page", now=now)
    hold(session, number, now)
    (waiting,) = list_waiting_sign_ups(session, limit=5)
    assert waiting.status is Status.unsubscribed
    assert admit(session, number, now)
    assert session.get_one(Subscriber, number).status is Status.active


def test_whoever_leaves_while_they_wait_has_withdrawn(session: Session, now: datetime) -> None:
    number = sign_up(session, now)
    hold(session, number, now)
    for _ in range(2):
        unsubscribe(session, number, method="page", now=now)
        assert session.get(SignUpReview, number) is None
        with pytest.raises(StatusError, match="no sign-up"):
            admit(session, number, now)
        # The second time they had left already when they confirmed.
        hold(session, number, now)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    with pytest.raises(StatusError, match="blocked"):
        admit(session, number, now)


def test_an_erased_person_is_forgotten_here_too(session: Session, now: datetime) -> None:
    number = sign_up(session, now)
    hold(session, number, now)
    erase(session, "ann@example.org", key=KEY, method="page", now=now)
    assert session.get(SignUpReview, number) is None
    for act in (hold, admit):
        with pytest.raises(UnknownSubscriberError):
            act(session, number, now)


def test_the_list_is_paged_by_who_has_waited_longest(session: Session, now: datetime) -> None:
    numbers = [sign_up(session, now, f"p{one}@example.org") for one in range(5)]
    for place, number in enumerate(numbers):
        hold(session, number, now - timedelta(minutes=place // 2))
    seen: list[int] = []
    after = None
    while page := list_waiting_sign_ups(session, after=after, limit=2):
        seen += [one.subscriber_id for one in page]
        after = (page[-1].confirmed_at, page[-1].subscriber_id)
    assert seen == [numbers[4], numbers[2], numbers[3], numbers[0], numbers[1]]
