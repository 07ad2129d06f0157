"""Work in the background goes on whatever happens, and tells a trouble once."""

import logging
import threading

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from mailer.background import repeat_work
from mailer.errors import MailerError


def repeat(outcomes: list[Exception | None]) -> list[str]:
    """Let the work end as ``outcomes`` say, one after the other; return what was reported."""
    stop, told = threading.Event(), list[str]()
    left = iter(outcomes)

    def work() -> None:
        outcome = next(left, stop)
        if outcome is stop:
            stop.set()
        elif isinstance(outcome, Exception):
            raise outcome

    repeat_work(
        work,
        stop=stop,
        seconds=0,
        trouble="Mails wait",
        report=told.append,
        log=logging.getLogger("tests.poll_loop"),
    )
    return told


def test_a_trouble_is_told_once_while_it_lasts_and_again_when_it_comes_back() -> None:
    away, full = MailerError("the relay is away"), MailerError("the disk is full")
    assert repeat([away, away, full, None, full]) == [
        "Mails wait: the relay is away",
        "Mails wait: the disk is full",
        "Mails wait: the disk is full",
    ]


def test_a_trouble_of_the_database_is_told_without_the_values_of_a_statement() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE person (email TEXT PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO person VALUES ('mei@example.org')")
        with pytest.raises(IntegrityError) as twice:
            connection.execute(text("INSERT INTO person VALUES (:email)"), {"email": "mei@example.org"})
        with pytest.raises(OperationalError) as nowhere:
            connection.execute(text("INSERT INTO people VALUES (:email)"), {"email": "mei@example.org"})
    engine.dispose()
    assert repeat([twice.value, nowhere.value]) == [
        "Mails wait: IntegrityError",
        "Mails wait: no such table: people",
    ]


def test_a_fault_of_the_program_is_logged_and_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    assert repeat([ValueError("a fault"), MailerError("away")]) == ["Mails wait: away"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "a fault" in str(record.exc_info[1])
