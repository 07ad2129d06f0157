"""Writing clicks down: all of them, quickly, and without a word about who it was."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, text, update
from sqlmodel import Session, col

from mailer.database.report_models import ClickKey
from mailer.feedback.clicks.click_recorder import ClickRecorder, VisitorHasher, write_clicks
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Status, Subscriber
from tests.factories.clicks import AT, make_request, read_clicks
from tests.factories.deliveries import add_campaign, set_status

KEY = SuppressionKey(b"k" * 32)


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A campaign with the readers 1 and 2."""
    return add_campaign(engine, 2)


def set_consent(engine: Engine, subscriber_id: int, consent: bool = True) -> None:
    with engine.begin() as connection:
        theirs = col(Subscriber.id) == subscriber_id
        connection.execute(update(Subscriber).where(theirs).values(click_consent=consent))


def write(engine: Engine, *requests: Any) -> None:
    write_clicks(engine, VisitorHasher(engine, KEY), requests)


def test_a_click_is_written_with_what_was_signed_and_the_time(engine: Engine, campaign: int) -> None:
    with ClickRecorder(engine, KEY) as recorder:
        assert recorder.record(make_request(campaign, 3, sectors=("sciences", "culture")))
        assert recorder.flush(30)
    [click] = read_clicks(engine)
    assert (click.campaign_id, click.link_number, click.country) == (campaign, 3, "FR")
    assert (click.sectors, click.clicked_at, click.clicker) == ("culture,sciences", AT, None)


def test_what_waits_at_the_end_is_still_written(engine: Engine, campaign: int) -> None:
    with ClickRecorder(engine, KEY) as recorder:
        for number in range(1200):
            recorder.record(make_request(campaign, number))
    assert [click.link_number for click in read_clicks(engine)] == list(range(1200))
    assert recorder.dropped == 0


def test_one_visitor_has_one_hash_and_every_other_another(engine: Engine, campaign: int) -> None:
    write(
        engine,
        make_request(campaign),
        make_request(campaign, 2, at=AT + timedelta(hours=14)),
        make_request(campaign, address="192.0.2.8"),
        make_request(campaign, user_agent="another program"),
        # The same characters, cut elsewhere.
        make_request(campaign, address="192.0.2.7a", user_agent=make_request().user_agent[1:]),
    )
    first, again, *others = [click.visitor for click in read_clicks(engine)]
    assert first == again
    assert len({first, *others}) == 4


def test_two_processes_make_the_same_hash(engine: Engine) -> None:
    hashes = {VisitorHasher(engine, KEY).hash_visitor("192.0.2.7", "agent", at=AT) for _ in range(2)}
    assert len(hashes) == 1


def test_another_day_is_another_visitor(engine: Engine) -> None:
    visitors = VisitorHasher(engine, KEY)
    days = {visitors.hash_visitor("192.0.2.7", "agent", at=AT + timedelta(days=day)) for day in range(3)}
    assert len(days) == 3


def test_a_hash_needs_both_the_key_of_the_day_and_the_workspace_s_own(engine: Engine) -> None:
    before = VisitorHasher(engine, KEY).hash_visitor("192.0.2.7", "agent", at=AT)
    other = VisitorHasher(engine, SuppressionKey(b"o" * 32)).hash_visitor("192.0.2.7", "agent", at=AT)
    with engine.begin() as connection:
        connection.execute(delete(ClickKey))
    after = VisitorHasher(engine, KEY).hash_visitor("192.0.2.7", "agent", at=AT)
    assert len({before, other, after}) == 3


def test_neither_the_address_nor_the_program_is_stored(engine: Engine, campaign: int) -> None:
    write(engine, make_request(campaign, address="198.51.100.77", user_agent="Unmistakable/9.9"))
    with engine.connect() as connection:
        rows = [
            str(row)
            for name in ("click", "click_key")
            for row in connection.execute(
                text(f"TABLE {name}" if engine.dialect.name != "sqlite" else f"SELECT * FROM {name}")
            )
        ]
    assert len(rows) == 2
    assert not any("198.51" in row or "Unmistakable" in row for row in rows)


def test_a_reader_who_agreed_is_named_and_nobody_else(engine: Engine, campaign: int) -> None:
    set_consent(engine, 1)
    write(engine, make_request(campaign, subscriber_id=1), make_request(campaign, subscriber_id=2))
    assert [click.subscriber_id for click in read_clicks(engine)] == [1, None]


@pytest.mark.parametrize("status", [Status.unsubscribed, Status.erased, Status.complained, Status.bounced])
def test_a_reader_who_has_left_since_is_counted_without_their_name(
    engine: Engine, campaign: int, status: Status
) -> None:
    set_consent(engine, 1)
    with Session(engine) as session:
        reader = session.get(Subscriber, 1)
        assert reader is not None
        address = reader.email
    set_status(engine, address, status)
    write(engine, make_request(campaign, subscriber_id=1))
    [click] = read_clicks(engine)
    assert click.subscriber_id is None


def test_a_reader_who_is_not_there_any_more_is_counted_without_a_name(engine: Engine, campaign: int) -> None:
    write(engine, make_request(campaign, subscriber_id=987_654))
    assert [click.subscriber_id for click in read_clicks(engine)] == [None]


def test_a_request_that_finds_no_room_is_counted_and_said(
    engine: Engine, campaign: int, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = ClickRecorder(engine, KEY, capacity=3)  # It does not write yet.
    with caplog.at_level(logging.WARNING):
        taken = [recorder.record(make_request(campaign, number)) for number in range(5)]
    assert taken == [True, True, True, False, False]
    assert recorder.dropped == 2
    assert "left out so far: 2." in caplog.text
    recorder.start()
    recorder.close()
    assert [click.link_number for click in read_clicks(engine)] == [0, 1, 2]


def test_clicks_wait_for_a_database_that_fails_and_are_written_once(
    engine: Engine, campaign: int, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE click RENAME TO click_away"))
    with ClickRecorder(engine, KEY) as recorder:
        recorder.record(make_request(campaign, 1))
        recorder.record(make_request(campaign, 2))
        assert not recorder.flush(0.3)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE click_away RENAME TO click"))
        assert recorder.flush(30)
    assert [click.link_number for click in read_clicks(engine)] == [1, 2]
    assert "tried again" in caplog.text
    assert recorder.dropped == 0


def test_the_end_does_not_wait_for_a_database_that_is_gone(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE click"))
    recorder = ClickRecorder(engine, KEY)
    recorder.start()
    for number in range(3):
        recorder.record(make_request(campaign, number))
    recorder.close(timeout=0.1)
    assert recorder.dropped == 3
    assert not recorder.record(make_request(campaign))


def test_a_click_of_a_campaign_that_is_gone_keeps_no_other_waiting(engine: Engine, campaign: int) -> None:
    with ClickRecorder(engine, KEY) as recorder:
        recorder.record(make_request(campaign, 1))
        recorder.record(make_request(campaign + 99, 2))
        recorder.record(make_request(campaign, 3))
        assert recorder.flush(30)
    assert [click.link_number for click in read_clicks(engine)] == [1, 3]
    assert recorder.dropped == 1


def test_many_threads_record_at_once(engine: Engine, campaign: int) -> None:
    def click(first: int) -> None:
        for number in range(first, first + 50):
            recorder.record(make_request(campaign, number))

    with ClickRecorder(engine, KEY) as recorder:
        threads = [threading.Thread(target=click, args=(start,)) for start in range(0, 400, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(click.link_number for click in read_clicks(engine)) == list(range(400))


def test_a_program_with_endless_headers_fills_no_memory(engine: Engine, campaign: int) -> None:
    recorder = ClickRecorder(engine, KEY)
    long = "x" * 60_000
    recorder.record(make_request(campaign, user_agent=long, headers={"accept": long, "cookie": long}))
    [waiting] = recorder._waiting
    assert len(waiting.user_agent) + sum(map(len, waiting.headers.values())) <= 1000
    assert set(waiting.headers) == {"accept"}
