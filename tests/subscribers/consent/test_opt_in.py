"""Double opt-in, and changing the address."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mailer.database.engine import open_engine
from subscribers.consent.preferences import change_address
from subscribers.consent.sign_ups import confirm_opt_in, request_opt_in
from subscribers.consent.status_changes import erase, resubscribe, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey, add_suppression
from subscribers.errors import AddressError, StatusError, UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, MailedLink, Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.servers.postgres import has_lock_waiter
from tests.servers.process import wait_until

KEY = SuppressionKey(b"s" * 32)
SIGNER = TokenSigner(keys={1: b"k" * 32}, current=1)


def sign_up(session: Session, now: datetime, address: str = "ann@example.org") -> Subscriber | None:
    return request_opt_in(
        session, address, key=KEY, method="page", now=now, wording="Join", wording_version="1", language="mn"
    )


def confirm(session: Session, number: int | None, now: datetime) -> bool:
    assert number is not None
    return confirm_opt_in(session, number, key=KEY, method="page", now=now)


def join(session: Session, now: datetime, address: str = "ann@example.org") -> int:
    asked = sign_up(session, now, address)
    assert asked is not None
    confirm(session, asked.id, now)
    session.commit()
    assert asked.id is not None
    return asked.id


def events(session: Session) -> list[ConsentEvent]:
    return list(session.exec(select(ConsentRecord.event).order_by(col(ConsentRecord.id))))


def test_only_confirming_makes_a_subscriber_active(session: Session, now: datetime) -> None:
    asked = sign_up(session, now, " Ann@Example.org")
    assert asked is not None
    assert asked.status is Status.pending
    assert sign_up(session, now) is asked
    assert asked.status is Status.pending
    assert (confirm(session, asked.id, now), asked.status) == (True, Status.active)
    assert (confirm(session, asked.id, now), asked.status) == (False, Status.active)
    assert sign_up(session, now) is asked
    assert asked.status is Status.active
    assert events(session) == [ConsentEvent.requested, ConsentEvent.requested, ConsentEvent.subscribed]
    first = session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id))).first()
    assert first is not None
    assert (first.wording, first.wording_version, first.language) == ("Join", "1", "mn")


def test_an_unsubscribed_reader_stays_gone_until_they_confirm(session: Session, now: datetime) -> None:
    number = join(session, now)
    unsubscribe(session, number, method="one-click", now=now)
    asked = sign_up(session, now)
    assert asked is not None
    assert (asked.id, asked.status) == (number, Status.unsubscribed)
    assert confirm(session, number, now)
    assert session.get_one(Subscriber, number).status is Status.active


@pytest.mark.parametrize("reason", [ConsentEvent.suppressed, ConsentEvent.bounced, ConsentEvent.complained])
def test_signing_up_with_a_suppressed_address_has_no_effect(
    session: Session, now: datetime, reason: ConsentEvent
) -> None:
    suppress(session, "ann@example.org", key=KEY, reason=reason, method="command line", now=now)
    assert sign_up(session, now) is None
    assert session.exec(select(Subscriber)).all() == []


def test_signing_up_with_an_erased_address_has_no_effect(session: Session, now: datetime) -> None:
    number = join(session, now)
    erase(session, "ann@example.org", key=KEY, method="page", now=now)
    assert sign_up(session, now) is None
    with pytest.raises(UnknownSubscriberError):
        confirm(session, number, now)


def test_an_address_suppressed_after_sign_up_cannot_be_confirmed(session: Session, now: datetime) -> None:
    asked = sign_up(session, now)
    assert asked is not None
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    with pytest.raises(StatusError, match="can no longer receive mail"):
        confirm(session, asked.id, now)


def test_the_record_of_a_changed_address_contains_neither_address(session: Session, now: datetime) -> None:
    number = join(session, now)
    issue_link(session, SIGNER, LinkPurpose.export, subscriber_id=number, now=now)
    assert change_address(session, number, "Ann.Li@Exämple.org", key=KEY, method="page", now=now)
    session.commit()
    moved = session.exec(select(Subscriber)).one()
    assert (moved.email, moved.envelope, moved.status) == (
        "ann.li@exämple.org",
        "Ann.Li@xn--exmple-cua.org",
        Status.active,
    )
    assert session.exec(select(MailedLink)).all() == []
    kept = session.exec(select(ConsentRecord).where(ConsentRecord.event == ConsentEvent.updated)).one()
    assert kept.evidence == "address changed"
    assert not change_address(session, number, "ann.li@exämple.org", key=KEY, method="page", now=now)


def test_a_subscriber_cannot_move_to_a_taken_or_suppressed_address(session: Session, now: datetime) -> None:
    number = join(session, now)
    join(session, now, "bob@example.org")
    suppress(session, "eve@example.org", key=KEY, method="command line", now=now)
    for address in ("bob@example.org", "eve@example.org"):
        with pytest.raises(AddressError, match="already on the list or must not receive mail"):
            change_address(session, number, address, key=KEY, method="page", now=now)


def test_a_subscriber_who_is_gone_cannot_change_address(session: Session, now: datetime) -> None:
    number = join(session, now)
    suppress(session, "ann@example.org", key=KEY, reason=ConsentEvent.bounced, method="bounce", now=now)
    with pytest.raises(UnknownSubscriberError):
        change_address(session, number, "ann.li@example.org", key=KEY, method="page", now=now)


def test_erasing_deletes_links_including_those_of_others_to_that_address(
    session: Session, now: datetime
) -> None:
    join(session, now)
    other = join(session, now, "bob@example.org")
    token_for = {"signer": SIGNER, "purpose": LinkPurpose.new_address, "subscriber_id": other, "now": now}
    issue_link(session, **token_for, detail="ann@example.org")  # type: ignore[arg-type]
    erase(session, "ann@example.org", key=KEY, method="page", now=now)
    assert session.exec(select(MailedLink)).all() == []


@pytest.mark.parametrize("activate", [confirm_opt_in, resubscribe], ids=["confirming", "coming back"])
def test_confirming_and_suppressing_concurrently_do_not_deadlock(
    postgres_database: str, tmp_path: Path, now: datetime, activate: Callable[..., bool]
) -> None:
    engine = open_engine(postgres_database, root=tmp_path)
    with Session(engine) as session:
        asked = sign_up(session, now)
        assert asked is not None
        number = asked.id
        session.commit()

    def try_to_activate() -> None:
        with Session(engine) as session, pytest.raises(StatusError):
            activate(session, number, key=KEY, method="page", now=now)

    with Session(engine) as session, ThreadPoolExecutor(1) as pool:
        # Halfway through a suppression: it is on the list, and its subscriber has yet to be found.
        add_suppression(session, KEY, "ann@example.org", reason=ConsentEvent.suppressed, now=now)
        attempt = pool.submit(try_to_activate)
        wait_until(lambda: has_lock_waiter(engine), what="a transaction to wait")
        suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
        session.commit()
        attempt.result(20)
        assert session.get_one(Subscriber, number).status is not Status.active
    engine.dispose()
