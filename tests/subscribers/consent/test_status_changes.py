"""Status changes and their consent records."""

import ast
import threading
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mailer.database.engine import open_engine
from subscribers.consent.status_changes import (
    GONE_STATUSES,
    add_consent_record,
    change_status,
    erase,
    resubscribe,
    suppress,
    unsubscribe,
)
from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.errors import AddressError, StatusError, UnknownSubscriberError
from subscribers.imports.importer import import_file
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
    Suppression,
)
from tests.paths import ROOT
from tests.servers.postgres import has_lock_waiter
from tests.servers.process import wait_until

KEY = SuppressionKey(b"s" * 32)


def add(
    session: Session, now: datetime, *, status: Status = Status.active, email: str = "ann@example.org"
) -> int:
    subscriber = Subscriber(
        email=email,
        envelope=email,
        name="Ann Li",
        organisation="Ministry of Education",
        country="MN",
        language="mn",
        status=status,
        paused_until=date(2026, 6, 1) if status is Status.paused else None,
        created_at=now,
        updated_at=now,
    )
    session.add(subscriber)
    session.flush()
    assert subscriber.id is not None
    session.add(SubscriberSector(subscriber_id=subscriber.id, sector="education"))
    session.add(SubscriberTag(subscriber_id=subscriber.id, tag="press"))
    session.commit()
    return subscriber.id


def get(session: Session, id_: int) -> Subscriber:
    subscriber = session.get(Subscriber, id_, populate_existing=True)
    assert subscriber is not None
    return subscriber


def events(session: Session, id_: int) -> list[ConsentEvent]:
    records = select(ConsentRecord).where(ConsentRecord.subscriber_id == id_).order_by(col(ConsentRecord.id))
    return [record.event for record in session.exec(records)]


def test_leaving_twice_changes_and_records_once(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    later = now + timedelta(hours=1)
    first = unsubscribe(
        session, id_, method="one-click", source="campaign 3", now=later, wording="Leave", wording_version="1"
    )
    session.commit()
    second = unsubscribe(session, id_, method="page", source="campaign 3", now=later + timedelta(hours=1))
    session.commit()
    assert (first, second) == (True, False)
    assert get(session, id_).status is Status.unsubscribed
    assert get(session, id_).updated_at == later
    kept = session.exec(select(ConsentRecord)).one()
    assert (kept.event, kept.method, kept.source, kept.at) == (
        ConsentEvent.unsubscribed,
        "one-click",
        "campaign 3",
        later,
    )
    assert (kept.wording, kept.wording_version) == ("Leave", "1")


def test_leaving_does_not_suppress_the_address(session: Session, now: datetime) -> None:
    unsubscribe(session, add(session, now), method="one-click", source="campaign 3", now=now)
    assert not is_suppressed(session, KEY, "ann@example.org")


@pytest.mark.parametrize("status", list(Status))
def test_unsubscribing_keeps_a_more_serious_status(session: Session, now: datetime, status: Status) -> None:
    id_ = add(session, now, status=status)
    change = unsubscribe(session, id_, method="one-click", source="campaign 3", now=now)
    stays = {Status.unsubscribed, Status.complained, Status.erased}
    assert change is (status not in stays)
    assert get(session, id_).status is (status if status in stays else Status.unsubscribed)
    assert get(session, id_).paused_until is None


def test_nothing_is_stored_unless_the_caller_commits(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    unsubscribe(session, id_, method="one-click", source="", now=now)
    suppress(session, "bob@example.org", key=KEY, method="command line", now=now)
    session.rollback()
    assert get(session, id_).status is Status.active
    assert events(session, id_) == []
    assert session.exec(select(Suppression)).all() == []


def test_an_unknown_subscriber_cannot_unsubscribe(session: Session, now: datetime) -> None:
    with pytest.raises(UnknownSubscriberError, match="There is no subscriber 999"):
        unsubscribe(session, 999, method="one-click", source="", now=now)


def may(session: Session, subscriber: Subscriber, status: Status, event: ConsentEvent, now: datetime) -> bool:
    """Whether the event may lead there; what it did is taken back."""
    savepoint = session.begin_nested()
    try:
        change_status(session, subscriber, status, event=event, method="test", now=now)
    except StatusError:
        return False
    finally:
        savepoint.rollback()
        session.refresh(subscriber)
    return True


def test_only_subscribers_themselves_can_come_back(session: Session, now: datetime) -> None:
    for status in Status:
        subscriber = get(session, add(session, now, status=status, email=f"{status}@example.org"))
        leads = {event for event in ConsentEvent if may(session, subscriber, Status.active, event, now)}
        expected = {ConsentEvent.subscribed} if status is not Status.erased else set()
        if status in {Status.active, Status.paused}:
            expected |= {ConsentEvent.reconfirmed}
        assert leads == expected | ({ConsentEvent.resumed} if status is Status.paused else set()), status


def test_the_erased_stay_erased(session: Session, now: datetime) -> None:
    subscriber = get(session, add(session, now, status=Status.erased))
    assert not [
        (event, status)
        for event in ConsentEvent
        for status in Status
        if may(session, subscriber, status, event, now)
    ]


def test_importing_and_updating_do_not_change_a_status(session: Session, now: datetime) -> None:
    subscriber = get(session, add(session, now))
    for event in (ConsentEvent.imported, ConsentEvent.updated):
        assert not any(may(session, subscriber, status, event, now) for status in Status)


def test_a_pause_has_a_date_that_is_cleared_at_its_end(session: Session, now: datetime) -> None:
    subscriber = get(session, add(session, now))
    until = date(2026, 9, 1)
    change_status(
        session,
        subscriber,
        Status.paused,
        event=ConsentEvent.paused,
        paused_until=until,
        method="page",
        now=now,
    )
    assert (subscriber.status, subscriber.paused_until) == (Status.paused, until)
    change_status(session, subscriber, Status.active, event=ConsentEvent.resumed, method="page", now=now)
    assert (subscriber.status, subscriber.paused_until) == (Status.active, None)
    assert events(session, subscriber.id or 0) == [ConsentEvent.paused, ConsentEvent.resumed]


def test_a_change_sees_what_another_session_committed_meanwhile(engine: Engine, now: datetime) -> None:
    with Session(engine, expire_on_commit=False) as one:
        id_ = add(one, now)
        subscriber = get(one, id_)
        one.commit()
        with Session(engine) as two:
            unsubscribe(two, id_, method="one-click", source="", now=now)
            two.commit()
        with pytest.raises(StatusError, match="is unsubscribed"):
            change_status(
                one,
                subscriber,
                Status.paused,
                event=ConsentEvent.paused,
                paused_until=date(2026, 9, 1),
                method="page",
                now=now,
            )


def test_ten_concurrent_requests_leave_one_record(engine: Engine, now: datetime) -> None:
    with Session(engine) as session:
        id_ = add(session, now)
    changes: list[bool] = []
    start = threading.Barrier(10)

    def leave() -> None:
        start.wait()
        with Session(engine) as session:
            changes.append(unsubscribe(session, id_, method="one-click", source="", now=now))
            session.commit()

    threads = [threading.Thread(target=leave) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changes) == [False] * 9 + [True]
    with Session(engine) as session:
        assert events(session, id_) == [ConsentEvent.unsubscribed]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (ConsentEvent.suppressed, Status.unsubscribed),
        (ConsentEvent.bounced, Status.bounced),
        (ConsentEvent.complained, Status.complained),
    ],
)
def test_suppressing_changes_the_status_and_records_the_address(
    session: Session, now: datetime, reason: ConsentEvent, status: Status
) -> None:
    id_ = add(session, now)
    change = suppress(session, " ANN@Example.org", key=KEY, reason=reason, method="command line", now=now)
    assert change is True
    assert get(session, id_).status is status
    assert is_suppressed(session, KEY, "ann@example.org")
    assert events(session, id_) == [reason]
    again = suppress(session, "ann@example.org", key=KEY, reason=reason, method="command line", now=now)
    assert again is False
    assert get(session, id_).status is status
    assert events(session, id_) == [reason]


def test_an_address_without_a_subscriber_can_be_suppressed(session: Session, now: datetime) -> None:
    assert suppress(session, "bob@example.org", key=KEY, method="command line", now=now)
    assert not suppress(session, "bob@example.org", key=KEY, method="command line", now=now)
    with pytest.raises(AddressError):
        suppress(session, "bob", key=KEY, method="command line", now=now)
    with pytest.raises(ValueError, match="cannot be suppressed with the reason resumed"):
        suppress(session, "bob@example.org", key=KEY, reason=ConsentEvent.resumed, method="x", now=now)


def test_suppressing_a_subscriber_who_is_gone_keeps_their_status(session: Session, now: datetime) -> None:
    id_ = add(session, now, status=Status.complained)
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    assert get(session, id_).status is Status.complained
    assert events(session, id_) == [ConsentEvent.suppressed]


def test_erasing_leaves_no_personal_data_and_keeps_the_address_out(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    add_consent_record(
        session,
        get(session, id_),
        ConsentEvent.imported,
        method="import",
        now=now,
        source="ann.csv",
        wording="Dear Ann",
        language="mn",
        evidence="from ann@example.org",
    )
    erase(session, "Ann@example.org", key=KEY, method="command line", now=now)
    session.commit()
    erased = get(session, id_)
    assert erased.status is Status.erased
    assert erased.email == erased.envelope == f"erased-{id_}@erased.invalid"
    assert (erased.name, erased.organisation, erased.country, erased.language) == ("", "", None, None)
    assert list(session.exec(select(SubscriberSector))) == []
    assert list(session.exec(select(SubscriberTag))) == []
    assert events(session, id_) == [ConsentEvent.imported, ConsentEvent.erased]
    kept = " ".join(str(row.model_dump()) for row in session.exec(select(ConsentRecord))).casefold()
    assert "ann" not in kept.replace("command line", "")
    assert is_suppressed(session, KEY, "ann@example.org")
    with pytest.raises(UnknownSubscriberError, match=r"There is no subscriber ann@example\.org"):
        erase(session, "ann@example.org", key=KEY, method="command line", now=now)


def test_an_erased_address_cannot_be_found_in_the_database_file(
    sqlite_engine: Engine, tmp_path: Path, now: datetime
) -> None:
    with Session(sqlite_engine) as session:
        add(session, now, email="very.secret@example.org")
        erase(session, "very.secret@example.org", key=KEY, method="command line", now=now)
        session.commit()
    sqlite_engine.dispose()  # the last connection folds the write-ahead log in and removes it
    for path in tmp_path.glob("mailer.db*"):
        assert b"very.secret" not in path.read_bytes()
        assert b"Ministry of Education" not in path.read_bytes()


def test_an_unsubscribed_reader_can_come_back(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    unsubscribe(session, id_, method="one-click", source="", now=now)
    assert resubscribe(session, id_, key=KEY, method="page", source="", now=now)
    assert get(session, id_).status is Status.active
    assert not resubscribe(session, id_, key=KEY, method="page", source="", now=now)
    assert events(session, id_) == [ConsentEvent.unsubscribed, ConsentEvent.subscribed]


def test_resubscribing_lifts_a_bounce_but_not_a_decision_of_the_team(session: Session, now: datetime) -> None:
    bounced = add(session, now, email="b@example.org")
    suppress(session, "b@example.org", key=KEY, reason=ConsentEvent.bounced, method="bounce", now=now)
    resubscribe(session, bounced, key=KEY, method="page", source="", now=now)
    assert get(session, bounced).status is Status.active
    assert not is_suppressed(session, KEY, "b@example.org")

    banned = add(session, now, email="c@example.org")
    suppress(session, "c@example.org", key=KEY, method="command line", now=now)
    with pytest.raises(StatusError, match="The team removed this address from the list"):
        resubscribe(session, banned, key=KEY, method="page", source="", now=now)
    erased = add(session, now, email="d@example.org")
    erase(session, "d@example.org", key=KEY, method="command line", now=now)
    with pytest.raises(UnknownSubscriberError):
        resubscribe(session, erased, key=KEY, method="page", source="", now=now)


def test_external_evidence_is_stored_in_a_form_both_databases_accept(session: Session, now: datetime) -> None:
    id_ = add(session, now)
    unsubscribe(
        session,
        id_,
        method="m" * 100,
        source="s" * 400,
        now=now,
        language="l" * 50,
        wording_version="w" * 50,
        evidence="agent\0\ud800\x1b[31m\nline two",
    )
    session.commit()
    kept = session.exec(select(ConsentRecord)).one()
    assert kept.evidence == "agent   [31m\nline two"
    assert [len(kept.method), len(kept.source), len(kept.language), len(kept.wording_version)] == [
        64,
        300,
        35,
        32,
    ]


def keep_one_record(session: Session, now: datetime) -> int:
    id_ = add(session, now)
    subscriber = get(session, id_)
    add_consent_record(
        session, subscriber, ConsentEvent.imported, method="import", now=now, source="a.csv", basis="partners"
    )
    session.commit()
    return id_


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_record SET at = '2020-01-01 00:00:00+00:00'",
        "UPDATE consent_record SET basis = 'written consent'",
        "UPDATE consent_record SET source = '', wording = '', language = '', evidence = '', basis = ''",
        "DELETE FROM consent_record",
    ],
)
def test_the_database_refuses_to_change_or_delete_a_record(
    session: Session, now: datetime, statement: str
) -> None:
    keep_one_record(session, now)
    with pytest.raises(IntegrityError, match="only ever added to"):
        session.execute(text(statement))
    session.rollback()
    assert session.exec(select(ConsentRecord)).one().basis == "partners"


def test_a_record_of_an_erased_subscriber_can_only_be_emptied(session: Session, now: datetime) -> None:
    keep_one_record(session, now)
    erase(session, "ann@example.org", key=KEY, method="command line", now=now)
    session.commit()
    kept = session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id))).all()
    assert [(one.event, one.source, one.basis) for one in kept] == [
        (ConsentEvent.imported, "", ""),
        (ConsentEvent.erased, "", ""),
    ]
    with pytest.raises(IntegrityError, match="only ever added to"):
        session.execute(text("UPDATE consent_record SET event = 'subscribed'"))
    session.rollback()
    with pytest.raises(IntegrityError, match="only ever added to"):
        session.execute(text("UPDATE consent_record SET source = 'a.csv'"))


def test_a_record_is_deleted_with_its_subscriber(session: Session, now: datetime) -> None:
    id_ = keep_one_record(session, now)
    session.delete(get(session, id_))
    session.commit()
    assert session.exec(select(ConsentRecord)).all() == []


def test_records_cannot_be_truncated(postgres_database: str, tmp_path: Path, now: datetime) -> None:
    engine = open_engine(postgres_database, root=tmp_path)
    with Session(engine) as session:
        keep_one_record(session, now)
        with pytest.raises(IntegrityError, match="only ever added to"):
            session.execute(text("TRUNCATE consent_record"))
    engine.dispose()


def test_an_import_cannot_add_an_address_while_it_is_being_suppressed(
    postgres_database: str, tmp_path: Path, now: datetime
) -> None:
    # The import has stored the address and not committed yet: the suppression must wait, then find it.
    engine = open_engine(postgres_database, root=tmp_path)
    stored = threading.Event()
    path = tmp_path / "people.csv"
    path.write_text("email\nann@example.org\n", encoding="utf-8")

    def bring_in() -> None:
        with Session(engine) as session:
            import_file(session, path, sectors=(), key=KEY, now=now)
            stored.set()
            wait_until(lambda: has_lock_waiter(engine), what="a suppression that waits")
            session.commit()

    importer = threading.Thread(target=bring_in)
    importer.start()
    stored.wait()
    with Session(engine) as session:
        change = suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
        session.commit()
        assert session.exec(select(Subscriber.status)).one() is Status.unsubscribed
    importer.join()
    assert change is True
    engine.dispose()


def test_the_suppression_list_contains_no_address(session: Session, now: datetime) -> None:
    suppress(session, "ann@example.org", key=KEY, method="command line", now=now)
    kept = session.exec(select(Suppression)).one()
    assert len(kept.digest) == 64
    assert "ann" not in str(kept.model_dump())
    assert kept.digest == KEY.digest("ann@example.org") != SuppressionKey(b"x" * 32).digest("ann@example.org")
    assert not is_suppressed(session, SuppressionKey(b"x" * 32), "ann@example.org")


def test_a_weak_suppression_key_is_refused_and_a_good_one_is_not_printed() -> None:
    with pytest.raises(ValueError, match="shorter than 16 bytes"):
        SuppressionKey(b"short")
    assert "sss" not in repr(KEY)


def list_status_writers(source: str) -> list[str]:
    """Statements that set a subscriber's status."""
    writers = []
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        writers += [ast.unparse(node) for target in targets if ast.unparse(target).endswith(".status")]
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".values"):
            if "FeedbackEvent" in ast.unparse(node.func):
                continue  # the status code of a mail server (RFC 3463)
            writers += [ast.unparse(node) for keyword in node.keywords if keyword.arg == "status"]
    return writers


def test_no_other_module_writes_a_status() -> None:
    found = {
        str(path.relative_to(ROOT)): writers
        for package in ("subscribers", "mailer")
        for path in (ROOT / package).rglob("*.py")
        if (writers := list_status_writers(path.read_text(encoding="utf-8")))
    }
    assert list(found) == ["subscribers/consent/status_changes.py"]
    planted = "subscriber.status = 1\nupdate(Subscriber).values(status=1)"
    assert len(list_status_writers(planted)) == 2


def test_gone_statuses_are_all_that_must_not_get_mail() -> None:
    assert set(Status) - GONE_STATUSES == {Status.pending, Status.active, Status.paused}
