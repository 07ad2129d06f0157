"""Dead addresses found while sending: who gets the status bounced, who does not, and when."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import Session, col, select

from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.dispatch.dead_addresses import is_dead_refusal, mark_dead_addresses
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.dispatch.ledger import Ledger
from mailer.dispatch.relays import BackoffPolicy, open_relays
from mailer.settings import CampaignSettings, SenderSettings, Settings, SmtpSettings
from mailer.smtp.reply_classifier import is_certainly_dead
from subscribers.consent.preferences import change_address
from subscribers.consent.status_changes import erase, resubscribe, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber, Suppression
from tests.factories.deliveries import (
    START,
    FakeClock,
    add_campaign,
    add_subscribers,
    build_plain,
    read_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
    set_status,
)
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage
from tests.servers.smtp_sink import smtp_sink

S = DeliveryState
KEY = SuppressionKey(b"a key of the tests, long enough")
DEAD = "dead@example.org"
SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)
Run = Callable[..., RunResult]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Dispatch campaign 1 to the server at a URL, as a campaign is sent."""

    def run(url: str, *, campaign: int = 1, share: float = 0.1, connections: int = 3) -> RunResult:
        smtp = SmtpSettings(url=url, connections=connections, timeout=5, final_timeout=5)
        campaigns = CampaignSettings(halt_at_rejected=share)
        settings = Settings(sender=SENDER, smtp=smtp, campaigns=campaigns)
        relays = open_relays(settings, tmp_path, backoff=BackoffPolicy(initial_delay=0.01, max_delay=0.05))
        words: dict[str, Any] = {"settings": settings, "root": tmp_path, "build_message": build_plain}
        return dispatch(engine, campaign, relays=relays, suppression=KEY, **words)

    return run


def read_status(engine: Engine, address: str) -> Status:
    with Session(engine) as session:
        return session.exec(select(Subscriber).where(Subscriber.email == address)).one().status


def count_status(engine: Engine, status: Status) -> int:
    with Session(engine) as session:
        return len(session.exec(select(Subscriber).where(Subscriber.status == status)).all())


def read_records(engine: Engine) -> list[ConsentRecord]:
    with Session(engine) as session:
        found = list(session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id))))
        session.expunge_all()
        return found


def mark(engine: Engine, campaign: int = 1) -> int:
    return mark_dead_addresses(engine, campaign, KEY, halt_at_rejected=0.1, clock=FakeClock(AFTERWARDS))


AFTERWARDS = START + timedelta(hours=1)


def settle_all(engine: Engine, *, dead: int = 1, words: str = "5.1.1 No such user") -> None:
    """As after a run whose relay took all but the first ``dead``, before anything came of it."""
    with engine.begin() as connection:
        values = {"state": S.sent, "code": 250, "attempts": 1, "updated_at": START}
        connection.execute(update(Delivery).values(values))
        values = {"state": S.rejected, "code": 550, "reason": words}
        connection.execute(update(Delivery).where(col(Delivery.id) <= dead).values(values))


# --- who becomes bounced


def test_a_dead_address_becomes_bounced_with_its_record_and_is_suppressed(engine: Engine, run: Run) -> None:
    add_campaign(engine, [DEAD, "li@example.org", "bat@example.org"])
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, f"550 5.1.1 <{DEAD}>: no such user", only="dead")
        ending = run(server.url)
    assert (ending.outcome, ending.counts.sent, ending.counts.rejected) == (RunOutcome.finished, 2, 1)
    assert read_status(engine, DEAD) is Status.bounced
    assert read_status(engine, "li@example.org") is Status.active
    (record,) = read_records(engine)
    assert (record.event, record.method, record.source) == (ConsentEvent.bounced, "sending", "campaign 1")
    assert record.evidence == "550 5.1.1"
    assert record.at >= read_deliveries(engine)[DEAD].updated_at
    with Session(engine) as session:
        assert is_suppressed(session, KEY, DEAD)
        assert session.exec(select(Suppression.reason)).all() == [ConsentEvent.bounced]


def test_only_refusals_of_the_address_itself_count(engine: Engine, run: Run) -> None:
    replies = {
        "full": "552 5.2.2 Mailbox full",
        "over": "550 5.2.2 Over quota",
        "spam": "550 5.7.1 Blocked by policy",
        "relay": "550 Relaying denied",
        "bare": "550 Rejected",
        "rate": "550 5.2.1 The user is receiving mail at a rate that prevents additional messages",
        "later": "450 4.1.1 Unknown user, perhaps",
        "away": "551 5.1.6 The user has moved",
        "gone": "550 No such user here",
        "host": "550 5.1.2 Domain not found",
    }
    add_campaign(engine, [f"{name}@example.org" for name in [*replies, *(f"good{n}" for n in range(10))]])
    with MisbehavingServer() as server:
        for name, reply in replies.items():
            server.answer(Stage.rcpt, reply, only=f"{name}@")
        run(server.url)
    bounced = {name for name in replies if read_status(engine, f"{name}@example.org") is Status.bounced}
    assert bounced == {"away", "gone", "host"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 User unknown", True),
        ("550 5.1.10 Recipient not found (null MX)", True),
        ("550 5.2.1 The account you tried to reach is disabled", True),
        ("550 No such user here", True),
        ("550 <x@example.org>: Recipient address does not exist", True),
        ("550 Unknown recipient", True),
        ("550 This mailbox doesn't exist", True),
        ("553 Invalid mailbox", True),
        ("550 Requested action not taken", False),
        ("550 Go away", False),
        ("550 Sender address does not exist", False),
        ("550 Sender verify failed", False),
        ("550 5.1.8 Bad sender's system address", False),
        ("550 5.7.1 User unknown", False),
        ("550 5.2.1 Over the rate", False),
        ("550 User mailbox is full and not found", False),
        ("554 5.1.1 User unknown", False),
        ("450 4.1.1 User unknown", False),
        ("550 5.1.1 Mailbox over quota", False),
    ],
)
def test_what_says_in_so_many_words_that_an_address_is_dead(reply: str, expected: bool) -> None:
    code, _, words = reply.partition(" ")
    assert is_certainly_dead(int(code), words) is expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 <li@example.org>: Recipient address rejected: User unknown", True),
        ("550 5.1.2 Domain not found", True),
        ("550 5.2.1 The email account that you tried to reach is disabled", False),
        ("550 5.1.1 Your address 192.0.2.1 is blacklisted", False),
        ("550 5.1.1 The message looks like spam", False),
    ],
)
def test_codes_of_a_dead_address_beside_other_words_remove_nobody(reply: str, expected: bool) -> None:
    code, _, words = reply.partition(" ")
    assert is_dead_refusal(int(code), words) is expected


@pytest.mark.parametrize("status", [Status.unsubscribed, Status.complained, Status.erased, Status.bounced])
def test_who_is_gone_already_keeps_their_status(engine: Engine, status: Status) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    set_status(engine, "reader0@example.org", status)
    assert mark(engine) == 0
    assert (read_status(engine, "reader0@example.org"), read_records(engine)) == (status, [])


def test_a_paused_reader_whose_address_is_dead_bounces_too(engine: Engine) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    set_status(engine, "reader0@example.org", Status.paused)
    assert mark(engine) == 1
    assert read_status(engine, "reader0@example.org") is Status.bounced


def test_a_reader_who_was_heard_of_since_is_left_alone(engine: Engine) -> None:
    add_campaign(engine, 20)
    settle_all(engine, dead=4)
    later = START + timedelta(minutes=5)
    people = [f"reader{n}@example.org" for n in range(4)]
    with Session(engine) as session:
        ids = {one.email: one.id or 0 for one in session.exec(select(Subscriber))}
        change_address(session, ids[people[0]], "new@example.org", key=KEY, method="page", now=later)
        unsubscribe(session, ids[people[1]], method="page", now=later)
        resubscribe(session, ids[people[1]], key=KEY, method="page", now=later)
        erase(session, people[2], key=KEY, method="page", now=later)
        session.commit()
    assert mark(engine) == 1
    assert read_status(engine, "new@example.org") is Status.active
    assert read_status(engine, people[1]) is Status.active
    assert read_status(engine, people[3]) is Status.bounced


def test_a_bounced_reader_who_comes_back_is_not_bounced_by_the_same_refusal(engine: Engine) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    assert mark(engine) == 1
    with Session(engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "reader0@example.org")).one()
        later = AFTERWARDS + timedelta(days=1)
        resubscribe(session, person.id or 0, key=KEY, method="page", now=later)
        session.commit()
    assert mark(engine) == 0
    assert read_status(engine, "reader0@example.org") is Status.active


def test_words_that_were_emptied_after_a_while_say_nothing(engine: Engine) -> None:
    add_campaign(engine, 10)
    settle_all(engine, words="")
    assert mark(engine) == 0


def test_bounced_readers_are_in_no_later_audience(engine: Engine, run: Run) -> None:
    add_campaign(engine, [DEAD, "li@example.org"])
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 no such user", only="dead")
        run(server.url)
        second = add_campaign(engine, ["new@example.org"], edition="2026-2")
        with Session(engine) as session:
            person = session.exec(select(Subscriber).where(Subscriber.email == DEAD)).one()
            session.add(Delivery(campaign_id=second, subscriber_id=person.id or 0, updated_at=START))
            session.commit()
        run(server.url, campaign=second)
    assert server.recipients.count(DEAD) == 0
    # What was written down before is looked at again when it is claimed.
    with Session(engine) as session:
        states = session.exec(select(Delivery.state).where(Delivery.campaign_id == second)).all()
    assert sorted(states) == [S.sent, S.suppressed]


# --- whose refusal is not believed


def test_a_relay_that_calls_every_address_dead_bounces_no_reader(engine: Engine, run: Run) -> None:
    add_campaign(engine, 60)
    with smtp_sink("-f", "RCPT", "-B", "550 5.1.1 No such user") as sink:
        ending = run(sink.url)
    assert (ending.outcome, ending.counts.rejected) == (RunOutcome.finished, 60)
    assert (count_status(engine, Status.bounced), read_records(engine)) == (0, [])


def test_readers_the_breaker_gives_back_are_not_bounced_and_get_their_mail(engine: Engine, run: Run) -> None:
    add_campaign(engine, 230)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", times=40)
        ending = run(server.url)
        assert ending.outcome is RunOutcome.paused
        assert "They are back in the queue" in ending.reason
        assert count_status(engine, Status.bounced) == 0
        set_campaign_state(engine, 1, CampaignState.sending)
        ending = run(server.url)
    assert (ending.outcome, ending.counts.sent) == (RunOutcome.finished, 230)
    assert (count_status(engine, Status.bounced), read_records(engine)) == (0, [])


def test_a_domain_that_calls_all_its_own_readers_dead_loses_none_of_them(engine: Engine, run: Run) -> None:
    closed = [f"reader{n}@closed.example.org" for n in range(30)]
    add_campaign(engine, [*closed, "dead@e.org", *(f"ok{n}@e.org" for n in range(190))])
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="closed")
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="dead")
        assert run(server.url).outcome is RunOutcome.finished
    assert count_status(engine, Status.bounced) == 1
    assert read_status(engine, "dead@e.org") is Status.bounced


def test_what_is_refused_again_after_a_person_resumed_is_believed(engine: Engine, run: Run) -> None:
    dead = [f"dead{n}@{('a', 'b')[n % 2]}.example.org" for n in range(30)]
    add_campaign(engine, [*dead, *(f"ok{n}@e.org" for n in range(190))])
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="dead")
        assert run(server.url).outcome is RunOutcome.paused
        assert count_status(engine, Status.bounced) == 0
        set_campaign_state(engine, 1, CampaignState.sending)
        assert run(server.url).outcome is RunOutcome.finished
    assert count_status(engine, Status.bounced) == 30


@pytest.mark.parametrize(
    ("readers", "dead", "marked"),
    [
        (2, 1, 1),
        (3, 2, 0),
        (30, 15, 15),
        (60, 19, 19),
        (60, 20, 0),
        (190, 19, 19),
        (190, 20, 0),
        (220, 22, 22),
    ],
)
def test_a_small_campaign_believes_a_few_or_a_tenth(
    engine: Engine, readers: int, dead: int, marked: int
) -> None:
    add_campaign(engine, readers)
    settle_all(engine, dead=dead)
    assert mark(engine) == marked == count_status(engine, Status.bounced)


# --- when


@pytest.mark.parametrize("state", [S.queued, S.claimed, S.in_doubt])
def test_no_reader_is_marked_while_others_are_still_to_be_tried(engine: Engine, state: DeliveryState) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    owner = None if state is S.queued else "another"
    with engine.begin() as connection:
        last = update(Delivery).where(col(Delivery.id) == 10)
        connection.execute(last.values(state=state, owner=owner))
    assert mark(engine) == 0


def test_deferred_readers_and_settled_doubts_do_not_prevent_marking(engine: Engine) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    with engine.begin() as connection:
        deferred = {"state": S.deferred, "not_before": AFTERWARDS}
        connection.execute(update(Delivery).where(col(Delivery.id) == 9).values(deferred))
        connection.execute(update(Delivery).where(col(Delivery.id) == 10).values(state=S.in_doubt))
    assert mark(engine) == 1


def test_a_cancelled_campaign_will_try_no_more_readers(engine: Engine) -> None:
    add_campaign(engine, 10)
    settle_all(engine)
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.id) == 10).values(state=S.queued))
    set_campaign_state(engine, 1, CampaignState.cancelled)
    assert mark(engine) == 1


def test_after_a_crash_the_next_run_marks_who_was_not_and_only_then_finishes(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_campaign(engine, [DEAD, "li@example.org"])

    def crash(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 no such user", only="dead")
        with monkeypatch.context() as patched:
            patched.setattr("mailer.dispatch.dispatcher.mark_dead_addresses", crash)
            with pytest.raises(KeyboardInterrupt):
                run(server.url)
        assert read_campaign(engine, 1).state is CampaignState.sending
        assert (read_states(engine)[DEAD], read_status(engine, DEAD)) == (S.rejected, Status.active)
        assert run(server.url).outcome is RunOutcome.finished
    assert (read_status(engine, DEAD), len(read_records(engine))) == (Status.bounced, 1)


def test_marking_again_and_at_once_from_many_sides_records_it_once(engine: Engine) -> None:
    add_campaign(engine, 220)
    settle_all(engine, dead=60)
    marked: list[int] = []
    threads = [threading.Thread(target=lambda: marked.append(mark(engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(marked), sum(marked), mark(engine)) == (4, 60, 0)
    assert (count_status(engine, Status.bounced), len(read_records(engine))) == (60, 60)


def test_marking_leaving_and_suppressing_at_once_never_wait_in_a_ring(engine: Engine) -> None:
    add_campaign(engine, 220)
    settle_all(engine, dead=40)
    people = [f"reader{n}@example.org" for n in reversed(range(40))]
    with Session(engine) as session:
        ids = {one.email: one.id or 0 for one in session.exec(select(Subscriber))}
    errors: list[BaseException] = []

    def work(step: Callable[[Session, str], object]) -> None:
        try:
            for person in people:
                with Session(engine) as session:
                    step(session, person)
                    session.commit()
        except BaseException as error:
            errors.append(error)

    steps: list[Callable[[Session, str], object]] = [
        lambda session, who: unsubscribe(session, ids[who], method="page", now=AFTERWARDS),
        lambda session, who: suppress(session, who, key=KEY, method="command line", now=AFTERWARDS),
    ]
    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    threads.append(threading.Thread(target=lambda: mark(engine)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count_status(engine, Status.active) == 180
    gone = {read_status(engine, person) for person in people}
    assert gone <= {Status.unsubscribed, Status.bounced}


def test_a_breaker_does_not_requeue_bounced_readers(engine: Engine) -> None:
    add_campaign(engine, 220)
    settle_all(engine, dead=20)
    assert mark(engine) == 20
    add_subscribers(engine, ["other@example.org"])
    ids = [delivery.id or 0 for delivery in read_deliveries(engine).values()][:21]
    ledger = Ledger(engine, 1, "me", clock=FakeClock(AFTERWARDS))
    assert ledger.pause_and_requeue(ids, "too many") == 0
    ledger.close()
    assert list(read_states(engine).values()).count(S.rejected) == 20


def test_an_ordinary_message_costs_no_statement_more(engine: Engine, run: Run) -> None:
    add_campaign(engine, 60)
    statements: list[str] = []
    watching = event.listens_for(engine, "before_cursor_execute")
    watching(lambda _c, _u, statement, *_: statements.append(statement))
    with MisbehavingServer() as server:
        assert run(server.url).counts.sent == 60
    assert not [one for one in statements if "consent_record" in one or "suppression" in one]
    assert len([one for one in statements if "delivery.code IN" in one]) <= 1
