"""Whole runs against real servers, compared with the ledger and with what the server received."""

import contextlib
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlmodel import Session, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, InDoubtPolicy, RateBucket
from mailer.dispatch import connection_pool
from mailer.dispatch import ledger as ledger_module
from mailer.dispatch.deliveries import Claim, Counts
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.rate_limiter import campaign_bucket
from mailer.dispatch.relays import BackoffPolicy, open_relays
from mailer.errors import BuildError
from mailer.settings import CampaignSettings, SenderSettings, Settings, SmtpSettings
from mailer.smtp.interfaces import undo_dot_stuffing
from subscribers.models import Status
from tests.factories.deliveries import (
    FakeClock,
    add_campaign,
    build_plain,
    read_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
    set_status,
)
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.process import free_port, wait_until
from tests.servers.scripted_smtp import ScriptedServer
from tests.servers.smtp_sink import smtp_sink

S = DeliveryState
FAST_BACKOFF = BackoffPolicy(initial_delay=0.01, max_delay=0.05)
SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)


def make_settings(url: str, *, connections: int = 3, **campaigns: Any) -> Settings:
    smtp = SmtpSettings(url=url, connections=connections, timeout=5, final_timeout=5)
    return Settings(sender=SENDER, smtp=smtp, campaigns=CampaignSettings(**campaigns))


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Callable[..., RunResult]:
    """Dispatch campaign 1 to the server at a URL."""

    def run(url: str, *, connections: int = 3, build: Any = build_plain, **options: Any) -> RunResult:
        settings = make_settings(url, connections=connections)
        relays = open_relays(settings, tmp_path, backoff=options.pop("backoff", FAST_BACKOFF))
        return dispatch(
            engine,
            options.pop("campaign", 1),
            relays=relays,
            settings=settings,
            root=tmp_path,
            build_message=build,
            **options,
        )

    return run


def tally(engine: Engine) -> dict[str, int]:
    return dict(Counter(state.value for state in read_states(engine).values()))


def test_everybody_gets_it_once_and_the_campaign_is_finished(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 60)
    with MisbehavingServer() as server:
        ending = run(server.url)
    assert ending == RunResult(
        outcome=RunOutcome.finished, state=CampaignState.finished, counts=Counts(audience=60, sent=60)
    )
    assert sorted(server.recipients) == sorted(read_states(engine))
    assert read_campaign(engine, 1).finished_at is not None


@pytest.mark.parametrize("setting", ["address", "bounces_to"])
def test_a_sender_with_a_domain_of_other_letters_needs_nothing_special_of_the_relay(
    sqlite_engine: Engine, tmp_path: Path, setting: str
) -> None:
    add_campaign(sqlite_engine, 1)
    with ScriptedServer(extensions=("PIPELINING", "8BITMIME")) as server:
        sender = SENDER.model_copy(update={setting: "news@m\u00fcnchen.example"})
        settings = make_settings(server.url).model_copy(update={"sender": sender})
        relays = open_relays(settings, tmp_path, backoff=FAST_BACKOFF)
        ending = dispatch(
            sqlite_engine, 1, relays=relays, settings=settings, root=tmp_path, build_message=build_plain
        )
        assert [mail.sender for mail in server.kept] == ["news@xn--mnchen-3ya.example"]
    assert ending.outcome is RunOutcome.finished


def test_every_message_arrives_as_it_was_built(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 5)
    built: dict[str, bytes] = {}

    def build(claim: Claim) -> bytes:
        return built.setdefault(claim.subscriber.email, build_plain(claim))

    with MisbehavingServer() as server:
        run(server.url, build=build)
    kept = {address: undo_dot_stuffing(payload) for address, payload in built.items()}
    assert {mail.recipient: mail.content for mail in server.received} == kept


def test_a_run_ends_with_its_last_message_and_not_at_the_next_poll(
    engine: Engine, run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.dispatch.dispatcher._POLL_SECONDS", 3600)
    add_campaign(engine, 5)
    endings: list[RunResult] = []
    with MisbehavingServer() as server:
        thread = threading.Thread(target=lambda: endings.append(run(server.url)), daemon=True)
        thread.start()
        thread.join(30)
    assert [ending.outcome for ending in endings] == [RunOutcome.finished]


def test_a_second_run_sends_nothing(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 5)
    with MisbehavingServer() as server:
        run(server.url)
        assert run(server.url).outcome is RunOutcome.finished
        assert len(server.received) == 5


def test_a_server_that_accepts_the_mail_and_disconnects_leaves_everybody_in_doubt(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 40)
    with smtp_sink("-q", ".") as sink:
        ending = run(sink.url)
        assert sorted(sink.recipients()) == sorted(read_states(engine))
    assert ending.counts == Counts(audience=40, in_doubt=40)
    assert ending.outcome is RunOutcome.finished
    assert all(delivery.doubted for delivery in read_deliveries(engine).values())


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("flag", ["-q", "-Q"])
def test_a_server_that_disconnects_before_the_message_pauses_the_campaign(
    engine: Engine, run: Callable[..., RunResult], flag: str, stage: str
) -> None:
    add_campaign(engine, 12)
    with smtp_sink(flag, stage) as sink:
        ending = run(sink.url)
        assert sink.messages() == []
    assert ending.counts == Counts(audience=12, queued=12)
    assert (ending.outcome, ending.state) == (RunOutcome.paused, CampaignState.paused)
    assert ending.reason.startswith("The mail server failed 5 times in a row: ")
    assert flag == "-q" or "421" in ending.reason


def test_a_421_after_the_final_dot_defers_the_message(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 3)
    with smtp_sink("-Q", ".") as sink:
        ending = run(sink.url)
    assert ending.counts == Counts(audience=3, deferred=3)
    assert (ending.outcome, ending.state) == (RunOutcome.waiting, CampaignState.sending)
    assert ending.next_try is not None


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "."])
def test_a_server_that_says_not_now_defers_everybody(
    engine: Engine, run: Callable[..., RunResult], stage: str
) -> None:
    add_campaign(engine, 6)
    with smtp_sink("-r", stage, "-b", "450 4.2.0 Not now") as sink:
        ending = run(sink.url)
    assert ending.counts == Counts(audience=6, deferred=6)
    assert ending.outcome is RunOutcome.waiting
    assert not ending.needs_attention
    assert read_deliveries(engine)["reader0@example.org"].reason.startswith("4.2.0 Not now")


def test_a_server_that_knows_none_of_the_readers_rejects_each_of_them(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 60)
    with smtp_sink("-f", "RCPT", "-B", "550 5.1.1 No such user") as sink:
        ending = run(sink.url)
    assert ending.counts == Counts(audience=60, rejected=60)
    assert ending.outcome is RunOutcome.finished


@pytest.mark.parametrize("stage", ["MAIL", "DATA", "."])
def test_a_refused_sender_or_message_pauses_the_campaign_and_rejects_nobody(
    engine: Engine, run: Callable[..., RunResult], stage: str
) -> None:
    add_campaign(engine, 40)
    with smtp_sink("-f", stage, "-B", "554 5.7.1 Not from you") as sink:
        ending = run(sink.url)
    assert ending.counts == Counts(audience=40, queued=40)
    assert ending.outcome is RunOutcome.paused
    assert ending.needs_attention
    assert re.fullmatch(
        r"The mail server refuses the (sender|message): 554 5\.7\.1 Not from you.*", ending.reason
    )


def test_refusals_of_all_readers_by_policy_are_taken_back_and_pause_the_campaign(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 100)
    with smtp_sink("-f", "RCPT", "-B", "554 5.7.1 Relay access denied") as sink:
        ending = run(sink.url)
    assert ending.outcome is RunOutcome.paused
    assert "554 5.7.1 Relay access denied" in ending.reason
    assert ending.counts.queued >= 90
    assert ending.counts.balances


def test_each_delivery_records_what_the_server_said_about_its_reader(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, ["good@example.org", "gone@example.org", "full@example.org", "spam@example.org"])
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="gone")
        server.answer(Stage.rcpt, "452 4.2.2 Mailbox full", only="full")
        server.answer(Stage.rcpt, "550 5.7.1 Blocked", only="spam")
        ending = run(server.url)
    assert read_states(engine) == {
        "good@example.org": S.sent,
        "gone@example.org": S.rejected,
        "full@example.org": S.deferred,
        "spam@example.org": S.rejected,
    }
    assert (
        ending.counts.equation()
        == "4 = 1 sent + 2 rejected + 0 failed + 0 suppressed + 0 in doubt + 1 still to do"
    )
    words = {address: (found.code, found.reason) for address, found in read_deliveries(engine).items()}
    assert words["gone@example.org"] == (550, "5.1.1 No such user")
    assert words["spam@example.org"] == (550, "5.7.1 Blocked")


def test_a_greylisted_reader_gets_the_message_at_the_next_attempt(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 3)
    clock = FakeClock()
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "450 4.7.1 Greylisted, try again in 300 seconds", times=3)
        first = run(server.url, clock=clock)
        assert (first.outcome, first.counts.deferred) == (RunOutcome.waiting, 3)
        assert run(server.url, clock=clock).counts.deferred == 3
        assert first.next_try is not None
        clock.now = first.next_try
        assert run(server.url, clock=clock).counts == Counts(audience=3, sent=3)


def test_a_run_can_wait_for_deferred_readers(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 2)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "450 4.7.1 Try again in 1 second", times=1)
        ending = run(server.url, wait=True)
    assert (ending.outcome, ending.counts.sent) == (RunOutcome.finished, 2)


def test_every_reader_is_reached_despite_a_limit_per_session(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 30)
    with MisbehavingServer() as server:
        # After every message the next MAIL on the connection is refused.
        count = Counter[int]()
        take = server.take

        def take_or_limit(stage: Stage, recipient: str = "") -> str | None:
            if stage is Stage.mail:
                count["mail"] += 1  # type: ignore[index]
                if count["mail"] % 4 == 0:  # type: ignore[index]
                    return "421 4.4.5 Enough for one session"
            return take(stage, recipient)

        server.take = take_or_limit  # type: ignore[method-assign]
        ending = run(server.url, connections=2)
    assert ending.counts == Counts(audience=30, sent=30)
    assert server.connections > 5


def test_temporary_failures_are_retried(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 10)
    with MisbehavingServer() as server:
        server.answer(Stage.connect, "421 4.3.2 Busy", times=3)
        server.answer(Stage.mail, DROP, times=2)
        server.answer(Stage.rcpt, "421 4.3.2 Busy", times=2)
        backoff = BackoffPolicy(max_failures=20, initial_delay=0.01, max_delay=0.02)
        ending = run(server.url, backoff=backoff)
    assert ending.counts == Counts(audience=10, sent=10)


def test_an_unreachable_server_pauses_the_campaign_after_several_attempts(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 5)
    ending = run(f"smtp://127.0.0.1:{free_port()}")
    assert (ending.outcome, ending.counts.queued) == (RunOutcome.paused, 5)
    assert "refused" in ending.reason
    assert all(delivery.attempts == 0 for delivery in read_deliveries(engine).values())


def test_a_message_that_cannot_be_built_fails_alone(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 10)

    def build(claim: Claim) -> bytes:
        if claim.subscriber.email.startswith("reader3"):
            raise BuildError("reader3 has no name")
        if claim.subscriber.email.startswith("reader4"):
            raise ZeroDivisionError("division by zero")
        return build_plain(claim)

    with MisbehavingServer() as server:
        ending = run(server.url, build=build)
    assert ending.counts == Counts(audience=10, sent=8, failed=2)
    deliveries = read_deliveries(engine)
    assert deliveries["reader3@example.org"].reason == "reader3 has no name"
    assert deliveries["reader4@example.org"].reason == "ZeroDivisionError: division by zero"


def test_an_edition_that_cannot_be_built_pauses_the_campaign_and_fails_nobody(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 60)

    def build(_: Claim) -> bytes:
        raise BuildError("the template is gone")

    with MisbehavingServer() as server:
        ending = run(server.url, build=build, connections=1)
        assert server.received == []
    assert (ending.outcome, ending.counts.queued) == (RunOutcome.paused, 60)
    assert "the template is gone" in ending.reason


def test_a_reader_who_unsubscribes_before_data_gets_nothing(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 3)
    with MisbehavingServer() as server:
        take = server.take

        def leave(stage: Stage, recipient: str = "") -> str | None:
            if stage is Stage.data and recipient == "reader1@example.org":
                set_status(engine, recipient, Status.unsubscribed)
            return take(stage, recipient)

        server.take = leave  # type: ignore[method-assign]
        ending = run(server.url)
        assert sorted(server.recipients) == ["reader0@example.org", "reader2@example.org"]
    assert ending.counts == Counts(audience=3, sent=2, suppressed=1)


@pytest.mark.parametrize(
    ("state", "how"),
    [(CampaignState.paused, RunOutcome.paused), (CampaignState.cancelled, RunOutcome.cancelled)],
)
def test_pausing_or_cancelling_the_campaign_ends_the_run(
    engine: Engine, run: Callable[..., RunResult], state: CampaignState, how: RunOutcome
) -> None:
    add_campaign(engine, 200)
    with MisbehavingServer() as server:

        def build(claim: Claim) -> bytes:
            if len(server.received) >= 20:
                set_campaign_state(engine, 1, state)
            return build_plain(claim)

        ending = run(server.url, build=build)
        assert len(server.received) == ending.counts.sent
    assert (ending.outcome, ending.state) == (how, state)
    assert 20 <= ending.counts.sent < 40
    assert ending.counts.sent + ending.counts.queued == 200


def test_a_stop_finishes_the_current_messages_and_gives_back_the_rest(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 200)
    stop = threading.Event()
    with MisbehavingServer() as server:

        def build(claim: Claim) -> bytes:
            if len(server.received) >= 20:
                stop.set()
            return build_plain(claim)

        ending = run(server.url, build=build, stop=stop)
        assert (ending.outcome, ending.state) == (RunOutcome.stopped, CampaignState.sending)
        assert ending.counts.in_doubt == 0
        assert ending.counts.sent == len(server.received) < 60
        assert set(tally(engine)) == {"sent", "queued"}
        assert run(server.url).counts == Counts(audience=200, sent=200)
        assert max(Counter(server.recipients).values()) == 1


def test_progress_is_reported_up_to_the_final_counts(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 30, rate=60.0)
    told: list[Counts] = []
    main = threading.get_ident()

    def listen(counts: Counts) -> None:
        assert threading.get_ident() == main
        told.append(counts)

    with smtp_sink() as sink:
        ending = run(sink.url, on_progress=listen)
    assert told[-1] == ending.counts
    assert len(told) >= 2
    assert [counts.settled for counts in told] == sorted(counts.settled for counts in told)


def test_deliveries_in_doubt_are_held_until_a_person_decides_and_keep_their_message_id(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 10)
    with MisbehavingServer() as server:
        server.answer(Stage.dot, DROP, times=4)
        first = run(server.url)
        assert first.counts == Counts(audience=10, sent=6, in_doubt=4)
        doubted = {address for address, state in read_states(engine).items() if state is S.in_doubt}
        assert run(server.url).counts == first.counts
        set_campaign_state(engine, 1, CampaignState.sending)
        assert run(server.url, resend_in_doubt=True).counts == Counts(audience=10, sent=10)
        twice = {address for address, times in Counter(server.recipients).items() if times > 1}
        assert twice == doubted
        ids = Counter(re.search(rb"Message-ID: (\S+)", mail.content)[1] for mail in server.received)  # type: ignore[index]
        assert sorted(ids.values()) == [1] * 6 + [2] * 4


def test_a_campaign_that_resends_does_so_once_at_the_next_run(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 5, in_doubt_policy=InDoubtPolicy.resend)
    with MisbehavingServer() as server:
        server.answer(Stage.dot, DROP, times=10)
        assert run(server.url).counts == Counts(audience=5, in_doubt=5)
        set_campaign_state(engine, 1, CampaignState.sending)
        assert run(server.url).counts == Counts(audience=5, in_doubt=5)
        set_campaign_state(engine, 1, CampaignState.sending)
        assert run(server.url).counts == Counts(audience=5, sent=5)


def test_two_dispatchers_on_one_campaign_never_send_twice(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 150)
    endings: list[RunResult] = []
    with MisbehavingServer() as server:
        runs = [threading.Thread(target=lambda: endings.append(run(server.url))) for _ in range(2)]
        for thread in runs:
            thread.start()
        for thread in runs:
            thread.join()
        assert len(server.received) == len(set(server.recipients)) == 150
    assert [ending.counts for ending in endings] == [Counts(audience=150, sent=150)] * 2


def test_a_connection_tells_apart_two_claims_of_one_delivery(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    """We were taken for dead, and claimed again what we were about to send, over the same connection."""
    add_campaign(engine, 1)
    rescued = False

    def claim_again(verb: str, _: str) -> None:
        nonlocal rescued
        if verb == "DATA" and not rescued:
            rescued = True
            with engine.connect() as connection:
                owner = connection.scalar(select(col(Delivery.owner)))
            assert owner
            with contextlib.closing(Ledger(engine, 1, "them")) as them:
                them.rescue([owner])
            wait_until(
                lambda: list(read_states(engine).values()) == [S.claimed], what="the claim", seconds=30
            )

    with ScriptedServer(script=claim_again) as server:
        assert run(server.url, connections=1).outcome is RunOutcome.finished
        assert len(server.kept) == 1


def test_a_rate_applies_to_all_connections_together(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 30, rate=100.0)
    with MisbehavingServer() as server:
        assert run(server.url).counts.sent == 30
    # 30 turns of 10 ms were taken from the campaign's own clock, whatever the time was.
    with Session(engine) as session:
        next_at = session.get_one(RateBucket, campaign_bucket(1)).next_at
    deliveries = read_deliveries(engine).values()
    assert next_at is not None
    started = min(delivery.updated_at for delivery in deliveries)
    assert (next_at - started).total_seconds() > 0.25


def test_a_ledger_that_fails_stops_everything_and_says_so(
    engine: Engine, run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_RECORD_RETRY_DELAYS", (0.01, 0.01))
    add_campaign(engine, 50)
    with MisbehavingServer() as server:

        def build(claim: Claim) -> bytes:
            if len(server.received) >= 5:
                with engine.begin() as connection:
                    connection.execute(text("ALTER TABLE delivery RENAME TO lost"))
            return build_plain(claim)

        with pytest.raises(LedgerUnreachableError, match="database failed while sending"):
            run(server.url, build=build, connections=1)
        received = len(server.received)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE lost RENAME TO delivery"))
        assert received == 5
        counts = run(server.url).counts
        # The one whose answer could not be written down is named, and nobody else is in doubt.
        assert counts == Counts(audience=50, sent=49, in_doubt=1)
        assert max(Counter(server.recipients).values()) == 1


def test_a_stop_waits_for_a_slow_final_reply(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 10)
    stop = threading.Event()
    with smtp_sink("-W", ".:1") as sink:

        def stop_at_the_first_body() -> None:
            wait_until(lambda: S.in_doubt in read_states(engine).values(), what="a body")
            stop.set()

        thread = threading.Thread(target=stop_at_the_first_body)
        thread.start()
        ending = run(sink.url, stop=stop, connections=2)
        thread.join()
        assert ending.counts.sent == len(sink.messages()) > 0
    assert ending.counts.in_doubt == 0


def test_a_program_that_is_to_end_waits_for_no_server_longer_than_it_is_given(
    engine: Engine, run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd would kill it, and nobody would be told of the doubt."""
    monkeypatch.setattr(connection_pool, "END_SECONDS", 0.1)
    add_campaign(engine, 10)
    stop = threading.Event()
    with MisbehavingServer() as server:
        server.answer(Stage.dot, HANG)

        def stop_at_the_first_body() -> None:
            wait_until(lambda: S.in_doubt in read_states(engine).values(), what="a body")
            stop.set()

        thread = threading.Thread(target=stop_at_the_first_body)
        thread.start()
        ending = run(server.url, stop=stop, connections=1)
        thread.join()
    assert ending.outcome is RunOutcome.stopped
    assert (ending.counts.in_doubt, ending.counts.queued) == (1, 9)


def test_a_run_that_begins_anew_with_other_settings_waits_for_a_slow_server(
    engine: Engine, run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pool, "END_SECONDS", 0.1)
    add_campaign(engine, 10)
    stop = threading.Event()
    with smtp_sink("-W", ".:2") as sink:

        def stop_at_the_first_body() -> None:
            wait_until(lambda: S.in_doubt in read_states(engine).values(), what="a body")
            stop.set()

        thread = threading.Thread(target=stop_at_the_first_body)
        thread.start()
        ending = run(sink.url, stop=stop, ending=threading.Event(), connections=1)
        thread.join()
        assert ending.counts.sent == len(sink.messages()) > 0
    assert ending.counts.in_doubt == 0


def test_a_server_silent_after_the_final_dot_leaves_the_message_in_doubt(
    engine: Engine, tmp_path: Path
) -> None:
    add_campaign(engine, 2)
    with MisbehavingServer() as server:
        server.answer(Stage.dot, HANG, only="reader1")
        settings = make_settings(server.url)
        settings = settings.model_copy(
            update={"smtp": settings.smtp.model_copy(update={"final_timeout": 0.3})}
        )
        ending = dispatch(
            engine,
            1,
            relays=open_relays(settings, tmp_path),
            settings=settings,
            root=tmp_path,
            build_message=build_plain,
        )
    assert ending.counts == Counts(audience=2, sent=1, in_doubt=1)
    assert "timed out" in read_deliveries(engine)["reader1@example.org"].reason


def test_a_run_leaves_nothing_behind(engine: Engine, run: Callable[..., RunResult], tmp_path: Path) -> None:
    add_campaign(engine, 3)
    with MisbehavingServer() as server:
        run(server.url)
    assert list((tmp_path / "run").iterdir()) == []
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM dispatcher")) == 0
    assert all(delivery.owner is None for delivery in read_deliveries(engine).values())


def test_a_campaign_of_another_edition_is_not_touched(engine: Engine, run: Callable[..., RunResult]) -> None:
    add_campaign(engine, 3)
    other = add_campaign(engine, ["other@example.org"], state=CampaignState.paused)
    with MisbehavingServer() as server:
        run(server.url)
    assert read_states(engine)["other@example.org"] is S.queued
    assert read_campaign(engine, other).state is CampaignState.paused


def test_deliveries_left_by_a_dead_dispatcher_are_taken_over(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 4)
    with engine.begin() as connection:
        first, second = (col(Delivery.subscriber_id) == number for number in (1, 2))
        connection.execute(update(Delivery).where(first).values(state=S.claimed, owner="dead"))
        connection.execute(update(Delivery).where(second).values(state=S.in_doubt, owner="dead"))
        connection.execute(update(Campaign).values(audience=4))
    with MisbehavingServer() as server:
        ending = run(server.url)
    assert ending.counts == Counts(audience=4, sent=3, in_doubt=1)
